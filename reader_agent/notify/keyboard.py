"""The method `keyboard`: the number is typed into whatever window has the focus, as a card reader of old would."""

import asyncio
import os
import shutil
import sys
from typing import Final

from reader_agent.notify.errors import NotHandedOnError
from reader_agent.notify.programs import run

XDOTOOL: Final = ("xdotool", "type", "--clearmodifiers", "--delay", "8", "--file", "-")
OSASCRIPT: Final = ("osascript", "-")


async def type_in(text: str, *, enter: bool) -> None:
    """Type a text, and Enter after it. Raises NotHandedOnError."""
    if sys.platform == "win32":
        from reader_agent.notify.windows_keys import send_keys  # noqa: PLC0415 - Windows only

        await asyncio.to_thread(send_keys, text, enter=enter)
    elif sys.platform == "darwin":
        await run(OSASCRIPT, _apple_script(text, enter=enter))
    elif os.environ.get("DISPLAY") and shutil.which(XDOTOOL[0]):
        await run(XDOTOOL, text + "\n" * enter)
    else:
        from reader_agent.notify.uinput import type_keys  # noqa: PLC0415 - Linux only

        await asyncio.to_thread(type_keys, text, enter=enter)


def _apple_script(text: str, *, enter: bool) -> str:
    """Read from standard input: what is typed is in no argument."""
    if not text.isprintable():
        raise NotHandedOnError("what is typed must be letters, digits and signs")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    lines = ['tell application "System Events"', f'keystroke "{quoted}"', "key code 36" if enter else "", "end tell"]
    return "\n".join(lines)
