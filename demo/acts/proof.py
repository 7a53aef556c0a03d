"""The proof: everything is added up again, and the chain is followed from its first block."""

from demo.stage import Stage


async def play(stage: Stage) -> None:
    """All sixteen partitions."""
