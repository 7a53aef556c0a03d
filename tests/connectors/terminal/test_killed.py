"""A process that waits for a card is killed: another one answers whoever asked, and no person is asked again."""

import asyncio
from typing import Final

import asyncpg
import pytest
from aiohttp import ClientSession

from demo.ports import free_port
from schemas.card_jobs import CardAnswer
from schemas.uplink import CardJob
from tests.connectors.terminal.agents import HOST, Agent, Hub, Terminal, enrolled, hubs, read_card, signed
from tests.connectors.terminal.outside import TerminalProcess
from tests.waiting import wait_until

LIMIT_S: Final = 60.0
TRIES_LIMIT: Final = 40
WAITS: Final = "SELECT asked_by <> process_id FROM terminal.job WHERE job_id = $1"
"""Whether the process that waits for it is another one than the terminal is connected to."""


@pytest.fixture(params=["postgres", "rabbitmq"])
def transport(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "postgres":
        return {}
    return {"transport": "rabbitmq", "amqp_url": request.getfixturevalue("amqp_url")}


@pytest.mark.timeout(120)
async def test_an_ask_whose_process_is_killed_is_answered_by_another_one(
    database_url: str, transport: dict[str, str]
) -> None:
    ports = free_port(), free_port()
    async with hubs(database_url, ["registry", "partner"], **transport) as (elsewhere,), ClientSession() as session:
        (terminal,) = await enrolled(elsewhere.bus, elsewhere.url)
        doors = [
            await TerminalProcess.start(database_url, at, elsewhere.url, ["terminal"], **transport) for at in ports
        ]
        owner = await asyncpg.connect(database_url)
        try:
            agent = await Agent.dial(session, Hub(elsewhere.process, f"http://{HOST}:{ports[0]}"), terminal)
            asking, job = await _asked_by_the_other(elsewhere, terminal, agent, owner)
            await doors[1].kill()
            await wait_until(lambda: _is_back(owner, job), LIMIT_S)
            await agent.say(signed(job))
            answer = await asking
        finally:
            await owner.close()
            await asyncio.gather(*(door.kill() for door in doors))
    assert answer.proof is not None
    assert answer.proof.job_id == job.job_id


async def _asked_by_the_other(
    elsewhere: Hub, terminal: Terminal, agent: Agent, owner: "asyncpg.Connection[asyncpg.Record]"
) -> tuple["asyncio.Task[CardAnswer]", CardJob]:
    """A call taken by the process that the terminal is not connected to: which one takes it is chance."""
    for _ in range(TRIES_LIMIT):
        ask = read_card(terminal, limit_s=LIMIT_S)
        asking = asyncio.create_task(elsewhere.bus.call(ask, ask.deadline_s))
        job = await agent.card_job()
        if await owner.fetchval(WAITS, job.job_id):
            return asking, job
        await agent.say(signed(job))
        await asking
    raise AssertionError("it was never the other one")


async def _is_back(owner: "asyncpg.Connection[asyncpg.Record]", job: CardJob) -> bool:
    return not await owner.fetchval(WAITS, job.job_id)
