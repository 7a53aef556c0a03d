"""Other people's programs take our virtual card for a My Number Card, so what ours does with it is no private game."""

import subprocess
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from os import environ
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from tests.peers.card.authority import CardAuthority, Identity
from tests.peers.card.card import CONTACTLESS_ATR, JpkiCard
from tests.peers.card.pcscd import Pcscd
from tests.waiting import wait_until

DATA = b"whatever is signed"


@pytest.fixture
def identity(card_authority: CardAuthority) -> Identity:
    return card_authority.issue()


@pytest_asyncio.fixture
async def surroundings(pcscd: Pcscd, identity: Identity, tmp_path: Path) -> AsyncIterator[Mapping[str, str]]:
    """With a card in the first reader, which no program knows by its ATR."""
    pcscd.readers[0].insert(JpkiCard(identity, atr=CONTACTLESS_ATR))
    variables = {**environ, **pcscd.environment, "HOME": str(tmp_path)}
    await wait_until(lambda: "Yes" in run(variables, "opensc-tool", "-l"))
    yield variables
    pcscd.readers[0].remove()


def run(surroundings: Mapping[str, str], *command: str | Path) -> str:
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_opensc_names_it_reads_it_and_has_it_sign_and_openssl_verifies(
    surroundings: Mapping[str, str], identity: Identity, tmp_path: Path
) -> None:
    assert run(surroundings, "opensc-tool", "-r", "0", "-n") == "jpki\n"
    data, digest, signature = (tmp_path / name for name in ("data", "digest", "signature"))
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"

    run(surroundings, "pkcs15-tool", "-r", "0", "--read-certificate", "1", "-o", certificate)
    assert load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER) == identity.certificate

    data.write_bytes(DATA)
    digest.write_bytes(sha256(DATA).digest())
    sign = ("pkcs15-crypt", "-r", "0", "--sign", "--key", "1", "--pin", "1234", "--sha-256", "--pkcs1")
    run(surroundings, *sign, "-i", digest, "-o", signature)
    key.write_text(run(surroundings, "openssl", "x509", "-in", certificate, "-pubkey", "-noout"))
    said = run(surroundings, "openssl", "dgst", "-sha256", "-verify", key, "-signature", signature, data)
    assert said == "Verified OK\n"
