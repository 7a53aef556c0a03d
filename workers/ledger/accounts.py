"""Accounts: a citizen's lots, and the contra accounts that may go either way."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from hub.clock import expiry_after_months
from schemas.values import NO_EXPIRY, RESERVE

LAST_DAYS_LIMIT: Final = 1024
"""How many (rule, day) pairs are remembered: there are few rules, and one today."""
NO_MUNICIPALITY: Final = ""
"""The rollups' lg_code of points that went to reserve: their municipality is not chosen yet."""


class Kind(IntEnum):
    """What a transfer is; numbers are stored and never reused."""

    refusal = 0
    credit = 1
    move = 2
    sweep = 3
    use = 4
    expire = 5
    use_together = 6
    grant = 10
    coupon = 11
    voucher_issue = 20
    voucher_redeem = 21
    voucher_expire = 22
    authorise = 30
    capture = 31
    void = 32
    authorisation_expire = 33
    refund = 34
    merge_send = 40
    merge_acknowledge = 41
    merge_return = 42
    revoke = 50
    correct = 51


class LotKey(NamedTuple):
    """A citizen's account: points of one pool, one last day and, for reserve points, one partner."""

    pool: str
    expires_on: date
    origin: UUID


PARTIES_LIMIT: Final = 1 << 16
"""How many parties' accounts are remembered."""
POOL_ROLES: Final = frozenset({"expired", "voucher", "checkout", "merge"})
"""Roles of contra accounts that stand for a pool, not for a party."""


class Contra(NamedTuple):
    """A contra account: its role, with the party or the pool it stands for.

    Parties: `partner`, `programme`, `store`, `shop`, `street`. Pools: `expired`, and what is set aside: `voucher`,
    `checkout`, `merge`.
    """

    role: str
    party_id: UUID | None
    pool: str = ""

    @property
    def name(self) -> str:
        """Its name in the books, unique within a partition."""
        return f"{self.role}:{self.party_id.hex if self.party_id else self.pool}"

    @classmethod
    def named(cls, name: str) -> "Contra":
        """The account of this name."""
        role, _, rest = name.partition(":")
        return cls(role, None, rest) if role in POOL_ROLES else cls(role, UUID(hex=rest))


@lru_cache(PARTIES_LIMIT)
def account_of(role: str, party_id: UUID) -> Contra:
    """The account of a party in this role: always the same one, so that looking it up again costs little."""
    return Contra(role, party_id)


Account: TypeAlias = LotKey | Contra


class Move(NamedTuple):
    """Points going from one account to another; both lots belong to the command's citizen."""

    debit: Account
    credit: Account
    points: int


_REVERSES: Final = {"partner": Kind.credit, "programme": Kind.grant, "store": Kind.use}


def reversed_kind(move: Move) -> int:
    """The kind that this move of a correction reverses, negative: who gets the points back, or gives them, tells."""
    role = next((account.role for account in move[:2] if isinstance(account, Contra)), "")
    return -_REVERSES.get(role, Kind.move)


class RollupKey(NamedTuple):
    """A line of the day's settlement: which municipality with whom, in which pool."""

    lg_code: str
    counterparty_id: UUID
    pool: str


@dataclass(frozen=True, slots=True)
class PoolRule:
    """A scheme or event as the registry says it is; `first` and `last` are its service period, inclusive."""

    pool: str
    lg_code: str
    expiry_rule: str
    first: date
    last: date
    usable_in: frozenset[str]

    def expires_on(self, today: date) -> date:
        """The last day of points credited today. Rules: `none`, `months:N` (end of month), `date:YYYY-MM-DD`."""
        return _last_day(self.expiry_rule, today)

    def is_open(self, today: date) -> bool:
        """Whether points may still come in: within the service period, and not already expired as they come."""
        return self.first <= today <= self.last and today <= self.expires_on(today)

    def is_spendable(self, today: date, held: int) -> bool:
        """Whether points are taken today from a citizen who holds so many of them.

        An event's points end with it. What a refund gave back outlives it, and is good through its own last day.
        """
        return self.first <= today and (today <= self.last or held > 0)

    def is_usable_at(self, lg_code: str, today: date, held: int) -> bool:
        """Whether a counter of this municipality takes these points today."""
        return lg_code in self.usable_in and self.is_spendable(today, held)


@lru_cache(LAST_DAYS_LIMIT)
def _last_day(expiry_rule: str, today: date) -> date:
    kind, _, value = expiry_rule.partition(":")
    if kind == "months":
        return expiry_after_months(today, int(value))
    return date.fromisoformat(value) if kind == "date" else NO_EXPIRY


def is_reserve(key: LotKey) -> bool:
    """Whether the lot holds reserve points."""
    return key.pool == RESERVE
