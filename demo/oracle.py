"""What must come out of a partner's rows, by the plainest reading of the rules: no database, no hub."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from demo.world import TransferRow, World
from schemas.values import MAX_POINTS, has_valid_check_digit

WHOLE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(slots=True)
class Expected:
    """Every row ends exactly once: posted, replayed, or refused with a code."""

    posted: int = 0
    points: int = 0
    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    reserve: Counter[str] = field(default_factory=Counter)
    """By base municipality."""
    scheme: Counter[str] = field(default_factory=Counter)
    granted_mails: int = 0


def expect(world: World) -> Expected:
    """Go through the rows one by one."""
    expected = Expected()
    schemes = {scheme.lg_code for scheme in world.schemes}
    seen: dict[str, tuple[TransferRow, str | None]] = {}
    for row in world.transfers:
        before = seen.get(row.transfer_id)
        if before is None:
            code = _refusal(row, world, schemes)
            seen[row.transfer_id] = (row, code)
            _count(expected, row, code, world)
        elif before[0] != row:
            expected.refused["id_conflict"] += 1
        elif before[1] is None:
            expected.replayed += 1
        else:
            expected.refused[before[1]] += 1
    return expected


def _refusal(row: TransferRow, world: World, schemes: set[str]) -> str | None:
    if not WHOLE_NUMBER.fullmatch(row.points) or int(row.points) > MAX_POINTS:
        return "bad_points"
    if row.to != "reserve" and not has_valid_check_digit(row.to.removeprefix("scheme:")):
        return "bad_code"
    if row.link_id not in world.by_link:
        return "unknown_link"
    if row.to != "reserve" and row.to.removeprefix("scheme:") not in schemes:
        return "no_scheme"
    return None


def _count(expected: Expected, row: TransferRow, code: str | None, world: World) -> None:
    if code is not None:
        expected.refused[code] += 1
        return
    citizen = world.by_link[row.link_id]
    points = int(row.points)
    expected.posted += 1
    expected.points += points
    expected.granted_mails += citizen.wants_mail
    if row.to == "reserve":
        expected.reserve[citizen.base_lg_code] += points
    else:
        expected.scheme[row.to.removeprefix("scheme:")] += points
