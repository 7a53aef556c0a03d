"""A browser without a screen: it keeps cookies, says where it comes from, follows the forms and links of its page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlencode

from aiohttp import ClientSession
from multidict import CIMultiDictProxy
from yarl import URL

HOPS_LIMIT: Final = 5
_VOID: Final = frozenset({"input", "meta", "link", "img", "br", "hr"})


@dataclass
class SentForm:
    """A form of a page: where it goes, and what is in it already."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Markup(HTMLParser):
    """What a test wants to know of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[SentForm] = []
        self.links: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements.append((tag, given))
        if tag not in _VOID:
            self._stack.append(tag)
        if tag == "form":
            self.forms.append(SentForm(given.get("action") or "", given.get("method") or "get"))
        elif tag == "input" and given.get("type") in {"hidden", "text", "password", "email"} and self.forms:
            self.forms[-1].fields[given.get("name") or ""] = given.get("value") or ""
        elif tag == "a":
            self.links.append(given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._stack:
            while self._stack.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._stack):
            self.words.append(data)


@dataclass
class Page:
    """An answer, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str
    path: str

    @property
    def markup(self) -> Markup:
        """Its elements."""
        return Markup(self.text)

    @property
    def words(self) -> str:
        """What can be read on it, without gaps."""
        return "".join("".join(self.markup.words).split())

    def form(self, action: str) -> SentForm:
        """The form that goes there."""
        return next(one for one in self.markup.forms if one.action.partition("?")[0] == action.partition("?")[0])

    @property
    def cookies(self) -> list[str]:
        """All Set-Cookie headers."""
        return self.headers.getall("Set-Cookie", [])


class Browser:
    """Two of them share nothing but the network."""

    def __init__(self, session: ClientSession, url: str, origin: str | None = None) -> None:
        """`origin` is what it says of itself where there is a proxy before `url`."""
        self.cookies: dict[str, str] = {}
        self.url = url
        self.origin = origin or url
        self._session = session

    async def get(self, path: str, *, follow: bool = True, headers: Mapping[str, str] | None = None) -> Page:
        """A page, or where it leads to."""
        page = await self.send("GET", path, headers=headers)
        for _hop in range(HOPS_LIMIT):
            if page.status != 303 or not follow:
                break
            page = await self.send("GET", page.headers["Location"])
        return page

    async def submit(self, page: Page, action: str, *, follow: bool = True, **values: str) -> Page:
        """Fill the form of this page that goes there, and send it."""
        form = page.form(action)
        sent = await self.post(form.action, form.fields | values)
        if sent.status == 303 and follow:
            return await self.get(sent.headers["Location"])
        return sent

    async def post(self, path: str, values: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Page:
        """A form as one of our own pages sends it."""
        own = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"} if headers is None else dict(headers)
        return await self.send("POST", path, values, own)

    async def ask(self, path: str, values: Mapping[str, str]) -> Page:
        """A form that only asks."""
        return await self.send("GET", f"{path}?{urlencode(values)}")

    async def send(
        self, method: str, path: str, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Page:
        """One request, with the cookies that there are; what the answer sets is kept."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {**(headers or {}), **({"Cookie": cookie} if cookie else {})}
        url = URL(self.url + path, encoded=True)
        async with self._session.request(method, url, data=data, headers=given, allow_redirects=False) as answer:
            page = Page(answer.status, answer.headers, await answer.text(errors="replace"), path)
        for one in page.cookies:
            for name, morsel in SimpleCookie(one).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return page

    def copy(self) -> "Browser":
        """Somebody who has stolen all cookies."""
        other = Browser(self._session, self.url, self.origin)
        other.cookies = dict(self.cookies)
        return other
