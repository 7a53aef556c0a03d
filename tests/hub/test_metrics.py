"""What is counted is what happened."""

from collections.abc import Sequence
from typing import Any

from prometheus_client import REGISTRY

from hub.errors import PermanentError
from hub.transaction import Transaction
from tests.hub.parts import Probe, at_work, credit, credited, fake, notice, posted, say
from tests.waiting import wait_until


class Counted:
    """How much a metric has grown since the test began."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = self._now()

    def _now(self) -> float:
        return REGISTRY.get_sample_value(self._name, self._labels) or 0.0

    @property
    def grown(self) -> float:
        return self._now() - self._before


async def test_handled_failed_and_parked_messages_are_counted(probe: Probe) -> None:
    async def handle(messages: Sequence[Any], _tx: Transaction) -> None:
        if any(message.points == 3 for message in messages):
            raise PermanentError("no")

    handled = Counted("mykey_messages_handled_total", component="mail", way="delivery")
    outside = Counted("mykey_messages_handled_total", component="mail", way="outside")
    failed = Counted("mykey_messages_failed_total", component="mail", permanent="True")
    parked = Counted("mykey_messages_parked_total", component="mail")
    async with at_work(probe.url, fake("registry"), fake("mail", handle)) as process:
        await say(process, *(credited(n) for n in range(1, 6)), *(notice(n) for n in range(1, 4)))
        await wait_until(lambda: handled.grown == 4)
        await process.drained(5)

    assert (handled.grown, outside.grown, parked.grown) == (4, 3, 1)
    assert failed.grown >= 1


async def test_calls_and_their_batches_are_counted(probe: Probe) -> None:
    async def handle(messages: Sequence[Any], _tx: Transaction) -> list[Any]:
        return [posted(message.points) for message in messages]

    calls = Counted("mykey_messages_handled_total", component="ledger", way="call")
    batched = Counted("mykey_batch_messages_sum", component="ledger")
    timed = Counted("mykey_batch_seconds_count", component="ledger")
    async with at_work(probe.url, fake("ledger", handle)) as process:
        await process.bus.call_many([credit(n) for n in range(1, 101)], 5)

    assert (calls.grown, batched.grown) == (100, 100)
    assert 1 <= timed.grown <= 100
    assert REGISTRY.get_sample_value("mykey_calls_waiting", {"component": "ledger"}) == 0


async def test_the_lanes_a_process_owns_are_shown(probe: Probe) -> None:
    async with at_work(probe.url, fake("mail")):
        await wait_until(lambda: REGISTRY.get_sample_value("mykey_lanes_owned", {"receiver": "mail"}) == 16)
    assert REGISTRY.get_sample_value("mykey_lanes_owned", {"receiver": "mail"}) == 0
