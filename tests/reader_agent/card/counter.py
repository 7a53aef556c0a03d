"""What a test of the desk has: the desk, a reader to put cards into, a citizen who types, and what the desk told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from reader_agent.desk import Desk
from reader_agent.ports import PinRefusedError
from reader_agent.typed_numbers import TypedNumbers
from schemas.uplink import CardEvent, CardJob, CardResult, NumberJob, NumberResult, ReaderState, card_text
from tests.peers.card.card import Card
from tests.waiting import wait_until

ORIGIN: Final = "https://hub.example:8443"
TERMINAL: Final = "T131016ABCDEF"
NONCE: Final = bytes(range(32))


class Reader(Protocol):
    def insert(self, card: Card) -> None:
        """Put a card in; one that is in is taken out before."""

    def remove(self) -> None:
        """Take the card out."""


@dataclass
class Citizen:
    """Types, as a PinPad. What is None for somebody who presses 「取消」; `waits` for one who thinks for ever."""

    pin: str | None = "1234"
    password: str | None = "ABC123"
    waits: bool = False
    asked: list[int] = field(default_factory=list)
    """The tries left that were told at each asking for the PIN."""
    asked_password: list[int] = field(default_factory=list)

    async def ask(self, job: CardJob, tries_left: int) -> str:
        assert job.purpose
        self.asked.append(tries_left)
        if self.waits:
            await asyncio.Event().wait()
        if self.pin is None:
            raise PinRefusedError
        return self.pin

    async def ask_signature_password(self, job: CardJob, tries_left: int) -> str:
        assert job.address_change
        self.asked_password.append(tries_left)
        if self.waits:
            await asyncio.Event().wait()
        if self.password is None:
            raise PinRefusedError
        return self.password


@dataclass
class Counter:
    desk: Desk
    reader: Reader
    typed: TypedNumbers
    is_real: bool
    """Whether it is a PC/SC service."""
    told: list[CardEvent | ReaderState] = field(default_factory=list)

    async def prove(self, citizen: Citizen, **job: object) -> CardResult:
        return await self.desk.prove(card_job(**job), citizen, ORIGIN, TERMINAL)

    async def number(self, limit_s: float = 5.0) -> NumberResult:
        return await self.desk.number(NumberJob(job_id=uuid4(), limit_s=limit_s))

    async def insert(self, card: Card) -> UUID:
        """Put a card in, and wait until the desk has told of it. Returns its insertion."""
        before = len(self.told)
        self.reader.insert(card)
        return await self._last("inserted", before)

    async def remove(self) -> UUID:
        """Take the card out, and wait until the desk has told of it."""
        before = len(self.told)
        self.reader.remove()
        return await self._last("removed", before)

    @property
    def is_card_in(self) -> bool:
        """As the desk told."""
        cards = [said.what for said in self.told if isinstance(said, CardEvent)]
        return bool(cards) and cards[-1] == "inserted"

    @property
    def is_reader_there(self) -> bool:
        """As the desk told."""
        states = [said.connected for said in self.told if isinstance(said, ReaderState)]
        return bool(states) and states[-1]

    async def _last(self, what: str, before: int) -> UUID:
        """The card that was told of since then."""

        def said() -> list[UUID]:
            events = [each for each in self.told[before:] if isinstance(each, CardEvent)]
            return [each.insertion for each in events if each.what == what]

        return (await wait_until(said))[-1]


def card_job(**fields: object) -> CardJob:
    return CardJob.model_validate(
        {"job_id": uuid4(), "limit_s": 20.0, "purpose": "register-service-id", "nonce": NONCE, **fields}
    )


def is_signed(result: CardResult) -> bool:
    """Whether the signature is the certificate's over the very job's text. Raises InvalidSignature."""
    assert result.certificate is not None
    assert result.signature is not None
    key = x509.load_der_x509_certificate(result.certificate).public_key()
    assert isinstance(key, RSAPublicKey)
    text = card_text(ORIGIN, NONCE, result.job_id, "register-service-id", TERMINAL)
    key.verify(result.signature, text, PKCS1v15(), SHA256())
    return True


@asynccontextmanager
async def listening(counter: Counter) -> AsyncIterator[Counter]:
    """Keep what the desk tells in `told`."""

    async def listen() -> None:
        async for said in counter.desk.events():
            counter.told.append(said)

    task = asyncio.create_task(listen())
    try:
        yield counter
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
