"""A MyKey ID made, changed and revoked with a card, and what of it goes where."""

import asyncio
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from hub.tracing import Trace
from schemas.citizens import (
    BaseMunicipalitiesOf,
    ChangeMailChoices,
    CheckMyKeyId,
    CitizenBehind,
    EndMailChoice,
    LinkCitizen,
    LinkedCitizensOf,
    MailChoice,
    MailChoices,
    OfferMyKeyId,
    ProfileOf,
)
from schemas.logins import Confirm, UseSession
from schemas.mykey_ids import ChangeMyKeyId, RevokeMyKeyId
from schemas.points import BalanceOf, CreditPoints
from schemas.service_ids import CitizenBehindServiceId, Issuer, IssuerKind, RegisterIssuer, RegisterServiceId
from schemas.values import scheme_pool
from tests.waiting import wait_until
from tests.workers.registry.asking import ask, rows_of, said
from tests.workers.registry.ca import TERMINAL, Authority
from tests.workers.registry.conftest import BASE, NO_SCHEME, PARTNER, open_world
from tests.workers.registry.offices import lifetimes_of, registry_with
from tests.workers.registry.people import HOME, PASSWORD, created, creation, log_in, proof_of, proven, session_of

LIBRARY: Final = Issuer(issuer_id="100001", name="図書館", kind=IssuerKind.library, lg_code=BASE, pattern="[0-9]{8}")


async def test_made_with_card_password_and_choices(
    office: HubProcess, issuers: list[Authority], database_url: str
) -> None:
    card = issuers[0].card(1)
    asked = await creation(office, card, "MYCHOICE")
    first = await ask(office, asked)
    assert (first.code, first.id) == (None, asked.citizen_id)
    assert await ask(office, asked) == first
    assert (await ask(office, CitizenBehind(mykey_id="MYCHOICE"))).citizen_id == asked.citizen_id
    assert (await log_in(office, "MYCHOICE")).citizen_id == asked.citizen_id
    assert (await said(database_url)).count("mykey-ids.created") == 1


async def test_the_third_offer_is_registered(office: HubProcess, issuers: list[Authority]) -> None:
    enrolment_id = uuid4()
    offers = [await ask(office, OfferMyKeyId(enrolment_id=enrolment_id, attempt=n)) for n in (1, 2, 3)]
    asked = await creation(office, issuers[0].card(1), "MYCHOICE", enrolment_id=enrolment_id)
    early = asked.model_copy(update={"mykey_id": offers[0].mykey_id})
    assert (await ask(office, early)).code == "mykey_id_not_kept"
    last = asked.model_copy(update={"mykey_id": offers[2].mykey_id})
    assert (await ask(office, last)).code is None


@pytest.mark.parametrize(
    "change, code",
    [
        ({"password": "short"}, "password_short"),
        ({"password": "mychoice-1234"}, "password_common"),
        ({"password": "x" * 1_025}, "password_long"),
        ({"base_lg_code": NO_SCHEME}, "no_scheme"),
        ({"proof_id": UUID(int=5)}, "card_not_proven"),
        ({"enrolment_id": UUID(int=5)}, "mykey_id_not_kept"),
    ],
)
async def test_what_is_refused_leaves_nothing_and_may_be_mended(
    office: HubProcess, issuers: list[Authority], database_url: str, change: dict[str, object], code: str
) -> None:
    asked = await creation(office, issuers[0].card(1), "MYCHOICE")
    assert (await ask(office, asked.model_copy(update=change))).code == code
    assert await rows_of(database_url, "SELECT FROM registry.citizen") == []
    assert await rows_of(database_url, "SELECT FROM registry.citizen_card") == []
    assert (await ask(office, asked)).code is None


async def test_a_card_makes_one_mykey_id(office: HubProcess, issuers: list[Authority]) -> None:
    card = issuers[0].card(1)
    citizen_id = await created(office, card, "MYCHOICE")
    assert (await proven(office, card, "create-mykey-id")).citizen_id == citizen_id
    assert (await ask(office, await creation(office, card, "OTHERONE"))).code == "card_has_mykey_id"
    assert (await proven(office, card, "create-mykey-id", "tap")).code == "card_needs_pin"


# ----------------------------------------------------------------------------------------------------- change


async def changed(
    process: HubProcess, citizen_id: UUID, mykey_id: str, proof_id: UUID, enrolment_id: UUID | None = None
) -> str | None:
    enrolment_id = enrolment_id or uuid4()
    await ask(process, CheckMyKeyId(enrolment_id=enrolment_id, mykey_id=mykey_id))
    change = ChangeMyKeyId(citizen_id=citizen_id, proof_id=proof_id, enrolment_id=enrolment_id, mykey_id=mykey_id)
    return (await ask(process, change)).code


async def test_changed_nothing_but_the_name_is_other(
    office: HubProcess, issuers: list[Authority], database_url: str
) -> None:
    card = issuers[0].card(1)
    citizen_id = await created(office, card, "MYCHOICE")
    await ask(office, LinkCitizen(citizen_id=citizen_id, party_id=PARTNER, link_id="m-1"))
    proof_id = await proof_of(office, card, "change-mykey-id")
    assert await changed(office, citizen_id, "NEWCHOIC", proof_id) is None
    assert (await ask(office, CitizenBehind(mykey_id="NEWCHOIC"))).citizen_id == citizen_id
    assert (await ask(office, CitizenBehind(mykey_id="MYCHOICE"))).citizen_id is None
    profile = (await ask(office, ProfileOf(citizen_id=citizen_id))).profile
    assert profile is not None
    assert profile.mykey_id == "NEWCHOIC"
    linked = await ask(office, LinkedCitizensOf(party_id=PARTNER, link_ids=["m-1"]))
    assert linked.citizens == {"m-1": citizen_id}
    assert (await log_in(office, "NEWCHOIC")).citizen_id == citizen_id
    assert (await log_in(office, "MYCHOICE")).code == "log_in_failed"
    assert (await proven(office, card, "log-in")).citizen_id == citizen_id
    assert (await said(database_url)).count("mykey-ids.changed") == 1
    # The old one is nobody's for ever, and the proof is used up.
    again = await ask(office, CheckMyKeyId(enrolment_id=uuid4(), mykey_id="MYCHOICE"))
    assert again.code == "mykey_id_taken"
    assert await changed(office, citizen_id, "THIRDONE", uuid4()) == "card_not_proven"
    fresh = await proof_of(office, card, "change-mykey-id")
    assert await changed(office, citizen_id, "MYCHOICE", fresh) == "mykey_id_taken"
    assert await changed(office, citizen_id, "FOURTHID", fresh) is None


async def test_another_persons_card_changes_nothing(office: HubProcess, issuers: list[Authority]) -> None:
    citizen_id = await created(office, issuers[0].card(1), "MYCHOICE")
    await created(office, issuers[0].card(2), "OTHERONE")
    proof_id = await proof_of(office, issuers[0].card(2), "change-mykey-id")
    assert await changed(office, citizen_id, "NEWCHOIC", proof_id) == "other_citizen"
    assert await changed(office, uuid4(), "NEWCHOIC", proof_id) == "unknown_citizen"


async def test_two_changes_at_once_by_one_proof_are_one(
    office: HubProcess, issuers: list[Authority], database_url: str
) -> None:
    card = issuers[0].card(1)
    citizen_id = await created(office, card, "MYCHOICE")
    proof_id = await proof_of(office, card, "change-mykey-id")
    codes = await asyncio.gather(*(changed(office, citizen_id, f"WANTED{n:02d}", proof_id) for n in range(12)))
    assert sorted(map(str, codes)) == ["None"] + ["card_not_proven"] * 11
    assert len(await rows_of(database_url, "SELECT FROM registry.used_mykey_id")) == 2


# ----------------------------------------------------------------------------------------------------- revoke


async def test_revoked_all_that_hung_on_it_ends(
    database_url: str, tmp_path: Path, clock: AdjustableClock, issuers: list[Authority]
) -> None:
    card = issuers[0].card(1)
    async with registry_with(database_url, tmp_path, clock, "ledger") as process:
        await open_world(process)
        await process.drained(10)
        citizen_id = await created(process, card, "MYCHOICE")
        await ask(process, LinkCitizen(citizen_id=citizen_id, party_id=PARTNER, link_id="m-1"))
        await ask(process, RegisterIssuer(issuer=LIBRARY))
        assert (await ask(process, _service_id(citizen_id))).code is None
        await ask(process, _credit(citizen_id))
        session = await session_of(process, "MYCHOICE")
        revoke = RevokeMyKeyId(citizen_id=citizen_id, proof_id=await proof_of(process, card, "revoke-mykey-id"))
        assert (await ask(process, revoke)).code is None
        assert (await ask(process, revoke)).code is None
        assert (await ask(process, UseSession(session=session))).session is None
        assert (await ask(process, LinkedCitizensOf(party_id=PARTNER, link_ids=["m-1"]))).citizens == {}
        assert (await ask(process, CitizenBehind(mykey_id="MYCHOICE"))).citizen_id is None
        behind = CitizenBehindServiceId(issuer_id=LIBRARY.issuer_id, number="12345678")
        assert (await ask(process, behind)).citizen_id is None
        assert (await ask(process, ProfileOf(citizen_id=citizen_id))).profile is None
        assert (await ask(process, BaseMunicipalitiesOf(citizen_ids=[citizen_id]))).lg_codes == {}
        assert (await log_in(process, "MYCHOICE")).code == "log_in_failed"
        link = LinkCitizen(citizen_id=citizen_id, party_id=PARTNER, link_id="m-1")
        assert (await ask(process, link)).code == "unknown_citizen"
        choices = ChangeMailChoices(citizen_id=citizen_id, choices=MailChoices())
        assert (await ask(process, choices)).code == "unknown_citizen"
        end = EndMailChoice(citizen_id=citizen_id, choice=MailChoice.on_grant)
        assert (await ask(process, end)).code == "unknown_citizen"

        async def is_empty() -> bool:
            return not (await ask(process, BalanceOf(citizen_id=citizen_id))).by_pool

        await wait_until(is_empty)
        assert (await ask(process, _credit(citizen_id))).code == "citizen_revoked"
        # A new citizen with the same card; the old MyKey ID stays nobody's.
        assert (await proven(process, card, "log-in")).citizen_id is None
        taken = await ask(process, CheckMyKeyId(enrolment_id=uuid4(), mykey_id="MYCHOICE"))
        assert taken.code == "mykey_id_taken"
        assert await created(process, card, "NEWCHOIC") != citizen_id
        assert (await said(database_url)).count("mykey-ids.revoked") == 1


async def test_revoked_neither_name_nor_address_nor_serial_is_kept(
    office: HubProcess, issuers: list[Authority], database_url: str
) -> None:
    card = issuers[0].card(1)
    citizen_id = await created(office, card, "MYCHOICE")
    await ask(office, RegisterIssuer(issuer=LIBRARY))
    await ask(office, _service_id(citizen_id).model_copy(update={"address_change_serial": "0a0b"}))
    proof_id = await proof_of(office, card, "revoke-mykey-id")
    assert (await ask(office, RevokeMyKeyId(citizen_id=citizen_id, proof_id=proof_id))).code is None
    (citizen,) = await rows_of(database_url, "SELECT mykey_sealed, name_sealed, mail_sealed FROM registry.citizen")
    assert set(citizen) == {b""}
    (link,) = await rows_of(database_url, "SELECT ending, serial_sealed FROM registry.service_id")
    assert tuple(link) == ("revoked", None)


def _service_id(citizen_id: UUID) -> RegisterServiceId:
    return RegisterServiceId(
        citizen_id=citizen_id,
        issuer_id=LIBRARY.issuer_id,
        number="12345678",
        terminal_id=TERMINAL,
        operation_id=uuid4(),
    )


def _credit(citizen_id: UUID) -> CreditPoints:
    return CreditPoints(
        party_id=PARTNER,
        command_id=str(uuid4()),
        request_hash=bytes(16),
        citizen_id=citizen_id,
        pool=scheme_pool(BASE),
        points=500,
    )


class Cause(NamedTuple):
    """What a run is handed for one of its messages."""

    trace: Trace


async def test_of_several_revoked_in_one_run_each_has_its_own_trace(
    office: HubProcess, issuers: list[Authority]
) -> None:
    await ask(office, RegisterIssuer(issuer=LIBRARY))
    revokes = []
    for number in (1, 2):
        citizen_id = await created(office, issuers[0].card(number), f"CHOICE0{number}")
        theirs = _service_id(citizen_id).model_copy(update={"number": f"1234567{number}"})
        assert (await ask(office, theirs)).code is None
        proof_id = await proof_of(office, issuers[0].card(number), "revoke-mykey-id")
        revokes.append(RevokeMyKeyId(citizen_id=citizen_id, proof_id=proof_id))
    async with office.database_of("registry").transaction() as tx:
        tx.causes = [Cause(Trace(revoke.citizen_id, 1)) for revoke in revokes]
        await lifetimes_of(office).revoke(revokes, tx)
        traces = [(one.message.key(), one.correlation_id) for one in tx.said]
    assert len(traces) == 6
    assert [citizen_id for citizen_id, _ in traces] == [trace_id for _, trace_id in traces]


async def test_revoked_in_a_session_only_when_just_confirmed(office: HubProcess, issuers: list[Authority]) -> None:
    citizen_id = await created(office, issuers[0].card(1), "MYCHOICE")
    other_id = await created(office, issuers[0].card(2), "OTHERONE")
    session = await session_of(office, "MYCHOICE")
    assert (await ask(office, RevokeMyKeyId(citizen_id=citizen_id))).code == "card_not_proven"
    assert (await ask(office, RevokeMyKeyId(citizen_id=uuid4(), session=session))).code == "unknown_citizen"
    assert (await ask(office, RevokeMyKeyId(citizen_id=citizen_id, session=session))).code == "confirm_again"
    confirmed = (await ask(office, Confirm(session=session, source=HOME, password=PASSWORD))).session
    assert (await ask(office, RevokeMyKeyId(citizen_id=citizen_id, session=session))).code == "no_session"
    assert (await ask(office, RevokeMyKeyId(citizen_id=other_id, session=confirmed))).code == "other_citizen"
    assert (await ask(office, RevokeMyKeyId(citizen_id=citizen_id, session=confirmed))).code is None


async def test_another_persons_card_revokes_nothing(office: HubProcess, issuers: list[Authority]) -> None:
    citizen_id = await created(office, issuers[0].card(1), "MYCHOICE")
    await created(office, issuers[0].card(2), "OTHERONE")
    proof_id = await proof_of(office, issuers[0].card(2), "revoke-mykey-id")
    assert (await ask(office, RevokeMyKeyId(citizen_id=citizen_id, proof_id=proof_id))).code == "other_citizen"
