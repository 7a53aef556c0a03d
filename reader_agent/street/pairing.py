"""Which software may ask: it has exchanged a code that stood on the agent's page for a token, kept here as a hash."""

import asyncio
import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from reader_agent.private_files import read_private, write_private

PAIRING_FILE: Final = "street-software.sha256"
CODE_GOOD_FOR_S: Final = 300.0
CODE_TRIES: Final = 5
CODE_CHARACTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without those that are read as others; eight of them are 40 bits."""
CODE_HALF: Final = 4
TOKEN_BYTES: Final = 32
TOKEN_PREFIX: Final = "mks_"  # noqa: S105 - by which a token is known for what it is, wherever it turns up

log: Final = structlog.get_logger()


@dataclass(slots=True)
class _Code:
    text: str
    good_until_s: float
    tries_left: int = CODE_TRIES


class Pairing:
    """One software at a time: a new pairing ends the one before."""

    def __init__(self, folder: Path) -> None:
        """Raises OpenToOthersError, OSError."""
        self._path = folder / PAIRING_FILE
        self._hash = read_private(self._path)
        self._code: _Code | None = None

    @property
    def is_paired(self) -> bool:
        """Whether a software may ask."""
        return self._hash is not None

    @property
    def code(self) -> str | None:
        """What the page shows, while it is good."""
        code = self._good_code()
        return None if code is None else f"{code.text[:CODE_HALF]}-{code.text[CODE_HALF:]}"

    def draw(self) -> None:
        """A new code; the one before is good no longer."""
        text = "".join(secrets.choice(CODE_CHARACTERS) for _ in range(2 * CODE_HALF))
        self._code = _Code(text, asyncio.get_running_loop().time() + CODE_GOOD_FOR_S)

    def exchange(self, code: str) -> str | None:
        """The token, told this once; None for a code that is wrong, too old, used, or guessed at too often."""
        wanted = self._good_code()
        if wanted is None:
            return None
        if not hmac.compare_digest(code.replace("-", "").strip().upper().encode(), wanted.text.encode()):
            wanted.tries_left -= 1
            log.warning("street_pairing_refused", tries_left=wanted.tries_left)
            return None
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        digest = _digest(token)
        write_private(self._path, digest)
        self._hash, self._code = digest, None
        log.info("street_software_paired")
        return token

    def end(self) -> None:
        """No software may ask any more. Raises OSError."""
        self._path.unlink(missing_ok=True)
        self._hash = self._code = None
        log.info("street_software_unpaired")

    def knows(self, token: str) -> bool:
        """Whether it is the token of the paired software."""
        return self._hash is not None and hmac.compare_digest(_digest(token), self._hash)

    def _good_code(self) -> _Code | None:
        code = self._code
        if code is None or code.tries_left <= 0 or asyncio.get_running_loop().time() >= code.good_until_s:
            return None
        return code


def _digest(token: str) -> bytes:
    # A token of 256 random bits needs no slow hash.
    return sha256(token.encode()).hexdigest().encode()
