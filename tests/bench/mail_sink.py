"""A mail server that takes every mail, says 250 and keeps its Message-ID: as little as SMTP allows (RFC 5321, 2920).

The catcher of the demo and the tests speaks all of SMTP and keeps what it takes; here it would be what is measured.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, cast

from hub import loop
from tests.bench.children import say, told

HOST: Final = "127.0.0.1"
MAIL_LIMIT_BYTES: Final = 1 << 20
GREETING: Final = b"220 sink\r\n"
ANSWERS: Final = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
"""To every other command: 250."""
OK: Final = b"250 OK\r\n"
LINE_END: Final = b"\r\n"
END: Final = b"\r\n.\r\n"
MESSAGE_ID: Final = b"\r\nMessage-ID: <"


@dataclass(frozen=True, slots=True)
class Job:
    """Listen on this port."""

    port: int


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, taken: list[str]) -> None:
        self._taken = taken
        self._came = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet (asyncio's)."""
        # uvloop's transports have the methods of asyncio's, but not its classes.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        """Answer what is whole by now, all in one piece (asyncio's)."""
        self._came += data
        answers = b""
        while (end := self._ends_with()) in self._came:
            piece, _, self._came = self._came.partition(end)
            answers += self._take(piece) if self._in_mail else self._answer(piece[:4].upper())
        if len(self._came) > MAIL_LIMIT_BYTES:
            self._transport.abort()
        elif answers:
            self._transport.write(answers)

    def _ends_with(self) -> bytes:
        return END if self._in_mail else LINE_END

    def _answer(self, command: bytes) -> bytes:
        self._in_mail = command == b"DATA"
        return ANSWERS.get(command, OK)

    def _take(self, mail: bytes) -> bytes:
        self._in_mail = False
        self._taken.append(mail.partition(MESSAGE_ID)[2].partition(b"@")[0].decode("ascii"))
        return OK


def digest_of(message_ids: Iterable[str]) -> str:
    """The same for the same ids in any order, each as often as it came."""
    return sha256("\n".join(sorted(message_ids)).encode()).hexdigest()


async def serve(job: Job) -> None:
    """Take mails until told to end; say how many, the digest of their ids, and the processor time."""
    taken: list[str] = []
    server = await asyncio.get_running_loop().create_server(lambda: Line(taken), HOST, job.port)
    say("ready")
    await told()
    server.close()
    say({"mails": len(taken), "digest": digest_of(taken), "cpu_s": time.process_time()})


if __name__ == "__main__":
    loop.run(serve(Job(**json.loads(sys.argv[1]))))
