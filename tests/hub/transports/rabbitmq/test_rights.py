"""TLS under an authority of one's own, and the users of hub/broker_definitions: they suffice, and reach no further."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError

from hub.authority import Authority
from hub.broker_definitions import VHOST, definitions
from hub.metrics import ARRIVED
from hub.transports.rabbitmq import publisher
from hub.transports.rabbitmq.topology import CALLS, EXCHANGE, delivery_key, queue_name
from tests.hub.parts import Probe, at_work, credit, credited, fake, key_in, say
from tests.hub.transports.conftest import Start
from tests.hub.transports.rabbitmq.broker_view import BrokerView
from tests.rabbitmq import Broker, User
from tests.waiting import wait_until

COMPONENTS: Final = ("registry", "ledger", "mail")
LIMIT_S: Final = 30.0
DEADLINE_S: Final = 10.0


@pytest.fixture
def users(broker: Broker, tmp_path: Path) -> Iterator[dict[str, User]]:
    """By component, as an installation's broker has them."""
    if not broker.is_running:
        broker.start()
    passwords = {name: f"only-for-tests-{name}" for name in COMPONENTS}
    document = tmp_path / "definitions.json"
    document.write_text(json.dumps(definitions(passwords)))
    broker.ctl("import_definitions", str(document))
    yield {name: User(name, password) for name, password in passwords.items()}
    broker.delete_vhost(VHOST)
    for name in passwords:
        broker.delete_user(name)


async def test_the_users_of_the_definitions_can_do_all_that_their_components_do(
    broker: Broker, probe: Probe, users: dict[str, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "PUBLISH_TIMEOUT_S", LIMIT_S)  # what is late would go by the database
    view = BrokerView(broker, VHOST)
    over = {
        name: {"transport": "rabbitmq", "amqp_url": broker.url(user, VHOST, tls=True), "amqp_ca_file": broker.ca_file}
        for name, user in users.items()
    }
    registry, ledger, mail = (at_work(probe.url, fake(name), **over[name]) for name in COMPONENTS)
    async with registry as asking, ledger as answering, mail as receiver:
        await view.wait_for_consumers("mail")
        await wait_until(lambda: _is_called(view, "ledger"), LIMIT_S)
        await wait_until(lambda: not any(one.complaint() for one in (asking, answering, receiver)), LIMIT_S)
        for table in ("call", "reply"):  # by the broker, or not at all
            await probe.connection.execute(f"ALTER TABLE hub.{table} ADD CHECK (false) NOT VALID")
        assert (await asking.bus.call(credit(1), LIMIT_S)).points == 1
        before = ARRIVED.labels("mail")._value.get()
        await say(asking, credited(1, key_in(1)))
        await wait_until(lambda: ARRIVED.labels("mail")._value.get() == before + 1)
        await receiver.drained(LIMIT_S)
        with pytest.raises(AMQPError, match="ACCESS_REFUSED"):
            await _read_what_is_not_ours(broker.url(users["registry"], VHOST))

    assert await probe.numbers() == [1]


async def test_a_broker_that_somebody_else_vouches_for_is_not_spoken_to(
    start: Start, probe: Probe, broker: Broker, view: BrokerView, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", timedelta(days=1))
    over = {"amqp_url": broker.url(vhost=view.vhost, tls=True), "amqp_ca_file": stranger.ca_file}
    async with start(fake("registry"), **over) as sender, start(fake("mail"), **over) as receiver:
        await say(sender, credited(1))
        await receiver.drained(LIMIT_S)
        for process in (sender, receiver):
            assert process.complaint() == "the broker cannot be reached"
        assert await view.queues() == {}

    assert await probe.numbers() == [1]


async def _is_called(view: BrokerView, component: str) -> bool:
    return bool((await view.consumers()).get(queue_name(CALLS, component)))


async def _read_what_is_not_ours(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).get_queue(
            queue_name(EXCHANGE, delivery_key("mail", 1)), ensure=False
        )
        await queue.get(timeout=DEADLINE_S)
