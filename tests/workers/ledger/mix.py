"""A long random mix of all operations, from a seed: some citizens in some partitions, each with holds of their own."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from schemas.points import PostingCommand
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    CITY,
    DATED,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    OTHER_STORE,
    START,
    STORE,
    TOWN,
    UNKNOWN,
    credit,
    expire,
    move,
    refusal,
    sweep,
    use,
)
from tests.workers.ledger.world_holds import (
    CODE,
    WRONG_CODE,
    acknowledge,
    authorise,
    capture,
    correct,
    coupon,
    expire_order,
    expire_voucher,
    grant,
    issue,
    redeem,
    refund,
    revoke,
    send,
    send_back,
    use_together,
    void,
)

COUNTERS: Final = {FOREVER: TOWN, MONTHLY: CITY, DATED: "131032", FESTIVAL: TOWN, UNKNOWN: TOWN}
COUPONS_EACH: Final = 6
AGAIN: Final = 0.06
OTHER_BODY: Final = 0.02
WEIGHTS: Final = {
    "come_in": 10, "take_out": 8, "pass_on": 5, "time": 4, "refused": 1, "give": 3, "begin": 9, "end": 14, "mend": 4,
    "die": 0.05,
}  # fmt: skip


class Mix:
    """Commands that mostly make sense, now and then again, now and then with another body under an old id."""

    def __init__(self, seed: int, citizens: Sequence[UUID]) -> None:
        self._random = Random(seed)
        self._citizens = citizens
        self._made: list[PostingCommand] = []
        self._holds: dict[tuple[UUID, str], list[str]] = defaultdict(list)
        self.today, self.now = START.date(), START

    def coupons(self) -> Iterable[str]:
        """The names of the coupons that it uses: every partition has its own."""
        for lane in sorted({citizen_id.int % 16 for citizen_id in self._citizens}):
            yield from (f"{lane}-{number}" for number in range(COUPONS_EACH))

    def batch(self, count: int, today: date, now: datetime) -> list[PostingCommand]:
        """So many commands, of this day."""
        self.today, self.now = today, now
        swept = [self._clockworks_own(me) for me in self._random.sample(self._citizens, 3)]
        return [command for command in swept if command] + [self._next() for _ in range(count)]

    def _clockworks_own(self, me: UUID) -> PostingCommand | None:
        """An order of yesterday, before anybody else asks for anything of this citizen."""
        orders = self._holds[me, "order"]
        if not orders:
            return None
        self._made.append(expire_order(f"n{len(self._made)}", me, orders[-1]))
        return self._made[-1]

    def _next(self) -> PostingCommand:
        draw = self._random.random()
        if self._made and draw < AGAIN:
            return self._random.choice(self._made)
        if self._made and draw < AGAIN + OTHER_BODY:
            return self._random.choice(self._made).model_copy(update={"request_hash": b"another"})
        group = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        me = self._random.choice(self._citizens)
        make: dict[str, Callable[[str, UUID], PostingCommand]] = {
            "come_in": self._come_in, "take_out": self._take_out, "pass_on": self._pass_on, "time": self._time,
            "give": self._give, "begin": self._begin, "end": self._end, "mend": self._mend,
            "refused": refusal, "die": revoke,
        }  # fmt: skip
        command = make[group](f"n{len(self._made)}", me)
        self._made.append(command)
        return command

    def _some(self, most: int) -> int:
        return self._random.randint(1, most)

    def _pool(self) -> str:
        return self._random.choice(list(COUNTERS))

    def _is(self, chance: float) -> bool:
        return self._random.random() < chance

    def _come_in(self, name: str, me: UUID) -> PostingCommand:
        pool = "reserve" if self._is(0.4) else self._pool()
        return credit(name, me, self._some(60), pool, self._random.choice((AIRLINE, CARD)))

    def _take_out(self, name: str, me: UUID) -> PostingCommand:
        if self._is(0.2):
            parts = (use("a", me, self._some(9)), use("b", me, self._some(9), DATED, lg_code="131032"))
            return use_together(name, me, *parts)
        pool, store_id = self._pool(), self._random.choice((STORE, OTHER_STORE))
        return use(name, me, self._some(30), pool, store_id, COUNTERS[pool], at_most=self._is(0.3))

    def _pass_on(self, name: str, me: UUID) -> PostingCommand:
        return move(name, me, self._some(30), self._pool(), at_most=self._is(0.3))

    def _time(self, name: str, me: UUID) -> PostingCommand:
        return sweep(name, me, self._pool()) if self._is(0.5) else expire(name, me)

    def _give(self, name: str, me: UUID) -> PostingCommand:
        if self._is(0.5):
            return grant(name, me, self._some(40), self._pool())
        number = self._random.randrange(COUPONS_EACH + 1)
        return coupon(name, me, f"{me.int % 16}-{number}")

    def _begin(self, name: str, me: UUID) -> PostingCommand:
        pool, points = self._pool(), self._some(25)
        kind = self._random.choice(("voucher", "order", "merge"))
        hold = self._random.choice(self._holds[me, kind]) if self._holds[me, kind] and self._is(0.05) else name
        self._holds[me, kind].append(name)
        if kind == "voucher":
            last = self.today + timedelta(days=self._random.randint(-1, 6))
            return issue(name, me, points, pool, COUNTERS[pool], expires_on=last, hold=hold)
        if kind == "order":
            until = self.now + timedelta(hours=self._random.randint(-1, 90))
            return authorise(name, me, points, pool, until=until, hold=hold)
        return send(name, me, points, pool, COUNTERS[pool], hold=hold, at_most=self._is(0.3))

    def _end(self, name: str, me: UUID) -> PostingCommand:
        kind = self._random.choice(("voucher", "order", "order", "merge"))
        names = self._holds[self._random.choice(self._citizens) if self._is(0.03) else me, kind]
        hold = self._random.choice(names[-3:]) if names else "nothing"
        ends: dict[str, list[Callable[[], PostingCommand]]] = {
            "voucher": [
                lambda: redeem(name, me, hold, code=WRONG_CODE if self._is(0.1) else CODE, lg_code=TOWN),
                lambda: redeem(name, me, hold, lg_code=COUNTERS[self._pool()]),
                lambda: expire_voucher(name, me, hold),
            ],
            "order": [
                lambda: self._paid(name, me, hold), lambda: self._paid(name, me, hold), lambda: void(name, me, hold),
                lambda: self._given_back(name, me), lambda: self._given_back(name, me),
                lambda: expire_order(name, me, hold),
            ],
            "merge": [lambda: acknowledge(name, me, hold), lambda: send_back(name, me, hold)],
        }  # fmt: skip
        return self._random.choice(ends[kind])()

    def _paid(self, name: str, me: UUID, hold: str) -> PostingCommand:
        self._holds[me, "paid"].append(hold)
        return capture(name, me, hold, self._some(25) if self._is(0.5) else None)

    def _given_back(self, name: str, me: UUID) -> PostingCommand:
        paid = self._holds[me, "paid"]
        return refund(name, me, self._random.choice(paid[-3:]) if paid else "nothing", self._some(9))

    def _mend(self, name: str, me: UUID) -> PostingCommand:
        recent = [command for command in self._made[-60:] if command.citizen_id == me]
        return correct(name, self._random.choice(recent)) if recent else self._come_in(name, me)
