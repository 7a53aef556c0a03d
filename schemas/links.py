"""What a citizen sees of partners, shops and funds: who they are (画面40, 57), and which of them are linked."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.message import Answered, Command, Event, Query, Said
from schemas.municipalities import Registered
from schemas.parties import PartyKind
from schemas.values import NO_ORIGIN, LinkId

LOGO_LIMIT_BYTES: Final = 32 * 1024
PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n"

PageUrl = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=500,
        pattern=r"^https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[\x21\x23-\x3b\x3d\x3f-\x7e]*)?$",
    ),
]
"""An outside web page: an address as browsers take it, with nothing that would have to be escaped."""
About = Annotated[str, StringConstraints(strict=True, max_length=200, pattern=r"^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$")]


class Linkage(StrEnum):
    """The two ways in which a partner moves points in (ID連携方式, クーポン連携方式)."""

    id_link = "id_link"
    coupon = "coupon"


class PresentParty(Command, Answered[Registered]):
    """How a party is shown to citizens: its linkage, its own page, a line about it, its logo (PNG, or none).

    The last word counts. Refused `unknown_party`.
    """

    TYPE: ClassVar[str] = "jp.mykey.links.present-party.v1"
    party_id: UUID
    linkage: Linkage
    page_url: PageUrl
    about: About = ""
    asks_coupons: bool = False
    """Whether the partner answers online for coupons that it has not registered."""
    logo: Annotated[bytes, Field(max_length=LOGO_LIMIT_BYTES)] = b""

    def key(self) -> UUID:
        """The party."""
        return self.party_id

    @model_validator(mode="after")
    def _has_a_png(self) -> Self:
        if self.logo and not self.logo.startswith(PNG_HEAD):
            raise ValueError("a logo is a PNG")
        return self


class PartyView(Said):
    """A party as citizens see it. `linkage` is None for one that has not been presented yet."""

    party_id: UUID
    kind: PartyKind
    name: str
    linkage: Linkage | None
    page_url: str
    about: str
    has_logo: bool
    asks_coupons: bool = False


class Parties(Said):
    """By name."""

    parties: list[PartyView]


class PartiesOf(Query, Answered[Parties]):
    """Which partners, shops and funds are there (画面40, 57)? Of these kinds, or these very parties."""

    TYPE: ClassVar[str] = "jp.mykey.links.parties-of.v1"
    kinds: tuple[PartyKind, ...] | None = None
    party_ids: tuple[UUID, ...] | None = None

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class Logo(Said):
    """A PNG; empty where there is none."""

    png: bytes = b""


class LogoOf(Query, Answered[Logo]):
    """What is this party's logo?"""

    TYPE: ClassVar[str] = "jp.mykey.links.logo-of.v1"
    party_id: UUID

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class Link(Said):
    """A citizen is linked to this party since then. The party's own name for the citizen is not told."""

    party_id: UUID
    kind: PartyKind
    name: str
    linked_at: datetime


class Links(Said):
    """The latest first."""

    links: list[Link]


class LinksOf(Query, Answered[Links]):
    """To which partners, shops and funds is this citizen linked (画面57)?"""

    TYPE: ClassVar[str] = "jp.mykey.links.of-citizen.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class UnlinkCitizen(Command, Answered[Registered]):
    """The citizen ends the link to a party: its transfers find nobody from then on.

    Done too where there is no such link. Refused `unknown_citizen`.
    """

    TYPE: ClassVar[str] = "jp.mykey.links.unlink.v1"
    citizen_id: UUID
    party_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class CitizenUnlinked(Event):
    """A citizen is no longer linked to this party since then, which knew the citizen by `link_id`."""

    TYPE: ClassVar[str] = "jp.mykey.links.unlinked.v1"
    citizen_id: UUID
    party_id: UUID
    link_id: LinkId | None = None
    ended_at: AwareDatetime | None = None

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id
