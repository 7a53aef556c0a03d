"""Webhooks: what partners, shops and funds are told by requests of ours (Standard Webhooks)."""

from datetime import datetime
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import Field

from schemas.message import Answered, Command, Query, Said

EVENTS_LIMIT: Final = 1_000
UNDELIVERED_LIMIT: Final = 10_000
"""Counted no further."""


class SendWebhook(Command):
    """One request to a party's endpoint; what it says is kept by the partners' door under `event_id`.

    An event that was taken already is sent only `again`: because somebody has asked for that.
    """

    TYPE: ClassVar[str] = "jp.mykey.webhooks.send.v1"
    party_id: UUID
    event_id: UUID
    again: bool = False

    def key(self) -> UUID:
        """The party: its events go out in their order, as far as they are taken."""
        return self.party_id

    def business_key(self) -> str | None:
        """The `webhook-id` that the party sees."""
        return str(self.event_id)


class ReplayWebhooks(Command):
    """An operator has one event sent again or, without `event_id`, all up to `until` that the party has not taken.

    Done in steps: `after` is where the next one begins.
    """

    TYPE: ClassVar[str] = "jp.mykey.webhooks.replay.v1"
    party_id: UUID
    event_id: UUID | None = None
    until: UUID
    after: UUID | None = None

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class KeptWebhook(Said):
    """What became of an event; `event_id` is its `webhook-id`."""

    event_id: UUID
    type: str
    happened_at: datetime
    tries: int
    last_status: int | None
    delivered_at: datetime | None


class Webhooks(Said):
    """A party's endpoint (`url` None: it has none), how many events it has not taken, and a page, the latest first."""

    url: str | None = None
    disabled_at: datetime | None = None
    undelivered: int = 0
    events: list[KeptWebhook] = Field(default_factory=list)


class WebhooksOf(Query, Answered[Webhooks]):
    """What was this party told, and what has it not taken?"""

    TYPE: ClassVar[str] = "jp.mykey.webhooks.of-party.v1"
    party_id: UUID
    undelivered: bool = False
    """Only those."""
    before: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=EVENTS_LIMIT)] = 50

    def key(self) -> UUID:
        """The party."""
        return self.party_id
