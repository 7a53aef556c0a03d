"""Settlement details: the transactions behind a summary, page by page, at any size in bounded memory.

The rollups are the index: a line of them says which day and partition have transactions of a counterparty in a pool,
and in which blocks. Only these blocks are read, a few at a time; nothing is paid for it when points are posted. So
whoever reads all pages gets exactly what the rollups, and with them the summaries, add up. Days that are over do not
change; of today a download has what was there when its pages were read.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date
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
from workers.ledger.accounts import Contra
from workers.ledger.settlement import PARTNER_KINDS, PLACE_KINDS, PLACE_RETURN_KINDS, direction_of, named

BLOCKS_AT_ONCE: Final = 64
BLOCKS_LIMIT: Final = 4_096
READS_LIMIT: Final = 512
"""For one page: blocks read, and reads made. A page that found little by then ends early, and the next goes on."""
ROLES: Final = ("partner", "programme", "store", "shop", "street")
BEFORE_ALL: Final = -1
AFTER_ALL: Final = 2**31 - 1


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

    async def next_group(self, reading: Reading, after: _Group, last: date) -> _Group | None:
        """The next day and partition with lines."""
        if self.counterparty_id is None:
            sql = statements.NEXT_OF_MUNICIPALITY
            row = await reading.fetch_row(sql, self.lg_code, *after, last, self.kinds, NO_ORIGIN)
        else:
            sql, who = statements.NEXT_OF_COUNTERPARTY, self.counterparty_id
            row = await reading.fetch_row(sql, who, *after, last, self.kinds, self.lg_code)
        return None if row is None else _Group(row["day"], row["partition"])

    async def rollups(self, reading: Reading, group: _Group) -> list[Row]:
        """The rollups of this day and partition whose transactions are wanted."""
        if self.counterparty_id is None:
            return await reading.fetch(statements.OF_MUNICIPALITY, self.lg_code, *group, self.kinds, NO_ORIGIN)
        sql, who = statements.OF_COUNTERPARTY, self.counterparty_id
        return await reading.fetch(sql, who, *group, self.kinds, self.lg_code)


@dataclass(slots=True)
class _Page:
    """A page being filled with whole transactions; `place` is how far the books were read for it."""

    limit: int
    place: DetailPlace
    lines: list[DetailLine] = field(default_factory=list)
    reads: int = 0
    blocks: int = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be read for it."""
        return len(self.lines) >= self.limit or self.reads >= READS_LIMIT or self.blocks >= BLOCKS_LIMIT

    def add(self, group: _Group, blocks: Sequence[int], lines: Sequence[tuple[DetailPlace, DetailLine]]) -> None:
        """Take what was read, or of it as many transactions as there is room for."""
        self.reads += 1
        self.blocks += len(blocks)
        for place, line in lines:
            if len(self.lines) >= self.limit and place != self.place:
                return
            self.lines.append(line)
            self.place = place
        self.place = group.place(blocks[-1], AFTER_ALL)


async def details_of(query: DetailsOf, reading: Reading) -> Details:
    """One page."""
    start = query.after or _Group(query.first, 0).place(BEFORE_ALL, BEFORE_ALL)
    page = _Page(query.limit, start)
    async for group, blocks, wanted in _reads(_Scope.of(query.view), start, query.last, reading):
        if page.is_full:
            return Details(lines=page.lines, after=page.place)
        page.add(group, blocks, await _read(reading, group, blocks, wanted, start))
    is_cut = page.place.number != AFTER_ALL and page.place != start
    return Details(lines=page.lines, after=page.place if is_cut else None)


async def _reads(
    scope: _Scope, start: DetailPlace, last: date, reading: Reading
) -> AsyncIterator[tuple[_Group, list[int], list[Row]]]:
    """What there is to read from a place on: a few blocks of a day and partition at a time, what is wanted there."""
    group = await scope.next_group(reading, _Group(start.day, start.partition - 1), last)
    while group is not None:
        wanted = await scope.rollups(reading, group)
        blocks = _blocks(wanted, start.block if group == (start.day, start.partition) else BEFORE_ALL)
        for begin in range(0, len(blocks), BLOCKS_AT_ONCE):
            yield group, list(blocks[begin : begin + BLOCKS_AT_ONCE]), wanted
        group = await scope.next_group(reading, group, last)


def _blocks(wanted: Sequence[Row], first: int) -> Sequence[int]:
    """The blocks that these rollups' transactions are in, from `first` on."""
    if all(row["blocks"] is not None for row in wanted):
        return sorted({block for row in wanted for block in row["blocks"] if block >= first})
    begin = min(row["first_block"] for row in wanted)
    return range(max(begin, first), max(row["last_block"] for row in wanted) + 1)


async def _read(
    reading: Reading, group: _Group, blocks: list[int], wanted: Sequence[Row], start: DetailPlace
) -> list[tuple[DetailPlace, DetailLine]]:
    """The wanted lines of these blocks after `start`, each with its place."""
    keys = {(row["counterparty_id"], row["pool"], row["kind"]): row["lg_code"] for row in wanted}
    names = [Contra(role, party_id).name for party_id in {key[0] for key in keys} for role in ROLES]
    accounts = [row["account"] for row in await reading.fetch(statements.ACCOUNTS, group.partition, names)]
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = await reading.fetch(statements.LINES, group.partition, group.day, blocks, *columns, accounts)
    lines: list[tuple[DetailPlace, DetailLine]] = []
    for row in rows:
        place = group.place(row["block"], row["number"])
        if group != (start.day, start.partition) or (place.block, place.number) > (start.block, start.number):
            lg_code = keys[row["counterparty_id"], row["pool"], row["kind"]]
            lines.append((place, _line(row, place, lg_code)))
    return lines


def _line(row: Row, place: DetailPlace, lg_code: str) -> DetailLine:
    kind, reverses = named(row["kind"])
    return DetailLine(
        day=place.day,
        transaction_id=f"{place.partition}-{place.block}-{place.number}",
        command_id=row["command_id"],
        kind=kind,
        reverses=reverses,
        direction=direction_of(row["kind"]),
        points=row["points"],
        lg_code=lg_code or None,
        pool=row["pool"],
        counterparty_id=row["counterparty_id"],
    )
