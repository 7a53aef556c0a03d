"""How much is run: a quick selection with `make test`, everything with `make reliability` (MYKEY_RELIABILITY=full)."""

import os
from typing import Final

FULL: Final = os.environ.get("MYKEY_RELIABILITY") == "full"

SEEDS: Final = 2_000 if FULL else 300
PASSES: Final = (1, 3, 6, 9) if FULL else (1, 3)
"""At which pass of a failpoint the process dies."""
BROKER_PASSES: Final = PASSES if FULL else (3,)
BROKER_POINTS: Final = None if FULL else 3
"""How many of the places over RabbitMQ."""
CHAOS_SEEDS: Final = (1, 2, 3) if FULL else (1,)
CHAOS_FAULTS: Final = None if FULL else 4
"""How many of the faults, in the order of the seed."""
NETWORK_SEEDS: Final = (1, 2)
NETWORK_FAULTS: Final = 24
"""How many pairs of a way and what happens to it, in the order of the seed."""
DOOR_PASSES: Final = PASSES if FULL else (3,)
MACHINE_EXAMPLES: Final = 500 if FULL else 40
MERGES: Final = 10_000
MERGE_KILLS: Final = 90
"""Of the hub, the agent and the street's program, one after the other."""
