"""Municipalities, their schemes and their support events, the offices that look after them (mission I.1, I.2)."""

from datetime import date, datetime
from typing import Annotated, ClassVar
from unicodedata import normalize
from uuid import UUID

from pydantic import BeforeValidator, StringConstraints

from schemas.bank_accounts import BankAccount
from schemas.message import Answered, Command, Event, OldVersion, Query, Said
from schemas.values import (
    NO_ORIGIN,
    ExpiryRule,
    LgCode,
    MailAddress,
    Name,
    PhoneNumber,
    Pool,
    Revision,
    narrowed_digits,
)


def _narrow(value: object) -> object:
    return normalize("NFKC", value) if isinstance(value, str) else value


Postcode = Annotated[str, BeforeValidator(narrowed_digits), StringConstraints(strict=True, pattern=r"^[0-9]{7}$")]
"""Seven digits; width and the hyphen make no difference."""


class Registered(Said):
    """Whether something was registered, or why not (`code` of schemas.problems)."""

    id: UUID = NO_ORIGIN
    code: str | None = None


class Scheme(Said):
    """A municipality's points: one scheme per municipality."""

    lg_code: LgCode
    municipality: str
    point_name: str
    expiry_rule: ExpiryRule


def lg_key(lg_code: str) -> UUID:
    """The ordering key of what is said about a municipality."""
    return UUID(int=int(lg_code))


class MunicipalOffice(Said):
    """Who looks after a scheme or an event (画面4, 5): personal data."""

    section: Name
    contact_name: Name
    postcode: Postcode
    address: Name
    phone: Annotated[PhoneNumber, BeforeValidator(_narrow)]
    mail: MailAddress


class RegisterScheme(Command, Answered[Registered]):
    """自治体ポイント設定 (画面2–4): a municipality opens its scheme, or changes its name, rule, office or account.

    `account` is where partners pay what they owe. What is None stays as it was.
    """

    TYPE: ClassVar[str] = "jp.mykey.municipalities.register-scheme.v2"
    PERSONAL: ClassVar[bool] = True
    lg_code: LgCode
    point_name: Name
    expiry_rule: ExpiryRule
    office: MunicipalOffice | None = None
    account: BankAccount | None = None

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class RegisterSchemeV1(OldVersion):
    """It told neither office nor account, and so nothing personal."""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.register-scheme.v1"
    NEWER: ClassVar[type[RegisterScheme]] = RegisterScheme
    lg_code: LgCode
    point_name: Name
    expiry_rule: ExpiryRule

    def newer(self) -> RegisterScheme:
        """The same, of an office unknown."""
        return RegisterScheme(**self.model_dump())


class SchemeRegistered(Event):
    """A scheme is open for points."""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.scheme-registered.v1"
    lg_code: LgCode
    municipality: str
    point_name: str
    expiry_rule: ExpiryRule
    revision: Revision = 0

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class RegisterSupportEvent(Command, Answered[Registered]):
    """特定支援イベント (画面5) of a municipality or prefecture, with its service period, inclusive.

    `usable_in` are the municipalities of the prefecture that a prefecture's event names. Of an event that there is
    already, office and account may be told anew; `account` counts only where it differs from its municipality's scheme.
    """

    TYPE: ClassVar[str] = "jp.mykey.municipalities.register-support-event.v2"
    PERSONAL: ClassVar[bool] = True
    event_id: UUID
    lg_code: LgCode
    point_name: Name
    first: date
    last: date
    usable_in: tuple[LgCode, ...] = ()
    office: MunicipalOffice | None = None
    account: BankAccount | None = None

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class RegisterSupportEventV1(OldVersion):
    """It told neither office nor account, and so nothing personal."""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.register-support-event.v1"
    NEWER: ClassVar[type[RegisterSupportEvent]] = RegisterSupportEvent
    event_id: UUID
    lg_code: LgCode
    point_name: Name
    first: date
    last: date
    usable_in: tuple[LgCode, ...] = ()

    def newer(self) -> RegisterSupportEvent:
        """The same, of an office unknown."""
        return RegisterSupportEvent(**self.model_dump())


class SupportEventRegistered(Event):
    """An event is open for points during its service period."""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.support-event-registered.v1"
    event_id: UUID
    lg_code: LgCode
    point_name: str
    first: date
    last: date
    usable_in: tuple[LgCode, ...]

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class Schemes(Said):
    """All schemes, by lg_code."""

    schemes: list[Scheme]


class SchemesOf(Query, Answered[Schemes]):
    """Which municipalities have a scheme; of one prefecture where `prefecture` is its lg_code?"""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.schemes-of.v1"
    prefecture: LgCode | None = None

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class SupportEvent(Said):
    """An event as citizens see it. `holder` is the municipality or prefecture that holds it."""

    event_id: UUID
    lg_code: LgCode
    holder: str
    point_name: str
    first: date
    last: date
    usable_in: tuple[LgCode, ...]


class SupportEvents(Said):
    """By holder and period."""

    support_events: list[SupportEvent]


class SupportEventsOf(Query, Answered[SupportEvents]):
    """Which events have not ended on `day` (画面46–51); those held in one prefecture where it is named?

    Its own and those of its municipalities. Without `day`, all there ever were: their points may still be in a history.
    """

    TYPE: ClassVar[str] = "jp.mykey.municipalities.support-events-of.v1"
    prefecture: LgCode | None = None
    day: date | None = None

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class PoolName(Said):
    """What people call a pool's points, and whose they are."""

    pool: Pool
    name: str
    holder: str


class PoolNames(Said):
    """Those that are known; reserve has no name of its own."""

    pools: list[PoolName]


class PoolNamesOf(Query, Answered[PoolNames]):
    """What are these points called?"""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.pool-names-of.v1"
    pools: list[Pool]

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class Prefecture(Said):
    """A prefecture, how many of its municipalities have a scheme, and how many events it and they hold or will."""

    lg_code: LgCode
    name: str
    schemes: int
    support_events: int


class Prefectures(Said):
    """All 47, by lg_code."""

    prefectures: list[Prefecture]


class PrefecturesOf(Query, Answered[Prefectures]):
    """What is there to choose from in which prefecture, as of that day (画面16, 41, 46, 61)?"""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.prefectures-of.v1"
    day: date

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class OfficeView(Said):
    """Who looks after the points of `pool`, and where their money goes; None is what nobody has told.

    An event without an account of its own is paid to its municipality's scheme.
    """

    pool: Pool
    point_name: str
    office: MunicipalOffice | None
    account: BankAccount | None
    changed_at: datetime


class MunicipalOffices(Said):
    """The scheme's first, then the events', by period; those of which anything was told."""

    offices: list[OfficeView]


class MunicipalOfficesOf(Query, Answered[MunicipalOffices]):
    """Which offices and bank accounts has this municipality or prefecture told? For operators."""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.offices-of.v1"
    lg_code: LgCode

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)
