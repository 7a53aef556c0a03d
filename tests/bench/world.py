"""What the load is about: citizens with three lots each, 100 municipalities, 2,000 stores, 8 partners.

Everything is derived from numbers, so that each process, and SQL (`seeding`), knows it without asking. A citizen has
two lots of the own municipality's points that end in different months, and one of reserve points.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final
from uuid import UUID, uuid5

from hub.clock import expiry_after_months
from schemas.points import CreditPoints, PostingCommand, UsePoints
from schemas.values import RESERVE, lane_of, lg_check_digit, scheme_pool

LOTS_EACH: Final = 3
EARLIER_MONTHS: Final = 6
LATER_MONTHS: Final = 12
EXPIRY_RULE: Final = f"months:{LATER_MONTHS}"
"""So credits to a scheme fall into the citizen's later lot; uses take the earlier one first."""
LOT_POINTS: Final = 1_000
MUNICIPALITIES: Final = 100
STORES_EACH: Final = 20
PARTNERS: Final = 8
POINTS_LIMIT: Final = 100
HALF: Final = 0.5

_NAMESPACE: Final = UUID("6d796b65-7968-5562-8c0d-62656e636821")


def _named(name: str) -> UUID:
    return uuid5(_NAMESPACE, name)


def _lg_code(number: int) -> str:
    five = f"{number:05d}"
    return five + lg_check_digit(five)


LG_CODES: Final = [_lg_code(10_000 + number) for number in range(MUNICIPALITIES)]
POOLS: Final = [scheme_pool(code) for code in LG_CODES]
STORES: Final = [[_named(f"store {place} {n}") for n in range(STORES_EACH)] for place in range(MUNICIPALITIES)]
PARTNER_IDS: Final = [_named(f"partner {number}") for number in range(PARTNERS)]
TERMINALS: Final = _named("terminals")
SEED_PARTY: Final = _named("seed")


def citizen(number: int) -> UUID:
    """The citizen of this number: what PostgreSQL calls `md5(number::text)::uuid`."""
    return UUID(bytes=hashlib.md5(str(number).encode(), usedforsecurity=False).digest())


def scheme_lot_dates(today: date) -> list[date]:
    """The last days of a citizen's seeded lots of municipal points."""
    return [expiry_after_months(today, months) for months in (EARLIER_MONTHS, LATER_MONTHS)]


def commands(run: str, lanes: Sequence[int], citizens: int, chunk: int) -> Iterator[list[PostingCommand]]:
    """For ever: chunks of credits and counter uses mixed 50/50, for citizens of these lanes; ids begin with `run`."""
    chance = random.Random(run)
    mine = frozenset(lanes)
    number = 0
    while True:
        made: list[PostingCommand] = []
        while len(made) < chunk:
            who = chance.randrange(citizens)
            citizen_id = citizen(who)
            if lane_of(citizen_id) in mine:
                number += 1
                made.append(_command(f"{run}-{number}", citizen_id, who, chance))
        yield made


def _command(command_id: str, citizen_id: UUID, who: int, chance: random.Random) -> PostingCommand:
    points = chance.randint(1, POINTS_LIMIT)
    request_hash = chance.randbytes(16)
    place = who % MUNICIPALITIES
    if chance.random() < HALF:
        return UsePoints(
            party_id=TERMINALS, command_id=command_id, request_hash=request_hash, citizen_id=citizen_id,
            pool=POOLS[place], points=points, store_id=chance.choice(STORES[place]), lg_code=LG_CODES[place],
        )  # fmt: skip
    return CreditPoints(
        party_id=chance.choice(PARTNER_IDS), command_id=command_id, request_hash=request_hash, citizen_id=citizen_id,
        pool=POOLS[place] if chance.random() < HALF else RESERVE, points=points,
    )  # fmt: skip
