"""Where we never go, whoever names it (ASVS 1.3.6, 13.2.4, 15.3.2)."""

import socket
from ipaddress import ip_address

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.partner.outbound import (
    ANSWER_LIMIT_BYTES,
    RETRY_AFTER_LIMIT_S,
    AwayError,
    ForbiddenAddressError,
    Outbound,
    PublicResolver,
    is_public,
)
from tests.connectors.partner.town import free_port

REAL = "https://hub.example"


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
    with pytest.raises(ForbiddenAddressError):
        Outbound("http://127.0.0.1:8080").check("http://10.0.0.1/")


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

    app = web.Application()
    app.add_routes([web.get("/away", away), web.get("/long", long), web.get("/faulty", faulty)])
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    outbound = Outbound("http://127.0.0.1:8080")
    try:
        assert (await outbound.get(f"http://127.0.0.1:{port}/away")).status == 302
        with pytest.raises(AwayError, match="too long"):
            await outbound.get(f"http://127.0.0.1:{port}/long")
        with pytest.raises(AwayError, match="503") as caught:
            await outbound.get(f"http://127.0.0.1:{port}/faulty")
        assert (caught.value.status, caught.value.retry_after_s) == (503, RETRY_AFTER_LIMIT_S)
        with pytest.raises(AwayError):
            await outbound.get(f"http://127.0.0.1:{free_port()}/")
    finally:
        await outbound.close()
        await runner.cleanup()
