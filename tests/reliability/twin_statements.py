"""What each statement of the hub and the ledger does to the twin's rows. Keyed by the constants themselves."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from hub import deliveries, outages, outbox
from hub.transports import lanes
from tests.reliability import listener
from tests.reliability.planted import bugs
from tests.reliability.twin import Copy, Fields, Rows, Statement, Tx
from tests.reliability.twin_state import STATE, copy_holds, lots_of
from workers.ledger import spread_statements, statements

LONG_AGO: Final = -1.0
OUTCOME_ANSWER: Final = (
    "party_id", "command_id", "request_hash", "citizen_id", "code", "points", "balances", "posted_on",
)  # fmt: skip

# the ledger


async def lock_head(tx: Tx, partition: int, earlier: int) -> Rows:
    await tx.lock(("head", partition))
    return await read_head(tx, partition, earlier)


async def read_head(tx: Tx, partition: int, earlier: int) -> Rows:
    revisions = [pool["revision"] for pool in tx.scan("pool")]
    block = tx.get("block", (partition, earlier)) or {"hash": None}
    more = {"revision": max(revisions, default=None), "earlier_hash": block["hash"]}
    return [(tx.get("head", partition) or {}) | more]


async def pools(tx: Tx, named: Sequence[str] | None) -> Rows:
    return [row for row in tx.scan("pool") if named is None or row["pool"] in named]


async def lock_pools(tx: Tx) -> Rows:
    await tx.lock(("table", "pool"))
    return []


async def register_pool(
    tx: Tx, pool: str, lg_code: str, expiry_rule: str, first: date, last: date, usable_in: Sequence[str], revision: int
) -> Rows:
    before = tx.get("pool", pool)
    known = before["scheme_revision"] if before is not None else 0
    if 0 < revision < known:
        return []
    row = {
        "pool": pool, "lg_code": lg_code, "expiry_rule": expiry_rule, "first": first, "last": last,
        "usable_in": usable_in, "revision": tx.twin.next_id(), "scheme_revision": max(known, revision),
    }  # fmt: skip
    tx.put("pool", pool, row)
    return []


async def outcomes(tx: Tx, parties: Sequence[UUID], ids: Sequence[str]) -> Rows:
    found = (tx.get("outcome", key) for key in zip(parties, ids, strict=True))
    return [{name: row[name] for name in OUTCOME_ANSWER} for row in found if row is not None]


LOT: Final = ("place", "account", "expires_on", "origin", "balance")


async def lots(tx: Tx, citizens: Sequence[UUID], pools: Sequence[str], today: date) -> Rows:
    asked = enumerate(zip(citizens, pools, strict=True), start=1)
    return [
        {"n": number} | {name: row[name] for name in LOT}
        for number, (citizen, pool) in asked
        for row in _lots_of(tx, citizen, today)
        if row["pool"] == pool
    ]


async def all_lots(tx: Tx, citizens: Sequence[UUID], today: date) -> Rows:
    names = ("citizen_id", "place", "account", "pool", "expires_on", "origin", "balance")
    return [{name: row[name] for name in names} for citizen in citizens for row in _lots_of(tx, citizen, today)]


def _lots_of(tx: Tx, citizen: UUID, today: date) -> Rows:
    return [row for row in lots_of(tx, citizen) if row["balance"] > 0 or row["expires_on"] >= today]


async def contras(tx: Tx, partition: int, names: Sequence[str]) -> Rows:
    found = (tx.get("contra", (partition, name)) for name in names)
    return [{"name": row["name"], "account": row["account"]} for row in found if row is not None]


async def nothing(_tx: Tx, *_args: object) -> Rows:
    """No other side is down: the simulated world has none."""
    return []


async def change_lots(
    tx: Tx, partition: int, _places: Sequence[object], accounts: Sequence[int], balances: Sequence[int]
) -> Rows:
    for account, balance in zip(accounts, balances, strict=True):
        await tx.lock(("lot", (partition, account)))
        row = tx.get("lot", (partition, account))
        assert row is not None
        tx.put("lot", (partition, account), row | {"balance": balance})
    return [{} for _ in accounts]


async def change_contras(tx: Tx, partition: int, accounts: Sequence[int], added: Sequence[int]) -> Rows:
    changed: Rows = []
    by_account = {row["account"]: row for row in tx.scan("contra") if row["partition"] == partition}
    for account, points in zip(accounts, added, strict=True):
        key = (partition, by_account[account]["name"])
        await tx.lock(("contra", key))
        row = tx.get("contra", key)
        assert row is not None
        tx.put("contra", key, row | {"balance": row["balance"] + points})
        changed.append({})
    return changed


async def open_contras(
    tx: Tx,
    partition: int,
    accounts: Sequence[int],
    names: Sequence[str],
    parties: Sequence[UUID | None],
    added: Sequence[int],
) -> Rows:
    opened: Rows = []
    for account, name, party, points in zip(accounts, names, parties, added, strict=True):
        await tx.lock(("contra", (partition, name)))
        if tx.get("contra", (partition, name)) is None:
            row = {"partition": partition, "account": account, "name": name, "party_id": party, "balance": points}
            tx.put("contra", (partition, name), row)
            opened.append({})
    return opened


ROLLUP: Final = (
    "partition", "day", "lg_code", "counterparty_id", "pool", "kind", "transfers", "points", "transactions", "line",
)  # fmt: skip


async def add_to_lines(tx: Tx, *columns: Sequence[Any]) -> Rows:
    there: Rows = []
    by_line = {row["line"]: row for row in tx.scan("rollup")}
    for line, *added in zip(*columns, strict=True):
        key = tuple(by_line[line][name] for name in ROLLUP[:6])
        await tx.lock(("rollup", key))
        row = tx.get("rollup", key)
        assert row is not None
        sums = {name: row[name] + more for name, more in zip(ROLLUP[6:9], added, strict=True)}
        tx.put("rollup", key, row | sums)
        there.append({})
    return there


async def roll_up(tx: Tx, partition: int, day: date, _block: int, *columns: Sequence[Any]) -> Rows:
    told: Rows = []
    for line in zip(*columns, strict=True):
        key = (partition, day, *line[:4])
        await tx.lock(("rollup", key))
        row = tx.get("rollup", key)
        was_there = row is not None
        if row is None:
            row = dict(zip(ROLLUP, (*key, *line[4:], tx.twin.next_id()), strict=True))
        else:
            row = row | {name: row[name] + more for name, more in zip(ROLLUP[6:9], line[4:], strict=True)}
        tx.put("rollup", key, row)
        told.append({name: row[name] for name in (*ROLLUP[2:6], "line")} | {"was_there": was_there})
    return told


async def seal(  # noqa: PLR0913, PLR0917 - as many as the statement has
    tx: Tx, partition: int, block: int, previous: bytes, sealed: bytes, outcome_count: int, transfer_count: int,
    posted_at: object, next_account: int, volume: int, volume_outcomes: int, first_account: int | None,
    accounts_hash: bytes | None,
) -> Rows:  # fmt: skip
    row = {
        "partition": partition, "block": block, "previous": previous, "hash": sealed, "outcomes": outcome_count,
        "transfers": transfer_count, "posted_at": posted_at, "first_account": first_account,
        "until_account": None if first_account is None else next_account, "accounts_hash": accounts_hash,
    }  # fmt: skip
    await tx.insert("block", (partition, block), row)
    await tx.lock(("head", partition))
    end = {
        "block": block, "hash": sealed, "next_account": next_account, "volume": volume,
        "volume_outcomes": volume_outcomes,
    }  # fmt: skip
    tx.put("head", partition, {**(tx.get("head", partition) or {}), **end})
    return []


def _parts(columns: Sequence[Sequence[Any]], *widths: int) -> Iterable[list[tuple[Any, ...]]]:
    """The rows of several tables, whose columns come one after another."""
    first = 0
    for width in widths:
        yield list(zip(*columns[first : first + width], strict=True))
        first += width


async def add_few(tx: Tx, *columns: Sequence[Any]) -> Rows:
    tables = ("outcome", "transfer", "lot")
    names = statements.OUTCOME_COLUMNS, statements.TRANSFER_COLUMNS, statements.LOT_COLUMNS
    for table, own, rows in zip(tables, names, _parts(columns, *map(len, names)), strict=True):
        await COPIES[f"ledger.{table}"](tx, own, rows)
    return []


async def change(  # noqa: PLR0913, PLR0917 - as many as the statement has
    tx: Tx, partition: int, block: int, previous: bytes, sealed: bytes, outcome_count: int, transfer_count: int,
    posted_at: object, next_account: int, volume: int, volume_outcomes: int, *columns: Any,  # noqa: ANN401 - SQL values
) -> Rows:  # fmt: skip
    lots, contras, lines, opened = columns[:3], columns[3:5], columns[5:9], columns[9:]
    end = next_account, volume, volume_outcomes, *opened
    counts = {
        "lots": len(await change_lots(tx, partition, *lots)),
        "contras": len(await change_contras(tx, partition, *contras)),
        "lines": len(await add_to_lines(tx, *lines)),
    }
    await seal(tx, partition, block, previous, sealed, outcome_count, transfer_count, posted_at, *end)
    return [counts]


def copy_into(table: str, *key: str) -> Copy:
    """COPY into a table of the ledger, under its unique key."""

    async def copy(tx: Tx, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
        for record in records:
            row = dict(zip(columns, record, strict=True))
            await tx.insert(table, tuple(row[name] for name in key), row)

    return copy


# the message store


async def copy_messages(tx: Tx, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
    for record in records:
        row = dict(zip(columns, record, strict=True))
        tx.put("message", row["id"], row)


async def say_few(tx: Tx, *columns: Sequence[Any]) -> Rows:
    width = len(outbox.MESSAGE_COLUMNS)
    await copy_messages(tx, outbox.MESSAGE_COLUMNS, zip(*columns[:width], strict=True))
    return await deliver(tx, *columns[width:])


async def deliver(
    tx: Tx,
    receivers: Sequence[str],
    lane_numbers: Sequence[int],
    firsts: Sequence[int],
    lasts: Sequence[int],
    message_ids: Sequence[UUID],
) -> Rows:
    for receiver, lane, first, last in zip(receivers, lane_numbers, firsts, lasts, strict=True):
        _deliver(tx, receiver=receiver, lane=lane, state="due", message_ids=list(message_ids[first - 1 : last]))
    return []


def _deliver(tx: Tx, **fields: Any) -> None:  # noqa: ANN401 - the columns
    number = tx.twin.next_id()
    blank = {"attempts": 0, "due_at": None, "since": tx.twin.now_s(), "reason": None, "fingerprint": None, "note": None}
    tx.put("delivery", number, {"id": number, **blank, **fields})


async def lanes_with_work(tx: Tx, receiver: str, own: Sequence[int]) -> Rows:
    first: dict[int, int] = {}
    for row in tx.scan("delivery"):
        if row["receiver"] == receiver and row["state"] == "due" and row["lane"] in own:
            first[row["lane"]] = min(row["id"], first.get(row["lane"], row["id"]))
    ripe = [{"lane": None, "first_id": None}] if _ripe(tx, receiver) else []
    return [{"lane": lane, "first_id": first_id} for lane, first_id in first.items()] + ripe


async def fetch_due(tx: Tx, receiver: str, lane: int, after: int, delivery_limit: int, message_limit: int) -> Rows:
    rows: Rows = []
    due = [
        row
        for row in tx.scan("delivery")
        if (row["receiver"], row["lane"], row["state"]) == (receiver, lane, "due") and row["id"] > after
    ]
    for row in sorted(due, key=lambda r: r["id"])[:delivery_limit]:
        if rows and len(rows) + len(row["message_ids"]) > message_limit:
            break
        for message_id in row["message_ids"]:
            message = tx.get("message", message_id) or dict.fromkeys(
                ("type", "correlation_id", "parent_span", "body", "time", "source", "subject")
            )
            own = {"delivery_id": row["id"], "message_id": message_id}
            rows.append(message | {"attempts": row["attempts"], "since": row["since"]} | own)
    return rows


async def _is_fenced_off(tx: Tx, receiver: str, lane: int, epoch: int) -> bool:
    await tx.lock(("lane", (receiver, lane)), shared=True)
    row = tx.get("lane", (receiver, lane))
    return row is None or row["epoch"] != epoch


async def done(tx: Tx, receiver: str, lane: int, epoch: int, ids: Sequence[int]) -> Rows:
    if await _is_fenced_off(tx, receiver, lane, epoch):
        return []
    gone: Rows = []
    for number in ids:
        await tx.lock(("delivery", number))
        if tx.get("delivery", number) is not None:
            tx.put("delivery", number, None)
            gone.append({"id": number})
    return gone


async def done_part(tx: Tx, receiver: str, lane: int, epoch: int, number: int, message_ids: Sequence[UUID]) -> Rows:
    if await _is_fenced_off(tx, receiver, lane, epoch):
        return []
    await tx.lock(("delivery", number))
    row = tx.get("delivery", number)
    if row is None or not set(message_ids) <= set(row["message_ids"]):
        return []
    tx.put("delivery", number, row | {"message_ids": [m for m in row["message_ids"] if m not in message_ids]})
    return [{"id": number}]


async def put_off(  # noqa: PLR0913, PLR0917 - as many as the statement has
    tx: Tx, receiver: str, lane: int, state: str, message_id: UUID, attempts: int, since: float,
    wait: timedelta | None, reason: str, fingerprint: str,
) -> Rows:  # fmt: skip
    due_at = None if wait is None else tx.twin.now_s() + wait.total_seconds()
    _deliver(
        tx, receiver=receiver, lane=lane, state=state, message_ids=[message_id], attempts=attempts, since=since,
        due_at=due_at, reason=reason, fingerprint=fingerprint,
    )  # fmt: skip
    return []


def _ripe(tx: Tx, receiver: str) -> Rows:
    return [
        row
        for row in tx.scan("delivery")
        if (row["receiver"], row["state"]) == (receiver, "scheduled") and row["due_at"] <= tx.twin.now_s()
    ]


async def release_scheduled(tx: Tx, receiver: str, limit: int) -> Rows:
    for row in sorted(_ripe(tx, receiver), key=lambda r: (r["due_at"], r["id"]))[:limit]:
        if tx.try_lock(("delivery", row["id"])) and tx.get("delivery", row["id"]) is not None:
            tx.put("delivery", row["id"], None)
            kept = {name: value for name, value in row.items() if name not in {"id", "state", "due_at"}}
            _deliver(tx, state="due", **kept)
    return []


# lanes


async def make_lanes(tx: Tx, receiver: str, count: int) -> Rows:
    for lane in range(count):
        await tx.lock(("lane", (receiver, lane)))
        if tx.get("lane", (receiver, lane)) is None:
            tx.put("lane", (receiver, lane), _lane(receiver, lane, None, 0, LONG_AGO))
    return []


def _lane(receiver: str, lane: int, owner: UUID | None, epoch: int, lease_until: float) -> Fields:
    return {"receiver": receiver, "lane": lane, "owner": owner, "epoch": epoch, "lease_until": lease_until}


async def seen(tx: Tx, process_id: UUID, receiver: str) -> Rows:
    await tx.lock(("process", process_id))
    row = tx.get("process", process_id) or {"receivers": []}
    receivers = sorted({*row["receivers"], receiver})
    tx.put("process", process_id, {"id": process_id, "receivers": receivers, "seen_at": tx.twin.now_s()})
    return []


async def sharers(tx: Tx, receiver: str, lease_s: float) -> Rows:
    now_s = tx.twin.now_s()
    return [
        {"count": sum(receiver in p["receivers"] and abs(p["seen_at"] - now_s) <= lease_s for p in tx.scan("process"))}
    ]


async def renew(tx: Tx, receiver: str, process_id: UUID, lease_s: float) -> Rows:
    rows: Rows = []
    for lane in _lanes_of(tx, receiver, process_id):
        await tx.lock(("lane", (receiver, lane)))
        row = tx.get("lane", (receiver, lane))
        if row is not None and row["owner"] == process_id:
            tx.put("lane", (receiver, lane), row | {"lease_until": tx.twin.now_s() + lease_s})
            rows.append({"lane": lane, "epoch": row["epoch"]})
    return rows


def _lanes_of(tx: Tx, receiver: str, process_id: UUID) -> list[int]:
    return [row["lane"] for row in tx.scan("lane") if (row["receiver"], row["owner"]) == (receiver, process_id)]


async def claim(tx: Tx, receiver: str, process_id: UUID, lease_s: float, limit: int) -> Rows:
    now_s = tx.twin.now_s()
    rows: Rows = []
    for row in sorted(tx.scan("lane"), key=lambda r: (r["receiver"], r["lane"])):
        is_leased = row["owner"] is not None and now_s <= row["lease_until"] <= now_s + 2 * lease_s
        free = row["receiver"] == receiver and not is_leased
        if free and len(rows) < limit and tx.try_lock(("lane", (receiver, row["lane"]))):
            won = _lane(receiver, row["lane"], process_id, row["epoch"] + 1, now_s + lease_s)
            tx.put("lane", (receiver, row["lane"]), won)
            rows.append({"lane": row["lane"], "epoch": won["epoch"]})
    return rows


async def release(tx: Tx, receiver: str, process_id: UUID, given: Sequence[int] = range(16)) -> Rows:
    for lane in _lanes_of(tx, receiver, process_id):
        if lane in given:
            await tx.lock(("lane", (receiver, lane)))
            row = tx.get("lane", (receiver, lane))
            if row is not None and row["owner"] == process_id:
                tx.put("lane", (receiver, lane), row | {"owner": None, "lease_until": LONG_AGO})
    return []


async def gone(tx: Tx, process_id: UUID, receiver: str) -> Rows:
    row = tx.get("process", process_id)
    if row is not None:
        tx.put("process", process_id, row | {"receivers": [r for r in row["receivers"] if r != receiver]})
    return []


# the listener


async def hear(tx: Tx, *columns: Sequence[Any]) -> Rows:
    names = ("type", "citizen_id", "party_id", "command_id", "pool")
    for values in zip(*columns, strict=True):
        tx.put("heard", tx.twin.next_id(), dict(zip(names, values, strict=True)))
    return []


async def send(tx: Tx, notice_id: UUID) -> Rows:
    tx.put("sent", tx.twin.next_id(), {"notice_id": notice_id})
    return []


STATEMENTS: Final[dict[str, Statement]] = STATE | {
    statements.LOCK: lock_head,
    bugs.READ_HEAD: read_head,
    statements.POOLS: pools,
    spread_statements.ELSEWHERE: nothing,
    statements.REGISTER_ONE_AT_A_TIME: lock_pools,
    statements.REGISTER_POOL: register_pool,
    statements.OUTCOMES: outcomes,
    statements.LOTS: lots,
    statements.ALL_LOTS: all_lots,
    statements.CONTRAS: contras,
    statements.ADD_FEW: add_few,
    statements.CHANGE: change,
    statements.OPEN_CONTRAS: open_contras,
    statements.ROLL_UP: roll_up,
    outbox.SAY_FEW: say_few,
    outbox.DELIVER: deliver,
    deliveries.LANES_WITH_WORK: lanes_with_work,
    deliveries.FETCH: fetch_due,
    deliveries.DONE: done,
    deliveries.DONE_PART: done_part,
    deliveries.DONE_OUTSIDE: nothing,
    deliveries.PUT_OFF: put_off,
    deliveries.RELEASE_SCHEDULED: release_scheduled,
    outages.OPEN: nothing,
    outages.RELEASE: nothing,
    lanes.MAKE_LANES: make_lanes,
    lanes.SEEN: seen,
    lanes.SHARERS: sharers,
    lanes.RENEW: renew,
    lanes.CLAIM: claim,
    lanes.RELEASE: release,
    lanes.RELEASE_ALL: release,
    lanes.GONE: gone,
    listener.HEAR: hear,
    listener.SENT: send,
}
COPIES: Final[dict[str, Copy]] = {
    "ledger.hold": copy_holds,
    "ledger.outcome": copy_into("outcome", "party_id", "command_id"),
    "ledger.transfer": copy_into("transfer", "partition", "block", "line"),
    "ledger.lot": copy_into("lot", "partition", "account"),
    "hub.message": copy_messages,
}
