"""Content-Digest (RFC 9530), sha-256: made, read, and checked over a body while it streams past."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Final

import http_sf
from aiohttp import web

ALGORITHM: Final = "sha-256"
DIGEST_BYTES: Final = 32
CHALLENGE: Final[Mapping[str, str]] = {
    "WWW-Authenticate": 'Signature realm="mykey-hub"',
    "Accept-Signature": 'sig=("@method" "@authority" "@target-uri" "content-digest");created;keyid;nonce',
}
"""The headers of a 401 to whoever signs, whether it is the header or the body that does not fit."""

EXPECTED_DIGEST: Final = web.RequestKey("expected_digest", bytes)
"""What the body's SHA-256 must be: set by the signature's verifier, checked by the body reader."""


class DigestMismatchError(Exception):
    """The body is not the one that was signed."""


def content_digest(body: bytes) -> str:
    """The header's value for a body."""
    return f"{ALGORITHM}=:{b64encode(hashlib.sha256(body).digest()).decode('ascii')}:"


def parse_content_digest(value: str) -> bytes:
    """The SHA-256 in a Content-Digest header. Raises ValueError if there is none, or none well-formed."""
    parsed = http_sf.parse(value.encode("ascii"), tltype="dictionary")
    member = parsed.get(ALGORITHM) if isinstance(parsed, dict) else None
    digest = member[0] if isinstance(member, tuple) else None
    if not isinstance(digest, bytes) or len(digest) != DIGEST_BYTES:
        raise ValueError(ALGORITHM)
    return digest


class DigestingReader:
    """Passes a body's chunks on and checks their SHA-256 at the end.

    Until the iteration has ended without `DigestMismatchError`, what was read is nobody's word: keep no
    effect of it.
    """

    def __init__(self, chunks: AsyncIterator[bytes], expected: bytes) -> None:
        self._chunks = chunks
        self._expected = expected

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The same chunks. Raises DigestMismatchError after the last one if they are not what was signed."""
        hasher = hashlib.sha256()
        async for chunk in self._chunks:
            hasher.update(chunk)
            yield chunk
        if not hmac.compare_digest(hasher.digest(), self._expected):
            raise DigestMismatchError
