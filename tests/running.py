"""A hub process for a test: some components on the test's own database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from hub.clock import AdjustableClock, Clock
from hub.installed import installed
from hub.process import HubProcess
from hub.settings import Settings

SECRET_KEY: Final = "only-for-tests: 7f1c9a04e2b85d36"


@asynccontextmanager
async def running(
    database_url: str, *components: str, clock: Clock | None = None, **settings: object
) -> AsyncIterator[HubProcess]:
    """`running(database_url, "registry", "ledger")`: these components, working; settings by their names."""
    made = Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY, **settings})
    async with HubProcess(made, clock or AdjustableClock(), installed(components), database_url) as process:
        yield process
