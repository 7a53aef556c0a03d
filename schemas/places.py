"""Places: where points are used and vouchers redeemed, and whom a municipality pays for it (画面85–88).

A place is a party of kind store. Where terminals were issued it is there by itself; a store without a terminal, whose
vouchers are redeemed by somebody on its behalf, is registered.
"""

from hashlib import sha256
from typing import ClassVar
from unicodedata import normalize
from uuid import UUID

from schemas.message import Answered, Command, Query, Said
from schemas.municipalities import Registered, lg_key
from schemas.values import LgCode, Name


def place_id_of(lg_code: str, name: str) -> UUID:
    """The one id of this place of the municipality: the terminals there have it in common, however it is spelt."""
    return UUID(bytes=sha256(f"{lg_code}\n{spelt(name)}".encode()).digest()[:16])


def spelt(name: str) -> str:
    """A place's name in one width, with single spaces between its words and none around them."""
    return " ".join(normalize("NFKC", name).split())


class RegisterPlace(Command, Answered[Registered]):
    """A store that has no terminal. The same again changes nothing. Refused `bad_code`."""

    TYPE: ClassVar[str] = "jp.mykey.places.register.v1"
    lg_code: LgCode
    name: Name

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)


class Place(Said):
    """A place of a municipality; `terminals` were issued for it."""

    place_id: UUID
    name: str
    terminals: int


class Places(Said):
    """By name."""

    places: list[Place]


class PlacesOf(Query, Answered[Places]):
    """Which places does this municipality have?"""

    TYPE: ClassVar[str] = "jp.mykey.places.of.v1"
    lg_code: LgCode

    def key(self) -> UUID:
        """The municipality."""
        return lg_key(self.lg_code)
