"""The portal's cookies: `__Host-`, Secure, HttpOnly, SameSite (RFC 6265bis), and read by nobody but us.

A hub that is reached by plain HTTP on this machine only (`make run`) uses the same names without the prefix and Secure:
not every browser takes Secure cookies over loopback (Chromium does, Safari does not). Whatever else is not https gets
`__Host-` cookies, which no browser will keep: a portal in production is https, or nobody logs in.
"""

import re
from enum import Enum
from typing import Final

from aiohttp import web

from hub.loopback import is_plain_loopback

YEAR_S: Final = 31_536_000
NEXT_S: Final = 600
GUEST_S: Final = 3_600
FLASH_S: Final = 60
VALUE_LIMIT_CHARS: Final = 1_024
_VALUE: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{VALUE_LIMIT_CHARS}}}")


class Cookie(Enum):
    """A name, and for how many seconds the browser keeps it; None is until it is closed."""

    session = ("mykey-session", None)
    """The registry's session id."""
    visit = ("mykey-visit", None)
    """128 random bits that form tokens are bound to; renewed at log-in and log-out."""
    device = ("mykey-device", YEAR_S)
    """By which a browser is known that its owner has logged in with before; it logs nobody in."""
    onward = ("mykey-next", NEXT_S)
    """Where to go after the log-in."""
    guest = ("mykey-guest", GUEST_S)
    """Whoever has no session but a form under way (connectors.portal.ground.guests)."""
    flash = ("mykey-flash", FLASH_S)
    """A sentence to be shown once."""
    language = ("mykey-language", YEAR_S)
    """The language that was chosen."""


class Cookies:
    """Reads and sets them, as the hub's own address demands."""

    def __init__(self, own_url: str) -> None:
        self.is_plain = is_plain_loopback(own_url)
        """Whether this is a demo on the very machine."""

    def name(self, cookie: Cookie) -> str:
        """As it is sent."""
        return cookie.value[0] if self.is_plain else f"__Host-{cookie.value[0]}"

    def read(self, request: web.Request, cookie: Cookie) -> str | None:
        """What the browser sent, if it can be one of ours."""
        value = request.cookies.get(self.name(cookie), "")
        return value if _VALUE.fullmatch(value) else None

    def set(self, response: web.StreamResponse, cookie: Cookie, value: str) -> None:
        """Have the browser keep it; `value` is of `[A-Za-z0-9_.-]`. Raises ValueError."""
        if _VALUE.fullmatch(value) is None:
            raise ValueError(cookie.name)
        self._set(response, cookie, value, cookie.value[1])

    def drop(self, response: web.StreamResponse, cookie: Cookie) -> None:
        """Have the browser forget it."""
        self._set(response, cookie, "", 0)

    def _set(self, response: web.StreamResponse, cookie: Cookie, value: str, max_age_s: int | None) -> None:
        response.set_cookie(
            self.name(cookie),
            value,
            max_age=max_age_s,
            path="/",
            secure=not self.is_plain,
            httponly=True,
            samesite="Lax",
        )
