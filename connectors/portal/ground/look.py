"""The built style sheet, script and icons: read once, served for a year under names that change with their content.

They are build products (`python -m tools.portal_assets`, done by make). Where they were never built the pages come
without them, whole and usable, and the log says what to do.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

BUILT: Final = Path(__file__).parent / ".build"
ADDRESS: Final = "/assets"
"""Where they are served, for all audiences alike."""
KEPT_S: Final = 31_536_000
PNG: Final = "image/png"
CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": PNG,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asset:
    """One built file."""

    content: bytes
    content_type: str
    gzipped: bytes | None = None
    """For texts."""

    @property
    def is_text(self) -> bool:
        """Whether it has a charset."""
        return self.gzipped is not None


class Look:
    """All built files, in memory."""

    def __init__(self, folder: Path = BUILT) -> None:
        """Reads the folder; a missing one is logged, not an error."""
        self._names: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        listing = folder / "names.json"
        if not listing.exists():
            log.warning("portal_look_missing", remedy="make .venv/.assets")
            return
        self._names = json.loads(listing.read_text("utf-8"))
        for name in self._names.values():
            content, content_type = (folder / name).read_bytes(), CONTENT_TYPES[Path(name).suffix]
            gzipped = None if content_type == PNG else gzip.compress(content, mtime=0)
            self._assets[name] = Asset(content, content_type, gzipped)

    def url(self, name: str) -> str:
        """The address of a file by its plain name: `portal.css` → `/assets/portal.4a04f60045d6.css`."""
        return f"{ADDRESS}/{self._names.get(name, name)}"

    def asset(self, built_name: str) -> Asset | None:
        """The file under its built name, None where there is none."""
        return self._assets.get(built_name)
