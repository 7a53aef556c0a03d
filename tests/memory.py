"""What the kernel says of a process's memory, in KiB (Linux)."""

from pathlib import Path
from typing import Literal


def resident_kib(pid: int | Literal["self"] = "self") -> int:
    """What it holds now, what it shares with others included."""
    return _line(pid, "status", "VmRSS:")


def peak_kib(pid: int | Literal["self"] = "self") -> int:
    """The most that it has ever held."""
    return _line(pid, "status", "VmHWM:")


def proportional_kib(pid: int) -> int:
    """What it holds now, of what several share a share each: so these may be added up."""
    return _line(pid, "smaps_rollup", "Pss:")


def _line(pid: int | Literal["self"], file: str, name: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
