"""What the command line does that needs a database: run components, migrate."""

import argparse

import structlog

from hub import migrations
from hub.clock import SystemClock
from hub.installed import installed
from hub.serving import database, serving, until_told_to_stop
from hub.settings import Settings

log = structlog.get_logger()


async def run(options: argparse.Namespace, settings: Settings) -> int:
    """Components until SIGTERM or SIGINT; then what is under way is finished."""
    components = installed(options.components)
    async with (
        database(settings) as url,
        serving(settings, SystemClock(), components, url, public=not options.no_http) as served,
    ):
        log.info("started", components=[one.name for one in components], url=served.url)
        await until_told_to_stop()
    return 0


async def migrate(_options: argparse.Namespace, settings: Settings) -> int:
    """Bring the database to the state of this program."""
    async with database(settings) as url:
        applied = await migrations.migrate(url, migrations.installed_sources(), settings.role_passwords)
    log.info("migrated", applied=len(applied))
    return 0
