"""Our tables: orders by the shops' own ids, and what weighs on a day's limit."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from connectors.checkout import statements
from hub.database import Database, Row, reachable
from hub.transaction import Transaction
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode, RefusalCode
from schemas.values import Points, Pool

NAMESPACE: Final = UUID("6d796b65-7968-5562-8c0d-636865636b6f")
LEFT_AFTER: Final = timedelta(minutes=10)
"""By then somebody has told of an order's end; asked about again as long after that."""
LEFT_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order as a shop asks for it; `code` where it is refused before anybody is asked."""

    party_id: UUID
    order_id: str
    request_hash: bytes
    citizen_id: UUID
    pool: Pool
    points: Points
    expires_at: datetime
    code: RefusalCode | None = None
    after_refusal: bool = False
    """Whether it may take the place of one that was refused: a person who chose again."""

    @property
    def hold_id(self) -> UUID:
        """One an order, for ever."""
        return uuid5(NAMESPACE, f"{self.party_id}:{self.order_id}")


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it was taken the first time."""

    order_id: str
    request_hash: bytes
    citizen_id: UUID
    hold_id: UUID
    pool: str
    points: int
    expires_at: datetime
    code: str | None
    attempt: int

    @property
    def command_id(self) -> str:
        """The ledger keeps refusals for ever, so each attempt has an id of its own; at most 64 characters."""
        return f"a{self.attempt if self.attempt > 1 else ''}.{self.order_id}"


class OrderStore:
    """Reads and writes them, by the connector's own role."""

    def __init__(self, database: Database, day_limit: int) -> None:
        self._database = database
        self._day_limit = day_limit

    async def take(self, wanted: Wanted) -> Order:
        """Take an order durably and count it, or find the one that was taken under this id.

        Raises:
            ProblemError: id_conflict (422) where that was another one.
            TransientError: the database is away.
        """
        async with reachable(), self._database.transaction() as tx:
            order = await self._insert(wanted, tx) or _order(
                await tx.fetch_row(statements.ORDER, wanted.party_id, wanted.order_id)
            )
        if order is None or order.request_hash != wanted.request_hash:
            raise ProblemError(ProblemCode.id_conflict)
        return order

    async def order(self, party_id: UUID, order_id: str) -> Order | None:
        """The order of this shop under its own id."""
        async with reachable(), self._database.reading() as reading:
            return _order(await reading.fetch_row(statements.ORDER, party_id, order_id))

    async def refuse(self, party_id: UUID, order: Order, code: str) -> None:
        """The ledger refused this attempt: it weighs on no day any more."""
        async with reachable(), self._database.transaction() as tx:
            if await tx.fetch_row(statements.REFUSE, party_id, order.order_id, order.attempt, code) is not None:
                await tx.execute(statements.GIVE_BACK, [order.hold_id], [0])

    async def left(self) -> list[tuple[UUID, Order]]:
        """Orders that nobody has told the end of, with their shops; each is told here once in `LEFT_AFTER`."""
        async with reachable(), self._database.transaction() as tx:
            rows = await tx.fetch(statements.LEFT, tx.now, LEFT_AFTER, LEFT_LIMIT)
        return [(told.pop("party_id"), Order(**told)) for told in map(dict, rows)]

    async def known(self, hold_ids: Collection[UUID]) -> None:
        """The ledger has set their points aside, and tells of their end."""
        async with reachable(), self._database.transaction() as tx:
            await tx.execute(statements.KNOWN, sorted(hold_ids))

    async def _insert(self, wanted: Wanted, tx: Transaction) -> Order | None:
        """None where its id is taken."""
        row = await tx.fetch_row(
            statements.TAKE,
            wanted.party_id,
            wanted.order_id,
            wanted.request_hash,
            wanted.citizen_id,
            wanted.hold_id,
            wanted.pool,
            wanted.points,
            wanted.expires_at,
            tx.business_date,
            0 if wanted.code else wanted.points,
            wanted.code,
            tx.now,
            "on" if wanted.code else "off",
            self._day_limit,
            wanted.after_refusal,
            LEFT_AFTER,
        )
        if row is None:
            return None
        taken = dict(row)
        is_counted = taken.pop("is_counted")
        order = Order(**taken)
        if order.code is None and not is_counted:
            order = replace(order, code=RefusalCode.over_day_limit.value)
            await tx.execute(statements.REFUSE_UNCOUNTED, wanted.party_id, wanted.order_id, order.code)
        return order


def _order(row: Row | None) -> Order | None:
    return None if row is None else Order(**dict(row))
