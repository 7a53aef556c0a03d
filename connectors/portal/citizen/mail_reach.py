"""Whether mails reach the citizen's address, for the pages that say where they do not."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog

from hub.bus import Bus
from hub.errors import TransientError
from schemas.notices import MailAddressStateOf

DEADLINE_S: Final = 0.5
REST_S: Final = 30.0
"""Where no answer came, nobody asks for so long: a page without this is better than one that is slow each time."""

log = structlog.get_logger()


class MailReach:
    """Asks the mail connector, and does without its answer."""

    def __init__(self, bus: Bus, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._asks_from_s = float("-inf")

    async def is_bounced(self, citizen_id: UUID) -> bool:
        """False too where nobody knows."""
        if self._monotonic() < self._asks_from_s:
            return False
        try:
            return not (await self._bus.call(MailAddressStateOf(citizen_id=citizen_id), DEADLINE_S)).is_reached
        except TransientError as error:
            self._asks_from_s = self._monotonic() + REST_S
            log.info("mail_state_unknown", reason=type(error).__name__)
            return False
