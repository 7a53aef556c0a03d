"""Answers of several databases put together to one, as if all partitions lived in one."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from schemas.corrections import Original, OriginalOf
from schemas.history import Provenance, ProvenanceOf
from schemas.holds import HoldState
from schemas.points import HeldByPool, HeldIn, Outcomes, OutcomesOf, PoolTotals
from schemas.settlement import (
    DetailLine,
    DetailPlace,
    Details,
    DetailsOf,
    MunicipalSummaryOf,
    PartnerSummaryOf,
    PlaceLine,
    PlaceSummary,
    PlaceSummaryOf,
    StoreSummaryOf,
    Summary,
    SummaryLine,
)
from schemas.vouchers import VoucherOfNumber, Vouchers
from workers.ledger.details import order_of
from workers.ledger.settlement import by_place, numbered

Place: TypeAlias = tuple[date, int, int, int]


def outcomes(query: OutcomesOf, answers: Sequence[Outcomes]) -> Outcomes:
    """A command has its outcome in one of them; in the order in which they were asked for."""
    found = {outcome.command_id: outcome for answer in answers for outcome in answer.outcomes}
    return Outcomes(outcomes=[found[command_id] for command_id in query.command_ids if command_id in found])


def provenance(_query: ProvenanceOf, answers: Sequence[Provenance]) -> Provenance:
    """That of the one in which the posting is."""
    return next((answer for answer in answers if answer.kind is not None), answers[0])


def original(_query: OriginalOf, answers: Sequence[Original]) -> Original:
    """That of the one in which the posting is."""
    return next((answer for answer in answers if answer.kind is not None), answers[0])


def totals(_query: HeldByPool | HeldIn, answers: Sequence[PoolTotals]) -> PoolTotals:
    """Added up by pool, or by citizen."""
    added: dict[str, int] = defaultdict(int)
    for answer in answers:
        for key, points in answer.totals.items():
            added[key] += points
    return PoolTotals(totals=dict(added))


def vouchers(_query: VoucherOfNumber, answers: Sequence[Vouchers]) -> Vouchers:
    """A number is one open voucher's at a time; where none is open, the last one that had it."""
    found = [voucher for answer in answers for voucher in answer.vouchers]
    found.sort(key=lambda one: (one.state is HoldState.open, one.expires_at), reverse=True)
    return Vouchers(vouchers=found[:1])


def summaries(query: PartnerSummaryOf | StoreSummaryOf | MunicipalSummaryOf, answers: Sequence[Summary]) -> Summary:
    """Line by line, in the order in which one database gives them."""
    lines: dict[tuple[object, ...], SummaryLine] = {}
    for line in (line for answer in answers for line in answer.lines):
        key = _order(line)
        lines[key] = _added(lines[key], line) if key in lines else line
    return Summary(
        first=query.first, last=query.last, lines=[line for _, line in sorted(lines.items(), key=itemgetter(0))]
    )


def _order(line: SummaryLine) -> tuple[int, str, int, str]:
    return numbered(line.kind, line.reverses), line.lg_code or "", line.counterparty_id.int, line.pool


def _added(one: SummaryLine, other: SummaryLine) -> SummaryLine:
    return one.model_copy(
        update={
            "transfers": one.transfers + other.transfers,
            "points": one.points + other.points,
            "transactions": one.transactions + other.transactions,
        }
    )


def place_summaries(query: PlaceSummaryOf, answers: Sequence[PlaceSummary]) -> PlaceSummary:
    """Place by place."""
    lines = sorted((place for answer in answers for place in answer.places), key=lambda place: place.place_id)
    places = [_one_place(list(same)) for _, same in groupby(lines, key=lambda place: place.place_id)]
    return by_place(query, places)


def _one_place(lines: Sequence[PlaceLine]) -> PlaceLine:
    return PlaceLine(
        place_id=lines[0].place_id,
        transactions=sum(line.transactions for line in lines),
        used=sum(line.used for line in lines),
        returns=sum(line.returns for line in lines),
        returned=sum(line.returned for line in lines),
        points=sum(line.points for line in lines),
    )


def details(query: DetailsOf, answers: Sequence[Details]) -> Details:
    """The lines up to where all of them have read, and of these as many whole transactions as a page takes."""
    ends = [order_of(answer.after) for answer in answers if answer.after is not None]
    end = min(ends) if ends else None
    lines = sorted((line for answer in answers for line in answer.lines), key=_place_of)
    read = [line for line in lines if end is None or _place_of(line) <= end]
    page: list[DetailLine] = []
    for _, transaction in groupby(read, key=_place_of):
        if len(page) >= query.limit:
            return Details(lines=page, after=_cursor(_place_of(page[-1])))
        page += transaction
    return Details(lines=page, after=None if end is None else _cursor(end))


def _place_of(line: DetailLine) -> Place:
    partition, block, number = map(int, line.transaction_id.split("-"))
    return line.day, partition, block, number


def _cursor(place: Place) -> DetailPlace:
    day, partition, block, number = place
    return DetailPlace(day=day, partition=partition, block=block, number=number)
