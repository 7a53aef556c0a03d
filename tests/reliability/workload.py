"""What callers ask in every layer: a few citizens in a few lanes, every operation, repeated ids, conflicts."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from types import MappingProxyType
from typing import Final
from uuid import UUID

from hub.clock import business_date_of
from schemas.grants import CreditCoupon, GrantPoints
from schemas.points import CreditPoints, MovePoints, PostingCommand, SweepReserve, UsePoints
from schemas.values import NO_EXPIRY, RESERVE
from tests.workers.ledger import world_holds as holding
from tests.workers.ledger.naive import Coupon
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
    citizen,
    credit,
    expire,
    move,
    refusal,
    sweep,
    use,
)

CITIZENS: Final = (citizen(1, 0), citizen(2, 0), citizen(1, 1), citizen(1, 2))
MORTALS: Final = (citizen(3, 0), citizen(3, 1))
"""Whose MyKey IDs may end."""
POOLS: Final = (FOREVER, MONTHLY, DATED, FESTIVAL, UNKNOWN)
COUNTERS: Final = {FOREVER: TOWN, FESTIVAL: TOWN, MONTHLY: CITY, DATED: "131032", UNKNOWN: TOWN}
POOL_WEIGHTS: Final = (4, 4, 4, 4, 1)
LIKELY: Final = 0.8

PLAIN: Final[Mapping[str, float]] = MappingProxyType(
    {"credit": 6, "to_pool": 7, "move": 5, "use": 8, "sweep": 3.5, "expire": 4, "refusal": 1}
)
"""What has no state but lots."""
EVERYTHING: Final[Mapping[str, float]] = MappingProxyType({
    "credit": 7, "to_pool": 9, "move": 5, "use": 4, "sweep": 3.5, "expire": 4, "refusal": 0.5,
    "grant": 3, "coupon": 2, "together": 6, "correct": 2.5, "revoke": 0.5,
    "issue": 5, "redeem": 5, "expire_voucher": 2.5, "authorise": 6, "capture": 6, "void": 3, "expire_order": 1.5,
    "refund": 3.5, "send": 4, "acknowledge": 2, "send_back": 2,
})  # fmt: skip
BEGUN_BY: Final = {
    "redeem": "issue", "expire_voucher": "issue", "capture": "authorise", "void": "authorise",
    "expire_order": "authorise", "refund": "capture", "acknowledge": "send", "send_back": "send",
}  # fmt: skip
"""What ends a hold, or gives of it back → what has to be before."""
RECENT: Final = 3
UNSEEN: Final = 0.1
"""Of so many holds somebody tries the end before it is known whether they were begun."""
COUPONS: Final = {
    (AIRLINE, holding.code_hash(f"k{number}")): (10 + number, POOLS[number % len(POOLS)]) for number in range(6)
}
"""Each for whoever comes first, from whatever partition."""
CORRECTABLE: Final = (CreditPoints, MovePoints, SweepReserve, UsePoints)


def naive_coupons() -> dict[tuple[UUID, bytes], Coupon]:
    """The same, on paper."""
    return {key: Coupon(points, pool, NO_EXPIRY) for key, (points, pool) in COUPONS.items()}


@dataclass(slots=True)
class Common:
    """What all callers of a run know, so that there is something to take, to end and to correct."""

    wallets: list[tuple[UUID, str]] = field(default_factory=list)
    begun: dict[str, list[tuple[UUID, str]]] = field(default_factory=lambda: defaultdict(list))
    """Operation → whose hold it was about, and the hold's name: of what was answered as posted, and some others."""
    counters: dict[str, str] = field(default_factory=dict)
    """A voucher's name → the municipality in which it is good."""
    able: list[PostingCommand] = field(default_factory=list)
    """What may be corrected."""
    about: dict[tuple[UUID, str], tuple[str, str]] = field(default_factory=dict)
    """A command's id → its operation and its hold's name."""

    def posted(self, command: PostingCommand) -> None:
        """A caller was told so."""
        if isinstance(command, (CreditPoints, GrantPoints)) and command.pool != RESERVE:
            self.wallets.append((command.citizen_id, command.pool))
        if isinstance(command, CORRECTABLE):
            self.able.append(command)
        operation, hold = self.about.get((command.party_id, command.command_id), ("", ""))
        if operation:
            self.begun[operation].append((command.citizen_id, hold))


class Workload:
    """Commands, each with an id of its own, but for those that come again or conflict on purpose."""

    def __init__(
        self,
        random: Random,
        name: str,
        common: Common,
        citizens: Sequence[UUID] = CITIZENS,
        operations: Mapping[str, float] = PLAIN,
        now: Callable[[], datetime] = lambda: START,
    ) -> None:
        """`now`: what a caller's clock says, more or less: when orders and vouchers are to end."""
        self._citizens = citizens
        self._random = random
        self._common = common
        self._name = name
        self._operations = list(operations)
        self._weights = list(operations.values())
        self._now = now
        self._count = 0
        self._made: list[PostingCommand] = []

    def next(self) -> PostingCommand:
        """Mostly a new command; one in eight again as it was, one in sixteen under an old id for somebody else."""
        draw = self._random.random()
        if self._made and draw < 1 / 8:
            return self._random.choice(self._made)
        if self._made and draw < 3 / 16:
            old = self._random.choice(self._made)
            another = {"request_hash": self._random.randbytes(16), "citizen_id": self._random.choice(self._citizens)}
            return old.model_copy(update=another)
        command = self._new()
        self._made.append(command)
        return command

    def rival(self, command: PostingCommand) -> PostingCommand | None:
        """Another citizen's, who wants the very same at the same moment, maybe in another partition."""
        if not isinstance(command, CreditCoupon):
            return None
        self._count += 1
        other = {"command_id": f"{self._name}-{self._count}", "citizen_id": self._random.choice(self._citizens)}
        return command.model_copy(update=other)

    def _new(self) -> PostingCommand:
        self._count += 1
        name = f"{self._name}-{self._count}"
        operation = self._random.choices(self._operations, self._weights)[0]
        return self._about_hold(operation, name) or self._plain(operation, name)

    def _plain(self, operation: str, name: str) -> PostingCommand:
        much, little = self._random.randint(10, 60), self._random.randint(1, 25)
        me, pool = self._wallet(operation)
        store = self._random.choice((STORE, OTHER_STORE))
        partner = self._random.choice((AIRLINE, CARD))
        make: dict[str, Callable[[], PostingCommand]] = {
            "credit": lambda: credit(name, me, much, party_id=partner),
            "to_pool": lambda: credit(name, me, much, pool, partner),
            "move": lambda: move(name, me, little, pool),
            "use": lambda: use(name, me, little, pool, store, COUNTERS[pool]),
            "sweep": lambda: sweep(name, me, self._random.choice((FOREVER, MONTHLY))),
            "expire": lambda: expire(name, me),
            "refusal": lambda: refusal(name, me),
            "grant": lambda: holding.grant(name, me, much, pool),
            "coupon": lambda: holding.coupon(name, me, f"k{self._random.randrange(len(COUPONS) + 1)}"),
            "together": lambda: self._together(name, me, pool),
            "correct": lambda: self._correct(name, me),
            "revoke": lambda: holding.revoke(name, self._random.choice(MORTALS)),
        }  # fmt: skip
        return make[operation]()

    def _wallet(self, operation: str) -> tuple[UUID, str]:
        """Somebody, and one of the pools; for what takes points, mostly where there are some."""
        me, pool = self._random.choice(self._citizens), self._random.choices(POOLS, POOL_WEIGHTS)[0]
        wallets = self._common.wallets
        if operation in {"to_pool", "move", "grant"}:
            wallets.append((me, pool))
        elif operation not in {"credit", "sweep", "refusal"} and wallets and self._random.random() < LIKELY:
            return self._random.choice(wallets)
        return me, pool

    def _together(self, name: str, me: UUID, pool: str) -> PostingCommand:
        others = {each for who, each in self._common.wallets if who == me} - {pool} or {UNKNOWN}
        other = self._random.choice(sorted(others))
        parts = (
            use(f"{name}-{one}", me, self._random.randint(1, 5), one, STORE, COUNTERS[one]) for one in (pool, other)
        )
        return holding.use_together(name, me, *parts)

    def _correct(self, name: str, me: UUID) -> PostingCommand:
        able = self._common.able[-4 * RECENT :]
        return holding.correct(name, self._random.choice(able)) if able else expire(name, me)

    def _about_hold(self, operation: str, name: str) -> PostingCommand | None:
        """A command that begins a hold or ends one; None for any other."""
        before = BEGUN_BY.get(operation)
        if before is not None:
            begun = self._common.begun[before]
            if begun:
                me, hold = self._random.choice(begun[-RECENT:])
                return self._known(operation, hold, self._end(operation, name, me, hold))
            operation = BEGUN_BY.get(before, before)
        if operation not in {"issue", "authorise", "send"}:
            return None
        me, pool = self._wallet(operation)
        return self._known(operation, name, self._begin(operation, name, me, pool))

    def _known(self, operation: str, hold: str, command: PostingCommand) -> PostingCommand:
        self._common.about[command.party_id, command.command_id] = operation, hold
        if self._random.random() < UNSEEN:
            self._common.begun[operation].append((command.citizen_id, hold))
        return command

    def _begin(self, operation: str, name: str, me: UUID, pool: str) -> PostingCommand:
        points, now = self._random.randint(2, 20), self._now()
        if operation == "issue":
            self._common.counters[name] = COUNTERS[pool]
            last = business_date_of(now) + timedelta(days=self._random.randint(-1, 24))
            return holding.issue(name, me, points, pool, COUNTERS[pool], expires_on=last)
        if operation == "authorise":
            return holding.authorise(name, me, points, pool, until=now + timedelta(days=self._random.uniform(-1, 40)))
        return holding.send(name, me, points, pool, COUNTERS[pool], at_most=self._random.random() < 0.3)

    def _end(self, operation: str, name: str, me: UUID, hold: str) -> PostingCommand:
        code = holding.CODE if self._random.random() < 0.9 else holding.WRONG_CODE
        some = self._random.randint(1, 9)
        lg_code = self._common.counters.get(hold, TOWN) if self._random.random() < 0.9 else CITY
        make: dict[str, Callable[[], PostingCommand]] = {
            "redeem": lambda: holding.redeem(name, me, hold, code=code, lg_code=lg_code),
            "expire_voucher": lambda: holding.expire_voucher(name, me, hold),
            "capture": lambda: holding.capture(name, me, hold, self._random.choice((None, some))),
            "void": lambda: holding.void(name, me, hold),
            "expire_order": lambda: holding.expire_order(name, me, hold),
            "refund": lambda: holding.refund(name, me, hold, some),
            "acknowledge": lambda: holding.acknowledge(name, me, hold),
            "send_back": lambda: holding.send_back(name, me, hold),
        }  # fmt: skip
        return make[operation]()
