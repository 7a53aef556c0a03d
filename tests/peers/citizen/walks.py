"""What a citizen does, page by page, as the pages lead; each walk tells what the last page said."""

from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from aiohttp import ClientSession, DummyCookieJar

from tests.connectors.portal.browser import Browser, Markup, Page

SEE_OTHER = 303
SHOWN_CHARS = 300


class AstrayError(Exception):
    """A page did not lead on."""


@dataclass(frozen=True)
class Told:
    """The last page: its status, where it is, and what can be read on it, without gaps."""

    status: int
    path: str
    words: str

    @classmethod
    def by(cls, page: Page) -> Self:
        """What this page tells."""
        return cls(page.status, page.path, page.words)


class Citizen:
    """One person, at one hub."""

    def __init__(self, session: ClientSession, hub_url: str) -> None:
        self._session = session
        self._hub_url = hub_url.rstrip("/")
        self._browser = Browser(session, self._hub_url)

    async def log_in(self, mykey_id: str, password: str) -> Told:
        """画面18, 19."""
        page = await self._submit(await self._browser.get("/login"), "/login", mykey_id=mykey_id, password=password)
        if page.path == "/login":
            raise AstrayError(page.words[:SHOWN_CHARS])
        return Told.by(page)

    async def look(self, path: str) -> Told:
        """One page."""
        return Told.by(await self._browser.get(path))

    async def link(self, party_id: str, login: str, secret: str, password: str) -> Told:
        """画面57: out to the company's page, logged in there, back, confirmed with the password."""
        browser, place = self._browser, f"/my/services/{party_id}"
        away = await self._submit(await browser.get(place), f"{place}/link")
        refresh = [
            one.get("content") or "" for tag, one in away.markup.elements if tag == "meta" and "http-equiv" in one
        ]
        if not refresh:
            raise AstrayError(away.words)
        page = await browser.get(await self._logged_in_at(refresh[0].partition("url=")[2], login, secret))
        if any(one.action.startswith("/my/identity") for one in page.markup.forms):
            page = await self._submit(page, "/my/identity", password=password)
        return Told.by(await self._submit(page, "/my/link/confirm"))

    async def unlink(self, party_id: str) -> Told:
        """画面57."""
        place = f"/my/services/{party_id}/unlink"
        return Told.by(await self._submit(await self._browser.get(place), place))

    async def move(self, lg_code: str, points: int) -> Told:
        """画面41 to 45."""
        base = "/my/move/municipal"
        amount = await self._browser.get(f"{base}/amount?to={lg_code}")
        confirm = await self._submit(amount, f"{base}/amount", points=str(points))
        return Told.by(await self._submit(confirm, f"{base}/confirm"))

    async def pay(self, url: str, pool: str, points: int) -> dict[str, Any]:
        """Pay for an order with points, and go back to the shop; what the shop says then."""
        path = self._own(url)
        confirm = await self._submit(await self._browser.get(path), path, pool=pool, points=str(points))
        done = await self._submit(confirm, "/my/checkout/confirm")
        back = [link for link in done.markup.links if link.startswith("http") and not link.startswith(self._hub_url)]
        if not back:
            raise AstrayError(done.words)
        async with self._session.get(back[0]) as answer:
            said: dict[str, Any] = await answer.json()
            return said

    async def coupon(self, partner: str, code: str) -> Told:
        """画面20, 21: typed."""
        return await self._coupon(await self._browser.get("/my/coupon"), partner=partner, code=code)

    async def coupon_link(self, query: dict[str, str]) -> Told:
        """画面20, 21: filled in by a company's link; nothing is typed, but the partner that it has chosen is kept."""
        page = await self._browser.get(f"/my/coupon?{urlencode(query)}")
        chosen = [one["value"] or "" for tag, one in page.markup.elements if tag == "option" and "selected" in one]
        return await self._coupon(page, partner=chosen[-1] if chosen else "")

    async def _submit(self, page: Page, action: str, **values: str) -> Page:
        """Fill in the form that goes there, and send it."""
        if not any(one.action.partition("?")[0] == action.partition("?")[0] for one in page.markup.forms):
            raise AstrayError(f"{page.status} {page.path}: {page.words[:SHOWN_CHARS]}")
        return await self._browser.submit(page, action, follow=True, **values)

    async def _coupon(self, page: Page, **typed: str) -> Told:
        confirm = await self._submit(page, "/my/coupon", **typed)
        if not any(one.action.startswith("/my/coupon/confirm") for one in confirm.markup.forms):
            return Told.by(confirm)
        return Told.by(await self._submit(confirm, "/my/coupon/confirm"))

    async def _logged_in_at(self, url: str, login: str, secret: str) -> str:
        """Fill in whatever log-in page is there; the path of ours that it sends the browser back to."""
        async with self._session.get(url) as answer:
            (form,) = Markup(await answer.text()).forms
        parts = urlsplit(url)
        sent = {**form.fields, "login": login, "password": secret}
        place = f"{parts.scheme}://{parts.netloc}{form.action}"
        async with self._session.post(place, data=sent, allow_redirects=False) as answer:
            if answer.status != SEE_OTHER:
                raise AstrayError(f"{place}: {answer.status}")
            return self._own(answer.headers["Location"])

    def _own(self, url: str) -> str:
        if not url.startswith(f"{self._hub_url}/"):
            raise AstrayError(url)
        return url.removeprefix(self._hub_url)


def browsing() -> ClientSession:
    """Keeps no cookies: the browser does."""
    return ClientSession(cookie_jar=DummyCookieJar())
