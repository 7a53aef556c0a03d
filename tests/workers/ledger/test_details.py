"""Settlement: what every view's details add up to is its summary, whatever the page and wherever the lines are."""

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.settlement import (
    DetailLine,
    Details,
    DetailsOf,
    MunicipalPartnersView,
    MunicipalPlacesView,
    MunicipalSummaryOf,
    PartnerSummaryOf,
    PartnerView,
    PlaceLine,
    PlaceSummaryOf,
    StoreSummaryOf,
    StoreView,
    Summary,
    SummaryLine,
    View,
)
from tests.workers.ledger.lives import Lives
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    CITY,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    OTHER_STORE,
    PREFECTURE,
    STORE,
    TODAY,
    TOWN,
    ask,
    ask_all,
    citizen,
    credit,
    move,
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
    expire_voucher,
    grant,
    issue,
    redeem,
    refund,
    send,
    use_together,
)
from workers.ledger import details

ME, NEIGHBOUR, STRANGER = citizen(1), citizen(2), citizen(3, lane=5)
LATER = TODAY + timedelta(days=400)
Key = tuple[str, str | None, int, str | None, str, UUID]

PARTNER_KINDS = {"credit", "coupon", "move", "sweep"}
PLACE_KINDS = {"use", "use_together", "voucher_redeem", "capture", "merge_acknowledge", "refund"}


async def read(ledger: HubProcess, view: View, limit: int, first: date = TODAY, last: date = LATER) -> list[DetailLine]:
    """All pages of a view."""
    lines: list[DetailLine] = []
    page: Details | None = None
    while page is None or page.after is not None:
        asked = DetailsOf(view=view, first=first, last=last, after=page.after if page else None, limit=limit)
        page = await ask(ledger, asked)
        # A page ends with a whole transaction.
        assert len({line.transaction_id for line in page.lines}) <= limit
        lines += page.lines
    return lines


def points_of(lines: list[DetailLine]) -> Counter[Key]:
    found: Counter[Key] = Counter()
    for one in lines:
        found[one.kind, one.reverses, one.direction, one.lg_code, one.pool, one.counterparty_id] += one.points
    return found


def transactions_of(lines: list[DetailLine]) -> Counter[Key]:
    return Counter((one.kind, one.reverses, one.direction, one.lg_code, one.pool, one.counterparty_id) for one in lines)


def summed(summary: Summary, kinds: set[str]) -> dict[Key, tuple[int, int]]:
    return {
        (one.kind, one.reverses, one.direction, one.lg_code, one.pool, one.counterparty_id): (
            one.points,
            one.transactions,
        )
        for one in summary.lines
        if one.direction and (one.reverses or one.kind) in kinds
    }


async def check(ledger: HubProcess, view: View, summary: Summary, kinds: set[str], limit: int) -> None:
    lines = await read(ledger, view, limit)
    points, transactions = points_of(lines), transactions_of(lines)
    assert {key: (points[key], transactions[key]) for key in points} == summed(summary, kinds)
    assert [line.day for line in lines] == sorted(line.day for line in lines)
    assert len({(*key, line.transaction_id) for key, line in zip(map(_key, lines), lines, strict=True)}) == len(lines)


def _key(line: DetailLine) -> Key:
    return line.kind, line.reverses, line.direction, line.lg_code, line.pool, line.counterparty_id


@pytest.mark.parametrize("seed, limit, at_once", [(0, 5_000, 64), (1, 7, 64), (2, 1, 2)])
async def test_details_add_up_to_their_summaries(
    ledger: HubProcess, clock: AdjustableClock, seed: int, limit: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details, "BLOCKS_AT_ONCE", at_once)
    monkeypatch.setattr(details, "BLOCKS_LIMIT", 3 * at_once)
    lives = Lives(ledger, clock, [ME, NEIGHBOUR, STRANGER], seed)
    for _ in range(4):
        await lives.next_day(7)
        for _ in range(7):
            await lives.live(12)
    assert len(lives.posted) > 150
    period = {"first": TODAY, "last": LATER}
    for party_id in (AIRLINE, CARD):
        summary = await ask(ledger, PartnerSummaryOf(party_id=party_id, **period))
        await check(ledger, PartnerView(party_id=party_id), summary, PARTNER_KINDS, limit)
    for place_id in (STORE, OTHER_STORE, SHOP, STREET):
        summary = await ask(ledger, StoreSummaryOf(store_id=place_id, **period))
        await check(ledger, StoreView(store_id=place_id), summary, PLACE_KINDS, limit)
    for lg_code in (TOWN, CITY, PREFECTURE):
        summary = await ask(ledger, MunicipalSummaryOf(lg_code=lg_code, **period))
        await check(ledger, MunicipalPartnersView(lg_code=lg_code), summary, PARTNER_KINDS, limit)
        await check(ledger, MunicipalPlacesView(lg_code=lg_code), summary, PLACE_KINDS, limit)
        await check_places(ledger, lg_code, limit)
    for partition in (0, 5):
        assert (await ask(ledger, VerifyLedger(partition=partition))).fault is None


async def check_places(ledger: HubProcess, lg_code: str, limit: int) -> None:
    places = await ask(ledger, PlaceSummaryOf(lg_code=lg_code, first=TODAY, last=LATER))
    assert places.places
    for place in places.places:
        lines = await read(ledger, MunicipalPlacesView(lg_code=lg_code, place_id=place.place_id), limit)
        used = [line.points for line in lines if line.direction == 1]
        returned = [line.points for line in lines if line.direction == -1]
        assert (place.transactions, place.used) == (len(used), sum(used))
        assert (place.returns, place.returned) == (len(returned), sum(returned))
        assert place.points == sum(line.points * line.direction for line in lines)
        one = await ask(ledger, PlaceSummaryOf(lg_code=lg_code, first=TODAY, last=LATER, place_id=place.place_id))
        assert one.places == [place]
    assert places.points == sum(place.points for place in places.places)
    assert places.transactions == sum(place.transactions for place in places.places)


async def test_one_transaction_from_two_lots_is_one(ledger: HubProcess, clock: AdjustableClock) -> None:
    for month in range(3):
        await ask(ledger, credit(f"c{month}", ME, 10, MONTHLY))
        clock.advance(timedelta(days=11))
    await ask(ledger, use("u", ME, 25, MONTHLY, lg_code=CITY))
    (line,) = (await ask(ledger, StoreSummaryOf(store_id=STORE, first=TODAY, last=LATER))).lines
    assert line == SummaryLine(
        kind="use",
        lg_code=CITY,
        counterparty_id=STORE,
        pool=MONTHLY,
        transfers=2,
        points=25,
        transactions=1,
        direction=1,
    )
    places = await ask(ledger, PlaceSummaryOf(lg_code=CITY, first=TODAY, last=LATER))
    assert places.places == [PlaceLine(place_id=STORE, transactions=1, used=25, returns=0, returned=0, points=25)]


async def test_vouchers_count_when_they_are_redeemed(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask_all(ledger, credit("c", ME, 30, FOREVER), issue("v", ME, 10), issue("w", ME, 7))
    before = await ask(ledger, PlaceSummaryOf(lg_code=TOWN, first=TODAY, last=LATER))
    assert before.places == []
    await ask(ledger, redeem("r", ME, "v"))
    clock.advance(timedelta(days=1))
    assert (await ask(ledger, expire_voucher("e", ME, "w"))).code is None
    places = await ask(ledger, PlaceSummaryOf(lg_code=TOWN, first=TODAY, last=LATER))
    assert places.places == [PlaceLine(place_id=STORE, transactions=1, used=10, returns=0, returned=0, points=10)]
    lines = await read(ledger, StoreView(store_id=STORE), 10)
    assert [(line.kind, line.points, line.command_id) for line in lines] == [("voucher_redeem", 10, "r")]


async def test_refunds_and_corrections_subtract(ledger: HubProcess) -> None:
    used, came, moved, granted = (
        use("u", ME, 9),
        credit("c", ME, 40, FOREVER),
        move("m", ME, 6),
        grant("g", ME, 5),
    )
    await ask_all(
        ledger, came, credit("r", ME, 6), moved, granted, used, authorise("o", ME, 8), capture("p", ME, "o", 5),
        refund("q", ME, "o", 2), correct("k1", used), correct("k2", moved), correct("k3", granted),
        correct("k4", came),
    )  # fmt: skip
    summary = await ask(ledger, MunicipalSummaryOf(lg_code=TOWN, first=TODAY, last=TODAY))
    said = {
        (one.kind, one.reverses, one.counterparty_id): one.points * one.direction
        for one in summary.lines
        if one.direction
    }
    assert said == {
        ("credit", None, AIRLINE): 40, ("move", None, AIRLINE): 6, ("grant", None, PROGRAMME): 5,
        ("use", None, STORE): 9, ("capture", None, SHOP): 5, ("refund", None, SHOP): -2,
        ("correct", "use", STORE): -9, ("correct", "move", AIRLINE): -6, ("correct", "grant", PROGRAMME): -5,
    }  # fmt: skip
    places = await ask(ledger, PlaceSummaryOf(lg_code=TOWN, first=TODAY, last=TODAY))
    assert places.places == [
        PlaceLine(place_id=STORE, transactions=1, used=9, returns=1, returned=9, points=0),
        PlaceLine(place_id=SHOP, transactions=1, used=5, returns=1, returned=2, points=3),
    ]
    assert (places.transactions, places.points) == (2, 3)
    lines = await read(ledger, StoreView(store_id=SHOP), 1)
    assert [(line.kind, line.direction, line.points) for line in lines] == [("capture", 1, 5), ("refund", -1, 2)]


async def test_a_correction_of_a_credit_is_not_one_of_a_move(ledger: HubProcess) -> None:
    direct, moved = credit("c", ME, 11, FOREVER), move("m", ME, 4)
    await ask_all(ledger, direct, credit("r", ME, 4), moved, correct("k1", direct), correct("k2", moved))
    summary = await ask(ledger, PartnerSummaryOf(party_id=AIRLINE, first=TODAY, last=TODAY))
    assert {(one.reverses, one.points) for one in summary.lines if one.direction < 0} == {("credit", 11), ("move", 4)}
    lines = await read(ledger, PartnerView(party_id=AIRLINE), 2)
    assert sum(line.points * line.direction for line in lines if line.lg_code == TOWN) == 0


async def test_a_street_is_settled_when_it_has_answered(ledger: HubProcess) -> None:
    await ask_all(ledger, credit("c", ME, 10, FOREVER), send("s", ME, 4), send("t", ME, 3), acknowledge("a", ME, "s"))
    lines = await read(ledger, MunicipalPlacesView(lg_code=TOWN), 10)
    assert [(line.kind, line.points, line.counterparty_id) for line in lines] == [("merge_acknowledge", 4, STREET)]


async def test_a_citizens_own_command_id_is_not_in_a_partners_details(ledger: HubProcess) -> None:
    await ask_all(ledger, credit("theirs", ME, 10), move("mine", ME, 4))
    lines = await read(ledger, PartnerView(party_id=AIRLINE), 10)
    assert [(line.kind, line.command_id, line.lg_code) for line in lines] == [
        ("credit", "theirs", None),
        ("move", None, TOWN),
    ]


async def test_a_use_of_two_pools_is_a_line_in_each(ledger: HubProcess) -> None:
    parts = use("a", ME, 4), use("b", ME, 3, FESTIVAL, OTHER_STORE)
    await ask_all(ledger, credit("c", ME, 10, FOREVER), credit("d", ME, 10, FESTIVAL), use_together("t", ME, *parts))
    lines = await read(ledger, MunicipalPlacesView(lg_code=PREFECTURE), 10)
    assert [(line.counterparty_id, line.pool, line.points) for line in lines] == [(OTHER_STORE, FESTIVAL, 3)]
    assert [line.points for line in await read(ledger, StoreView(store_id=STORE), 10)] == [4]


async def test_more_than_sixteen_blocks_a_day_are_read_as_a_range(ledger: HubProcess) -> None:
    for number in range(20):
        await ask_all(ledger, credit(f"c{number}", ME, 2, FOREVER), use(f"u{number}", ME, 1 + number % 2))
        if number < 3:
            await ask(ledger, credit(f"card{number}", ME, 1, FOREVER, CARD))
    async with ledger.database_of("ledger").reading() as reading:
        rows = await reading.fetch("SELECT counterparty_id, blocks FROM ledger.rollup")
    blocks = {row["counterparty_id"]: row["blocks"] for row in rows}
    assert (blocks[AIRLINE], blocks[STORE], len(blocks[CARD])) == (None, None, 3)
    assert len(await read(ledger, StoreView(store_id=STORE), 3)) == 20
    assert len(await read(ledger, PartnerView(party_id=CARD), 3)) == 3
    assert (await ask(ledger, VerifyLedger(partition=0))).fault is None


@pytest.mark.parametrize("column", ["transactions = transactions + 1", "last_block = last_block - 1", "blocks = '{}'"])
async def test_where_transactions_are_is_proven_too(ledger: HubProcess, column: str) -> None:
    await ask_all(ledger, credit("1", ME, 10, FOREVER))
    async with ledger.database_of("ledger").transaction() as tx:
        await tx.execute(f"UPDATE ledger.rollup SET {column}")  # noqa: S608 - three constants
    fault = (await ask(ledger, VerifyLedger(partition=0))).fault
    assert fault is not None
    assert fault.table == "rollup"


async def test_a_period_has_both_its_days_and_no_other(ledger: HubProcess, clock: AdjustableClock) -> None:
    for day in range(4):
        await ask(ledger, credit(f"c{day}", ME, 10**day, FOREVER))
        clock.advance(timedelta(days=1))
    first, last = TODAY + timedelta(days=1), TODAY + timedelta(days=2)
    lines = await read(ledger, PartnerView(party_id=AIRLINE), 1, first, last)
    assert [(line.day, line.points) for line in lines] == [(first, 10), (last, 100)]
