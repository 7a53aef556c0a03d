"""Whoever has no session but a form under way: a new citizen on the way to a MyKey ID, one who has just revoked it.

A guest is 122 random bits in a cookie, and the owner of kept forms (`connectors.portal.ground.onetime`). Whoever logs
in is a guest no more: what was typed at a shared terminal is nobody's once the card is out.
"""

from uuid import UUID, uuid4

from aiohttp import web

from connectors.portal.ground.cookies import Cookie, Cookies
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode


def new_guest(cookies: Cookies, response: web.StreamResponse, guest: UUID | None = None) -> None:
    """The browser is this guest from now on."""
    cookies.set(response, Cookie.guest, (guest or uuid4()).hex)


def guest_of(cookies: Cookies, request: web.Request) -> UUID:
    """Who comes. Raises ProblemError not_found for nobody's browser."""
    try:
        return UUID(hex=cookies.read(request, Cookie.guest) or "")
    except ValueError as error:
        raise ProblemError(ProblemCode.not_found) from error
