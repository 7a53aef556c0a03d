"""Shops and funds post what points may be used for; municipalities are asked to approve it."""

from collections.abc import Sequence
from typing import NamedTuple

from hub.transaction import Transaction
from schemas.offers import ApprovalAsked, Offer, OfferPosted, PostOffer
from schemas.problems import RefusalCode
from workers.goods import statements
from workers.goods.parties import Applications


class Written(NamedTuple):
    """The revision that stands; whether its content is new; why it is not the one that was posted."""

    revision: int
    is_new: bool = False
    code: RefusalCode | None = None


class Posting:
    """Handles PostOffer."""

    def __init__(self, applications: Applications) -> None:
        self._applications = applications

    async def post(self, messages: Sequence[PostOffer], tx: Transaction) -> list[OfferPosted]:
        """One after another: a later one may be about the same offer."""
        return [await self._post(message, tx, about) for about, message in enumerate(messages)]

    async def _post(self, message: PostOffer, tx: Transaction, about: int) -> OfferPosted:
        party = await tx.fetch_row(statements.PARTY, message.party_id)
        if party is None:
            return OfferPosted(code=RefusalCode.unknown_party)
        mails = await self._applications.mails(message.party_id, message.lg_codes, tx)
        if set(message.lg_codes) - mails.keys():
            return OfferPosted(code=RefusalCode.not_applied)
        written = await _write(message, tx)
        if written.code is not None:
            return OfferPosted(code=written.code, revision=written.revision)
        asked = await _ask(message, tx, anew=written.is_new)
        mails |= await self._applications.mails(message.party_id, asked, tx)
        offer = message.offer
        for lg_code in asked:
            event = ApprovalAsked(
                party_id=message.party_id,
                party=party["name"],
                offer_id=offer.offer_id,
                revision=written.revision,
                title=offer.title,
                merchant=offer.merchant,
                lg_code=lg_code,
                mail=mails[lg_code],
            )
            tx.emit(event, about)
        return OfferPosted(revision=written.revision, asked=asked)


async def _write(message: PostOffer, tx: Transaction) -> Written:
    """Take it in, unless it is there already, comes late, or its number stands for something else."""
    asked = message.revision
    if await tx.fetch_value(statements.POST, *_row(message, asked or 1, tx)) is not None:
        return Written(asked or 1, is_new=True)
    (row,) = await tx.fetch(statements.OFFER, message.party_id, message.offer.offer_id)
    stands: int = row["revision"]
    is_new = message.offer != Offer(**{name: row[name] for name in Offer.model_fields})
    if asked is None:
        asked = stands + 1 if is_new else stands
    if asked < stands:
        return Written(stands, code=RefusalCode.offer_older)
    if asked == stands:
        return Written(stands, code=RefusalCode.id_conflict if is_new else None)
    await tx.execute(statements.POST_ANEW, *_row(message, asked, tx))
    return Written(asked, is_new=is_new)


def _row(message: PostOffer, revision: int, tx: Transaction) -> tuple[object, ...]:
    offer = message.offer
    content = (offer.title, offer.merchant, offer.price, offer.region, offer.industry, offer.page_url)
    return (message.party_id, offer.offer_id, revision, *content, tx.now)


async def _ask(message: PostOffer, tx: Transaction, *, anew: bool) -> list[str]:
    """Who has to approve it now: everybody anew where it has changed, else only who was not asked before."""
    again = await tx.fetch(statements.ASK_ANEW, message.party_id, message.offer.offer_id, tx.now) if anew else []
    new = await tx.fetch(statements.ASK, message.party_id, message.offer.offer_id, list(message.lg_codes), tx.now)
    return sorted(row[0] for row in [*again, *new])
