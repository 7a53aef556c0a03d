"""Correct: a wrong posting is reversed by a new one; nothing is ever edited (mission section 3)."""

from schemas.corrections import CorrectPosting, PostingCorrected
from schemas.problems import RefusalCode
from workers.ledger.accounts import Account, Contra, LotKey, Move
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide.events import about


def decide(command: CorrectPosting, book: Book) -> Decision:
    """All moves of the original go the other way; once per original, by two people.

    Points that were spent since, or have expired, can not be taken back; what comes back to somebody whose MyKey ID has
    ended expires. Refused: one_person, no_posting, corrected_before,
    not_correctable, insufficient_points.
    """
    if command.asked_by == command.approved_by:
        return refused(RefusalCode.one_person)
    key = (command.original_party_id, command.original_command_id)
    original = book.originals.get(key)
    if original is None or original.citizen_id != command.citizen_id:
        return refused(RefusalCode.no_posting)
    if original.corrected or key in book.newly_corrected:
        return refused(RefusalCode.corrected_before)
    if not original.reversible:
        return refused(RefusalCode.not_correctable)
    moves = tuple(Move(move.credit, move.debit, move.points) for move in reversed(original.moves))
    pools = tuple({account.pool: None for move in moves for account in move[:2] if isinstance(account, LotKey)})
    if command.citizen_id in book.revoked:
        moves = tuple(move._replace(credit=_ended(move.credit)) for move in moves)
    if not book.covers(command.citizen_id, moves):
        return refused(RefusalCode.insufficient_points)
    event = PostingCorrected(
        **about(command, book, pools[0], original.points, moves),
        original_command_id=command.original_command_id,
    )
    return Decision(original.points, moves, pools, (event,), corrects=key)


def _ended(account: Account) -> Account:
    return Contra("expired", None, account.pool) if isinstance(account, LotKey) else account
