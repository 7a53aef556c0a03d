"""Where we never go, whoever names it (ASVS 1.3.6, 13.2.4, 15.3.2)."""

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.partner import outbound as subject
from connectors.partner.outbound import (
    ANSWER_LIMIT_BYTES,
    RETRY_AFTER_LIMIT_S,
    AwayError,
    ForbiddenAddressError,
    Got,
    Outbound,
    PublicResolver,
    is_public,
)
from demo.ports import free_port
from tests.certificates import self_signed
from tests.connectors.partner.town import HOST
from tests.waiting import wait_until

REAL: Final = "https://hub.example"
REHEARSAL: Final = "http://127.0.0.1:8080"
GOING: Final = """
import asyncio, sys
from connectors.partner.outbound import AwayError, Outbound

async def main():
    outbound = Outbound("http://127.0.0.1:8080")
    for url in sys.argv[1:]:
        try:
            print((await outbound.get(url)).status)
        except AwayError as error:
            print(error)
    await outbound.close()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "url",
    [
        "http://party.example/",
        "https://party.example:8443/",
        "https://user@party.example/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[::ffff:10.0.0.1/",
        "https://party.example:port/",
        "ftp://party.example/",
        "https:///path",
        "",
    ],
)
def test_a_bad_address_is_refused_before_any_connection(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        Outbound(REAL).check(url)


def test_a_hub_of_the_world_does_not_speak_with_its_own_machine() -> None:
    assert Outbound("http://127.0.0.1:8080").check("http://localhost:9000/") == "http://localhost:9000/"
    with pytest.raises(ForbiddenAddressError):
        Outbound(REAL).check("http://localhost:9000/")
    for elsewhere in (
        "http://10.0.0.1/",
        "http://127.0.0.1.party.example/",
        "javascript://127.0.0.1/%0a",
        "file://localhost/etc",
    ):
        with pytest.raises(ForbiddenAddressError):
            Outbound(REHEARSAL).check(elsewhere)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "ff02::1",
    ],
)
def test_inside_addresses_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


def test_outside_addresses_are_public() -> None:
    assert is_public(ip_address("8.8.8.8"))
    assert is_public(ip_address("2001:4860:4860::8888"))
    assert is_public(ip_address("::ffff:8.8.8.8"))


class Rebinding(AbstractResolver):
    """A name that stands for a public address at first, and for an inside one at the next look."""

    def __init__(self) -> None:
        self.addresses = ["8.8.8.8", "127.0.0.1"]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0)
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_name_is_looked_at_each_time_it_is_connected_to() -> None:
    resolver = PublicResolver(Rebinding())
    assert (await resolver.resolve("party.example", 443))[0]["host"] == "8.8.8.8"
    with pytest.raises(OSError, match="inside"):
        await resolver.resolve("party.example", 443)


async def test_what_is_connected_to_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    rebinding = Rebinding()
    rebinding.addresses = ["127.0.0.1"]
    monkeypatch.setattr("connectors.partner.outbound.ThreadedResolver", lambda: rebinding)
    outbound = Outbound(REAL)
    assert outbound.check("https://party.example/hooks")
    with pytest.raises(AwayError) as caught:
        await outbound.post("https://party.example/hooks", b"{}")
    assert "inside" in repr(caught.value.__cause__), "the resolver has refused it, nobody was connected to"
    await outbound.close()


@pytest.mark.loopback
async def test_redirects_are_not_followed_and_long_answers_not_read() -> None:
    async def away(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    async def long(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * (ANSWER_LIMIT_BYTES + 1))

    async def faulty(_request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "99999"})

    routes = [web.get("/away", away), web.get("/long", long), web.get("/faulty", faulty)]
    async with serving(routes) as url, going() as outbound:
        assert (await outbound.get(f"{url}/away")).status == 302
        with pytest.raises(AwayError, match="too long"):
            await outbound.get(f"{url}/long")
        with pytest.raises(AwayError, match="503") as caught:
            await outbound.get(f"{url}/faulty")
        assert (caught.value.status, caught.value.retry_after_s) == (503, RETRY_AFTER_LIMIT_S)
        with pytest.raises(AwayError):
            await outbound.get(f"http://127.0.0.1:{free_port()}/")


@pytest.mark.loopback
async def test_a_drip_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad inputs 40: one byte a second never ends a wait."""
    monkeypatch.setattr(subject, "TIMEOUT_S", 0.5)

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.1)

    async with serving([web.get("/drip", drip)]) as url, going() as outbound:
        with pytest.raises(AwayError, match="Timeout"):
            await asyncio.wait_for(outbound.get(f"{url}/drip"), 15)


@pytest.mark.loopback
async def test_who_is_told_has_longer_than_who_is_asked_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (subject.TIMEOUT_S, subject.TELL_TIMEOUT_S) == (10.0, 15.0)
    monkeypatch.setattr(subject, "TIMEOUT_S", 0.3)
    came, answered = list[str](), asyncio.Event()

    async def late(request: web.Request) -> web.Response:
        came.append(request.method)
        await answered.wait()
        return web.Response()

    routes = [web.get("/late", late), web.post("/late", late)]
    async with serving(routes) as url, going() as outbound:
        telling = asyncio.create_task(outbound.tell(f"{url}/late", b"{}", {}))
        await wait_until(lambda: came)
        with pytest.raises(AwayError, match="Timeout"):
            await outbound.get(f"{url}/late")
        monkeypatch.setattr(subject, "TELL_TIMEOUT_S", 0.3)
        with pytest.raises(AwayError, match="Timeout"):
            await outbound.tell(f"{url}/late", b"{}", {})
        answered.set()
        assert (await telling).status == 200


@pytest.mark.loopback
async def test_waiting_for_a_connection_of_ours_is_not_the_other_side_s_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subject, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(subject, "CONNECTIONS_PER_HOST_LIMIT", 1)
    came, answered = list[str](), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        came.append(request.path)
        await answered.wait()
        return web.Response()

    async with serving([web.get("/", answer)]) as url, going() as outbound:
        asked = [asyncio.create_task(outbound.get(url)) for _ in range(2)]
        try:
            done, _ = await asyncio.wait(asked, timeout=3 * subject.CONNECT_TIMEOUT_S)
            assert (len(came), done) == (1, set())
        finally:
            answered.set()
            got = await asyncio.gather(*asked, return_exceptions=True)
    assert [one.status for one in got if isinstance(one, Got)] == [200, 200]


@pytest.mark.loopback
async def test_a_certificate_that_is_not_known_or_not_the_hosts_is_not_spoken_with(tmp_path: Path) -> None:
    """ASVS 12.3.1, 12.3.2: no fallback; what has to be proven is proven before anything is said."""
    certificate, came = self_signed(tmp_path / "localhost.pem"), list[str]()

    async def take(request: web.Request) -> web.Response:
        came.append(request.path)
        return web.Response()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with serving([web.get("/{name}", take)], context) as url:
        named = url.replace(HOST, "localhost")
        trusting = {**os.environ, "SSL_CERT_FILE": str(certificate)}
        assert await told(trusting, f"{url}/other-host", f"{named}/right") == ["ClientConnectorCertificateError", "200"]
        assert await told({**os.environ}, f"{named}/unknown") == ["ClientConnectorCertificateError"]
    assert came == ["/right"]


async def told(environment: dict[str, str], *urls: str) -> list[str]:
    """What comes of it in a process of its own: whom to trust is read when it starts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", GOING, *urls), env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return said.decode().split()


@asynccontextmanager
async def going() -> AsyncIterator[Outbound]:
    """From a hub on this machine."""
    outbound = Outbound(REHEARSAL)
    try:
        yield outbound
    finally:
        await outbound.close()


@asynccontextmanager
async def serving(routes: list[web.RouteDef], tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Another side; its address."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, HOST, port, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://{HOST}:{port}"
    finally:
        await runner.cleanup()
