"""What is asked and answered at this door, as it stands in the API's document."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from schemas.links import About, PageUrl
from schemas.offers import OfferId
from schemas.parties import KeyAlgorithm, PartyKind
from schemas.problems import Refusal
from schemas.values import LgCode, LinkId, Name

DAYS_LIMIT: Final = 1_000
TIMES_LIMIT: Final = 100
RETRY_AFTER_LIMIT_S: Final = 60
DELAY_LIMIT_MS: Final = 30_000

PAGE_URL: Final = "https://party.example/"


class Body(BaseModel):
    """Frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _is_absent(value: object) -> bool:
    return value is None


class PartyToIssue(Body):
    """A partner, shop or fund to try things as. `page_url` is its own site: a shop's citizens come back only there."""

    kind: Literal[PartyKind.partner, PartyKind.shop, PartyKind.fund] = PartyKind.partner
    name: Name
    algorithm: KeyAlgorithm = KeyAlgorithm.ed25519
    page_url: PageUrl = PAGE_URL


class KeyToIssue(Body):
    """Another key, to practise a change of keys."""

    algorithm: KeyAlgorithm = KeyAlgorithm.ed25519


class IssuedKey(Body):
    """Shown this once: an Ed25519 private key in PEM (PKCS #8), or an HMAC-SHA256 secret in hexadecimal."""

    key_id: str
    algorithm: KeyAlgorithm
    private_key: str | None = Field(None, exclude_if=_is_absent)
    secret: str | None = Field(None, exclude_if=_is_absent)


class SeededCitizen(Body):
    """Somebody made up, linked to you as `link_id`; `balances` are points by pool, now.

    On My Page (`/my`) the citizen logs in with the MyKey ID and the password.
    """

    link_id: LinkId
    mykey_id: str
    password: str
    balances: dict[str, int]


class Destination(Body):
    """Where points may go: `to` of a transfer, `pool` of an order. `last` is the event's last day."""

    to: str
    name: str
    last: date | None = Field(None, exclude_if=_is_absent)


class PartyState(Body):
    """You, your people, and the municipalities and the event that take points."""

    party_id: UUID
    kind: PartyKind
    name: str
    citizens: list[SeededCitizen]
    destinations: list[Destination]


class IssuedParty(PartyState):
    """Key and token are shown this once. The token opens `/api/sandbox`, the key signs everything else."""

    token: str
    key: IssuedKey


class CitizenToIssue(Body):
    """One more citizen, with no points, linked to you under this name."""

    link_id: LinkId


class ClockState(Body):
    """The time that the sandbox lives in, the day it is in Japan, and how far that is ahead of the machine's time.

    Signatures, webhooks and `Retry-After` go by the machine's time all the same.
    """

    now: datetime
    business_date: date
    ahead_s: int


class ClockMove(Body):
    """Forward, for everybody in this sandbox: by whole days, or to an instant. Time does not go back."""

    days: Annotated[int, Field(strict=True, ge=1, le=DAYS_LIMIT)] | None = None
    to: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if (self.days is None) == (self.to is None):
            raise ValueError("exactly one of days and to")
        return self


class FaultKind(StrEnum):
    """What the sandbox does wrong when it is told to."""

    too_many = "too_many"
    """429 with Retry-After; nothing was done."""
    busy = "busy"
    """503 with Retry-After; nothing was done."""
    slow = "slow"
    """The right answer, `delay_ms` later."""
    lost = "lost"
    """It is done, and 503 is answered all the same: whether it took effect is unknown to you."""
    cut = "cut"
    """It is done, and the connection is cut before the answer."""
    webhook_lost = "webhook_lost"
    """A webhook's try never arrives; it is tried again `retry_after_s` later."""
    webhook_doubled = "webhook_doubled"
    """A webhook comes twice, under the same `webhook-id`."""


class Fault(Body):
    """One failure, for your next `times` requests, or webhooks."""

    fault: FaultKind
    times: Annotated[int, Field(ge=1, le=TIMES_LIMIT)] = 1
    retry_after_s: Annotated[int, Field(ge=1, le=RETRY_AFTER_LIMIT_S)] = 1
    delay_ms: Annotated[int, Field(ge=0, le=DELAY_LIMIT_MS)] = 1_000


class Faults(Body):
    """What is still to go wrong, in this order; `times` are those that are left."""

    faults: list[Fault]


class SignatureExplained(Body):
    """Why a signature was not accepted: the part that it failed at, and the text that we checked it against.

    Compare `base` with what you have signed, line by line; it is null where the headers could not be read that far.
    """

    part: str
    base: str | None


class SeenRequest(Body):
    """A request to `/api/partner` or `/api/checkout`; no body, no query and no header is kept.

    `at` is the machine's time. `code` and `detail` are those of the problem that was answered, `fault` is what you had
    ordered. `key_id` is the one that the request named, proven or not.
    """

    request_id: UUID
    at: datetime
    method: str
    path: str
    status: int
    took_ms: float
    key_id: str | None = Field(None, exclude_if=_is_absent)
    code: str | None = Field(None, exclude_if=_is_absent)
    detail: str | None = Field(None, exclude_if=_is_absent)
    signature: SignatureExplained | None = Field(None, exclude_if=_is_absent)
    fault: FaultKind | None = Field(None, exclude_if=_is_absent)


class SeenRequests(Body):
    """The latest first."""

    requests: list[SeenRequest]


class OfferDecision(Body):
    """What the office of a municipality would do: approve an offer of yours, or send it back with a comment."""

    offer_id: OfferId
    lg_code: LgCode
    approve: bool = True
    comment: About = ""


class Done(Body):
    """`refusal` says why it was not done."""

    refusal: Refusal | None = Field(None, exclude_if=_is_absent)
