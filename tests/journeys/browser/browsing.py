"""A browser that looks at every page it comes to, as strictly as a machine can; `make screens` has it take pictures."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import playwright
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response, sync_playwright

from tools.needs import NEEDS
from tools.portal_assets import NPM_FOLDER

CHROMIUM: Final = NEEDS["chromium"].brings
MISSING: Final = "the screens in a real browser: Debian's chromium is not here"
PACKAGES: Final = NPM_FOLDER / "node_modules"
AXE: Final = PACKAGES / "axe-core" / "axe.min.js"
HTML_VALIDATE: Final = PACKAGES / "html-validate" / "bin" / "html-validate.mjs"
NODE: Final = Path(playwright.__file__).parent / "driver" / "node"
VALIDATE_LIMIT_S: Final = 60
ACTION_LIMIT_MS: Final = 10_000
NARROWEST: Final = 320
FIRST_REDIRECT, FIRST_ERROR = 300, 400

# Where the markup of the last run lies, and by `make screens` its pictures, for people to look at; not in git.
PICTURES: Final = Path(__file__).parents[3] / ".screens"
TAKES_PICTURES: Final = "MYKEY_SCREENS" in os.environ

AXE_RUN: Final = """() => axe.run(document, {resultTypes: ["violations", "incomplete"]}).then(found =>
  ["violations", "incomplete"].flatMap(kind => found[kind].flatMap(rule => rule.nodes.map(node =>
    `${kind} ${rule.id}: ${node.target}: ${(node.any.concat(node.all, node.none)[0] || {}).message}`))))"""

# The head stays but for the title: all pages have the same style sheet.
COPY: Final = """html => {
  const page = new DOMParser().parseFromString(html, "text/html");
  document.documentElement.lang = page.documentElement.lang;
  document.title = page.title;
  document.body.replaceWith(page.body);
}"""

WATCH: Final = """addEventListener("securitypolicyviolation", event => console.error(
  `policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`))"""

# Visible words in Latin letters, outside of codes and of what is marked as another language.
LATIN: Final = """() => {
  const found = [];
  const skip = "[lang=en], .mk-code, script, style, time, input[type=hidden]";
  const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (!node.parentElement.closest(skip)) found.push(node.textContent);
    } else if (!node.closest(skip)) {
      for (const name of ["aria-label", "title", "alt", "placeholder"]) found.push(node.getAttribute(name) || "");
    }
  }
  return found.join("\\n").replace(/\\S+@\\S+/g, "").match(/[A-Za-z][A-Za-z'’-]+/g) || [];
}"""
OURS: Final = frozenset(
    {
        "MyKey",
        "Hub",
        "ID",
        "PIN",
        "AB",
        "CD",
        "JIS",
        "WCAG",
        "AA",
        "HTML",
        "URL",
        "IC",
        "OK",
        "QR",
        "English",
        "example",
        "mail",
    }
)
"""Words that Japanese pages write in Latin letters."""
CODE: Final = re.compile(r"[A-Z0-9-]{4,}|[a-z]{1,2}|DEMO.*")

VALIDATE_RULES: Final = {
    "extends": ["html-validate:standard"],
    "rules": {
        "no-trailing-whitespace": "off",  # nobody reads the markup's spaces
        "void-style": "off",
        "no-inline-style": "error",
        "require-sri": "off",  # everything comes from our own origin
        "attribute-boolean-style": "off",  # govuk-frontend's own macros write them as they do
        "long-title": "off",  # counted in letters; Japanese needs fewer
        "wcag/h30": "error",
    },
}

Width = Literal[1280, 390]
HEIGHTS: Final[dict[Width, int]] = {1280: 800, 390: 844}


def is_here() -> bool:
    """Whether the browser and what looks at its pages are installed."""
    return NEEDS["chromium"].is_here() and AXE.exists() and HTML_VALIDATE.exists()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, without a sandbox where we are root: it only ever sees our own pages."""
    with sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage", "--lang=ja"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Walker:
    """One browser window at one width, with or without scripts, and what was wrong on its way."""

    page: Page
    url: str
    name: str
    width: Width
    scripts: bool
    mirror: Page
    markup: str = ""
    """Of the page where we are, as it was sent."""
    faults: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    """Screen → its numbers in the source."""
    refusals: frozenset[str] = frozenset({"422"})
    """What pages may be answered with that are no fault: a form that is shown again with its errors."""
    _document: Response | None = None

    def go(self, path: str) -> None:
        """Open one of our addresses."""
        self.page.goto(self.url + path)

    def press(self, text: str) -> None:
        """The button of this name, which leads to a page."""
        self.lead(self.page.get_by_role("button", name=text, exact=True).first)

    def toggle(self, text: str) -> None:
        """The button of this name, which changes something on this page."""
        self.page.get_by_role("button", name=text, exact=True).first.click()

    def follow(self, text: str) -> None:
        """The link of this name in the page's main part."""
        self.lead(self.page.locator("main").get_by_role("link", name=text).first)

    def lead(self, element: Locator) -> None:
        """Click on what leads to a page, and wait for it: a click alone does not."""
        with self.page.expect_navigation():
            element.click()

    def fill(self, label: str, value: str) -> None:
        """The field of this label."""
        self.page.get_by_label(label).first.fill(value)

    def at(self, *paths: str) -> None:
        """Make sure that we have come to one of these addresses; the walk goes on in any case."""
        if not self.is_at(*paths):
            self.faults.append(f"{self.name}: at {urlsplit(self.page.url).path}, not at {' or '.join(paths)}")

    def is_at(self, *paths: str) -> bool:
        """Whether we are at one of these addresses."""
        return urlsplit(self.page.url).path in paths

    def identify(self, password: str) -> None:
        """Answer the question who is it, where it is asked."""
        if self.is_at("/my/identity"):
            self.page.get_by_label("パスワード", exact=False).first.fill(password)
            self.press("パスワードで確認する")

    def see(self, screen: str, numbers: str = "") -> None:
        """Look at the page where we are: everything that a machine can see, and a picture for people."""
        self.seen[screen] = numbers
        self._note(screen, self._looks())
        self.markup = self._document.text() if self._document is not None else ""
        stem = PICTURES / self.name / screen
        stem.parent.mkdir(parents=True, exist_ok=True)
        stem.with_suffix(".html").write_text(self.markup, "utf-8")
        if TAKES_PICTURES:
            self.page.screenshot(path=f"{stem}.png", full_page=True)

    def _source(self) -> str:
        return str(self.page.evaluate("() => '<!DOCTYPE html>' + document.documentElement.outerHTML"))

    def _looks(self) -> Iterator[str]:
        page = self.page
        if page.title().count("｜") != 2:
            yield f"title: {page.title()}"
        if page.locator("h1").count() != 1:
            yield f"{page.locator('h1').count()} main headings"
        yield from self._rules()
        yield from (f"not Japanese: {word}" for word in page.evaluate(LATIN) if not _may_stand(word))
        solid = page.locator("main .govuk-button:not(.govuk-button--secondary)").count()
        if solid > 1:
            yield f"{solid} solid buttons"
        if self.width == 390:
            yield from self._narrowest()

    def _rules(self) -> list[str]:
        """What axe finds in a copy of the page, in which it was loaded once and needs no script of the page."""
        self.mirror.evaluate(COPY, self._source())
        found: list[str] = self.mirror.evaluate(AXE_RUN)
        return found

    def _narrowest(self) -> Iterator[str]:
        self.page.set_viewport_size({"width": NARROWEST, "height": 700})
        wide = self.page.evaluate("() => document.documentElement.scrollWidth")
        if wide > NARROWEST:
            yield f"{wide} px wide at {NARROWEST}: {self.page.evaluate(_WIDEST)}"
        self.page.set_viewport_size({"width": self.width, "height": HEIGHTS[self.width]})

    def _note(self, screen: str, faults: Iterator[str]) -> None:
        self.faults += [f"{self.name} {screen}: {fault}" for fault in faults]

    def get(self, response: Response) -> None:
        """Remember the page itself."""
        if response.request.is_navigation_request() and not FIRST_REDIRECT <= response.status < FIRST_ERROR:
            self._document = response

    def hear(self, message: ConsoleMessage) -> None:
        """What the browser complains about: the policy's reports, files that are missing, errors in scripts."""
        if message.type == "error" and not any(f"status of {status} " in message.text for status in self.refusals):
            self.faults.append(f"{self.name} {self.page.url}: console: {message.text}")


_WIDEST: Final = """() => [...document.querySelectorAll("body *")].filter(one =>
  one.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map(one => one.outerHTML.slice(0, 120)).join(" ; ")"""


TABS_LIMIT: Final = 60
UNSEEN: Final = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle === "none" && style.boxShadow === "none" ? document.activeElement.outerHTML : "";
}"""


def tab_to(page: Page, text: str) -> None:
    """Press Tab until the element of this text or label has the focus, which must show on every way station."""
    for _ in range(TABS_LIMIT):
        page.keyboard.press("Tab")
        assert page.evaluate(UNSEEN) == ""
        focused = page.evaluate(
            "() => { const one = document.activeElement;"
            " return [one.innerText, one.labels && one.labels[0] && one.labels[0].innerText].join('|'); }"
        )
        if text in focused:
            return
    raise AssertionError(f"no {text} within {TABS_LIMIT} tabs on {page.url}")


def _may_stand(word: str) -> bool:
    return word in OURS or CODE.fullmatch(word) is not None


@contextmanager
def walking(browser: Browser, url: str, width: Width, *, scripts: bool, **options: Any) -> Iterator[Walker]:  # noqa: ANN401
    """A window of its own, with no cookies; `options` are Playwright's for a context."""
    name = f"{width}{'' if scripts else '-no-script'}"
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": HEIGHTS[width]},
        java_script_enabled=scripts,
        locale="ja-JP",
        reduced_motion="reduce",
        has_touch=width == 390,
        **options,
    )
    context.set_default_timeout(ACTION_LIMIT_MS)
    context.add_init_script(WATCH)
    page = context.new_page()
    walker = Walker(page, url, name, width, scripts, _mirror(browser, url, width))
    page.on("console", walker.hear)
    page.on("response", walker.get)
    page.on("pageerror", lambda error: walker.faults.append(f"{name} {page.url}: script: {error}"))
    try:
        yield walker
    finally:
        context.close()
        walker.mirror.close()


def _mirror(browser: Browser, url: str, width: Width) -> Page:
    page = browser.new_page(reduced_motion="reduce", viewport={"width": width, "height": HEIGHTS[width]})
    page.goto(f"{url}/privacy")  # of our origin: the style sheet is for nobody else
    page.evaluate(AXE.read_text("utf-8"))
    return page


def markup_faults(folder: Path) -> list[str]:
    """What html-validate says about all pages in a folder."""
    rules = folder / "rules.json"
    rules.write_text(json.dumps(VALIDATE_RULES), "utf-8")
    command = [str(NODE), str(HTML_VALIDATE), "--config", str(rules), "--formatter", "json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=VALIDATE_LIMIT_S, check=False)
    found = json.loads(done.stdout or "[]")
    return [
        f"{Path(one['filePath']).name}:{message['line']}: {message['ruleId']}: {message['message']}"
        for one in found
        for message in one["messages"]
    ]
