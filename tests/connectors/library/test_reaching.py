"""Is the library system there? Tried against systems in every state; of no patron anything is asked."""

from collections.abc import AsyncIterator

import pytest

from demo.ports import free_port
from hub.process import HubProcess
from schemas.connections import ConnectionTested, LibraryReached
from schemas.libraries import RegisterLibrarySite
from tests.connectors.library.systems import ISSUER, LOGIN, ONLINE, PASSWORD, answering, simulator, site, system
from tests.running import running


@pytest.fixture
async def process(database_url: str) -> AsyncIterator[HubProcess]:
    async with running(database_url, "library") as at_work:
        yield at_work


async def reached(process: HubProcess, port: int, **changes: object) -> ConnectionTested:
    """The test of a site with these settings."""
    await process.bus.call(RegisterLibrarySite(site=site(port, timeout_s=2.0, **changes)), 10)
    return await process.bus.call(LibraryReached(issuer_id=ISSUER), 10)


def told(tested: ConnectionTested) -> list[tuple[str, bool, str]]:
    return [(step.name.partition(" (")[0], step.ok, step.detail) for step in tested.steps]


async def test_every_step_is_told_up_to_the_first_that_fails(process: HubProcess) -> None:
    registered, connected = ("site registered", True, ""), ("connect", True, "")
    tested = await process.bus.call(LibraryReached(issuer_id=ISSUER), 10)
    assert told(tested) == [("site registered", False, "no site is registered for this issuer")]
    assert not tested.ok

    with simulator(login=f"{LOGIN}={PASSWORD}") as port:
        tested = await reached(process, port, login=LOGIN, password=PASSWORD)
        logged_in = ("log in", True, "")
        assert told(tested) == [registered, connected, logged_in, ("status", True, "answers to YNNNYYYYYNNNNNNN")]
        assert tested.steps[1].name == f"connect (127.0.0.1:{port}, none, utf-8)"
        assert tested.ok
        tested = await reached(process, port, login=LOGIN, password="wrong")
        assert told(tested) == [registered, connected, ("log in", False, "LoginRefusedError")]

    assert told(await reached(process, free_port())) == [registered, ("connect", False, "ConnectionRefusedError")]
    without = ("log in", True, "no login is registered: left out")
    async with system(answering(ONLINE.replace("98Y", "98N"))) as port:
        assert told(await reached(process, port)) == [registered, connected, without, ("status", False, "ClosedError")]
    async with system(answering(ONLINE.replace("YNNNYYYYY", "<b>secret"))) as port:
        assert told(await reached(process, port))[-1] == ("status", True, "")
