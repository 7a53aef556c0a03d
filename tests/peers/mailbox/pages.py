"""What people and tests ask the mail server: counts, the last mails, faults."""

import html
from typing import Final

from aiohttp import web

from tests.peers.mailbox.catcher import Hooks
from tests.peers.mailbox.faults import faults_from
from tests.peers.mailbox.kept import LAST_LIMIT

SHOWN_LIMIT: Final = 50
BODY_LIMIT_BYTES: Final = 1 << 20


class Pages:
    """The handlers."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    async def stats(self, _request: web.Request) -> web.Response:
        """Counts as JSON."""
        return web.json_response(self._hooks.kept.stats())

    async def mails(self, request: web.Request) -> web.Response:
        """The last `limit` mails as JSON, the newest first."""
        limit = min(int(request.query.get("limit", str(SHOWN_LIMIT))), LAST_LIMIT)
        return web.json_response(self._hooks.kept.last(limit))

    async def forget(self, _request: web.Request) -> web.Response:
        """Throw all mails away, and count anew."""
        self._hooks.kept.forget()
        return web.json_response({})

    async def set_faults(self, request: web.Request) -> web.Response:
        """The faults from now on; those that are not named are none."""
        self._hooks.faults = faults_from(await request.json())
        return web.json_response({})

    async def page(self, _request: web.Request) -> web.Response:
        """The last mails for a browser."""
        shown = "\n".join(_as_html(mail) for mail in self._hooks.kept.last(SHOWN_LIMIT))
        body = (
            '<!DOCTYPE html><html lang="ja"><meta charset="utf-8"><title>Mailbox</title>'
            f"<h1>{self._hooks.kept.mails} mails</h1>{shown}</html>"
        )
        return web.Response(text=body, content_type="text/html", charset="utf-8")


def _as_html(mail: dict[str, object]) -> str:
    headers = mail["headers"]
    subject = next((value for name, value in headers if name == "Subject"), "") if isinstance(headers, list) else ""
    text = html.escape(str(mail["text"]))
    return (
        f"<details><summary>{html.escape(str(mail['envelope_to']))}: {html.escape(str(subject))}</summary>"
        f"<pre>{text}</pre></details>"
    )


async def serve_pages(hooks: Hooks, port: int) -> tuple[web.AppRunner, int]:
    """Listen on 127.0.0.1. Returns the runner and its port."""
    pages = Pages(hooks)
    app = web.Application(client_max_size=BODY_LIMIT_BYTES)
    app.router.add_get("/", pages.page)
    app.router.add_get("/stats", pages.stats)
    app.router.add_get("/mails", pages.mails)
    app.router.add_delete("/mails", pages.forget)
    app.router.add_post("/faults", pages.set_faults)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    bound: int = runner.addresses[0][1]
    return runner, bound
