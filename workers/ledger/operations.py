"""The table of operations: which command is which kind of transfer, and who decides it."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from schemas.points import (
    CreditPoints,
    ExpirePoints,
    MovePoints,
    PostingCommand,
    RecordRefusal,
    SweepReserve,
    UsePoints,
)
from schemas.values import RESERVE
from workers.ledger.accounts import Contra, Kind
from workers.ledger.book import Book, Decision
from workers.ledger.decide import credit, expire, move, record_refusal, sweep, use


class Operation(NamedTuple):
    """One operation: its kind in the books, its pure function, and what of the books it may look at and touch.

    That is the citizen's lots in some pools ('' is all of them), and contra accounts. These are asked for once the
    book has the lots: which pools expire is known only then.
    """

    kind: Kind
    decide: Callable[[Any, Book], Decision]
    pools: Callable[[Any], tuple[str, ...]] = lambda _command: ()
    contras: Callable[[Any, Book], tuple[Contra, ...]] = lambda _command, _book: ()


def _own(command: CreditPoints | UsePoints) -> tuple[str, ...]:
    return (command.pool,)


def _own_and_reserve(command: MovePoints | SweepReserve) -> tuple[str, ...]:
    return command.pool, RESERVE


def _all(_command: ExpirePoints) -> tuple[str, ...]:
    return ("",)


def _partner(command: CreditPoints, _book: Book) -> tuple[Contra, ...]:
    return (Contra("partner", command.party_id),)


def _store(command: UsePoints, _book: Book) -> tuple[Contra, ...]:
    return (Contra("store", command.store_id),)


OPERATIONS: Final[Mapping[type[PostingCommand], Operation]] = {
    CreditPoints: Operation(Kind.credit, credit.decide, _own, _partner),
    MovePoints: Operation(Kind.move, move.decide, _own_and_reserve),
    SweepReserve: Operation(Kind.sweep, sweep.decide, _own_and_reserve),
    UsePoints: Operation(Kind.use, use.decide, _own, _store),
    ExpirePoints: Operation(Kind.expire, expire.decide, _all, expire.contras),
    RecordRefusal: Operation(Kind.refusal, record_refusal.decide),
}
