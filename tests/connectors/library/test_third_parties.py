"""What others wrote after the same specification: a server our client asks, a client our simulator answers."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio import create_task_group
from anyio.abc import SocketAttribute
from pysip2 import LOGIN as LOGIN_ROUTE
from pysip2 import PATRON_INFORMATION, PATRON_STATUS, SIP2Server
from pysip2.models import (
    LoginRequest,
    LoginResponse,
    PatronInformationRequest,
    PatronInformationResponse,
    PatronStatusRequest,
    PatronStatusResponse,
)
from Sip2.sip2 import Sip2  # type: ignore[import-untyped]

from connectors.library import sip2
from connectors.library.conversation import Patron
from connectors.library.lines import LibraryLoginError, Lines
from hub.clock import SystemClock
from tests.connectors.library.systems import HOST, KNOWN, LOGIN, PASSWORD, PATRONS, UNKNOWN, simulator, site

pytestmark = pytest.mark.loopback
DATE = "20261123    154553"


def served(charset: str, *, knows_23: bool = True) -> SIP2Server:
    """A library on pysip2: frames without a checksum are refused, and so is whoever does not log in."""
    server = SIP2Server(encoding=charset, institution_id="LIB130001", login_required=True, error_detection="required")

    @server.route(LOGIN_ROUTE)
    async def log_in(asked: LoginRequest, _context: object) -> LoginResponse:
        return LoginResponse(ok="1" if (asked.login_user_id, asked.login_password) == (LOGIN, PASSWORD) else "0")

    def found(asked: PatronStatusRequest | PatronInformationRequest) -> dict[str, Any]:
        name = PATRONS.get(asked.patron_identifier)
        return {
            "patron_status": " " * 14,
            "language": "009",
            "transaction_date": DATE,
            "institution_id": asked.institution_id,
            "patron_identifier": asked.patron_identifier,
            "personal_name": name or "",
            "valid_patron": "N" if name is None else "Y",
        }

    async def status(asked: PatronStatusRequest, _context: object) -> PatronStatusResponse:
        return PatronStatusResponse(**found(asked))

    @server.route(PATRON_INFORMATION)
    async def information(asked: PatronInformationRequest, _context: object) -> PatronInformationResponse:
        assert asked.summary == " " * 10, "no loan data is asked for"
        counts = [name for name in PatronInformationResponse.__struct_fields__ if name.endswith("_count")]
        return PatronInformationResponse(**found(asked) | dict.fromkeys(counts, "0003"))

    if knows_23:
        server.route(PATRON_STATUS)(status)
    return server


@asynccontextmanager
async def listening(server: SIP2Server) -> AsyncIterator[int]:
    """What `SIP2Server.start` does, which leaves its sockets open."""
    async with await server.listen(HOST, 0) as listener, create_task_group() as group:
        group.start_soon(listener.serve, server._handle_connection)
        yield listener.extra(SocketAttribute.local_port)  # noqa: S610 - of AnyIO, not of Django
        group.cancel_scope.cancel()


@pytest.fixture
async def lines() -> AsyncIterator[Lines]:
    kept = Lines(SystemClock())
    yield kept
    await kept.close()


@pytest.mark.parametrize("charset, knows_23", [("utf-8", True), ("cp932", True), ("euc-jp", False)])
async def test_our_client_and_the_server_pysip2(lines: Lines, charset: str, *, knows_23: bool) -> None:
    async with listening(served(charset, knows_23=knows_23)) as port:
        where = site(port, charset=charset, login=LOGIN, password=PASSWORD, location="COUNTER1")
        for _ in range(sip2.SEQUENCES):  # sequence numbers begin anew
            assert await lines.patron(where, KNOWN) is Patron.known
            assert await lines.patron(where, UNKNOWN) is Patron.unknown
        with pytest.raises(LibraryLoginError):
            await lines.patron(where.model_copy(update={"password": "wrong"}), KNOWN)


async def test_the_client_sip2_and_our_simulator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with simulator(login=f"{LOGIN}={PASSWORD}") as port:
        answers = await asyncio.to_thread(talked, port, tmp_path)
    capsys.readouterr()  # it prints when it is gone
    login, status, known, known_64, unknown, ended = answers

    assert login["fixed"]["Ok"] == "1"
    assert status["fixed"]["OnlineStatus"] == "Y"
    assert known["variable"]["BL"] == known_64["variable"]["BL"] == ["Y"]
    assert known["variable"]["AE"] == [PATRONS[KNOWN]]
    assert unknown["variable"]["BL"] == ["N"]
    assert ended["fixed"]["EndSession"] == "Y"


def talked(port: int, log_folder: Path) -> list[dict[str, Any]]:
    """All that the client can ask the simulator; its own check of checksums lets all pass, so they are checked here."""
    client = Sip2()
    client.hostName, client.hostPort, client.tlsEnable = HOST, port, False
    client.logfile_path, client.institutionId = str(log_folder), "LIB130001"
    client.connect()

    def ask(request: str) -> str:
        response = str(client.get_response(request))
        covered, given = re.fullmatch("(.*AZ)([0-9A-F]{4})\r", response).groups()  # type: ignore[union-attr]
        assert sip2.checksum(covered.encode()).decode() == given
        assert response[-10:-7] == request[-10:-7], "the sequence number comes back"
        return response

    client.patron = KNOWN
    answers = [
        client.sip_login_response(ask(client.sip_login_request(LOGIN, PASSWORD))),
        client.sip_sc_status_response(ask(client.sip_sc_status_request())),
        client.sip_patron_status_response(ask(client.sip_patron_status_request())),
        client.sip_patron_information_response(ask(client.sip_patron_information_request("none"))),
    ]
    client.patron = UNKNOWN
    answers.append(client.sip_patron_status_response(ask(client.sip_patron_status_request())))
    answers.append(client.sip_end_patron_session_response(ask(client.sip_end_patron_session_request())))
    client.disconnect()
    for handler in list(client.log.handlers):
        client.log.removeHandler(handler)
        handler.close()
    return answers
