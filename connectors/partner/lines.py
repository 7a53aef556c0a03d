"""From chunks of bytes to physical lines, in bounded memory: one line too long costs its own row, no more."""

from typing import Final

BOM: Final = b"\xef\xbb\xbf"
LINE_LIMIT_BYTES: Final = 4_096
"""The longest line that is read; a longer one is cut to one byte more, by which it is known."""


class LineSplitter:
    """Cuts chunks at line feeds. Lines come without their end (LF or CR LF); a BOM at the start is dropped."""

    def __init__(self) -> None:
        self._begun = False
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk, in order."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[: LINE_LIMIT_BYTES + 2]
        return self._clean(lines)

    def end(self) -> list[bytes]:
        """The last line, if the last byte was no line feed."""
        last, self._rest = self._rest, b""
        return self._clean([last]) if last else []

    def _clean(self, lines: list[bytes]) -> list[bytes]:
        if lines and not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(BOM)
        return [_without_end(line) for line in lines]


def _without_end(line: bytes) -> bytes:
    if len(line) <= LINE_LIMIT_BYTES:
        return line.removesuffix(b"\r")
    return line[: LINE_LIMIT_BYTES + 1]
