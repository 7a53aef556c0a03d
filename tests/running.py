"""A hub process for a test: some components on the test's own database."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from hub.clock import AdjustableClock, Clock
from hub.component import Installed
from hub.installed import installed
from hub.process import HubProcess
from hub.settings import Settings

SECRET_KEY: Final = "only-for-tests: 7f1c9a04e2b85d36"


@asynccontextmanager
async def running(
    database_url: str, *components: str, clock: Clock | None = None, **settings: object
) -> AsyncIterator[HubProcess]:
    """`running(database_url, "registry", "ledger")`: these components, working; settings by their names."""
    async with _process(installed(components), database_url, clock, settings) as process:
        yield process


@asynccontextmanager
async def running_without_jobs(
    database_url: str, *components: str, clock: Clock | None = None, **settings: object
) -> AsyncIterator[HubProcess]:
    """The same, but what it does is only what it is asked for."""
    chosen = [each.without_work() for each in installed(components)]
    async with _process(chosen, database_url, clock, settings) as process:
        yield process


def _process(
    chosen: Sequence[Installed], database_url: str, clock: Clock | None, settings: Mapping[str, object]
) -> HubProcess:
    made = Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY, **settings})
    return HubProcess(made, clock or AdjustableClock(), chosen, database_url)
