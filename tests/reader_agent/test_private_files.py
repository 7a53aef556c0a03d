"""Files that are ours alone: there, whole and on disk when the call has returned."""

import errno
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from reader_agent import names_on_disk
from reader_agent.files import dropping
from reader_agent.files.dropping import DropError
from reader_agent.private_files import read_private, write_private


def test_what_is_written_is_on_disk_and_so_is_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced, fsync = tmp_path / "agent.key", list[tuple[bool, bool]](), os.fsync

    def sync(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    write_private(path, b"key")
    assert synced == [(False, False), (True, True)]
    assert read_private(path) == b"key"


class Scanned:
    """A virus scanner that has every new file open for the first `times` that somebody renames it, as on Windows."""

    def __init__(self, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = times
        monkeypatch.setattr(os, "name", "nt")
        for name in ("rename", "replace"):
            monkeypatch.setattr(Path, name, self._refusing(getattr(Path, name)))

    def _refusing(self, do: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def rename(half: Path, path: Path) -> Path:
            self.left -= 1
            if self.left >= 0:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return do(half, path)

        return rename


WRITE: Final[Mapping[str, Callable[[Path], None]]] = {
    "a file of ours": lambda path: write_private(path, b"whole"),
    "a merge file": lambda path: dropping.put(path.parent, path.name, b"whole"),
}


@pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)
def test_a_file_that_is_looked_at_for_viruses_gets_its_name_a_moment_later(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one"
    with monkeypatch.context() as patched:
        scanned = Scanned(2, patched)
        write(path)
    assert scanned.left == -1
    assert [each.name for each in tmp_path.iterdir()] == ["one"]
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)
def test_a_file_that_gets_no_name_for_long_is_told_of(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_on_disk, "BUSY_LIMIT_S", 0.0)
    with monkeypatch.context() as patched:
        Scanned(1_000, patched)
        with pytest.raises((PermissionError, DropError)):
            write(tmp_path / "one")
    assert list(tmp_path.iterdir()) == []
