"""`mykey-hub settlement`: a municipality's two sides, and files of details that add up to them, or it says so."""

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr
from rich.console import Console

from connectors.operations import settled, settlement
from hub.asking import BadFileError, RefusedError, carry_out
from hub.clock import AdjustableClock
from hub.process import HubProcess
from hub.settings import Settings
from schemas.parties import PartyKind, RegisterParty
from schemas.settlement import PARTNER_KINDS
from tests.running import SECRET_KEY, running
from tests.workers.ledger.lives import Lives
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    CITY,
    FOREVER,
    MONTHLY,
    OTHER_STORE,
    PREFECTURE,
    START,
    STORE,
    TODAY,
    TOWN,
    ask,
    ask_all,
    citizen,
    credit,
    move,
    open_pools,
    use,
)
from tests.workers.ledger.world_holds import authorise, capture, correct, refund
from workers.ledger import settlement as ledgers

ME: Final = citizen(1)
LATER: Final = TODAY + timedelta(days=60)
PERIOD: Final = (TODAY.isoformat(), LATER.isoformat())


@pytest.fixture
def clock() -> AdjustableClock:
    return AdjustableClock(START)


@pytest.fixture
async def hub(database_url: str, clock: AdjustableClock) -> AsyncIterator[HubProcess]:
    async with running(database_url, "ledger", "registry", "operations", clock=clock) as process:
        await open_pools(process.database_of("ledger"))
        yield process


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))


async def shown(settings: Settings, *words: str) -> str:
    """What `mykey-hub settlement …` shows."""
    console = Console(record=True, width=240, file=io.StringIO())
    await carry_out(settlement._parser().parse_args(words), settings, console, settlement.ASKER)
    return console.export_text()


def line_of(text: str, name: str) -> list[str]:
    """The cells of one row."""
    (found,) = [line.split() for line in text.splitlines() if line.split()[:1] == [name]]
    return found


def names_in(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def rows_of(path: Path) -> list[dict[str, str]]:
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    text = path.read_text("utf-8-sig")
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert file.read().count("\r\n") == text.count("\n")
    return list(csv.DictReader(io.StringIO(text)))


async def test_what_partners_owe(hub: HubProcess, settings: Settings, tmp_path: Path) -> None:
    wrong = credit("-1:1", ME, 5, FOREVER, CARD)
    await ask_all(
        hub, credit("c", ME, 1_200, FOREVER), credit("r", ME, 100), move("m", ME, 60), wrong, correct("k", wrong),
        credit("elsewhere", ME, 9, MONTHLY), use("u", ME, 7),
    )  # fmt: skip
    await ask(hub, RegisterParty(party_id=AIRLINE, kind=PartyKind.partner, name="航空会社"))
    file = tmp_path / "partners.csv"
    text = await shown(settings, "partners", TOWN, *PERIOD, "--details", str(file))
    assert line_of(text, str(AIRLINE)) == [str(AIRLINE), "航空会社", "2", "1,260", "0", "0", "1,260"]
    assert line_of(text, str(CARD)) == [str(CARD), "1", "5", "1", "5", "0"]
    assert line_of(text, "合計")[1:] == ["3", "1,265", "1", "5", "1,260"]
    assert "4 transactions" in text
    assert "1,260 points" in text
    rows = rows_of(file)
    assert [(row["区分"], row["依頼番号"], row["訂正された区分"], row["精算ポイント数"]) for row in rows] == [
        ("ポイントの移行", "c", "", "1200"),
        ("留保ポイントからの移行", "", "", "60"),
        ("ポイントの移行", "'-1:1", "", "5"),
        ("訂正", "k", "ポイントの移行", "-5"),
    ]
    assert {(row["取引日"], row["自治体コード"], row["ポイントの種類"]) for row in rows} == {
        (TODAY.isoformat(), TOWN, FOREVER)
    }
    assert file.stat().st_mode & 0o077 == 0


async def test_what_it_owes_to_places(hub: HubProcess, settings: Settings, tmp_path: Path) -> None:
    await ask_all(
        hub, credit("c", ME, 100, FOREVER), use("u", ME, 7), use("v", ME, 4, store_id=OTHER_STORE),
        authorise("o", ME, 8), capture("p", ME, "o", 5), refund("q", ME, "o", 2),
    )  # fmt: skip
    text = await shown(settings, "places", TOWN, *PERIOD)
    assert line_of(text, str(STORE))[1:] == ["1", "7", "0", "0", "7"]
    assert line_of(text, "合計")[1:] == ["3", "16", "1", "2", "14"]
    file = tmp_path / "places.csv"
    text = await shown(settings, "places", TOWN, *PERIOD, "--place", str(OTHER_STORE), "--details", str(file))
    assert str(STORE) not in text
    assert [(row["相手先"], row["精算ポイント数"]) for row in rows_of(file)] == [(str(OTHER_STORE), "4")]


@pytest.mark.parametrize("seed, page_lines", [(0, 1_000), (1, 7)])
async def test_files_add_up_whatever_has_happened(
    hub: HubProcess,
    settings: Settings,
    clock: AdjustableClock,
    tmp_path: Path,
    seed: int,
    page_lines: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settled, "PAGE_LINES", page_lines)
    lives = Lives(hub, clock, [ME, citizen(2), citizen(3, lane=5)], seed)
    for _ in range(3):
        await lives.next_day(7)
        for _ in range(6):
            await lives.live(12)
    for lg_code in (TOWN, CITY, PREFECTURE):
        for side in ("partners", "places"):
            file = tmp_path / f"{side}-{lg_code}.csv"
            text = await shown(settings, side, lg_code, *PERIOD, "--details", str(file))
            assert "they add up to the summary" in " ".join(text.split())
            points: Counter[str] = Counter()
            for row in rows_of(file):
                points[row["相手先"]] += int(row["精算ポイント数"])
            assert all(line_of(text, one)[-1] == f"{points[one]:,}" for one in points)
            assert line_of(text, "合計")[-1] == f"{points.total():,}"
    assert rows_of(tmp_path / f"places-{TOWN}.csv"), "something was used there"


@pytest.mark.parametrize("change", ["points = points + 1", "transactions = transactions + 1"])
async def test_what_does_not_add_up_is_said(hub: HubProcess, settings: Settings, tmp_path: Path, change: str) -> None:
    await ask_all(hub, credit("c", ME, 100, FOREVER), use("u", ME, 7))
    async with hub.database_of("ledger").transaction() as tx:
        await tx.execute(f"UPDATE ledger.rollup SET {change}")  # noqa: S608 - two constants
    for side, counterparty in (("partners", AIRLINE), ("places", STORE)):
        file = tmp_path / f"{side}.csv"
        with pytest.raises(settlement.DoesNotAddUpError, match=f"verify.*{counterparty}"):
            await shown(settings, side, TOWN, *PERIOD, "--details", str(file))
        assert len(rows_of(file)) == 1, "it stays to be looked at"
        with pytest.raises(settlement.DoesNotAddUpError, match="not over"):
            await shown(settings, side, TOWN, TODAY.isoformat(), "2999-12-31", "--details", str(tmp_path / f"{side}-2"))


async def test_what_cannot_be_is_told(hub: HubProcess, settings: Settings, tmp_path: Path) -> None:
    assert hub.components
    taken = tmp_path / "taken.csv"
    taken.write_text("x")
    with pytest.raises(BadFileError, match=r"taken\.csv"):
        await shown(settings, "places", TOWN, *PERIOD, "--details", str(taken))
    assert taken.read_text() == "x"
    for words in ((TOWN, *reversed(PERIOD)), ("232344", *PERIOD), (TOWN, *PERIOD, "--place", "x")):
        with pytest.raises(RefusedError):
            await shown(settings, "places", *words)


async def test_a_file_that_could_not_be_finished_is_gone(
    hub: HubProcess, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_all(hub, credit("c", ME, 100, FOREVER), use("u", ME, 7), use("v", ME, 7))
    monkeypatch.setattr(settled, "PAGE_LINES", 1)
    monkeypatch.setattr(settled, "PAGES_LIMIT", 1)
    with pytest.raises(BadFileError, match="shorter"):
        await shown(settings, "places", TOWN, *PERIOD, "--details", str(tmp_path / "places.csv"))
    assert names_in(tmp_path) == []


def test_the_kinds_are_the_ledgers() -> None:
    names = [ledgers.named(kind) for kind in ledgers.PARTNER_KINDS]
    assert {reverses or name for name, reverses in names} == PARTNER_KINDS
    every = (*ledgers.PARTNER_KINDS, *ledgers.PLACE_KINDS, *ledgers.PLACE_RETURN_KINDS)
    assert {ledgers.named(kind)[0] for kind in every} == set(settled.KINDS)


def test_days_are_days() -> None:
    with pytest.raises(SystemExit):
        settlement._parser().parse_args(["places", TOWN, "2017-10", date.max.isoformat()])
