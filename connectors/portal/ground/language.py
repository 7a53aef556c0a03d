"""The language that this request is answered in: Japanese is the source text, English has a catalogue, `texts/en.po`.

Texts are marked by `_()` where they are shown, never where a module or an object is made: then nobody asks yet. A text
without an entry is shown in Japanese; a test finds it.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Final

from babel.messages.pofile import read_po

from connectors.portal.ground.frame import JAPANESE, Language

LANGUAGE: Final[ContextVar[Language]] = ContextVar("portal_language", default=JAPANESE)
ENGLISH: Final = Path(__file__).parent / "texts" / "en.po"


def gettext(text: str) -> str:
    """The text in the language of the request."""
    return text if LANGUAGE.get() == JAPANESE else english().get(text, text)


def ngettext(one: str, many: str, count: int) -> str:
    """The text for so many, in the language of the request."""
    return gettext(one if count == 1 else many)


@cache
def english() -> Mapping[str, str]:
    """Japanese text → English text."""
    with ENGLISH.open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file) if one.id and one.string}


_: Final = gettext
