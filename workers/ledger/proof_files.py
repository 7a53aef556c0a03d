"""What `mykey-hub verify` reads and writes: checkpoints as they were mailed, and how far each chain was proved."""

import email
import email.policy
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from hub.errors import PermanentError
from hub.keys import Verifier
from schemas.audit import Checkpoint
from schemas.message import Said
from workers.ledger.checkpoints import ChainEnd, Document

FILE_LIMIT_BYTES: Final = 256 * 1024 * 1024


class CheckpointUnreadableError(PermanentError):
    """A file of checkpoints holds none, or one that is not whole."""


class CheckpointForgedError(PermanentError):
    """A checkpoint was not signed by this ledger, or was altered since."""


class StateUnreadableError(PermanentError):
    """The state file is not one: name another, or remove it and prove everything anew."""


class StateOutOfReachError(PermanentError):
    """The state file cannot be read or written; mend that, and go on from what is in it."""


def read_checkpoints(files: Iterable[Path], verifier: Verifier) -> dict[int, tuple[Checkpoint, ...]]:
    """Partition → the checkpoints of all documents, each once, by block.

    A file is a saved mail, or any text with one or more documents in it.

    Raises:
        CheckpointForgedError: a document's signature is not over what it says, or not by this key.
        CheckpointUnreadableError: a file cannot be read, or holds no document.
    """
    found: dict[int, set[tuple[int, str]]] = defaultdict(set)
    for file in files:
        for document in _documents(file):
            if not document.is_signed_by(verifier):
                raise CheckpointForgedError(f"{file}: checkpoint {document.checkpoint} does not bear its signature")
            for head in document.heads:
                found[head.partition].add((head.block, head.hash))
    return {
        partition: tuple(Checkpoint(block=block, hash=digest) for block, digest in sorted(ends))
        for partition, ends in found.items()
    }


def _documents(file: Path) -> Sequence[Document]:
    try:
        documents = [Document.model_validate(one) for one in _objects(_text(_read(file)))]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise CheckpointUnreadableError(f"{file}: {where}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise CheckpointUnreadableError(f"{file}: {error}") from error
    if not documents:
        raise CheckpointUnreadableError(f"{file}: there is no checkpoint in it")
    return documents


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        raise ValueError(f"it has more than {FILE_LIMIT_BYTES} bytes")
    return content


def _text(content: bytes) -> str:
    """A saved mail's text, or the content itself."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    body = mail.get_body(("plain",)) if "Message-ID" in mail else None
    return str(body.get_content()) if body is not None else content.decode("utf-8-sig")


def _objects(text: str) -> Iterator[Mapping[str, object]]:
    """The JSON objects in a text, whatever stands around them. Raises ValueError where one is not whole."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        found, end = decoder.raw_decode(text, at)
        yield found
        at = text.find("{", end)


class ProvedChains(Said):
    """How far each partition's chain was proved: what the next run may begin with."""

    chains: tuple[ChainEnd, ...] = ()

    @classmethod
    def read(cls, file: Path) -> "ProvedChains":
        """What is in the file; nothing where there is none yet. Raises StateUnreadableError, StateOutOfReachError."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise StateOutOfReachError(f"{file}: {error}") from error
        except ValueError as error:
            raise StateUnreadableError(str(file)) from error

    def write(self, file: Path) -> None:
        """Replace the file, whole. Raises StateOutOfReachError."""
        work = file.with_name(f".{file.name}.new")
        try:
            with work.open("w", encoding="utf-8") as opened:
                opened.write(self.model_dump_json() + "\n")
                opened.flush()
                os.fsync(opened.fileno())
            work.replace(file)
        except OSError as error:
            raise StateOutOfReachError(f"{file}: {error}") from error

    def of(self, partition: int) -> Checkpoint | None:
        """Where to go on, or None for the beginning."""
        ends = (one for one in self.chains if one.partition == partition and one.block > 0)
        return next((Checkpoint(block=one.block, hash=one.hash) for one in ends), None)

    def with_end(self, partition: int, end: Checkpoint) -> "ProvedChains":
        """The same, with this partition further on."""
        others = [one for one in self.chains if one.partition != partition]
        mine = ChainEnd(partition=partition, block=end.block, hash=end.hash)
        return ProvedChains(chains=tuple(sorted([*others, mine], key=lambda one: one.partition)))
