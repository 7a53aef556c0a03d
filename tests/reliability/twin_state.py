"""What each statement on holds, coupons, revocations and corrections does to the twin's rows."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from tests.reliability.planted import bugs
from tests.reliability.twin import Fields, Rows, Statement, Tx
from workers.ledger import state_statements

HOLD: Final = (
    "hold_id", "kind", "state", "citizen_id", "counterparty_id", "lg_code", "pool", "points", "remaining", "taken",
    "refunded", "expires_at", "number", "sealed_code", "part_expires_on", "part_origins", "part_points",
)  # fmt: skip
PAST_LOT: Final = ("place", "account", "citizen_id", "pool", "expires_on", "origin", "balance")
COUPON: Final = ("party_id", "code_hash", "points", "pool", "last", "used_by")


def lots_of(tx: Tx, citizen: UUID) -> Rows:
    """All lots of a citizen, as this transaction sees them, each with its place."""
    own = tx.writes.get("lot", {})
    rows: dict[Any, Fields] = dict(tx.twin.lots_of.get(citizen, {}))
    rows.update({key: row for key, row in own.items() if row is not None and row["citizen_id"] == citizen})
    # Where a row is: nobody but its partition's writer moves it, so its number says as much.
    return [row | {"place": (0, row["account"])} for row in rows.values()]


def _of(row: Fields, names: Sequence[str]) -> Fields:
    return {name: row[name] for name in names}


async def state(tx: Tx, citizens: Sequence[UUID], now: datetime, ids: Sequence[UUID]) -> Rows:
    asked = [row | {"is_over": False} for row in await holds(tx, ids)]
    over = [
        _of(row, HOLD) | {"is_over": True}
        for row in tx.scan("hold")
        if row["citizen_id"] in citizens
        and (row["state"], row["kind"]) == ("open", "checkout")
        and row["expires_at"] <= now
    ]
    revoked = [{"hold_id": None, "citizen_id": each} for each in citizens if tx.get("revoked", each) is not None]
    return asked + over + revoked


async def holds(tx: Tx, ids: Sequence[UUID]) -> Rows:
    return [_of(row, HOLD) for hold_id in ids if (row := tx.get("hold", hold_id)) is not None]


async def past_lots(tx: Tx, *columns: Sequence[Any]) -> Rows:
    return [
        _of(row, PAST_LOT)
        for citizen, *key in zip(*columns, strict=True)
        for row in lots_of(tx, citizen)
        if [row["pool"], row["expires_on"], row["origin"]] == key
    ]


async def numbers_taken(tx: Tx, numbers: Sequence[str]) -> Rows:
    in_hand = {row["number"] for row in tx.scan("hold") if row["state"] == "open"}
    return [{"number": number} for number in numbers if number in in_hand]


async def coupons(tx: Tx, parties: Sequence[UUID], hashes: Sequence[bytes]) -> Rows:
    keys = sorted({*zip(parties, hashes, strict=True)})
    for key in keys:
        await tx.lock(("coupon", key))
    return await coupons_unlocked(tx, *zip(*keys, strict=True))


async def coupons_unlocked(tx: Tx, parties: Sequence[UUID], hashes: Sequence[bytes]) -> Rows:
    found = (tx.get("coupon", key) for key in sorted({*zip(parties, hashes, strict=True)}))
    return [_of(row, COUPON) for row in found if row is not None]


async def use_coupons(
    tx: Tx, parties: Sequence[UUID], hashes: Sequence[bytes], citizens: Sequence[UUID], today: date
) -> Rows:
    for *key, citizen in zip(parties, hashes, citizens, strict=True):
        await tx.lock(("coupon", tuple(key)))
        row = tx.get("coupon", tuple(key))
        assert row is not None
        tx.put("coupon", tuple(key), row | {"used_by": citizen, "used_on": today})
    return []


async def originals(tx: Tx, parties: Sequence[UUID], ids: Sequence[str], partition: int) -> Rows:
    found: list[tuple[tuple[int, int], Fields]] = []
    for key in zip(parties, ids, strict=True):
        outcome = tx.get("outcome", key)
        if outcome is not None and outcome["code"] is None and outcome["partition"] == partition:
            corrected = tx.get("correction", key) is not None
            about = _of(outcome, ("party_id", "command_id", "citizen_id", "kind"))
            about |= {"total": outcome["points"], "corrected": corrected}
            place = partition, outcome["block"]
            mine = [row for row in _transfers(tx, *place) if row["outcome"] == outcome["number"]]
            found += [(place, about | _sides(tx, row)) for row in mine]
    return [row for _, row in sorted(found, key=lambda each: each[0])]


def _transfers(tx: Tx, partition: int, block: int) -> Rows:
    """Of a block, in order: its lines are numbered from 0 on."""
    rows: Rows = []
    while (row := tx.get("transfer", (partition, block, len(rows)))) is not None:
        rows.append(row)
    return rows


def _sides(tx: Tx, transfer: Fields) -> Fields:
    found: Fields = {"points": transfer["points"]}
    for side in ("debit", "credit"):
        lot = tx.get("lot", (transfer["partition"], transfer[side])) or {}
        found |= {f"{side}_{name}": lot.get(name) for name in ("pool", "expires_on", "origin")}
        found[f"{side}_name"] = None if lot else _contra_name(tx, transfer["partition"], transfer[side])
    return found


def _contra_name(tx: Tx, partition: int, account: int) -> str:
    (name,) = [row["name"] for row in tx.scan("contra") if (row["partition"], row["account"]) == (partition, account)]
    return str(name)


async def change_holds(tx: Tx, ids: Sequence[UUID], *columns: Sequence[Any]) -> Rows:
    for hold_id, *values in zip(ids, *columns, strict=True):
        await tx.lock(("hold", hold_id))
        row = tx.get("hold", hold_id)
        assert row is not None
        tx.put("hold", hold_id, row | dict(zip(("state", "remaining", "taken", "refunded"), values, strict=True)))
    return [{} for _ in ids]


async def revoke(tx: Tx, citizens: Sequence[UUID], today: date) -> Rows:
    for citizen in citizens:
        await tx.insert("revoked", citizen, {"citizen_id": citizen, "revoked_on": today})
    return []


async def corrected(
    tx: Tx, parties: Sequence[UUID], ids: Sequence[str], numbers: Sequence[int], today: date, *place: int
) -> Rows:
    for party_id, command_id, number in zip(parties, ids, numbers, strict=True):
        about = {"party_id": party_id, "command_id": command_id, "corrected_on": today}
        where = dict(zip(("partition", "block", "number"), (*place, number), strict=True))
        await tx.insert("correction", (party_id, command_id), about | where)
    return []


async def copy_holds(tx: Tx, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
    """COPY, under both unique keys: a number belongs to one voucher in hand."""
    for record in records:
        row = dict(zip(columns, record, strict=True))
        if row["number"] is not None:
            await tx.lock(("hold number", row["number"]))
            if await numbers_taken(tx, [row["number"]]):
                raise asyncpg.UniqueViolationError(row["number"])
        await tx.insert("hold", row["hold_id"], row)


STATE: Final[dict[str, Statement]] = {
    state_statements.STATE: state,
    state_statements.HOLDS: holds,
    state_statements.PAST_LOTS: past_lots,
    state_statements.NUMBERS_TAKEN: numbers_taken,
    state_statements.COUPONS: coupons,
    bugs.READ_COUPONS: coupons_unlocked,
    state_statements.USE_COUPONS: use_coupons,
    state_statements.ORIGINALS: originals,
    state_statements.CHANGE_HOLDS: change_holds,
    state_statements.REVOKE: revoke,
    state_statements.CORRECTED: corrected,
}
