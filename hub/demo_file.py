"""What the demo offers on the portal's front page: people to log in as, and virtual cards to choose from.

The demo writes the file once its world is open; MYKEY_DEMO_FILE names it. Where that is not set there is no demo mode.
"""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from schemas.values import TerminalId

LIMIT_BYTES: Final = 64 * 1024


class DemoPerson(BaseModel):
    """Somebody made up who has a MyKey ID. `card` is the terminal in whose reader this person's virtual card is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    mykey_id: str
    password: str
    card: TerminalId
    about: str
    """What to try as this person."""


class DemoCard(BaseModel):
    """A virtual card, which is always in the reader of a terminal of its own, with its PIN typed by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    terminal_id: TerminalId
    number: int
    """By which people tell it from the others."""


class DemoOffer(BaseModel):
    """All of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: tuple[DemoPerson, ...] = ()
    cards: tuple[DemoCard, ...] = ()
    mails: str = ""
    """Where the mails that the demo sends can be read."""


NOTHING: Final = DemoOffer()
_OFFER: Final = TypeAdapter(DemoOffer)


def read(file: Path | None) -> DemoOffer:
    """What there is by now: nothing where there is no demo, or its world is not open yet."""
    if file is None or not file.is_file():
        return NOTHING
    with file.open("rb") as opened:
        content = opened.read(LIMIT_BYTES)
    try:
        return _OFFER.validate_json(content)
    except ValidationError:
        return NOTHING


def write(file: Path, offer: DemoOffer) -> None:
    """Whole, or not at all; readable by us alone, as the passwords in it are."""
    work = file.with_suffix(".new")
    work.touch(mode=0o600)
    work.write_text(offer.model_dump_json(indent=1), encoding="utf-8")
    work.replace(file)
