"""A wrong posting is reversed by two people: over HTTP, with a ledger and a registry at work on a real database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic import BaseModel

from connectors.operations.acts import Role
from connectors.operations.corrections import Corrections
from hub.errors import DeadlineExceededError, TransientError
from hub.process import HubProcess
from schemas.corrections import CorrectPosting
from schemas.points import BalanceOf, PostingCommand
from tests.connectors.operations.desk import ACTS, Desk, added_here
from tests.connectors.operations.wrong_posting import GIVEN, ME, WRONG, asked_for, begun, wrongly_posted
from tests.hub.parts import Probe
from tests.waiting import wait_until
from tests.workers.ledger.world import FOREVER, STORE, ask, ask_all, citizen, credit, use
from tests.workers.ledger.world_holds import issue, revoke

CORRECTIONS: Final = "SELECT count(*) FROM ledger.transfer WHERE kind = 51"
SECOND: Final = "tanaka"
OTHER: Final = citizen(7, lane=7)


@pytest.fixture
async def desk(probe: Probe) -> AsyncIterator[Desk]:
    async with wrongly_posted(probe.url) as made:
        yield made


async def with_another(desk: Desk) -> Desk:
    """The same, with another supervisor."""
    token = await added_here(desk.process, SECOND, Role.supervisor)
    return replace(desk, tokens={**desk.tokens, Role.supervisor: token})


async def approve(desk: Desk, correction_id: str, role: Role = Role.supervisor) -> tuple[int, Any]:
    return await desk.ask(role, "POST", f"/corrections/{correction_id}/approve", {})


async def balance(process: HubProcess) -> int:
    return (await ask(process, BalanceOf(citizen_id=ME))).by_pool.get(FOREVER, 0)


async def acts_of(probe: Probe) -> list[tuple[str, str]]:
    """Who did what about corrections."""
    acts = await probe.connection.fetch(ACTS)
    return [(act["operator"], act["kind"]) for act in acts if act["kind"].startswith("correction_")]


async def test_who_was_shown_the_askers_token_is_no_second_person(desk: Desk) -> None:
    for role in ("supervisor", "operator"):
        status, _ = await desk.ask(Role.supervisor, "POST", "/operators", {"name": f"new.{role}", "role": role})
        assert status == (409 if role == "supervisor" else 201)
    added = await desk.do("/operators", {"name": "sham", "role": "operator"})
    sham = replace(desk, tokens={**desk.tokens, Role.operator: added["token"]})
    asked = await sham.do("/corrections", asked_for(), Role.operator)
    status, problem = await approve(desk, asked["correction_id"])
    assert (status, "one_person" in problem["detail"]) == (409, True)
    assert await balance(desk.process) == 70
    status, decided = await approve(await with_another(desk), asked["correction_id"])
    assert (status, decided["status"]) == (200, "posted")


async def test_one_asks_another_approves_and_the_points_are_back(probe: Probe, desk: Desk) -> None:
    asked = await desk.do("/corrections", asked_for(), Role.operator)
    assert (asked["state"], asked["citizen_id"], asked["kind"], asked["points"]) == ("asked", str(ME), "use", 30)
    assert (asked["asked_by"], asked["reason"], asked["status"]) == ("operator", "typed twice", None)
    assert await balance(desk.process) == 70, "nothing is done before somebody else has decided"
    assert (await desk.get("/corrections"))["items"] == [asked]

    decided = await desk.do(f"/corrections/{asked['correction_id']}/approve", {"reason": "seen the receipt"})

    assert (decided["state"], decided["status"], decided["code"]) == ("approved", "posted", None)
    assert (decided["decided_by"], decided["remark"]) == ("supervisor", "seen the receipt")
    assert await balance(desk.process) == 100
    assert (await desk.get("/corrections"))["items"] == []
    assert (await desk.get("/corrections?state=all"))["items"] == [decided]
    names = ("operator", "correction_ask"), ("supervisor", "correction_approve"), ("supervisor", "correction_approve")
    assert await acts_of(probe) == list(names), "the second tells what the ledger said"
    rows = [dict(act) for act in await probe.connection.fetch(ACTS)][-3:]
    targets = [f"correction:{asked['correction_id']}", f"party:{STORE}", "posting:u"]
    assert [row["targets"] for row in rows] == [targets] * 3
    assert '"posted"' in rows[-1]["result"]


async def test_who_asked_does_not_approve(desk: Desk) -> None:
    correction_id = await begun(desk, role=Role.supervisor)

    status, problem = await approve(desk, correction_id)
    assert (status, problem["type"]) == (409, "/api/#problem-state_conflict")
    assert problem["detail"].startswith("one_person: ")
    assert "別の人" in problem["detail_ja"]
    assert await balance(desk.process) == 70

    status, decided = await approve(await with_another(desk), correction_id)
    assert (status, decided["decided_by"], decided["status"]) == (200, SECOND, "posted")
    assert (await approve(desk, correction_id))[0] == 409, "nor afterwards"


async def test_the_database_lets_nobody_approve_what_they_asked_for_and_removes_nothing(
    probe: Probe, desk: Desk
) -> None:
    await begun(desk)
    approved = "UPDATE operations.correction SET state = 'approved', decided_by_id = asked_by_id, decided_at = now()"
    with pytest.raises(asyncpg.CheckViolationError):
        await probe.connection.execute(approved)
    for change in ("UPDATE operations.correction SET points = 1", "DELETE FROM operations.correction"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with desk.process.database_of("operations").connection() as connection:
                await connection.execute(change)


async def test_what_cannot_be_corrected_is_not_asked_for(probe: Probe, desk: Desk) -> None:
    voucher = issue("v", ME, 10, expires_on=date(2017, 10, 20))
    await ask_all(desk.process, voucher)
    for posting, status, code in ((use("never", ME, 1), 404, "no_posting"), (voucher, 409, "not_correctable")):
        answered, problem = await desk.ask(Role.operator, "POST", "/corrections", asked_for(posting))
        assert (answered, problem["detail"].partition(":")[0]) == (status, code)
    for wrong in (asked_for(reason=" "), {**asked_for(), "command_id": "no id"}, {**asked_for(), "party_id": "x"}):
        assert (await desk.ask(Role.operator, "POST", "/corrections", wrong))[0] == 400

    await approve(desk, await begun(desk))
    status, problem = await desk.ask(Role.operator, "POST", "/corrections", asked_for())
    assert (status, problem["detail"].partition(":")[0]) == (409, "corrected_before")
    assert len(await probe.connection.fetch("SELECT FROM operations.correction")) == 1


async def test_one_posting_has_one_open_request(probe: Probe, desk: Desk) -> None:
    answers = await asyncio.gather(
        *(desk.ask(Role.operator, "POST", "/corrections", asked_for()) for _ in range(4)),
    )
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
    refused = next(problem for status, problem in answers if status == 409)
    assert "open already" in refused["detail"]
    assert "申請されています" in refused["detail_ja"]

    (open_one,) = (await desk.get("/corrections"))["items"]
    rejected = await desk.do(f"/corrections/{open_one['correction_id']}/reject", {"reason": "it was right"})
    assert (rejected["state"], rejected["remark"], rejected["status"]) == ("rejected", "it was right", None)
    assert (await approve(desk, open_one["correction_id"]))[0] == 409
    assert await balance(desk.process) == 70
    await begun(desk)
    kinds = [kind for _, kind in await acts_of(probe)]
    assert kinds == ["correction_ask", "correction_reject", "correction_ask"]


async def test_approved_again_and_at_once_by_two_it_is_corrected_once(probe: Probe, desk: Desk) -> None:
    correction_id = await begun(desk)
    other = await with_another(desk)
    answers = await asyncio.gather(*(approve(who, correction_id) for who in (desk, other, desk, other)))
    answers.append(await approve(desk, correction_id))

    assert [status for status, _ in answers] == [200] * 5
    assert all(answer == answers[0][1] for _, answer in answers)
    assert await balance(desk.process) == 100
    assert await probe.connection.fetchval(CORRECTIONS) == 1
    assert len(await acts_of(probe)) == 3, "one decision, and one answer of the ledger"
    rejecting = desk.ask(Role.supervisor, "POST", f"/corrections/{correction_id}/reject", {"reason": "too late"})
    assert (await rejecting)[0] == 409


class Lossy:
    """A bus on which the answers to corrections are lost, as long as it is said so."""

    def __init__(self, process: HubProcess) -> None:
        self._process = process
        self.loses = True
        self.loses_only_of: UUID | None = None
        self.error: TransientError = DeadlineExceededError()

    async def call(self, message: Any, deadline_s: float) -> BaseModel:  # noqa: ANN401 - any question
        """What is asked is done, all the same."""
        answer: BaseModel = await self._process.call(message, deadline_s)
        if isinstance(message, CorrectPosting) and (self.loses or message.citizen_id == self.loses_only_of):
            raise self.error
        return answer


@pytest.fixture
def lossy(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Lossy:
    made = Lossy(desk.process)
    monkeypatch.setattr(Corrections, "_asking", lambda _corrections: made)
    return made


async def test_a_lost_answer_is_asked_for_again_and_the_posting_corrected_once(
    probe: Probe, desk: Desk, lossy: Lossy
) -> None:
    correction_id = await begun(desk)
    status, problem = await approve(desk, correction_id)
    assert (status, problem["type"]) == (503, "/api/#problem-outcome_unknown")
    (waiting,) = (await desk.get("/corrections"))["items"]
    assert (waiting["state"], waiting["status"]) == ("approved", None)
    assert (await desk.ask(Role.operator, "POST", "/corrections", asked_for()))[0] == 409

    lossy.loses = False
    status, decided = await approve(desk, correction_id)
    assert (status, decided["status"], decided["points"]) == (200, "posted", 30)
    assert await balance(desk.process) == 100
    assert await probe.connection.fetchval(CORRECTIONS) == 1


async def test_what_was_approved_is_gone_on_with_where_nobody_asks_again(
    probe: Probe, desk: Desk, lossy: Lossy
) -> None:
    correction_id = await begun(desk)
    lossy.error = TransientError("away")
    status, problem = await approve(desk, correction_id)
    assert (status, problem["type"]) == (503, "/api/#problem-outcome_unknown"), "it was decided: not nothing was done"
    lossy.loses = False

    async def is_answered() -> bool:
        return not (await desk.get("/corrections"))["items"]

    await wait_until(is_answered, every_s=0.1)
    (closed,) = (await desk.get("/corrections?state=all"))["items"]
    assert (closed["correction_id"], closed["status"], closed["decided_by"]) == (correction_id, "posted", "supervisor")
    assert await probe.connection.fetchval(CORRECTIONS) == 1
    assert await acts_of(probe) == [
        ("operator", "correction_ask"),
        ("supervisor", "correction_approve"),
        ("supervisor", "correction_approve"),
    ]


async def test_one_that_is_not_answered_holds_up_no_other(desk: Desk, lossy: Lossy) -> None:
    others = use("other", OTHER, 5)
    await ask_all(desk.process, credit("given", OTHER, 10, FOREVER), others)
    lossy.loses_only_of = ME
    for posting in (WRONG, others):
        assert (await approve(desk, await begun(desk, posting)))[0] == 503
    lossy.loses = False

    async def is_alone() -> bool:
        return [one["citizen_id"] for one in (await desk.get("/corrections"))["items"]] == [str(ME)]

    await wait_until(is_alone, every_s=0.1)


@pytest.mark.parametrize(
    "meanwhile,code",
    [([use("rest", ME, 70), use("all", citizen(2), 5)], "insufficient_points"), ([revoke("r", ME)], None)],
    ids=["spent", "revoked"],
)
async def test_what_the_ledger_refuses_stays_decided_with_its_code(
    desk: Desk, meanwhile: Sequence[PostingCommand], code: str | None
) -> None:
    """A credit whose points are gone cannot be taken back; what a use took can, also when the MyKey ID has ended."""
    wrong = GIVEN if code else WRONG
    correction_id = await begun(desk, wrong)
    await ask_all(desk.process, *meanwhile)

    status, decided = await approve(desk, correction_id)
    expected = (200, "approved", "refused" if code else "posted", code)
    assert (status, decided["state"], decided["status"], decided["code"]) == expected
    assert await approve(desk, correction_id) == (200, decided)
    assert (await desk.get("/corrections"))["items"] == []
    assert (await desk.ask(Role.operator, "POST", "/corrections", asked_for(wrong)))[0] == (201 if code else 409)


async def test_who_may_do_what(desk: Desk) -> None:
    assert (await desk.ask(Role.viewer, "POST", "/corrections", asked_for()))[0] == 403
    assert (await desk.ask(None, "POST", "/corrections", asked_for()))[0] == 401
    correction_id = await begun(desk)
    for role in (Role.viewer, Role.operator):
        for what in ("approve", "reject"):
            status, problem = await desk.ask(role, "POST", f"/corrections/{correction_id}/{what}", {"reason": "x"})
            assert (status, problem["type"]) == (403, "/api/#problem-forbidden")
    assert (await approve(desk, str(uuid4())))[0] == 404
    assert (await desk.get("/corrections"))["items"][0]["state"] == "asked"


async def test_pages_follow_one_another_without_gap(desk: Desk) -> None:
    wrong = [use(f"w{n}", ME, 1) for n in range(5)]
    await ask_all(desk.process, *wrong)
    ids = [await begun(desk, posting) for posting in wrong]
    await approve(desk, ids[2])

    async def pages(query: str) -> list[str]:
        found, cursor = list[str](), ""
        for _ in range(len(wrong)):
            page = await desk.get(f"/corrections?{query}{cursor}")
            found += [one["correction_id"] for one in page["items"]]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"
        raise AssertionError(found)

    assert await pages("state=all&limit=2") == ids[::-1]
    assert await pages("limit=3") == [one for one in reversed(ids) if one != ids[2]]
    assert (await desk.ask(Role.viewer, "GET", "/corrections?cursor=nonsense"))[0] == 400
    assert (await desk.ask(Role.viewer, "GET", "/corrections?state=closed"))[0] == 400
