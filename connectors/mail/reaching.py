"""Is the mail server there? A connection of its own, beside those in use: EHLO, login, NOOP, QUIT; no mail."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from aiosmtplib import SMTPException, SMTPResponse, SMTPResponseException

from connectors.mail.smtp import Server, client_of
from schemas.connections import ConnectionStep, ConnectionTested, MailServerReached

TIMEOUT_S: Final = 5.0
"""An operator waits for it."""


class Reaching:
    """Tries the way to one mail server, step by step."""

    def __init__(self, server: Server) -> None:
        self._server = replace(server, timeout_s=min(server.timeout_s, TIMEOUT_S))

    async def __call__(self, _query: MailServerReached) -> ConnectionTested:
        """Ends with the first step that fails."""
        client = client_of(self._server)
        place = f"{self._server.host}:{self._server.port}, {self._server.security}"
        steps = [await _step(f"connect ({place})", client.connect)]
        for name, command in (("EHLO", client.ehlo), ("NOOP", client.noop)):
            if steps[-1].ok:
                steps.append(await _step(name, command))
        if steps[-1].ok:
            await _step("QUIT", client.quit)
        client.close()
        return ConnectionTested(steps=steps)


async def _step(name: str, command: Callable[[], Awaitable[SMTPResponse]]) -> ConnectionStep:
    """One step; the server's free text is left behind, as it may say anything."""
    began_s = time.monotonic()
    try:
        answer = await command()
    except SMTPResponseException as error:
        ok, detail = False, f"the server answered {error.code}"
    except (SMTPException, OSError, TimeoutError) as error:
        ok, detail = False, type(error).__name__
    else:
        ok, detail = True, str(answer.code)
    return ConnectionStep(name=name, ok=ok, detail=detail, took_ms=round((time.monotonic() - began_s) * 1e3, 1))
