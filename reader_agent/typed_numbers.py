"""Numbers of street and library cards from a reader that types like a keyboard."""

import asyncio
import unicodedata
from typing import Final

from pydantic import TypeAdapter, ValidationError

from schemas.uplink import CardNumber

LINE_LIMIT_CHARACTERS: Final = 128
_NUMBER: Final[TypeAdapter[str]] = TypeAdapter(CardNumber)


class TypedNumbers:
    """Whoever hears the keyboard, the agent's page or a line reader, feeds it line by line.

    What is typed while nobody waits for it is forgotten: it belongs to nobody's operation.
    """

    def __init__(self) -> None:
        self._wanted: asyncio.Future[str] | None = None

    def feed(self, line: str) -> bool:
        """Take a line as it was typed, Enter or none at its end. Returns whether it was a number that is waited for."""
        number = number_of(line)
        if number is None or self._wanted is None or self._wanted.done():
            return False
        self._wanted.set_result(number)
        return True

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a number now."""
        return self._wanted is not None

    async def next_number(self) -> str:
        """The next number that is typed from now on; one waits at a time."""
        self._wanted = asyncio.get_running_loop().create_future()
        try:
            return await self._wanted
        finally:
            self._wanted = None


def number_of(line: str) -> str | None:
    """The number in a typed line, None if it holds none. An input method may have made its characters full-width."""
    if len(line) > LINE_LIMIT_CHARACTERS:
        return None
    try:
        return _NUMBER.validate_python(unicodedata.normalize("NFKC", line).strip())
    except ValidationError:
        return None
