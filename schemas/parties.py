"""Partners and other parties outside: who they are and the keys they sign with."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.message import Answered, Command, Event, Query, Said
from schemas.municipalities import Registered
from schemas.values import NO_ORIGIN, LinkId, Name


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
    """A key to verify with; `party_id` is None where there is no such key."""

    party_id: UUID | None = None
    kind: PartyKind | None = None
    algorithm: KeyAlgorithm | None = None
    key_bytes: bytes = b""


class PartyKeyNames(Said):
    """A party and the names of its keys, by name; `kind` is None where there is no party."""

    kind: PartyKind | None = None
    name: str = ""
    keys: Mapping[str, KeyAlgorithm] = Field(default_factory=dict)


class PartyKeysOf(Query, Answered[PartyKeyNames]):
    """Which keys may this party sign with?"""

    TYPE: ClassVar[str] = "jp.mykey.parties.keys-of.v1"
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
