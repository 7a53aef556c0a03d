"""The web server's configuration, in Debian's nginx, before a hub with the partners' door."""

import asyncio
import io
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from demo.ports import free_port
from hub.settings import Settings
from hub.web.problems import PROBLEM_TYPE
from schemas.problems import PROBLEMS, Problem, ProblemCode, problem_type
from tests.children import stopped
from tests.deploy.parts import DEPLOY, make_secrets, services
from tests.waiting import wait_until

NGINX: Final = Path("/usr/sbin/nginx")
FOLDER: Final = DEPLOY / "nginx"
HOST: Final = "127.0.0.1"
ELSEWHERE: Final = "127.0.0.2"
STOP_LIMIT_S: Final = 10.0
LARGEST_BYTES: Final = 2 << 20
UNIT: Final = Path("/lib/systemd/system/nginx.service")
NO_ANSWER: Final = "/api/partner/never"
NO_PAGE: Final = "/my/never"
NOTHING: Final[Mapping[str, str]] = {}
PROCESSES_LIMIT: Final = 16
SIGNED: Final = ("/api/partner/transfers", "/api/checkout/authorizations")

needs_unit = pytest.mark.skipif(not UNIT.exists(), reason="no nginx.service of Debian's here: it is not tried")
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
    """The web server with the container's configuration; this machine's paths and ports are all that is changed."""
    came: list[web.Request] = []
    async with _behind(came) as port, _in_front(tmp_path, came, port) as made:
        yield made


@asynccontextmanager
async def _in_front(
    folder: Path, came: list[web.Request], behind: int, changed: Mapping[str, str] = NOTHING
) -> AsyncIterator[Front]:
    """Nginx as in the container, with all doors at one port; `changed`: what a test has otherwise in what is shared."""
    made = _front(folder, came)
    places = {
        "/tmp/": f"{folder}/",  # noqa: S108 - the container's, not this machine's
        "/run/secrets": str(folder / "secrets"),
        "listen 8080": f"listen {HOST}:{made.plain}",
        "listen 8443": f"listen {HOST}:{made.tls}",
    }
    main = _configuration(folder, "nginx.conf", places, behind, changed)
    process = await asyncio.create_subprocess_exec(
        NGINX, "-e", "stderr", "-p", folder, "-c", main, "-g", "daemon off; master_process off;"
    )
    try:
        await wait_until(lambda: _listens(made.tls))
        yield made
    finally:
        await stopped(process, STOP_LIMIT_S)


def _front(folder: Path, came: list[web.Request]) -> Front:
    secrets = folder / "secrets"
    make_secrets(secrets)
    return Front(free_port(), free_port(), ssl.create_default_context(cafile=secrets / "ca.pem"), came)


def _configuration(
    folder: Path, main: str, places: Mapping[str, str], behind: int, changed: Mapping[str, str] = NOTHING
) -> Path:
    """All files side by side, as in /etc/nginx."""
    made = folder / "nginx"
    shutil.copytree(FOLDER, made)
    for name in ("upstreams.conf", "upstreams-local.conf"):
        local = (FOLDER / "upstreams-local.conf").read_text()
        (made / name).write_text(re.sub(rf"{HOST}:\d+", f"{HOST}:{behind}", local))
    _replace(made / main, places)
    for name in ("http.conf", "doors.conf"):
        _replace(made / name, {there: here for there, here in changed.items() if there in (made / name).read_text()})
    return made / main


def _replace(path: Path, replaced: Mapping[str, str]) -> None:
    text = path.read_text()
    for there, here in replaced.items():
        assert there in text
        text = text.replace(there, here)
    path.write_text(text)


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
        if request.path in {NO_ANSWER, NO_PAGE}:
            await asyncio.Event().wait()
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
        for path, status in {**dict.fromkeys(doors, 200), "/metrics": 404, "/api/x": 404}.items():
            async with session.get(front.url(path)) as response:
                assert response.status == status, path
                assert "max-age" in response.headers["Strict-Transport-Security"]
    assert {request.path for request in front.came} == set(doors)


@needs_nginx
async def test_each_door_that_others_build_for_has_its_document(front: Front) -> None:
    documents = ("/api/", "/api/openapi.json")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.trust)) as session:
        for door in ("/api/", "/api/checkout/", "/api/street/"):
            for path in (door, f"{door}openapi.json"):
                async with session.get(front.url(path)) as response:
                    assert response.status == 200, path
    assert [request.path for request in front.came] == list(documents) * 3


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


@needs_nginx
@needs_unit
async def test_debians_service_starts_the_file_for_systemd(tmp_path: Path) -> None:
    """By the unit's own commands, to which no file is named but this one; systemd hands them a socket as stderr."""
    unit = UNIT.read_text()
    (pid_file,) = re.findall(r"^PIDFile=(\S+)$", unit, re.MULTILINE)
    came: list[web.Request] = []
    made = _front(tmp_path, came)
    places = {
        f"pid {pid_file};": f"pid {tmp_path}/pid;",
        "/etc/mykey-hub/secrets": str(tmp_path / "secrets"),
        "listen 80 ": f"listen {HOST}:{made.plain} ",
        "listen 443 ": f"listen {HOST}:{made.tls} ",
        "/var/log/nginx": str(tmp_path),
        "http {": f"http {{ {_work_folders(tmp_path)}",
    }
    async with _behind(came) as port:
        main = _configuration(tmp_path, "nginx-local.conf", places, port)
        try:
            for command in re.findall(r"^ExecStart(?:Pre)?=(.+)$", unit, re.MULTILINE):
                await asyncio.to_thread(_as_systemd, [*shlex.split(command), "-c", str(main)])
            await wait_until(lambda: _listens(made.tls))
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=made.trust)) as session:
                async with session.get(made.url("/api/partner/transfers")) as response:
                    assert response.status == 200
                async with session.get(f"http://{HOST}:{made.plain}/my", allow_redirects=False) as response:
                    assert response.headers["Location"] == f"https://{HOST}/my"
        finally:
            _quit(tmp_path / "pid")
            await wait_until(lambda: not (tmp_path / "pid").exists(), STOP_LIMIT_S)
    assert [request.path for request in came] == ["/api/partner/transfers"]


def _work_folders(folder: Path) -> str:
    """Debian's are its web server's own, and a test may be anybody."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


def _as_systemd(command: list[str]) -> None:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        done = subprocess.run(command, stderr=theirs.fileno(), check=False, timeout=STOP_LIMIT_S)
        theirs.shutdown(socket.SHUT_WR)
        assert done.returncode == 0, ours.recv(LARGEST_BYTES).decode()


def _quit(pid_file: Path) -> None:
    """As ExecStop does, if it was started."""
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), signal.SIGQUIT)


@pytest.mark.parametrize("main", ["nginx.conf", "nginx-local.conf"])
def test_what_is_included_is_there(main: str) -> None:
    """Beside the file; and a container is handed each of them."""
    waiting, named = [main], set[str]()
    while waiting:
        found = re.findall(r"^\s*include (?!/)(\S+);$", (FOLDER / waiting.pop()).read_text(), re.MULTILINE)
        waiting += [name for name in found if name not in named]
        named.update(found)
    assert {"http.conf", "doors.conf", "operators.conf"} < named
    assert [name for name in named if not (FOLDER / name).is_file()] == []
    mounted = {mount.split(":")[1] for mount in services()["nginx"]["volumes"]}
    assert main != "nginx.conf" or mounted == {f"/etc/nginx/{name}" for name in named | {main}}


def test_who_signs_has_its_limits_from_the_hub_long_before_those_against_floods() -> None:
    """Of each process the hub's own, and all of them at one address."""
    settings = Settings()
    (rate,) = re.findall(r"zone=signed:\w+ rate=(\d+)r/s;", (FOLDER / "http.conf").read_text())
    doors = (FOLDER / "doors.conf").read_text()
    bursts, at_once = (
        re.findall(pattern, doors)
        for pattern in (r"limit_req zone=signed burst=(\d+) nodelay;", r"limit_conn connections (\d+);")
    )
    least = PROCESSES_LIMIT * settings.partner_requests_per_s
    assert min(int(number) for number in (rate, *bursts)) >= least
    assert PROCESSES_LIMIT * settings.partner_requests_at_once in map(int, at_once)


@needs_nginx
@pytest.mark.parametrize("path", SIGNED)
async def test_what_the_hub_allows_is_passed_on(path: str, front: Front) -> None:
    """More than people's pages may ask, at once."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.trust, limit=100)) as session:

        async def asked() -> int:
            async with session.get(front.url(path)) as response:
                return response.status

        assert set(await asyncio.gather(*(asked() for _ in range(600)))) == {200}


@needs_nginx
async def test_whoever_floods_is_told_when_to_come_again(tmp_path: Path) -> None:
    slow = {"zone=signed:10m rate=5000r/s": "zone=signed:10m rate=1r/m", "burst=5000": "burst=1"}
    came: list[web.Request] = []
    async with _behind(came) as port, _in_front(tmp_path, came, port, slow) as front, _session(front) as session:
        answers = [await _answer(session, front, SIGNED[0]) for _ in range(3)]
    assert [answer.status for answer, _ in answers] == [200, 200, 429]
    assert_is_problem(*answers[-1], ProblemCode.too_many)
    assert len(came) == 2


@needs_nginx
async def test_while_nobody_is_behind_it_one_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with _in_front(tmp_path, [], free_port()) as front, _session(front) as session:
        assert_is_problem(*await _answer(session, front, SIGNED[0]), ProblemCode.outcome_unknown)
        for path in ("/", "/my"):
            assert_is_page(*await _answer(session, front, path))


@needs_nginx
async def test_no_answer_in_time_is_told_as_the_hub_tells_it(tmp_path: Path) -> None:
    came: list[web.Request] = []
    soon = {"proxy_read_timeout 60s": "proxy_read_timeout 100ms"}
    async with _behind(came) as port, _in_front(tmp_path, came, port, soon) as front, _session(front) as session:
        assert_is_problem(*await _answer(session, front, NO_ANSWER), ProblemCode.outcome_unknown)
        assert_is_page(*await _answer(session, front, NO_PAGE))


def _session(front: Front) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=front.trust))


async def _answer(session: aiohttp.ClientSession, front: Front, path: str) -> tuple[aiohttp.ClientResponse, str]:
    async with session.post(front.url(path), data=b"{}") as response:
        return response, await response.text()


def assert_is_page(answer: aiohttp.ClientResponse, text: str) -> None:
    """For citizens: whether it was done is unknown, and where it will be seen."""
    assert (answer.status, answer.content_type, answer.charset) == (503, "text/html", "utf-8")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert '<html lang="ja">' in text
    assert "完了したかどうかは、まだ確認できていません" in text
    assert "履歴で確認" in text
    assert str(UUID(answer.headers["X-Request-Id"])) in text
    assert "nginx" not in text


def assert_is_problem(answer: aiohttp.ClientResponse, text: str, code: ProblemCode) -> None:
    """As the hub's own are, in all but who can find it again."""
    problem, known = Problem.model_validate_json(text), PROBLEMS[code]
    assert text.isascii()
    assert (answer.status, answer.content_type, answer.charset) == (known.status, PROBLEM_TYPE, "utf-8")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    assert problem == Problem(
        type=problem_type(code),
        title=known.title,
        title_ja=known.title_ja,
        status=known.status,
        detail=known.remedy,
        detail_ja=known.remedy_ja,
        instance=f"urn:uuid:{problem.request_id}",
        request_id=str(UUID(problem.request_id)),
        trace_id=UUID(problem.request_id).hex,
    )
    assert answer.headers["X-Request-Id"] == problem.request_id
