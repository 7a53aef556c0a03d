"""What points may be used for, as a component: which file handles which message."""

from hub.component import Component, Context
from hub.keys import Keys
from schemas.municipalities import SupportEventRegistered
from schemas.offers import (
    ApplyForParty,
    ConsentToBusiness,
    DecideOffer,
    OffersOf,
    OpenBusiness,
    PostOffer,
    ReferBusiness,
    ReferralsOf,
    ScreenBusiness,
    UsablePoolsOf,
)
from schemas.parties import PartyRegistered
from workers.goods.deciding import decide_offers
from workers.goods.looking import offers_of, usable_pools_of
from workers.goods.parties import Applications, parties_registered, support_events_registered
from workers.goods.posting import Posting
from workers.goods.referring import Referring, referrals_of


def component(context: Context) -> Component:
    """Builds the worker."""
    applications = Applications(Keys(context.settings.key()).sealer("goods.application"))
    referring = Referring(applications)
    return Component(
        name="goods",
        handlers={
            ApplyForParty: applications.apply,
            PostOffer: Posting(applications).post,
            DecideOffer: decide_offers,
            ReferBusiness: referring.refer,
            ScreenBusiness: referring.step,
            ConsentToBusiness: referring.step,
            OpenBusiness: referring.step,
            PartyRegistered: parties_registered,
            SupportEventRegistered: support_events_registered,
        },
        answers={OffersOf: offers_of, UsablePoolsOf: usable_pools_of, ReferralsOf: referrals_of},
    )
