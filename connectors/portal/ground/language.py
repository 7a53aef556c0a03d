"""The language that this request is answered in: Japanese is the source text, other languages have a catalogue."""

from contextvars import ContextVar
from typing import Final

from connectors.portal.ground.frame import JAPANESE, Language

LANGUAGE: Final[ContextVar[Language]] = ContextVar("portal_language", default=JAPANESE)


def gettext(text: str) -> str:
    """The text in the language of the request."""
    return text


def ngettext(one: str, many: str, count: int) -> str:
    """The text for so many, in the language of the request."""
    return one if count == 1 else many


_: Final = gettext
