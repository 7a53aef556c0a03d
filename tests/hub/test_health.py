"""A supervisor is told whether the process on this machine is ready, and gets an answer whatever is wrong."""

import asyncio

import pytest

from demo.ports import free_port
from hub import health
from hub.web.app import make_app
from hub.web.health import Check, health_routes
from hub.web.server import Door

pytestmark = pytest.mark.loopback


async def asked(monkeypatch: pytest.MonkeyPatch, port: int) -> int:
    monkeypatch.setenv(health.VARIABLE, str(port))
    return await asyncio.to_thread(health.main)


@pytest.mark.parametrize("complaint, status", [(None, 0), ("unreachable", 1)])
async def test_it_says_what_the_process_says(
    complaint: str | None, status: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def look() -> str | None:
        return complaint

    async with Door(make_app(health_routes([Check("database", look)])), health.HOST, 0) as door:
        assert await asked(monkeypatch, door.port) == status
    assert ("database" in capfd.readouterr().err) is bool(complaint)


@pytest.mark.parametrize("listening, named", [("::1", "::1"), ("0.0.0.0", "0.0.0.0"), ("127.0.0.1", "")])  # noqa: S104
async def test_it_is_asked_where_it_listens(listening: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(health.HOST_VARIABLE, named)
    async with Door(make_app(health_routes([])), listening, 0) as door:
        assert await asked(monkeypatch, door.port) == 0


async def test_nobody_there_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await asked(monkeypatch, free_port()) == 1


def test_no_port_named_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(health.VARIABLE, raising=False)
    assert health.main() == 1
