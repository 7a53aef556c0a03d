"""The day's work, page by page: after a crash, a deadline or a lost race the next tick goes on from there."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import structlog

from hub import failpoints
from hub.component import Context
from hub.database import Row
from hub.errors import OwnershipLostError, PermanentError
from hub.transaction import Reading
from schemas.citizens import BaseMunicipalitiesOf
from schemas.clockwork import ClockworkDone, ClockworkDoneOf
from schemas.message import Event
from schemas.notices import PointsExpiringSoon, PointsMovingSoon
from schemas.points import (
    DueKind,
    DueLot,
    DueLots,
    DueLotsOf,
    ExpirePoints,
    PostingAnswer,
    PostingStatus,
    SweepReserve,
)
from schemas.values import LANES, scheme_pool
from workers.clockwork import statements as sql
from workers.clockwork.days import DayWork, Place, WorkKind, next_work

log = structlog.get_logger()

CLOCKWORK: Final = UUID("6d796b65-7968-5562-8c0d-636c6f636b77")
"""The party in whose name the clockwork asks the ledger."""
TICK_S: Final = 0.25
PAGE_LIMIT_LOTS: Final = 500
PARTITIONS_AT_ONCE: Final = 4
QUERY_DEADLINE_S: Final = 30.0
NOWHERE: Final = (None, None)
COMMANDS_DEADLINE_S: Final = 60.0
"""For one page; the answers that come later are found again under the same ids by the next tick."""


class Clockwork:
    """Does what is due on each business day (Asia/Tokyo, by the given clock), once."""

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._bus = context.bus
        self._database = context.database
        self._notice_days = {
            WorkKind.moving_soon: context.settings.holding_notice_days,
            WorkKind.expiring_soon: context.settings.expiry_notice_days,
        }
        self._day_done: date | None = None
        self._slots = asyncio.Semaphore(PARTITIONS_AT_ONCE)

    async def tick(self) -> None:
        """All that is due today and not done yet; costs nothing when nothing is.

        Raises:
            TransientError: some partition could not go on now; the others are done. The next tick goes on.
        """
        today = self._clock.business_date()
        if self._day_done == today:
            return
        latest = await self._latest()
        ended = await asyncio.gather(
            *(self._partition(partition, latest, today) for partition in range(LANES)), return_exceptions=True
        )
        for error in ended:
            if error is not None:
                raise error
        self._day_done = today

    async def _latest(self) -> dict[tuple[WorkKind, int], DayWork]:
        async with self._database.reading() as reading:
            rows = await reading.fetch(sql.LATEST)
        works = [_work_of(row) for row in rows]
        return {(work.kind, work.partition): work for work in works}

    async def _partition(self, partition: int, latest: Mapping[tuple[WorkKind, int], DayWork], today: date) -> None:
        async with self._slots:
            for kind in WorkKind:
                done = latest.get((kind, partition))
                # At most twice: the rest of an earlier day, then today.
                while work := next_work(kind, partition, done, today, self._notice_days):
                    done = await self._do(work, today)

    async def _do(self, work: DayWork, today: date) -> DayWork:
        async with self._database.transaction() as tx:
            days = work.day, work.first, work.last, work.came_back_since, work.known_until
            await tx.execute(sql.BEGIN, work.kind.value, work.partition, *days, work.opened_from)
        while not work.is_done:
            page = await self._page(work.on(today))
            left_from = None
            if work.kind.is_reminder:
                await self._remind(work, page)
            else:
                left_from = await self._ask(work, page)
            work = work.went_on(_place_after(page), left_from, page.opened_until)
        return work

    async def _page(self, work: DayWork) -> DueLots:
        question = DueLotsOf(
            partition=work.partition,
            kind=DueKind.sweep if work.kind.is_about_reserve else DueKind.expire,
            first=work.first,
            last=work.last,
            day=work.after.day if work.after else None,
            after=work.after.citizen_id if work.after else None,
            limit=PAGE_LIMIT_LOTS,
            came_back_since=work.came_back_since,
            known_until=work.known_until,
            opened_from=work.opened_from,
            opened_until=work.opened_until,
        )
        return await self._bus.call(question, QUERY_DEADLINE_S)

    async def _remind(self, work: DayWork, page: DueLots) -> None:
        events: Sequence[Event]
        if work.kind is WorkKind.moving_soon:
            events = _moving_soon(page.lots, await self._bases(page.lots))
        else:
            events = _expiring_soon(page.lots)
        await self._advance(work, page, events)

    async def _ask(self, work: DayWork, page: DueLots) -> date | None:
        """Ask for all that is due on this page; the earliest last day of what still is."""
        commands: Sequence[SweepReserve | ExpirePoints]
        if work.kind is WorkKind.sweep:
            commands = _sweeps(work.day, page.lots, await self._bases(page.lots))
        else:
            commands = _expiries(work.day, page.lots)
        # The day's very first one alone: where the ledger's clock has not come to this day, it says so once.
        alone = 1 if work.after is None else 0
        answers = await self._answers(work, commands[:alone])
        answers += await self._answers(work, commands[alone:])
        failpoints.reach("clockwork.before_page_done")
        posted = {
            command.citizen_id
            for command, answer in zip(commands, answers, strict=True)
            if answer is not None and answer.status is PostingStatus.posted
        }
        left_from = min((lot.expires_on for lot in page.lots if lot.citizen_id not in posted), default=None)
        answered = [answer for answer in answers if answer is not None]
        await self._advance(work, page, (), len(answered), _report_refused(work, answered), left_from)
        return left_from

    async def _answers(
        self, work: DayWork, commands: Sequence[SweepReserve | ExpirePoints]
    ) -> list[PostingAnswer | None]:
        """None for one that fails for good: it stays due, is asked for on the next day, and stops no other."""
        try:
            return [*await self._bus.call_many(commands, COMMANDS_DEADLINE_S)]
        except PermanentError:
            return [await self._answer(work, command) for command in commands]

    async def _answer(self, work: DayWork, command: SweepReserve | ExpirePoints) -> PostingAnswer | None:
        try:
            return await self._bus.call(command, COMMANDS_DEADLINE_S)
        except PermanentError as error:
            about = {"kind": work.kind.value, "day": str(work.day), "citizen_id": str(command.citizen_id)}
            log.warning("clockwork_failed", **about, error=type(error).__qualname__, detail=str(error))
            return None

    async def _bases(self, lots: Sequence[DueLot]) -> dict[UUID, str]:
        """The base municipalities of these citizens; whoever has none is told of in the log."""
        citizens = list({lot.citizen_id: None for lot in lots})
        if not citizens:
            return {}
        found = await self._bus.call(BaseMunicipalitiesOf(citizen_ids=citizens), QUERY_DEADLINE_S)
        bases = {UUID(citizen_id): lg_code for citizen_id, lg_code in found.lg_codes.items()}
        for citizen_id in citizens:
            if citizen_id not in bases:
                log.warning("clockwork_base_unknown", citizen_id=str(citizen_id))
        return bases

    async def _advance(
        self,
        work: DayWork,
        page: DueLots,
        events: Sequence[Event],
        answered: int = 0,
        refused: int = 0,
        left_from: date | None = None,
    ) -> None:
        """The page is done, and what is said about it is said, in one commit."""
        said = len(events) + answered
        async with self._database.transaction() as tx:
            key = (work.kind.value, work.partition, work.day, *(work.after or NOWHERE))
            came = page.day, page.after, said, refused, tx.now, left_from, page.opened_until
            if not await tx.fetch_value(sql.ADVANCE, *key, *came):
                raise OwnershipLostError(f"{work.kind} {work.partition} {work.day}")
            for event in events:
                tx.emit(event)


def _work_of(row: Row) -> DayWork:
    kind, partition, day, first, last, after_day, after, *rest = row
    place = None if after is None else Place(after_day, after)
    return DayWork(WorkKind(kind), partition, day, first, last, place, *rest)


def _place_after(page: DueLots) -> Place | None:
    return None if page.day is None or page.after is None else Place(page.day, page.after)


async def done_of(query: ClockworkDoneOf, reading: Reading) -> ClockworkDone:
    """Whether every kind of work of every partition is done, and the counts of that very day."""
    done = await reading.fetch_value(sql.DONE, query.day)
    rows = await reading.fetch(sql.COUNTS, query.day)
    return ClockworkDone(
        done=done == len(WorkKind) * LANES,
        said={row["kind"]: row["said"] for row in rows},
        refused={row["kind"]: row["refused"] for row in rows},
    )


def _moving_soon(lots: Sequence[DueLot], bases: Mapping[UUID, str]) -> list[PointsMovingSoon]:
    return [
        PointsMovingSoon(
            citizen_id=lot.citizen_id,
            points=lot.points,
            moves_on=lot.expires_on + timedelta(days=1),
            base_lg_code=bases[lot.citizen_id],
        )
        for lot in lots
        if lot.citizen_id in bases
    ]


def _expiring_soon(lots: Sequence[DueLot]) -> list[PointsExpiringSoon]:
    return [
        PointsExpiringSoon(citizen_id=lot.citizen_id, pool=lot.pool, points=lot.points, expires_on=lot.expires_on)
        for lot in lots
    ]


def _sweeps(day: date, lots: Sequence[DueLot], bases: Mapping[UUID, str]) -> list[SweepReserve]:
    pools = {lot.citizen_id: scheme_pool(bases[lot.citizen_id]) for lot in lots if lot.citizen_id in bases}
    return [
        SweepReserve(
            party_id=CLOCKWORK,
            command_id=f"sweep.{day}.{citizen_id.hex}",
            request_hash=_hash("sweep", citizen_id, pool),
            citizen_id=citizen_id,
            pool=pool,
            day=day,
        )
        for citizen_id, pool in pools.items()
    ]


def _expiries(day: date, lots: Sequence[DueLot]) -> list[ExpirePoints]:
    return [
        ExpirePoints(
            party_id=CLOCKWORK,
            command_id=f"expire.{day}.{citizen_id.hex}",
            request_hash=_hash("expire", citizen_id, ""),
            citizen_id=citizen_id,
            day=day,
        )
        for citizen_id in {lot.citizen_id: None for lot in lots}
    ]


def _hash(operation: str, citizen_id: UUID, pool: str) -> bytes:
    return hashlib.sha256(f"{operation}|{citizen_id}|{pool}".encode()).digest()[:16]


def _report_refused(work: DayWork, answers: Sequence[PostingAnswer]) -> int:
    """Count the refused by code into the log; the ledger keeps each one under its command id."""
    codes = Counter(answer.code for answer in answers if answer.status is PostingStatus.refused)
    for code, count in codes.items():
        log.warning(
            "clockwork_refused",
            kind=work.kind.value,
            partition=work.partition,
            day=str(work.day),
            code=code,
            count=count,
        )
    return codes.total()
