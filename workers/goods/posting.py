"""Shops and funds post what points may be used for; municipalities are asked to approve it."""

from collections.abc import Sequence

from hub.transaction import Transaction
from schemas.offers import ApprovalAsked, OfferPosted, PostOffer
from schemas.problems import RefusalCode
from workers.goods import statements
from workers.goods.parties import Applications


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
        changed, revision = await _write(message, tx)
        asked = await _ask(message, tx, anew=changed)
        mails |= await self._applications.mails(message.party_id, asked, tx)
        offer = message.offer
        for lg_code in asked:
            event = ApprovalAsked(
                party_id=message.party_id,
                party=party["name"],
                offer_id=offer.offer_id,
                revision=revision,
                title=offer.title,
                merchant=offer.merchant,
                lg_code=lg_code,
                mail=mails[lg_code],
            )
            tx.emit(event, about)
        return OfferPosted(revision=revision, asked=asked)


async def _write(message: PostOffer, tx: Transaction) -> tuple[bool, int]:
    """Whether it is new or another one than before, and its revision."""
    offer = message.offer
    revision = await tx.fetch_value(
        statements.POST,
        message.party_id,
        offer.offer_id,
        offer.title,
        offer.merchant,
        offer.price,
        offer.region,
        offer.industry,
        offer.page_url,
        tx.now,
    )
    if revision is not None:
        return True, revision
    return False, await tx.fetch_value(statements.REVISION, message.party_id, offer.offer_id)


async def _ask(message: PostOffer, tx: Transaction, *, anew: bool) -> list[str]:
    """Who has to approve it now: everybody anew where it has changed, else only who was not asked before."""
    again = await tx.fetch(statements.ASK_ANEW, message.party_id, message.offer.offer_id, tx.now) if anew else []
    new = await tx.fetch(statements.ASK, message.party_id, message.offer.offer_id, list(message.lg_codes), tx.now)
    return sorted(row[0] for row in [*again, *new])
