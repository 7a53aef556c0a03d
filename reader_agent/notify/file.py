"""The method `file`: one line in a file of the configured folder, there as a whole or not at all."""

import os
import re
from pathlib import Path
from typing import Final

from reader_agent.notify.errors import NotHandedOnError
from reader_agent.private_files import write_whole

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
FILE_MODE: Final = 0o644
"""The other program may run as another user; the folder says who may look in."""


def write_line(text: str, folder: Path | None, name: str) -> None:
    """Write the line, over what was there. Raises NotHandedOnError: no folder is set, or the name is none."""
    if folder is None:
        raise NotHandedOnError("this terminal has no notify_folder")
    if _NAME.fullmatch(name) is None:
        raise NotHandedOnError("the file's name is not a plain name")
    if not text.isprintable():
        raise NotHandedOnError("it is one line")
    try:
        write_whole(folder / name, f"{text}{os.linesep}".encode(), mode=FILE_MODE)
    except OSError as error:
        raise NotHandedOnError(type(error).__name__) from error
