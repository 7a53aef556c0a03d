"""An order that a shop or fund sends the citizen here for, to use points or not (mission I.7, I.8)."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from schemas.message import Answered, Command, Event, Query, Said
from schemas.values import Points, Pool


class CheckoutView(Said):
    """What the citizen is asked. `at_most` points may be used; `cancel_url` leads back with nothing done."""

    checkout_id: UUID
    party_id: UUID
    order_id: str
    title: str
    at_most: int
    item_ids: list[str]
    open_until: datetime
    cancel_url: str


class FoundCheckout(Said):
    """None where there is no such checkout, or no longer: its time is over, or points are set aside for it."""

    checkout: CheckoutView | None = None


class CheckoutOf(Query, Answered[FoundCheckout]):
    """What does the shop ask of the citizen?"""

    TYPE: ClassVar[str] = "jp.mykey.shop-orders.checkout-of.v1"
    checkout_id: UUID

    def key(self) -> UUID:
        """The checkout."""
        return self.checkout_id


class CheckoutConfirmed(Said):
    """Points are set aside, and `return_url` tells the shop so; or `code` says why not."""

    code: str | None = None
    points: int = 0
    return_url: str = ""


class ConfirmCheckout(Command, Answered[CheckoutConfirmed]):
    """The citizen uses these points for the order; once a checkout.

    Refused `no_checkout`, `over_checkout`, `over_day_limit`, `id_conflict` and as `AuthorisePoints` is.
    """

    TYPE: ClassVar[str] = "jp.mykey.shop-orders.confirm-checkout.v1"
    checkout_id: UUID
    citizen_id: UUID
    pool: Pool
    points: Points

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class OrderExpired(Event):
    """A shop or fund has not captured an order's points in time: they are the citizen's again."""

    TYPE: ClassVar[str] = "jp.mykey.shop-orders.expired.v1"
    party_id: UUID
    order_id: str
    points: int
    expires_at: datetime

    def key(self) -> UUID:
        """The shop or fund."""
        return self.party_id

    def business_key(self) -> str | None:
        """Its own id of the order."""
        return self.order_id
