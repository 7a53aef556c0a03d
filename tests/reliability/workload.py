"""What callers ask in every layer: a few citizens in a few lanes, every operation, repeated ids, conflicts."""

from collections.abc import Callable, Sequence
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
POOLS: Final = (FOREVER, MONTHLY, DATED, FESTIVAL, UNKNOWN)
COUNTERS: Final = {FOREVER: TOWN, FESTIVAL: TOWN, MONTHLY: CITY, DATED: "131032", UNKNOWN: TOWN}
OPERATIONS: Final = ("credit", "to_pool", "move", "use", "sweep", "expire", "refusal")
WEIGHTS: Final = (6, 7, 5, 8, 3, 4, 1)
LIKELY: Final = 0.8
POOL_WEIGHTS: Final = (4, 4, 4, 4, 1)


class Workload:
    """Commands, each with an id of its own, but for those that come again or conflict on purpose."""

    def __init__(
        self, random: Random, name: str, wallets: list[tuple[UUID, str]], citizens: Sequence[UUID] = CITIZENS
    ) -> None:
        """`wallets`: who was credited in which pool, shared by all callers, so that there is something to take."""
        self._citizens = citizens
        self._random = random
        self._wallets = wallets
        self._name = name
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

    def _new(self) -> PostingCommand:
        self._count += 1
        name = f"{self._name}-{self._count}"
        much, little = self._random.randint(10, 60), self._random.randint(1, 25)
        operation = self._random.choices(OPERATIONS, WEIGHTS)[0]
        me, pool = self._random.choice(self._citizens), self._random.choices(POOLS, POOL_WEIGHTS)[0]
        if operation in {"use", "expire"} and self._wallets and self._random.random() < LIKELY:
            me, pool = self._random.choice(self._wallets)
        elif operation in {"to_pool", "move"}:
            self._wallets.append((me, pool))
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
        }
        return make[operation]()
