"""No other site's page may act in a citizen's name: where a POST comes from, and a token that only our forms have.

Both are needed. The token is bound to the browser (its visit cookie) and to the log-in; it outlives a session's new id,
so that a form open in another tab stays good when the person was asked again who they are.
"""

import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from hub.keys import Hasher
from hub.loopback import is_loopback, is_plain_loopback

MASK_CHARS: Final = 22
"""128 random bits before each token, so that no two pages carry the same."""


class Csrf:
    """Makes and checks the tokens, and knows where our own forms come from."""

    def __init__(self, hasher: Hasher, own_url: str) -> None:
        self._hasher = hasher
        self._origin = origin_of(own_url)
        self._loopback_port = urlsplit(own_url).port or 80 if is_plain_loopback(own_url) else None

    def token(self, binding: str) -> str:
        """A form's token: 65 characters, good for this binding only."""
        mask = secrets.token_urlsafe(16)
        return mask + self._mac(mask, binding)

    def is_token(self, token: str, binding: str) -> bool:
        """Whether `token` was made for this binding."""
        mask, mac = token[:MASK_CHARS], token[MASK_CHARS:]
        return hmac.compare_digest(mac.encode(), self._mac(mask, binding).encode())

    def is_from_us(self, request: web.Request) -> bool:
        """Whether the browser says that one of our own pages sent this.

        By `Sec-Fetch-Site` and `Origin`: whichever is there must say so, and one of them must be there.
        """
        site = request.headers.getall("Sec-Fetch-Site", [])
        origin = request.headers.getall("Origin", [])
        if not site and not origin:
            return False
        return site in ([], ["same-origin"]) and (not origin or (len(origin) == 1 and self._is_ours(origin[0])))

    def _is_ours(self, origin: str) -> bool:
        if origin == self._origin:
            return True
        if self._loopback_port is None:
            return False
        try:
            parts = urlsplit(origin)
            return parts.scheme == "http" and is_loopback(parts.hostname or "") and parts.port == self._loopback_port
        except ValueError:
            return False

    def _mac(self, mask: str, binding: str) -> str:
        return self._hasher.word(f"{mask}|{binding}".encode())


def origin_of(url: str) -> str:
    """Scheme, host and port as a browser writes them (RFC 6454, section 6.2)."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" if parts.port in {None, usual} else f"{parts.scheme}://{host}:{parts.port}"
