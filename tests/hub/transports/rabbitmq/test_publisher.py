"""What came of a publish is known also where whoever asked for it had less time than the broker."""

import asyncio
import gc
from typing import Any, Final

import pytest

from hub.keys import Hasher
from hub.transports.rabbitmq import publisher as publisher_module
from hub.transports.rabbitmq.publisher import BrokerUnusableError, Publisher
from hub.transports.rabbitmq.topology import CALLS
from tests.waiting import wait_until

PATIENCE_S: Final = 0.01
PUBLISH_TIMEOUT_S: Final = 0.1


class SilentBroker:
    """Connection and exchange in one: takes everything, confirms nothing."""

    name = CALLS

    def __init__(self) -> None:
        self.transport = self
        self.asked = 0

    async def ready(self) -> None:
        """Nothing blocks us."""

    async def publish(self, _message: object, _key: str, *, mandatory: bool, timeout: float) -> None:  # noqa: ASYNC109 - the client's own
        """As the client's."""
        assert mandatory
        self.asked += 1
        async with asyncio.timeout(timeout):
            await asyncio.Event().wait()


async def test_a_queue_rests_also_where_whoever_asked_gave_up_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "PUBLISH_TIMEOUT_S", PUBLISH_TIMEOUT_S)
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
    broker: Any = SilentBroker()
    publisher = Publisher(Hasher(b""), lambda _receiver: None, lambda _reply: None)
    publisher._connection, publisher._exchanges = broker, {CALLS: broker}
    message: Any = None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await publisher.send(CALLS, "ledger", message)
    assert publisher.takes_all
    await wait_until(lambda: not publisher.takes_all)
    gc.collect()
    assert said == [], "nobody has looked at what came of it"
    with pytest.raises(BrokerUnusableError):
        await publisher.send(CALLS, "ledger", message)
    assert broker.asked == 1
