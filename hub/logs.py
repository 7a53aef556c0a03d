"""Logs: one JSON object a line on standard error, for machines to search and people to read.

An event has a static name (`delivery_parked`) and ids, never objects, sentences or
personal data: `log.info("delivery_parked", delivery_id=…, receiver=…)`. Where somebody logs what they
should not, the value is dropped here. Every character outside ASCII and every control character is escaped
by JSON, so that nothing a stranger sends can forge a line or drive a terminal. A log that cannot be written
never stops the work.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from enum import Enum
from itertools import islice
from pathlib import PurePath
from types import TracebackType
from uuid import UUID

import structlog
from structlog.typing import EventDict, WrappedLogger

from hub.errors import HubError
from hub.tracing import TRACE

REFUSED = "[refused]"

# Refused as a whole key only: as a part of one they mean harmless things (`component_name`, `note_count`).
_REFUSED_KEYS = frozenset(
    {
        "address", "body", "bodies", "card", "citizen", "comment", "contact", "content", "coupon",
        "customer", "holder", "login", "name", "note", "participant", "payload", "person", "pin",
        "sex", "text",
    }
)  # fmt: skip
# Refused wherever a key ends in them (`new_password`, `citizen_mail`).
_REFUSED_ENDINGS = (
    "account_number", "authorization", "birth_date", "birthday", "cookie", "coupon_code",
    "coupon_number", "customer_number", "email", "first_name", "full_name", "headers",
    "holder_name", "kana", "last_name", "mail", "mail_address", "my_number", "mykey_id", "nonce",
    "password", "passkey", "person_name", "phone", "phone_number", "postcode", "private_key",
    "secret", "secret_key", "serial", "serial_number", "session_id", "signature", "token", "totp",
    "voucher_number",
)  # fmt: skip

_TEXT_LIMIT_CHARACTERS = 500
_ITEM_LIMIT = 50
_DEPTH_LIMIT = 4
_CAUSE_LIMIT = 5
_FRAME_LIMIT = 20

_QUOTE_NOBODY = (AttributeError, ImportError, NameError, NotImplementedError, RuntimeError, TypeError)

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(level: str) -> None:
    """Log from here on, in this process.

    Args:
        level: the least important level to log: `debug`, `info`, `warning` or `error`. Of other people's
            libraries warnings and errors are logged, as event `library_message`.
    """
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            tell_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            tell_exception,
            refuse_personal_data,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=_StandardError,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Library()], level=max(least, logging.WARNING), force=True)


def refuse_personal_data(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop what keys that name personal data or secrets hold, and what objects would tell of themselves."""
    return {str(key): _allowed(str(key), value, _DEPTH_LIMIT) for key, value in event.items()}


def tell_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the trace of what is being done, as collectors of logs and spans know it."""
    trace = TRACE.get()
    if trace is not None:
        event.setdefault("trace_id", trace.trace_id.hex)
    return event


def tell_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the chain of exceptions: type, first line of the message, and where.

    No local variables and no second lines: there the database and the validator quote the row.
    """
    info = event.pop("exc_info", None)
    error = sys.exception() if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = [_told(link) for link in islice(_chain(error), _CAUSE_LIMIT)]
    return event


def render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """One line of JSON in ASCII, the event's name first."""
    return json.dumps({"event": event.pop("event", None), **event}, ensure_ascii=True)


class _StandardError:
    """Writes lines; what cannot be written is lost, and the work goes on."""

    def __init__(self, *_names: object) -> None:
        pass

    def msg(self, line: str) -> None:
        # ValueError: the stream is closed.
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = fatal = failure = err = warn = exception = log = msg


class _Library(logging.Handler):
    """Brings what libraries log by the standard library's `logging` the same way as our own events."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno,
            "library_message",
            library=record.name,
            said=record.getMessage(),
            exc_info=record.exc_info,
        )


def _allowed(key: str, value: object, depth: int) -> object:
    name = key.lower().replace("-", "_")
    if name in _REFUSED_KEYS or name.endswith(_REFUSED_ENDINGS):
        return REFUSED
    return _plain(value, depth)


def _plain(value: object, depth: int) -> object:
    """The value as JSON has it; an object tells only its type."""
    match value:
        case Mapping() if depth > 0:
            pairs = islice(value.items(), _ITEM_LIMIT)
            plain: object = {str(key): _allowed(str(key), item, depth - 1) for key, item in pairs}
        case list() | tuple() | set() | frozenset() if depth > 0:
            plain = [_plain(item, depth - 1) for item in islice(value, _ITEM_LIMIT)]
        case Enum():
            plain = _scalar(value.value)
        case _:
            plain = _scalar(value)
    return plain


def _scalar(value: object) -> object:
    match value:
        case str():
            return value[:_TEXT_LIMIT_CHARACTERS]
        case None | bool() | int() | float():
            return value
        case UUID() | date() | PurePath():
            return str(value)
        case _:
            return f"<{type(value).__name__}>"


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _words(error: BaseException) -> str:
    """Of an error that is not ours only what cannot quote what somebody typed: the driver's, and ValueError, do."""
    if isinstance(error, OSError):
        return error.strerror or ""
    if isinstance(error, (HubError, *_QUOTE_NOBODY)):
        return str(error).partition("\n")[0]
    return str(getattr(error, "sqlstate", None) or "")


def _told(error: BaseException) -> dict[str, str | Sequence[str]]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAME_LIMIT:]
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "says": _words(error)[:_TEXT_LIMIT_CHARACTERS],
        "where": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
