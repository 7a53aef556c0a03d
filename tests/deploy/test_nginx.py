"""The web server's configuration, in Debian's nginx, before a hub with the partners' door."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from demo.ports import free_port
from tests.deploy.parts import DEPLOY, make_secrets, services
from tests.waiting import wait_until

NGINX: Final = Path("/usr/sbin/nginx")
FOLDER: Final = DEPLOY / "nginx"
HOST: Final = "127.0.0.1"
ELSEWHERE: Final = "127.0.0.2"
STOP_LIMIT_S: Final = 10.0
LARGEST_BYTES: Final = 2 << 20

needs_nginx = pytest.mark.skipif(not NGINX.exists(), reason="nginx is not here (Debian, Ubuntu: apt install nginx)")


@dataclass(frozen=True, slots=True)
class Front:
    """nginx at work: its ports, what it trusts to be known by, and what came through it."""

    plain: int
    tls: int
    trust: ssl.SSLContext
    came: list[web.Request]

    def url(self, path: str) -> str:
        """With TLS."""
        return f"https://{HOST}:{self.tls}{path}"


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """The web server with our configuration; this machine's paths and ports are all that is changed."""
    secrets = tmp_path / "secrets"
    make_secrets(secrets)
    came: list[web.Request] = []
    async with _behind(came) as port:
        made = Front(free_port(), free_port(), ssl.create_default_context(cafile=secrets / "ca.pem"), came)
        configuration = _configuration(tmp_path, made, secrets, port)
        process = await asyncio.create_subprocess_exec(
            NGINX, "-e", "stderr", "-p", tmp_path, "-c", configuration, "-g", "daemon off; master_process off;"
        )
        try:
            await wait_until(lambda: _listens(made.tls))
            yield made
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), STOP_LIMIT_S)


def _configuration(folder: Path, front: Front, secrets: Path, behind: int) -> Path:
    upstreams = folder / "upstreams.conf"
    local = (FOLDER / "upstreams-local.conf").read_text()
    for port in (
        "8011",
        "8012",
        "8021",
        "8022",
        "8031",
        "8032",
        "8041",
        "8042",
        "8051",
        "8052",
        "8061",
        "8062",
        "8071",
        "8072",
    ):
        local = local.replace(f"{HOST}:{port}", f"{HOST}:{behind}")
    upstreams.write_text(local)
    replaced = {
        "/tmp/": f"{folder}/",  # noqa: S108 - the container's, not this machine's
        "/run/secrets": str(secrets),
        "/etc/nginx/upstreams.conf": str(upstreams),
        "/etc/nginx/operators.conf": str(FOLDER / "operators.conf"),
        "listen 8080": f"listen {HOST}:{front.plain}",
        "listen 8443": f"listen {HOST}:{front.tls}",
    }
    text = (FOLDER / "nginx.conf").read_text()
    for there, here in replaced.items():
        assert there in text
        text = text.replace(there, here)
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    return configuration


@asynccontextmanager
async def _behind(came: list[web.Request]) -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        if socket.can_prepare(request):
            await socket.prepare(request)
            await socket.send_str("hub")
            return socket
        await request.read()
        came.append(request)
        return web.Response(text="hub")

    app = web.Application(client_max_size=LARGEST_BYTES * 4)
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@needs_nginx
async def test_the_doors_are_passed_on_and_nothing_else_is(front: Front) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.trust)) as session:
        doors = (
            "/api/partner/transfers",
            "/mail/x",
            "/api/terminal/enrolments",
            "/api/counter/operations",
            "/api/street/merges",
            "/api/checkout/authorizations",
            "/",
            "/my",
        )
        for path, status in {**dict.fromkeys(doors, 200), "/metrics": 404, "/api/": 404}.items():
            async with session.get(front.url(path)) as response:
                assert response.status == status, path
                assert "max-age" in response.headers["Strict-Transport-Security"]
    assert {request.path for request in front.came} == set(doors)


@needs_nginx
async def test_operators_come_from_their_networks_only(front: Front) -> None:
    ways = (
        "/api/operations/flow",
        "/api/%6fperations/flow",
        "/api/partner/../operations/flow",
        "//api/operations/flow",
    )
    for address, status in {HOST: 200, ELSEWHERE: 403}.items():
        connector = aiohttp.TCPConnector(ssl=front.trust, local_addr=(address, 0))
        async with aiohttp.ClientSession(connector=connector) as session:
            for way in ways:
                async with session.get(URL(front.url(way), encoded=True)) as response:
                    assert response.status == status, (address, way)
    assert len(front.came) == len(ways)


@needs_nginx
async def test_without_tls_one_is_sent_on(front: Front) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{HOST}:{front.plain}/mail/x?y=1", allow_redirects=False) as response,
    ):
        assert response.status == 308
        assert response.headers["Location"] == f"https://{HOST}/mail/x?y=1"


@needs_nginx
async def test_what_a_client_says_of_itself_is_not_passed_on(front: Front) -> None:
    told = {"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1", "X-Client-Cert": "me", "Forwarded": "for=me"}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.trust)) as session,
        session.get(front.url("/api/partner/transfers"), headers={**told, "Signature": "kept"}) as response,
    ):
        assert response.status == 200
    (request,) = front.came
    assert request.headers.getall("X-Forwarded-For") == [HOST]
    assert told.keys() & request.headers.keys() == {"X-Forwarded-For"}
    assert request.headers["Signature"] == "kept"
    assert request.headers["Host"] == f"{HOST}:{front.tls}"  # signatures are over it


HEAD: Final = b"POST /api/partner/transfers HTTP/1.1\r\nHost: a\r\n"
SMUGGLED: Final = b"0\r\n\r\nGET /api/partner/transfers HTTP/1.1\r\nHost: a\r\nX-Smuggled: yes\r\n\r\n"
AMBIGUOUS: Final = {
    "CL and TE": HEAD + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "TE twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + SMUGGLED,
    "TE spelt otherwise": HEAD + b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "two CL": HEAD + b"Content-Length: 5\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "two hosts": b"GET /api/partner/transfers HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "NUL in a header": b"GET /api/partner/transfers HTTP/1.1\r\nHost: a\r\nX-A: \x00\r\n\r\n",
}


@needs_nginx
@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_what_two_could_read_differently_is_passed_on_to_nobody(front: Front, sent: bytes) -> None:
    """ASVS 4.2.1."""
    reader, writer = await asyncio.open_connection(HOST, front.tls, ssl=front.trust, server_hostname=HOST)
    writer.write(sent)
    async with asyncio.timeout(STOP_LIMIT_S):
        answer = await reader.read()
    writer.close()
    line = answer.partition(b"\r\n")[0]
    assert line.split(b" ")[1] in {b"400", b"501"}, answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1
    assert front.came == []


@needs_nginx
async def test_bodies_have_a_limit_and_files_another(front: Front) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.trust)) as session:
        for path, status in {"/api/partner/transfers": 413, "/api/partner/transfer-files": 200}.items():
            async with session.post(front.url(path), data=io.BytesIO(bytes(LARGEST_BYTES + 1))) as response:
                assert response.status == status, path


@needs_nginx
async def test_its_own_health_check_answers_this_machine(front: Front) -> None:
    check = services()["nginx"]["healthcheck"]["test"]
    path = check[-1].removeprefix("http://127.0.0.1:8080")
    async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{front.plain}{path}") as response:
        assert response.status == 204


def test_both_lists_of_upstreams_name_the_same_doors() -> None:
    names = [
        {line.split()[1] for line in (FOLDER / file).read_text().splitlines() if line.startswith("upstream ")}
        for file in ("upstreams.conf", "upstreams-local.conf")
    ]
    assert names[0] == names[1] == {"partner", "mail", "operations", "terminal", "portal", "street", "checkout"}


@needs_nginx
async def test_the_agents_door_alone_becomes_a_websocket(front: Front) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.trust)) as session:
        async with session.ws_connect(front.url("/agent/v1")) as socket:
            assert await socket.receive_str() == "hub"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(front.url("/api/partner/agent"))
    assert refused.value.status == 200
    assert "Upgrade" not in front.came[-1].headers
