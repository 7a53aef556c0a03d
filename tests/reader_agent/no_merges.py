"""A terminal without a merge folder; apart from the desk, for peers that have to start quickly."""

from collections.abc import Sequence

from reader_agent.ports import TellHub
from schemas.uplink import MergeFilesJob, MergeFilesResult


class NoMerges:
    """A terminal that no merge file goes to (reader_agent.ports.MergeDesk)."""

    async def drop(self, job: MergeFilesJob) -> MergeFilesResult:
        """Never."""
        raise NotImplementedError

    async def connected(self, tell: TellHub) -> None:
        """Nothing is told."""

    def disconnected(self) -> None:
        """Nothing is told."""

    async def taken(self, names: Sequence[str]) -> None:
        """Never."""
        raise NotImplementedError
