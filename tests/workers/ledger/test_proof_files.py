"""What `mykey-hub verify` reads and writes: checkpoints as they were mailed, and how far chains were proved."""

import base64
import json
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hub.keys import Keys
from schemas.audit import Checkpoint
from schemas.values import LANES
from tests.running import SECRET_KEY
from workers.ledger.checkpoints import PURPOSE, ChainEnd, signed
from workers.ledger.proof_files import (
    CheckpointForgedError,
    CheckpointUnreadableError,
    ProvedChains,
    StateUnreadableError,
    read_checkpoints,
)

SIGNER: Final = Keys(SECRET_KEY.encode()).signer(PURPOSE)
HASH: Final = "ab" * 32


def document(number: int, block: int = 5, *, signer: object = SIGNER) -> str:
    heads = [ChainEnd(partition=partition, block=block, hash=HASH) for partition in range(LANES)]
    assert isinstance(signer, type(SIGNER))
    return signed(number, "2026-01-10T03:00:12Z", heads, signer)


def mailed(text: str) -> bytes:
    mail = EmailMessage()
    mail["Message-ID"] = "<checkpoint.1@mykey.example>"
    mail["Subject"] = "ポイント台帳の確認記録"
    mail.set_content(f"お送りします。\n\n{text}", cte="base64")
    return mail.as_bytes()


def test_documents_are_found_in_mails_and_texts(tmp_path: Path) -> None:
    mail, text = tmp_path / "1.eml", tmp_path / "rest.txt"
    mail.write_bytes(mailed(document(1, block=5)))
    text.write_text(f"two of them:\n{document(2, block=7)}and\n{document(3, block=7)}", encoding="utf-8")

    found = read_checkpoints([mail, text], SIGNER.verifier)

    assert found.keys() == set(range(LANES))
    assert found[3] == (Checkpoint(block=5, hash=HASH), Checkpoint(block=7, hash=HASH))


@pytest.mark.parametrize(
    "was, becomes",
    [
        ('"block": 5', '"block": 4'),
        ('"checkpoint": 1', '"checkpoint": 2'),
        ("03:00:12Z", "03:00:13Z"),
        ("abab", "abac"),
    ],
)
def test_an_altered_document_is_refused(tmp_path: Path, was: str, becomes: str) -> None:
    file = tmp_path / "forged.json"
    file.write_text(document(1).replace(was, becomes, 1), encoding="utf-8")

    with pytest.raises(CheckpointForgedError, match="does not bear its signature"):
        read_checkpoints([file], SIGNER.verifier)


def test_another_ledgers_document_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(document(1, signer=Keys(b"another secret of the same length").signer(PURPOSE)), encoding="utf-8")

    with pytest.raises(CheckpointForgedError):
        read_checkpoints([file], SIGNER.verifier)


@pytest.mark.parametrize(
    "content", [b"", b"no document at all", b'{"checkpoint": 1', b'{"checkpoint": 1}', b"\xff\xfe{"]
)
def test_a_file_without_a_whole_document_is_told_of(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(content)

    with pytest.raises(CheckpointUnreadableError, match=r"broken\.json"):
        read_checkpoints([file], SIGNER.verifier)


def test_a_signature_is_checked_by_the_contracts_rules_alone() -> None:
    said = json.loads(document(7))
    lines = [f"c\t{said['checkpoint']}\t{said['time']}\n"]
    lines += [f"h\t{head['partition']}\t{head['block']}\t{head['hash']}\n" for head in said["heads"]]
    key = load_pem_public_key(SIGNER.verifier.pem.encode())

    assert isinstance(key, Ed25519PublicKey)
    key.verify(base64.b64decode(said["signature"]), "".join(lines).encode())


def test_how_far_chains_were_proved_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert ProvedChains.read(file).of(3) is None

    ProvedChains().with_end(3, Checkpoint(block=5, hash=HASH)).with_end(3, Checkpoint(block=9, hash=HASH)).write(file)

    assert ProvedChains.read(file).of(3) == Checkpoint(block=9, hash=HASH)
    assert ProvedChains.read(file).of(4) is None
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


def test_a_broken_state_file_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("{", encoding="utf-8")

    with pytest.raises(StateUnreadableError, match=r"state\.json"):
        ProvedChains.read(file)
