"""Files of transfers that partners hand in (design: doors)."""

from typing import ClassVar
from uuid import UUID

from schemas.message import Command, Event


class WorkTransferFile(Command):
    """A file was taken durably: work through it, or go on with it."""

    TYPE: ClassVar[str] = "jp.mykey.partner-files.work.v1"
    file_id: UUID

    def key(self) -> UUID:
        """The file."""
        return self.file_id

    def business_key(self) -> str | None:
        """The file's id."""
        return str(self.file_id)


class TransferFileFinished(Event):
    """Every row of a file has its outcome."""

    TYPE: ClassVar[str] = "jp.mykey.partner-files.finished.v1"
    file_id: UUID
    party_id: UUID
    rows: int

    def key(self) -> UUID:
        """The file."""
        return self.file_id
