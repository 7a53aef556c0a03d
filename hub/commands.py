"""What the command line does that needs a database: run components, migrate."""

import argparse

import structlog

from hub import migrations
from hub.clock import SharedClock, SystemClock
from hub.database import answering
from hub.installed import installed
from hub.serving import database, databases_of, migrated_before, server, serving, until_told_to_stop
from hub.settings import Settings

log = structlog.get_logger()


async def run(options: argparse.Namespace, settings: Settings) -> int:
    """Components until SIGTERM or SIGINT; then what is under way is finished."""
    components = installed(options.components)
    clock = SystemClock() if settings.rehearsal_clock is None else SharedClock(settings.rehearsal_clock)
    names = [one.name for one in components]
    async with (
        migrated_before(settings, names) if options.no_migrate else database(settings) as url,
        serving(settings, clock, components, url, public=not options.no_http) as served,
    ):
        log.info("started", components=names, url=served.url)
        await until_told_to_stop()
    return 0


async def migrate(options: argparse.Namespace, settings: Settings) -> int:
    """Bring the database to the state of this program once it answers, or make its roles alone."""
    sources, passwords = migrations.installed_sources(), settings.role_passwords
    async with server(settings) as own:
        for url in databases_of(settings, own):
            await answering(url)
            if options.roles_only:
                await migrations.make_roles(url, sources, passwords)
                log.info("roles_made")
            else:
                log.info("migrated", applied=len(await migrations.migrate(url, sources, passwords)))
    return 0
