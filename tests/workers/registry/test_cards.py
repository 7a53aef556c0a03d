"""Cards on a real database: whose they are, reissues, address-change notice, and what a proof is good for."""

import asyncio
from datetime import timedelta
from pathlib import Path
from shutil import copytree, ignore_patterns
from uuid import UUID, uuid4

import asyncpg

from hub.clock import AdjustableClock
from hub.migrations import MigrationSource, migrate
from hub.process import HubProcess
from schemas.cards import ChooseAddressNotice, ProveCard
from schemas.logins import EndSessions, LogInByCard
from schemas.mykey_ids import RevokeMyKeyId
from tests.conftest import all_sources
from tests.workers.registry.asking import ask, dump_of, rows_of, said
from tests.workers.registry.ca import TERMINAL, Authority
from tests.workers.registry.conftest import open_world
from tests.workers.registry.offices import registry_with, tell
from tests.workers.registry.people import created, creation, proof_of, proven
from workers.registry.cards import FORGOTTEN_AFTER, ForgettingCards
from workers.registry.proofs import GOOD_FOR

HISTORY = """
SELECT superseded_at IS NULL AS current, c.expires_on FROM registry.citizen_card AS h JOIN registry.card AS c
USING (card_id) WHERE citizen_id = $1 ORDER BY h.registered_at, c.card_id
"""

UNMARK = """
UPDATE registry.card SET registered = false
WHERE card_id IN (SELECT card_id FROM registry.citizen_card WHERE citizen_id = $1)
"""
THREE_CARDS = """
SET session_replication_role = replica;
INSERT INTO registry.card (card_id, name_hash, name_sealed, alg, expires_on, first_seen_at, seen_at)
SELECT lpad(n::text, 32, '0')::uuid, sha256(n::text::bytea), '', 'RS256', now(), now(), now()
FROM generate_series(1, 3) AS n;
INSERT INTO registry.citizen_card (citizen_id, card_id, registered_at, released_at)
SELECT card_id, card_id, now(), CASE WHEN n = 2 THEN now() END
FROM (SELECT card_id, row_number() OVER (ORDER BY card_id) AS n FROM registry.card) AS c WHERE n < 3;
"""
"""One that is held, one that was, one that was only seen."""


async def test_a_card_is_nobodys_then_somebodys(office: HubProcess, issuers: list[Authority]) -> None:
    card = issuers[0].card(1)
    first = await proven(office, card, "create-mykey-id")
    assert (first.code, first.citizen_id, first.how, first.updated) == (None, None, "pin", False)
    assert str(first.expires_on) == "2021-10-02"
    citizen_id = await created(office, card, "MYCHOICE")
    again = await proven(office, card, "look-up-service-id", "tap")
    assert (again.code, again.citizen_id, again.card_id, again.how) == (None, citizen_id, first.card_id, "tap")
    # The same number of another generation is another card.
    assert (await proven(office, issuers[1].card(1), "log-in")).citizen_id is None


async def test_the_same_proof_again_and_another_one_under_its_id(
    office: HubProcess, issuers: list[Authority], database_url: str
) -> None:
    card = issuers[0].card(1)
    proof = card.prove("log-in")
    answers = await asyncio.gather(*(ask(office, ProveCard(proof=proof)) for _ in range(16)))
    assert len({answer.model_dump_json() for answer in answers}) == 1
    assert answers[0].code is None
    other = issuers[0].card(2).prove("log-in", job_id=proof.job_id)
    assert (await ask(office, ProveCard(proof=other))).code == "id_conflict"
    assert len(await rows_of(database_url, "SELECT FROM registry.card")) == 1


async def test_revoked_cards_are_not_taken(office: HubProcess, issuers: list[Authority], register: Path) -> None:
    card = issuers[0].card(1)
    tell(register, revoked=["/".join(card.name)])
    assert (await proven(office, card, "log-in")).code == "card_revoked"


async def test_a_reissued_card_goes_on_where_the_old_one_was(
    office: HubProcess, issuers: list[Authority], register: Path, database_url: str
) -> None:
    old, unused, new = issuers[0].card(1), issuers[0].card(2), issuers[1].card(3)
    citizen_id = await created(office, old, "MYCHOICE")
    successors = {"/".join(old.name): "/".join(unused.name), "/".join(unused.name): "/".join(new.name)}
    tell(register, successors=successors)
    answers = await asyncio.gather(*(proven(office, new, "log-in") for _ in range(8)))
    assert {answer.citizen_id for answer in answers} == {citizen_id}
    assert sorted(answer.updated for answer in answers) == [False] * 7 + [True]
    assert [row["current"] for row in await rows_of(database_url, HISTORY, citizen_id)] == [False, True]
    assert (await said(database_url)).count("cards.renewed") == 1
    assert (await proven(office, old, "log-in")).code == "card_revoked"
    tell(register)
    assert (await proven(office, old, "log-in")).code == "card_superseded"
    assert (await proven(office, new, "log-in")).citizen_id == citizen_id


async def test_without_a_provider_a_reissued_card_is_a_new_one(
    database_url: str, tmp_path: Path, clock: AdjustableClock, issuers: list[Authority]
) -> None:
    async with registry_with(database_url, tmp_path, clock) as process:
        await open_world(process)
        await created(process, issuers[0].card(1), "MYCHOICE")
        assert (await proven(process, issuers[0].card(2), "log-in")).citizen_id is None


async def test_address_change_notice_follows_the_card(
    office: HubProcess, issuers: list[Authority], register: Path, database_url: str
) -> None:
    old, new = issuers[0].card(1), issuers[0].card(2)
    citizen_id = await created(office, old, "MYCHOICE")
    choice = ChooseAddressNotice(citizen_id=citizen_id, wanted=True)
    assert (await ask(office, choice)).code == "card_not_proven"
    without = await proof_of(office, old, "register-service-id")
    assert (await ask(office, choice.model_copy(update={"proof_id": without}))).code == "card_not_proven"
    read = await proof_of(office, old, "register-service-id", signature_serial="aa01")
    assert (await ask(office, choice.model_copy(update={"proof_id": read}))).code is None
    (first,) = await rows_of(database_url, "SELECT card_id, signature_sealed FROM registry.address_notice")
    tell(register, successors={"/".join(old.name): "/".join(new.name)})
    renewed = await proven(office, new, "look-up-service-id", "tap")
    assert (renewed.updated, renewed.signature_due) == (True, True)
    at_the_counter = await proven(office, new, "register-service-id", signature_serial="aa02")
    assert not at_the_counter.signature_due
    (second,) = await rows_of(database_url, "SELECT card_id, signature_sealed FROM registry.address_notice")
    assert second["card_id"] == renewed.card_id != first["card_id"]
    assert second["signature_sealed"] != first["signature_sealed"]
    assert (await ask(office, ChooseAddressNotice(citizen_id=citizen_id, wanted=False))).code is None
    assert await rows_of(database_url, "SELECT FROM registry.address_notice") == []


async def test_anothers_card_chooses_no_notice(office: HubProcess, issuers: list[Authority]) -> None:
    citizen_id = await created(office, issuers[0].card(1), "MYCHOICE")
    await created(office, issuers[0].card(2), "OTHERONE")
    read = await proof_of(office, issuers[0].card(2), "address-notice", signature_serial="aa01")
    choice = ChooseAddressNotice(citizen_id=citizen_id, wanted=True, proof_id=read)
    assert (await ask(office, choice)).code == "other_citizen"


async def log_in_by(process: HubProcess, proof_id: UUID, login_id: UUID | None = None) -> str | None:
    return (await ask(process, LogInByCard(login_id=login_id or uuid4(), proof_id=proof_id))).code


async def test_a_proof_is_good_once_for_its_purpose_and_for_five_minutes(
    office: HubProcess, issuers: list[Authority], clock: AdjustableClock
) -> None:
    card = issuers[0].card(1)
    await created(office, card, "MYCHOICE")
    assert await log_in_by(office, uuid4()) == "card_not_proven"
    assert await log_in_by(office, await proof_of(office, card, "confirm")) == "card_not_proven"
    proof_id, login_id = await proof_of(office, card, "log-in"), uuid4()
    assert await log_in_by(office, proof_id, login_id) is None
    assert await log_in_by(office, proof_id, login_id) is None
    assert await log_in_by(office, proof_id) == "card_not_proven"
    late = await proof_of(office, card, "log-in")
    clock.advance(GOOD_FOR + timedelta(seconds=1))
    assert await log_in_by(office, late) == "card_not_proven"


async def test_whoever_has_made_a_mykey_id_goes_on_by_that_very_proof_while_the_card_is_in(
    office: HubProcess, issuers: list[Authority]
) -> None:
    card, citizen_id, insertion = issuers[0].card(1), uuid4(), uuid4()
    proof_id = await proof_of(office, card, "create-mykey-id", insertion=insertion)
    begin = LogInByCard(login_id=citizen_id, proof_id=proof_id, purpose="create-mykey-id")
    assert (await ask(office, begin)).code == "card_not_proven"
    asked = await creation(office, card, "MYCHOICE", proof_id=proof_id, citizen_id=citizen_id)
    again = await proof_of(office, card, "create-mykey-id", insertion=insertion)
    for creating in (asked, asked.model_copy(update={"proof_id": again})):
        assert (await ask(office, creating)).code is None
    for change in ({"login_id": uuid4()}, {"purpose": "log-in"}, {"purpose": "confirm"}):
        assert (await ask(office, begin.model_copy(update=change))).code == "card_not_proven"
    for beginning in (begin, begin.model_copy(update={"proof_id": again})):
        assert (await ask(office, beginning)).citizen_id == citizen_id
    assert (await ask(office, EndSessions(terminal_id=TERMINAL, insertion=insertion))).count == 2
    assert (await ask(office, begin)).code == "card_not_proven"


async def test_one_proof_for_many_at_once_is_good_for_one(office: HubProcess, issuers: list[Authority]) -> None:
    card = issuers[0].card(1)
    await created(office, card, "MYCHOICE")
    proof_id = await proof_of(office, card, "log-in")
    codes = await asyncio.gather(*(log_in_by(office, proof_id) for _ in range(20)))
    assert sorted(map(str, codes)) == ["None"] + ["card_not_proven"] * 19


async def test_what_a_card_proved_ends_when_it_is_taken_out(office: HubProcess, issuers: list[Authority]) -> None:
    card, insertion = issuers[0].card(1), uuid4()
    await created(office, card, "MYCHOICE")
    proof_id = await proof_of(office, card, "log-in", insertion=insertion)
    await ask(office, EndSessions(terminal_id=TERMINAL, insertion=insertion))
    assert await log_in_by(office, proof_id) == "card_not_proven"


async def test_cards_that_nobody_registered_are_forgotten(
    office: HubProcess, issuers: list[Authority], clock: AdjustableClock, database_url: str
) -> None:
    await created(office, issuers[0].card(1), "MYCHOICE")
    await proven(office, issuers[0].card(2), "look-up-service-id", "tap")
    forget = ForgettingCards(office.database_of("registry"))
    await forget()
    assert len(await rows_of(database_url, "SELECT FROM registry.card")) == 2
    clock.advance(FORGOTTEN_AFTER + timedelta(seconds=1))
    await forget()
    assert len(await rows_of(database_url, "SELECT FROM registry.card")) == 1
    assert await rows_of(database_url, "SELECT FROM registry.card_proof") == []


async def test_a_card_that_was_ever_registered_is_kept(
    office: HubProcess, issuers: list[Authority], register: Path, clock: AdjustableClock, database_url: str
) -> None:
    old, new, gone, by_earlier_release = (issuers[0].card(number) for number in (1, 2, 3, 4))
    await created(office, old, "MYCHOICE")
    tell(register, successors={"/".join(old.name): "/".join(new.name)})
    await proven(office, new, "log-in")
    revoke = RevokeMyKeyId(
        citizen_id=await created(office, gone, "OTHERONE"), proof_id=await proof_of(office, gone, "revoke-mykey-id")
    )
    assert (await ask(office, revoke)).code is None
    assert [row[0] for row in await rows_of(database_url, "SELECT registered FROM registry.card")] == [True] * 3
    await rows_of(database_url, UNMARK, await created(office, by_earlier_release, "THIRDONE"))
    clock.advance(FORGOTTEN_AFTER + timedelta(seconds=1))
    await ForgettingCards(office.database_of("registry"))()
    assert len(await rows_of(database_url, "SELECT FROM registry.card")) == 4


async def test_cards_of_an_earlier_release_are_told_apart(empty_database_url: str, tmp_path: Path) -> None:
    sources = {source.name: source for source in all_sources()}
    hub, registry = sources["hub"], sources["registry"]
    before = tmp_path / "before"
    await asyncio.to_thread(copytree, str(registry.folder), before, ignore=ignore_patterns("001[3-9]_*", "00[2-9]*"))
    await migrate(empty_database_url, [hub, MigrationSource("registry", before)])
    owner = await asyncpg.connect(empty_database_url)
    await owner.execute(THREE_CARDS)
    await owner.close()
    await migrate(empty_database_url, [hub, registry])
    found = await rows_of(empty_database_url, "SELECT registered FROM registry.card ORDER BY card_id")
    assert [row[0] for row in found] == [True, True, False]


async def test_fifty_registrations_of_one_card_at_once_make_one_citizen(
    office: HubProcess, issuers: list[Authority], database_url: str
) -> None:
    card = issuers[0].card(1)
    asked = [await creation(office, card, f"CHOICE{number:02d}") for number in range(50)]
    answers = await asyncio.gather(*(office.bus.call(one, 30) for one in asked))
    assert sorted(str(answer.code) for answer in answers) == ["None"] + ["card_has_mykey_id"] * 49
    assert len(await rows_of(database_url, "SELECT FROM registry.citizen")) == 1
    assert len(await rows_of(database_url, "SELECT FROM registry.used_mykey_id")) == 1


async def test_the_tables_tell_no_number(office: HubProcess, issuers: list[Authority], database_url: str) -> None:
    card = issuers[0].card(0x7A7A1234)
    citizen_id = await created(office, card, "MYCHOICE")
    read = await proof_of(office, card, "address-notice", signature_serial="5e5e9876")
    await ask(office, ChooseAddressNotice(citizen_id=citizen_id, wanted=True, proof_id=read))
    dump = await dump_of(database_url, "registry") + await dump_of(database_url, "hub")
    for number in ("7a7a1234", "5e5e9876", str(0x7A7A1234), card.generation):
        for form in (number.encode(), number.encode().hex().encode()):
            assert form not in dump.lower()
