"""How much is run: a quick selection with `make test`, everything with `make reliability`, more of it with LONG=yes.

MYKEY_RELIABILITY names it: quick, full or long.
"""

import os
from typing import Final

MODES: Final = ("quick", "full", "long")
MODE: Final = os.environ.get("MYKEY_RELIABILITY") or MODES[0]
_AT: Final = MODES.index(MODE)

FULL: Final = MODE != "quick"
"""Whether what takes minutes is run at all."""

SEEDS: Final = (300, 500, 2_000)[_AT]
PASSES: Final = ((1, 3), (1, 6), (1, 3, 6, 9))[_AT]
"""At which pass of a failpoint the process dies."""
BROKER_PASSES: Final = ((3,), (1, 6), PASSES)[_AT]
BROKER_POINTS: Final = (3, None, None)[_AT]
"""How many of the places over RabbitMQ."""
CHAOS_SEEDS: Final = ((1,), (1, 2), (1, 2, 3))[_AT]
CHAOS_FAULTS: Final = (4, None, None)[_AT]
"""How many of the faults, in the order of the seed."""
NETWORK_SEEDS: Final = ((1,), (1,), (1, 2))[_AT]
NETWORK_FAULTS: Final = 24
"""How many pairs of a way and what happens to it, in the order of the seed: all of them."""
DOOR_PASSES: Final = ((3,), (3,), PASSES)[_AT]
MACHINE_EXAMPLES: Final = (40, 100, 500)[_AT]
MERGES: Final = (0, 2_000, 10_000)[_AT]
MERGE_KILLS: Final = (0, 18, 90)[_AT]
"""Of the hub, the agent and the street's program, one after the other."""
