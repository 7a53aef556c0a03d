"""A program of a later release, which knows points.credited.v2: `python -m tests.hub.newer_program URL [hear]`.

It says one event of each version, the newer one between the older ones, and ends; with `hear` it is the mailer, until
it is told to stop.
"""

import asyncio
import sys
from typing import Any, ClassVar, Final
from uuid import UUID

from hub.routes import DELIVERED_TO, ROUTES
from hub.serving import until_told_to_stop
from schemas.catalog import CATALOG
from schemas.points import PointsCredited
from tests.hub.parts import at_work, credited, fake, say

KEY: Final = UUID(int=3)


class PointsCreditedV2(PointsCredited):
    """Made up: says for what."""

    TYPE: ClassVar[str] = "jp.mykey.points.credited.v2"
    campaign: str


def learn() -> None:
    """What makes this program newer."""
    CATALOG[PointsCreditedV2.TYPE] = PointsCreditedV2
    for table in (ROUTES, DELIVERED_TO):
        known: Any = table
        known[PointsCreditedV2] = known[PointsCredited]


async def _main(database_url: str, *, hears: bool) -> None:
    learn()
    component = "mail" if hears else "partner"
    async with at_work(database_url, fake(component)) as process:
        sys.stdout.write("at work\n")
        sys.stdout.flush()
        if hears:
            await until_told_to_stop()
        else:
            newer = PointsCreditedV2(**credited(2, KEY).model_dump(), campaign="spring")
            await say(process, credited(1, KEY), newer, credited(3, KEY))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], hears="hear" in sys.argv))
