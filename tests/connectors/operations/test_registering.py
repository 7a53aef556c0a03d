"""`mykey-hub municipalities` and `issuers`: what a hub needs before anybody comes, against a registry at work."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from rich.console import Console

from connectors.operations import issuers, municipalities
from hub.asking import BadFileError, RefusedError, carry_out
from hub.settings import Settings
from schemas.places import place_id_of
from tests.running import SECRET_KEY, running

CITY: Final = "232343"
WARD: Final = "231011"
"""Of a designated city: it issues no points."""
PREFECTURE: Final = "230006"
ELSEWHERE: Final = "131016"
ISSUER: Final = """issuer_id = "000123"
name = "北名古屋市図書館"
kind = "library"
lg_code = "232343"
pattern = "[0-9]{10}"
check_digit = "none"
sip2 = true
[notification]
method = "keyboard"
suffix = "$"
"""
OFFICE: Final = """[office]
section = "商工観光課"
contact_name = "試験 花子"
postcode = "481-0033"
address = "西之保清水田15"
phone = "0568-22-1111"
mail = "points@city.example"

[account]
bank_code = "9999"
bank = "ためし銀行"
branch_code = "001"
branch = "本店営業部"
kind = "ordinary"
number = "0012345"
holder = "キタナゴヤシ"
"""


@pytest.fixture
async def settings(database_url: str) -> AsyncIterator[Settings]:
    async with running(database_url, "registry"):
        yield Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))


async def municipality(settings: Settings, *words: str) -> str:
    """What `mykey-hub municipalities …` shows."""
    console = Console(record=True, width=240, file=io.StringIO())
    options = municipalities._parser().parse_args(words)
    await carry_out(options, settings, console, municipalities.ASKER)
    return console.export_text()


async def issuer(settings: Settings, *words: str) -> str:
    """What `mykey-hub issuers …` shows."""
    console = Console(record=True, width=240, file=io.StringIO())
    await carry_out(issuers._parser().parse_args(words), settings, console, issuers.ASKER)
    return console.export_text()


async def test_a_scheme_is_opened_and_changed_by_saying_it_anew(settings: Settings) -> None:
    opened = ("scheme", CITY, "北名古屋市ポイント", "months:12")
    shown = [await municipality(settings, *opened) for _ in range(2)]
    assert shown[0] == shown[1]
    listed = await municipality(settings, "schemes")
    assert [word for word in (CITY, "北名古屋市", "北名古屋市ポイント", "months:12") if word not in listed] == []
    await municipality(settings, "scheme", CITY, "きたなごやポイント", "date:2018-03-31")
    listed = await municipality(settings, "schemes", "--prefecture", PREFECTURE)
    assert "きたなごやポイント" in listed
    assert "months:12" not in listed
    assert CITY not in await municipality(settings, "schemes", "--prefecture", "130001")


@pytest.mark.parametrize(
    "words, told",
    [
        (("scheme", WARD, "ポイント", "none"), "municipality code"),
        (("scheme", "232344", "ポイント", "none"), "check digit"),
        (("scheme", CITY, "ポイント", "date:2018-02-30"), "expiry rule"),
        (("scheme", CITY, "ポイント", "monthly"), "expiry_rule"),
        (("scheme", CITY, "", "none"), "point_name"),
        (("event", CITY, "催し", "2017-10-02", "2017-10-01"), "last day"),
        (("event", PREFECTURE, "催し", "2017-10-01", "2017-10-02", "--usable-in", ELSEWHERE), "municipality code"),
        (("place", "999997", "精肉店"), "municipality code"),
        (("place", CITY, " "), "name"),
        (("schemes", "--prefecture", "23"), "prefecture"),
    ],
)
async def test_what_cannot_be_is_told_in_words(settings: Settings, words: tuple[str, ...], told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        await municipality(settings, *words)


async def test_an_event_is_held_once_however_often_it_is_said(settings: Settings) -> None:
    held = ("event", PREFECTURE, "県の催し", "2017-10-01", "2999-12-31", "--usable-in", CITY)
    shown = [await municipality(settings, *held) for _ in range(2)]
    assert shown[0] == shown[1]
    event_id = shown[0].split()[0]
    assert str(UUID(event_id)) == event_id
    own = uuid4()
    await municipality(settings, "event", CITY, "去年の催し", "2016-10-01", "2016-10-31", "--id", str(own))
    listed = await municipality(settings, "events")
    assert [word for word in (event_id, "愛知県", "県の催し", "2999-12-31", CITY) if word not in listed] == []
    assert str(own) not in listed, "it is over"
    assert str(own) in await municipality(settings, "events", "--all")
    with pytest.raises(RefusedError, match="another"):
        await municipality(settings, "event", CITY, "ほかの催し", "2016-10-01", "2016-10-31", "--id", str(own))


async def test_a_store_without_a_terminal_is_a_place_once_it_is_said(settings: Settings) -> None:
    shown = [await municipality(settings, "place", CITY, "精肉店") for _ in range(2)]
    assert shown[0] == shown[1] == f"{place_id_of(CITY, '精肉店')} 精肉店\n"
    listed = await municipality(settings, "places", CITY)
    assert listed.count("精肉店") == 1
    assert "精肉店" not in await municipality(settings, "places", ELSEWHERE)


async def test_an_office_is_told_by_a_file_and_its_account_shown_masked(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "office.toml"
    file.write_text(OFFICE, encoding="utf-8")
    opened = ("scheme", CITY, "市ポイント", "none")
    await municipality(settings, *opened, "--office", str(file))
    await municipality(settings, *opened)
    shown = await municipality(settings, "office", CITY)
    contact = ("商工観光課", "試験 花子", "〒481-0033 西之保清水田15", "0568-22-1111", "points@city.example")
    account = ("9999 ためし銀行", "001 本店営業部", "普通 ****345", "ｷﾀﾅｺﾞﾔｼ")
    assert [word for word in (f"scheme:{CITY}", "市ポイント", *contact, *account) if word not in shown] == []
    assert "0012345" not in shown
    assert "普通 0012345" in await municipality(settings, "office", CITY, "--whole")

    file.write_text(OFFICE.partition("[account]")[2].join(("[account]", "")).replace("0012345", "0000999"), "utf-8")
    held = ("event", CITY, "催し", "2017-10-01", "2017-10-31")
    event_id = (await municipality(settings, *held, "--office", str(file))).split()[0]
    shown = await municipality(settings, "office", CITY)
    assert [word for word in (f"event:{event_id}", "****999", "****345") if word not in shown] == []
    for wrong, why in (
        (OFFICE.replace('"0012345"', '"12345"'), "account/number"),
        (OFFICE.replace("キタナゴヤシ", "北名古屋市"), "account/holder"),
        (OFFICE.replace("481-0033", "481"), "office/postcode"),
        (f'model = "x"\n{OFFICE}', "model"),
    ):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(RefusedError, match=why):
            await municipality(settings, *opened, "--office", str(file))


async def test_an_issuer_is_taken_in_and_changed_by_a_file(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "library.toml"
    file.write_text(ISSUER, encoding="utf-8")
    shown = [await issuer(settings, "register", str(file)) for _ in range(2)]
    assert shown[0] == shown[1]
    assert "000123" in shown[0]
    file.write_text(ISSUER.replace("{10}", "{9}"), encoding="utf-8")
    await issuer(settings, "register", str(file))
    listed = await issuer(settings, "list")
    told = ("000123", "library", "北名古屋市図書館", CITY, "[0-9]{9}", "keyboard", "SIP2")
    assert [word for word in told if word not in listed] == []
    assert "000123" in await issuer(settings, "list", "--lg-code", CITY)
    assert "000123" not in await issuer(settings, "list", "--lg-code", ELSEWHERE)
    for wrong, why in (
        (ISSUER.replace("{10}", "{"), "pattern"),
        (f'model = "x"\n{ISSUER}', "model"),
        (ISSUER.replace('"library"', '"street"'), "another"),
    ):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(RefusedError, match=why):
            await issuer(settings, "register", str(file))
    for broken in (b"issuer_id", b"\xff"):
        file.write_bytes(broken)
        with pytest.raises(BadFileError, match=file.name):
            await issuer(settings, "register", str(file))
