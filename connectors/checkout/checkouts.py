"""The redirect flow: a shop opens a checkout and sends the citizen to our page, which asks here what it is about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from connectors.checkout import statements
from connectors.checkout.orders import HASH_BYTES, Orders
from connectors.checkout.returns import Outcome, Returns
from connectors.checkout.shapes import CheckoutRequest
from connectors.checkout.store import Wanted
from hub.clock import Clock
from hub.database import Database, Row, reachable
from hub.transaction import Reading
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode, RefusalCode
from schemas.shop_orders import CheckoutConfirmed, CheckoutOf, CheckoutView, ConfirmCheckout, FoundCheckout

OPEN_FOR: Final = timedelta(hours=1)
"""How long the citizen may take to decide."""
KEPT_FOR: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Checkout:
    """An order that a citizen is sent here for; its points are set aside for `hold_for` once it is confirmed."""

    checkout_id: UUID
    party_id: UUID
    order_id: str
    request_hash: bytes
    title: str
    at_most: int
    item_ids: list[str]
    return_url: str
    hold_for: timedelta
    open_until: datetime


class Checkouts:
    """Opens, shows and confirms them."""

    def __init__(self, database: Database, orders: Orders, returns: Returns, clock: Clock) -> None:
        self._database = database
        self._orders = orders
        self._returns = returns
        self._clock = clock

    async def open(self, party_id: UUID, asked: CheckoutRequest) -> Checkout:
        """Open one, or find the same one. Raises ProblemError id_conflict (422) where the id stands for another."""
        request_hash = sha256(asked.model_dump_json().encode()).digest()[:HASH_BYTES]
        async with reachable(), self._database.transaction() as tx:
            await tx.execute(
                statements.OPEN_CHECKOUT,
                uuid4(),
                party_id,
                asked.order_id,
                request_hash,
                asked.title,
                asked.at_most,
                asked.item_ids,
                asked.return_url,
                timedelta(seconds=asked.expires_in_s),
                tx.now + OPEN_FOR,
            )
            found = _checkout(await tx.fetch_row(statements.CHECKOUT_OF_ORDER, party_id, asked.order_id))
        if found is None or found.request_hash != request_hash:
            raise ProblemError(ProblemCode.id_conflict)
        return found

    async def show(self, query: CheckoutOf, reading: Reading) -> FoundCheckout:
        """Answers CheckoutOf: none that is decided, so that nobody is told "cancelled" of points that are set aside."""
        now = reading.clock.now()
        found = _checkout(await reading.fetch_row(statements.UNDECIDED_CHECKOUT, query.checkout_id, now))
        if found is None:
            return FoundCheckout()
        return FoundCheckout(
            checkout=CheckoutView(
                checkout_id=found.checkout_id,
                party_id=found.party_id,
                order_id=found.order_id,
                title=found.title,
                at_most=found.at_most,
                item_ids=found.item_ids,
                open_until=found.open_until,
                cancel_url=self._returns.address(found.return_url, found.order_id, Outcome.cancelled, 0, now),
            )
        )

    async def confirm(self, command: ConfirmCheckout) -> CheckoutConfirmed:
        """Does ConfirmCheckout. What was done is answered again, whatever has changed since."""
        async with reachable(), self._database.reading() as reading:
            found = _checkout(await reading.fetch_row(statements.CHECKOUT, command.checkout_id))
        if found is None:
            return CheckoutConfirmed(code=RefusalCode.no_checkout)
        code = None if await self._is_taken(command, found) else await self._refusal(command, found)
        if code is not None:
            return CheckoutConfirmed(code=code)
        try:
            authorized = await self._orders.authorize(_wanted(command, found, self._clock.now()))
        except ProblemError as error:
            if error.code is not ProblemCode.id_conflict:
                raise
            return CheckoutConfirmed(code=RefusalCode.id_conflict)
        if authorized.refusal is not None:
            return CheckoutConfirmed(code=authorized.refusal.code)
        address = self._returns.address(
            found.return_url, found.order_id, Outcome.authorized, command.points, self._clock.now()
        )
        return CheckoutConfirmed(points=command.points, return_url=address)

    async def forget(self) -> None:
        """As the job `forget_checkouts`."""
        async with reachable(), self._database.transaction() as tx:
            await tx.execute(statements.FORGET_CHECKOUTS, tx.now - KEPT_FOR)

    async def _is_taken(self, command: ConfirmCheckout, found: Checkout) -> bool:
        order = await self._orders.store.order(found.party_id, found.order_id)
        return order is not None and order.code is None and order.request_hash == _hash(command)

    async def _refusal(self, command: ConfirmCheckout, found: Checkout) -> RefusalCode | None:
        if found.open_until <= self._clock.now():
            return RefusalCode.no_checkout
        if command.points > found.at_most:
            return RefusalCode.over_checkout
        return await self._orders.refusal(found.party_id, command.pool, found.item_ids)


def _wanted(command: ConfirmCheckout, found: Checkout, now: datetime) -> Wanted:
    return Wanted(
        party_id=found.party_id,
        order_id=found.order_id,
        request_hash=_hash(command),
        citizen_id=command.citizen_id,
        pool=command.pool,
        points=command.points,
        expires_at=now + found.hold_for,
        after_refusal=True,
    )


def _hash(command: ConfirmCheckout) -> bytes:
    return sha256(command.model_dump_json().encode()).digest()[:HASH_BYTES]


def _checkout(row: Row | None) -> Checkout | None:
    return None if row is None else Checkout(**dict(row))
