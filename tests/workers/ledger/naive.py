"""The ledger as somebody would keep it on paper: slow, obvious, and written from the mission, not from the code.

Everything that is proven about the ledger is proven against this: the property tests, the state machine, the
simulator's and the failpoints' checker (which replays the journal in commit order).
"""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from hub.clock import start_of_day
from schemas import checkouts, corrections, grants, merges, points, vouchers
from schemas.points import PostingCommand
from tests.workers.ledger.naive_holds import Holds
from tests.workers.ledger.naive_wallets import (
    NOBODY,
    Lot,
    NotThereError,
    Other,
    Place,
    Result,
    Rule,
    Said,
    first_of,
)

__all__ = ["NaiveLedger", "Result", "Rule"]

EVEN_ONCE_REVOKED: Final = (
    points.RecordRefusal,
    vouchers.RedeemVoucher, vouchers.ExpireVoucher,
    checkouts.CapturePoints, checkouts.VoidAuthorisation, checkouts.ExpireAuthorisation,
    checkouts.RefundCapture, corrections.CorrectPosting,
    merges.AcknowledgeMerge, merges.ReturnMerge,
)  # fmt: skip
"""What was set aside finds its end, and who was paid may give it back; else nothing happens to an ended MyKey ID."""
CORRECTABLE: Final[Mapping[type[PostingCommand], str]] = {
    points.CreditPoints: "credit", points.MovePoints: "move", points.SweepReserve: "move", points.UsePoints: "use",
    corrections.UseTogether: "use", grants.GrantPoints: "grant",
}  # fmt: skip
"""What can be taken back, and as what it is settled then: with a minus before it."""


@dataclass
class Coupon:
    """A coupon, and whether it is used up."""

    points: int
    pool: str
    last: date
    used: bool = False


@dataclass
class Posting:
    """A posted command, and what it passed on."""

    command: PostingCommand
    slip: list[tuple[Place, Place, int]]
    points: int
    corrected: bool = False


class NaiveLedger(Holds):
    """All wallets, and what came from and went to whom."""

    def __init__(self, rules: Iterable[Rule] = (), holding_period_days: int = 21) -> None:
        super().__init__(rules)
        self.holding_period_days = holding_period_days
        self.outcomes: dict[tuple[UUID, str], tuple[bytes, Result]] = {}
        self.coupons: dict[tuple[UUID, bytes], Coupon] = {}
        self.postings: dict[tuple[UUID, str], Posting] = {}

    def ask(self, command: PostingCommand, today: date, now: datetime | None = None) -> Result:
        """The one outcome of this command, for ever; `id_conflict` for another request under its id.

        An order of the citizen that nobody captured in time is free before anything else happens to them.
        """
        key = command.party_id, command.command_id
        if key not in self.outcomes:
            for hold_id in self.over(command.citizen_id, now or start_of_day(today)):
                if not (isinstance(command, checkouts.ExpireAuthorisation) and command.hold_id == hold_id):
                    self.free(hold_id, today)
            self.outcomes[key] = command.request_hash, self.do(command, today, now)
        request_hash, result = self.outcomes[key]
        return result if request_hash == command.request_hash else Result("id_conflict")

    def do(self, command: PostingCommand, today: date, now: datetime | None = None) -> Result:
        """Decide and do it."""
        if command.citizen_id in self.revoked and not isinstance(command, EVEN_ONCE_REVOKED):
            return Result("citizen_revoked")
        self.slip = []
        result = self._do(command, today, now or start_of_day(today))
        if result.code is None:
            key = command.party_id, command.command_id
            self.postings[key] = Posting(command, self.slip, result.points)
        return result

    def _do(self, command: PostingCommand, today: date, now: datetime) -> Result:  # noqa: C901, PLR0911, PLR0912 - one line an operation
        match command:
            case points.CreditPoints():
                return self._credit(command, today)
            case points.MovePoints():
                return self._move(command, today)
            case points.SweepReserve():
                return self._sweep(command, today)
            case points.UsePoints():
                return self._use(command, today)
            case points.ExpirePoints():
                return self._expire(command, today)
            case points.RecordRefusal():
                return Result(command.code)
            case corrections.UseTogether():
                return self._use_together(command, today)
            case corrections.RevokeCitizen():
                return self._revoke(command)
            case corrections.CorrectPosting():
                return self._correct(command, today)
            case grants.GrantPoints():
                return self._grant(command, today)
            case grants.CreditCoupon():
                return self._coupon(command, today)
            case vouchers.IssueVoucher():
                return self.issue(command, today)
            case vouchers.RedeemVoucher():
                return self.redeem(command, today, now)
            case vouchers.ExpireVoucher():
                return self.expire_voucher(command, now)
            case checkouts.AuthorisePoints():
                return self.authorise(command, today, now)
            case checkouts.CapturePoints():
                return self.capture(command, today, now)
            case checkouts.VoidAuthorisation():
                return self.release(command, today, None)
            case checkouts.ExpireAuthorisation():
                return self.release(command, today, now)
            case checkouts.RefundCapture():
                return self.refund(command, today)
            case merges.SendMerge():
                return self.send(command, today)
            case merges.AcknowledgeMerge():
                return self.acknowledge(command, today)
            case merges.ReturnMerge():
                return self.send_back(command, today)
        raise AssertionError(type(command))

    # points come in

    def _credit(self, command: points.CreditPoints, today: date) -> Result:
        return self._from_partner(command, command.pool, command.points, today, "credit")

    def _coupon(self, command: grants.CreditCoupon, today: date) -> Result:
        coupon = self.coupons.get((command.party_id, command.code_hash))
        if coupon is None or coupon.used or coupon.last < today:
            return Result("no_coupon")
        result = self._from_partner(command, coupon.pool, coupon.points, today, "coupon")
        coupon.used = result.code is None
        return result

    def _from_partner(self, command: PostingCommand, pool: str, amount: int, today: date, kind: str) -> Result:
        if pool == "reserve":
            held_until = today + timedelta(days=self.holding_period_days) - timedelta(days=1)
            lot = Lot(pool, held_until, command.party_id)
        else:
            code = self.closed(pool, today)
            if code:
                return Result(code)
            lot = Lot(pool, self.rules[pool].last_day(today), NOBODY)
        self.pass_on(command.citizen_id, Other("partner", command.party_id), lot, amount, kind)
        return self._said(command.citizen_id, today, "points.credited", pool, amount)

    def _grant(self, command: grants.GrantPoints, today: date) -> Result:
        code = self.closed(command.pool, today)
        if code:
            return Result(code)
        lot = Lot(command.pool, self.rules[command.pool].last_day(today), NOBODY)
        self.pass_on(command.citizen_id, Other("programme", command.programme_id), lot, command.points, "grant")
        return self._said(command.citizen_id, today, "grants.granted", command.pool, command.points)

    # points move

    def _move(self, command: points.MovePoints, today: date) -> Result:
        code = self.closed(command.pool, today)
        if code:
            return Result(code)
        reserve = self.usable(command.citizen_id, "reserve", today)
        wanted = self._wanted(command, sum(part for _, part in reserve))
        if wanted is None:
            return Result("insufficient_points")
        return self._into(command, today, first_of(reserve, wanted), "move")

    def _sweep(self, command: points.SweepReserve, today: date) -> Result:
        code = self.closed(command.pool, today)
        if code:
            return Result(code)
        due = [each for each in self.usable(command.citizen_id, "reserve", today) if each[0].last_day < today]
        if not due:
            return Result("nothing_due")
        return self._into(command, today, due, "sweep")

    def _into(
        self,
        command: points.MovePoints | points.SweepReserve,
        today: date,
        parts: list[tuple[Lot, int]],
        kind: str,
    ) -> Result:
        citizen_id, pool = command.citizen_id, command.pool
        target = Lot(pool, self.rules[pool].last_day(today), NOBODY)
        for lot, part in parts:
            self.pass_on(citizen_id, lot, target, part, kind)
        told = self._said(citizen_id, today, "points.moved", pool, sum(part for _, part in parts))
        balances = {each: self.balance(citizen_id, each, today) for each in ("reserve", pool)}
        return Result(None, told.points, balances, told.said)

    # points are spent, or end

    def _use(self, command: points.UsePoints, today: date, kind: str = "use") -> Result:
        citizen_id, pool = command.citizen_id, command.pool
        if not self.is_usable_at(citizen_id, pool, command.lg_code, today):
            return Result("not_usable_here")
        wanted = self._wanted(command, self.balance(citizen_id, pool, today))
        if wanted is None:
            return Result("insufficient_points")
        for lot, part in first_of(self.usable(citizen_id, pool, today), wanted):
            self.pass_on(citizen_id, lot, Other("store", command.store_id), part, kind)
        return self._said(citizen_id, today, "points.used", pool, wanted)

    def _wanted(self, command: points.UsePoints | points.MovePoints, there: int) -> int | None:
        """How much is taken: what is asked for, or with `at_most` what is there of it; None where that is not there."""
        if command.at_most and there:
            return min(command.points, there)
        return command.points if command.points <= there else None

    def _use_together(self, command: corrections.UseTogether, today: date) -> Result:
        if len({part.pool for part in command.parts}) < len(command.parts):
            return Result("same_pool")
        if {part.citizen_id for part in command.parts} != {command.citizen_id}:
            return Result("unknown_citizen")
        before = copy.deepcopy((self.packets, self.others, self.settled))
        results = [self._use(part, today, "use_together") for part in command.parts]
        for result in results:
            if result.code:
                self.packets, self.others, self.settled = before
                return Result(result.code)
        balances = {pool: points for result in results for pool, points in result.balances.items()}
        said = tuple(said for result in results for said in result.said)
        return Result(None, sum(result.points for result in results), balances, said)

    def _expire(self, command: points.ExpirePoints, today: date) -> Result:
        gone: Counter[str] = Counter()
        for lot, amount in self.lots(command.citizen_id).items():
            if lot.pool != "reserve" and lot.last_day < today:
                gone[lot.pool] += amount
                self.pass_on(command.citizen_id, lot, Other("expired", lot.pool), amount, "expire")
        if not gone:
            return Result("nothing_due")
        left = {pool: self.balance(command.citizen_id, pool, today) for pool in gone}
        said = tuple(Said("points.expired", pool, amount, left[pool]) for pool, amount in gone.items())
        return Result(None, gone.total(), left, said)

    def _revoke(self, command: corrections.RevokeCitizen) -> Result:
        gone: Counter[str] = Counter()
        for lot, amount in self.lots(command.citizen_id).items():
            gone[lot.pool] += amount
            self.pass_on(command.citizen_id, lot, Other("expired", lot.pool), amount, "revoke")
        self.revoked.add(command.citizen_id)
        said = tuple(Said("corrections.revoked", pool, amount, 0) for pool, amount in gone.items())
        return Result(None, gone.total(), dict.fromkeys(gone, 0), said)

    # mistakes

    def _correct(self, command: corrections.CorrectPosting, today: date) -> Result:
        """Everything goes back the way it came, the last first, as long as it is still there.

        Whose MyKey ID has ended gets nothing any more.
        """
        if command.asked_by == command.approved_by:
            return Result("one_person")
        original = self.postings.get((command.original_party_id, command.original_command_id))
        if original is None or original.command.citizen_id != command.citizen_id or not original.slip:
            return Result("no_posting")
        if original.corrected:
            return Result("corrected_before")
        if type(original.command) not in CORRECTABLE:
            return Result("not_correctable")
        before = copy.deepcopy((self.packets, self.others, self.settled))
        takes_back = f"-{CORRECTABLE[type(original.command)]}"
        try:
            for source, target, amount in reversed(original.slip):
                if isinstance(source, Lot) and command.citizen_id in self.revoked:
                    self.pass_on(command.citizen_id, target, Other("expired", source.pool), amount, takes_back)
                else:
                    self.pass_on(command.citizen_id, target, source, amount, takes_back)
        except NotThereError:
            self.packets, self.others, self.settled = before
            return Result("insufficient_points")
        original.corrected = True
        places = [place for source, target, _ in reversed(original.slip) for place in (target, source)]
        pools = list(dict.fromkeys(place.pool for place in places if isinstance(place, Lot)))
        balances = {pool: self.balance(command.citizen_id, pool, today) for pool in pools}
        said = Said("corrections.corrected", pools[0], original.points, balances[pools[0]])
        return Result(None, original.points, balances, (said,))
