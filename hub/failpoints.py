"""Named places where a test may end the process at once, as a power cut would: MYKEY_FAILPOINT=ledger.before_commit:3.

Costs one comparison where the variable is not set. `docs/architecture.md` lists the places.
"""

import os
import signal
from typing import Final

ENVIRONMENT: Final = "MYKEY_FAILPOINT"


class _Armed:
    """The armed failpoint of this process: its name, and how many more times it is passed before it ends us."""

    def __init__(self, setting: str) -> None:
        name, _, nth = setting.partition(":")
        self.name = name
        self.left = int(nth or 1)


_armed = _Armed(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None


def reach(name: str) -> None:
    """The process has come to the place `name`; if that is the armed one, for the nth time, it is killed here."""
    if _armed is None or _armed.name != name:
        return
    _armed.left -= 1
    if _armed.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
