"""What the mail server has taken: counts of all mails, and the last ones whole."""

import json
from collections import Counter, deque
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from functools import lru_cache
from typing import IO, Final

LAST_LIMIT: Final = 1_000
"""The mails kept whole."""


class Kept:
    """Counts as it goes, so that a mail costs little; parses only what is shown."""

    def __init__(self, json_lines: IO[str] | None = None) -> None:
        self.connections = 0
        self._json_lines = json_lines
        self.forget()

    def forget(self) -> None:
        """Begin to count anew."""
        self.mails = 0
        self.refused = 0
        self._by_id: Counter[bytes] = Counter()
        self._by_subject: Counter[str] = Counter()
        self._last: deque[tuple[str, str, bytes]] = deque(maxlen=LAST_LIMIT)

    def keep(self, sender: str, recipient: str, content: bytes) -> None:
        """One mail that was accepted."""
        self.mails += 1
        head = content[: content.find(b"\r\n\r\n") + 2]
        message_id = _field(head, b"message-id")
        subject = _decoded(_field(head, b"subject"))
        self._by_id[message_id] += 1
        self._by_subject[subject] += 1
        self._last.append((sender, recipient, content))
        if self._json_lines is not None:
            line = {"message_id": message_id.decode("ascii", "replace"), "to": recipient, "subject": subject}
            self._json_lines.write(json.dumps(line, ensure_ascii=False) + "\n")

    def stats(self) -> dict[str, object]:
        """`mails` taken, `distinct` Message-IDs, `duplicates` beyond the first of each, counts by subject."""
        return {
            "mails": self.mails,
            "distinct": len(self._by_id),
            "duplicates": self.mails - len(self._by_id),
            "refused": self.refused,
            "connections": self.connections,
            "by_subject": dict(self._by_subject),
        }

    def last(self, limit: int) -> list[dict[str, object]]:
        """The last mails, the newest first: envelope, headers, the two texts, and the raw mail."""
        newest = list(self._last)[: -limit - 1 : -1]
        return [_shown(sender, recipient, content) for sender, recipient, content in newest]


def _shown(sender: str, recipient: str, content: bytes) -> dict[str, object]:
    message = message_from_bytes(content, policy=default)
    parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    return {
        "envelope_from": sender,
        "envelope_to": recipient,
        "headers": [[name, str(value)] for name, value in message.items()],
        "text": "" if parts["plain"] is None else parts["plain"].get_content(),
        "html": "" if parts["html"] is None else parts["html"].get_content(),
        "raw": content.decode("utf-8", "replace"),
    }


def _field(head: bytes, name: bytes) -> bytes:
    """The value of a header, unfolded; empty where there is none."""
    at = (b"\r\n" + head.lower()).find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    start = at + len(name) + 1
    end = head.find(b"\r\n", start)
    while head[end + 2 : end + 3] in (b" ", b"\t"):
        end = head.find(b"\r\n", end + 2)
    return b" ".join(head[start:end].split())


@lru_cache(maxsize=1_000)
def _decoded(value: bytes) -> str:
    return str(make_header(decode_header(value.decode("ascii", "replace"))))
