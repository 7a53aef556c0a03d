"""What belongs together: one id for a request and everything that comes of it."""

from contextvars import ContextVar
from typing import Final
from uuid import UUID

CORRELATION: Final[ContextVar[UUID | None]] = ContextVar("correlation", default=None)
"""The correlation id of what is being done here; a door sets it from its request id."""
