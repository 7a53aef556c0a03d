"""Service IDs: one citizen a number, one number a citizen and issuer, all history kept, numbers never in the clear."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from hub.clock import AdjustableClock
from hub.keys import Keys
from hub.process import HubProcess
from schemas.cards import ChooseAddressNotice
from schemas.municipalities import RegisterScheme
from schemas.service_ids import (
    CitizenBehindServiceId,
    Issuer,
    IssuerKind,
    IssuersOf,
    LibraryWord,
    LinkedClose,
    LinkedCloseTogether,
    Notification,
    RegisterIssuer,
    RegisterServiceId,
    RemoveServiceId,
    ServiceId,
    ServiceIdAnswer,
    ServiceIdConfirmed,
    ServiceIdDoubted,
    ServiceIdOf,
    ServiceIdsOf,
    ServiceIdState,
)
from tests.running import SECRET_KEY, running
from tests.waiting import wait_until
from tests.workers.registry.asking import ask, asked_meanwhile, dump_of, rows_of, said
from tests.workers.registry.conftest import BASE, OTHER_BASE, citizen
from workers.registry.issuers import register_issuers
from workers.registry.service_ids import ServiceIdentities, end_all_of

TERMINAL = f"T{BASE}0ABCDE"
OTHER_TERMINAL = f"T{OTHER_BASE}0ABCDE"
LIBRARY, STREET = "100001", "200001"
A, B = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)
HISTORY = "SELECT * FROM registry.service_id ORDER BY entry_id"


def issuer(issuer_id: str, kind: IssuerKind = IssuerKind.library, **changes: Any) -> Issuer:  # noqa: ANN401
    known = {"issuer_id": issuer_id, "name": f"図書館 {issuer_id}", "kind": kind, "lg_code": BASE}
    return Issuer.model_validate({**known, "pattern": "[0-9]{8,10}", **changes})


def register(citizen_id: UUID, number: str, issuer_id: str = LIBRARY, **changes: Any) -> RegisterServiceId:  # noqa: ANN401
    known = {"citizen_id": citizen_id, "issuer_id": issuer_id, "number": number}
    by = {"terminal_id": TERMINAL, "operation_id": uuid4()}
    return RegisterServiceId.model_validate({**known, **by, **changes})


def remove(citizen_id: UUID, issuer_id: str = LIBRARY) -> RemoveServiceId:
    return RemoveServiceId(citizen_id=citizen_id, issuer_id=issuer_id, terminal_id=TERMINAL, operation_id=uuid4())


@pytest.fixture
def clock() -> AdjustableClock:
    return AdjustableClock(NOON)


@pytest.fixture
async def town(database_url: str, clock: AdjustableClock) -> AsyncIterator[HubProcess]:
    """A library, a street and 20 citizens; two registries, of which the other one takes half of the lanes."""
    async with running(database_url, "registry", clock=clock) as registry, running(database_url, "registry"):
        await ask(registry, RegisterScheme(lg_code=BASE, point_name="ポイント", expiry_rule="none"))
        for one in (issuer(LIBRARY), issuer(STREET, IssuerKind.street)):
            await ask(registry, RegisterIssuer(issuer=one))
        await registry.bus.call_many([citizen(number) for number in range(1, 21)], 10)
        yield registry


async def number_of(registry: HubProcess, citizen_id: UUID, issuer_id: str = LIBRARY) -> ServiceId | None:
    return (await ask(registry, ServiceIdOf(citizen_id=citizen_id, issuer_id=issuer_id))).service_id


async def behind(registry: HubProcess, number: str, issuer_id: str = LIBRARY) -> UUID | None:
    return (await ask(registry, CitizenBehindServiceId(issuer_id=issuer_id, number=number))).citizen_id


async def test_the_ministry_keeps_issuers_and_terminals_choose_from_them(town: HubProcess) -> None:
    notification = Notification(method="clipboard", clear_after_s=30, prefix="a", suffix="a")
    renamed = issuer(LIBRARY, name="中央図書館", sip2=True, notification=notification)
    for asked, code in (
        (renamed, None),
        (issuer("100002", lg_code=OTHER_BASE), None),
        (issuer("100003", lg_code="990001"), "bad_code"),
        (issuer(LIBRARY, IssuerKind.street), "id_conflict"),
        (issuer(LIBRARY, start_stop="keep"), "id_conflict"),
    ):
        assert (await ask(town, RegisterIssuer(issuer=asked))).code == code
    of_town = await ask(town, IssuersOf(lg_code=BASE, kind=IssuerKind.library))
    assert of_town.issuers == [renamed]
    assert [one.issuer_id for one in (await ask(town, IssuersOf())).issuers] == [LIBRARY, "100002", STREET]
    assert [one.issuer_id for one in (await ask(town, IssuersOf(issuer_ids=[STREET, "999999"]))).issuers] == [STREET]


async def test_an_issuer_that_another_process_registers_meanwhile_otherwise_is_refused(town: HubProcess) -> None:
    library, street = (issuer("300001", kind) for kind in (IssuerKind.library, IssuerKind.street))
    first = RegisterIssuer(issuer=library)
    answer = await asked_meanwhile(town, lambda tx: register_issuers([first], tx), RegisterIssuer(issuer=street))
    assert answer.code == "id_conflict"
    assert (await ask(town, IssuersOf(issuer_ids=["300001"]))).issuers == [library]


async def test_a_number_is_registered_shown_and_found_again(town: HubProcess, database_url: str) -> None:
    asked = register(A, "Ａ１２３４－５６７８Ｂ", address_change_serial="0af3")
    stored = await ask(town, asked)
    assert stored == ServiceIdAnswer(
        issuer_name=f"図書館 {LIBRARY}", number="12345678", state=ServiceIdState.not_checked
    )
    assert await ask(town, asked) == stored
    found = await number_of(town, A)
    assert found is not None
    assert (found.number, found.address_change, found.kind) == ("12345678", True, IssuerKind.library)
    assert (await ask(town, ServiceIdsOf(citizen_id=A))).service_ids == [found]
    assert (await ask(town, ServiceIdsOf(citizen_id=B))).service_ids == []
    assert await behind(town, "1234 5678") == A
    assert await behind(town, "12345678", STREET) is None
    assert await behind(town, "nonsense") is None
    assert await behind(town, "12345678", "999999") is None
    assert (await said(database_url)).count("service-ids.registered") == 1


async def test_what_cannot_be_registered_is_refused(town: HubProcess) -> None:
    for asked, code in (
        (register(UUID(int=99), "12345678"), "unknown_citizen"),
        (register(A, "12345678", "999999"), "unknown_issuer"),
        (register(A, "1234567"), "bad_number"),
        (register(A, "12345678; --"), "bad_number"),
    ):
        assert await ask(town, asked) == ServiceIdAnswer(code=code)


async def test_a_number_that_is_taken_tells_nobody_whose(town: HubProcess) -> None:
    await ask(town, register(A, "12345678"))
    assert await ask(town, register(B, "1234-5678")) == ServiceIdAnswer(code="number_taken")
    await ask(town, register(B, "87654321"))
    assert await ask(town, register(B, "12345678", replaces=True)) == ServiceIdAnswer(code="number_taken")
    assert await behind(town, "12345678") == A


async def test_a_new_number_replaces_the_old_one_once_that_is_confirmed(town: HubProcess, database_url: str) -> None:
    first, second = register(A, "11111111"), register(A, "22222222")
    await ask(town, first)
    asked_back = await ask(town, second)
    assert (asked_back.code, asked_back.number) == ("service_id_exists", "11111111")
    confirmed = second.model_copy(update={"replaces": True})
    assert (await ask(town, confirmed)).number == "22222222"
    assert (await ask(town, confirmed)).number == "22222222"
    assert await behind(town, "11111111") is None
    old, new = await rows_of(database_url, HISTORY)
    assert (old["ending"], old["ended_terminal_id"]) == ("replaced", TERMINAL)
    assert (old["operation_id"], old["ended_operation_id"]) == (first.operation_id, second.operation_id)
    assert new["ended_at"] is None
    assert (await said(database_url)).count("service-ids.removed") == 1
    assert (await ask(town, register(B, "11111111"))).code is None


async def test_a_removed_number_is_free_and_its_history_stays(town: HubProcess, database_url: str) -> None:
    await ask(town, register(A, "12345678"))
    asked = remove(A)
    for _ in range(2):
        assert (await ask(town, asked)).code is None
    assert (await ask(town, remove(A))).code == "no_service_id"
    assert await number_of(town, A) is None
    assert (await ask(town, register(B, "12345678"))).code is None
    assert [row["citizen_id"] for row in await rows_of(database_url, HISTORY)] == [A, B]


async def test_in_one_run_each_gets_its_own_answer(town: HubProcess, database_url: str) -> None:
    same_lane = UUID(int=17)
    await town.bus.call_many([citizen(17)], 10)
    asked = [
        register(A, "11111111"),
        register(A, "11111111", address_change_serial="0a"),
        register(same_lane, "11111111"),
        register(A, "22222222", replaces=True),
        register(same_lane, "11111111"),
        register(same_lane, "22222222", replaces=True),
    ]
    answers = await town.bus.call_many(asked, 10)
    assert [answer.code for answer in answers] == [None, None, "number_taken", None, None, "number_taken"]
    rows = await rows_of(database_url, HISTORY)
    assert [row["ending"] for row in rows] == ["replaced", None, None]
    assert rows[0]["serial_sealed"] is None


async def test_with_its_link_the_serial_is_forgotten(town: HubProcess, database_url: str) -> None:
    await ask(town, register(A, "11111111", address_change_serial="0a"))
    await ask(town, register(A, "22222222", address_change_serial="0a", replaces=True))
    await ask(town, remove(A))
    await ask(town, register(A, "33333333"))
    in_one_run = [register(A, "33333333", address_change_serial="0a"), register(A, "44444444", replaces=True)]
    await town.bus.call_many(in_one_run, 10)
    rows = await rows_of(database_url, HISTORY)
    assert [row["ending"] for row in rows] == ["replaced", "removed", "replaced", None]
    assert {row["serial_sealed"] for row in rows} == {None}


async def test_a_link_that_another_process_ends_meanwhile_has_ended_once(town: HubProcess, database_url: str) -> None:
    await ask(town, register(A, "11111111"))
    elsewhere, replacing = ServiceIdentities(Keys(SECRET_KEY.encode())), register(A, "22222222", replaces=True)
    removing = remove(A)
    assert (await asked_meanwhile(town, lambda tx: elsewhere.register([replacing], tx), removing)).code is None
    old, new = await rows_of(database_url, HISTORY)
    assert (old["ending"], old["ended_operation_id"]) == ("replaced", replacing.operation_id)
    assert (new["ending"], new["ended_operation_id"]) == ("removed", removing.operation_id)
    assert (await said(database_url)).count("service-ids.removed") == 2


async def test_a_removal_that_is_asked_of_two_processes_at_once_is_done_once(
    town: HubProcess, database_url: str
) -> None:
    await ask(town, register(A, "11111111"))
    elsewhere, removing = ServiceIdentities(Keys(SECRET_KEY.encode())), remove(A)
    assert (await asked_meanwhile(town, lambda tx: elsewhere.remove([removing], tx), removing)).code is None
    assert (await said(database_url)).count("service-ids.removed") == 1


async def test_one_number_claimed_by_many_at_once_goes_to_one(town: HubProcess) -> None:
    asked = [register(UUID(int=number), "12345678") for number in range(1, 21)]
    answers = await town.bus.call_many(asked, 20)
    assert sorted(str(answer.code) for answer in answers) == ["None"] + ["number_taken"] * 19


async def test_the_choice_about_address_changes_stays_until_it_is_ended(town: HubProcess) -> None:
    async def is_chosen() -> bool:
        found = await number_of(town, A)
        assert found is not None
        return found.address_change

    await ask(town, register(A, "12345678"))
    assert not await is_chosen()
    await ask(town, register(A, "12345678", address_change_serial="0a0b"))
    assert await is_chosen()
    await ask(town, register(A, "12345678"))
    assert await is_chosen()
    await ask(town, ChooseAddressNotice(citizen_id=A, wanted=False))
    assert not await is_chosen()
    # In one run, so that the second is asked of what the first is only just about to write.
    await town.bus.call_many([register(A, "12345678", address_change_serial="0a0b"), register(A, "12345678")], 10)
    assert await is_chosen()
    await town.bus.call_many([register(B, "87654321", address_change_serial="0a0b"), register(B, "87654321")], 10)
    found = await number_of(town, B)
    assert found is not None
    assert found.address_change


async def test_a_number_the_library_does_not_know_is_refused_and_a_known_one_confirmed(town: HubProcess) -> None:
    await ask(town, RegisterIssuer(issuer=issuer(LIBRARY, sip2=True)))
    first = await ask(town, register(A, "12345678", library=LibraryWord.unknown))
    second = await ask(town, register(A, "12345678", library=LibraryWord.known))
    assert first == ServiceIdAnswer(code="number_unknown")
    assert (second.code, second.state) == (None, ServiceIdState.confirmed)


async def test_what_the_library_says_later_is_kept_while_the_link_stands(town: HubProcess, database_url: str) -> None:
    await ask(town, RegisterIssuer(issuer=issuer(LIBRARY, sip2=True)))
    assert (await ask(town, register(A, "12345678"))).state is ServiceIdState.unconfirmed
    assert (await ask(town, register(B, "87654321"))).state is ServiceIdState.unconfirmed
    await ask(town, remove(B))
    entries = {row["citizen_id"]: row["entry_id"] for row in await rows_of(database_url, HISTORY)}
    commands = await rows_of(database_url, "SELECT * FROM hub.delivery WHERE receiver = 'library.outside'")
    assert sum(len(row["message_ids"]) for row in commands) == 2

    async def state_after(event: ServiceIdDoubted | ServiceIdConfirmed) -> str:
        async with town.database_of("registry").transaction() as tx:
            tx.emit(event)
        await town.drained(10)
        rows = await rows_of(database_url, HISTORY)
        return next(str(row["state"]) for row in rows if row["entry_id"] == event.entry_id)

    kept = {"entry_id": entries[A], "citizen_id": A, "issuer_id": LIBRARY}
    gone = {"entry_id": entries[B], "citizen_id": B, "issuer_id": LIBRARY}
    assert await state_after(ServiceIdDoubted.model_validate(kept)) == "doubted"
    assert await state_after(ServiceIdConfirmed.model_validate(kept)) == "confirmed"
    assert await state_after(ServiceIdConfirmed.model_validate(gone)) == "unconfirmed"
    found = await number_of(town, A)
    assert found is not None
    assert found.state is ServiceIdState.confirmed


async def test_with_the_mykey_id_all_its_links_end(town: HubProcess, database_url: str) -> None:
    await town.bus.call_many([register(A, "12345678"), register(A, "12345678", STREET), register(B, "87654321")], 10)
    async with town.database_of("registry").transaction() as tx:
        await end_all_of(A, tx)
    assert (await ask(town, ServiceIdsOf(citizen_id=A))).service_ids == []
    assert await number_of(town, B) is not None
    assert (await said(database_url)).count("service-ids.removed") == 2
    assert (await ask(town, register(B, "12345678", STREET))).code is None


async def close(town: HubProcess, lg_code: str | None = None, days: int = 0) -> LinkedClose:
    day = NOON.date() + timedelta(days=days)
    return await ask(town, LinkedCloseTogether(first=day, last=day, lg_code=lg_code))


async def test_two_citizens_linked_close_together_at_one_terminal_are_reported(
    town: HubProcess, clock: AdjustableClock
) -> None:
    operations = [uuid4(), uuid4()]
    await ask(town, register(A, "10000001", operation_id=operations[0]))
    clock.advance(timedelta(seconds=60))
    await ask(town, register(A, "10000001", STREET))
    await ask(town, register(UUID(int=3), "10000003", terminal_id=OTHER_TERMINAL))
    clock.advance(timedelta(seconds=110))
    await ask(town, register(B, "10000002", operation_id=operations[1]))
    await ask(town, remove(B))
    clock.advance(timedelta(seconds=181))
    await ask(town, register(UUID(int=4), "10000004"))
    for found in (await close(town), await close(town, BASE)):
        (pair,) = found.pairs
        assert (pair.terminal_id, pair.first.citizen_id, pair.second.citizen_id) == (TERMINAL, A, B)
        assert (pair.first.issuer_id, pair.second.operation_id) == (STREET, operations[1])
        assert pair.second.linked_at - pair.first.linked_at < timedelta(seconds=180)
        assert not found.more
    for none in (await close(town, OTHER_BASE), await close(town, days=1), await close(town, days=-1)):
        assert none.pairs == []


async def test_a_pair_over_midnight_in_japan_belongs_to_the_day_of_its_second_link(
    town: HubProcess, clock: AdjustableClock
) -> None:
    clock.advance(timedelta(hours=11, minutes=59))
    await ask(town, register(A, "10000001"))
    clock.advance(timedelta(minutes=2))
    await ask(town, register(B, "10000002"))
    assert (await close(town)).pairs == []
    assert len((await close(town, days=1)).pairs) == 1


async def test_numbers_and_serials_are_nowhere_in_the_clear(town: HubProcess, database_url: str) -> None:
    number, serial = "4711471147", "0badc0de0badc0de"
    await ask(town, RegisterIssuer(issuer=issuer(LIBRARY, sip2=True)))
    await ask(town, register(A, number, address_change_serial=serial))
    await wait_until(lambda: rows_of(database_url, HISTORY))
    dump = b"".join([await dump_of(database_url, schema) for schema in ("registry", "hub")])
    assert A.hex.encode() in dump.replace(b"-", b"")
    for secret in (number, serial):
        assert secret.encode() not in dump
        assert secret.encode().hex().encode() not in dump
