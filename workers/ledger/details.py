"""Settlement details: the transactions behind a summary, page by page, at any size in bounded memory.

The rollups are the index: a line of them says which day and partition have transactions of a counterparty in a pool,
and in which blocks. Only these blocks are read, a few at a time; nothing is paid for it when points are posted. So
whoever reads all pages gets exactly what the rollups, and with them the summaries, add up. Days that are over do not
change; of today a download has what was there when its pages were read.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Final, NamedTuple
from uuid import UUID

from hub.database import Row
from hub.transaction import Reading
from schemas.settlement import (
    DetailLine,
    DetailPlace,
    Details,
    DetailsOf,
    MunicipalPartnersView,
    MunicipalPlacesView,
    PartnerView,
    View,
)
from schemas.values import NO_ORIGIN
from workers.ledger import settlement_statements as statements
from workers.ledger.accounts import Contra, Kind
from workers.ledger.settlement import PARTNER_KINDS, PLACE_KINDS, PLACE_RETURN_KINDS, direction_of, named

BLOCKS_AT_ONCE: Final = 64
"""The most. A page begins with one and doubles: what is read beyond its end is read again for the next page."""
BLOCKS_LIMIT: Final = 4_096
"""Blocks read for one page; a page that found little in them ends early, and the next goes on."""
ROLLUPS_AT_ONCE: Final = 500
BEFORE_ALL: Final = -1
AFTER_ALL: Final = 2**31 - 1

_ROLES: Final[Mapping[int, str]] = {
    **dict.fromkeys((Kind.credit, Kind.coupon, -Kind.credit), "partner"),
    **dict.fromkeys((Kind.use, Kind.use_together, Kind.voucher_redeem, -Kind.use), "store"),
    **dict.fromkeys((Kind.capture, Kind.refund), "shop"),
    Kind.merge_acknowledge: "street",
}
"""The role of the counterparty's account in such transfers; a move between lots has none."""


class _Group(NamedTuple):
    """A day of a partition that has lines of a view."""

    day: date
    partition: int

    def place(self, block: int, number: int) -> DetailPlace:
        """A transaction in it."""
        return DetailPlace(day=self.day, partition=self.partition, block=block, number=number)


@dataclass(frozen=True, slots=True)
class _Scope:
    """A view as the rollups know it: of a counterparty, of a municipality, or of both; in some kinds."""

    kinds: tuple[int, ...]
    counterparty_id: UUID | None
    lg_code: str | None = None

    @classmethod
    def of(cls, view: View) -> "_Scope":
        """The scope of a view."""
        places = (*PLACE_KINDS, *PLACE_RETURN_KINDS)
        if isinstance(view, PartnerView):
            return cls(PARTNER_KINDS, view.party_id)
        if isinstance(view, MunicipalPartnersView):
            return cls(PARTNER_KINDS, None, view.lg_code)
        if isinstance(view, MunicipalPlacesView):
            return cls(places, view.place_id, view.lg_code)
        return cls(places, view.store_id)

    async def rollups(self, reading: Reading, after: _Group, last: date) -> list[Row]:
        """The next rollups whose transactions are wanted: whole days of a partition, in order."""
        span = (*after, last, self.kinds)
        if self.counterparty_id is None:
            sql, key, other = statements.ROLLUPS_OF_MUNICIPALITY, self.lg_code, NO_ORIGIN
            return await reading.fetch(sql, key, *span, other, ROLLUPS_AT_ONCE)
        sql = statements.ROLLUPS_OF_COUNTERPARTY
        return await reading.fetch(sql, self.counterparty_id, *span, self.lg_code, ROLLUPS_AT_ONCE)


@dataclass(slots=True)
class _Read:
    """Some blocks that are read at once, and the rollups whose transactions are wanted from them."""

    blocks: list[tuple[_Group, int]] = field(default_factory=list)
    wanted: dict[_Group, list[Row]] = field(default_factory=dict)

    @property
    def end(self) -> DetailPlace:
        """How far it reads."""
        group, block = self.blocks[-1]
        return group.place(block, AFTER_ALL)

    async def lines(self, reading: Reading) -> list[tuple[DetailPlace, DetailLine]]:
        """What is found, in order, each with its place."""
        rows = [row for rows in self.wanted.values() for row in rows]
        named_rows = {(row["partition"], Contra(_ROLES[row["kind"]], row["counterparty_id"]).name)
                      for row in rows if row["kind"] in _ROLES}  # fmt: skip
        names = list(zip(*named_rows, strict=True)) or [(), ()]
        accounts = [(row[0] << 48) + row[1] for row in await reading.fetch(statements.ACCOUNTS, *names)]
        found = await reading.fetch(
            statements.LINES,
            [group.partition for group, _ in self.blocks],
            [group.day for group, _ in self.blocks],
            [block for _, block in self.blocks],
            accounts,
            [row["day"] for row in rows],
            [row["partition"] for row in rows],
            [row["counterparty_id"] for row in rows],
            [row["pool"] for row in rows],
            [row["kind"] for row in rows],
            [row["lg_code"] for row in rows],
        )
        return [_line(row) for row in found]


@dataclass(slots=True)
class _Page:
    """A page being filled with whole transactions; `place` is how far the books were read for it."""

    limit: int
    start: DetailPlace
    place: DetailPlace
    lines: list[DetailLine] = field(default_factory=list)
    blocks: int = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be read for it."""
        return len(self.lines) >= self.limit or self.blocks >= BLOCKS_LIMIT

    def add(self, read: _Read, lines: Iterable[tuple[DetailPlace, DetailLine]]) -> None:
        """Take what was read after the start, or of it as many transactions as there is room for."""
        self.blocks += len(read.blocks)
        for place, line in lines:
            if order_of(place) <= order_of(self.start):
                continue
            if len(self.lines) >= self.limit and place != self.place:
                return
            self.lines.append(line)
            self.place = place
        self.place = read.end


async def details_of(query: DetailsOf, reading: Reading) -> Details:
    """One page."""
    start = query.after or _Group(query.first, 0).place(BEFORE_ALL, BEFORE_ALL)
    page = _Page(query.limit, start, start)
    async for read in _reads(_Scope.of(query.view), start, query.last, reading):
        if page.is_full:
            return Details(lines=page.lines, after=page.place)
        page.add(read, await read.lines(reading))
    is_cut = page.place.number != AFTER_ALL and page.place != start
    return Details(lines=page.lines, after=page.place if is_cut else None)


async def _reads(scope: _Scope, start: DetailPlace, last: date, reading: Reading) -> AsyncIterator[_Read]:
    """What there is to read from a place on."""
    read, at_once = _Read(), 1
    after = _Group(start.day, start.partition - 1)
    while rollups := await scope.rollups(reading, after, last):
        for after, rows in groupby(rollups, lambda row: _Group(row["day"], row["partition"])):
            wanted = list(rows)
            for block in _blocks(wanted, start.block if after == (start.day, start.partition) else BEFORE_ALL):
                read.blocks.append((after, block))
                read.wanted[after] = wanted
                if len(read.blocks) == at_once:
                    yield read
                    read, at_once = _Read(), min(2 * at_once, BLOCKS_AT_ONCE)
    if read.blocks:
        yield read


def _blocks(wanted: Sequence[Row], first: int) -> Sequence[int]:
    """The blocks that these rollups' transactions are in, from `first` on."""
    if all(row["blocks"] is not None for row in wanted):
        return sorted({block for row in wanted for block in row["blocks"] if block >= first})
    begin = min(row["first_block"] for row in wanted)
    return range(max(begin, first), max(row["last_block"] for row in wanted) + 1)


def order_of(place: DetailPlace) -> tuple[date, int, int, int]:
    """Where a transaction stands among all others of the details."""
    return place.day, place.partition, place.block, place.number


def _line(row: Row) -> tuple[DetailPlace, DetailLine]:
    place = _Group(row["day"], row["partition"]).place(row["block"], row["number"])
    kind, reverses = named(row["kind"])
    return place, DetailLine(
        day=place.day,
        transaction_id=f"{place.partition}-{place.block}-{place.number}",
        command_id=row["command_id"],
        kind=kind,
        reverses=reverses,
        direction=direction_of(row["kind"]),
        points=row["points"],
        lg_code=row["lg_code"] or None,
        pool=row["pool"],
        counterparty_id=row["counterparty_id"],
    )
