"""The reader and whatever card is in it, as `ports.CardDesk`: one job at a time, each bound to one insertion."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NoReturn, Protocol
from uuid import UUID

from reader_agent.card_frames import Answer, Step
from reader_agent.card_keeper import ASK_LIMIT_S, START_LIMIT_S, CardKeeper
from reader_agent.jpki import PIN, SIGNATURE_PASSWORD, Secret
from reader_agent.ports import PinPad, PinRefusedError
from reader_agent.presence import Presence
from reader_agent.racing import first_of
from reader_agent.typed_numbers import TypedNumbers
from schemas.uplink import CardEvent, CardJob, CardResult, NumberJob, NumberResult, Outcome, ReaderState, card_text

CARD_WAIT_S: Final = 15.0
"""How long a job waits for a card to be put in."""
HOLD_LIMIT_S: Final = 300.0
"""The longest that a card is held powered for the rest of an operation: a counter's session ends before, and whoever
takes longer on My Page types the PIN once more."""

WITHOUT_SIGNATURE: Final = frozenset({Outcome.cancelled, Outcome.wrong_pin, Outcome.blocked})
"""How a job ends whose password of the signature certificate is not typed, is wrong or blocked."""


class Cards(Protocol):
    """What a desk needs of the card process: see `card_keeper.CardKeeper`."""

    async def ask(self, step: Step, *, insertion: UUID | None = None, text: bytes = b"", typed: bytes = b"") -> Answer:
        """Have a step done; a failure is an outcome."""

    def let_go(self) -> None:
        """Have the card powered off, without waiting for it."""


class EndedError(Exception):
    """A job has ended before it was done."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Desk:
    """`ports.CardDesk` over the card process, which tells `presence` of readers and cards.

    Args:
        cards: the card process.
        presence: what it tells.
        typed: where numbers are typed.
        card_wait_s: how long a job waits for a card to be put in, in seconds; 0 for not at all.
    """

    def __init__(self, cards: Cards, presence: Presence, typed: TypedNumbers, card_wait_s: float = CARD_WAIT_S) -> None:
        self._cards = cards
        self._presence = presence
        self._typed = typed
        self._card_wait_s = card_wait_s
        self._is_busy = False
        self._is_released = False
        self._holding: asyncio.Task[None] | None = None

    def events(self) -> AsyncIterator[CardEvent | ReaderState]:
        """See `ports.CardDesk`; what is now comes first."""
        return self._presence.events()

    async def release(self) -> None:
        """See `ports.CardDesk`; a job under way ends as `cancelled`."""
        self._is_released = True
        self._presence.look_again()
        self.close()
        await self._cards.ask("release")

    def close(self) -> None:
        """Watch over a held card no longer."""
        if self._holding is not None:
            self._holding.cancel()
            self._holding = None

    async def prove(self, job: CardJob, pin_pad: PinPad, hub_origin: str, terminal_id: str) -> CardResult:
        """See `ports.CardDesk`. A signature beside a failure says that the PIN was right, and the password was not."""
        text = card_text(hub_origin, job.nonce, job.job_id, job.purpose, terminal_id)
        gave: dict[str, Any] = {}
        outcome = await self._alone(job.limit_s, self._prove_and_hold(job, pin_pad, text, gave))
        if job.again is not None and outcome is Outcome.reader_failed:
            outcome = Outcome.removed  # whether or not it is: it is no longer the card whose PIN was typed
        return CardResult(job_id=job.job_id, outcome=outcome, **gave)

    async def number(self, job: NumberJob) -> NumberResult:
        """See `ports.CardDesk`. A card that is in already may be the last customer's: it is not taken."""
        gave: dict[str, Any] = {}
        outcome = await self._alone(job.limit_s, self._number(set(self._presence.cards), gave))
        return NumberResult(job_id=job.job_id, outcome=outcome, **gave)

    async def _alone(self, limit_s: float, work: Coroutine[Any, Any, None]) -> Outcome:
        """Do a job's work, unless another is under way."""
        if self._is_busy:
            work.close()
            return Outcome.busy
        self._is_busy, self._is_released = True, False
        try:
            async with asyncio.timeout(limit_s):
                await work
        except EndedError as ended:
            return ended.outcome
        except TimeoutError:
            return Outcome.expired
        finally:
            self._is_busy = False
        return Outcome.done

    # ---------------------------------------------------------------------------------------------- its steps

    async def _prove_and_hold(self, job: CardJob, pin_pad: PinPad, text: bytes, gave: dict[str, Any]) -> None:
        """A card is held for the rest of its operation, but not where it did not prove itself."""
        self.close()
        is_held = False
        try:
            await self._prove(job, pin_pad, text, gave)
            is_held = True
        except EndedError as ended:
            is_held = self._goes_on_without(job, ended.outcome)
            raise
        finally:
            if is_held:
                self._holding = asyncio.create_task(self._hold(gave["insertion"]))
            else:
                self._cards.let_go()

    def _goes_on_without(self, job: CardJob, outcome: Outcome) -> bool:
        """Whether the operation needs no signature certificate: it was asked for once the card had proven itself."""
        is_more = job.again is not None and job.address_change
        return is_more and outcome in WITHOUT_SIGNATURE and not self._is_released

    async def _prove(self, job: CardJob, pin_pad: PinPad, text: bytes, gave: dict[str, Any]) -> None:
        """Fills `gave` with what the card gives, step by step. Raises EndedError."""
        if job.again is None:
            await self._card_is_in()
        opened = await self._step(gave, "open", insertion=job.again)
        if job.how == "pin":
            pin = b"" if job.again else await self._type(PIN, lambda tries: pin_pad.ask(job, tries), opened, gave)
            await self._step(gave, "sign", text=text, typed=pin)
        if job.address_change:
            tries = await self._step(gave, "signature_tries")
            password = await self._type(
                SIGNATURE_PASSWORD, lambda tries: pin_pad.ask_signature_password(job, tries), tries, gave
            )
            await self._step(gave, "signature_serial", typed=password)

    async def _card_is_in(self) -> None:
        """Wait for a card, if none is in. Raises EndedError."""
        here = self._presence
        with suppress(TimeoutError):
            async with asyncio.timeout(self._card_wait_s):
                await here.until(lambda: bool(here.cards) or here.has_reader is False or self._is_released)
        if not here.cards:
            raise EndedError(Outcome.no_card if here.has_reader else Outcome.reader_failed)

    async def _step(
        self, gave: dict[str, Any], step: Step, *, insertion: UUID | None = None, text: bytes = b"", typed: bytes = b""
    ) -> Answer:
        """One step. Raises EndedError."""
        if self._is_released:
            raise EndedError(Outcome.cancelled)
        answer = await self._cards.ask(step, insertion=insertion, text=text, typed=typed)
        gave |= answer.model_dump(exclude={"kind", "id", "outcome", "idm"}, exclude_none=True)
        if answer.outcome is not Outcome.done:
            raise EndedError(answer.outcome)
        return answer

    async def _type(
        self, secret: Secret, typing: Callable[[int], Coroutine[Any, Any, str]], asked: Answer, gave: dict[str, Any]
    ) -> bytes:
        """What the citizen types while the very card is in. Raises EndedError."""
        if not asked.tries_left:
            raise EndedError(Outcome.blocked)
        try:
            typed = await first_of(self._until_gone(gave["insertion"]), typing(asked.tries_left))
        except PinRefusedError:
            raise EndedError(Outcome.cancelled) from None
        if not secret.form.fullmatch(typed.encode()):
            raise EndedError(Outcome.cancelled)
        # How often it could have been wrong is no news any more; where it is wrong, the card tells anew.
        del gave["tries_left"]
        return typed.encode()

    async def _until_gone(self, insertion: UUID | None = None) -> NoReturn:
        """Wait until the operation is over, or until that card is out. Raises EndedError."""
        here = self._presence
        await here.until(lambda: self._is_released or (insertion is not None and insertion not in here.cards))
        raise EndedError(Outcome.cancelled if self._is_released else Outcome.removed)

    async def _hold(self, insertion: UUID) -> None:
        """The card stays powered, and what was typed counts, no longer than it is in and than an operation lasts."""
        with suppress(TimeoutError, EndedError):
            async with asyncio.timeout(HOLD_LIMIT_S):
                await self._until_gone(insertion)
        self._cards.let_go()

    async def _number(self, seen: set[UUID], gave: dict[str, Any]) -> None:
        await first_of(self._until_gone(), self._felica_number(seen, gave), self._typed_number(gave))

    async def _felica_number(self, seen: set[UUID], gave: dict[str, Any]) -> None:
        """The number of the next FeliCa card that is put in, none of those `seen` before."""
        here = self._presence
        while True:
            await here.until(lambda: not seen.issuperset(here.cards))
            for card in set(here.cards) - seen:
                seen.add(card)
                # Shielded: a number may be typed meanwhile, and an abandoned step would cost a card that is held.
                answer = await asyncio.shield(self._cards.ask("idm", insertion=card))
                if answer.idm:
                    gave.update(number=answer.idm, source="felica")
                    return

    async def _typed_number(self, gave: dict[str, Any]) -> None:
        gave.update(number=await self._typed.next_number(), source="typed")


@asynccontextmanager
async def open_desk(
    typed: TypedNumbers, only: str = "", card_wait_s: float = CARD_WAIT_S, ask_limit_s: float = ASK_LIMIT_S
) -> AsyncIterator[Desk]:
    """A desk with a card process of its own. `only` is a part of our readers' names, all are where it is empty."""
    presence = Presence()
    keeper = CardKeeper(presence.hear, only, ask_limit_s)
    desk = Desk(keeper, presence, typed, card_wait_s)
    running = asyncio.create_task(keeper.run())
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(START_LIMIT_S):
                await presence.until(lambda: presence.has_reader is not None)
        yield desk
    finally:
        desk.close()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
