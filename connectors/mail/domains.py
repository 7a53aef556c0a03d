"""How fast we may mail to one provider: a rate for each domain, and a pause when it says "too much"."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from hub.clock import Clock
from hub.errors import ComponentPausedError, TransientError

WAIT_LIMIT_S: Final = 30.0
"""The longest a notice waits here for its turn; beyond that it goes back to the hub's schedule."""
PAUSE_FIRST_S: Final = 30.0
PAUSE_LIMIT_S: Final = 900.0
DOMAINS_LIMIT: Final = 10_000
"""The most domains remembered; those with nothing to remember are forgotten first."""


@dataclass(slots=True)
class _Domain:
    next_turn: float = 0.0
    paused_until: float = 0.0
    pause_s: float = PAUSE_FIRST_S


class DomainLimits:
    """Turns for mails, by recipient domain."""

    def __init__(self, clock: Clock, per_domain_s: float, overrides: Mapping[str, float]) -> None:
        """`per_domain_s` mails a second for each domain, or what `overrides` says for it."""
        self._clock = clock
        self._rate = per_domain_s
        self._overrides = {domain.lower(): rate for domain, rate in overrides.items()}
        self._domains: dict[str, _Domain] = {}
        self._is_stopping = asyncio.Event()

    async def turn(self, domain: str) -> None:
        """Wait for this domain's turn.

        Raises:
            TransientError: the domain is paused, or its queue is longer than `WAIT_LIMIT_S`.
            ComponentPausedError: this process is to end; the mail stays due, and has lost no attempt.
        """
        wait_s = self._reserve(domain)
        if wait_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._is_stopping.wait()
                    raise ComponentPausedError("mail")

    def stop(self) -> None:
        """Nobody waits any longer."""
        self._is_stopping.set()

    def pause(self, domain: str) -> float:
        """The provider asks for less: no mail for a while, twice as long each time.

        Returns the seconds to wait.
        """
        known = self._known(domain)
        now = self._clock.monotonic()
        if known.paused_until > now:
            return known.paused_until - now
        pause_s, known.pause_s = known.pause_s, min(known.pause_s * 2, PAUSE_LIMIT_S)
        known.paused_until = now + pause_s
        return pause_s

    def accepted(self, domain: str) -> None:
        """The provider took a mail: the next pause is a short one again."""
        known = self._domains.get(domain)
        if known is not None:
            known.pause_s = PAUSE_FIRST_S

    def _reserve(self, domain: str) -> float:
        known = self._known(domain)
        now = self._clock.monotonic()
        if known.paused_until > now:
            raise TransientError("the provider asked for a pause", retry_after_s=known.paused_until - now)
        wait_s = max(0.0, known.next_turn - now)
        if wait_s > WAIT_LIMIT_S:
            raise TransientError("too many mails for one provider", retry_after_s=wait_s)
        known.next_turn = max(known.next_turn, now) + 1.0 / self._overrides.get(domain, self._rate)
        return wait_s

    def _known(self, domain: str) -> _Domain:
        known = self._domains.get(domain)
        if known is None:
            if len(self._domains) >= DOMAINS_LIMIT:
                self._forget()
            known = self._domains[domain] = _Domain()
        return known

    def _forget(self) -> None:
        now = self._clock.monotonic()
        busy = {name: one for name, one in self._domains.items() if max(one.next_turn, one.paused_until) > now}
        self._domains = busy if len(busy) < DOMAINS_LIMIT else {}
