"""Which components are installed: the entry points `mykey_hub.components`. The hub imports none by name."""

import importlib.metadata
from collections.abc import Sequence

from hub.component import Installed
from hub.errors import PermanentError
from hub.migrations import ENTRY_POINT_GROUP


class UnknownComponentError(PermanentError):
    """There is no installed component of that name."""


def installed(names: Sequence[str] = ()) -> list[Installed]:
    """The components of these names, or all of them. Raises UnknownComponentError."""
    points = {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
    unknown = [name for name in names if name not in points]
    if unknown:
        there = ", ".join(sorted(points))
        raise UnknownComponentError(f"there is no component {', '.join(unknown)}; there are {there}")
    return [Installed(name, points[name].load()) for name in (names or sorted(points))]


def names() -> list[str]:
    """The names of all installed components."""
    return sorted(point.name for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))
