"""Keeps a card process running, asks it, and kills it when it keeps silent."""

import asyncio
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final, NoReturn, TypeAlias
from uuid import UUID

import structlog

from reader_agent.card_frames import HEAD, Answer, Ask, FrameError, Step, frame, lengths, read_said
from schemas.uplink import CardEvent, Outcome, ReaderState

ASK_LIMIT_S: Final = 5.0
"""Within it a card answers whatever one Ask wants of it; a certificate by a slow reader takes a second."""
START_LIMIT_S: Final = 10.0
"""Within it the card process says whether there is a reader."""
RESTART_PAUSE_S: Final = 0.1
RESTART_PAUSE_LIMIT_S: Final = 5.0
NO_WINDOW: Final = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""Windows only: no console beside the agent's page."""
END_LIMIT_S: Final = 2.0
"""How long a card process has to end by itself when the agent ends."""

Hear: TypeAlias = Callable[[CardEvent | ReaderState | None], None]
"""Hears what the card process tells of cards and readers; None when it is gone and nothing is known any more."""

_log: Final = structlog.get_logger(__name__)


class CardKeeper:
    """One card process at a time, while `run` is running.

    Args:
        hear: see `Hear`.
        only: a part of the names of the readers that are ours; all are where it is empty.
        ask_limit_s: how long a card may keep silent, in seconds.
    """

    def __init__(self, hear: Hear, only: str = "", ask_limit_s: float = ASK_LIMIT_S) -> None:
        self._hear = hear
        self._only = only
        self._ask_limit_s = ask_limit_s
        self._process: Process | None = None
        self._started = asyncio.Event()
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    async def run(self) -> NoReturn:
        """Keep one running until cancelled; then it powers the card off and ends."""
        pause_s = RESTART_PAUSE_S
        while True:
            worked = await self._one_process()
            pause_s = RESTART_PAUSE_S if worked else min(pause_s * 2, RESTART_PAUSE_LIMIT_S)
            await asyncio.sleep(pause_s)

    async def _one_process(self) -> bool:
        """Run one until it ends. Returns whether it said anything."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "reader_agent.card_process", self._only),
                stdin=PIPE,
                stdout=PIPE,
                creationflags=NO_WINDOW,
            )
        except OSError as error:
            _log.warning("card_process_not_started", error=type(error).__name__)
            return False
        self._process = process
        try:
            return await self._listen(process)
        finally:
            await self._end(process)
            _log.info("card_process_ended", status=process.returncode)

    async def ask(self, step: Step, *, insertion: UUID | None = None, text: bytes = b"", typed: bytes = b"") -> Answer:
        """Have a step done (see `card_frames.Ask`). A failure is an outcome, and so is silence.

        Whoever cancels it has the process killed: nobody would know what the card is doing.
        """
        ask = Ask(id=next(self._ids), do=step, insertion=insertion, text=text)
        if step == "release" and not self._started.is_set():
            # Where no process has started, no card is held.
            return Answer(id=ask.id, outcome=Outcome.done)
        try:
            async with asyncio.timeout(START_LIMIT_S):
                await self._started.wait()
            async with asyncio.timeout(self._ask_limit_s):
                answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
                self._waiting[ask.id] = answer
                self._write(frame(ask, typed))
                return await answer
        except TimeoutError:
            self._kill("silent")
            return Answer(id=ask.id, outcome=Outcome.reader_failed)
        except asyncio.CancelledError:
            self._kill("abandoned")
            raise
        finally:
            self._waiting.pop(ask.id, None)

    def let_go(self) -> None:
        """Have the card powered off after what is under way, without waiting for it."""
        if self._started.is_set():
            self._write(frame(Ask(id=next(self._ids), do="release")))

    def _write(self, sent: bytes) -> None:
        """Where the pipe is broken, the reading end tells."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(ConnectionError):
                self._process.stdin.write(sent)

    def _kill(self, why: str) -> None:
        self._started.clear()
        if self._process is not None and self._process.returncode is None:
            _log.warning("card_process_killed", why=why)
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _listen(self, process: Process) -> bool:
        """Take in what it says until it ends, or until it cannot be understood. Returns whether it said anything."""
        worked = False
        while process.stdout is not None:
            try:
                body, _ = lengths(await process.stdout.readexactly(HEAD.size))
                said = read_said(await process.stdout.readexactly(body))
            except (asyncio.IncompleteReadError, ConnectionError, FrameError, ValueError):
                break
            self._take(said)
            worked = True
        return worked

    def _take(self, said: Answer | CardEvent | ReaderState) -> None:
        if not isinstance(said, Answer):
            self._started.set()
            self._hear(said)
        elif (waiting := self._waiting.get(said.id)) is not None and not waiting.done():
            waiting.set_result(said)

    async def _end(self, process: Process) -> None:
        """Nobody waits for an answer of it any more, and it is gone when this returns."""
        self._started.clear()
        self._hear(None)
        for number, waiting in self._waiting.items():
            if not waiting.done():
                waiting.set_result(Answer(id=number, outcome=Outcome.reader_failed))
        if process.stdin is not None:
            process.stdin.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_LIMIT_S):
                    await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
