"""The proof of the books: everything re-added, the chain followed, the first bad row named; signed checkpoints."""

from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import Field

from schemas.message import Answered, Event, Query, Said
from schemas.values import LANES

SLICE_BLOCKS: Final = 1_000
"""Blocks followed from one snapshot, unless asked otherwise."""
SLICE_LIMIT_BLOCKS: Final = 10_000

Partition = Annotated[int, Field(strict=True, ge=0, lt=LANES)]
BlockNumber = Annotated[int, Field(strict=True, ge=0, lt=1 << 63)]
BlockHash = Annotated[str, Field(pattern=r"^([0-9a-f]{2}){1,64}$")]
SliceBlocks = Annotated[int, Field(strict=True, ge=1, le=SLICE_LIMIT_BLOCKS)]


class Checkpoint(Said):
    """What a partition's chain had come to when somebody outside wrote it down; `hash` in hexadecimal.

    Block 0 with hash `00` is a chain that has not begun.
    """

    block: BlockNumber
    hash: BlockHash


class Fault(Said):
    """A row of the books that does not fit the others: its table, its key there, what is wrong with it."""

    table: str
    key: str
    what: str


class ChainSlice(Said):
    """A piece of one partition's chain: the last block followed, how many rows on the way, and the first bad one.

    `head` is the last block there was; `ended` says that the chain was followed to it and ends there.
    """

    partition: int
    block: int
    hash: str
    outcomes: int
    transfers: int
    head: int
    ended: bool
    fault: Fault | None


class FollowChain(Query, Answered[ChainSlice]):
    """Do the next `blocks` blocks of this partition follow from the one in `after`, each with all its rows?

    Without `after`, the chain is followed from its first block. What lies before `after` is not looked at, except
    that its own block must still be there with its hash.
    """

    TYPE: ClassVar[str] = "jp.mykey.audit.follow-chain.v1"
    partition: Partition
    after: Checkpoint | None = None
    blocks: SliceBlocks = SLICE_BLOCKS

    def key(self) -> UUID:
        """The partition."""
        return UUID(int=self.partition)


class VerifyReport(Said):
    """What was re-added in one partition: the end of its chain, how many rows, and the first bad one.

    `outcomes` and `transfers` are those of the blocks that were followed.
    """

    partition: int
    block: int
    hash: str
    outcomes: int
    transfers: int
    accounts: int
    rollups: int
    fault: Fault | None


class VerifyLedger(Query, Answered[VerifyReport]):
    """Do the books of this partition add up, all of them?

    The chain must also still pass through the checkpoints: that shows a tail cut off together with the head. With
    `after`, the chain is followed from there only; everything else is re-added as a whole all the same.
    """

    TYPE: ClassVar[str] = "jp.mykey.audit.verify-ledger.v1"
    partition: Partition
    checkpoints: tuple[Checkpoint, ...] = ()
    after: Checkpoint | None = None

    def key(self) -> UUID:
        """The partition."""
        return UUID(int=self.partition)


class CheckpointSigned(Event):
    """The ledger has signed where all its chains have come to; `document` is the JSON text, as it is to be kept.

    docs/contracts/ledger.md describes the document.
    """

    TYPE: ClassVar[str] = "jp.mykey.audit.checkpoint-signed.v1"
    number: int
    document: str

    def key(self) -> UUID:
        """Its number."""
        return UUID(int=self.number)

    def business_key(self) -> str:
        """Its number, as people say it."""
        return f"checkpoint-{self.number}"
