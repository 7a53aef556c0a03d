"""Municipalities, their schemes and their support events (mission I.1, I.2)."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.message import Answered, Command, Event, Query, Said
from schemas.values import NO_ORIGIN, ExpiryRule, LgCode, Name, Pool, Revision


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


class RegisterScheme(Command, Answered[Registered]):
    """自治体ポイント設定 (画面2–4): a municipality opens its scheme, or changes its name or rule."""

    TYPE: ClassVar[str] = "jp.mykey.municipalities.register-scheme.v1"
    lg_code: LgCode
    point_name: Name
    expiry_rule: ExpiryRule

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


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

    `usable_in` are the municipalities of the prefecture that a prefecture's event names.
    """

    TYPE: ClassVar[str] = "jp.mykey.municipalities.register-support-event.v1"
    event_id: UUID
    lg_code: LgCode
    point_name: Name
    first: date
    last: date
    usable_in: tuple[LgCode, ...] = ()

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


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
