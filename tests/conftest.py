"""What every test may ask for: a database of its own on a real PostgreSQL, and a clock.

The server is the embedded one, or the one named by MYKEY_TEST_DATABASE_URL: PostgreSQL ≥ 15 on a Unix socket,
without passwords, by a role that may create databases and roles. All migrations run once, into a template; each
test that asks for `database_url` gets a copy of it.

RabbitMQ is one broker for the session (`broker`), with a virtual host of its own for each test (`amqp_url`). Where
Debian's `rabbitmq-server` is not installed, those tests are skipped: they never run over something else.

Cards are put into the virtual readers of a real PC/SC service (`pcscd`); they are skipped where that is not installed.

A test that asks for neither may not use the network at all; one marked `loopback` may talk to 127.0.0.1.
"""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import hypothesis
import pytest
import pytest_socket
import structlog

from hub import migrations
from hub.clock import AdjustableClock
from hub.embedded_postgres import EmbeddedPostgres
from hub.migrations import MigrationSource
from hub.settings import Settings
from tests import rabbitmq
from tests.peers.card import pcscd as card_readers
from tests.peers.card.authority import CardAuthority
from tests.peers.card.pcscd import Pcscd
from tests.rabbitmq import Broker

_ROOT = Path(__file__).parent.parent
_LOOPBACK = ["127.0.0.1", "::1"]
# Whole processes are started there, and they talk over loopback.
_FOLDERS_WITH_NETWORK = ("journeys", "reliability", "peers", "bench", "deploy")
# They starve, kill and measure, and start programs on every core: `make test` runs them by themselves.
_ALONE = ("reliability", "journeys/test_story.py")
_ADMIN_TIMEOUT_S = 30

# The tests kill processes, never the machine: what the kernel has is enough, and a test costs no disk flush.
_TEST_SERVER_SETTINGS = {"fsync": "off", "full_page_writes": "off", "autovacuum_naptime": "10s"}


# How long an example takes tells of the machine, and of what else it does.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

# Without settings structlog has rich draw tracebacks with all locals: half a second of the loop for each, in an outage.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - a folder of the test server's own is made in it
_MEMORY_LEAST_BYTES = 4 * 1024**3


class Admin:
    """One connection that makes and drops databases, on an event loop of its own."""

    def __init__(self, url: str) -> None:
        # A loop given by a factory is never made the thread's current one: the tests have their own.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connection: asyncpg.Connection[asyncpg.Record] = self.run(
            asyncpg.connect(with_database(url, "postgres"), timeout=_ADMIN_TIMEOUT_S)
        )

    def run(self, coroutine: Any) -> Any:  # noqa: ANN401 - whatever the coroutine returns
        """Run a coroutine on the admin's loop."""
        return self._runner.run(coroutine)

    def execute(self, sql: str) -> None:
        """Run one statement outside a transaction."""
        self.run(self._connection.execute(sql, timeout=_ADMIN_TIMEOUT_S))

    def close(self) -> None:
        """Disconnect."""
        self.run(self._connection.close())
        self._runner.close()


def with_database(url: str, database: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def all_sources() -> list[MigrationSource]:
    """The migrations of everything that is installed or lies in the working tree, the hub's first."""
    found = {source.name: source for source in migrations.installed_sources()}
    for floor in ("workers", "connectors"):
        for folder in sorted(_ROOT.glob(f"{floor}/*/migrations")):
            found.setdefault(folder.parent.name, MigrationSource(folder.parent.name, folder))
    return list(found.values())


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "loopback: a unit test that talks to a server of its own on 127.0.0.1")
    config.addinivalue_line("markers", "alone: nothing else is to run beside it; given by where it is")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    alone = [_ROOT / "tests" / place for place in _ALONE]
    for item in items:
        if any(item.path.is_relative_to(place) for place in alone):
            item.add_marker("alone")


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Close the network to unit tests; asyncio and the database need Unix sockets only."""
    if _may_use_loopback(item):
        pytest_socket.socket_allow_hosts(_LOOPBACK, allow_unix_socket=True)
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)


def _may_use_loopback(item: pytest.Item) -> bool:
    folders = item.path.relative_to(_ROOT / "tests").parts if item.path.is_relative_to(_ROOT / "tests") else ()
    named = bool(folders) and folders[0] in _FOLDERS_WITH_NETWORK
    needs_server = not {"server_url", "broker", "pcscd"}.isdisjoint(getattr(item, "fixturenames", ()))
    return named or needs_server or item.get_closest_marker("loopback") is not None


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The owner's URL of the server that the tests share."""
    given = os.environ.get("MYKEY_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with EmbeddedPostgres.temporary(_TEST_SERVER_SETTINGS, _memory_folder()) as server:
        yield server.url


def _memory_folder() -> Path | None:
    """Where files are in memory, if it is large: the copy of the template takes a fifth of the time there."""
    large = _MEMORY_FOLDER.is_dir() and shutil.disk_usage(_MEMORY_FOLDER).free >= _MEMORY_LEAST_BYTES
    return _MEMORY_FOLDER if large else None


@pytest.fixture(scope="session")
def admin(server_url: str) -> Iterator[Admin]:
    """Makes and drops databases."""
    connected = Admin(server_url)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def template_database(server_url: str, admin: Admin) -> Iterator[str]:
    """The name of a database with all migrations applied, which nobody connects to."""
    name = f"mykey_template_{uuid4().hex}"
    admin.execute(f"CREATE DATABASE {name}")
    admin.run(migrations.migrate(with_database(server_url, name), all_sources()))
    yield name
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def copied(server_url: str, admin: Admin, template_database: str) -> Iterator[str]:
    """The owner's URL of a copy of the template, for as long as it is needed."""
    name = f"mykey_test_{uuid4().hex}"
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
    yield with_database(server_url, name)
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def database_url(server_url: str, admin: Admin, template_database: str) -> Iterator[str]:
    """The owner's URL of a database of the test's own, migrated and empty."""
    with copied(server_url, admin, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(server_url: str, admin: Admin, template_database: str) -> Iterator[str]:
    """As `database_url`, for a whole file."""
    with copied(server_url, admin, template_database) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str, admin: Admin) -> Iterator[str]:
    """The owner's URL of a database of the test's own, with nothing in it."""
    name = f"mykey_test_{uuid4().hex}"
    admin.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    yield with_database(server_url, name)
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The RabbitMQ that the tests share; one that stopped, killed or wiped it need not start it again."""
    if not rabbitmq.is_installed():
        pytest.skip(rabbitmq.MISSING)
    with Broker() as running:
        yield running


@pytest.fixture
def amqp_url(broker: Broker) -> Iterator[str]:
    """Where the test's own virtual host is, empty, for a user who may do everything there."""
    if not broker.is_running:
        broker.start()
    with broker.fresh_vhost() as vhost:
        yield broker.url(vhost=vhost)


@pytest.fixture(scope="session")
def pcscd() -> Iterator[Pcscd]:
    """The PC/SC service that the tests share: two virtual readers. Programs find it by its `environment`."""
    if not card_readers.is_installed():
        pytest.skip(card_readers.MISSING)
    with Pcscd(poll_ms=20) as running:
        yield running


@pytest.fixture(scope="session")
def card_authority() -> CardAuthority:
    """Whoever issues My Number Cards."""
    return CardAuthority()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Whoever changes how the process logs does so for itself only."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings for a hub on the embedded server, with a data folder of the test's own."""
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def clock() -> AdjustableClock:
    """A clock that starts now and goes where the test moves it."""
    return AdjustableClock()
