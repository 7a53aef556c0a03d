"""How the mail server misbehaves, chosen by the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Faults:
    """None at first.

    Attributes:
        recipients: address → the reply to its RCPT, such as `550 5.1.1 no such user`.
        recipient_replies: replies to the next RCPTs, whoever they are for (greylisting).
        sender_reply: the reply to every MAIL.
        data_replies: replies after the next mails' data, which are then not kept.
        drop_after_data: so many next mails are kept, but the connection is cut before the reply.
        delay_s: how long every reply to a mail's data is held back, in seconds.
    """

    recipients: dict[str, str] = field(default_factory=dict)
    recipient_replies: list[str] = field(default_factory=list)
    sender_reply: str | None = None
    data_replies: list[str] = field(default_factory=list)
    drop_after_data: int = 0
    delay_s: float = 0.0

    def for_recipient(self, address: str) -> str | None:
        """The reply to a RCPT, if it is a bad one."""
        if address in self.recipients:
            return self.recipients[address]
        return self.recipient_replies.pop(0) if self.recipient_replies else None

    def for_data(self) -> str | None:
        """The reply after the data, if it is a bad one."""
        return self.data_replies.pop(0) if self.data_replies else None

    def takes_drop(self) -> bool:
        """Whether this mail's connection is to be cut before the reply."""
        if self.drop_after_data > 0:
            self.drop_after_data -= 1
            return True
        return False


def faults_from(said: Mapping[str, object]) -> Faults:
    """Faults from the JSON of `POST /faults`. Raises TypeError for one that there is not."""
    return Faults(**said)  # type: ignore[arg-type]
