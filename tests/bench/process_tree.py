"""A process and all that came of it, as /proc tells (Linux)."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

STATE: Final = 0
PARENT: Final = 1
TIMES: Final = slice(11, 15)
OWN_TIMES: Final = slice(11, 13)
STARTED: Final = 19
"""Fields of /proc/<pid>/stat behind the name."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process; with the time of its start, because numbers are given again.

    `cpu_s`: the processor time that it has taken, with that of its children that have ended.
    """

    pid: int
    started: str
    name: str
    arguments: tuple[str, ...]
    cpu_s: float = field(compare=False)

    @property
    def is_there(self) -> bool:
        """Whether it is still at work: one that nobody has fetched is not."""
        found = _stat(self.pid)
        return found is not None and found[1][STARTED] == self.started and found[1][STATE] != "Z"


def descendants(pid: int) -> Iterator[Process]:
    """It and its children, their children, and so on, whatever session they are in."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if (found := _stat(int(folder.name))) is not None:
            children.setdefault(int(found[1][PARENT]), []).append(int(folder.name))
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        with suppress(OSError):  # it has just ended
            found = _stat(one)
            command = Path(f"/proc/{one}/cmdline").read_bytes().decode(errors="replace")
            if found is not None:
                name, fields = found
                cpu_s = sum(map(int, fields[TIMES])) / os.sysconf("SC_CLK_TCK")
                yield Process(one, fields[STARTED], name, tuple(command.rstrip("\0").split("\0")), cpu_s)


def own_cpu_s(pid: int) -> float:
    """The processor time that it alone has taken so far."""
    found = _stat(pid)
    assert found is not None, pid
    return sum(map(int, found[1][OWN_TIMES])) / os.sysconf("SC_CLK_TCK")


def kill(processes: Iterable[Process]) -> None:
    """Those of them that are still there."""
    for one in processes:
        if one.is_there:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)


def _stat(pid: int) -> tuple[str, list[str]] | None:
    """Its name, and the fields behind it; None where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    named, _, fields = text.rpartition(")")
    return named.partition("(")[2], fields.split()
