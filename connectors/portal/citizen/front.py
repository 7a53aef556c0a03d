"""The portal's top (画面1), what is said about the site itself, and the app icon (IV (1)); open to everybody."""

import json
from collections.abc import Sequence
from typing import Annotated, Final

from aiohttp import web

from connectors.portal.ground.cookies import Cookie
from connectors.portal.ground.forms import Form, Input, filled
from connectors.portal.ground.frame import LANGUAGES
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer, redirect
from connectors.portal.ground.sessions import SIGNED_IN
from hub import demo_file
from hub.web.app import Route

MANIFEST_TYPE: Final = "application/manifest+json"
THEME: Final = "#0017c1"
GROUND_COLOUR: Final = "#ffffff"


class LanguageForm(Form):
    """The other language, and the page to go back to."""

    lang: Annotated[str, Input("言語")]
    back: Annotated[str, Input("戻り先")] = "/"


class FrontPages:
    """画面1. The demo's people are offered only where the setting names the demo's file."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def routes(self) -> list[Route]:
        """All of them."""
        page = self._ground.page
        return [
            page("GET", "/", self.top, "The portal's top", "ポータルサイト", is_open=True),
            page("GET", "/accessibility", self.accessibility, "Accessibility", "アクセシビリティ方針", is_open=True),
            page("GET", "/privacy", self.privacy, "What is kept", "このサイトでの情報の扱い", is_open=True),
            page("GET", "/manifest.webmanifest", self.manifest, "For installing", "アプリの情報", is_open=True),
            page("POST", "/language", self.language, "Change the language", "言語の切り替え", is_open=True),
        ]

    async def top(self, request: web.Request) -> web.Response:
        """画面1, with the demo's people where there is a demo."""
        offer = demo_file.read(self._ground.kit.settings.demo_file)
        return answer(
            request,
            "citizen/front.html",
            title=_("マイキープラットフォーム"),
            offer=offer,
            is_signed_in=SIGNED_IN in request,
        )

    async def accessibility(self, request: web.Request) -> web.Response:
        """JIS X 8341-3."""
        return answer(request, "accessibility.html", title=_("アクセシビリティ方針"))

    async def privacy(self, request: web.Request) -> web.Response:
        """What is kept about people."""
        return answer(request, "privacy.html", title=_("このサイトでの情報の扱い"))

    async def manifest(self, request: web.Request) -> web.Response:
        """What a phone needs to put My Page on its home screen (Web Application Manifest)."""
        del request
        url = self._ground.kit.look.url
        icons: Sequence[dict[str, str]] = [
            {"src": url("icon-192.png"), "sizes": "192x192", "type": "image/png"},
            {"src": url("icon-512.png"), "sizes": "512x512", "type": "image/png"},
            {"src": url("icon-maskable-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
        ]
        about = {
            "id": self._ground.home,
            "name": "マイページ（MyKey Hub 参考実装）",
            "short_name": "マイページ",
            "lang": "ja",
            "start_url": self._ground.home,
            "scope": "/",
            "display": "standalone",
            "theme_color": THEME,
            "background_color": GROUND_COLOUR,
            "icons": icons,
        }
        return web.Response(text=json.dumps(about, ensure_ascii=False), content_type=MANIFEST_TYPE, charset="utf-8")

    async def language(self, request: web.Request) -> web.Response:
        """Keep the choice, and back to the page; whatever is no page of ours leads to the top."""
        form = filled(request, LanguageForm)
        chosen = form.value
        back = chosen.back if chosen is not None and self._ground.is_page(chosen.back) else "/"
        response = redirect(request, back)
        if chosen is not None and chosen.lang in LANGUAGES:
            self._ground.kit.cookies.set(response, Cookie.language, chosen.lang)
        return response
