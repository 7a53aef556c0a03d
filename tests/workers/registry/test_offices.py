"""Whom a municipality's money goes to: told with its scheme and events, sealed, told anew, told again."""

from datetime import date
from uuid import UUID

import pytest

from hub.keys import SealBrokenError
from hub.process import HubProcess
from schemas.bank_accounts import BankAccount
from schemas.message import Message
from schemas.municipalities import (
    MunicipalOffice,
    MunicipalOfficesOf,
    OfficeView,
    RegisterScheme,
    RegisterSchemeV1,
    RegisterSupportEvent,
    RegisterSupportEventV1,
)
from tests.workers.registry.asking import ask, bodies_of, dump_of, rows_of

CITY, AICHI, NOBODY = "232343", "230006", "999999"
EVENT, OTHER_EVENT = UUID(int=7), UUID(int=8)
OFFICE = MunicipalOffice(
    section="商工観光課",
    contact_name="試験 花子",
    postcode="481-0033",
    address="西之保清水田15",
    phone="０５６８-22-1111",
    mail="points@city.example",
)
SECOND = OFFICE.model_copy(update={"section": "会計課"})
ACCOUNT = BankAccount.model_validate(
    {
        "bank_code": "9999",
        "bank": "ためし銀行",
        "branch_code": "001",
        "branch": "本店営業部",
        "kind": "ordinary",
        "number": "0012345",
        "holder": "キタナゴヤシ",
    }
)
SWAPPED = """
UPDATE registry.office SET account_sealed = (SELECT account_sealed FROM registry.office WHERE pool LIKE 'event:%')
"""
OTHER_ACCOUNT = ACCOUNT.model_copy(update={"number": "7654321"})


def scheme(office: MunicipalOffice | None = None, account: BankAccount | None = None) -> RegisterScheme:
    return RegisterScheme(lg_code=CITY, point_name="市ポイント", expiry_rule="none", office=office, account=account)


def event(
    office: MunicipalOffice | None = None,
    account: BankAccount | None = None,
    lg_code: str = CITY,
    event_id: UUID = EVENT,
) -> RegisterSupportEvent:
    return RegisterSupportEvent(
        event_id=event_id, lg_code=lg_code, point_name="祭り", first=date(2027, 4, 1), last=date(2027, 4, 9),
        office=office, account=account,
    )  # fmt: skip


async def told(registry: HubProcess, lg_code: str = CITY) -> list[OfficeView]:
    return (await ask(registry, MunicipalOfficesOf(lg_code=lg_code))).offices


async def test_what_is_told_is_kept_and_told_again(registry: HubProcess) -> None:
    await ask(registry, scheme())
    assert await told(registry) == []
    await ask(registry, scheme(OFFICE, ACCOUNT))
    (kept,) = await told(registry)
    assert (kept.pool, kept.point_name, kept.office, kept.account) == (f"scheme:{CITY}", "市ポイント", OFFICE, ACCOUNT)
    assert kept.office is not None
    assert (kept.office.postcode, kept.office.phone) == ("4810033", "0568-22-1111")
    for again in (scheme(OFFICE, ACCOUNT), scheme(), scheme(OFFICE)):
        assert (await ask(registry, again)).code is None
        assert await told(registry) == [kept], "nothing has changed, nor when"
    await ask(registry, scheme(SECOND))
    await ask(registry, scheme(account=OTHER_ACCOUNT))
    (kept,) = await told(registry)
    assert (kept.office, kept.account) == (SECOND, OTHER_ACCOUNT)


async def test_an_events_account_counts_where_it_is_another(registry: HubProcess) -> None:
    await ask(registry, scheme(OFFICE, ACCOUNT))
    assert (await ask(registry, event(SECOND, ACCOUNT))).code is None
    assert [(one.pool, one.office, one.account) for one in await told(registry)] == [
        (f"scheme:{CITY}", OFFICE, ACCOUNT),
        (f"event:{EVENT}", SECOND, None),
    ]
    assert (await ask(registry, event(account=OTHER_ACCOUNT))).code is None
    assert [(one.office, one.account) for one in await told(registry)][1] == (SECOND, OTHER_ACCOUNT)
    await ask(registry, event(account=ACCOUNT))
    assert [one.account for one in await told(registry)] == [ACCOUNT, None], "it is the scheme's again"


async def test_a_prefecture_without_a_scheme_has_an_account_for_its_event(registry: HubProcess) -> None:
    await ask(registry, event(OFFICE, ACCOUNT, AICHI))
    assert [(one.pool, one.account) for one in await told(registry, AICHI)] == [(f"event:{EVENT}", ACCOUNT)]
    assert await told(registry) == []


async def test_what_is_refused_leaves_nothing(registry: HubProcess, database_url: str) -> None:
    assert (await ask(registry, scheme(OFFICE).model_copy(update={"lg_code": NOBODY}))).code == "bad_code"
    await ask(registry, event(OFFICE))
    other = event(SECOND, ACCOUNT).model_copy(update={"point_name": "ほかの祭り"})
    assert (await ask(registry, other)).code == "id_conflict"
    assert [(one.office, one.account) for one in await told(registry)] == [(OFFICE, None)]
    assert len(await rows_of(database_url, "SELECT FROM registry.office")) == 1


async def test_of_two_in_one_run_the_last_word_counts(registry: HubProcess) -> None:
    book = next(one for one in registry.components if one.name == "registry").handlers[RegisterScheme]
    async with registry.database_of("registry").transaction() as tx:
        await book([scheme(OFFICE, ACCOUNT), scheme(SECOND), scheme(account=OTHER_ACCOUNT)], tx)
    assert [(one.office, one.account) for one in await told(registry)] == [(SECOND, OTHER_ACCOUNT)]


async def test_nobody_who_reads_the_database_knows_them(registry: HubProcess, database_url: str) -> None:
    await ask(registry, scheme(OFFICE, ACCOUNT))
    await ask(registry, event(SECOND, OTHER_ACCOUNT))
    await registry.bus.send([scheme(SECOND, OTHER_ACCOUNT)])
    await registry.drained(deadline_s=10)
    dump = await dump_of(database_url, "registry") + await dump_of(database_url, "hub")
    for text in (OFFICE.contact_name, OFFICE.mail, OFFICE.phone, ACCOUNT.number, OTHER_ACCOUNT.number, ACCOUNT.holder):
        assert text.encode() not in dump
        assert text.encode().hex().encode() not in dump
    (said,) = await bodies_of(database_url, "jp.mykey.municipalities.support-event-registered.v1")
    assert said.keys() == {"event_id", "lg_code", "point_name", "first", "last", "usable_in"}


async def test_an_account_is_of_its_own_points(registry: HubProcess, database_url: str) -> None:
    """Who can write into the database alone sends no points' money elsewhere."""
    await ask(registry, scheme(OFFICE, ACCOUNT))
    await ask(registry, event(account=OTHER_ACCOUNT))
    await rows_of(database_url, SWAPPED)
    with pytest.raises(SealBrokenError):
        await told(registry)


async def test_what_was_said_before_is_still_read(registry: HubProcess) -> None:
    old: tuple[Message, ...] = (
        RegisterSchemeV1(lg_code=CITY, point_name="市ポイント", expiry_rule="none").newer(),
        RegisterSupportEventV1(
            event_id=OTHER_EVENT, lg_code=CITY, point_name="祭り", first=date(2027, 4, 1), last=date(2027, 4, 9)
        ).newer(),
    )
    assert old == (scheme(), event(event_id=OTHER_EVENT))
    await registry.bus.send(old)
    await registry.drained(deadline_s=10)
    assert await told(registry) == []
