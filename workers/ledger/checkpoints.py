"""Signed checkpoints: hour by hour, where all sixteen chains have come to, under the ledger's Ed25519 key.

What is signed is plain text like the chain's own, so that anybody can check it (docs/contracts/ledger.md): a line with
number and time, then a line per partition, each ended by LF, fields separated by TAB.
"""

import base64
import json
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from hub.component import Job
from hub.database import Database
from hub.keys import Keys, Signer, Verifier
from hub.settings import Settings
from hub.transaction import Transaction
from schemas.audit import BlockHash, BlockNumber, CheckpointSigned, Partition
from schemas.message import Said
from schemas.values import LANES
from workers.ledger.checkpoint_statements import ENDS, KEEP, LAST
from workers.ledger.spread import Spread

TICK_S: Final = 60.0
"""How often it is asked whether an hour has begun; the first tick in it makes the checkpoint."""
PURPOSE: Final = "ledger.checkpoint"


class ChainEnd(Said):
    """Where one partition's chain has come to."""

    partition: Partition
    block: BlockNumber
    hash: BlockHash


class Document(Said):
    """A checkpoint as it is kept and mailed; `time` in UTC, `signature` in base64."""

    checkpoint: Annotated[int, Field(strict=True, ge=1)]
    time: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    heads: Annotated[tuple[ChainEnd, ...], Field(min_length=LANES, max_length=LANES)]
    signature: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$")]

    def is_signed_by(self, verifier: Verifier) -> bool:
        """Whether the signature is over what the document says, under this key."""
        return verifier.is_signed(signed_text(self.checkpoint, self.time, self.heads), base64.b64decode(self.signature))


def signed_text(number: int, time: str, heads: Sequence[ChainEnd]) -> bytes:
    """What the signature is over."""
    lines = [f"c\t{number}\t{time}\n"]
    lines.extend(f"h\t{head.partition}\t{head.block}\t{head.hash}\n" for head in heads)
    return "".join(lines).encode()


def signed(number: int, time: str, heads: Sequence[ChainEnd], signer: Signer) -> str:
    """The document's JSON text, a line for each partition so that it is readable in a mail."""
    signature = base64.b64encode(signer.sign(signed_text(number, time, heads))).decode("ascii")
    ends = ",\n".join(f"  {json.dumps(head.model_dump())}" for head in heads)
    return f'{{"checkpoint": {number}, "time": "{time}",\n "heads": [\n{ends}\n ],\n "signature": "{signature}"}}\n'


def signer_of(settings: Settings) -> Signer:
    """The ledger's key for checkpoints."""
    return Keys(settings.key()).signer(PURPOSE)


class Checkpoints:
    """Makes one checkpoint an hour, where something was posted since the last one."""

    def __init__(self, database: Database, spread: Spread, signer: Signer) -> None:
        self._database = database
        self._spread = spread
        self._signer = signer

    def job(self) -> Job:
        """The component's job."""
        return Job("checkpoint", TICK_S, self.make)

    async def make(self) -> None:
        """Sign, keep and tell, in one transaction; of two processes at once, one does."""
        async with self._database.transaction() as tx:
            last = await tx.fetch_row(LAST)
            if last is not None and last["made_at"] >= tx.now.replace(minute=0, second=0, microsecond=0):
                return
            ends = [tuple(end) for here in await self._spread.everywhere(tx) for end in await here.fetch(ENDS)]
            heads = [ChainEnd(partition=end[0], block=end[1], hash=end[2].hex()) for end in sorted(ends)]
            before = Document.model_validate_json(last["document"]).heads if last is not None else ()
            if tuple(heads) != before and any(head.block for head in heads):
                await self._keep(tx, 1 if last is None else last["number"] + 1, heads)

    async def _keep(self, tx: Transaction, number: int, heads: Sequence[ChainEnd]) -> None:
        document = signed(number, tx.now.strftime("%Y-%m-%dT%H:%M:%SZ"), heads, self._signer)
        kept = [await here.fetch_value(KEEP, number, tx.now, document) for here in await self._spread.everywhere(tx)]
        if None not in kept:
            tx.emit(CheckpointSigned(number=number, document=document))
