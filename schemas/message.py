"""The three kinds of message and the envelope they travel in (CloudEvents 1.0)."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Answer = TypeVar("Answer", covariant=True)  # noqa: PLC0105 - reads as what it is: the answer


class Said(BaseModel):
    """Anything that is said: frozen, strict about its fields, bytes as base64 in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


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


@dataclass(frozen=True, slots=True)
class Envelope:
    """CloudEvents attributes around a message.

    `id` is a UUIDv7, `source` the component that said it, `correlation_id` the id of what began it all.
    """

    id: UUID
    source: str
    type: str
    time: datetime
    subject: UUID
    correlation_id: UUID
    message: Message
