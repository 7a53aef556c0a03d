"""The method `clipboard`: the number lies there for a while, then it is taken away, unless somebody copied since."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from reader_agent.notify.errors import NotHandedOnError
from reader_agent.notify.programs import first_there, run

_POWERSHELL: Final = ("powershell.exe", "-NoProfile", "-NonInteractive", "-Command")


class Tool(NamedTuple):
    """The commands that put, tell and empty."""

    put: Sequence[str]
    tell: Sequence[str]
    empty: Sequence[str]


XSEL: Final = Tool(
    ("xsel", "--clipboard", "--input"), ("xsel", "--clipboard", "--output"), ("xsel", "--clipboard", "--clear")
)
XCLIP: Final = Tool(
    ("xclip", "-selection", "clipboard", "-in"),
    ("xclip", "-selection", "clipboard", "-out"),
    ("xclip", "-selection", "clipboard", "-in"),
)
WAYLAND: Final = Tool(("wl-copy",), ("wl-paste", "--no-newline"), ("wl-copy", "--clear"))
WINDOWS: Final = Tool(
    (*_POWERSHELL, "Set-Clipboard -Value ([Console]::In.ReadToEnd())"),
    (*_POWERSHELL, "[Console]::Out.Write((Get-Clipboard -Raw))"),
    (*_POWERSHELL, "Set-Clipboard -Value $null"),
)
MACOS: Final = Tool(("pbcopy",), ("pbpaste",), ("pbcopy",))


def tool() -> Tool:
    """What this desktop has. Raises NotHandedOnError."""
    if sys.platform == "win32":
        return WINDOWS
    if sys.platform == "darwin":
        return MACOS
    # xclip owns the clipboard by the time it returns; xsel does a moment later.
    choices = [WAYLAND] if os.environ.get("WAYLAND_DISPLAY") else [XCLIP, XSEL]
    found = first_there(*(choice.put for choice in choices))
    return next(choice for choice in choices if choice.put == found)


class Clipboard:
    """Keeps count of what it still has to take away."""

    def __init__(self) -> None:
        self._clearing: asyncio.Task[None] | None = None
        self._clear_now = asyncio.Event()

    async def put(self, text: str, clear_after_s: float) -> None:
        """Put a text there for so long. Raises NotHandedOnError."""
        using = tool()
        await self.close()
        after_s = 0.0  # where the tool fails or is broken off, the text may lie there all the same
        try:
            await run(using.put, text)
            after_s = clear_after_s
        finally:
            self._clearing = asyncio.create_task(self._clear_later(using, text, after_s))

    async def close(self) -> None:
        """Take away at once what still lies there."""
        if self._clearing is not None:
            self._clear_now.set()
            # Whoever waits no longer does not end it.
            await asyncio.wait([self._clearing])
            self._clear_now.clear()
            self._clearing = None

    async def _clear_later(self, using: Tool, text: str, after_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                await self._clear_now.wait()
        await _clear(using, text)


async def _clear(using: Tool, text: str) -> None:
    try:
        if await run(using.tell, told=True) == text:
            await run(using.empty)
    except NotHandedOnError:
        # An empty clipboard has nothing to tell; one that cannot be asked is emptied all the same.
        with suppress(NotHandedOnError):
            await run(using.empty)
