"""Credit: a partner moves points in, to reserve, a scheme or an event."""

from uuid import UUID

from schemas.points import CreditPoints, PointsCredited
from schemas.problems import RefusalCode
from schemas.values import NO_ORIGIN, RESERVE
from workers.ledger.accounts import LotKey, Move, account_of
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide.opening import closed_code


def decide(command: CreditPoints, book: Book) -> Decision:
    """Points come from the partner's contra account into one lot.

    Reserve points remember their partner and are held for the holding period; points of a scheme or event get the
    last day of its rule. Refused: no_scheme, no_event, scheme_closed, event_closed.
    """
    lot = target_lot(command.pool, command.party_id, book)
    if isinstance(lot, RefusalCode):
        return refused(lot)
    event = PointsCredited.trusted(
        citizen_id=command.citizen_id,
        party_id=command.party_id,
        command_id=command.command_id,
        pool=command.pool,
        points=command.points,
        balance=book.balance(command.citizen_id, command.pool) + command.points,
        posted_on=book.today,
        expires_on=lot.expires_on,
    )
    move = Move(account_of("partner", command.party_id), lot, command.points)
    return Decision(command.points, (move,), (command.pool,), (event,))


def target_lot(pool: str, partner_id: UUID, book: Book) -> LotKey | RefusalCode:
    """The lot that a partner's points go into today, or why the pool takes none."""
    if pool == RESERVE:
        return LotKey(RESERVE, book.held_until(), partner_id)
    rule = book.rule(pool)
    if rule is None or not rule.is_open(book.today):
        return closed_code(pool, rule)
    return LotKey(pool, rule.expires_on(book.today), NO_ORIGIN)
