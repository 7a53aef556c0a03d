"""Questions about offers and approvals, answered from committed state."""

from hub.database import Row
from hub.transaction import Reading
from schemas.offers import Approval, ApprovalState, Offers, OffersOf, OfferView, UsablePools, UsablePoolsOf
from schemas.values import RESERVE
from workers.goods import statements


async def offers_of(query: OffersOf, reading: Reading) -> Offers:
    """One page, by title."""
    is_one = query == OffersOf(party_id=query.party_id, offer_id=query.offer_id)
    if is_one and query.party_id is not None and query.offer_id is not None:
        rows = await reading.fetch(statements.ONE_OFFER, query.party_id, query.offer_id)
        return Offers(offers=[_view(row) for row in rows])
    state = query.state.value if query.state else None
    rows = await reading.fetch(
        statements.OFFERS,
        query.party_id,
        query.offer_id,
        query.lg_code,
        state,
        query.region,
        query.industry,
        query.after,
        query.limit,
    )
    after = rows[-1]["place"] if len(rows) == query.limit else None
    return Offers(offers=[_view(row) for row in rows], after=after)


async def usable_pools_of(query: UsablePoolsOf, reading: Reading) -> UsablePools:
    """In the order in which they were asked for."""
    pools = [pool for pool in query.pools if pool != RESERVE]
    if query.offer_ids is None:
        rows = await reading.fetch(statements.POOLS_USABLE_FOR_ANYTHING, query.party_id, pools)
    else:
        rows = await reading.fetch(statements.USABLE_POOLS, query.party_id, query.offer_ids, pools)
    usable = {row[0] for row in rows}
    return UsablePools(pools=[pool for pool in pools if pool in usable])


def _view(row: Row) -> OfferView:
    told = zip(row["lg_codes"] or (), row["states"] or (), row["comments"] or (), strict=True)
    kept = {name: row[name] for name in OfferView.model_fields if name != "approvals"}
    approvals = [
        Approval(lg_code=lg_code, state=ApprovalState(state), comment=comment) for lg_code, state, comment in told
    ]
    return OfferView(**kept, approvals=approvals)
