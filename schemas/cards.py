"""Cards: how a My Number Card proves itself, and what came of it (facts of JPKI's user-authentication certificate)."""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import StringConstraints

from schemas.message import Answered, Command, Event, Said
from schemas.municipalities import Registered
from schemas.uplink import Certificate, Nonce, Purpose, Signature
from schemas.values import TerminalId

HubOrigin = Annotated[str, StringConstraints(strict=True, min_length=8, max_length=200)]
SignatureSerial = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{2,40}$")]
"""The signature certificate's serial number, in lower-case hexadecimal."""
How = Literal["pin", "tap"]
"""`pin`: the card has signed, so it was there, and its PIN was known. `tap`: a certificate was read, which proves
nothing about who holds it: good only face to face at a registered terminal."""


class CardProof(Said):
    """What a terminal's agent brought back of one card job, with all that the card's signature was made over."""

    job_id: UUID
    purpose: Purpose
    terminal_id: TerminalId
    hub_origin: HubOrigin
    nonce: Nonce
    how: How
    certificate: Certificate
    """The user-authentication certificate, DER."""
    signature: Signature | None = None
    """Over `schemas.uplink.card_text`; None for a tap."""
    insertion: UUID
    signature_serial: SignatureSerial | None = None


class ProvenCard(Said):
    """What a card is known as; `code` says why it proves nothing (schemas.problems).

    `citizen_id` is None where the card has no MyKey ID. `updated`: a reissued card was recognised, and the citizen's
    history goes on with it. `signature_due`: the citizen chose address-change notice, and the signature certificate
    that is kept belongs to an older card: the next job should read it (`address_change`).
    """

    code: str | None = None
    citizen_id: UUID | None = None
    card_id: UUID | None = None
    how: How | None = None
    expires_on: date | None = None
    updated: bool = False
    signature_due: bool = False


class ProveCard(Command, Answered[ProvenCard]):
    """Verify a card job's result and say whose card it is. The job was consumed already by whoever made it.

    What it proves is kept under the job's id for five minutes; a command that needs a card names that id as `proof_id`,
    and it is good for one such command, of this purpose. The same asked again gets the same answer.
    """

    TYPE: ClassVar[str] = "jp.mykey.cards.prove.v1"
    PERSONAL: ClassVar[bool] = True
    proof: CardProof

    def key(self) -> UUID:
        """The job."""
        return self.proof.job_id


class CardRenewed(Event):
    """A citizen's card was reissued, and used for the first time since; the registry's history goes on with it."""

    TYPE: ClassVar[str] = "jp.mykey.cards.renewed.v1"
    citizen_id: UUID
    card_id: UUID
    expires_on: date

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class ChooseAddressNotice(Command, Answered[Registered]):
    """Address-change notice is wanted (画面22), or no longer: the signature certificate's serial is kept for it alone.

    With `wanted`, `proof_id` names a card job of this citizen that has read the signature certificate too; it is not
    used up by this, so that the service ID is registered with the same one after it.
    """

    TYPE: ClassVar[str] = "jp.mykey.cards.choose-address-notice.v1"
    citizen_id: UUID
    wanted: bool
    proof_id: UUID | None = None

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id
