"""Merge files at the agent: dropped whole and once, answers told until the hub has them, whatever is cut short."""

import asyncio
import errno
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from reader_agent.files import answers, dropping, merge_folder
from reader_agent.files.dropping import FILE_MODE, DropError
from reader_agent.files.journal import KEPT_S, Journal
from reader_agent.files.merge_folder import MergeDrop
from schemas.uplink import (
    FRAME_LIMIT_BYTES,
    MERGE_FILE_LIMIT_BYTES,
    MERGE_FILES_LIMIT,
    FromAgent,
    HubFrame,
    MergeAnswers,
    MergeFile,
    MergeFileAnswer,
    MergeFilesJob,
    MergeFolder,
    MergeTrouble,
)
from tests.dying import deaths
from tests.waiting import wait_until

NAME = "merge-honmachi-20171002101530000042.mpf"
FILES_LIMIT = 500


@dataclass
class Shop:
    """A terminal's agent, its merge folder, and what it has told the hub."""

    drop: MergeDrop
    folder: Path
    told: list[FromAgent] = field(default_factory=list)

    async def tell(self, said: FromAgent) -> None:
        self.told.append(said)

    async def ask(self, *files: MergeFile) -> list[MergeTrouble | None]:
        """Drop these, and what became of each."""
        result = await self.drop.drop(MergeFilesJob(job_id=uuid4(), limit_s=5, files=list(files)))
        return [file.trouble for file in result.files]

    def answers(self) -> list[MergeFileAnswer]:
        """All that were told, in order."""
        return [answer for said in self.told if isinstance(said, MergeAnswers) for answer in said.answers]


@asynccontextmanager
async def at_work(root: Path) -> AsyncIterator[Shop]:
    folder = root / "drop"
    folder.mkdir(exist_ok=True)
    shop = Shop(MergeDrop(folder, root / "own"), folder)
    running = asyncio.create_task(shop.drop.run())
    try:
        yield shop
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def file(name: str = NAME, content: bytes = b"sealed", *, again: bool = False) -> MergeFile:
    return MergeFile(name=name, content=content, again=again)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_folder_that_hangs_is_told_as_missing_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_back = threading.Event()
    look_at = dropping.look_at

    def hang(folder: Path) -> MergeTrouble | None:
        is_back.wait()
        return look_at(folder)

    monkeypatch.setattr(merge_folder, "HANGS_AFTER_S", 0.05)
    monkeypatch.setattr(dropping, "look_at", hang)
    try:
        async with at_work(tmp_path) as shop:
            await shop.drop.connected(shop.tell)
            await wait_until(lambda: shop.told == [MergeFolder(trouble=MergeTrouble.missing)])
            is_back.set()
            await wait_until(lambda: MergeFolder() in shop.told)
    finally:
        is_back.set()


async def test_a_file_is_dropped_answered_and_told_until_the_hub_has_it(tmp_path: Path) -> None:
    async with at_work(tmp_path) as shop:
        await shop.drop.connected(shop.tell)
        assert await shop.ask(file()) == [None]
        assert (shop.folder / NAME).read_bytes() == b"sealed"
        assert shop.drop.waiting == 1
        (shop.folder / f"{NAME}.ack").touch()
        await wait_until(shop.answers)
        shop.drop.disconnected()
    async with at_work(tmp_path) as shop:  # the hub has not said that it has it
        await shop.drop.connected(shop.tell)
        await wait_until(shop.answers)
        await shop.drop.taken([NAME])
        assert shop.answers() == [MergeFileAnswer(name=NAME, taken=True)]
        assert names(shop.folder) == [NAME]
    async with at_work(tmp_path) as shop:
        await shop.drop.connected(shop.tell)
        (shop.folder / NAME).unlink()
        assert await shop.ask(file()) == [None]  # asked again, because the hub did not hear: it was there already
        assert names(shop.folder) == []
        await wait_until(lambda: shop.told == [MergeFolder()])


async def test_a_refusal_tells_its_reason_in_one_line(tmp_path: Path) -> None:
    async with at_work(tmp_path) as shop:
        await shop.drop.connected(shop.tell)
        await shop.ask(file())
        half = tmp_path / "half"
        half.write_bytes("会員では\x1b\nない\0".encode() + b"\xff" + b"x" * 5_000)
        half.rename(shop.folder / f"{NAME}.nack")
        await wait_until(shop.answers)
        (answer,) = shop.answers()
        assert (answer.taken, answer.reason[:7]) == (False, "会員では ない")
        assert len(answer.reason) <= 200


async def test_a_file_can_be_read_by_the_streets_program_whatever_the_umask(tmp_path: Path) -> None:
    async with at_work(tmp_path) as shop:
        before = os.umask(0o077)
        try:
            assert await shop.ask(file()) == [None]
        finally:
            os.umask(before)
        assert stat.S_IMODE((shop.folder / NAME).stat().st_mode) == FILE_MODE


async def test_a_share_without_modes_takes_files_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _mode: int) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchmod", refuse)
    async with at_work(tmp_path) as shop:
        assert await shop.ask(file()) == [None]


async def test_a_refusal_that_may_not_be_read_is_one_without_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(answers, "_reason", refuse)
    other = "merge-honmachi-20171002101530000043.mpf"
    async with at_work(tmp_path) as shop:
        await shop.drop.connected(shop.tell)
        await shop.ask(file(), file(other))
        (shop.folder / f"{NAME}.nack").touch()
        (shop.folder / f"{other}.ack").touch()
        await wait_until(lambda: len(shop.answers()) == 2)
        told = sorted(shop.answers(), key=lambda answer: answer.name)
        assert told == [MergeFileAnswer(name=NAME, taken=False), MergeFileAnswer(name=other, taken=True)]


async def test_with_both_answers_the_points_were_added(tmp_path: Path) -> None:
    async with at_work(tmp_path) as shop:
        await shop.ask(file())
        (shop.folder / f"{NAME}.nack").touch()
        (shop.folder / f"{NAME}.ack").touch()
        await shop.drop.connected(shop.tell)
        await wait_until(shop.answers)
        assert shop.answers() == [MergeFileAnswer(name=NAME, taken=True)]


async def test_dropped_again_it_is_there_again_or_its_answer_is_told_again(tmp_path: Path) -> None:
    async with at_work(tmp_path) as shop:
        await shop.drop.connected(shop.tell)
        await shop.ask(file())
        (shop.folder / NAME).unlink()
        assert await shop.ask(file(again=True)) == [None]
        assert names(shop.folder) == [NAME]
        (shop.folder / f"{NAME}.ack").touch()
        await wait_until(shop.answers)
        await shop.drop.taken([NAME])
        (shop.folder / NAME).unlink()
        assert await shop.ask(file(again=True)) == [None]
        await wait_until(lambda: len(shop.answers()) == 2)
        assert names(shop.folder) == []


async def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    async with at_work(tmp_path) as shop:
        (shop.folder / NAME).write_bytes(b"another")
        link = "merge-honmachi-20171002101530000043.mpf"
        (shop.folder / link).symlink_to(tmp_path / "elsewhere")
        assert await shop.ask(file(), file(link)) == [MergeTrouble.exists] * 2
        assert (shop.folder / NAME).read_bytes() == b"another"
        assert not (tmp_path / "elsewhere").exists()
        (shop.folder / NAME).unlink()
        assert await shop.ask(file()) == [None]
        assert await shop.ask(file(content=b"changed")) == [MergeTrouble.exists]


async def test_a_folder_that_is_away_is_told_of_and_comes_back(tmp_path: Path) -> None:
    async with at_work(tmp_path) as shop:
        await shop.drop.connected(shop.tell)
        shop.folder.rmdir()
        assert await shop.ask(file()) == [MergeTrouble.missing]
        await wait_until(lambda: shop.told[-1:] == [MergeFolder(trouble=MergeTrouble.missing)])
        shop.folder.mkdir()
        assert await shop.ask(file()) == [None]
        await wait_until(lambda: shop.told[-1:] == [MergeFolder()])


@pytest.mark.parametrize(
    "number, trouble",
    [(28, MergeTrouble.full), (30, MergeTrouble.read_only), (13, MergeTrouble.read_only), (5, MergeTrouble.failed)],
)
async def test_a_disk_that_takes_nothing_is_told_of_by_its_name(
    number: int, trouble: MergeTrouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(tmp_path) as shop:
        await shop.drop.connected(shop.tell)

        def refuse(_path: Path, _content: bytes) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patched:
            patched.setattr(dropping, "_write", refuse)
            assert await shop.ask(file()) == [trouble]
            await wait_until(lambda: shop.told[-1:] == [MergeFolder(trouble=trouble)])
        assert names(shop.folder) == []
        assert await shop.ask(file()) == [None]
        await wait_until(lambda: shop.told[-1:] == [MergeFolder()])


async def test_a_full_disk_below_the_journal_is_told_of_and_the_file_comes_later(tmp_path: Path) -> None:
    """F26: what cannot be written down is not there for the hub, which asks again."""
    async with at_work(tmp_path) as shop:
        await shop.drop.connected(shop.tell)
        await shop.drop._in_thread(lambda journal: limit_pages(journal, 0))
        number, troubles = 0, list[MergeTrouble | None]()
        while troubles != [MergeTrouble.full]:
            number += 1
            assert number < FILES_LIMIT
            troubles = await shop.ask(file(f"merge-{number}.mpf"))
        await wait_until(lambda: shop.told[-1:] == [MergeFolder(trouble=MergeTrouble.full)])
        assert shop.drop.waiting == number - 1
        await shop.drop._in_thread(lambda journal: limit_pages(journal, 100))
        assert await shop.ask(file(f"merge-{number}.mpf")) == [None]
        await wait_until(lambda: shop.told[-1:] == [MergeFolder()])
        assert len(names(shop.folder)) == shop.drop.waiting == number


def limit_pages(journal: Journal, more: int) -> None:
    """As a disk that takes so many pages more."""
    (pages,) = journal._database.execute("PRAGMA page_count").fetchone()
    journal._database.execute(f"PRAGMA max_page_count = {pages + more}")


def full() -> sqlite3.Error:
    """As SQLite raises it."""
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA max_page_count = 1")
    try:
        database.execute("CREATE TABLE one (two)")
    except sqlite3.Error as error:
        return error
    finally:
        database.close()
    raise AssertionError


@pytest.mark.parametrize("trouble", [MergeTrouble.full, MergeTrouble.failed])
@pytest.mark.parametrize("method", ["__init__", "forget", "answered", "untold", "told"])
async def test_whatever_of_the_journal_fails_is_tried_again(
    method: str, trouble: MergeTrouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise full() if trouble is MergeTrouble.full else sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, method, fail)
        async with at_work(tmp_path) as shop:
            await shop.drop.connected(shop.tell)
            await shop.ask(file())
            (shop.folder / f"{NAME}.ack").touch()
            if method == "told":
                await wait_until(shop.answers)
                await shop.drop.taken([NAME])
            else:
                await wait_until(lambda: MergeFolder(trouble=trouble) in shop.told)
            patched.undo()
            assert await shop.ask(file()) == [None]
            await wait_until(shop.answers)
            await wait_until(lambda: [said for said in shop.told if isinstance(said, MergeFolder)][-1] == MergeFolder())
            await shop.drop.taken([NAME])
            assert not list(shop.folder.glob("*.ack"))


async def test_a_file_that_nobody_answers_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, untold, dropped_again = (f"merge-{number}.mpf" for number in range(3))
    changed: list[None] = []
    async with at_work(tmp_path) as shop:
        await shop.ask(file(lost), file(untold), file(dropped_again))
        (shop.folder / f"{untold}.nack").touch()
        await wait_until(lambda: shop.drop.waiting == 2)
        older = "UPDATE dropped SET at = at - ?"
        await shop.drop._in_thread(lambda journal: journal._database.execute(older, (KEPT_S,)))
        await shop.ask(file(dropped_again, again=True))
        monkeypatch.setattr(shop.drop, "_changed", lambda: changed.append(None))
        shop.drop._forget_at_s = 0.0
        await wait_until(lambda: shop.drop.waiting == 1)
        await wait_until(lambda: changed)
        await shop.drop.connected(shop.tell)
        await wait_until(shop.answers)
        assert shop.answers() == [MergeFileAnswer(name=untold, taken=False)]
        assert await shop.drop._in_thread(Journal.unanswered) == {dropped_again}


async def test_a_terminal_without_a_folder_says_so_when_asked(tmp_path: Path) -> None:
    shop = Shop(MergeDrop(None, tmp_path / "own"), tmp_path)
    await shop.drop.connected(shop.tell)
    assert await shop.ask(file()) == [MergeTrouble.no_folder]
    assert shop.told == []
    await shop.drop.run()


def test_killed_at_every_step_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """F09: whoever looks never sees a part, and asking again leaves one file."""
    folder = tmp_path / "drop"
    folder.mkdir()

    def drop() -> None:
        shop = MergeDrop(folder, tmp_path / "own")
        journal = Journal(tmp_path / "own")
        assert shop._drop(journal, folder, [file()])[0].trouble is None
        journal.close()

    for _ in deaths(drop):
        seen = [path for path in folder.iterdir() if path.suffix == ".mpf"]
        assert all(path.read_bytes() == b"sealed" for path in seen)
        drop()
        assert names(folder) == [NAME]
        (folder / NAME).unlink()
        for own in (tmp_path / "own").iterdir():
            own.unlink()


def test_killed_at_every_step_nothing_is_left_of_what_was_taken_meanwhile(tmp_path: Path) -> None:
    folder, own = tmp_path / "drop", tmp_path / "own"
    folder.mkdir()

    def drop() -> None:
        journal = Journal(own)
        assert MergeDrop(folder, own)._drop(journal, folder, [file()])[0].trouble is None
        journal.close()

    for _ in deaths(drop):
        for whole in folder.glob("*.mpf"):
            whole.unlink()
            whole.with_name(whole.name + ".ack").touch()
        drop()
        assert not list(folder.glob("*.part"))
        for path in (*folder.iterdir(), *own.iterdir()):
            path.unlink()


def test_killed_at_every_step_an_answer_is_told_at_least_once(tmp_path: Path) -> None:
    folder, own = tmp_path / "drop", tmp_path / "own"
    folder.mkdir()
    told = 0

    def look() -> None:
        shop, journal = MergeDrop(folder, own), Journal(own)
        shop._waiting = journal.unanswered()
        shop._found(journal, folder)
        taken = [answer.name for answer in journal.untold(10)]
        shop._taken(journal, taken)
        journal.close()

    def begin() -> None:
        journal = Journal(own)
        MergeDrop(folder, own)._drop(journal, folder, [file()])
        journal.close()
        (folder / f"{NAME}.ack").touch()

    begin()
    for _ in deaths(look):
        look()
        journal = Journal(own)
        assert (journal.unanswered(), journal.untold(10)) == (set(), [])
        journal.close()
        told += 1
        for path in own.iterdir():
            path.unlink()
        begin()
    assert told > 1


def test_without_hard_links_it_looks_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_names: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    dropping.put(tmp_path, NAME, b"sealed")
    dropping.put(tmp_path, NAME, b"sealed")
    with pytest.raises(DropError):
        dropping.put(tmp_path, NAME, b"another")
    assert names(tmp_path) == [NAME]


def test_a_full_frame_of_the_largest_files_fits() -> None:
    files: Sequence[MergeFile] = [
        file(f"{'n' * 90}{number:02}.mpf", bytes(MERGE_FILE_LIMIT_BYTES)) for number in range(MERGE_FILES_LIMIT)
    ]
    job = MergeFilesJob(job_id=uuid4(), limit_s=1, files=list(files))
    assert len(HubFrame(seq=1 << 40, said=job).model_dump_json()) <= FRAME_LIMIT_BYTES


async def test_a_share_that_hangs_holds_nothing_else_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(*_arguments: object) -> None:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(10)

    async with at_work(tmp_path) as shop:
        monkeypatch.setattr(dropping, "put", hang)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await shop.ask(file())
        released.set()
