"""What a card has proven, when a command comes that needs it: fresh, for this purpose, once, the card still in.

All in the transaction of that command.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from hub.transaction import Transaction
from schemas.cards import How
from schemas.problems import RefusalCode
from workers.registry import card_statements as sql

GOOD_FOR: Final = timedelta(minutes=5)
"""As long as a whole session at a counter may take."""


class Proof(NamedTuple):
    """A card that proved itself for a job; `citizen_id` is None where it has no MyKey ID."""

    job_id: UUID
    card_id: UUID
    citizen_id: UUID | None
    how: How
    terminal_id: str
    insertion: UUID
    signature_sealed: bytes | None
    is_used: bool
    """By this very command."""


async def check(
    proof_id: UUID | None, allowed: Collection[str], used_for: UUID, tx: Transaction
) -> Proof | RefusalCode:
    """The proof, held against others until this transaction ends; it is used up by `use` only.

    `used_for` is what the command is about, so that the same command asked again finds its proof again. Refused
    `card_not_proven`: none, too old, for another purpose, used up, or the card was taken out since; `card_superseded`.
    """
    row = None if proof_id is None else await tx.fetch_row(sql.LOCKED_PROOF, proof_id)
    if row is None or row["purpose"] not in allowed or row["proven_at"] + GOOD_FOR < tx.now:
        return RefusalCode.card_not_proven
    if row["was_removed"] or row["used_for"] not in {None, used_for}:
        return RefusalCode.card_not_proven
    if row["superseded_at"] is not None:
        return RefusalCode.card_superseded
    return Proof(
        row["job_id"],
        row["card_id"],
        row["citizen_id"],
        row["how"],
        row["terminal_id"],
        row["insertion"],
        row["signature_sealed"],
        row["used_for"] is not None,
    )


async def use(proof: Proof, used_for: UUID, tx: Transaction) -> None:
    """From now on it is good for this alone."""
    await tx.execute(sql.USE_PROOF, proof.job_id, used_for)
