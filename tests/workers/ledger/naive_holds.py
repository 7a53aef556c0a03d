"""Points set aside, on paper: by a voucher, at a checkout, in a merge file. Written from the mission too."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from hub.clock import start_of_day
from schemas import checkouts, merges, vouchers
from schemas.points import HoldCommand
from tests.workers.ledger.naive_wallets import Lot, Other, Result, Rule, Said, Wallets, first_of

FREED: Final = "checkouts.released"
NO_HOLD: Final = Result("no_hold")


@dataclass
class SetAside:
    """So many points, from these lots, are set aside for somebody."""

    kind: str
    citizen_id: UUID
    to: UUID
    lg_code: str
    pool: str
    points: int
    parts: list[tuple[Lot, int]]
    ends: datetime | None
    number: str | None = None
    code: str | None = None
    state: str = "open"
    taken: int = 0
    refunded: int = 0

    @property
    def left(self) -> int:
        """What is still set aside."""
        return self.points if self.state == "open" else 0

    @property
    def box(self) -> Other:
        """Where the points lie meanwhile."""
        return Other(self.kind, self.pool)

    def is_over(self, now: datetime) -> bool:
        """Whether its time has passed."""
        return self.ends is not None and self.ends <= now


class Holds(Wallets):
    """Wallets, and what is set aside."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        super().__init__(rules)
        self.aside: dict[UUID, SetAside] = {}
        self.revoked: set[UUID] = set()
        self.numbers_given: dict[UUID, str | None] | None = None
        """Hold → its number, where somebody else (another partition) may have had the first ones."""
        self.refund_days = 30
        self.voucher_days = 30

    def over(self, citizen_id: UUID, now: datetime) -> list[UUID]:
        """Orders that nobody captured in time."""
        return [
            hold_id
            for hold_id, aside in self.aside.items()
            if (aside.citizen_id, aside.kind, aside.state) == (citizen_id, "checkout", "open") and aside.is_over(now)
        ]

    # vouchers

    def issue(self, command: vouchers.IssueVoucher, today: date) -> Result:
        """Valid today and at most 29 more days; gets the first number that no voucher in hand has."""
        if not self.is_usable_at(command.citizen_id, command.pool, command.lg_code, today):
            return Result("not_usable_here")
        if not today <= command.expires_on < today + timedelta(days=self.voucher_days):
            return Result("bad_voucher_day")
        number = self._number(command)
        if number is None:
            return Result("no_number")
        aside = SetAside(
            "voucher", command.citizen_id, UUID(int=0), command.lg_code, command.pool, command.points, [],
            start_of_day(command.expires_on + timedelta(days=1)), number, command.check_code,
        )  # fmt: skip
        return self._put_aside(command, aside, today, "vouchers.issued", "voucher_issue")

    def _number(self, command: vouchers.IssueVoucher) -> str | None:
        if self.numbers_given is not None:
            return self.numbers_given.get(command.hold_id)
        in_hand = {aside.number for aside in self.aside.values() if aside.state == "open"}
        return next((number for number in command.numbers if number not in in_hand), None)

    def redeem(self, command: vouchers.RedeemVoucher, today: date, now: datetime) -> Result:
        """Whole, once, in time, in its municipality; without the right code there is no such voucher."""
        aside = self._mine(command, "voucher")
        if aside is None or not hmac.compare_digest(aside.code or "", command.check_code):
            return Result("no_voucher")
        if aside.state == "taken":
            return Result("voucher_used")
        if aside.state != "open" or aside.is_over(now):
            return Result("voucher_expired")
        if aside.lg_code != command.lg_code:
            return Result("not_usable_here")
        return self._taken(command, aside, today, Other("store", command.store_id), "vouchers.redeemed")

    def expire_voucher(self, command: vouchers.ExpireVoucher, now: datetime) -> Result:
        """Nobody redeemed it: gone."""
        aside = self._mine(command, "voucher")
        code = _not_open(aside) or ("nothing_due" if not _sure(aside).is_over(now) else None)
        if code:
            return Result(code)
        aside = _sure(aside)
        points, aside.state = aside.left, "expired"
        self.pass_on(command.citizen_id, aside.box, Other("expired", aside.pool), points, "voucher_expire")
        return Result(None, points, {})

    # checkouts

    def authorise(self, command: checkouts.AuthorisePoints, today: date, now: datetime) -> Result:
        """Points of a scheme or of an event that is going on; never reserve."""
        rule = self.rules.get(command.pool)
        if command.pool == "reserve":
            return Result("not_usable_here")
        if rule is None:
            return Result(self.closed(command.pool, today))
        if not self.is_good(command.citizen_id, command.pool, today):
            return Result("event_closed")
        if command.expires_at <= now:
            return Result("bad_period")
        aside = SetAside(
            "checkout", command.citizen_id, command.merchant_id, rule.lg_code, command.pool, command.points, [],
            command.expires_at,
        )  # fmt: skip
        return self._put_aside(command, aside, today, "checkouts.authorised", "authorise")

    def capture(self, command: checkouts.CapturePoints, today: date, now: datetime) -> Result:
        """What was spent earliest stays spent; the rest goes back to where it came from."""
        aside = self._mine(command, "checkout")
        if aside is None:
            return NO_HOLD
        if aside.state != "taken" and aside.is_over(now):
            return Result("hold_expired")
        if aside.state != "open":
            return Result("hold_resolved")
        wanted = command.points or aside.points
        if wanted > aside.points:
            return Result("insufficient_points")
        aside.state, aside.taken = "taken", wanted
        self.pass_on(command.citizen_id, aside.box, Other("shop", aside.to), wanted, "capture")
        self._give_back(aside, aside.points - wanted, "capture")
        return self._said(command.citizen_id, today, "checkouts.captured", aside.pool, wanted)

    def release(self, command: HoldCommand, today: date, now: datetime | None) -> Result:
        """Void, or with `now`: nobody captured in time."""
        aside = self._mine(command, "checkout")
        code = _not_open(aside) or ("nothing_due" if now and not _sure(aside).is_over(now) else None)
        if code:
            return Result(code)
        return self._freed(_sure(aside), today, "void" if now is None else "authorisation_expire", FREED)

    def free(self, hold_id: UUID, today: date) -> None:
        """What happens by itself to an order that nobody captured in time."""
        self.slip = []
        self._freed(self.aside[hold_id], today, "authorisation_expire", FREED)

    def refund(self, command: checkouts.RefundCapture, today: date) -> Result:
        """What was spent last comes back first, for 30 days at the least; never more than was captured."""
        aside = self._mine(command, "checkout")
        if aside is None:
            return NO_HOLD
        if aside.state != "taken":
            return Result("not_captured")
        if aside.refunded + command.points > aside.taken:
            return Result("refund_limit")
        singles = [lot for lot, points in aside.parts for _ in range(points)][: aside.taken - aside.refunded]
        if aside.citizen_id in self.revoked:
            shop, gone = Other("shop", aside.to), Other("expired", aside.pool)
            self.pass_on(command.citizen_id, shop, gone, command.points, "refund")
            singles = []
        for lot in _runs(singles[-command.points :]):
            self.pass_on(
                command.citizen_id, Other("shop", aside.to), self._for_a_while(lot[0], today), lot[1], "refund"
            )
        aside.refunded += command.points
        return self._said(command.citizen_id, today, "checkouts.refunded", aside.pool, command.points)

    # merges

    def send(self, command: merges.SendMerge, today: date) -> Result:
        """On their way to a street until it answers."""
        if not self.is_usable_at(command.citizen_id, command.pool, command.lg_code, today):
            return Result("not_usable_here")
        points = command.points
        if command.at_most:
            points = min(points, self.balance(command.citizen_id, command.pool, today)) or points
        aside = SetAside(
            "merge", command.citizen_id, command.street_id, command.lg_code, command.pool, points, [], None
        )  # fmt: skip
        return self._put_aside(command, aside, today, "merges.sent", "merge_send")

    def acknowledge(self, command: merges.AcknowledgeMerge, today: date) -> Result:
        """The street has added them."""
        aside = self._mine(command, "merge")
        code = _not_open(aside)
        if code:
            return Result(code)
        aside = _sure(aside)
        return self._taken(command, aside, today, Other("street", aside.to), "merges.acknowledged")

    def send_back(self, command: merges.ReturnMerge, today: date) -> Result:
        """The street did not want them: back, for 30 days at the least."""
        aside = self._mine(command, "merge")
        code = _not_open(aside)
        if code:
            return Result(code)
        aside = _sure(aside)
        parts, aside.parts = aside.parts, [(self._for_a_while(lot, today), points) for lot, points in aside.parts]
        result = self._freed(aside, today, "merge_return", "merges.returned")
        aside.parts = parts
        return result

    # what they share

    def _mine(self, command: HoldCommand, kind: str) -> SetAside | None:
        aside = self.aside.get(command.hold_id)
        return aside if aside and (aside.kind, aside.citizen_id) == (kind, command.citizen_id) else None

    def _put_aside(self, command: HoldCommand, aside: SetAside, today: date, said: str, kind: str) -> Result:
        if command.hold_id in self.aside:
            return Result("hold_exists")
        if self.balance(aside.citizen_id, aside.pool, today) < aside.points:
            return Result("insufficient_points")
        aside.parts = first_of(self.usable(aside.citizen_id, aside.pool, today), aside.points)
        for lot, points in aside.parts:
            self.pass_on(aside.citizen_id, lot, aside.box, points, kind)
        self.aside[command.hold_id] = aside
        return self._said(aside.citizen_id, today, said, aside.pool, aside.points)

    def _taken(self, command: HoldCommand, aside: SetAside, today: date, whom: Other, said: str) -> Result:
        aside.state, aside.taken = "taken", aside.points
        kind = {"vouchers.redeemed": "voucher_redeem", "merges.acknowledged": "merge_acknowledge"}[said]
        self.pass_on(command.citizen_id, aside.box, whom, aside.points, kind)
        told = self._said(command.citizen_id, today, said, aside.pool, aside.points)
        return Result(None, told.points, {}, told.said)

    def _freed(self, aside: SetAside, today: date, kind: str, said: str) -> Result:
        self._give_back(aside, aside.points, kind)
        aside.state = "expired" if aside.citizen_id in self.revoked else "returned"
        return self._said(aside.citizen_id, today, said, aside.pool, aside.points)

    def _give_back(self, aside: SetAside, points: int, kind: str) -> None:
        """The last `points` of what was set aside; whose MyKey ID has ended gets nothing any more."""
        if aside.citizen_id in self.revoked and points:
            self.pass_on(aside.citizen_id, aside.box, Other("expired", aside.pool), points, kind)
            return
        singles = [lot for lot, part in aside.parts for _ in range(part)][aside.points - points :]
        for lot, part in _runs(singles):
            self.pass_on(aside.citizen_id, aside.box, lot, part, kind)

    def _for_a_while(self, lot: Lot, today: date) -> Lot:
        return lot._replace(last_day=max(lot.last_day, today + timedelta(days=self.refund_days - 1)))

    def _said(self, citizen_id: UUID, today: date, what: str, pool: str, points: int) -> Result:
        balance = self.balance(citizen_id, pool, today)
        return Result(None, points, {pool: balance}, (Said(what, pool, points, balance),))


def _not_open(aside: SetAside | None) -> str | None:
    if aside is None:
        return "no_hold"
    return None if aside.state == "open" else "hold_resolved"


def _sure(aside: SetAside | None) -> SetAside:
    assert aside is not None
    return aside


def _runs(singles: list[Lot]) -> list[tuple[Lot, int]]:
    """Single points as (lot, how many), in their order."""
    return [(lot, singles.count(lot)) for lot in dict.fromkeys(singles)]
