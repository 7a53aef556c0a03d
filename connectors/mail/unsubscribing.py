"""One-click unsubscribing (RFC 8058): a URL that switches one choice of one citizen off, and nothing else."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from connectors.mail.choices import Choice
from hub.keys import Hasher

PATH: Final = "/mail/unsubscribe"
TOKEN_CHARACTERS: Final = 44

_CITIZEN_BYTES: Final = 16
_TAG_BYTES: Final = 16
_CODES: Final[Mapping[Choice, int]] = {Choice.on_grant: 1, Choice.on_expiry: 2}
_CHOICES: Final = {code: choice for choice, code in _CODES.items()}


class Unsubscribing:
    """Makes and reads the tokens: citizen (16 bytes) | choice (1) | keyed hash (16), base64url.

    They do not run out: an old mail's link must go on working.
    """

    def __init__(self, hasher: Hasher, own_url: str) -> None:
        self._hasher = hasher
        self._own_url = own_url

    def url(self, citizen_id: UUID, choice: Choice) -> str:
        """Where this choice of this citizen is switched off."""
        return f"{self._own_url}{PATH}/{self.token(citizen_id, choice)}"

    def token(self, citizen_id: UUID, choice: Choice) -> str:
        """The last part of the URL."""
        what = citizen_id.bytes + bytes((_CODES[choice],))
        return urlsafe_b64encode(what + self._tag(what)).decode("ascii")

    def read(self, token: str) -> tuple[UUID, Choice] | None:
        """Whose choice a token switches off, or None where we did not make it."""
        if len(token) != TOKEN_CHARACTERS or not token.isascii():
            return None
        try:
            data = urlsafe_b64decode(token)
        except Base64Error:
            return None
        what, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(what)):
            return None
        return UUID(bytes=what[:_CITIZEN_BYTES]), _CHOICES[what[_CITIZEN_BYTES]]

    def _tag(self, what: bytes) -> bytes:
        return self._hasher.hash(what)[:_TAG_BYTES]
