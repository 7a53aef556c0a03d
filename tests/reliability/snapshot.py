"""All rows that count, as they stand when everything is drained; read from PostgreSQL or from the simulator's twin."""

from contextlib import suppress
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from schemas.catalog import CATALOG
from schemas.points import PointsEvent
from workers.ledger.audit import BlockRow, HeadRow
from workers.ledger.chain import OutcomeRow, TransferRow


class LotRow(NamedTuple):
    """A row of ledger.lot."""

    partition: int
    account: int
    citizen_id: UUID
    pool: str
    expires_on: date
    origin: UUID
    balance: int


class ContraRow(NamedTuple):
    """A row of ledger.contra."""

    partition: int
    account: int
    name: str
    party_id: UUID | None
    balance: int


class RollupRow(NamedTuple):
    """A row of ledger.rollup."""

    partition: int
    day: date
    lg_code: str
    counterparty_id: UUID
    pool: str
    kind: int
    transfers: int
    points: int


class HoldRow(NamedTuple):
    """A row of ledger.hold, as far as it changes."""

    hold_id: UUID
    state: str
    points: int
    remaining: int
    taken: int
    refunded: int


class CouponRow(NamedTuple):
    """A row of ledger.coupon that somebody has used."""

    party_id: UUID
    code_hash: bytes
    used_by: UUID


class DeliveryRow(NamedTuple):
    """A row of hub.delivery: something not done yet, or parked."""

    receiver: str
    lane: int
    state: str
    messages: int
    reason: str | None


class HeardRow(NamedTuple):
    """An event whose effect the listener has recorded, in the order of recording."""

    type: str
    citizen_id: UUID
    party_id: UUID
    command_id: str
    pool: str


class Snapshot(NamedTuple):
    """The books, the message store and the listener's record."""

    heads: dict[int, HeadRow]
    blocks: list[BlockRow]
    outcomes: list[OutcomeRow]
    transfers: list[TransferRow]
    lots: list[LotRow]
    contras: list[ContraRow]
    rollups: list[RollupRow]
    deliveries: list[DeliveryRow]
    said: list[PointsEvent]
    heard: list[HeardRow]
    sent: list[UUID]
    """The notices sent, one entry a sending."""
    holds: list[HoldRow]
    coupons: list[CouponRow]
    moments: dict[tuple[int, int], datetime]
    """(partition, block) → what its writer's clock said: by that, orders were over or not."""


_HEADS: Final = "SELECT partition, block, hash, next_account FROM ledger.head"
_BLOCKS: Final = """
SELECT partition, block, previous, hash, outcomes, transfers, first_account, until_account, accounts_hash
FROM ledger.block ORDER BY partition, block
"""
_OUTCOMES: Final = """
SELECT party_id, command_id, request_hash, partition, block, number, citizen_id, kind, code, points, balances,
    posted_on, hold_id, hold_terms
FROM ledger.outcome ORDER BY partition, block, number
"""
_TRANSFERS: Final = """
SELECT partition, block, line, outcome, kind, debit, credit, points, business_date
FROM ledger.transfer ORDER BY partition, block, line
"""
_LOTS: Final = "SELECT partition, account, citizen_id, pool, expires_on, origin, balance FROM ledger.lot"
_CONTRAS: Final = "SELECT partition, account, name, party_id, balance FROM ledger.contra"
_ROLLUPS: Final = """
SELECT partition, day, lg_code, counterparty_id, pool, kind, transfers, points FROM ledger.rollup
"""
_DELIVERIES: Final = "SELECT receiver, lane, state, cardinality(message_ids), reason FROM hub.delivery"
_HOLDS: Final = "SELECT hold_id, state, points, remaining, taken, refunded FROM ledger.hold"
_COUPONS: Final = "SELECT party_id, code_hash, used_by FROM ledger.coupon WHERE used_by IS NOT NULL"
_MOMENTS: Final = "SELECT partition, block, posted_at FROM ledger.block"
_SAID: Final = "SELECT type, body FROM hub.message WHERE type = ANY ($1) ORDER BY id"
SAID_TYPES: Final = sorted(name for name, kind in CATALOG.items() if issubclass(kind, PointsEvent))
"""All events of points."""
_SENT: Final = "SELECT notice_id FROM mail.sent"
_HEARD: Final = "SELECT type, citizen_id, party_id, command_id, pool FROM mail.heard ORDER BY id"

RESET_TRIES: Final = 5
_RESET: Final = """
SET session_replication_role = replica;
TRUNCATE ledger.block, ledger.outcome, ledger.transfer, ledger.lot, ledger.contra, ledger.rollup, ledger.pool,
    ledger.checkpoint, ledger.hold, ledger.coupon, ledger.revoked, ledger.correction,
    hub.message, hub.delivery, mail.heard, mail.sent;
UPDATE ledger.head SET block = 0, hash = '\\x00', next_account = 1, volume = 0, volume_outcomes = 0;
SET session_replication_role = DEFAULT;
"""

TOTAL: Final = """
SELECT (SELECT coalesce(sum(balance), 0) FROM ledger.lot) + (SELECT coalesce(sum(balance), 0) FROM ledger.contra)
"""


async def forget_everything(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Begin anew in the same database; who owns which lane stays.

    The processes go on looking meanwhile, and PostgreSQL may end either side where both wait for each other.
    """
    for _ in range(RESET_TRIES - 1):
        with suppress(asyncpg.DeadlockDetectedError):
            await owner.execute(_RESET)
            return
    await owner.execute(_RESET)


async def from_postgres(connection: "asyncpg.Connection[asyncpg.Record]") -> Snapshot:
    """Everything, as of one moment, read by the owner."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return Snapshot(
            {row[0]: HeadRow(*row[1:]) for row in map(tuple, await connection.fetch(_HEADS))},
            [BlockRow(*row) for row in await connection.fetch(_BLOCKS)],
            [OutcomeRow(*row) for row in await connection.fetch(_OUTCOMES)],
            [TransferRow(*row) for row in await connection.fetch(_TRANSFERS)],
            [LotRow(*row) for row in await connection.fetch(_LOTS)],
            [ContraRow(*row) for row in await connection.fetch(_CONTRAS)],
            [RollupRow(*row) for row in await connection.fetch(_ROLLUPS)],
            [DeliveryRow(*row) for row in await connection.fetch(_DELIVERIES)],
            [event_of(row["type"], row["body"]) for row in await connection.fetch(_SAID, SAID_TYPES)],
            [HeardRow(*row) for row in await connection.fetch(_HEARD)],
            [row["notice_id"] for row in await connection.fetch(_SENT)],
            [HoldRow(*row) for row in await connection.fetch(_HOLDS)],
            [CouponRow(*row) for row in await connection.fetch(_COUPONS)],
            {(row["partition"], row["block"]): row["posted_at"] for row in await connection.fetch(_MOMENTS)},
        )


def event_of(message_type: str, body: bytes) -> PointsEvent:
    """A stored event of points, which is never sealed."""
    event = CATALOG[message_type].model_validate_json(body)
    assert isinstance(event, PointsEvent)
    return event
