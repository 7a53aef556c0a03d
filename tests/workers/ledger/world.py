"""A small world of pools, parties and citizens for the ledger's tests, and how to ask a ledger in it."""

from collections.abc import Iterable
from datetime import date, datetime
from hashlib import blake2b
from typing import Final, TypeVar
from uuid import UUID

from hub.clock import JAPAN
from hub.database import Database
from hub.process import HubProcess
from schemas.message import Answered
from schemas.municipalities import SchemeRegistered, SupportEventRegistered
from schemas.points import (
    CreditPoints,
    ExpirePoints,
    MovePoints,
    PostingAnswer,
    PostingCommand,
    PostingStatus,
    RecordRefusal,
    SweepReserve,
    UsePoints,
)
from tests.workers.ledger.naive import Result, Rule
from workers.ledger import pools
from workers.ledger.accounts import Kind, PoolRule

Answer = TypeVar("Answer")
DEADLINE_S: Final = 20.0
START: Final = datetime(2026, 1, 10, 12, tzinfo=JAPAN)
TODAY: Final = START.date()

TOWN, CITY, PREFECTURE, ELSEWHERE = "131016", "131024", "130001", "011002"
FOREVER, MONTHLY, DATED, OVER, UNKNOWN = (
    f"scheme:{TOWN}",
    f"scheme:{CITY}",
    "scheme:131032",
    "scheme:131041",
    "scheme:131059",
)
FESTIVAL = f"event:{UUID(int=0xE1)}"
"""The prefecture's, usable in TOWN too, 2026-01-05 to 2026-02-15."""
LATER = f"event:{UUID(int=0xE2)}"
"""The CITY's, from 2026-02-01 on."""
NO_EVENT = f"event:{UUID(int=0xE9)}"
POOLS: Final = ("reserve", FOREVER, MONTHLY, DATED, OVER, UNKNOWN, FESTIVAL, LATER, NO_EVENT)

RULES: Final = (
    Rule(FOREVER, TOWN, "none", usable_in=frozenset({TOWN})),
    Rule(MONTHLY, CITY, "months:1", usable_in=frozenset({CITY})),
    Rule(DATED, "131032", "date:2026-02-20", usable_in=frozenset({"131032"})),
    Rule(OVER, "131041", "date:2025-12-31", usable_in=frozenset({"131041"})),
    Rule(FESTIVAL, PREFECTURE, "date:2026-02-15", date(2026, 1, 5), date(2026, 2, 15), frozenset({PREFECTURE, TOWN})),
    Rule(LATER, CITY, "date:2026-03-31", date(2026, 2, 1), date(2026, 3, 31), frozenset({CITY})),
)
AIRLINE, CARD, STORE, OTHER_STORE = (UUID(int=n) for n in (0xA1, 0xA2, 0xB1, 0xB2))
CITY_OFFICE = UUID(int=0xC1)


def pool_rules(rules: Iterable[Rule] = RULES) -> dict[str, PoolRule]:
    """The rules as the ledger keeps them."""
    return {
        rule.pool: PoolRule(rule.pool, rule.lg_code, rule.expiry, rule.first, rule.last, rule.usable_in)
        for rule in rules
    }


async def open_pools(database: Database, rules: Iterable[Rule] = RULES) -> None:
    """Tell a ledger what the registry would."""
    async with database.transaction() as tx:
        for rule in rules:
            said = registered(rule)
            if isinstance(said, SchemeRegistered):
                await pools.scheme_registered([said], tx)
            else:
                await pools.support_event_registered([said], tx)


def registered(rule: Rule) -> SchemeRegistered | SupportEventRegistered:
    """What the registry says of a pool."""
    kind, _, name = rule.pool.partition(":")
    if kind == "scheme":
        return SchemeRegistered(lg_code=name, municipality="", point_name="", expiry_rule=rule.expiry)
    return SupportEventRegistered(
        event_id=UUID(name),
        lg_code=rule.lg_code,
        point_name="",
        first=rule.first,
        last=rule.last,
        usable_in=tuple(sorted(rule.usable_in - {rule.lg_code})),
    )


def citizen(number: int, lane: int = 0) -> UUID:
    """A citizen of a lane."""
    return UUID(int=(number << 8) | lane)


def hash_of(*content: object) -> bytes:
    """The request hash of a body."""
    return blake2b(repr(content).encode(), digest_size=16).digest()


def credit(
    command_id: str, citizen_id: UUID, points: int, pool: str = "reserve", party_id: UUID = AIRLINE
) -> CreditPoints:
    """A partner's credit."""
    return CreditPoints(
        party_id=party_id, command_id=command_id, request_hash=hash_of("credit", citizen_id, points, pool),
        citizen_id=citizen_id, pool=pool, points=points,
    )  # fmt: skip


def move(command_id: str, citizen_id: UUID, points: int, pool: str = FOREVER, *, at_most: bool = False) -> MovePoints:
    """The citizen's own move."""
    return MovePoints(
        party_id=citizen_id, command_id=command_id, request_hash=hash_of("move", points, pool),
        citizen_id=citizen_id, pool=pool, points=points, at_most=at_most,
    )  # fmt: skip


def sweep(command_id: str, citizen_id: UUID, pool: str = FOREVER) -> SweepReserve:
    """The clockwork's sweep."""
    return SweepReserve(
        party_id=CITY_OFFICE, command_id=command_id, request_hash=hash_of("sweep", citizen_id, pool),
        citizen_id=citizen_id, pool=pool,
    )  # fmt: skip


def use(
    command_id: str, citizen_id: UUID, points: int, pool: str = FOREVER, store_id: UUID = STORE, lg_code: str = TOWN,
    *, at_most: bool = False,
) -> UsePoints:  # fmt: skip
    """A use at a counter."""
    return UsePoints(
        party_id=store_id, command_id=command_id, request_hash=hash_of("use", citizen_id, points, pool, lg_code),
        citizen_id=citizen_id, pool=pool, points=points, store_id=store_id, lg_code=lg_code,
        at_most=at_most,
    )  # fmt: skip


def expire(command_id: str, citizen_id: UUID) -> ExpirePoints:
    """The clockwork's expiry."""
    return ExpirePoints(
        party_id=CITY_OFFICE, command_id=command_id, request_hash=hash_of("expire", citizen_id), citizen_id=citizen_id
    )


def refusal(command_id: str, citizen_id: UUID, code: str = "bad_points", party_id: UUID = AIRLINE) -> RecordRefusal:
    """What a door refused."""
    return RecordRefusal(
        party_id=party_id,
        command_id=command_id,
        request_hash=hash_of("refusal", citizen_id, code),
        citizen_id=citizen_id,
        code=code,
    )


async def ask(process: HubProcess, message: Answered[Answer]) -> Answer:
    """One answer."""
    return await process.bus.call(message, DEADLINE_S)


async def ask_all(process: HubProcess, *commands: PostingCommand) -> list[PostingAnswer]:
    """Answers in order; what is asked of one lane at once makes one batch."""
    return await process.bus.call_many(commands, DEADLINE_S)


def kind_name(kind: int) -> str:
    """A rollup's kind as the naive ledger has it: what a correction takes back, with a minus before it."""
    return f"-{Kind(-kind).name}" if kind < 0 else Kind(kind).name


def result(answer: PostingAnswer) -> Result:
    """An answer as the naive ledger gives it."""
    assert (answer.status is PostingStatus.refused) == (answer.code is not None)
    return Result(answer.code, answer.points, answer.balances)
