"""Is the mail server there? Tried on loopback, against servers in every state."""

import pytest

from connectors.mail.reaching import Reaching
from connectors.mail.smtp import Server
from schemas.connections import ConnectionTested, MailServerReached
from tests.connectors.mail.test_smtp import HOST, catching, listening, playing

pytestmark = pytest.mark.loopback


async def reached(port: int) -> ConnectionTested:
    server = Server(HOST, port, "none", "mykey.example", 2.0)
    return await Reaching(server)(MailServerReached())


async def test_a_server_that_is_there_is_asked_for_nothing_but_a_nod() -> None:
    hooks, serve = catching()
    async with listening(serve) as port:
        tested = await reached(port)

    assert tested.ok
    assert [step.name.partition(" ")[0] for step in tested.steps] == ["connect", "EHLO", "NOOP"]
    assert all(step.took_ms > 0 for step in tested.steps)
    assert hooks.kept.mails == 0


@pytest.mark.parametrize(
    "lines,failed",
    [
        ((b"554 no service for you\r\n",), "connect"),
        ((b"220 hello\r\n", b"502 what?\r\n", b"502 what?\r\n"), "EHLO"),
    ],
)
async def test_the_step_that_fails_is_the_last(lines: tuple[bytes, ...], failed: str) -> None:
    async with playing(*lines) as port:
        tested = await reached(port)

    assert not tested.ok
    assert tested.steps[-1].name.startswith(failed)
    assert "you" not in tested.steps[-1].detail, "what a server says may be anything"


async def test_nobody_there() -> None:
    async with playing() as port:
        pass
    tested = await reached(port)

    assert [step.ok for step in tested.steps] == [False]
