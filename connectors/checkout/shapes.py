"""What is asked and answered at this door, as it stands in the API's document."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from hub.web.pages import Page
from schemas.links import PageUrl
from schemas.offers import Approval, Offer, Referral, Revision
from schemas.problems import Refusal
from schemas.values import LgCode, LinkId, Name, Points, Pool

EXPIRES_LEAST_S: Final = 60
EXPIRES_LIMIT_S: Final = 30 * 24 * 3_600
EXPIRES_DEFAULT_S: Final = 3_600
ITEMS_LIMIT: Final = 100

OrderId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:-]{1,60}$")]
"""The shop's own id of an order, or of a refund."""
ItemId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
"""The shop's own id of a product, or the fund's of a fund."""
SpendingPool = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^(scheme:[0-9]{6}|event:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"),
]
OURS: Final = "mykey_"
"""How the names of the parameters begin that we add to a way back."""


def _without_ours(url: str) -> str:
    parts = urlsplit(url)
    names = (name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    if parts.fragment or any(name.startswith(OURS) for name in names):
        raise ValueError(f"no fragment, and no parameter whose name begins with {OURS}")
    return url


ReturnUrl = Annotated[PageUrl, AfterValidator(_without_ours)]


def _is_absent(value: object) -> bool:
    return value is None


class Body(BaseModel):
    """Frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AuthorizationRequest(Body):
    """Points to set aside for an order: the citizen by your `link_id`, one pool, your own ids of what is bought.

    The rest of the price is yours to collect. What you do not capture within `expires_in_s` is free again by itself.
    """

    order_id: OrderId
    link_id: LinkId
    points: Points
    pool: SpendingPool
    item_ids: Annotated[list[ItemId], Field(min_length=1, max_length=ITEMS_LIMIT)]
    expires_in_s: Annotated[int, Field(strict=True, ge=EXPIRES_LEAST_S, le=EXPIRES_LIMIT_S)] = EXPIRES_DEFAULT_S


class CaptureRequest(Body):
    """The order is paid: all that is set aside, or `points` of it; the rest is the citizen's again. Once an order."""

    points: Points | None = None


class VoidRequest(Body):
    """The order came to nothing: an empty object."""


class RefundRequest(Body):
    """Points that go back, never more than was captured over all refunds; `refund_id` is your own id of this one."""

    refund_id: OrderId
    points: Points


class CheckoutRequest(Body):
    """An order to send a citizen here for: `title` is shown, `at_most` points may be used.

    The citizen decides within an hour, and comes back to `return_url`, which must be on your registered site, without
    a fragment, and without a parameter whose name begins with `mykey_`: those are ours to add. What is then not
    captured within `expires_in_s` is free again by itself.
    """

    order_id: OrderId
    title: Name
    at_most: Points
    item_ids: Annotated[list[ItemId], Field(min_length=1, max_length=ITEMS_LIMIT)]
    return_url: ReturnUrl
    expires_in_s: Annotated[int, Field(strict=True, ge=EXPIRES_LEAST_S, le=EXPIRES_LIMIT_S)] = EXPIRES_DEFAULT_S


class CheckoutOpened(Body):
    """Send the citizen's browser to `url`, until `open_until`; the order is then under your own `order_id`."""

    order_id: str
    url: str
    open_until: datetime


class ReturnKey(Body):
    """Ed25519 (RFC 8032): signed is `purpose`, a line feed, and the address up to `&mykey_signature=`."""

    purpose: str
    public_key_pem: str


class OfferRequest(Offer):
    """A product of a merchant, or a fund of a business, and the municipalities (`lg_codes`) to ask for approval.

    A changed one needs a higher `revision`, your own number of its content, and has to be approved anew by everybody.
    So one that arrives late, after a higher one, changes nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: Revision
    lg_codes: Annotated[list[LgCode], Field(max_length=ITEMS_LIMIT)]


class OfferAnswer(Body):
    """`asked` are the municipalities that were asked by this very request; `refusal` says why it was not done.

    `revision` is the one that stands.
    """

    offer_id: str
    revision: int
    asked: list[str]
    refusal: Refusal | None = Field(None, exclude_if=_is_absent)


class OfferStanding(Body):
    """Which municipalities have approved it, or sent it back with a comment."""

    offer_id: str
    revision: int
    approvals: list[Approval]


class ScreeningRequest(Body):
    """Whether the business that a municipality has referred passed your screening."""

    passed: StrictBool


class OpeningRequest(Body):
    """The fund of that business, as you have posted it."""

    offer_id: ItemId


class ReferralAnswer(Body):
    """`refusal` says why it was not done."""

    referral_id: UUID
    refusal: Refusal | None = Field(None, exclude_if=_is_absent)


class ReferralList(Body):
    """Businesses that municipalities have referred to you, the latest first, 500 at the most."""

    referrals: list[Referral]


class OrderState(StrEnum):
    """Where an order's points stand."""

    refused = "refused"
    """Nothing was ever set aside."""
    authorized = "authorized"
    captured = "captured"
    released = "released"
    """Voided, or not captured in time: the points are the citizen's again."""


class Authorization(Body):
    """An order's points: how many were set aside, captured and refunded.

    `refusal` says why this very request was not done; the order stands as `state` and the points say.
    """

    order_id: str
    state: OrderState
    pool: str
    points: int
    captured: int
    refunded: int
    expires_at: datetime
    refusal: Refusal | None = Field(None, exclude_if=_is_absent)


class BalanceQuery(Body):
    """Whose."""

    link_id: LinkId


class PoolPoints(Body):
    """Points of one pool that the citizen can use."""

    pool: str
    points: int


class Balance(Body):
    """Of pools that may be used for something of yours, to be shown to the citizen; only an authorization is sure."""

    link_id: str
    pools: list[PoolPoints]


class PlaceDetail(Body):
    """One transaction; `transaction_id` is the hub's own name for it, the other fields are those of the lines.

    A capture has its `order_id`, a refund its `refund_id`.
    """

    day: date
    transaction_id: str
    order_id: str | None = Field(None, exclude_if=_is_absent)
    refund_id: str | None = Field(None, exclude_if=_is_absent)
    kind: str
    direction: int
    lg_code: LgCode | None
    pool: Pool
    points: int


class PlaceDetails(Page[PlaceDetail]):
    """One page, by day. It may be short, or even empty, and yet have a `next`."""
