"""Record a refusal: what a door had to refuse gets its one outcome too, so that its id is answered for ever."""

from schemas.points import RecordRefusal
from workers.ledger.book import Book, Decision, refused


def decide(command: RecordRefusal, book: Book) -> Decision:  # noqa: ARG001 - the one shape of operations
    """Refused with the door's own code."""
    return refused(command.code)
