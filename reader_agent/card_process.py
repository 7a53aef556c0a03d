"""The card process: the only one that touches readers, so that it can be killed when a card keeps silent for ever.

`python -m reader_agent.card_process [part of a reader's name]`, started by `card_keeper` and by nobody else. It ends
when its standard input does.
"""

import os
import sys
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final, NoReturn

from reader_agent.card_frames import Ask, FrameError, frame, read_ask
from reader_agent.card_session import CardSession
from reader_agent.readers import PcscReaders
from schemas.message import Said

NO_PYSCARD: Final = 3
"""The exit status where pyscard is not installed."""
LEAVE_LIMIT_S: Final = 1.0
"""How long a card has to be powered off when the agent has ended."""


class _Voice:
    """Frames on standard output, from either thread."""

    def __init__(self) -> None:
        self._lock = Lock()

    def say(self, said: Said, /) -> None:
        with self._lock:
            sys.stdout.buffer.write(frame(said))
            sys.stdout.buffer.flush()


def _serve(session: CardSession, asks: "SimpleQueue[tuple[Ask, bytearray] | None]", voice: _Voice) -> None:
    while (asked := asks.get()) is not None:
        voice.say(session.do(*asked))
    session.release()


def main(only: str = "") -> NoReturn:
    """Do what standard input asks until it ends; cards and readers are told of meanwhile."""
    voice = _Voice()
    try:
        readers = PcscReaders(voice.say, only)
    except ImportError:
        sys.exit(NO_PYSCARD)
    asks: SimpleQueue[tuple[Ask, bytearray] | None] = SimpleQueue()
    serving = Thread(target=_serve, args=(CardSession(readers), asks, voice), daemon=True)
    serving.start()
    Thread(target=readers.watch, daemon=True).start()
    try:
        while (asked := read_ask(sys.stdin.buffer)) is not None:
            asks.put(asked)
    except FrameError:
        pass
    asks.put(None)
    serving.join(LEAVE_LIMIT_S)
    # A thread that is stuck in a card would keep the process here.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:2])
