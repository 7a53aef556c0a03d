"""Use together: points of several pools pay one price at a counter; all of them, or none."""

from schemas.corrections import UseTogether
from schemas.problems import RefusalCode
from workers.ledger.accounts import Contra
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide import use


def decide(command: UseTogether, book: Book) -> Decision:
    """Each part is decided as a use by itself; pools must differ, so that the parts do not touch each other.

    Refused: same_pool, unknown_citizen, and whatever the first refused part is refused for.
    """
    if len({part.pool for part in command.parts}) != len(command.parts):
        return refused(RefusalCode.same_pool)
    if any(part.citizen_id != command.citizen_id for part in command.parts):
        return refused(RefusalCode.unknown_citizen)
    decisions = [use.decide(part, book) for part in command.parts]
    first = next((decision.code for decision in decisions if decision.code), None)
    if first is not None:
        return refused(first)
    return Decision(
        sum(decision.points for decision in decisions),
        tuple(move for decision in decisions for move in decision.moves),
        tuple(pool for decision in decisions for pool in decision.pools),
        tuple(event for decision in decisions for event in decision.events),
    )


def contras(command: UseTogether, _book: Book) -> tuple[Contra, ...]:
    """The stores' accounts."""
    return tuple(Contra("store", part.store_id) for part in command.parts)
