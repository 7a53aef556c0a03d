"""The three kinds of message and the envelope they travel in (CloudEvents 1.0)."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Answer = TypeVar("Answer", covariant=True)  # noqa: PLC0105 - reads as what it is: the answer
# Past what is frozen. object.__setattr__ would look up each of them by its name, for each message.
_set_fields: Final = BaseModel.__dict__["__dict__"].__set__
_set_given: Final = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra: Final = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private: Final = BaseModel.__dict__["__pydantic_private__"].__set__
_SPAN: Final = (1 << 64) - 1


class Said(BaseModel):
    """Anything that is said: frozen, strict about its fields, bytes as base64 in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    @classmethod
    def trusted(cls, **fields: Any) -> Self:  # noqa: ANN401 - the fields of whichever class it is
        """One made of values that are valid as they stand: nothing is checked, nothing converted, no default filled in.

        For what is said in hot paths of values that were checked as they came in. Every field has to be given.
        """
        made = cls.__new__(cls)
        _set_fields(made, fields)
        _set_given(made, _all_fields(cls))
        _set_extra(made, None)
        _set_private(made, None)
        return made


@cache
def _all_fields(kind: type[Said]) -> set[str]:
    """One set for all: a copy of a message gets a copy of it."""
    return set(kind.model_fields)


class Message(Said):
    """A message type: a frozen class with its CloudEvents type and the key that orders it."""

    TYPE: ClassVar[str]
    """`jp.mykey.<subject>.<what>.v<n>`; never reused with another meaning."""
    PERSONAL: ClassVar[bool] = False
    """Whether the body carries personal data, so that it is sealed in the message store."""

    def key(self) -> UUID:
        """What this message is about; messages of one key are handled in the order they were said."""
        raise NotImplementedError

    def business_key(self) -> str | None:
        """An id people search by: a partner's transfer id, a file's id."""
        return None


class OldVersion(Said):
    """A version of a message type that nobody says any more, but which stores and queues still hold.

    It stands beside its type (`class CreditPointsV1(OldVersion)`) with the fields it had, and makes the next version of
    itself: docs/contracts/README.md tells when one is needed, and when it may go.
    """

    TYPE: ClassVar[str]
    """The very type it was said under."""
    PERSONAL: ClassVar[bool] = False
    NEWER: ClassVar["type[Message | OldVersion]"]
    """The class of its next version."""

    def newer(self) -> "Message | OldVersion":
        """The same, in the next version: a pure function that cannot fail for what was valid once."""
        raise NotImplementedError

    @classmethod
    def newest_type(cls) -> type[Message]:
        """The message type that it is read as in the end."""
        made = cls.NEWER
        while issubclass(made, OldVersion):
            made = made.NEWER
        return made


class Command(Message):
    """An imperative (`CreditPoints`): exactly one component handles it."""


class Event(Message):
    """A past participle (`PointsCredited`): heard by whoever the route table names."""


class Query(Message):
    """A question (`BalanceOf`): answered from committed state, changes nothing."""


class Answered(Generic[Answer]):
    """Mixed into a command or query that is answered: `class BalanceOf(Query, Answered[Balances])`."""

    @classmethod
    def answer_type(cls) -> type[BaseModel]:
        """The model of the answer, read off the class's own bases."""
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Answered:
                answer: type[BaseModel] = get_args(base)[0]
                return answer
        raise TypeError(cls.__name__)


def traceparent(trace_id: UUID, span: int) -> str:
    """W3C Trace Context: always marked as recorded, since the message store keeps all that is said."""
    return f"00-{trace_id.hex}-{span & _SPAN:016x}-01"


@dataclass(frozen=True, slots=True)
class Envelope:
    """CloudEvents attributes around a message.

    `id` is a UUIDv7, `source` the component that said it, `correlation_id` the id of what began it all, which is also
    the trace id.
    """

    id: UUID
    source: str
    type: str
    time: datetime
    subject: UUID
    correlation_id: UUID
    message: Message

    @property
    def traceparent(self) -> str:
        """What is done because of this message is caused by it: its span is the last half of its id."""
        return traceparent(self.correlation_id, self.id.int)
