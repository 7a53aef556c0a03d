"""L3: who comes in by a door is answered whatever has become of the broker; what is behind it is in another process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import pytest

from demo.ports import free_port
from hub.clock import AdjustableClock
from hub.installed import installed
from hub.process import HubProcess
from hub.serving import serving
from hub.settings import Settings
from tests.connectors.partner.town import Partner, settle, transfer
from tests.rabbitmq import Broker
from tests.running import SECRET_KEY, running
from tests.waiting import wait_until

LIMIT_S: Final = 60.0
BATCHES: Final = 3


@asynccontextmanager
async def partners_door(database_url: str, amqp_url: str) -> AsyncIterator[tuple[HubProcess, str]]:
    """A process with nothing but the door, and its address."""
    given = {"database_url": database_url, "secret_key": SECRET_KEY, "http_port": free_port()}
    settings = Settings.model_validate({**given, "transport": "rabbitmq", "amqp_url": amqp_url})
    async with serving(settings, AdjustableClock(), installed(["partner"]), database_url) as served:
        assert served.url is not None
        yield served.process, served.url


@pytest.mark.timeout(180)
async def test_the_doors_answer_while_the_broker_is_away(database_url: str, broker: Broker, amqp_url: str) -> None:
    async with (
        running(database_url, "registry", "ledger", transport="rabbitmq", amqp_url=amqp_url) as behind,
        partners_door(database_url, amqp_url) as (door, url),
        aiohttp.ClientSession() as session,
    ):
        await wait_until(lambda: not (door.complaint() or behind.complaint()), LIMIT_S)
        airline = Partner(session, url, "airline", (await settle(behind))["airline"])

        async def answered(when: str) -> None:
            for number in range(BATCHES):
                (result,) = await airline.batch(transfer(f"{when}-{number}"))
                assert result["status"] == "posted", when

        await answered("before")
        await asyncio.to_thread(broker.kill)
        await wait_until(lambda: door.complaint() and behind.complaint(), LIMIT_S)
        await answered("away")
        await asyncio.to_thread(broker.start)
        await wait_until(lambda: not (door.complaint() or behind.complaint()), LIMIT_S)
        await answered("back")
