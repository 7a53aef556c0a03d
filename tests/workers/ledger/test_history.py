"""A citizen's history: everything that was posted, newest first, page by page, with the balances of its time."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from hub.clock import AdjustableClock
from hub.database import Row
from hub.process import HubProcess
from hub.transaction import Reading
from schemas.history import History, HistoryEntry, HistoryOf, PoolChange
from schemas.points import BalanceOf
from tests.workers.ledger.lives import Lives
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    CITY_OFFICE,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    STORE,
    TODAY,
    ask,
    ask_all,
    citizen,
    credit,
    expire,
    move,
    refusal,
    use,
)
from tests.workers.ledger.world_holds import (
    PROGRAMME,
    SHOP,
    STREET,
    acknowledge,
    authorise,
    capture,
    correct,
    grant,
    hold_of,
    issue,
    redeem,
    refund,
    send,
    use_together,
)
from workers.ledger import history, history_statements

ME, NEIGHBOUR = citizen(1), citizen(2)


async def whole(ledger: HubProcess, pool: str | None = None, limit: int = 7, who: UUID = ME) -> list[HistoryEntry]:
    """All pages together."""
    entries: list[HistoryEntry] = []
    page: History | None = None
    while page is None or page.after is not None:
        asked = HistoryOf(citizen_id=who, pool=pool, after=page.after if page else None, limit=limit)
        page = await ask(ledger, asked)
        assert len(page.entries) <= limit
        entries += page.entries
    return entries


def told(entry: HistoryEntry) -> tuple[str, dict[str, tuple[int, int]], list[UUID], UUID | None, str | None]:
    changes = {change.pool: (change.change, change.balance) for change in entry.changes}
    return entry.kind, changes, entry.counterparties, entry.hold_id, entry.command_id


async def test_an_entry_tells_what_it_was(ledger: HubProcess) -> None:
    used = use("u", ME, 30)
    await ask_all(
        ledger, credit("c1", ME, 100), credit("c2", ME, 50, party_id=CARD), grant("g", ME, 20, FESTIVAL),
        move("m", ME, 120), used, refusal("r", ME), use("too.much", ME, 999), issue("v", ME, 10),
        redeem("rv", ME, "v"), authorise("o", ME, 40), capture("oc", ME, "o", 25), refund("or", ME, "o", 5),
        send("s", ME, 5), acknowledge("sa", ME, "s"),
        use_together("t", ME, use("a", ME, 1), use("b", ME, 2, FESTIVAL)), correct("k", used),
    )  # fmt: skip
    assert [told(entry) for entry in reversed(await whole(ledger))] == [
        ("credit", {"reserve": (100, 100)}, [AIRLINE], None, None),
        ("credit", {"reserve": (50, 150)}, [CARD], None, None),
        ("grant", {FESTIVAL: (20, 20)}, [PROGRAMME], None, None),
        ("move", {"reserve": (-120, 30), FOREVER: (120, 120)}, [AIRLINE, CARD], None, "m"),
        ("use", {FOREVER: (-30, 90)}, [STORE], None, None),
        ("voucher_issue", {FOREVER: (-10, 80)}, [], hold_of("v"), None),
        ("voucher_redeem", {}, [STORE], hold_of("v"), None),
        ("authorise", {FOREVER: (-40, 40)}, [SHOP], hold_of("o"), None),
        ("capture", {FOREVER: (15, 55)}, [SHOP], hold_of("o"), None),
        ("refund", {FOREVER: (5, 60)}, [SHOP], hold_of("o"), None),
        ("merge_send", {FOREVER: (-5, 55)}, [STREET], hold_of("s"), None),
        ("merge_acknowledge", {}, [STREET], hold_of("s"), None),
        ("use_together", {FOREVER: (-1, 54), FESTIVAL: (-2, 18)}, [STORE], None, None),
        ("correct", {FOREVER: (30, 84)}, [STORE], None, None),
    ]


async def test_only_the_citizens_own_command_ids_are_shown(ledger: HubProcess) -> None:
    await ask_all(ledger, credit("c", ME, 9), move("mine", ME, 9))
    assert [entry.command_id for entry in await whole(ledger)] == ["mine", None]


async def test_a_pools_history_has_what_was_set_aside_of_it(ledger: HubProcess) -> None:
    await ask_all(
        ledger, credit("c", ME, 50, FOREVER), credit("d", ME, 50, MONTHLY), issue("v", ME, 10), redeem("rv", ME, "v")
    )
    entries = await whole(ledger, FOREVER)
    assert [entry.kind for entry in entries] == ["voucher_redeem", "voucher_issue", "credit"]
    assert [entry.changes for entry in entries] == [
        [],
        [PoolChange(pool=FOREVER, change=-10, balance=40)],
        [PoolChange(pool=FOREVER, change=50, balance=50)],
    ]


@pytest.mark.parametrize("limit, scanned", [(1, 500), (4, 500), (200, 500), (3, 4)])
async def test_pages_put_together_are_all_that_was_posted(
    ledger: HubProcess, clock: AdjustableClock, limit: int, scanned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SCAN_LIMIT", scanned)
    lives = Lives(ledger, clock, [ME, NEIGHBOUR], seed=limit)
    for _ in range(6):
        await lives.live(20)
    for who in (ME, NEIGHBOUR):
        mine = [posted for posted in lives.posted if posted.command.citizen_id == who]
        entries = list(reversed(await whole(ledger, limit=limit, who=who)))
        assert [entry.points for entry in entries] == [posted.answer.points for posted in mine]
        balances = [{change.pool: change.balance for change in entry.changes} for entry in entries]
        assert balances == [posted.answer.balances for posted in mine]
        own = [posted.command.command_id if posted.command.party_id == who else None for posted in mine]
        assert [entry.command_id for entry in entries] == own
        for pool in ("reserve", FOREVER, FESTIVAL):
            found = reversed(await whole(ledger, pool, limit, who))
            of_pool = [change.balance for one in found for change in one.changes if change.pool == pool]
            expected = [posted.answer.balances[pool] for posted in mine if pool in posted.answer.balances]
            assert of_pool == expected


async def test_a_page_looks_at_few_more_postings_than_it_shows(
    ledger: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    fetch = Reading.fetch

    async def fetch_counted(self: Reading, sql: str, *arguments: object) -> Sequence[Row]:
        rows = await fetch(self, sql, *arguments)
        looked.extend([len(rows)] if sql == history_statements.POSTINGS else [])
        return rows

    await ask_all(ledger, *(credit(f"{n}", ME, 1, FOREVER if n % 3 else MONTHLY) for n in range(300)))
    monkeypatch.setattr(Reading, "fetch", fetch_counted)
    for pool, counts in ((None, [21]), (FOREVER, [21, 42]), (MONTHLY, [21, 42]), ("reserve", [21, 42, 84, 153])):
        looked.clear()
        page = await ask(ledger, HistoryOf(citizen_id=ME, pool=pool, limit=20))
        assert (len(page.entries), looked) == (0 if pool == "reserve" else 20, counts)


async def test_changes_add_up_to_the_balance(ledger: HubProcess, clock: AdjustableClock) -> None:
    lives = Lives(ledger, clock, [ME], seed=5)
    for _ in range(6):
        await lives.live(25)
    running: Counter[str] = Counter()
    for entry in reversed(await whole(ledger)):
        for change in entry.changes:
            running[change.pool] += change.change
            assert running[change.pool] == change.balance, entry
    assert len(lives.posted) > 50
    assert {pool: points for pool, points in running.items() if points} == (
        await ask(ledger, BalanceOf(citizen_id=ME))
    ).by_pool


async def test_points_past_their_last_day_stop_counting_before_their_expiry_is_posted(
    ledger: HubProcess, clock: AdjustableClock
) -> None:
    await ask(ledger, credit("1", ME, 10, FESTIVAL))
    clock.advance(timedelta(days=20))
    await ask(ledger, credit("2", ME, 4, MONTHLY))
    clock.advance(timedelta(days=60))
    expired = await ask(ledger, expire("e", ME))
    assert expired.balances == {FESTIVAL: 0, MONTHLY: 0}
    last = (await whole(ledger))[0]
    assert (last.kind, last.posted_on) == ("expire", TODAY + timedelta(days=80))
    assert {change.pool: change.change for change in last.changes} == {FESTIVAL: -10, MONTHLY: -4}


async def test_nobody_has_an_empty_history(ledger: HubProcess) -> None:
    await ask(ledger, refusal("r", ME, party_id=CITY_OFFICE))
    assert await ask(ledger, HistoryOf(citizen_id=ME)) == History(entries=[], after=None)
