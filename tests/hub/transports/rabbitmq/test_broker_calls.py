"""Who takes calls from the broker stops in order, whatever has become of the connection."""

from typing import cast

import pytest
from aio_pika.abc import AbstractQueue

from hub.transports.rabbitmq.broker_calls import BrokerCalls
from hub.transports.rabbitmq.links import LinkLostError
from hub.transports.rabbitmq.publisher import Publisher
from hub.transports.remote_calls import RemoteCalls


class Lost:
    """A queue of a channel that is gone."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def cancel(self, _tag: str, timeout: float) -> None:  # noqa: ASYNC109, ARG002 - as the client's
        raise self._error


async def _no_reply(*_: object) -> None:
    """Nobody is answered."""


@pytest.mark.parametrize("error", [Exception(), LinkLostError(), TimeoutError()])
async def test_a_channel_that_is_lost_holds_up_no_stop(error: Exception) -> None:
    calls = BrokerCalls(cast("RemoteCalls", None), cast("Publisher", None), ["ledger"], _no_reply, 1)
    calls._consuming.append((cast("AbstractQueue", Lost(error)), "tag"))
    await calls.finish()
    assert calls._stopped
