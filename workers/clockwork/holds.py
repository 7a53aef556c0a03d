"""What nobody took or answered in time: vouchers and authorisations expire, overdue merges are told of.

Balances never wait for it: the ledger counts a hold as over from the moment it is. So a hold that cannot be expired
now, whatever for, holds nothing else up: each is asked for once a day, and the page after it next.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Final

import structlog

from hub.component import Context
from hub.errors import OwnershipLostError, PermanentError
from schemas.checkouts import ExpireAuthorisation
from schemas.holds import DueHold, DueHoldsOf, HoldKind, HoldPlace
from schemas.merges import MergeOverdue, OpenMerge, OpenMergesOf
from schemas.points import PostingAnswer, PostingStatus
from schemas.values import LANES
from schemas.vouchers import ExpireVoucher
from workers.clockwork import statements as sql
from workers.clockwork.work import CLOCKWORK, COMMANDS_DEADLINE_S, PARTITIONS_AT_ONCE, QUERY_DEADLINE_S

log = structlog.get_logger()

HOLDS_EVERY_S: Final = 5.0
MERGES_EVERY_S: Final = 60.0
PAGE_LIMIT_HOLDS: Final = 500
PAGES_LIMIT: Final = 20
"""Pages of one partition in one tick; the next tick goes on."""


class Holds:
    """Ends holds whose time is over (Asia/Tokyo, by the given clock), each once."""

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._bus = context.bus
        self._database = context.database
        self._overdue_after = timedelta(hours=context.settings.merge_overdue_h)
        self._slots = asyncio.Semaphore(PARTITIONS_AT_ONCE)
        self._day: date | None = None
        self._asked: dict[int, HoldPlace] = {}
        """Per partition, up to which hold was asked today. What a new process asks again gets the same answers."""

    async def expire(self) -> None:
        """Ask for the end of all that is due.

        Raises:
            TransientError: some partition could not go on now; the others are done. The next tick goes on.
        """
        today = self._clock.business_date()
        if self._day != today:
            self._day = today
            self._asked.clear()
        await self._everywhere(lambda partition: self._expire(partition, today))

    async def tell_overdue(self) -> None:
        """Say once of every merge that its street has not answered in time.

        Raises:
            TransientError: some partition could not go on now; the others are done. The next tick goes on.
        """
        async with self._database.reading() as reading:
            rows = await reading.fetch(sql.OVERDUE_TOLD)
        told = {row["partition"]: HoldPlace(at=row["opened_at"], hold_id=row["hold_id"]) for row in rows}
        await self._everywhere(lambda partition: self._tell(partition, told.get(partition)))

    async def _everywhere(self, do: Callable[[int], Awaitable[None]]) -> None:
        async def one(partition: int) -> None:
            async with self._slots:
                await do(partition)

        ended = await asyncio.gather(*(one(partition) for partition in range(LANES)), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _expire(self, partition: int, today: date) -> None:
        for _ in range(PAGES_LIMIT):
            question = DueHoldsOf(partition=partition, after=self._asked.get(partition), limit=PAGE_LIMIT_HOLDS)
            page = await self._bus.call(question, QUERY_DEADLINE_S)
            if page.holds:
                await self._end(partition, today, page.holds)
                last = page.holds[-1]
                self._asked[partition] = HoldPlace(at=last.expires_at, hold_id=last.hold_id)
            if page.after is None:
                return

    async def _end(self, partition: int, today: date, due: Sequence[DueHold]) -> None:
        commands = [command for hold in due if (command := _ending(hold, today)) is not None]
        try:
            _report_refused(partition, today, await self._bus.call_many(commands, COMMANDS_DEADLINE_S))
        except PermanentError:
            log.exception("holds_not_ended", partition=partition, day=str(today))

    async def _tell(self, partition: int, told: HoldPlace | None) -> None:
        opened_by = self._clock.now() - self._overdue_after
        for _ in range(PAGES_LIMIT):
            question = OpenMergesOf(partition=partition, opened_by=opened_by, after=told, limit=PAGE_LIMIT_HOLDS)
            page = await self._bus.call(question, QUERY_DEADLINE_S)
            if page.merges:
                told = await self._say(partition, told, page.merges)
            if page.after is None:
                return

    async def _say(self, partition: int, told: HoldPlace | None, merges: Sequence[OpenMerge]) -> HoldPlace:
        """What is said, and that it was said, in one commit."""
        last = merges[-1]
        before = (told.at, told.hold_id) if told else (None, None)
        async with self._database.transaction() as tx:
            key = (partition, last.opened_at, last.hold_id, len(merges))
            if not await tx.fetch_value(sql.TELL_OVERDUE, *key, *before):
                raise OwnershipLostError(f"overdue merges {partition}")
            for merge in merges:
                tx.emit(MergeOverdue(**merge.model_dump()))
        return HoldPlace(at=last.opened_at, hold_id=last.hold_id)


def _ending(hold: DueHold, today: date) -> ExpireVoucher | ExpireAuthorisation | None:
    """The command that ends it; a merge ends only by its street's answer.

    A refusal is for ever, so the id has the day in it: what is refused today is asked for again tomorrow.
    """
    command_id = f"hold.{today}.{hold.hold_id.hex}"
    request_hash = hashlib.sha256(f"{hold.kind}|{hold.hold_id}".encode()).digest()[:16]
    if hold.kind is HoldKind.voucher:
        return ExpireVoucher(
            party_id=CLOCKWORK, command_id=command_id, request_hash=request_hash, citizen_id=hold.citizen_id,
            hold_id=hold.hold_id,
        )  # fmt: skip
    if hold.kind is HoldKind.checkout:
        return ExpireAuthorisation(
            party_id=CLOCKWORK, command_id=command_id, request_hash=request_hash, citizen_id=hold.citizen_id,
            hold_id=hold.hold_id,
        )  # fmt: skip
    return None


def _report_refused(partition: int, today: date, answers: Sequence[PostingAnswer]) -> None:
    """Count the refused by code into the log; the ledger keeps each one under its command id."""
    codes = Counter(answer.code for answer in answers if answer.status is PostingStatus.refused)
    for code, count in codes.items():
        log.warning("clockwork_hold_refused", partition=partition, day=str(today), code=code, count=count)
