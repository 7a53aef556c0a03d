"""A reissued card at the counter: the signature certificate's serial that is kept for address-change notice (II.9).

The registry says that it is the old card's. The card that is in is asked for the new one, whose password the citizen
types, or presses 「今はしない」: the operation goes on without it, and the next one asks again.
"""

from typing import Final, NamedTuple
from uuid import UUID, uuid4

import structlog

from hub.bus import Bus
from schemas.card_jobs import ReadCard
from schemas.cards import ProveCard
from schemas.uplink import Outcome

DEADLINE_S: Final = 10.0
NOT_NOW: Final = frozenset({Outcome.cancelled, Outcome.signature_password_wrong, Outcome.signature_password_blocked})
"""How it ends with the PIN still good: the terminal goes on holding the card."""

log: Final = structlog.get_logger()


class Signature(NamedTuple):
    """Whether the serial that is kept is still an older card's; `code` says why the operation cannot go on."""

    is_due: bool
    code: str | None = None


async def renew_signature(bus: Bus, read: ReadCard, insertion: UUID) -> Signature:
    """Have the serial read that is to be kept now. `read` has just read the card, as `insertion`, with its PIN."""
    ask = read.model_copy(update={"ask_id": uuid4(), "again": insertion, "address_change": True})
    answer = await bus.call(ask, ask.deadline_s)
    if answer.proof is not None:
        proven = await bus.call(ProveCard(proof=answer.proof), DEADLINE_S)
        return Signature(is_due=proven.signature_due, code=proven.code)
    log.info("signature_not_renewed", operation_id=read.operation_id, outcome=answer.outcome, code=answer.code)
    return Signature(is_due=True, code=None if answer.outcome in NOT_NOW else answer.reason)
