"""A municipality approves an offer, or sends it back with a comment."""

from collections.abc import Sequence

from hub.transaction import Transaction
from schemas.municipalities import Registered
from schemas.offers import ApprovalState, DecideOffer, OfferDecided
from schemas.parties import PartyKind
from schemas.problems import RefusalCode
from workers.goods import statements


async def decide_offers(messages: Sequence[DecideOffer], tx: Transaction) -> list[Registered]:
    """One after another: a later one may be about the same offer."""
    return [await _decide(message, tx, about) for about, message in enumerate(messages)]


async def _decide(message: DecideOffer, tx: Transaction, about: int) -> Registered:
    revision = await tx.fetch_value(statements.REVISION, message.party_id, message.offer_id)
    state = ApprovalState.approved if message.approve else ApprovalState.sent_back
    decided = (message.party_id, message.offer_id, message.lg_code, state.value, message.comment, message.staff_id)
    known = await tx.fetch_row(statements.DECISION, message.decision_id)
    if known is not None:
        is_same = tuple(known) == (message.revision, *decided)
        return Registered(id=message.party_id) if is_same else Registered(code=RefusalCode.id_conflict)
    code = await _refusal(message, revision, tx)
    if code is not None:
        return Registered(code=code)
    await tx.execute(statements.KEEP_DECISION, message.decision_id, message.revision, *decided, tx.now)
    if await tx.fetch_value(statements.IS_DECIDED_SO, *decided):
        return Registered(id=message.party_id)
    await tx.execute(statements.DECIDE, *decided, tx.now)
    event = OfferDecided(
        party_id=message.party_id,
        offer_id=message.offer_id,
        revision=message.revision,
        lg_code=message.lg_code,
        state=state,
        comment=message.comment,
    )
    tx.emit(event, about)
    return Registered(id=message.party_id)


async def _refusal(message: DecideOffer, revision: int | None, tx: Transaction) -> RefusalCode | None:
    """`revision`: the newest one of the offer, which is locked; None where there is no such offer."""
    if not message.approve and not message.comment.strip():
        return RefusalCode.comment_missing
    if not await tx.fetch(statements.APPLICATIONS, message.party_id, [message.lg_code]):
        return RefusalCode.not_applied
    if revision is None or not await _is_for(message, tx):
        return RefusalCode.unknown_offer
    return None if revision == message.revision else RefusalCode.offer_changed


async def _is_for(message: DecideOffer, tx: Transaction) -> bool:
    """Funds are there to be selected; a product is decided on where that was asked."""
    party = await tx.fetch_row(statements.PARTY, message.party_id)
    if party is not None and party["kind"] == PartyKind.fund.value:
        return True
    asked = await tx.fetch_value(statements.IS_ASKED, message.party_id, message.offer_id, message.lg_code)
    return asked is True
