"""Calls that take their time: done one by one, side by side, with no connection held meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

from hub.component import Apart
from hub.database import RETRYABLE, UNREACHABLE, Database, is_unreachable
from hub.errors import ContendedError, DeadlineExceededError, HubError, TransientError
from hub.runner import RERUN_LIMIT, rerun_delay_s
from hub.transaction import Transaction
from schemas.message import Message

WAITING_LIMIT: Final = 1_000
"""The most such calls under way in one component of one process; more are sent away with Retry-After."""

Result = TypeVar("Result")


async def committed(database: Database, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
    """What `work` returned in a transaction, once it has committed; run again where two at once met.

    Raises ContendedError, and what `work` raises.
    """
    for rerun in range(RERUN_LIMIT):
        try:
            async with database.transaction() as tx:
                return await work(tx)
        except RETRYABLE:
            await asyncio.sleep(rerun_delay_s(rerun))
    raise ContendedError(database.name)


class ApartCalls:
    """Those of one component in this process."""

    def __init__(self) -> None:
        self._under_way = 0

    async def ask(self, answerer: Apart, messages: Sequence[Message]) -> list[BaseModel]:
        """The answers, in order, after all have ended. Raises the first error."""
        if self._under_way + len(messages) > WAITING_LIMIT:
            raise TransientError("too many calls are waiting", retry_after_s=1.0)
        self._under_way += len(messages)
        try:
            asked = (_answer(answerer, message) for message in messages)
            ended = await asyncio.gather(*asked, return_exceptions=True)
        finally:
            self._under_way -= len(messages)
        answers: list[BaseModel] = []
        for one in ended:
            if isinstance(one, BaseException):
                raise one
            answers.append(one)
        return answers


async def _answer(answerer: Apart, message: Message) -> BaseModel:
    try:
        return await answerer(message)
    except UNREACHABLE as error:
        if isinstance(error, HubError) or not is_unreachable(error):
            raise
        raise DeadlineExceededError("PostgreSQL does not answer") from error
