"""Files that are ours alone: there, whole and on disk when the call has returned."""

import os
import stat
from pathlib import Path

import pytest

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
