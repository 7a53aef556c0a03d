"""Service IDs: the issuers of card numbers, and which citizen has which number (mission I.3, II.9–10, III.15)."""

from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic_core import SchemaError

from schemas.card_numbers import (
    TYPED_LIMIT_CHARACTERS,
    CheckDigit,
    StartStop,
    has_check_digit,
    normalised,
    without_start_stop,
)
from schemas.citizens import FoundCitizen
from schemas.message import Answered, Command, Event, Query, Said
from schemas.municipalities import Registered
from schemas.values import NO_ORIGIN, IssuerId, LgCode, Name, TerminalId

PATTERNS_KEPT_LIMIT: Final = 256
CLOSE_LIMIT_S: Final = 180
"""Two citizens linked at one terminal within this time may be one citizen who was not logged out (mission §3)."""

TypedNumber = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=TYPED_LIMIT_CHARACTERS)]
"""A card's number as it was typed or read: `Issuer.number_of` makes the one number of it."""
CertificateSerial = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{2,40}$")]


@lru_cache(PATTERNS_KEPT_LIMIT)
def _compiled(pattern: str) -> "TypeAdapter[str]":
    # pydantic's own expressions take linear time, whatever the pattern; those of `re` may take for ever.
    TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])  # by itself: a lone bracket could undo the anchors
    return TypeAdapter(Annotated[str, StringConstraints(pattern=f"^(?:{pattern})$")])


def _checked_pattern(pattern: str) -> str:
    try:
        _compiled(pattern)
    except SchemaError as error:
        raise ValueError("not a regular expression") from error
    return pattern


NumberPattern = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(_checked_pattern)
]
"""A regular expression that the whole number has to match, such as `[0-9]{10}`."""


class IssuerKind(StrEnum):
    """Who issues card numbers."""

    library = "library"
    street = "street"


class Notification(Said):
    """How a number reaches the issuer's own program at the counter (番号通知方式); see `schemas.uplink.NotifyJob`."""

    method: Literal["keyboard", "clipboard", "file", "url"] = "keyboard"
    prefix: Annotated[str, StringConstraints(max_length=16)] = ""
    suffix: Annotated[str, StringConstraints(max_length=16)] = ""
    enter: bool = True
    clear_after_s: Annotated[int, Field(ge=1, le=300)] = 20
    target: Annotated[str, StringConstraints(max_length=500)] = ""
    """`file`: the file's name in the agent's folder; `url`: with `{number}`."""

    @model_validator(mode="after")
    def _has_its_target(self) -> Self:
        is_name = bool(self.target) and not {"/", "\\", "\0"} & set(self.target) and self.target not in {".", ".."}
        if self.method == "file" and not is_name:
            raise ValueError("a file's target is its name, without a folder")
        if self.method == "url" and "{number}" not in self.target:
            raise ValueError("a url's target has {number} in it")
        return self


class Issuer(Said):
    """A library or shopping street that issues card numbers (ID付与事業者).

    `pattern` is what its numbers look like once `start_stop` is done; `sip2`: whether its library system is asked.
    """

    issuer_id: IssuerId
    name: Name
    kind: IssuerKind
    lg_code: LgCode
    pattern: NumberPattern
    start_stop: StartStop = StartStop.cut
    check_digit: CheckDigit = CheckDigit.none
    notification: Notification = Notification()
    sip2: bool = False

    def number_of(self, typed: str) -> str | None:
        """The one number that was typed or read, or None where it is none of this issuer's."""
        number = normalised(typed)
        if number is not None and self.start_stop is StartStop.cut:
            number = without_start_stop(number)
        if number is None or not has_check_digit(number, self.check_digit):
            return None
        try:
            return _compiled(self.pattern).validate_python(number)
        except ValidationError:
            return None


def issuer_key(issuer_id: str) -> UUID:
    """The ordering key of what is said about an issuer."""
    return UUID(int=int(issuer_id))


class RegisterIssuer(Command, Answered[Registered]):
    """The ministry takes an issuer in, or changes its name, pattern, check digit, notification or SIP2."""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.register-issuer.v1"
    issuer: Issuer

    def key(self) -> UUID:
        """The issuer."""
        return issuer_key(self.issuer.issuer_id)


class Issuers(Said):
    """Issuers by their ids."""

    issuers: list[Issuer]


class IssuersOf(Query, Answered[Issuers]):
    """Which issuers are there; of one municipality, of one kind, or these?"""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.issuers-of.v1"
    lg_code: LgCode | None = None
    kind: IssuerKind | None = None
    issuer_ids: list[IssuerId] | None = None

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


# ------------------------------------------------------------------------------------------------- service IDs


class LibraryWord(StrEnum):
    """What the library system says of a number."""

    known = "known"
    unknown = "unknown"
    not_asked = "not_asked"
    """It was not reached in time, or there is nobody to ask."""


class ServiceIdState(StrEnum):
    """What is known of a number that is registered."""

    not_checked = "not_checked"
    """Its issuer has no system that can be asked."""
    unconfirmed = "unconfirmed"
    """The library was not reached; it will be asked."""
    confirmed = "confirmed"
    doubted = "doubted"
    """The library does not know the number: somebody has to look at it."""


class ServiceIdAnswer(Said):
    """What is stored (画面24), or why not (`code` of schemas.problems).

    With `service_id_exists`, `number` is the citizen's present one: ask whether to replace it, then say `replaces`.
    """

    code: str | None = None
    issuer_name: str = ""
    number: str = ""
    state: ServiceIdState | None = None


class RegisterServiceId(Command, Answered[ServiceIdAnswer]):
    """「登録」 (画面22–24): the clerk has checked the person by the existing card, the citizen's card was read.

    `library` is what `PatronKnown` answered just before. `address_change_serial` is the serial number of the signature
    certificate, where the citizen wants address-change notice; without one, the same number again keeps the one that it
    has (`schemas.cards.ChooseAddressNotice` ends it). `replaces`: the citizen's other number of this issuer ends.
    """

    TYPE: ClassVar[str] = "jp.mykey.service-ids.register.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    issuer_id: IssuerId
    number: TypedNumber
    terminal_id: TerminalId
    operation_id: UUID
    library: LibraryWord = LibraryWord.not_asked
    address_change_serial: CertificateSerial | None = None
    replaces: bool = False

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class ServiceIdRegistered(Event):
    """A citizen was linked to a number; `entry_id` is this link's own."""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.registered.v1"
    entry_id: UUID
    citizen_id: UUID
    issuer_id: IssuerId
    terminal_id: TerminalId
    operation_id: UUID
    state: ServiceIdState

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class RemoveServiceId(Command, Answered[Registered]):
    """The citizen's number of this issuer ends; its history stays. `terminal_id` is None where no terminal was used."""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.remove.v1"
    citizen_id: UUID
    issuer_id: IssuerId
    terminal_id: TerminalId | None = None
    operation_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class Ending(StrEnum):
    """Why a link ended."""

    removed = "removed"
    replaced = "replaced"
    revoked = "revoked"


class ServiceIdRemoved(Event):
    """A link ended; a citizen whose number was replaced has another one already."""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.removed.v1"
    entry_id: UUID
    citizen_id: UUID
    issuer_id: IssuerId
    ending: Ending

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class _Checked(Event):
    """The library was asked of a link that was registered while it could not be."""

    entry_id: UUID
    citizen_id: UUID
    issuer_id: IssuerId

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class ServiceIdConfirmed(_Checked):
    """The library knows the number."""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.confirmed.v1"


class ServiceIdDoubted(_Checked):
    """The library does not know the number; the link stands until somebody has looked at it."""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.doubted.v1"


class ServiceId(Said):
    """A citizen's number of one issuer, as it is now (画面27, 58)."""

    issuer_id: IssuerId
    issuer_name: str
    kind: IssuerKind
    number: str
    state: ServiceIdState
    address_change: bool
    registered_at: datetime


class ServiceIds(Said):
    """By issuer."""

    service_ids: list[ServiceId]


class ServiceIdsOf(Query, Answered[ServiceIds]):
    """Which numbers does this citizen have (画面58)?"""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.of-citizen.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class FoundServiceId(Said):
    """`service_id` is None where the citizen has none of this issuer."""

    service_id: ServiceId | None = None


class ServiceIdOf(Query, Answered[FoundServiceId]):
    """「照会」 (画面25–27): which number does this citizen have at this issuer?"""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.of-citizen-at-issuer.v1"
    citizen_id: UUID
    issuer_id: IssuerId

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class CitizenBehindServiceId(Query, Answered[FoundCitizen]):
    """Whose number is this? From a street card to the MyKey ID (mission III.15)."""

    TYPE: ClassVar[str] = "jp.mykey.service-ids.citizen-behind.v1"
    PERSONAL: ClassVar[bool] = True
    issuer_id: IssuerId
    number: TypedNumber

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


# ---------------------------------------------------------------------------------------------------- a report


class Linking(Said):
    """One link as it was made."""

    citizen_id: UUID
    issuer_id: IssuerId
    operation_id: UUID
    linked_at: datetime


class CloseLinks(Said):
    """Two citizens linked one after the other at one terminal."""

    terminal_id: TerminalId
    first: Linking
    second: Linking


class LinkedClose(Said):
    """The oldest first; `more` where there are others that the answer has no room for: ask from the last day on."""

    pairs: list[CloseLinks]
    more: bool = False


class LinkedCloseTogether(Query, Answered[LinkedClose]):
    """Where were two citizens linked from one terminal within three minutes, in these days, both included?

    Of one municipality's terminals where `lg_code` is given. Links that have ended count too.
    """

    TYPE: ClassVar[str] = "jp.mykey.service-ids.linked-close-together.v1"
    first: date
    last: date
    lg_code: LgCode | None = None

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN
