"""How fast we may mail to one provider: a rate for each domain, and a pause when it says "too much"."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from connectors.mail.conversation import Reply
from connectors.mail.refusals import TRY_LATER_S, wants_less
from hub.clock import Clock
from hub.errors import ComponentPausedError, NotYetError

WAIT_LIMIT_S: Final = 1.0
"""The longest a notice waits here for its turn, and others for it; beyond that it goes back to the hub's schedule."""
PUT_OFF_LIMIT_S: Final = 900.0
"""The longest for which it does; so a rate that is raised is soon felt."""
PAUSE_FIRST_S: Final = 30.0
PAUSE_LIMIT_S: Final = 900.0
DOMAINS_LIMIT: Final = 10_000
"""The most domains remembered; those with nothing to remember are forgotten first."""


@dataclass(slots=True)
class _Domain:
    next_turn: float = 0.0
    next_put_off: float = 0.0
    """When whoever is put off next is to come again: after those who were put off before, as far apart as turns."""
    paused_until: float = 0.0
    pause_s: float = PAUSE_FIRST_S

    def busy_until(self) -> float:
        """There is nothing to remember after that."""
        return max(self.next_turn, self.next_put_off, self.paused_until)


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
            NotYetError: the domain is paused, or its queue is longer than `WAIT_LIMIT_S`.
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

    def later_s(self, domain: str, reply: Reply) -> float:
        """After how many seconds a mail that the server wants later is tried again; a provider may ask for a pause."""
        return self.pause(domain) if wants_less(reply) else TRY_LATER_S

    def accepted(self, domain: str) -> None:
        """The provider took a mail: the next pause is a short one again."""
        known = self._domains.get(domain)
        if known is not None:
            known.pause_s = PAUSE_FIRST_S

    def _reserve(self, domain: str) -> float:
        known = self._known(domain)
        now = self._clock.monotonic()
        gap_s = 1.0 / self._overrides.get(domain, self._rate)
        turn = max(known.next_turn, known.paused_until, now)
        if turn - now > WAIT_LIMIT_S:
            put_off = min(max(known.next_put_off, turn), now + PUT_OFF_LIMIT_S)
            known.next_put_off = put_off + gap_s
            raise NotYetError("one provider's turn", retry_after_s=put_off - now)
        known.next_turn = turn + gap_s
        return turn - now

    def _known(self, domain: str) -> _Domain:
        known = self._domains.get(domain)
        if known is None:
            if len(self._domains) >= DOMAINS_LIMIT:
                self._forget()
            known = self._domains[domain] = _Domain()
        return known

    def _forget(self) -> None:
        now = self._clock.monotonic()
        busy = {name: one for name, one in self._domains.items() if one.busy_until() > now}
        self._domains = busy if len(busy) < DOMAINS_LIMIT else {}
