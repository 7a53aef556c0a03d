"""Library systems: where they are, whether they know a number. Of loans nothing is asked, nothing is kept."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from schemas.message import Answered, Command, Query, Said
from schemas.municipalities import Registered
from schemas.service_ids import LibraryWord, issuer_key
from schemas.uplink import CardNumber
from schemas.values import NO_ORIGIN, IssuerId

Host = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
FieldText = Annotated[str, StringConstraints(strict=True, max_length=100, pattern=r"^[^|\p{C}]*$")]
"""What fits into a field of SIP2: no `|`, nothing invisible."""
Charset = Literal["utf-8", "cp932", "euc-jp", "iso-8859-1", "cp850", "ascii"]


class LibrarySite(Said):
    """A library system that speaks SIP2 2.00, asked for one issuer.

    `security`: `tls` with a certificate that is checked, or `none` inside a closed network. `charset` is what its texts
    and so its checksums are in. `institution` is AO, `location` CP, `terminal_password` AC; with an empty `login`
    nobody logs in. `checksums`: whether our requests carry them. `timeout_s` is for connecting, and for each answer.
    """

    issuer_id: IssuerId
    host: Host
    port: Annotated[int, Field(strict=True, ge=1, le=65_535)]
    security: Literal["none", "tls"] = "none"
    charset: Charset = "utf-8"
    institution: FieldText = ""
    location: FieldText = ""
    login: FieldText = Field(default="", repr=False)
    password: FieldText = Field(default="", repr=False)
    terminal_password: FieldText = Field(default="", repr=False)
    checksums: bool = True
    timeout_s: Annotated[float, Field(gt=0, le=10)] = 2.0

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        for text in (self.institution, self.location, self.login, self.password, self.terminal_password):
            try:
                text.encode(self.charset)
            except UnicodeEncodeError:
                # Not from the error: it would tell the text, which may be a password.
                raise ValueError("a text has a sign that the charset does not have") from None
        return self


class RegisterLibrarySite(Command, Answered[Registered]):
    """A library system is taken in, or its settings change; credentials are kept sealed."""

    TYPE: ClassVar[str] = "jp.mykey.libraries.register-site.v1"
    PERSONAL: ClassVar[bool] = True
    site: LibrarySite

    def key(self) -> UUID:
        """The issuer."""
        return issuer_key(self.site.issuer_id)


class LibrarySiteView(Said):
    """A library system without its credentials."""

    issuer_id: IssuerId
    host: str
    port: int
    security: str
    charset: str
    institution: str
    location: str
    checksums: bool
    timeout_s: float


class LibrarySites(Said):
    """By their issuers' ids."""

    sites: list[LibrarySiteView]


class LibrarySitesOf(Query, Answered[LibrarySites]):
    """Which library systems are registered?"""

    TYPE: ClassVar[str] = "jp.mykey.libraries.sites-of.v1"

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class NotAsked(StrEnum):
    """Why the library did not say anything."""

    no_site = "no_site"
    """Its system is not registered here."""
    down = "down"
    """It is not reached, does not let us in, or says that it is closed."""
    slow = "slow"
    not_understood = "not_understood"
    """Its answer does not tell; mostly its settings here are not right."""


class PatronWord(Said):
    """What the library says of the number; `reason` where it was not asked."""

    word: LibraryWord
    reason: NotAsked | None = None


class PatronKnown(Query, Answered[PatronWord]):
    """Does the library know this number? Asked at the counter: answered within five seconds, whatever happens."""

    TYPE: ClassVar[str] = "jp.mykey.libraries.patron-known.v1"
    PERSONAL: ClassVar[bool] = True
    issuer_id: IssuerId
    number: CardNumber
    """As `Issuer.number_of` gives it."""

    def key(self) -> UUID:
        """The issuer."""
        return issuer_key(self.issuer_id)


class ConfirmServiceId(Command):
    """Ask the library later, since it could not be asked when the link was made; it waits while the library is down."""

    TYPE: ClassVar[str] = "jp.mykey.libraries.confirm-service-id.v1"
    PERSONAL: ClassVar[bool] = True
    entry_id: UUID
    citizen_id: UUID
    issuer_id: IssuerId
    number: CardNumber

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id
