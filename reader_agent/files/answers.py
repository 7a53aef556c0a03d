"""What the street's program has put beside a merge file: `<name>.ack`, or `<name>.nack` with its reason."""

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from schemas.uplink import MergeFileAnswer

ACK: Final = ".ack"
NACK: Final = ".nack"
REASON_LIMIT_BYTES: Final = 1_024
REASON_LIMIT_CHARACTERS: Final = 200
_UNSEEN: Final = re.compile(r"[^\w.,:;()/+-]+")
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def found(folder: Path, names: Collection[str], limit: int) -> list[MergeFileAnswer]:
    """The answers to these files, `limit` at the most. Raises OSError."""
    told: dict[str, MergeFileAnswer] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            name, ending = Path(entry.name).stem, Path(entry.name).suffix
            if ending in {ACK, NACK} and name in names and entry.is_file(follow_symlinks=False):
                told.setdefault(name, _answer(folder, name))
                if len(told) == limit:
                    break
    return list(told.values())


def is_answered(folder: Path, name: str) -> bool:
    """Whether there is one."""
    return any((folder / (name + ending)).is_file() for ending in (ACK, NACK))


def clear(folder: Path, name: str) -> None:
    """The hub knows: its answer need not lie there any longer. Raises OSError."""
    for ending in (ACK, NACK):
        (folder / (name + ending)).unlink(missing_ok=True)


def _answer(folder: Path, name: str) -> MergeFileAnswer:
    # With both there the points were added: sending them back as well would make them twice.
    if (folder / (name + ACK)).is_file():
        return MergeFileAnswer(name=name, taken=True)
    try:
        return MergeFileAnswer(name=name, taken=False, reason=_reason(folder / (name + NACK)))
    except PermissionError:
        # Its name says it; a reason that is not for us holds no other answer up.
        return MergeFileAnswer(name=name, taken=False)


def _reason(path: Path) -> str:
    """In one line, whatever the program wrote."""
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINKS), "rb") as file:
        content = file.read(REASON_LIMIT_BYTES) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    text = _UNSEEN.sub(" ", content.decode("utf-8", "replace")).strip()
    return text[:REASON_LIMIT_CHARACTERS]
