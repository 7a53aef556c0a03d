"""The proof of the books: everything re-added, the chain followed, the first bad row named."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from schemas.message import Answered, Query, Said
from schemas.values import LANES

Partition = Annotated[int, Field(strict=True, ge=0, lt=LANES)]


class Checkpoint(Said):
    """What a partition's chain had come to when somebody outside wrote it down; `hash` in hexadecimal."""

    block: int
    hash: str


class Fault(Said):
    """A row of the books that does not fit the others: its table, its key there, what is wrong with it."""

    table: str
    key: str
    what: str


class VerifyReport(Said):
    """What was re-added in one partition: the end of its chain, how many rows, and the first bad one."""

    partition: int
    block: int
    hash: str
    outcomes: int
    transfers: int
    accounts: int
    rollups: int
    fault: Fault | None


class VerifyLedger(Query, Answered[VerifyReport]):
    """Do the books of this partition add up, all of them, as they stand at one moment?

    With a checkpoint, the chain must also still pass through it: that shows a tail cut off together with the head.
    """

    TYPE: ClassVar[str] = "jp.mykey.audit.verify-ledger.v1"
    partition: Partition
    checkpoint: Checkpoint | None = None

    def key(self) -> UUID:
        """The partition."""
        return UUID(int=self.partition)
