"""Tamper evidence: every transaction is a block, hashed over the block before it and its own lines.

The lines are plain text, so that anybody can compute the chain again with SHA-256 alone (docs/contracts/ledger.md):
a head line, one line per outcome, one line per transfer, each ended by LF, fields separated by TAB. The head line has a
hash of the accounts that the block opened.
"""

import hashlib
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

GENESIS: Final = b"\x00"
"""The hash before the first block."""


DAYS_LIMIT: Final = 16


class OutcomeRow(NamedTuple):
    """A row of ledger.outcome."""

    party_id: UUID
    command_id: str
    request_hash: bytes
    partition: int
    block: int
    number: int
    citizen_id: UUID
    kind: int
    code: str | None
    points: int
    balances: str
    posted_on: date
    hold_id: UUID | None = None
    hold_terms: bytes | None = None


class TransferRow(NamedTuple):
    """A row of ledger.transfer."""

    partition: int
    block: int
    line: int
    outcome: int
    kind: int
    debit: int
    credit: int
    points: int
    business_date: date


class AccountRow(NamedTuple):
    """What never changes of a row of ledger.lot, or of ledger.contra, which has a name."""

    account: int
    name: str | None
    citizen_id: UUID | None = None
    pool: str = ""
    expires_on: date = date.max
    origin: UUID | None = None


class Opened(NamedTuple):
    """The accounts that a block opened: their numbers are from `first` on, and below `until`; see accounts_hash."""

    first: int
    until: int
    hash: bytes


@lru_cache(DAYS_LIMIT)
def _day(day: date) -> str:
    """All rows of a block have the same."""
    return day.isoformat()


def outcome_line(row: OutcomeRow) -> str:
    """An outcome as the chain hashes it."""
    hold = f"\t{row.hold_id.hex}" if row.hold_id else ""
    terms = f"\t{row.hold_terms.hex()}" if row.hold_terms else ""
    return (
        f"o\t{row.number}\t{row.party_id.hex}\t{row.command_id}\t{row.request_hash.hex()}\t{row.citizen_id.hex}"
        f"\t{row.kind}\t{row.code or ''}\t{row.points}\t{row.balances}\t{_day(row.posted_on)}{hold}{terms}\n"
    )


def transfer_line(row: TransferRow) -> str:
    """A transfer as the chain hashes it."""
    return (
        f"t\t{row.line}\t{row.outcome}\t{row.kind}\t{row.debit}\t{row.credit}\t{row.points}"
        f"\t{_day(row.business_date)}\n"
    )


def account_line(row: AccountRow) -> str:
    """An account as it is hashed once, when it is opened."""
    if row.citizen_id is None or row.origin is None:
        return f"a\t{row.account}\t{row.name}\n"
    return f"a\t{row.account}\t{row.citizen_id.hex}\t{row.pool}\t{row.expires_on.isoformat()}\t{row.origin.hex}\n"


def accounts_hash(accounts: Iterable[AccountRow]) -> bytes:
    """The hash of accounts, by number."""
    return hashlib.sha256("".join(map(account_line, accounts)).encode()).digest()


def block_hash(
    partition: int,
    block: int,
    previous: bytes,
    outcomes: Iterable[OutcomeRow],
    transfers: Iterable[TransferRow],
    opened: Opened | None,
) -> bytes:
    """The hash of a block; outcomes by number, transfers by line."""
    accounts = f"\t{opened.first}\t{opened.until}\t{opened.hash.hex()}" if opened else ""
    lines = [f"b\t{partition}\t{block}\t{previous.hex()}{accounts}\n"]
    lines.extend(map(outcome_line, outcomes))
    lines.extend(map(transfer_line, transfers))
    return hashlib.sha256("".join(lines).encode()).digest()
