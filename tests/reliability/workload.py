"""What callers ask in every layer: a few citizens in a few lanes, every operation, repeated ids, conflicts."""

from collections.abc import Callable
from random import Random
from typing import Final

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

CITIZENS: Final = tuple(citizen(number, lane) for lane in range(3) for number in (1, 2))
POOLS: Final = (FOREVER, MONTHLY, DATED, FESTIVAL, UNKNOWN)
COUNTERS: Final = {FOREVER: TOWN, FESTIVAL: TOWN, MONTHLY: CITY, DATED: "131032", UNKNOWN: TOWN}
OPERATIONS: Final = ("credit", "to_pool", "move", "use", "sweep", "expire", "refusal")
WEIGHTS: Final = (6, 4, 4, 7, 2, 2, 1)


class Workload:
    """Commands, each with an id of its own, but for those that come again or conflict on purpose."""

    def __init__(self, random: Random, name: str) -> None:
        self._random = random
        self._name = name
        self._count = 0
        self._made: list[PostingCommand] = []

    def next(self) -> PostingCommand:
        """Mostly a new command; one in eight again as it was, one in sixteen with another body under an old id."""
        draw = self._random.random()
        if self._made and draw < 1 / 8:
            return self._random.choice(self._made)
        if self._made and draw < 3 / 16:
            old = self._random.choice(self._made)
            return old.model_copy(update={"request_hash": self._random.randbytes(16)})
        command = self._new()
        self._made.append(command)
        return command

    def _new(self) -> PostingCommand:
        self._count += 1
        name, me = f"{self._name}-{self._count}", self._random.choice(CITIZENS)
        amount = self._random.randint(1, 40)
        pool = self._random.choice(POOLS)
        store = self._random.choice((STORE, OTHER_STORE))
        partner = self._random.choice((AIRLINE, CARD))
        make: dict[str, Callable[[], PostingCommand]] = {
            "credit": lambda: credit(name, me, amount, party_id=partner),
            "to_pool": lambda: credit(name, me, amount, pool, partner),
            "move": lambda: move(name, me, amount, pool),
            "use": lambda: use(name, me, amount, pool, store, COUNTERS[pool]),
            "sweep": lambda: sweep(name, me, self._random.choice((FOREVER, MONTHLY))),
            "expire": lambda: expire(name, me),
            "refusal": lambda: refusal(name, me),
        }
        return make[self._random.choices(OPERATIONS, WEIGHTS)[0]]()
