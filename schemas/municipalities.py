"""Municipalities, their schemes and their support events (mission I.1, I.2)."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.message import Answered, Command, Event, Query, Said
from schemas.values import NO_ORIGIN, ExpiryRule, LgCode, Name


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
