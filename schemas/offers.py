"""What points may be used for at shops and funds: posted by them, approved by municipalities (mission I.7, I.8)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final
from uuid import UUID, uuid4

from pydantic import Field, StringConstraints

from schemas.links import About, PageUrl
from schemas.message import Answered, Command, Event, Query, Said
from schemas.municipalities import Registered, lg_key
from schemas.values import LgCode, MailAddress, Name, Points, Pool

ITEMS_LIMIT: Final = 100
REVISION_LIMIT: Final = 2**31 - 1
"""The most things of one order, and the most municipalities of one posting."""

OfferId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
"""The shop's own id of a product, or the fund's of a fund."""
Revision = Annotated[int, Field(strict=True, ge=1, le=REVISION_LIMIT)]
"""The poster's own number of an offer's content: a later one has a higher number."""


class DealMode(StrEnum):
    """How a municipality deals with the merchants of a shop: mode A or B of mission I.7."""

    intermediary = "intermediary"
    """A: the shop's company stands between."""
    direct = "direct"
    """B: with each merchant itself."""


class ApprovalState(StrEnum):
    """Where the approval of an offer by a municipality stands."""

    asked = "asked"
    approved = "approved"
    sent_back = "sent_back"


class ApplyForParty(Command, Answered[Registered]):
    """A municipality applies for a shop or fund: its points may be used there, for what it approves.

    Approval requests go to `mail`. The last word counts. Refused `unknown_party`.
    """

    TYPE: ClassVar[str] = "jp.mykey.offers.apply.v1"
    PERSONAL: ClassVar[bool] = True
    lg_code: LgCode
    party_id: UUID
    mode: DealMode
    mail: MailAddress

    def key(self) -> UUID:
        """The party, so that it comes in order with the party's offers."""
        return self.party_id


class Offer(Said):
    """A product of a merchant, or a fund of a business; funds have a region and an industry to be found by."""

    offer_id: OfferId
    title: Name
    merchant: Name
    price: Points | None = None
    region: About = ""
    industry: About = ""
    page_url: PageUrl


class OfferPosted(Said):
    """The offer's revision as it stands; `asked` are the municipalities that were asked by this very posting."""

    code: str | None = None
    revision: int = 0
    asked: list[LgCode] = Field(default_factory=list)


class PostOffer(Command, Answered[OfferPosted]):
    """A shop or fund posts an offer, and asks these municipalities to approve it.

    The same again changes nothing; a changed one is a new revision, and has to be approved anew by everybody. Where
    `revision` is None the last word counts, and is numbered here. Refused `unknown_party`, `not_applied` where a
    municipality does not use this shop or fund, `offer_older` where a higher revision was posted before, `id_conflict`
    where this revision stands for other content.
    """

    TYPE: ClassVar[str] = "jp.mykey.offers.post.v1"
    party_id: UUID
    offer: Offer
    lg_codes: Annotated[tuple[LgCode, ...], Field(max_length=ITEMS_LIMIT)]
    revision: Revision | None = None

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class ApprovalAsked(Event):
    """A municipality is asked to approve an offer; its office is told by mail."""

    TYPE: ClassVar[str] = "jp.mykey.offers.approval-asked.v1"
    PERSONAL: ClassVar[bool] = True
    party_id: UUID
    party: str
    offer_id: str
    revision: int
    title: str
    merchant: str
    lg_code: str
    mail: str

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class DecideOffer(Command, Answered[Registered]):
    """A municipality approves an offer, or sends it back with a comment; `staff_id` decided it.

    A fund need not have been asked for: municipalities select them. The same `decision_id` again is the same decision:
    done once, it undoes none that came after it. Refused `not_applied`, `unknown_offer`, `offer_changed` where that is
    no longer the newest revision, `comment_missing`, `id_conflict` where the id stands for another decision.
    """

    TYPE: ClassVar[str] = "jp.mykey.offers.decide.v1"
    decision_id: UUID = Field(default_factory=uuid4)
    lg_code: LgCode
    party_id: UUID
    offer_id: OfferId
    revision: int
    approve: bool
    comment: About = ""
    staff_id: UUID

    def key(self) -> UUID:
        """The party, so that it comes in order with the party's offers."""
        return self.party_id


class OfferDecided(Event):
    """A municipality has approved an offer, or sent it back."""

    TYPE: ClassVar[str] = "jp.mykey.offers.decided.v1"
    party_id: UUID
    offer_id: str
    revision: int
    lg_code: str
    state: ApprovalState
    comment: str

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class Approval(Said):
    """Where a municipality's approval stands, and what it said."""

    lg_code: str
    state: ApprovalState
    comment: str


class OfferView(Offer):
    """An offer as it stands."""

    party_id: UUID
    party: str
    revision: int
    posted_at: datetime
    approvals: list[Approval]


class Offers(Said):
    """By title; `after` is where the next page begins, None on the last one."""

    offers: list[OfferView]
    after: str | None = None


class OffersOf(Query, Answered[Offers]):
    """Which offers are there: of a party, for a municipality (asked, or funds to select from), by region and industry?

    With `lg_code` only that municipality's approvals are told, and only of parties that it has applied for.
    """

    TYPE: ClassVar[str] = "jp.mykey.offers.offers-of.v1"
    party_id: UUID | None = None
    offer_id: OfferId | None = None
    lg_code: LgCode | None = None
    state: ApprovalState | None = None
    region: str | None = None
    industry: str | None = None
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100

    def key(self) -> UUID:
        """The party, or nothing in particular."""
        return self.party_id or UUID(int=0)


class UsablePools(Said):
    """Those of the pools that may be used."""

    pools: list[Pool]


class UsablePoolsOf(Query, Answered[UsablePools]):
    """Which of these pools' points may be used for these offers of this party?

    A municipality's, and its events', where it has approved every one of them; where `offer_ids` is None, at least one
    of all that the party offers. Reserve points for none.
    """

    TYPE: ClassVar[str] = "jp.mykey.offers.usable-pools-of.v1"
    party_id: UUID
    offer_ids: Annotated[list[OfferId], Field(min_length=1, max_length=ITEMS_LIMIT)] | None
    pools: list[Pool]

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class ReferralState(StrEnum):
    """How far a business is that a municipality has referred to a fund company."""

    referred = "referred"
    passed = "passed"
    """The fund company's screening is passed; the municipality is asked for its consent."""
    failed = "failed"
    consented = "consented"
    open = "open"
    """Its fund is posted, and takes the municipality's points."""


class ReferBusiness(Command, Answered[Registered]):
    """A municipality refers a new business to a fund company (mission I.8). `referral_id` is the caller's.

    Refused `unknown_party`, `not_applied`, `id_conflict`.
    """

    TYPE: ClassVar[str] = "jp.mykey.offers.refer-business.v1"
    referral_id: UUID
    lg_code: LgCode
    party_id: UUID
    business: Name

    def key(self) -> UUID:
        """The party, so that it comes in order with the party's offers."""
        return self.party_id


class ScreenBusiness(Command, Answered[Registered]):
    """The fund company's screening: passed or not. Refused `no_referral`, `referral_state`."""

    TYPE: ClassVar[str] = "jp.mykey.offers.screen-business.v1"
    referral_id: UUID
    party_id: UUID
    passed: bool

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class ScreeningPassed(Event):
    """A referred business has passed the screening; its municipality's office is told by mail, and may consent."""

    TYPE: ClassVar[str] = "jp.mykey.offers.screening-passed.v1"
    PERSONAL: ClassVar[bool] = True
    referral_id: UUID
    party_id: UUID
    party: str
    lg_code: str
    business: str
    mail: str

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class ConsentToBusiness(Command, Answered[Registered]):
    """The municipality consents; `staff_id` decided it. Refused `no_referral`, `referral_state`."""

    TYPE: ClassVar[str] = "jp.mykey.offers.consent-to-business.v1"
    referral_id: UUID
    party_id: UUID
    lg_code: LgCode
    staff_id: UUID

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class OpenBusiness(Command, Answered[Registered]):
    """The fund of a referred business opens, as the fund company has posted it: with that it is approved.

    Refused `no_referral`, `referral_state` also where it is open by another fund, `unknown_offer`, `offer_sent_back`
    where the municipality has sent that fund back, and has not approved it since.
    """

    TYPE: ClassVar[str] = "jp.mykey.offers.open-business.v1"
    referral_id: UUID
    party_id: UUID
    offer_id: OfferId

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class Referral(Said):
    """A business that was referred, and how far it is."""

    referral_id: UUID
    party_id: UUID
    lg_code: str
    business: str
    state: ReferralState
    offer_id: str | None
    referred_at: datetime


class Referrals(Said):
    """The latest first."""

    referrals: list[Referral]


class ReferralsOf(Query, Answered[Referrals]):
    """Which businesses were referred to this fund company, or by this municipality? The latest 500."""

    TYPE: ClassVar[str] = "jp.mykey.offers.referrals-of.v1"
    party_id: UUID | None = None
    lg_code: LgCode | None = None

    def key(self) -> UUID:
        """The party, or nothing in particular."""
        return self.party_id or UUID(int=0)
