"""DKIM signatures, verified step by step as RFC 6376, section 6.1.3 says, by other means than they were made."""

import re
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.mail.letters import Letters
from connectors.mail.signing import Signer, SigningKeyError
from tests.connectors.mail.test_letters import NOTICE, NOW, TO, TRACEPARENT, UNSUBSCRIBING, read

DOMAIN: Final = "mykey.example"
COVERED: Final = (
    "from:to:subject:date:message-id:x-mykey-trace:auto-submitted"
    ":list-unsubscribe:list-unsubscribe-post:mime-version:content-type"
)
PrivateKey = rsa.RSAPrivateKey | Ed25519PrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Signed:
    """A signed mail, taken apart."""

    tags: dict[str, str]
    canonical: bytes
    body: bytes


def key_file(folder: Path, key: PrivateKey) -> Path:
    path = folder / "dkim.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def letter(folder: Path, key: PrivateKey) -> bytes:
    signer = Signer(DOMAIN, "mykey", key_file(folder, key))
    return Letters(f"no-reply@{DOMAIN}", "マイキープラットフォーム", UNSUBSCRIBING, signer).write(
        NOTICE, TO, NOW, TRACEPARENT
    )


def taken_apart(raw: bytes) -> Signed:
    """The tags, what the signature covers of the headers in relaxed form, and the body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = re.findall(r"([!-9;-~]+):((?:[^\r]|\r\n[ \t])*)(?:\r\n|$)", head.decode("ascii"))
    relaxed = {name.lower(): re.sub(r"[ \t]+", " ", value.replace("\r\n", "")).strip() for name, value in fields}
    own = relaxed["dkim-signature"]
    tags = dict(re.findall(r"([a-z]+)=([^;]*)", own))
    unsigned = re.sub(r"\bb=[^;]*", "b=", own)
    covered = "".join(f"{name}:{relaxed[name]}\r\n" for name in tags["h"].split(":"))
    return Signed(tags, f"{covered}dkim-signature:{unsigned}".encode("ascii"), body)


def signature(signed: Signed) -> bytes:
    return b64decode(signed.tags["b"].replace(" ", ""))


def test_rsa(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65_537, 2_048)
    signed = taken_apart(letter(tmp_path, key))
    assert {name: signed.tags[name] for name in "vads"} == {"v": "1", "a": "rsa-sha256", "d": DOMAIN, "s": "mykey"}
    assert signed.tags["c"] == "relaxed/simple"
    assert signed.tags["h"] == COVERED
    assert b64decode(signed.tags["bh"]) == sha256(signed.body).digest()
    key.public_key().verify(signature(signed), signed.canonical, padding.PKCS1v15(), SHA256())


def test_ed25519(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    signed = taken_apart(letter(tmp_path, key))
    assert signed.tags["a"] == "ed25519-sha256"
    key.public_key().verify(signature(signed), sha256(signed.canonical).digest())


@pytest.mark.parametrize("header", ["no-reply@mykey", "user@mail.example", "One-Click", NOTICE.notice_id.hex[:8]])
def test_a_header_changed_on_the_way_breaks_it(tmp_path: Path, header: str) -> None:
    key = Ed25519PrivateKey.generate()
    raw = letter(tmp_path, key)
    changed = raw.replace(header.encode(), header.encode()[:-1] + b"X", 1)
    assert changed != raw
    signed = taken_apart(changed)
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature(signed), sha256(signed.canonical).digest())


def test_a_signed_mail_is_as_well_formed_as_any(tmp_path: Path) -> None:
    raw = letter(tmp_path, rsa.generate_private_key(65_537, 2_048))
    message = read(raw)
    assert message.keys()[0] == "DKIM-Signature"
    signature_lines = raw.partition(b"\r\nFrom:")[0].split(b"\r\n")
    assert max(len(line) for line in signature_lines) <= len(COVERED) + 5


@pytest.mark.parametrize("kind", ["short", "curve", "nonsense"])
def test_a_key_that_cannot_sign_mails_is_refused_at_the_start(tmp_path: Path, kind: str) -> None:
    if kind == "nonsense":
        path = tmp_path / "dkim.pem"
        path.write_text("no key")
    else:
        weak = rsa.generate_private_key(65_537, 1_024)  # noqa: S505 - to be refused
        key = weak if kind == "short" else ec.generate_private_key(ec.SECP256R1())
        path = key_file(tmp_path, key)
    with pytest.raises(SigningKeyError):
        Signer(DOMAIN, "mykey", path)
