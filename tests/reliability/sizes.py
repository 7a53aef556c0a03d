"""How much is run: a quick selection with `make test`, everything with `make reliability` (MYKEY_RELIABILITY=full)."""

import os
from typing import Final

FULL: Final = os.environ.get("MYKEY_RELIABILITY") == "full"

SEEDS: Final = 2_000 if FULL else 300
PASSES: Final = (1, 3, 6, 9) if FULL else (1, 3)
"""At which pass of a failpoint the process dies."""
DOOR_PASSES: Final = PASSES if FULL else (3,)
MACHINE_EXAMPLES: Final = 500 if FULL else 40
