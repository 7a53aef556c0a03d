"""`python -m tests.reader_agent.virtual --folder DIR --issued 2017-10-31`: terminals with virtual cards, for the demo.

Each is the real agent's uplink and desk with a reader in memory, and a card that is always in it. The hub knows them as
it knows any terminal: each enrols at the public door with its one-time password. Only what they themselves have issued
is taken for a card, and only by a hub that was told so (`MYKEY_CARD_ANCHORS`).

It writes `DIR/anchors/authority-N.pem` and prints one line of JSON as soon as that is done. Then it reads its input,
line by line: `{"hub_url": …, "terminals": [{"terminal_id": …, "one_time_password": …}, …]}`, enrols each, and prints a
line once all of them are connected. It ends with its input, or when it is told to.
"""

import argparse
import asyncio
import json
import logging
import secrets
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from aiohttp import ClientSession
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel

from reader_agent.desk import Desk
from reader_agent.ports import MergeDesk
from reader_agent.uplink import Uplink
from reader_agent.uplink_handshake import Self
from schemas.terminals import EnrolmentAnswer, EnrolmentForm, TerminalContact
from schemas.uplink import CardJob, NotifyJob, NotifyResult, Outcome
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import JpkiCard
from tests.reader_agent.card.in_memory import in_memory_desk
from tests.reader_agent.no_merges import NoMerges

PIN: Final = "1234"
PASSWORD: Final = "ABC123"
RECIPE: Final = "pc-1"
CONNECT_TIMEOUT_S: Final = 30.0
CONTACT: Final = TerminalContact(
    name="担当者", section="窓口", phone="03-0000-0000", mail="demo@city.example", address="本町1-1"
)


class Issued(BaseModel):
    """A terminal as it was handed out."""

    terminal_id: str
    one_time_password: str
    issuer_id: str | None = None
    """Of a terminal that registers an issuer's numbers."""


class Given(BaseModel):
    """The line that is read."""

    hub_url: str
    terminals: list[Issued]


class Typist:
    """Types what opens the card, at once."""

    async def ask(self, _job: CardJob, _tries_left: int) -> str:
        """See reader_agent.ports.PinPad."""
        return PIN

    async def ask_signature_password(self, _job: CardJob, _tries_left: int) -> str:
        """See reader_agent.ports.PinPad."""
        return PASSWORD


class NoProgram:
    """There is no library's program beside these terminals."""

    async def hand_on(self, job: NotifyJob) -> NotifyResult:
        """See reader_agent.ports.Notifier."""
        return NotifyResult(job_id=job.job_id, outcome=Outcome.not_handed_on)


class Terminal:
    """One terminal: its keys, made anew in each run."""

    def __init__(self, issued: Issued, hub_url: str) -> None:
        self._issued = issued
        self._hub_url = hub_url
        self._key = Ed25519PrivateKey.generate()
        self._fingerprint = secrets.token_bytes(32)
        self._values = {"cpu": secrets.token_bytes(32), "board": secrets.token_bytes(32)}
        self.is_on = asyncio.Event()

    async def enrol(self, client: ClientSession) -> Self:
        """By the public door, as any agent does."""
        form = EnrolmentForm(
            terminal_id=self._issued.terminal_id,
            one_time_password=self._issued.one_time_password,
            issuer_id=self._issued.issuer_id,
            public_key=self._key.public_key().public_bytes_raw().hex(),
            contact=CONTACT,
            fingerprint=self._fingerprint.hex(),
            value_digests={name: value.hex() for name, value in self._values.items()},
            recipe=RECIPE,
        )
        url, headers = f"{self._hub_url}/api/terminal/enrolments", {"Content-Type": "application/json"}
        async with client.post(url, data=form.model_dump_json(), headers=headers) as answer:
            answer.raise_for_status()
            enrolled = EnrolmentAnswer.model_validate_json(await answer.read())
        return Self(
            terminal_id=enrolled.terminal_id,
            hub_origin=self._hub_url,
            hub_key=enrolled.hub_key,
            key=self._key,
            fingerprint=self._fingerprint,
            value_digests=self._values,
            recipe=RECIPE,
            version="virtual",
        )

    async def run(self, who: Self, desk: Desk, merges: MergeDesk | None = None) -> None:
        """For ever."""
        await Uplink(who, desk, Typist(), NoProgram(), merges or NoMerges(), self._tell).run()

    def _tell(self, state: str) -> None:
        if state == "on":
            self.is_on.set()


def _write_anchors(authority: CardAuthority, folder: Path) -> None:
    anchors = folder / "anchors"
    anchors.mkdir(parents=True, exist_ok=True)
    for number, der in enumerate(authority.anchors):
        pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
        (anchors / f"authority-{number}.pem").write_bytes(pem)


def say(**said: object) -> None:
    """A line for whoever has started it."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


async def _main(folder: Path, issued_at: datetime) -> None:
    authority = CardAuthority()
    await asyncio.to_thread(_write_anchors, authority, folder)
    say(anchors=str(folder / "anchors"))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(ClientSession())
        while line := await asyncio.to_thread(sys.stdin.readline):
            given = Given.model_validate_json(line)
            for one in given.terminals:
                terminal = Terminal(one, given.hub_url)
                identity = await asyncio.to_thread(authority.issue, issued_at=issued_at)
                desk, reader = await stack.enter_async_context(in_memory_desk())
                reader.insert(JpkiCard(identity, PIN, PASSWORD))
                running = asyncio.create_task(terminal.run(await terminal.enrol(client), desk))
                stack.callback(running.cancel)
                await asyncio.wait_for(terminal.is_on.wait(), CONNECT_TIMEOUT_S)
            say(connected=len(given.terminals))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--issued", type=datetime.fromisoformat, default=datetime.now(UTC) - timedelta(hours=1))
    asked = options.parse_args()
    # What it says is read by whoever started it; the agent's own words are not for its output.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(_main(asked.folder, asked.issued.astimezone(UTC)))
