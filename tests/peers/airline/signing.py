"""The airline's own signatures: RFC 9421 with Ed25519, and Content-Digest (RFC 9530)."""

import base64
import hashlib
import secrets
import time
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

RAW_KEY_BYTES = 32


class Signer:
    """Signs requests with one key."""

    def __init__(self, key_id: str, key: Ed25519PrivateKey) -> None:
        self._key_id = key_id
        self._key = key

    def headers(self, method: str, url: str, body: bytes | None, extra: dict[str, str]) -> dict[str, str]:
        """The headers to send: `extra`, the digest of the body, and a signature made now, with a nonce of its own.

        Covers method, authority, target, the digest and, where it is sent, the Idempotency-Key.
        """
        sent = dict(extra)
        values = {"@method": method, "@authority": _authority(url), "@target-uri": url}
        if body is not None:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            sent["Content-Digest"] = values["content-digest"] = f"sha-256=:{digest}:"
        if "Idempotency-Key" in extra:
            values["idempotency-key"] = extra["Idempotency-Key"]
        covered = " ".join(f'"{name}"' for name in values)
        parameters = (
            f'({covered});created={int(time.time())};keyid="{self._key_id}"'
            f';alg="ed25519";nonce="{secrets.token_urlsafe(24)}"'
        )
        base = "\n".join(f'"{name}": {value}' for name, value in values.items())
        signature = self._key.sign(f'{base}\n"@signature-params": {parameters}'.encode())
        sent["Signature-Input"] = f"partner={parameters}"
        sent["Signature"] = f"partner=:{base64.b64encode(signature).decode()}:"
        return sent


def load_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file: PKCS#8 in PEM, the 32 raw bytes, or these in hexadecimal."""
    content = path.read_bytes()
    if content.startswith(b"-----BEGIN"):
        key = load_pem_private_key(content, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise SystemExit(f"{path} holds no Ed25519 key")
        return key
    raw = content if len(content) == RAW_KEY_BYTES else bytes.fromhex(content.decode())
    return Ed25519PrivateKey.from_private_bytes(raw)


def _authority(url: str) -> str:
    parts = urlsplit(url.lower())
    return parts.netloc.removesuffix({"http": ":80", "https": ":443"}[parts.scheme])
