"""What the load is about: citizens with three lots each, 100 municipalities, 2,000 stores, 8 partners.

Everything is derived from numbers, so that each process, and SQL (`seeding`), knows it without asking. A citizen has
two lots of the own municipality's points that end in different months, and one of reserve points.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from datetime import date
from enum import StrEnum
from itertools import accumulate
from typing import Final
from uuid import UUID, uuid5

from hub.clock import expiry_after_months
from schemas.ids import CheapUUID
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
    return CheapUUID(uuid5(_NAMESPACE, name).hex)


def _lg_code(number: int) -> str:
    five = f"{number:05d}"
    return five + lg_check_digit(five)


LG_CODES: Final = [_lg_code(10_000 + number) for number in range(MUNICIPALITIES)]
POOLS: Final = [scheme_pool(code) for code in LG_CODES]
STORES: Final = [[_named(f"store {place} {n}") for n in range(STORES_EACH)] for place in range(MUNICIPALITIES)]


def partner(number: int) -> UUID:
    """The partner of this number; the load has PARTNERS of them."""
    return _named(f"partner {number}")


PARTNER_IDS: Final = [partner(number) for number in range(PARTNERS)]
SHOP: Final = _named("shop")
"""An online shop, to which the first citizens are linked as they are to the partners."""
TERMINALS: Final = _named("terminals")
SEED_PARTY: Final = _named("seed")


def citizen(number: int) -> UUID:
    """The citizen of this number: what PostgreSQL calls `md5(number::text)::uuid`."""
    return CheapUUID(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest())


def scheme_lot_dates(today: date) -> list[date]:
    """The last days of a citizen's seeded lots of municipal points."""
    return [expiry_after_months(today, months) for months in (EARLIER_MONTHS, LATER_MONTHS)]


class Scenario(StrEnum):
    """Who pays whom. The names are those that other ledgers' benchmarks go by; `bank` is one account for all."""

    spread = "spread"
    """Credits and uses 50/50: any partner, any citizen, any store."""
    one_partner_one_store = "one_partner_one_store"
    """The same, with one partner and one store: every transfer touches one of two accounts."""
    world_to_any = "world_to_any"
    """One partner credits any citizen."""
    world_to_bank = "world_to_bank"
    """One partner credits one citizen of each process."""
    any_to_bank = "any_to_bank"
    """Any citizen uses points at one store."""
    single_hot_account = "single_hot_account"
    """One citizen of each process is credited and uses points, 50/50."""
    no_reserve = "no_reserve"
    """As `spread`, but no points come to reserve, where nobody would sweep them: a load of months."""
    zipf = "zipf"
    """As `spread`, but citizens by Zipf's law with exponent 1.0 among the first 100,000."""


_ONE_CITIZEN: Final = frozenset({Scenario.world_to_bank, Scenario.single_hot_account})
_TO_SCHEMES: Final = _ONE_CITIZEN | {Scenario.no_reserve}
_ONE_PARTNER: Final = frozenset({Scenario.world_to_any, Scenario.world_to_bank, Scenario.one_partner_one_store})
_ONE_STORE: Final = frozenset({Scenario.any_to_bank, Scenario.one_partner_one_store})
_CREDITS: Final = {Scenario.world_to_any: 1.0, Scenario.world_to_bank: 1.0, Scenario.any_to_bank: 0.0}
"""The share of credits where it is not half."""
_ZIPF_CITIZENS: Final = 100_000


def commands(
    run: str, lanes: Sequence[int], citizens: int, chunk: int, scenario: Scenario = Scenario.spread
) -> Iterator[list[PostingCommand]]:
    """For ever: chunks of commands for citizens of these lanes; their ids begin with `run`."""
    chance = random.Random(run)
    mine = frozenset(lanes)
    numbers = _citizens(chance, citizens, scenario)
    only = next(who for who in range(citizens) if lane_of(citizen(who)) in mine)
    number = 0
    while True:
        made: list[PostingCommand] = []
        while len(made) < chunk:
            who = only if scenario in _ONE_CITIZEN else next(numbers)
            citizen_id = citizen(who)
            if lane_of(citizen_id) in mine:
                number += 1
                made.append(command(f"{run}-{number}", citizen_id, who, chance, scenario))
        yield made


def _citizens(chance: random.Random, citizens: int, scenario: Scenario) -> Iterator[int]:
    if scenario is not Scenario.zipf:
        while True:
            yield chance.randrange(citizens)
    ranks = range(min(citizens, _ZIPF_CITIZENS))
    weights = list(accumulate(1 / (rank + 1) for rank in ranks))
    while True:
        yield from chance.choices(ranks, cum_weights=weights, k=1_000)


def command(command_id: str, citizen_id: UUID, who: int, chance: random.Random, scenario: Scenario) -> PostingCommand:
    """The next one for this citizen, whose number is `who`."""
    points = chance.randint(1, POINTS_LIMIT)
    request_hash = chance.randbytes(16)
    place = who % MUNICIPALITIES
    if chance.random() >= _CREDITS.get(scenario, HALF):
        store = STORES[0][0] if scenario in _ONE_STORE else chance.choice(STORES[place])
        return UsePoints.trusted(
            party_id=TERMINALS, command_id=command_id, request_hash=request_hash, citizen_id=citizen_id,
            pool=POOLS[place], points=points, store_id=store, lg_code=LG_CODES[place], at_most=False,
        )  # fmt: skip
    return CreditPoints.trusted(
        party_id=PARTNER_IDS[0] if scenario in _ONE_PARTNER else chance.choice(PARTNER_IDS), command_id=command_id,
        request_hash=request_hash, citizen_id=citizen_id,
        pool=POOLS[place] if scenario in _TO_SCHEMES or chance.random() < HALF else RESERVE, points=points,
    )  # fmt: skip
