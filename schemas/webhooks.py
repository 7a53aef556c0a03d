"""Webhooks: what partners are told by requests of ours (Standard Webhooks)."""

from typing import ClassVar
from uuid import UUID

from schemas.message import Command


class SendWebhook(Command):
    """One request to a party's endpoint; what it says is kept by the partners' door under `event_id`."""

    TYPE: ClassVar[str] = "jp.mykey.webhooks.send.v1"
    party_id: UUID
    event_id: UUID

    def key(self) -> UUID:
        """The party: its events go out in their order, as far as they are taken."""
        return self.party_id

    def business_key(self) -> str | None:
        """The `webhook-id` that the party sees."""
        return str(self.event_id)
