"""Who is looking at a page. The session is the registry's; a browser has only its id, in a cookie.

Every request asks the registry, so that a session that was ended anywhere is over here with the next request.
"""

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from aiohttp import web

from connectors.portal.ground.cookies import Cookie, Cookies
from connectors.portal.ground.headers import CLEARED
from hub.bus import Bus
from hub.web.addresses import address_of
from hub.web.app import Caller
from hub.web.problems import ProblemError
from schemas.logins import EndSessions, LoggedIn, Session, SessionKind, SessionOf, UseSession
from schemas.problems import ProblemCode

MY_PAGE: Final = "my-page"
"""The permission of a citizen who has logged in."""
DEADLINE_S: Final = 5.0
USED_EVERY_S: Final = 60.0
"""How often, at the most, a session's use is written down; idleness may end it so much early."""
USED_LIMIT: Final = 50_000
VISIT_BYTES: Final = 16
_SESSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A citizen who has logged in; `session_id` is told nobody."""

    citizen_id: UUID
    session_id: str
    session: Session


SIGNED_IN: Final = web.RequestKey("signed_in", SignedIn)


class Sessions:
    """Finds, begins and ends them."""

    def __init__(self, bus: Bus, cookies: Cookies, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._cookies = cookies
        self._monotonic = monotonic
        self._used_s: OrderedDict[bytes, float] = OrderedDict()

    async def authenticate(self, request: web.Request) -> Caller:
        """See hub.web.app.Authenticate. Raises ProblemError login (401)."""
        signed_in = await self.find(request)
        if signed_in is None:
            raise ProblemError(ProblemCode.login)
        return Caller(signed_in.citizen_id, frozenset({MY_PAGE}))

    async def find(self, request: web.Request) -> SignedIn | None:
        """The citizen, where the browser has a session that is alive."""
        known = request.get(SIGNED_IN)
        session_id = self._cookies.read(request, Cookie.session)
        if known is not None or session_id is None or _SESSION_ID.fullmatch(session_id) is None:
            return known
        session = await self._look_up(session_id)
        if session is None or session.kind is not SessionKind.citizen:
            return None
        request[SIGNED_IN] = found = SignedIn(session.subject_id, session_id, session)
        return found

    async def _look_up(self, session_id: str) -> Session | None:
        name, now_s = sha256(session_id.encode()).digest(), self._monotonic()
        if now_s - self._used_s.get(name, -USED_EVERY_S) < USED_EVERY_S:
            return (await self._bus.call(SessionOf(session=session_id), DEADLINE_S)).session
        session = (await self._bus.call(UseSession(session=session_id), DEADLINE_S)).session
        if session is not None:
            self._used_s[name] = now_s
            self._used_s.move_to_end(name)
            while len(self._used_s) > USED_LIMIT:
                self._used_s.popitem(last=False)
        return session

    async def begin(self, request: web.Request, response: web.StreamResponse, logged_in: LoggedIn) -> None:
        """A log-in: the browser gets the new session's id, and whatever it had before is over (session fixation)."""
        before = self._cookies.read(request, Cookie.session)
        if before is not None and _SESSION_ID.fullmatch(before) and before != logged_in.session:
            await self._bus.call(EndSessions(session=before), DEADLINE_S)
        self._cookies.set(response, Cookie.visit, new_visit())
        self._cookies.drop(response, Cookie.onward)
        self._cookies.drop(response, Cookie.guest)
        self.renew(response, logged_in)

    def renew(self, response: web.StreamResponse, logged_in: LoggedIn) -> None:
        """The session goes on under a new id: the person was asked again who they are, or has a new password."""
        if logged_in.session is None:
            raise ValueError("no session")
        self._cookies.set(response, Cookie.session, logged_in.session)
        if logged_in.device is not None:
            self._cookies.set(response, Cookie.device, logged_in.device)

    async def end(self, request: web.Request, response: web.StreamResponse) -> None:
        """A log-out: over for everybody who has this session's id, and the browser forgets what it was shown."""
        session_id = self._cookies.read(request, Cookie.session)
        if session_id is not None and _SESSION_ID.fullmatch(session_id):
            await self._bus.call(EndSessions(session=session_id), DEADLINE_S)
        self.forget(response)
        self._cookies.drop(response, Cookie.guest)

    def is_over(self, request: web.Request) -> bool:
        """Whether the browser has a session's id that is no longer good."""
        return SIGNED_IN not in request and self._cookies.read(request, Cookie.session) is not None

    def forget(self, response: web.StreamResponse) -> None:
        """The browser forgets the session, what it was shown, and where it wanted to go; another visit begins."""
        self.clear(response)
        self._cookies.drop(response, Cookie.onward)
        self._cookies.set(response, Cookie.visit, new_visit())

    def clear(self, response: web.StreamResponse) -> None:
        """The browser forgets the session and what it was shown."""
        self._cookies.drop(response, Cookie.session)
        self._cookies.drop(response, Cookie.flash)
        response.headers["Clear-Site-Data"] = CLEARED

    def device(self, request: web.Request) -> str | None:
        """The browser's name, where it was asked to be remembered."""
        device = self._cookies.read(request, Cookie.device)
        return device if device is not None and _SESSION_ID.fullmatch(device) else None


def signed_in_of(request: web.Request) -> SignedIn:
    """The citizen of a page that needs a log-in."""
    return request[SIGNED_IN]


def source_of(request: web.Request) -> str:
    """Where a log-in comes from, for the registry to count failures by."""
    return (address_of(request) or "unknown")[:64]


def new_visit() -> str:
    """Another visit."""
    return secrets.token_urlsafe(VISIT_BYTES)
