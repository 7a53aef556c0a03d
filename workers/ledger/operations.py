"""The table of operations: which command is which kind of transfer, and who decides it."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from schemas import points
from schemas.points import PostingCommand
from workers.ledger.accounts import Contra, Kind
from workers.ledger.book import Book, Decision
from workers.ledger.decide import credit, expire, move, record_refusal, sweep, use


class Operation(NamedTuple):
    """One operation: its kind in the books, its pure function, and the contra accounts it may touch.

    These are asked for once the book has the lots: which pools expire is known only then.
    """

    kind: Kind
    decide: Callable[[Any, Book], Decision]
    contras: Callable[[Any, Book], tuple[Contra, ...]] = lambda _command, _book: ()


OPERATIONS: Final[Mapping[type[PostingCommand], Operation]] = {
    points.CreditPoints: Operation(Kind.credit, credit.decide, lambda c, _: (Contra("partner", c.party_id),)),
    points.MovePoints: Operation(Kind.move, move.decide),
    points.SweepReserve: Operation(Kind.sweep, sweep.decide),
    points.UsePoints: Operation(Kind.use, use.decide, lambda c, _: (Contra("store", c.store_id),)),
    points.ExpirePoints: Operation(Kind.expire, expire.decide, expire.contras),
    points.RecordRefusal: Operation(Kind.refusal, record_refusal.decide),
}
