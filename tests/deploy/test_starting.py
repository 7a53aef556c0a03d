"""Every command and health check of compose.yaml, started against Debian's RabbitMQ and the tests' PostgreSQL."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from hub.__main__ import COMMAND_GROUP
from hub.broker_definitions import VHOST
from hub.transports.rabbitmq import topology
from hub.transports.rabbitmq.topology import CALLS, DELIVERY_ARGUMENTS, EXCHANGE, UNROUTED, queue_name
from schemas.acts import RecordAct
from tests import rabbitmq
from tests.deploy.deployed import Container, DeployedBroker
from tests.deploy.parts import ROOT, components, make_secrets, run_by_hand, secrets_of, services
from tests.rabbitmq import HOST
from tests.waiting import wait_until

READY_LIMIT_S: Final = 60.0
TIMEOUT_S: Final = 10.0
UUID_PATTERN: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SEEN_BY_AN_OPERATOR: Final = (
    ("console", "flow"),
    ("console", "pause", "mail", "--reason", "try"),
    ("console", "resume", "mail"),
    ("console", "acts"),
    ("municipalities", "schemes"),
    ("issuers", "list"),
    ("libraries", "list"),
    ("service-ids", "linked-close", "2026-11-01", "2026-11-30"),
    ("settlement", "places", "232106", "2026-11-01", "2026-11-30", "--details", "places.csv"),
    ("streets", "list"),
    ("terminals", "plan", "232106"),
    ("offers", "list", "232106"),
)
"""Asked of the registry, the ledger, the libraries', the street's, the terminals' and the shops' components, or looked
up in the database."""
SEEN_BESIDE: Final = frozenset({"parties", "trace", "verify"})
HUB_STOPPED: Final = frozenset({"spread"})
"""What cannot be tried beside the components at work."""
REHEARSALS: Final = frozenset({"story", "demo", "sandbox", "bench"})


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `mykey-hub secrets` makes."""
    folder = tmp_path_factory.mktemp("secrets")
    make_secrets(folder)
    return folder


@pytest.fixture(scope="module")
def deployed_broker(secrets: Path) -> Iterator[DeployedBroker]:
    """RabbitMQ as deploy/rabbitmq says."""
    if not rabbitmq.is_installed():
        pytest.skip(rabbitmq.MISSING)
    with DeployedBroker(secrets) as running:
        yield running


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What is closed after the test."""
    async with AsyncExitStack() as opened:
        yield opened


def amqp_url_of(component: str, secrets: Path, broker: DeployedBroker) -> str:
    """The component's own, at this machine's port."""
    url = (secrets / f"{component}_amqp_url").read_text()
    assert "@rabbitmq:5671/" in url
    return url.replace("@rabbitmq:5671/", f"@{HOST}:{broker.port}/")


async def connected(component: str, secrets: Path, broker: DeployedBroker, stack: AsyncExitStack) -> AbstractConnection:
    """To the broker, as that component."""
    trust = ssl.create_default_context(cafile=secrets / "ca.pem")
    url = amqp_url_of(component, secrets, broker)
    return await stack.enter_async_context(await aio_pika.connect(url, ssl_context=trust, timeout=TIMEOUT_S))


@pytest.mark.timeout(300)
async def test_every_service_starts_is_ready_and_stops(
    empty_database_url: str, secrets: Path, deployed_broker: DeployedBroker, tmp_path: Path
) -> None:
    owner = {"mykey_database_url": empty_database_url}
    assert await Container(services()["migrate"], tmp_path / "migrate", secrets, owner).run() == 0
    running: list[Container] = []
    try:
        for name, service in components().items():
            replaced = {**owner, "mykey_amqp_url": amqp_url_of(name, secrets, deployed_broker)}
            # One by one: twelve that start at once make each other late.
            running.append(await Container.started(service, tmp_path / name, secrets, replaced))
            await wait_until(running[-1].is_healthy, READY_LIMIT_S)
        await wait_until(lambda: _all_listen(deployed_broker), READY_LIMIT_S)
        await _an_operator_works(Container(run_by_hand(), tmp_path / "hub", secrets, owner), tmp_path / "hub")
    finally:
        stopped = await asyncio.gather(*(container.stop() for container in running))
    assert stopped == [0] * len(components())
    # The hub goes on without the broker: that it works is seen where it is.
    assert not [container.log for container in running if "broker_link_lost" in container.log]


async def test_the_broker_is_healthy_by_compose_s_own_check(deployed_broker: DeployedBroker) -> None:
    """With its environment: where the node's host is not where Erlang listens, it neither boots nor can be asked."""
    await wait_until(deployed_broker.is_healthy, READY_LIMIT_S)


async def _an_operator_works(hub: Container, folder: Path) -> None:
    """Each of the commands of docs/operations.md that there are in a container, beside the components at work."""
    told = await hub.does("parties", "register", "partner", "地方航空")
    [party_id] = re.findall(UUID_PATTERN, told)
    await hub.does("parties", "secret", party_id, "air-2026", "--out", "air.secret")
    assert (folder / "air.secret").stat().st_size
    assert "地方航空" in await hub.does("parties", "list")
    message_id, *_ = re.findall(UUID_PATTERN, await hub.does("console", "--json", "messages", "--type", RecordAct.TYPE))
    assert "begun by a message of partner" in await hub.does("trace", message_id)
    for words in SEEN_BY_AN_OPERATOR:
        await hub.does(*words)
    assert "everything adds up" in await hub.does("verify", "--state", "verified.json")
    assert (folder / "verified.json").exists()


def test_every_command_of_an_operator_is_named_and_tried() -> None:
    chapter = (ROOT / "docs" / "deployment.md").read_text("utf-8").partition("## An operator's commands\n")[2]
    named = set(re.findall(r"`(?:mykey-hub )?([\w-]+)`", chapter.partition(" work on the database")[0]))
    there_are = {one.name for one in entry_points(group=COMMAND_GROUP)} - REHEARSALS

    assert named == there_are | {"trace"}, "trace is the hub's own"
    assert named == {words[0] for words in SEEN_BY_AN_OPERATOR} | SEEN_BESIDE | HUB_STOPPED


def _all_listen(broker: DeployedBroker) -> bool:
    """Whether somebody takes the calls of each component."""
    listed = broker.ctl("list_queues", "--vhost", VHOST, "name", "consumers")
    heard = dict(line.split("\t") for line in listed.splitlines()[1:])
    return all(heard.get(queue_name(CALLS, name), "0") != "0" for name in components())


async def test_a_component_uses_its_own_queues(
    secrets: Path, deployed_broker: DeployedBroker, stack: AsyncExitStack
) -> None:
    ledger = await connected("ledger", secrets, deployed_broker, stack)
    channel = await ledger.channel()
    queue = await channel.declare_queue(f"{EXCHANGE}.ledger.99", durable=True, arguments=DELIVERY_ARGUMENTS)
    await queue.bind(EXCHANGE, routing_key="ledger.99")
    mail = await connected("mail", secrets, deployed_broker, stack)
    exchange = await (await mail.channel()).get_exchange(EXCHANGE, ensure=False)
    await exchange.publish(aio_pika.Message(b"said"), "ledger.99", timeout=TIMEOUT_S)
    async with queue.iterator(timeout=TIMEOUT_S) as messages:
        heard = await anext(messages)
        assert heard.body == b"said"
        await heard.ack()


async def test_a_component_may_do_what_its_transport_does(
    secrets: Path, deployed_broker: DeployedBroker, stack: AsyncExitStack
) -> None:
    partner = await connected("partner", secrets, deployed_broker, stack)
    channel = await partner.channel()
    for name in (topology.EXCHANGE, topology.CALLS):
        await topology.exchange_of(partner, channel, name)
    await topology.delivery_queue(channel, topology.delivery_key("partner", 0))
    calls = await topology.call_queue(channel, "partner")
    ledger = await connected("ledger", secrets, deployed_broker, stack)
    exchange = await topology.exchange_of(ledger, await ledger.channel(), topology.CALLS)
    await exchange.publish(aio_pika.Message(b"asked"), "partner", timeout=TIMEOUT_S)
    heard = await calls.get(timeout=TIMEOUT_S)
    assert heard is not None
    await heard.ack()
    assert heard.body == b"asked"


async def test_a_component_may_neither_read_nor_make_another_ones_queue(
    secrets: Path, deployed_broker: DeployedBroker, stack: AsyncExitStack
) -> None:
    mail = await connected("mail", secrets, deployed_broker, stack)
    for forbidden in (_make_another_ones, _read_another_ones, _make_an_exchange):
        with pytest.raises(AMQPError, match="ACCESS_REFUSED"):
            await forbidden(await mail.channel())


async def _make_another_ones(channel: AbstractChannel) -> None:
    await channel.declare_queue(f"{EXCHANGE}.ledger.98", durable=True, arguments=DELIVERY_ARGUMENTS)


async def _read_another_ones(channel: AbstractChannel) -> None:
    queue = await channel.declare_queue(UNROUTED, passive=True)
    await queue.get(timeout=TIMEOUT_S)


async def _make_an_exchange(channel: AbstractChannel) -> None:
    await channel.declare_exchange("of.mine", durable=True)


async def test_what_nobody_hears_is_kept(secrets: Path, deployed_broker: DeployedBroker, stack: AsyncExitStack) -> None:
    channel = await (await connected("mail", secrets, deployed_broker, stack)).channel()
    exchange = await channel.get_exchange(EXCHANGE, ensure=False)
    await exchange.publish(aio_pika.Message(b"said"), "nobody.0", timeout=TIMEOUT_S)
    queue = await channel.declare_queue(UNROUTED, passive=True)
    assert queue.declaration_result.message_count == 1


async def test_queues_have_limits(secrets: Path, deployed_broker: DeployedBroker, stack: AsyncExitStack) -> None:
    channel = await (await connected("registry", secrets, deployed_broker, stack)).channel()
    await channel.declare_queue(f"{EXCHANGE}.registry.99", durable=True, arguments=DELIVERY_ARGUMENTS)
    calls = await topology.call_queue(channel, "registry")
    await calls.consume(asyncio.Queue[AbstractIncomingMessage]().put)  # one that nobody hears goes
    listed = deployed_broker.ctl("list_queues", "--vhost", VHOST, "name", "policy")
    assert f"{EXCHANGE}.registry.99\tlimits" in listed
    assert f"{queue_name(CALLS, 'registry')}\tcalls" in listed
    assert f"{UNROUTED}\tlimits" not in listed


async def test_a_queue_of_calls_that_nobody_hears_any_more_goes(
    secrets: Path, deployed_broker: DeployedBroker, stack: AsyncExitStack
) -> None:
    """So that whoever asks is told at once, and asks another way."""
    channel = await (await connected("goods", secrets, deployed_broker, stack)).channel()
    await topology.call_queue(channel, "goods")
    await wait_until(lambda: queue_name(CALLS, "goods") not in deployed_broker.ctl("list_queues", "--vhost", VHOST), 30)


async def test_nobody_gets_in_without_a_name_or_without_tls(secrets: Path, deployed_broker: DeployedBroker) -> None:
    trust = ssl.create_default_context(cafile=secrets / "ca.pem")
    place = f"{HOST}:{deployed_broker.port}"
    with pytest.raises(AMQPError):
        await aio_pika.connect(f"amqps://guest:guest@{place}/mykey", ssl_context=trust, timeout=TIMEOUT_S)
    with pytest.raises((AMQPError, ConnectionError)):
        await aio_pika.connect(f"amqp://guest:guest@{place}/mykey", timeout=TIMEOUT_S)


def test_secrets_are_named_as_settings_are() -> None:
    """A file whose name is no setting would be read by nobody."""
    for service in components().values():
        for name in secrets_of(service):
            assert name in {"ca.pem", "dkim.key"} or name.startswith("mykey_")
