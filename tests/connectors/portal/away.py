"""A hub of which a part goes away in the middle of what a page does."""

import pytest

from hub.errors import DeadlineExceededError, TransientError
from hub.process import HubProcess
from schemas.message import Answered, Message


def away_after(monkeypatch: pytest.MonkeyPatch, kind: type[Message]) -> None:
    """Once a call of this kind was answered, no other one is."""
    call, answered = HubProcess.call, list[type[Message]]()

    async def answer(process: HubProcess, message: Answered[object], deadline_s: float) -> object:
        if answered:
            raise TransientError("away")
        found = await call(process, message, deadline_s)
        if isinstance(message, kind):
            answered.append(kind)
        return found

    monkeypatch.setattr(HubProcess, "call", answer)


def unheard(monkeypatch: pytest.MonkeyPatch, kind: type[Message]) -> None:
    """What calls of this kind ask is done, and the answer is lost."""
    call = HubProcess.call

    async def answer(process: HubProcess, message: Answered[object], deadline_s: float) -> object:
        found = await call(process, message, deadline_s)
        if isinstance(message, kind):
            raise DeadlineExceededError
        return found

    monkeypatch.setattr(HubProcess, "call", answer)
