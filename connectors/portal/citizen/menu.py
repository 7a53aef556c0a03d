"""The menu of My Page (画面19): the same few entries on every page; the home page has all there is."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from connectors.portal.ground.frame import MenuItem
from connectors.portal.ground.language import _

_ENTRIES: Final = (
    ("/my", "マイページ"),
    ("/my/move", "ポイントを移す"),
    ("/my/history", "履歴"),
    ("/my/services", "連携サービス"),
    ("/my/profile", "利用者情報"),
)
"""An entry is `here` for its own page and all below it."""


def menu(request: web.Request) -> Sequence[MenuItem]:
    """With the entry marked to which the page belongs."""
    return [MenuItem(_(text), url, here=_is_here(request.path, url)) for url, text in _ENTRIES]


def _is_here(path: str, url: str) -> bool:
    return path == url or (url != _ENTRIES[0][0] and path.startswith(f"{url}/"))
