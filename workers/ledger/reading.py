"""Questions to the ledger: balances, due lots, outcomes. Answered from committed state."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

from hub.clock import start_of_day
from hub.transaction import Reading
from schemas.holds import HoldView
from schemas.points import (
    BalanceOf,
    Balances,
    DueKind,
    DueLot,
    DueLots,
    DueLotsOf,
    Expiring,
    HeldByPool,
    HeldIn,
    Lot,
    Outcome,
    Outcomes,
    OutcomesOf,
    PoolBalance,
    PoolTotals,
    PostingAnswer,
    PostingStatus,
    UsableAt,
    UsableAtOf,
)
from workers.ledger import statements, store

PASSED_LIMIT_LOTS: Final = 20_000
"""A page is looked for among so many: one refused lot of long ago has those that were emptied since behind it."""
NOBODY: Final = UUID(int=0)
"""Before every citizen."""


async def balance_of(query: BalanceOf | UsableAtOf, reading: Reading) -> Balances:
    """The citizen's usable points, by pool and by lot, earliest last day first; and what is set aside."""
    now = reading.clock.now()
    rows = await reading.fetch(statements.BALANCE_OF, query.citizen_id, reading.clock.business_date(), now)
    held = await reading.fetch(statements.HELD_OF, query.citizen_id, now)
    by_pool: dict[str, int] = {}
    for row in rows:
        by_pool[row["pool"]] = by_pool.get(row["pool"], 0) + row["points"]
    lots = [Lot.model_validate(dict(row)) for row in rows]
    holds = [HoldView.model_validate(dict(row)) for row in held]
    return Balances(by_pool=by_pool, lots=lots, held=holds, pools=_pools(lots, holds))


def _pools(lots: Sequence[Lot], holds: Sequence[HoldView]) -> list[PoolBalance]:
    """The same by pool; within a pool the lots are by their last day already."""
    names = dict.fromkeys([*(lot.pool for lot in lots), *(hold.pool for hold in holds)])
    return [
        PoolBalance(
            pool=pool,
            active=sum(lot.points for lot in lots if lot.pool == pool),
            held=sum(hold.left for hold in holds if hold.pool == pool),
            expiring=[Expiring(last=lot.expires_on, points=lot.points) for lot in lots if lot.pool == pool],
        )
        for pool in names
    ]


async def usable_at_of(query: UsableAtOf, reading: Reading) -> UsableAt:
    """By the very rule that a use is decided by."""
    held = [pool for pool in (await balance_of(query, reading)).pools if pool.active]
    rules = await store.load_pools(reading, [pool.pool for pool in held])
    today = reading.clock.business_date()
    return UsableAt(
        pools=[
            pool
            for pool in held
            if pool.pool in rules and rules[pool.pool].is_usable_at(query.lg_code, today, pool.active)
        ]
    )


async def outcomes_of(query: OutcomesOf, reading: Reading) -> Outcomes:
    """The outcomes of these commands of this party."""
    parties = [query.party_id] * len(query.command_ids)
    rows = await reading.fetch(statements.OUTCOMES, parties, query.command_ids)
    return Outcomes(
        outcomes=[
            Outcome(
                command_id=row["command_id"],
                citizen_id=row["citizen_id"],
                answer=PostingAnswer(
                    status=PostingStatus.refused if row["code"] else PostingStatus.posted,
                    code=row["code"],
                    points=row["points"],
                    balances=json.loads(row["balances"]),
                    posted_on=row["posted_on"],
                    replayed=True,
                ),
            )
            for row in rows
        ]
    )


async def due_lots_of(query: DueLotsOf, reading: Reading) -> DueLots:
    """One page of lots by their last day, then by citizen: of a citizen all that end on one day, or none.

    A page may be empty although others follow, where only lots were passed that are emptied.
    """
    day, citizen_id = await _page_begins(query, reading)
    reserve = query.kind is DueKind.sweep
    until = query.opened_until or await reading.fetch_value(statements.NEXT_ACCOUNT, query.partition)
    rows = await reading.fetch(
        statements.DUE_LOTS, query.partition, day, citizen_id, query.last, reserve, query.limit,
        query.known_until, query.opened_from, until, PASSED_LIMIT_LOTS,
    )  # fmt: skip
    lots = [DueLot(**{name: row[name] for name in DueLot.model_fields}) for row in rows]
    if sum(row["lots"] for row in rows) < query.limit:
        passed = statements.DUE_LOTS_PASSED, query.partition, day, citizen_id, query.last, PASSED_LIMIT_LOTS
        last = await reading.fetch_row(*passed)
        after, on = (last["citizen_id"], last["expires_on"]) if last else (None, None)
        return DueLots(lots=lots, after=after, day=on, opened_until=until)
    return DueLots(lots=lots, after=lots[-1].citizen_id, day=lots[-1].expires_on, opened_until=until)


async def _page_begins(query: DueLotsOf, reading: Reading) -> tuple[date, UUID]:
    if query.day is not None and query.after is not None:
        if query.came_back_since is None and query.day < query.first:
            return query.first, NOBODY
        return query.day, query.after
    if query.came_back_since is None:
        return query.first, NOBODY
    since = start_of_day(query.came_back_since)
    earlier = await reading.fetch_value(statements.CAME_BACK, query.partition, since)
    return query.first if earlier is None else min(query.first, earlier), NOBODY


async def held_by_pool(_query: HeldByPool, reading: Reading) -> PoolTotals:
    """All citizens' points, by pool."""
    rows = await reading.fetch(statements.HELD_BY_POOL)
    return PoolTotals(totals={row["pool"]: row["points"] for row in rows})


async def held_in(query: HeldIn, reading: Reading) -> PoolTotals:
    """These citizens' points of one pool; whoever has none is missing."""
    rows = await reading.fetch(statements.HELD_IN, query.citizen_ids, query.pool)
    return PoolTotals(totals={str(row["citizen_id"]): row["points"] for row in rows})
