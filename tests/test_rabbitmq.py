"""The tests' own broker: private, on loopback, and gone with whoever started it."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError

from tests.rabbitmq import HOST, Broker, BrokerError
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 10.0

OWN_AND_WAIT = """
import signal, sys
from tests.rabbitmq import Broker
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # as an event loop does that starts processes
broker = Broker()
broker._spawn()
print(broker._pid, broker.data_path.parent, flush=True)
sys.stdin.read()
"""


async def said_and_heard(url: str, trust: ssl.SSLContext | None = None) -> bytes:
    """Send a message to a queue of our own and get it back."""
    connection = await aio_pika.connect(url, timeout=TIMEOUT_S, ssl_context=trust)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("mine", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"said"), queue.name, timeout=TIMEOUT_S)
        message = await queue.get(timeout=TIMEOUT_S)
        assert message is not None
        await message.ack()
        return bytes(message.body)


async def test_a_test_has_a_virtual_host_of_its_own(amqp_url: str) -> None:
    assert await said_and_heard(amqp_url) == b"said"


def test_it_answers_many_who_ask_at_once(broker: Broker) -> None:
    with ThreadPoolExecutor(8) as asking:
        assert list(asking.map(broker.evaluate, ["6 * 7"] * 100)) == ["42"] * 100


async def test_it_speaks_tls_under_its_own_authority(broker: Broker) -> None:
    with broker.fresh_vhost() as vhost:
        trusting = ssl.create_default_context(cafile=broker.ca_file)
        url = broker.url(vhost=vhost, tls=True)
        assert await said_and_heard(url, trusting) == b"said"
        with pytest.raises(AMQPError, match="CERTIFICATE_VERIFY_FAILED"):
            await said_and_heard(url, ssl.create_default_context())


async def test_a_user_has_the_rights_it_was_given_and_no_more(broker: Broker) -> None:
    with broker.fresh_vhost() as vhost:
        user = broker.add_user("reader-only", vhost, read="^mine$")
        try:
            with pytest.raises(AMQPError, match="ACCESS_REFUSED"):
                await said_and_heard(broker.url(user, vhost))
        finally:
            broker.delete_user(user.name)


async def test_a_blocked_broker_takes_nothing_until_unblocked(broker: Broker, amqp_url: str) -> None:
    connection = await aio_pika.connect(amqp_url, timeout=TIMEOUT_S)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("mine")
        broker.block()
        try:
            publishing = asyncio.create_task(channel.default_exchange.publish(aio_pika.Message(b"late"), queue.name))
            alarms = "rabbit_alarm:get_alarms()"
            await wait_until(lambda: "memory" in broker.evaluate(alarms))
            assert not publishing.done()
        finally:
            broker.unblock()
        await asyncio.wait_for(publishing, TIMEOUT_S)


def test_what_it_refuses_is_told(broker: Broker) -> None:
    with pytest.raises(BrokerError, match="no_such_vhost"):
        broker.delete_vhost("nowhere")
    with pytest.raises(BrokerError, match="does not exist"):
        broker.ctl("delete_user", "nobody")


def test_it_listens_on_loopback_only(broker: Broker) -> None:
    sockets = _listening_sockets(broker._pid)
    assert len(sockets) == 3
    assert set(sockets) == {HOST}


async def test_a_restart_keeps_what_was_said_and_a_wipe_does_not(broker: Broker) -> None:
    broker.add_vhost("kept")
    broker.kill()
    assert not broker.is_running
    broker.start()
    assert "kept" in broker.evaluate("rabbit_vhost:list_names()")
    broker.wipe()
    broker.start()
    assert "kept" not in broker.evaluate("rabbit_vhost:list_names()")
    assert await said_and_heard(broker.url()) == b"said"


async def test_it_is_gone_with_who_started_it() -> None:
    owner = await asyncio.to_thread(owner_process)
    with owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        assert _is_alive(int(pid))
        os.kill(owner.pid, signal.SIGKILL)
    await wait_until(lambda: not _is_alive(int(pid)) and not Path(folder).exists())


def owner_process() -> "subprocess.Popen[str]":
    """Another process that has started a broker, once its first line is read."""
    return subprocess.Popen(
        [sys.executable, "-c", OWN_AND_WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):  # the latter where it ends while it is read
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _listening_sockets(pid: int) -> list[str]:
    """The addresses that a process listens on, from the kernel's tables."""
    inodes = set[str]()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(link.readlink().name)
    found: list[str] = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.append(_address(fields[1].partition(":")[0]))
    return found


def _address(hexadecimal: str) -> str:
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(hexadecimal)))
