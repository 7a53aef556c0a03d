"""What the operations on holds share: setting points aside from lots, and giving them back."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from schemas.holds import HoldKind, HoldState
from schemas.points import HoldCommand
from schemas.problems import RefusalCode
from workers.ledger.accounts import LotKey, Move
from workers.ledger.book import Book, take
from workers.ledger.holds import Hold, Part


def set_aside(
    command: HoldCommand,
    book: Book,
    *,
    kind: HoldKind,
    pool: str,
    points: int,
    counterparty_id: UUID,
    lg_code: str,
    expires_at: datetime | None,
    number: str | None = None,
    check_code: str | None = None,
) -> Hold | RefusalCode:
    """A new open hold over the earliest lots; refused: insufficient_points, hold_exists."""
    if command.hold_id in book.holds:
        return RefusalCode.hold_exists
    lots = book.usable_lots(command.citizen_id, pool)
    if sum(held for _, held in lots) < points:
        return RefusalCode.insufficient_points
    return Hold(
        hold_id=command.hold_id,
        kind=kind,
        state=HoldState.open,
        citizen_id=command.citizen_id,
        counterparty_id=counterparty_id,
        lg_code=lg_code,
        pool=pool,
        points=points,
        left=points,
        taken=0,
        refunded=0,
        expires_at=expires_at,
        number=number,
        check_code=check_code,
        parts=tuple(Part(key, part) for key, part in take(lots, points)),
    )


def into(hold: Hold) -> tuple[Move, ...]:
    """The moves that set the hold's points aside."""
    return tuple(Move(part.lot, hold.account, part.points) for part in hold.parts)


def back(hold: Hold, skip: int, points: int) -> tuple[Move, ...]:
    """The moves that give `points` back to their lots, leaving out the first `skip` points of the hold."""
    return tuple(Move(hold.account, part.lot, part.points) for part in slice_of(hold.parts, skip, points))


def slice_of(parts: Iterable[Part], skip: int, points: int) -> list[Part]:
    """The parts that make up `points`, after the first `skip`."""
    found: list[Part] = []
    for part in parts:
        passed = min(skip, part.points)
        skip -= passed
        rest = min(part.points - passed, points)
        points -= rest
        if rest:
            found.append(Part(part.lot, rest))
    return found


def open_hold(command: HoldCommand, book: Book, kind: HoldKind) -> Hold | RefusalCode:
    """The open hold that a command is about; refused: no_hold, hold_resolved."""
    hold = book.holds.get(command.hold_id)
    if hold is None or hold.kind is not kind or hold.citizen_id != command.citizen_id:
        return RefusalCode.no_hold
    return hold if hold.state is HoldState.open else RefusalCode.hold_resolved


def refunded_lot(lot: LotKey, today: date, least_days: int) -> LotKey:
    """Where a refund goes: the lot it came from, but usable for `least_days` more at least."""
    return lot._replace(expires_on=max(lot.expires_on, today + timedelta(days=least_days - 1)))
