"""Starts the provider, hears what it tells, and logs members in by its own pages as a browser does."""

import asyncio
import json
import re
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from aiohttp import ClientSession, CookieJar

FOLDER: Final = Path(__file__).parent
START_LIMIT_S: Final = 30.0
STOP_LIMIT_S: Final = 10.0
HOPS_LIMIT: Final = 12
FIRST_REDIRECT, FIRST_ERROR = 300, 400
FORM: Final = re.compile(r'<form[^>]*action="([^"]+)"')
HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


class RefusedError(Exception):
    """The provider shows an error instead of a log-in."""


@dataclass
class Running:
    """A provider at work; `told` is all that it has said, the newest last."""

    issuer: str
    told: list[dict[str, Any]] = field(default_factory=list)

    def count(self, event: str) -> int:
        """How often it has said so."""
        return sum(one["event"] == event for one in self.told)

    async def log_in(self, url: str, login: str, back: str) -> str:
        """Follow the address, log in, agree; returns the address below `back` that the browser is sent to.

        Raises RefusedError.
        """
        method, fields = "GET", dict[str, str]()
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            for _hop in range(HOPS_LIMIT):
                async with session.request(method, url, data=fields or None, allow_redirects=False) as answer:
                    text = await answer.text()
                    if answer.status >= FIRST_ERROR:
                        raise RefusedError(f"{answer.status} {text}")
                    method, fields, here = "GET", {}, str(answer.url)
                    if answer.status >= FIRST_REDIRECT:
                        url = urljoin(here, answer.headers["Location"])
                        if url.startswith(back):
                            return url
                        continue
                action = FORM.search(text)
                if action is None:
                    raise RefusedError(text)
                method, url = "POST", urljoin(here, unescape(action[1]))
                fields = {**dict(HIDDEN.findall(text)), "login": login, "password": "any"}
        raise RefusedError(f"{HOPS_LIMIT} addresses and no way back")


@asynccontextmanager
async def provider(node: Path, packages: Path, **options: Any) -> AsyncIterator[Running]:  # noqa: ANN401 - of provider.mjs
    """A provider with a signing key of its own."""
    process = await asyncio.create_subprocess_exec(
        *(str(node), str(FOLDER / "provider.mjs"), json.dumps({"packages": str(packages), **options})),
        stdout=PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    running = Running(f"http://127.0.0.1:{options['port']}")
    ready = asyncio.Event()
    hearing = asyncio.create_task(_hear(process, running, ready))
    try:
        await asyncio.wait_for(ready.wait(), START_LIMIT_S)
        yield running
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
        await hearing


async def _hear(process: Process, running: Running, ready: asyncio.Event) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"{"):
            running.told.append(json.loads(line))
            ready.set()
