"""Probes and metrics."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter

from hub.errors import TransientError
from hub.web import health
from hub.web.health import Check, health_routes
from tests.hub.web.serving import serving

pytestmark = pytest.mark.loopback


async def well() -> str | None:
    return None


async def unwell() -> str | None:
    return "lag"


async def unreachable() -> str | None:
    raise ConnectionRefusedError


async def not_now() -> str | None:
    raise TransientError


async def silent() -> str | None:
    await asyncio.Event().wait()
    return None


async def test_alive_and_ready() -> None:
    async with serving(health_routes([Check("database", well)])) as (_, client):
        for path in ("/healthz", "/readyz"):
            async with client.get(path) as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "ok", "failed": []})


async def test_what_does_not_work_is_named_and_only_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    looks = {"a": well, "b": unwell, "c": unreachable, "d": not_now, "e": silent}
    async with serving(health_routes([Check(name, look) for name, look in looks.items()])) as (_, client):
        async with client.get("/readyz") as answer:
            assert answer.status == 503
            assert await answer.json() == {"status": "degraded", "failed": ["b", "c", "d", "e"]}
        async with client.get("/healthz") as answer:
            assert answer.status == 200


async def test_it_is_ready_without_what_it_does_not_need() -> None:
    checks = [Check("database", well), Check("broker", unwell, needed=False)]
    async with serving(health_routes(checks)) as (_, client), client.get("/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "degraded", "failed": ["broker"]})


async def test_it_is_not_ready_where_something_needed_fails_too() -> None:
    checks = [Check("database", unwell), Check("broker", unwell, needed=False)]
    async with serving(health_routes(checks)) as (_, client), client.get("/readyz") as answer:
        assert (answer.status, await answer.json()) == (503, {"status": "degraded", "failed": ["database", "broker"]})


async def test_metrics_are_served() -> None:
    registry = CollectorRegistry()
    Counter("tests_served", "Tests", registry=registry).inc(3)
    async with serving(health_routes([], registry)) as (_, client), client.get("/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert "tests_served_total 3.0" in await answer.text()


async def test_requests_are_counted_by_route_not_by_address() -> None:
    async with serving(health_routes([])) as (_, client):
        async with client.get("/no/such/nobody-12345"):
            pass
        async with client.get("/metrics") as answer:
            text = await answer.text()
    assert 'mykey_http_seconds_count{method="any",route="unknown",status="404"}' in text
    assert "nobody-12345" not in text
