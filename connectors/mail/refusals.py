"""What a mail server's answer says: of the mail, of the address it is for, or of us (RFC 5321, RFC 3463).

A 550 without an enhanced status code may say either: `user unknown`, or `relay not permitted`. It says something of the
address only where the same provider goes on taking others' mails meanwhile.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from connectors.mail.addresses import Address
from connectors.mail.conversation import Reply, Stage
from hub.clock import Clock
from hub.errors import PermanentError, TransientError

TRY_LATER_S: Final = 60.0
"""The earliest next try after the server said that it cannot take a mail now: greylisting asks for this."""
REFUSALS: Final = 3
"""After so many refusals that give no reason, and others' mails taken between each two, it is the address."""
REFUSALS_APART_S: Final = TRY_LATER_S / 2
"""What is refused sooner than this after the last time tells nothing new."""
DOUBTS_LIMIT: Final = 10_000
"""The most addresses in doubt that are remembered; beyond that, all begin anew."""

_TRY_LATER: Final = 4
_CLOSING: Final = 421
_POLICY: Final = ".7."
_ABOUT_THE_ADDRESS: Final = ("5.1.", "5.2.")
_ABOUT_THE_SENDER: Final = ("5.1.7", "5.1.8")
_NO_REASON: Final = ("", "5.0.0")
_ABOUT_A_MAILBOX: Final = (550, 551, 553)
"""The mailbox is not there or not allowed, says RFC 5321; many servers say so of whatever they do not want."""


class MailRefusedError(PermanentError):
    """The mail server refuses our sender or what we write, not the address: mend that, then redrive."""

    answered = True


class MailDeferredError(TransientError):
    """The mail server does not take this mail now; it is tried again later, for about a day."""

    answered = True


class Verdict(Enum):
    """What comes of a mail."""

    accepted = "accepted"
    later = "later"
    bounced = "bounced"
    refused = "refused"


@dataclass(slots=True)
class _Doubt:
    """How often an address was refused, when last, and how many others' mails its provider had taken by then."""

    refusals: int
    at_s: float
    taken: int


class Verdicts:
    """Judges replies, by what was replied to other mails as well."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._doubts: dict[str, _Doubt] = {}
        self._taken: dict[str, int] = {}
        """Domain with an address in doubt → how many recipients were taken there since the first."""

    def of(self, address: Address, reply: Reply) -> Verdict:
        """What comes of the mail to this address that was replied to so."""
        if reply.stage is Stage.content:
            self._take(address)
        if reply.accepted:
            return Verdict.accepted
        if is_for_later(reply):
            return Verdict.later
        if _is_about_the_address(reply):
            return Verdict.bounced
        if reply.stage is Stage.recipient and reply.code in _ABOUT_A_MAILBOX and reply.status in _NO_REASON:
            return Verdict.bounced if self._is_beyond_doubt(address) else Verdict.later
        return Verdict.refused

    def _take(self, address: Address) -> None:
        self._doubts.pop(address.text, None)
        if address.domain in self._taken:
            self._taken[address.domain] += 1

    def _is_beyond_doubt(self, address: Address) -> bool:
        now_s, doubt = self._clock.monotonic(), self._doubts.get(address.text)
        if doubt is None:
            if len(self._doubts) >= DOUBTS_LIMIT:
                self._doubts.clear()
                self._taken.clear()
            self._doubts[address.text] = _Doubt(1, now_s, self._taken.setdefault(address.domain, 0))
            return False
        taken = self._taken[address.domain]
        if taken > doubt.taken and now_s - doubt.at_s >= REFUSALS_APART_S:
            doubt.refusals, doubt.at_s, doubt.taken = doubt.refusals + 1, now_s, taken
        return doubt.refusals >= REFUSALS


def _is_about_the_address(reply: Reply) -> bool:
    """The server takes nothing for this address, whoever sends."""
    return (
        reply.stage is not Stage.sender
        and reply.status.startswith(_ABOUT_THE_ADDRESS)
        and reply.status not in _ABOUT_THE_SENDER
    )


def is_for_later(reply: Reply) -> bool:
    """The server cannot take the mail now."""
    return reply.code // 100 == _TRY_LATER


def wants_less(reply: Reply) -> bool:
    """The server closes on us, or speaks of its policy (RFC 3463, x.7.x): so providers say "too much"."""
    return reply.code == _CLOSING or _POLICY in reply.status


def in_words(reply: Reply) -> str:
    """What the server said, without its free text."""
    return f"SMTP {reply.stage.value}: {reply.code} {reply.status}".rstrip()
