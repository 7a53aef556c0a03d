"""Other sides that are down: a mail server, a partner, a library; said once when it begins and once when it is over."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from schemas.message import Command, Event


class OutageBegan(Event):
    """`destination` does not answer `receiver` any more; what is for it waits. `error` is the class of the failure."""

    TYPE: ClassVar[str] = "jp.mykey.outages.began.v1"
    outage_id: int
    receiver: str
    destination: str
    error: str
    began_at: datetime

    def key(self) -> UUID:
        """The outage, so that its end is heard after its beginning."""
        return UUID(int=self.outage_id)


class OutageEnded(Event):
    """It answers again, after so many probes; what waited for it is on its way."""

    TYPE: ClassVar[str] = "jp.mykey.outages.ended.v1"
    outage_id: int
    receiver: str
    destination: str
    error: str
    began_at: datetime
    ended_at: datetime
    probes: int

    def key(self) -> UUID:
        """The outage."""
        return UUID(int=self.outage_id)


class SendOutageMail(Command):
    """One mail to the operators about an outage: that it began or, where `ended_at` is known, that it is over."""

    TYPE: ClassVar[str] = "jp.mykey.outages.send-mail.v1"
    outage_id: int
    receiver: str
    destination: str
    error: str
    began_at: datetime
    ended_at: datetime | None = None

    def key(self) -> UUID:
        """The outage."""
        return UUID(int=self.outage_id)

    def business_key(self) -> str:
        """Its number, as people say it."""
        return f"outage-{self.outage_id}"
