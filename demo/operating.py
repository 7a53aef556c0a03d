"""How the operators' commands come to the demo's hub, which lives in none of the folders they look in."""

import os
import shlex
import sys
from pathlib import Path
from typing import Final

from hub.settings import Settings

KEY_FILE: Final = "operators_key"


def console_line(folder: Path, database_url: str, settings: Settings) -> str:
    """A shell's line that opens the console; the hub's key is put into `folder` for it, readable by us alone."""
    key = folder / KEY_FILE
    key.touch(mode=0o600)
    key.write_bytes(settings.key())
    given = {"MYKEY_DATABASE_URL": database_url, "MYKEY_TRANSPORT": settings.transport}
    if settings.amqp_url is not None:
        given["MYKEY_AMQP_URL"] = settings.amqp_url.get_secret_value()
    variables = [f"{name}={shlex.quote(value)}" for name, value in given.items()]
    return " ".join([*variables, f'MYKEY_SECRET_KEY="$(cat {shlex.quote(str(key))})"', _program(), "console"])


def _program() -> str:
    """`mykey-hub` by its whole path, for another shell in another folder."""
    program = Path(sys.executable).with_name("mykey-hub")
    if os.access(program, os.X_OK):
        return shlex.quote(str(program))
    return f"{shlex.quote(sys.executable)} -m hub"
