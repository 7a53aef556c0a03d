"""A file worked through: again after a crash, and by two at once, each row still ends once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from connectors.partner import work
from connectors.partner.destinations import Destinations
from connectors.partner.items import Checked
from connectors.partner.jobs import ABANDONED_AFTER, Cleaning
from connectors.partner.pipeline import ItemOutcome, Pipeline, Prepared
from connectors.partner.store import Counts, FileStore, Received, ResultRow
from connectors.partner.work import FileWorker, NoSuchFileError
from hub.clock import AdjustableClock
from hub.errors import PermanentError, TransientError
from hub.ids import uuid7
from schemas.message import Envelope
from schemas.partner_files import WorkTransferFile
from tests.connectors.partner.test_files import csv_file, row
from tests.connectors.partner.town import AIRLINE, Town
from tests.waiting import wait_until

ROWS = 95
CHUNK = 700
FILES = 25
TAKEN_NOW = "UPDATE partner.transfer_file SET taken_at = $2 WHERE file_id = $1"


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "BLOCK_LIMIT_ROWS", 10)
    monkeypatch.setattr(work, "FIRST_PAUSE_S", 0.0)


class Failing(Pipeline):
    """A pipeline to the real ledger that fails at some blocks: before or after the ledger has answered."""

    def __init__(self, town: Town, at: dict[int, Exception], *, after: bool = False) -> None:
        super().__init__(town.process.bus, Destinations(town.process.bus, town.process.clock))
        self._at = at
        self._after = after
        self._failing: list[Prepared] = []
        self._error = next(iter(at.values()), Exception())
        self.blocks = 0

    async def prepare(self, party_id: UUID, items: Sequence[Checked]) -> Prepared:
        self.blocks += 1
        error = self._at.get(self.blocks)
        if error is not None and not self._after:
            raise error
        prepared = await super().prepare(party_id, items)
        if error is not None:
            self._failing.append(prepared)
        return prepared

    async def post(self, prepared: Prepared) -> list[ItemOutcome]:
        answered = await super().post(prepared)
        if any(one is prepared for one in self._failing):
            raise self._error
        return answered


async def put(town: Town, content: bytes, rows: int = ROWS) -> UUID:
    """A file in the tables, as if it had come in; nobody is told of it."""
    store = FileStore(town.process.database_of("partner"))
    file_id = uuid7()
    chunks = -(-len(content) // CHUNK)
    for n in range(chunks):
        before = content[: n * CHUNK]
        await store.add_chunk(file_id, n, before.count(b"\n"), content[len(before) : len(before) + CHUNK])
    received = Received(file_id, AIRLINE, str(file_id), "text/csv", bytes(32), len(content), chunks, rows)
    async with town.process.database_of("partner").transaction() as tx:
        await tx.execute(
            """INSERT INTO partner.transfer_file (file_id, party_id, idempotency_key, media_type, sha256,
            size_bytes, chunks, rows, taken_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())""",
            *(received.file_id, received.party_id, received.idempotency_key, received.media_type),
            *(received.sha256, received.size_bytes, received.chunks, received.rows),
        )
    return file_id


def order(town: Town, file_id: UUID) -> Envelope:
    """WorkTransferFile, as the hub hands it over."""
    now = town.process.clock.now()
    message = WorkTransferFile(file_id=file_id)
    return Envelope(uuid7(), "partner", message.TYPE, now, file_id, uuid7(), message)


def pipeline(town: Town) -> Pipeline:
    return Pipeline(town.process.bus, Destinations(town.process.bus, town.process.clock))


def worker(town: Town, pipeline: Pipeline) -> FileWorker:
    return FileWorker(FileStore(town.process.database_of("partner")), pipeline)


async def results(town: Town, file_id: UUID) -> list[ResultRow]:
    return await FileStore(town.process.database_of("partner")).results(file_id, 0, 10_000)


def some_rows() -> list[str]:
    return [row(f"w-{n}", link=1 + n % 5, points=1) for n in range(ROWS)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 5, 10])
async def test_what_broke_off_goes_on_where_it_was(hub_town: Town, at: int, after: bool) -> None:  # noqa: FBT001 - a parameter
    file_id = await put(hub_town, csv_file(*some_rows()))
    broken = Failing(hub_town, {at: PermanentError("killed")}, after=after)
    with pytest.raises(PermanentError):
        await worker(hub_town, broken)(order(hub_town, file_id))
    so_far = await results(hub_town, file_id)
    assert len(so_far) <= (at - 1) * 10
    await worker(hub_town, pipeline(hub_town))(order(hub_town, file_id))
    everything = await results(hub_town, file_id)
    assert everything[: len(so_far)] == so_far
    assert [one.line for one in everything] == list(range(2, ROWS + 2))
    assert [one.transfer_id for one in everything] == [f"w-{n}" for n in range(ROWS)]
    assert all(one.code is None and not one.replayed for one in everything)
    file = await FileStore(hub_town.process.database_of("partner")).file(file_id)
    assert file is not None
    assert file.counts == Counts(posted=ROWS, points=ROWS)
    assert sum([(await hub_town.balance(n))["reserve"] for n in range(1, 6)]) == ROWS


async def test_what_fails_for_a_while_is_asked_again(hub_town: Town) -> None:
    file_id = await put(hub_town, csv_file(*some_rows()))
    not_now = TransientError("not now", retry_after_s=0.0)
    await worker(hub_town, Failing(hub_town, {1: not_now, 3: not_now, 4: not_now}))(order(hub_town, file_id))
    everything = await results(hub_town, file_id)
    assert [(one.code, one.replayed) for one in everything] == [(None, False)] * ROWS


async def test_what_others_had_posted_on_the_same_day_is_theirs_where_only_the_look_up_failed(hub_town: Town) -> None:
    earlier = await put(hub_town, csv_file(*some_rows()))
    await worker(hub_town, pipeline(hub_town))(order(hub_town, earlier))
    file_id = await put(hub_town, csv_file(*some_rows()))
    not_now = TransientError("not now", retry_after_s=0.0)
    await worker(hub_town, Failing(hub_town, {1: not_now, 3: not_now}))(order(hub_town, file_id))
    file = await FileStore(hub_town.process.database_of("partner")).file(file_id)
    assert file is not None
    assert file.counts == Counts(replayed=ROWS)


async def test_what_others_had_posted_and_the_file_repeats_is_replayed_also_after_a_break(hub_town: Town) -> None:
    earlier = await put(hub_town, csv_file(*some_rows()[:5]), rows=5)
    await worker(hub_town, pipeline(hub_town))(order(hub_town, earlier))
    clock = hub_town.process.clock
    assert isinstance(clock, AdjustableClock)
    clock.advance(timedelta(days=1))
    rows = some_rows()[:18]
    repeated = [*rows, rows[6], rows[7], *rows]
    file_id = await put(hub_town, csv_file(*repeated), rows=38)
    async with hub_town.process.database_of("partner").transaction() as tx:
        await tx.execute(TAKEN_NOW, file_id, tx.now)
    broken = Failing(hub_town, {2: PermanentError("killed")}, after=True)
    with pytest.raises(PermanentError):
        await worker(hub_town, broken)(order(hub_town, file_id))
    await worker(hub_town, pipeline(hub_town))(order(hub_town, file_id))
    file = await FileStore(hub_town.process.database_of("partner")).file(file_id)
    assert file is not None
    assert file.counts == Counts(posted=13, points=13, replayed=25)
    assert [one.replayed for one in await results(hub_town, file_id)] == [True] * 5 + [False] * 13 + [True] * 20


async def test_two_at_once_leave_each_row_one_result(hub_town: Town) -> None:
    file_id = await put(hub_town, csv_file(*some_rows()))
    workers = [worker(hub_town, pipeline(hub_town)) for _ in range(2)]
    ended = await asyncio.gather(*(one(order(hub_town, file_id)) for one in workers), return_exceptions=True)
    assert all(one is None or isinstance(one, TransientError) for one in ended)
    await workers[0](order(hub_town, file_id))
    everything = await results(hub_town, file_id)
    assert [one.line for one in everything] == list(range(2, ROWS + 2))
    file = await FileStore(hub_town.process.database_of("partner")).file(file_id)
    assert file is not None
    assert (file.done, file.counts.posted + file.counts.replayed) == (ROWS, ROWS)


@pytest.mark.parametrize("turn", [1, 3, 9])
async def test_a_long_file_is_worked_through_in_turns(
    hub_town: Town, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    monkeypatch.setattr(work, "TURN_LIMIT_BLOCKS", turn)
    file_id = await put(hub_town, csv_file(*some_rows()))
    await worker(hub_town, pipeline(hub_town))(order(hub_town, file_id))
    assert len(await results(hub_town, file_id)) == min(10 * turn, ROWS)

    async def it_is_finished() -> bool:
        return len(await results(hub_town, file_id)) == ROWS

    await wait_until(it_is_finished, deadline_s=20)
    everything = await results(hub_town, file_id)
    assert [(one.line, one.transfer_id) for one in everything] == [(n + 2, f"w-{n}") for n in range(ROWS)]
    assert not any(one.replayed for one in everything)


async def test_a_repeat_waits_for_the_block_of_the_first(hub_town: Town) -> None:
    """Ids that come back in the next block, for another citizen: the first row always wins."""
    rows = [row(f"r-{n % 10}", link=1 + (n // 10) % 5, points=1 + n // 10) for n in range(50)]
    file_id = await put(hub_town, csv_file(*rows), rows=50)
    await worker(hub_town, pipeline(hub_town))(order(hub_town, file_id))
    everything = await results(hub_town, file_id)
    assert [one.code for one in everything] == [None] * 10 + ["id_conflict"] * 40
    assert await hub_town.balance(1) == {"reserve": 10}


async def test_a_finished_file_is_left_alone_and_an_unknown_one_is_a_defect(hub_town: Town) -> None:
    file_id = await put(hub_town, csv_file(row("w-1")), rows=1)
    pipeline = Failing(hub_town, {})
    for _ in range(2):
        await worker(hub_town, pipeline)(order(hub_town, file_id))
    assert pipeline.blocks == 1
    with pytest.raises(NoSuchFileError):
        await worker(hub_town, pipeline)(order(hub_town, uuid7()))


async def test_bytes_go_when_nobody_needs_them(hub_town: Town) -> None:
    database, clock = hub_town.process.database_of("partner"), hub_town.process.clock
    assert isinstance(clock, AdjustableClock)
    store, cleaning = FileStore(database), Cleaning(database, clock, keep_days=30)

    async def kept() -> set[UUID]:
        async with database.reading() as reading:
            return {one["file_id"] for one in await reading.fetch("SELECT file_id FROM partner.file_chunk")}

    finished, waiting, abandoned = await put(hub_town, csv_file(row("a")), 1), await put(hub_town, b"", 1), uuid7()
    await store.add_chunk(waiting, 0, 0, b"x")
    await store.add_chunk(abandoned, 0, 0, b"x")
    await worker(hub_town, pipeline(hub_town))(order(hub_town, finished))
    await cleaning.chunks()
    assert await kept() == {finished, waiting, abandoned}
    clock.advance(ABANDONED_AFTER)
    await cleaning.chunks()
    assert await kept() == {finished, waiting}
    clock.advance(timedelta(days=30))
    await cleaning.chunks()
    assert await kept() == {waiting}
    assert len(await results(hub_town, finished)) == 1


async def test_the_bytes_of_all_files_that_are_over_go_at_one_run(hub_town: Town) -> None:
    database, clock = hub_town.process.database_of("partner"), hub_town.process.clock
    assert isinstance(clock, AdjustableClock)
    store, cleaning = FileStore(database), Cleaning(database, clock, keep_days=30)
    for number in range(FILES):
        file_id = await put(hub_town, csv_file(row(f"o-{number}")), 1)
        await worker(hub_town, pipeline(hub_town))(order(hub_town, file_id))
        for part in range(2):
            await store.add_chunk(UUID(int=number), part, 0, b"x")
    clock.advance(timedelta(days=31))
    await cleaning.chunks()
    async with database.reading() as reading:
        assert await reading.fetch("SELECT file_id FROM partner.file_chunk") == []


async def test_one_run_ends_also_where_files_come_faster_than_they_go(
    hub_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.partner.jobs.FILES_LIMIT", 1)
    monkeypatch.setattr("connectors.partner.jobs.PIECES_LIMIT", 2)
    database, clock = hub_town.process.database_of("partner"), hub_town.process.clock
    assert isinstance(clock, AdjustableClock)
    store, cleaning = FileStore(database), Cleaning(database, clock, keep_days=30)
    for number in range(3):
        await store.add_chunk(UUID(int=number), 0, 0, b"x")
    clock.advance(ABANDONED_AFTER * 2)
    await cleaning.chunks()
    async with database.reading() as reading:
        assert len(await reading.fetch("SELECT file_id FROM partner.file_chunk")) == 1
