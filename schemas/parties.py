"""Partners and other parties outside: who they are and the keys they sign with."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.message import Answered, Command, Event, Query, Said
from schemas.municipalities import Registered
from schemas.values import NO_ORIGIN, LinkId, Name, Pool

POOLS_LIMIT: Final = 2_000


class PartyKind(StrEnum):
    """What a party is to us."""

    partner = "partner"
    store = "store"
    shop = "shop"
    fund = "fund"


class KeyAlgorithm(StrEnum):
    """How a party signs (RFC 9421 section 3.3)."""

    ed25519 = "ed25519"
    hmac_sha256 = "hmac-sha256"


class PartyLimits(Said):
    """What was agreed with one party; None is what holds for everybody (`hub.settings`, `MYKEY_PARTNER_…`).

    `pools` are where a partner's points may go, by transfer or coupon; None is anywhere.
    """

    requests_per_s: Annotated[float, Field(gt=0, le=100_000)] | None = None
    requests_at_once: Annotated[int, Field(ge=1, le=10_000)] | None = None
    rows_at_once: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    files_at_once: Annotated[int, Field(ge=1, le=100_000)] | None = None
    pools: Annotated[tuple[Pool, ...], Field(max_length=POOLS_LIMIT)] | None = None


NO_LIMITS: Final = PartyLimits()
"""Nothing was agreed: what holds for everybody."""


class RegisterParty(Command, Answered[Registered]):
    """A party is taken in; settings, no code."""

    TYPE: ClassVar[str] = "jp.mykey.parties.register.v1"
    party_id: UUID
    kind: PartyKind
    name: Name

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class RegisterPartyKey(Command, Answered[Registered]):
    """A key a party signs with: raw Ed25519 public key (32 bytes) or HMAC secret (32 to 128, kept sealed)."""

    TYPE: ClassVar[str] = "jp.mykey.parties.register-key.v1"
    PERSONAL: ClassVar[bool] = True
    party_id: UUID
    key_id: LinkId
    algorithm: KeyAlgorithm
    key_bytes: bytes

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class EndPartyKey(Command, Answered[Registered]):
    """From this moment on nothing is signed with the key; an end may be drawn nearer, never put off.

    The doors know of it within half a minute. Refused `no_party_key`.
    """

    TYPE: ClassVar[str] = "jp.mykey.parties.end-key.v1"
    party_id: UUID
    key_id: LinkId
    ends_at: AwareDatetime

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class LimitParty(Command, Answered[Registered]):
    """How much a party may ask for, and where its points may go. The last word counts, whole.

    The doors know of it within half a minute. Refused `unknown_party`.
    """

    TYPE: ClassVar[str] = "jp.mykey.parties.limit.v1"
    party_id: UUID
    limits: PartyLimits

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class PartyRegistered(Event):
    """A party was taken in."""

    TYPE: ClassVar[str] = "jp.mykey.parties.registered.v1"
    party_id: UUID
    kind: PartyKind
    name: str

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class PartyKey(Said):
    """A key to verify with, and its party's limits; `party_id` is None where there is no such key, or no longer."""

    party_id: UUID | None = None
    kind: PartyKind | None = None
    algorithm: KeyAlgorithm | None = None
    key_bytes: bytes = b""
    limits: PartyLimits = NO_LIMITS


class PartyKeyNames(Said):
    """A party and the names of its keys, by name; `kind` is None where there is no party.

    `ends`: when those keys end, or ended, that do.
    """

    kind: PartyKind | None = None
    name: str = ""
    keys: Mapping[str, KeyAlgorithm] = Field(default_factory=dict)
    ends: Mapping[str, datetime] = Field(default_factory=dict)


class PartyKeysOf(Query, Answered[PartyKeyNames]):
    """Which keys may this party sign with?"""

    TYPE: ClassVar[str] = "jp.mykey.parties.keys-of.v1"
    party_id: UUID

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class PartyLimitsOf(Query, Answered[PartyLimits]):
    """What was agreed with this party?"""

    TYPE: ClassVar[str] = "jp.mykey.parties.limits-of.v1"
    party_id: UUID

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class PartyKeyOf(Query, Answered[PartyKey]):
    """Whose key is this?"""

    TYPE: ClassVar[str] = "jp.mykey.parties.key-of.v1"
    key_id: str

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN
