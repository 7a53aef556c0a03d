"""Loading and writing what only some commands need: holds, coupons, revocations, corrections."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Any
from uuid import UUID

import structlog

from hub.database import Row
from hub.keys import SealBrokenError, Sealer, place
from hub.transaction import Reading, Writing
from schemas.corrections import CorrectPosting, RevokeCitizen
from schemas.grants import CreditCoupon
from schemas.holds import HoldKind, HoldState
from schemas.points import ExpirePoints, HoldCommand, PostingCommand
from schemas.vouchers import IssueVoucher
from workers.ledger import state_statements as statements
from workers.ledger.accounts import Account, Contra, Kind, LotKey, Move
from workers.ledger.book import Balance, Book
from workers.ledger.holds import CouponRow, Hold, Original, Part
from workers.ledger.operations import OPERATIONS, REVERSIBLE

log = structlog.get_logger()


async def load(
    tx: Writing, partition: int, commands: Sequence[PostingCommand], citizens: AbstractSet[UUID], book: Book
) -> None:
    """What these commands need besides lots; nothing is asked that none of them needs, but for the exceptions."""
    types = {type(command) for command in commands}
    hold_ids: set[UUID] = set()
    if any(OPERATIONS[one].is_about_hold for one in types):
        hold_ids = {command.hold_id for command in commands if isinstance(command, HoldCommand)}
    book.over = over = set[UUID]()
    for row in await tx.fetch(statements.STATE, list(citizens), tx.now, list(hold_ids)):
        if row["hold_id"] is None:
            book.revoked.add(row["citizen_id"])
            continue
        book.holds[row["hold_id"]] = hold_from(row, tx.sealer)
        if row["is_over"]:
            over.add(row["citizen_id"])
    if IssueVoucher in types:
        numbers = [number for command in commands if isinstance(command, IssueVoucher) for number in command.numbers]
        book.numbers_taken |= {row["number"] for row in await tx.fetch(statements.NUMBERS_TAKEN, numbers)}
    if CreditCoupon in types:
        await load_coupons(tx, [command for command in commands if isinstance(command, CreditCoupon)], book)
    if CorrectPosting in types:
        await _load_originals(tx, partition, [one for one in commands if isinstance(one, CorrectPosting)], book)
    if ExpirePoints in types or RevokeCitizen in types:
        book.coming = _coming(commands, book)


def _coming(commands: Sequence[PostingCommand], book: Book) -> dict[UUID, set[str]]:
    """Which pools points may come into: by a command, out of a hold, or because a posting is reversed."""
    coming: dict[UUID, set[str]] = defaultdict(set)
    for command in commands:
        if isinstance(command, CreditCoupon):
            coupon = book.coupons.get((command.party_id, command.code_hash))
            pool = coupon.pool if coupon else None
        else:
            pool = getattr(command, "pool", None)
        if pool is not None:
            coming[command.citizen_id].add(pool)
    for hold in book.holds.values():
        coming[hold.citizen_id].add(hold.pool)
    for original in book.originals.values():
        coming[original.citizen_id] |= {key.pool for key in original.lots()}
    return coming


async def load_past_lots(tx: Reading, citizens: AbstractSet[UUID], book: Book) -> None:
    """Empty lots past their last day, which are not in the book yet, but which points may come back to."""
    keys = [
        (hold.citizen_id, part.lot)
        for hold in book.holds.values()
        if hold.state is HoldState.open and hold.citizen_id in citizens
        for part in hold.parts
    ]
    keys += [(original.citizen_id, key) for original in book.originals.values() for key in original.lots()]
    asked = {(citizen_id, key) for citizen_id, key in keys if key not in book.lots[citizen_id]}
    if not asked:
        return
    columns = list(zip(*((citizen_id, *key) for citizen_id, key in asked), strict=True))
    for row in await tx.fetch(statements.PAST_LOTS, *columns):
        key = LotKey(row["pool"], row["expires_on"], row["origin"])
        book.lots[row["citizen_id"]][key] = Balance(row["account"], row["balance"], row["place"])


async def load_coupons(tx: Reading, commands: Sequence[CreditCoupon], book: Book) -> None:
    """Those that these commands would use, locked."""
    parties, hashes = [c.party_id for c in commands], [c.code_hash for c in commands]
    for row in await tx.fetch(statements.COUPONS, parties, hashes):
        coupon = CouponRow(row["points"], row["pool"], row["last"], row["used_by"])
        book.coupons[row["party_id"], row["code_hash"]] = coupon


async def _load_originals(tx: Reading, partition: int, commands: Sequence[CorrectPosting], book: Book) -> None:
    book.wanted = asked = {(c.original_party_id, c.original_command_id) for c in commands}
    rows = await tx.fetch(statements.ORIGINALS, [key[0] for key in asked], [key[1] for key in asked], partition)
    for key in {(row["party_id"], row["command_id"]): None for row in rows}:
        mine = [row for row in rows if (row["party_id"], row["command_id"]) == key]
        moves = tuple(Move(_account(row, "debit"), _account(row, "credit"), row["points"]) for row in mine)
        first = mine[0]
        book.originals[key] = Original(
            first["citizen_id"], first["total"], moves, Kind(first["kind"]) in REVERSIBLE, first["corrected"]
        )


def _account(row: Row, side: str) -> Account:
    name = row[f"{side}_name"]
    if name is None:
        return LotKey(row[f"{side}_pool"], row[f"{side}_expires_on"], row[f"{side}_origin"])
    return Contra.named(name)


def hold_from(row: Row, seal: Sealer) -> Hold:
    """A row of ledger.hold; where its check code does not open, it has none: it ends, but is not redeemed."""
    lots = zip(row["part_expires_on"], row["part_origins"], row["part_points"], strict=True)
    return Hold(
        hold_id=row["hold_id"],
        kind=HoldKind(row["kind"]),
        state=HoldState(row["state"]),
        citizen_id=row["citizen_id"],
        counterparty_id=row["counterparty_id"],
        lg_code=row["lg_code"],
        pool=row["pool"],
        points=row["points"],
        left=row["remaining"],
        taken=row["taken"],
        refunded=row["refunded"],
        expires_at=row["expires_at"],
        number=row["number"],
        check_code=_check_code(row, seal),
        parts=tuple(Part(LotKey(row["pool"], expires_on, origin), points) for expires_on, origin, points in lots),
        is_new=False,
    )


def _check_code(row: Row, seal: Sealer) -> str | None:
    try:
        return None if row["sealed_code"] is None else seal.open(row["sealed_code"], _place(row["hold_id"])).decode()
    except SealBrokenError:
        log.exception("check_code_broken", hold_id=str(row["hold_id"]))
        return None


def _place(hold_id: UUID) -> str:
    return place("ledger.hold", "sealed_code", hold_id)


async def write(tx: Writing, partition: int, block: int, book: Book) -> None:
    """Write what the batch changed besides balances; nothing is written that did not change."""
    touched = [book.holds[hold_id] for hold_id in book.touched_holds]
    new = [hold for hold in touched if hold.is_new]
    if new:
        await tx.copy("ledger", "hold", statements.HOLD_COLUMNS, [_hold_row(partition, hold, tx) for hold in new])
    await _change_holds(tx, [hold for hold in touched if not hold.is_new])
    if book.coupons_used:
        await use_coupons(tx, book)
    if book.newly_revoked:
        await tx.execute(statements.REVOKE, list(book.newly_revoked), book.today)
    if book.newly_corrected:
        parties, ids = [key[0] for key in book.newly_corrected], [key[1] for key in book.newly_corrected]
        numbers = list(book.newly_corrected.values())
        await tx.execute(statements.CORRECTED, parties, ids, numbers, book.today, partition, block)


async def use_coupons(tx: Writing, book: Book) -> None:
    """Those that the batch has used; the others of the table are another database's."""
    parties, hashes = [key[0] for key in book.coupons_used], [key[1] for key in book.coupons_used]
    await tx.execute(statements.USE_COUPONS, parties, hashes, list(book.coupons_used.values()), book.today)


async def _change_holds(tx: Writing, holds: Iterable[Hold]) -> None:
    changed = list(holds)
    if changed:
        await tx.execute(
            statements.CHANGE_HOLDS,
            [hold.hold_id for hold in changed],
            [hold.state.value for hold in changed],
            [hold.left for hold in changed],
            [hold.taken for hold in changed],
            [hold.refunded for hold in changed],
        )


def _hold_row(partition: int, hold: Hold, tx: Writing) -> tuple[Any, ...]:
    code = None if hold.check_code is None else tx.sealer.seal(hold.check_code.encode(), _place(hold.hold_id))
    expiries: list[date] = [part.lot.expires_on for part in hold.parts]
    return (
        partition, hold.hold_id, hold.kind.value, hold.state.value, hold.citizen_id, hold.counterparty_id, hold.lg_code,
        hold.pool, hold.points, hold.left, hold.taken, hold.refunded, hold.expires_at, hold.number, code, expiries,
        [part.lot.origin for part in hold.parts], [part.points for part in hold.parts], tx.now,
    )  # fmt: skip
