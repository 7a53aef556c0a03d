"""Every rule finds the fault planted for it, and leaves its innocent twin alone."""

from pathlib import PurePosixPath

import pytest

from tools.house_rules import FUNCTION_LIMIT_LINES, faults_of, parse

TOO_LONG = "def f() -> None:\n" + "    g()\n" * FUNCTION_LIMIT_LINES
LONG_ENOUGH = "def f() -> None:\n" + "    g()\n" * (FUNCTION_LIMIT_LINES - 1)
CATCH_ALL = "try:\n    f()\nexcept Exception:\n    g()\n"
CATCH_ALL_IN_A_TUPLE = "try:\n    f()\nexcept (ValueError, Exception):\n    g()\n"
CATCH_BARE = "try:\n    f()\nexcept:\n    g()\n"
CLEAR_UP = "try:\n    f()\nexcept BaseException:\n    g()\n    raise\n"
RAISE_ANOTHER = "try:\n    f()\nexcept Exception:\n    raise ValueError from None\n"
CATCH_ONE = "try:\n    f()\nexcept ValueError:\n    g()\n"
SILENCED = "x: int = 'a'  # type: " + "ignore[assignment]\n"
MOVING = '@pytest.mark.parametrize("twist", [{"exp": int(time.time())}])\ndef test_f(twist: object) -> None: ...\n'
FIXED = '@pytest.mark.parametrize("twist", [{"exp": int("300")}])\ndef test_f(twist: object) -> None: time.time()\n'


@pytest.mark.parametrize(
    "path,text,fault",
    [
        ("workers/a.py", TOO_LONG, "f has 71 lines"),
        ("tests/a.py", TOO_LONG, "f has 71 lines"),
        ("hub/__init__.py", '"""Doc."""\nfrom hub import bus\n', "docstring only"),
        ("hub/__init__.py", "", "what lives here"),
        ("workers/a.py", CATCH_ALL, "name the error"),
        ("hub/bus.py", RAISE_ANOTHER, "name the error"),
        ("hub/bus.py", CATCH_ALL_IN_A_TUPLE, "name the error"),
        ("connectors/mail/a.py", CATCH_BARE, "name the error"),
        ("workers/a.py", "import asyncpg\n", "asyncpg is imported only"),
        ("hub/bus.py", "from asyncpg.pool import Pool\n", "asyncpg is imported only"),
        ("workers/a.py", "from aiohttp import web\n", "aiohttp.web is imported only"),
        ("hub/bus.py", "import aiohttp.web\n", "aiohttp.web is imported only"),
        ("hub/bus.py", "from aiohttp.web import Request\n", "aiohttp.web is imported only"),
        ("reader_agent/page.py", "import smartcard\n", "smartcard is imported only"),
        ("hub/bus.py", "import aio_pika\n", "aio_pika is imported only"),
        ("tests/peers/airline/client.py", "from schemas.points import Points\n", "a peer imports none"),
        ("hub/bus.py", SILENCED, "no type ignores"),
        ("tests/a.py", MOVING, "time() among the parameters of test_f"),
    ],
)
def test_planted_fault_is_found(path: str, text: str, fault: str) -> None:
    found = faults_of(parse(PurePosixPath(path), text))

    assert found, "the rule is asleep"
    assert all(fault in str(one) and str(one).startswith(f"{path}:") for one in found)


@pytest.mark.parametrize(
    "path,text",
    [
        ("workers/a.py", LONG_ENOUGH),
        ("hub/__init__.py", '"""Doc."""\n'),
        ("workers/a.py", CATCH_ONE),
        ("workers/a.py", CLEAR_UP),
        ("hub/runner.py", CATCH_ALL),
        ("hub/transports/outside.py", CATCH_ALL),
        ("hub/web/app.py", CATCH_ALL),
        ("tests/a.py", CATCH_ALL),
        ("hub/database.py", "import asyncpg\n"),
        ("hub/transports/postgres.py", "import asyncpg\n"),
        ("tests/conftest.py", "import asyncpg\n"),
        ("hub/web/bodies.py", "from aiohttp import web\n"),
        ("connectors/partner/transfers.py", "from aiohttp import web\n"),
        ("reader_agent/uplink.py", "from aiohttp import ClientSession\n"),
        ("reader_agent/readers.py", "import smartcard\n"),
        ("workers/a.py", "import asyncpg_like\n"),
        ("tests/a.py", "from schemas.points import Points\n"),
        ("tests/peers/airline/client.py", "from tests.peers.airline.keys import sign\n"),
        ("tests/a.py", SILENCED),
        ("tests/a.py", FIXED),
    ],
)
def test_innocent_is_left_alone(path: str, text: str) -> None:
    assert faults_of(parse(PurePosixPath(path), text)) == []
