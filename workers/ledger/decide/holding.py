"""What the operations on holds share: setting points aside from lots, and giving them back."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from schemas.checkouts import AuthorisePoints
from schemas.holds import HoldKind, HoldState
from schemas.merges import SendMerge
from schemas.points import HoldCommand
from schemas.problems import RefusalCode
from schemas.vouchers import IssueVoucher
from workers.ledger.accounts import Contra, LotKey, Move
from workers.ledger.book import Book, take
from workers.ledger.holds import Hold, Part


class Purpose(NamedTuple):
    """What points are set aside for, and until when."""

    kind: HoldKind
    counterparty_id: UUID
    lg_code: str
    expires_at: datetime | None = None
    number: str | None = None
    check_code: str | None = None


def set_aside(
    command: IssueVoucher | AuthorisePoints | SendMerge, book: Book, purpose: Purpose, points: int
) -> Hold | RefusalCode:
    """A new open hold over the earliest lots; refused: hold_exists, insufficient_points."""
    if command.hold_id in book.holds:
        return RefusalCode.hold_exists
    lots = book.usable_lots(command.citizen_id, command.pool)
    if sum(held for _, held in lots) < points:
        return RefusalCode.insufficient_points
    return Hold(
        hold_id=command.hold_id,
        kind=purpose.kind,
        state=HoldState.open,
        citizen_id=command.citizen_id,
        counterparty_id=purpose.counterparty_id,
        lg_code=purpose.lg_code,
        pool=command.pool,
        points=points,
        left=points,
        taken=0,
        refunded=0,
        expires_at=purpose.expires_at,
        number=purpose.number,
        check_code=purpose.check_code,
        parts=tuple(Part(key, part) for key, part in take(lots, points)),
    )


def into(hold: Hold) -> tuple[Move, ...]:
    """The moves that set the hold's points aside."""
    return tuple(Move(part.lot, hold.account, part.points) for part in hold.parts)


def back(hold: Hold, book: Book, parts: Iterable[Part], source: Contra | None = None) -> tuple[Move, ...]:
    """The moves that give these parts back to their lots; whose MyKey ID has ended gets nothing any more.

    Out of the hold, or from a `source` that has taken them.
    """
    source = source or hold.account
    if hold.citizen_id not in book.revoked:
        return tuple(Move(source, part.lot, part.points) for part in parts)
    points = sum(part.points for part in parts)
    return (Move(source, Contra("expired", None, hold.pool), points),) if points else ()


def given_back(hold: Hold, book: Book) -> Hold:
    """The hold once nothing of it was taken."""
    return hold.resolved(HoldState.expired if hold.citizen_id in book.revoked else HoldState.returned)


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


def hold_of(command: HoldCommand, book: Book, kind: HoldKind) -> Hold | None:
    """The citizen's hold of this kind that a command is about."""
    hold = book.holds.get(command.hold_id)
    if hold is None or hold.kind is not kind or hold.citizen_id != command.citizen_id:
        return None
    return hold


def open_hold(command: HoldCommand, book: Book, kind: HoldKind) -> Hold | RefusalCode:
    """The open hold that a command is about; refused: no_hold, hold_resolved."""
    hold = hold_of(command, book, kind)
    if hold is None:
        return RefusalCode.no_hold
    return hold if hold.state is HoldState.open else RefusalCode.hold_resolved


def is_over(hold: Hold, book: Book) -> bool:
    """Whether the hold's time has passed."""
    return hold.expires_at is not None and hold.expires_at <= book.now


def refunded_lot(lot: LotKey, book: Book) -> LotKey:
    """Where a refund goes: the lot it came from, but usable for some days more at least."""
    return lot._replace(expires_on=max(lot.expires_on, book.today + timedelta(days=book.terms.refund_least_days - 1)))
