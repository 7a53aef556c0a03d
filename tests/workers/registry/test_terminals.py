"""Terminals on a real database: planned, issued once, enrolled by one, suspended, found; contacts sealed."""

import asyncio
from uuid import uuid4

import pytest
from pydantic import ValidationError

from hub.process import HubProcess
from schemas.terminals import (
    ISSUE_LIMIT,
    AgentKeyOf,
    EnrolTerminal,
    FileTerminalPlan,
    IssuedTerminals,
    IssueTerminals,
    PlanRow,
    RenewPassword,
    ResumeTerminal,
    SuspendTerminal,
    TerminalContact,
    TerminalKind,
    TerminalPasswordOf,
    TerminalPlan,
    TerminalPlanOf,
    TerminalsOf,
    TerminalState,
    shown_password,
    typed_password,
)
from tests.running import running
from tests.workers.registry.asking import ask, dump_of, said

CITY = "232343"
NOBODY = "999999"
PASSWORD = "p"
CONTACT = TerminalContact(
    name="試験 花子", section="図書館係", phone="03-0000-0000", mail="library@city.example", address="本町1-1"
)
LIBRARY = PlanRow(kind=TerminalKind.service_id, place="中央図書館", issuer_id="000123", point_use_too=True, count=2)
MUSEUM = PlanRow(kind=TerminalKind.point_use, place="美術館", count=1)
OFFICE = PlanRow(kind=TerminalKind.grant, place="市民課", count=1)


def kept(password: str) -> str:
    """Stands for argon2id, which is the door's: the registry compares only."""
    return f"$argon2id$v=19$m=19456,t=2,p=1${password}"


def plan(*rows: PlanRow, lg_code: str = CITY) -> FileTerminalPlan:
    return FileTerminalPlan(lg_code=lg_code, rows=rows)


async def issue(process: HubProcess, *passwords: str, lg_code: str = CITY) -> IssuedTerminals:
    return await ask(process, IssueTerminals(lg_code=lg_code, password_hashes=tuple(map(kept, passwords))))


async def one_terminal(process: HubProcess, row: PlanRow = MUSEUM) -> str:
    await ask(process, plan(row))
    return (await issue(process, PASSWORD)).terminals[0].terminal_id


def enrol(
    terminal_id: str, password: str = PASSWORD, key: bytes = bytes(32), issuer_id: str | None = None
) -> EnrolTerminal:
    return EnrolTerminal(
        terminal_id=terminal_id,
        password_hash=kept(password),
        public_key=key,
        contact=CONTACT,
        issuer_id=issuer_id,
        fingerprint=b"f" * 32,
        value_digests={"cpu": b"c" * 32, "board": b"b" * 32},
        recipe="pc-1",
    )


async def test_a_plan_is_issued_once_and_goes_on_where_it_stopped(registry: HubProcess) -> None:
    assert (await ask(registry, plan(LIBRARY, MUSEUM))).code is None
    first = await issue(registry, "a", "b")
    assert [one.kind for one in first.terminals] == ["service_id", "service_id"]
    assert (first.terminals[0].place, first.terminals[0].issuer_id, first.terminals[0].point_use_too) == (
        "中央図書館",
        "000123",
        True,
    )
    assert first.left == 1
    second = await issue(registry, "c", "d")
    assert [one.kind for one in second.terminals] == ["point_use"]
    assert (await issue(registry, "e")) == IssuedTerminals()
    ids = {one.terminal_id for one in (*first.terminals, *second.terminals)}
    assert len(ids) == 3
    found = (await ask(registry, TerminalsOf(lg_code=CITY))).terminals
    assert {one.terminal_id for one in found} == ids
    assert {one.state for one in found} == {TerminalState.issued}
    assert all(one.password_open and one.contact is None for one in found)


async def test_the_last_plan_counts_and_takes_nothing_back(registry: HubProcess) -> None:
    await ask(registry, plan(LIBRARY))
    await issue(registry, "a", "b")
    more = LIBRARY.model_copy(update={"count": 3})
    await ask(registry, plan(more, OFFICE))
    assert await ask(registry, TerminalPlanOf(lg_code=CITY)) == TerminalPlan(rows=(more, OFFICE), left=2)
    await ask(registry, plan(MUSEUM))
    assert [one.kind for one in (await issue(registry, "c", "d")).terminals] == ["point_use"]
    assert len((await ask(registry, TerminalsOf(lg_code=CITY))).terminals) == 3


async def test_who_asks_in_vain(registry: HubProcess) -> None:
    with pytest.raises(ValidationError):
        plan(MUSEUM, lg_code=NOBODY)
    assert (await ask(registry, plan(MUSEUM, lg_code="990001"))).code == "bad_code"
    assert (await issue(registry, "a")).code == "no_plan"
    unknown = "T232343ABCDEF"
    assert (await ask(registry, RenewPassword(terminal_id=unknown, password_hash=kept("n")))).code == "unknown_terminal"
    assert (await ask(registry, SuspendTerminal(terminal_id=unknown, reason="x"))).code == "unknown_terminal"
    assert (await ask(registry, ResumeTerminal(terminal_id=unknown))).code == "unknown_terminal"
    assert (await ask(registry, TerminalPasswordOf(terminal_id=unknown))).password_hash is None
    found = await ask(registry, AgentKeyOf(terminal_id=unknown))
    assert (found.public_key, found.suspended, found.kind) == (None, False, "")


@pytest.mark.parametrize(
    "rows",
    [
        [{"kind": "service_id", "place": "図書館", "count": 1}],
        [{"kind": "voucher", "place": "商工会", "issuer_id": "000123", "count": 1}],
        [{"kind": "point_use", "place": "店", "mobile": True, "count": 1}],
        [{"kind": "point_use", "place": "店", "point_use_too": True, "count": 1}],
        [{"kind": "point_use", "place": "店", "count": 0}],
        [{"kind": "grant", "place": "市民課", "count": 2}],
        [{"kind": "grant", "place": "市民課", "count": 1}, {"kind": "grant", "place": "福祉課", "count": 1}],
        [{"kind": "point_use", "place": "店", "count": 1}, {"kind": "point_use", "place": "店", "count": 2}],
        [],
    ],
)
def test_a_plan_that_cannot_be(rows: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        FileTerminalPlan.model_validate({"lg_code": CITY, "rows": rows})


async def test_an_enrolment_uses_the_password_up(registry: HubProcess, database_url: str) -> None:
    terminal_id = await one_terminal(registry, LIBRARY)
    assert (await ask(registry, TerminalPasswordOf(terminal_id=terminal_id))).password_hash == kept("p")
    assert (await ask(registry, enrol(terminal_id, "wrong", issuer_id="000123"))).code == "terminal_login"
    assert (await ask(registry, enrol("T232343ABCDEF", issuer_id="000123"))).code == "terminal_login"
    for issuer_id in (None, "000124"):
        assert (await ask(registry, enrol(terminal_id, issuer_id=issuer_id))).code == "wrong_issuer"
    enrolled = await ask(registry, enrol(terminal_id, issuer_id="000123"))
    assert (enrolled.code, enrolled.kind, enrolled.lg_code, enrolled.place) == (None, "service_id", CITY, "中央図書館")
    assert await ask(registry, enrol(terminal_id, issuer_id="000123")) == enrolled
    other = enrol(terminal_id, key=b"o" * 32, issuer_id="000123")
    assert (await ask(registry, other)).code == "terminal_login"
    assert await said(database_url) == ["terminals.enrolled"]
    found = await ask(registry, AgentKeyOf(terminal_id=terminal_id))
    assert found.public_key == bytes(32)
    assert found.fingerprint == b"f" * 32
    assert found.value_digests == {"cpu": b"c" * 32, "board": b"b" * 32}
    assert (found.suspended, found.kind, found.lg_code, found.issuer_id) == (False, "service_id", CITY, "000123")


async def test_of_fifty_at_once_in_two_processes_one_has_the_terminal(database_url: str) -> None:
    async with running(database_url, "registry") as one, running(database_url, "registry") as other:
        terminal_id = await one_terminal(one)
        keys = [uuid4().bytes * 2 for _ in range(50)]
        asked = [enrol(terminal_id, key=key) for key in keys]
        answers = await asyncio.gather(
            *(ask(process, message) for process, message in zip([one, other] * 25, asked, strict=True))
        )
        won = [key for key, answer in zip(keys, answers, strict=True) if answer.code is None]
        assert {answer.code for answer in answers} == {None, "terminal_login"}
        assert won == [(await ask(other, AgentKeyOf(terminal_id=terminal_id))).public_key]
        assert await said(database_url) == ["terminals.enrolled"]


async def test_enrolling_again_needs_a_new_password(registry: HubProcess) -> None:
    terminal_id = await one_terminal(registry)
    await ask(registry, enrol(terminal_id))
    assert (await ask(registry, RenewPassword(terminal_id=terminal_id, password_hash=kept("new")))).code is None
    assert (await ask(registry, AgentKeyOf(terminal_id=terminal_id))).public_key == bytes(32)
    assert (await ask(registry, enrol(terminal_id, key=b"o" * 32))).code == "terminal_login"
    assert (await ask(registry, enrol(terminal_id, "new", key=b"o" * 32))).code is None
    assert (await ask(registry, AgentKeyOf(terminal_id=terminal_id))).public_key == b"o" * 32


async def test_suspended_and_resumed_or_enrolled_again(registry: HubProcess, database_url: str) -> None:
    terminal_id = await one_terminal(registry)
    await ask(registry, enrol(terminal_id))
    await ask(registry, RenewPassword(terminal_id=terminal_id, password_hash=kept("open")))
    suspend = SuspendTerminal(terminal_id=terminal_id, reason="fingerprint", changed=["board"])
    for _ in range(2):
        assert (await ask(registry, suspend)).code is None
    assert (await ask(registry, AgentKeyOf(terminal_id=terminal_id))).suspended
    (seen,) = (await ask(registry, TerminalsOf(lg_code=CITY))).terminals
    assert (seen.state, seen.reason, seen.changed, seen.password_open) == (
        "suspended",
        "fingerprint",
        ["board"],
        False,
    )
    assert (await ask(registry, enrol(terminal_id, "open", key=b"o" * 32))).code == "terminal_login"
    assert (await ask(registry, ResumeTerminal(terminal_id=terminal_id))).code is None
    assert not (await ask(registry, AgentKeyOf(terminal_id=terminal_id))).suspended
    await ask(registry, suspend)
    await ask(registry, RenewPassword(terminal_id=terminal_id, password_hash=kept("new")))
    assert (await ask(registry, AgentKeyOf(terminal_id=terminal_id))).suspended
    assert (await ask(registry, enrol(terminal_id, "new"))).code is None
    assert not (await ask(registry, AgentKeyOf(terminal_id=terminal_id))).suspended
    assert await said(database_url) == [
        "terminals.enrolled",
        "terminals.suspended",
        "terminals.resumed",
        "terminals.suspended",
        "terminals.enrolled",
    ]


async def test_contacts_are_shown_to_staff_and_to_nobody_who_reads_the_table(
    registry: HubProcess, database_url: str
) -> None:
    terminal_id = await one_terminal(registry)
    await ask(registry, enrol(terminal_id))
    (seen,) = (await ask(registry, TerminalsOf(lg_code=CITY))).terminals
    assert (seen.state, seen.contact) == (TerminalState.enrolled, CONTACT)
    dump = await dump_of(database_url, "registry")
    for text in CONTACT.model_dump().values():
        assert text.encode() not in dump
        assert text.encode().hex().encode() not in dump


async def test_a_run_is_answered_as_its_messages_alone(registry: HubProcess) -> None:
    await ask(registry, plan(MUSEUM.model_copy(update={"count": 3})))
    asked = [IssueTerminals(lg_code=CITY, password_hashes=(kept(f"{n}a"), kept(f"{n}b"))) for n in range(3)]
    answers = await registry.bus.call_many(asked, 10)
    assert sorted((len(answer.terminals), answer.left) for answer in answers) == [(0, 0), (1, 0), (2, 1)]


def test_a_password_off_paper_is_taken_as_it_is_typed() -> None:
    assert shown_password("7KQX9M2D41ZBH8RC") == "7KQX-9M2D-41ZB-H8RC"
    for typed in ("7KQX-9M2D-41ZB-H8RC", " 7kqx 9m2d 4izb h8rc", "７ＫＱＸ９Ｍ２Ｄ４ＬＺＢＨ８ＲＣ"):
        assert typed_password(typed) == "7KQX9M2D41ZBH8RC"
    assert ISSUE_LIMIT >= 1
