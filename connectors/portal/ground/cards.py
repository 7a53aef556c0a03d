"""The card way: which reader a browser is beside, and a card read there that proves who somebody is.

Outside the demo the browser tells by a ticket that the terminal's own agent has signed, good once for a minute
(`mykey-agent ticket`). In the demo a virtual card is chosen on the screen; each has a terminal of its own.
"""

import asyncio
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, NamedTuple
from uuid import UUID

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from connectors.portal.ground.forms import Filled, Form, FormView, Input, Option, blank, filled
from connectors.portal.ground.inputs import narrow
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from hub import demo_file
from hub.bus import Bus
from hub.database import Database
from hub.errors import TransientError
from hub.web.leaving import while_there
from schemas.card_jobs import ReadCard, ReleaseCard
from schemas.cards import ProveCard
from schemas.counter import TICKET_GOOD_FOR_S, Ticket, TicketParts, parts_of
from schemas.problems import RefusalCode
from schemas.terminals import AgentKeyOf

DEADLINE_S: Final = 5.0
READ_LIMIT_S: Final = 60.0
"""How long a person may take for the card and its PIN."""
AGAIN_LIMIT_S: Final = 10.0
NEW_TICKET: Final = (
    "この端末チケットは使えません。使用済みか、1分を過ぎたか、全体が貼り付けられていません。"
    "端末のプログラムで新しいチケットを表示して、貼り付けてください。"
)
USE_TICKET: Final = """
INSERT INTO portal.ticket (ticket_hash, used_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1
"""
SWEEP_TICKETS: Final = "DELETE FROM portal.ticket WHERE used_at < $1"
TICKETS_KEPT: Final = timedelta(seconds=2 * TICKET_GOOD_FOR_S + 1)

_TICKET: Final[TypeAdapter[str]] = TypeAdapter(Ticket)


class VirtualCardForm(Form):
    """Of the demo."""

    card: Annotated[
        str, Input("カード", hint="デモ用の仮想のカードです。暗証番号は自動で入力されます。", kind="radios")
    ]


class TicketForm(Form):
    """At a terminal with an agent."""

    card: Annotated[
        str,
        Input(
            "端末チケット",
            hint="この端末のプログラムに表示された1行を貼り付けてください。1分以内に1回だけ使えます。",
        ),
    ]


class CardRead(NamedTuple):
    """A card that has proven itself; `citizen_id` is None where it has no MyKey ID."""

    proof_id: UUID
    citizen_id: UUID | None
    card_id: UUID | None
    insertion: UUID
    expires_on: date | None


class CardPlace(NamedTuple):
    """Where a card is read, and for which operation."""

    terminal_id: str
    operation_id: UUID


class Cards:
    """One for the process."""

    def __init__(self, bus: Bus, database: Database, own_url: str, demo: Path | None) -> None:
        self._bus = bus
        self._database = database
        self._origin = own_url
        self._demo = demo

    def blank(self, request: web.Request, once: UUID | str = "") -> FormView:
        """The form that asks where the card is."""
        if self._demo is None:
            return blank(request, TicketForm, once=once)
        return blank(request, VirtualCardForm, choices=self._choices(), once=once)

    async def terminal_of(self, request: web.Request) -> tuple[Filled[TicketForm] | Filled[VirtualCardForm], str]:
        """The form that was sent, and the terminal; empty where the form has to be shown again."""
        if self._demo is not None:
            chosen = filled(request, VirtualCardForm, self._choices())
            return chosen, chosen.value.card if chosen.value else ""
        typed = filled(request, TicketForm)
        if typed.value is None:
            return typed, ""
        terminal_id = await self._opened(typed.value.card)
        typed.forget("card")
        if not terminal_id:
            typed.refuse("card", _(NEW_TICKET))
        return typed, terminal_id

    async def read(self, request: web.Request, place: CardPlace, purpose: str) -> CardRead:
        """Have the card in the reader prove itself by its PIN, as long as the browser waits for that.

        Raises RefusedError with the reason; ConnectionResetError where the browser is gone.
        """
        return await while_there(request, self._read_or_release(place, purpose))

    async def read_again(self, place: CardPlace, purpose: str, insertion: UUID) -> CardRead:
        """Have the very card prove itself that is held, which asks for no PIN. Raises RefusedError."""
        return await self._read(
            ReadCard(
                terminal_id=place.terminal_id,
                operation_id=place.operation_id,
                purpose=purpose,
                again=insertion,
                limit_s=AGAIN_LIMIT_S,
            )
        )

    async def read_anew(self, request: web.Request, place: CardPlace, purpose: str, card_id: UUID | None) -> CardRead:
        """Have the very card that was read before prove itself once more by its PIN. Raises as `read` does."""
        try:
            card = await self.read(request, place, purpose)
        except RefusedError as refused:
            is_out = refused.code in {RefusalCode.no_card, RefusalCode.card_removed}
            raise RefusedError(RefusalCode.same_card_needed if is_out else refused.code) from refused
        if card_id is None or card.card_id != card_id:
            await self.release(place)
            raise RefusedError(RefusalCode.same_card_needed)
        return card

    async def release(self, place: CardPlace) -> None:
        """The operation is over: the card forgets its PIN. Where the terminal is away it has done so by itself."""
        ask = ReleaseCard(terminal_id=place.terminal_id, operation_id=place.operation_id)
        with suppress(TransientError):
            await self._bus.call(ask, ask.deadline_s)

    async def _read_or_release(self, place: CardPlace, purpose: str) -> CardRead:
        ask = ReadCard(
            terminal_id=place.terminal_id, operation_id=place.operation_id, purpose=purpose, limit_s=READ_LIMIT_S
        )
        try:
            return await self._read(ask)
        except asyncio.CancelledError:
            # The terminal may be another process's, which does not hear that nobody waits any more.
            await self.release(place)
            raise

    async def _read(self, ask: ReadCard) -> CardRead:
        answer = await self._bus.call(ask, ask.deadline_s)
        if answer.proof is None:
            raise RefusedError(answer.reason)
        proven = await self._bus.call(ProveCard(proof=answer.proof), DEADLINE_S)
        if proven.code is not None:
            raise RefusedError(proven.code)
        return CardRead(
            answer.proof.job_id, proven.citizen_id, proven.card_id, answer.proof.insertion, proven.expires_on
        )

    def _choices(self) -> dict[str, list[Option]]:
        offer = demo_file.read(self._demo)
        cards = [
            Option(
                one.terminal_id,
                _("新しいカード %(number)s") % {"number": one.number},
                _("マイキーIDはまだありません。"),
            )
            for one in offer.cards
        ]
        people = [Option(one.card, one.name, _("マイキーID %(id)s") % {"id": one.mykey_id}) for one in offer.people]
        return {"card": [*cards, *people]}

    async def _opened(self, typed: str) -> str:
        """The terminal that a ticket speaks for; empty for one that opens nothing."""
        try:
            ticket = _TICKET.validate_python(narrow(typed))
        except ValidationError:
            return ""
        parts = parts_of(ticket)
        found = await self._bus.call(AgentKeyOf(terminal_id=parts.terminal_id), DEADLINE_S)
        if found.public_key is None or found.suspended or not self._is_signed(parts, found.public_key):
            return ""
        async with self._database.transaction() as tx:
            await tx.execute(SWEEP_TICKETS, tx.now - TICKETS_KEPT)
            is_fresh = abs(tx.now.timestamp() - parts.at_s) <= TICKET_GOOD_FOR_S
            is_new = await tx.fetch_value(USE_TICKET, sha256(ticket.encode()).digest(), tx.now)
        return parts.terminal_id if is_fresh and is_new else ""

    def _is_signed(self, parts: TicketParts, public_key: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(parts.signature, parts.text(self._origin))
        except InvalidSignature:
            return False
        return True
