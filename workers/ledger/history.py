"""A citizen's history, newest first, and balances as of a day: from the journal, at any size.

A history page follows one index (volume, citizen, block, number), so that its cost is that of its entries, and of a
look into each volume that it passes, however many entries there are before and after. `balance` is what the answer said
when it was posted: it stands in the chain.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from hub.clock import start_of_day
from hub.database import Row
from hub.transaction import Reading
from schemas.history import (
    BalanceAsOf,
    BalancesAsOf,
    History,
    HistoryEntry,
    HistoryOf,
    HistoryPlace,
    PoolChange,
)
from schemas.points import Lot
from schemas.values import NO_ORIGIN, lane_of
from workers.ledger import history_statements as statements
from workers.ledger.accounts import Kind

SCAN_LIMIT: Final = 500
"""Postings looked at for one page of one pool; a page that found few among them ends early."""
NEWEST: Final = HistoryPlace(block=2**63 - 1, number=2**31 - 1)
_MOMENT: Final = timedelta(microseconds=1)


async def history_of(query: HistoryOf, reading: Reading) -> History:
    """One page of the citizen's postings; what was refused is not among them."""
    shown, after = await _page(query, reading)
    legs = await _legs(query.citizen_id, shown, reading)
    return History(entries=[_entry(row, legs[row["block"], row["number"]]) for row in shown], after=after)


async def _page(query: HistoryOf, reading: Reading) -> tuple[Sequence[Row], HistoryPlace | None]:
    """The postings of the page, and where the next one begins.

    Most citizens have points of few pools, and what is looked at may lie on disk: so as many as the page has, and more
    only where they are of other pools.
    """
    wanted: list[Row] = []
    place, looked, step = query.after or NEWEST, 0, query.limit + 1
    while True:
        asked = place.block, place.number, step, lane_of(query.citizen_id)
        rows = await reading.fetch(statements.POSTINGS, query.citizen_id, *asked)
        wanted += [row for row in rows if query.pool is None or query.pool in _pools(row)]
        if len(wanted) > query.limit:
            shown = wanted[: query.limit]
            return shown, _place(shown[-1])
        if len(rows) < step:
            return wanted, None
        place, looked = _place(rows[-1]), looked + step
        if looked >= SCAN_LIMIT:
            return wanted, place
        step = min(2 * step, SCAN_LIMIT - looked)


async def balance_as_of(query: BalanceAsOf, reading: Reading) -> BalancesAsOf:
    """Adds up the citizen's transfers to the end of that day; points past their last day then do not count."""
    day = min(query.day, reading.clock.business_date())
    until = min(start_of_day(day + timedelta(days=1)) - _MOMENT, reading.clock.now())
    rows = await reading.fetch(statements.BALANCE_AS_OF, query.citizen_id, lane_of(query.citizen_id), day, until)
    by_pool: dict[str, int] = {}
    for row in rows:
        by_pool[row["pool"]] = by_pool.get(row["pool"], 0) + row["points"]
    return BalancesAsOf(day=day, by_pool=by_pool, lots=[Lot.model_validate(dict(row)) for row in rows])


class _Legs(NamedTuple):
    """What a posting changed, by pool, and with whom."""

    changes: dict[str, int]
    parties: dict[UUID, None]


async def _legs(citizen_id: UUID, rows: Sequence[Row], reading: Reading) -> dict[tuple[int, int], _Legs]:
    """Of these postings. A credit, which is half of them, says itself what its transfer says."""
    found: dict[tuple[int, int], _Legs] = defaultdict(lambda: _Legs({}, {}))
    asked: list[tuple[int, int]] = []
    for row in rows:
        if row["kind"] == Kind.credit and len(pools := list(json.loads(row["balances"]))) == 1:
            found[row["block"], row["number"]] = _Legs({pools[0]: row["points"]}, {row["party_id"]: None})
        else:
            asked.append((row["block"], row["number"]))
    if not asked:
        return found
    blocks, numbers = (list(each) for each in zip(*asked, strict=True))
    for leg in await reading.fetch(statements.LEGS, lane_of(citizen_id), blocks, numbers):
        changes, parties = found[leg["block"], leg["number"]]
        for pool, sign in ((leg["out_of"], -1), (leg["into"], 1)):
            if pool is not None:
                changes[pool] = changes.get(pool, 0) + sign * leg["points"]
        party = leg["party_id"] or leg["origin"]
        if party is not None:
            parties[party] = None
    return found


def _place(row: Row) -> HistoryPlace:
    return HistoryPlace(block=row["block"], number=row["number"])


def _pools(row: Row) -> set[str]:
    """The pools that a posting has to do with: those of its answer, and that of its hold."""
    return {*json.loads(row["balances"]), row["hold_pool"]}


def _entry(row: Row, legs: _Legs) -> HistoryEntry:
    parties = list(legs.parties)
    if not parties and row["hold_counterparty_id"] not in {None, NO_ORIGIN}:
        parties = [row["hold_counterparty_id"]]
    return HistoryEntry(
        place=_place(row),
        kind=Kind(row["kind"]).name,
        posted_on=row["posted_on"],
        points=row["points"],
        changes=[
            PoolChange(pool=pool, change=legs.changes.get(pool, 0), balance=balance)
            for pool, balance in json.loads(row["balances"]).items()
        ],
        counterparties=parties,
        hold_id=row["hold_id"],
        command_id=row["command_id"],
    )
