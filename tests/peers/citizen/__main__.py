"""`python -m tests.peers.citizen --url http://…`: a line of JSON is a walk, `{"walk": "move", "points": 10, …}`.

Answered is a line with what came of it; `{"astray": "…"}` where a page did not lead on.
"""

import argparse
import asyncio
import dataclasses
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from tests.peers.citizen.walks import AstrayError, Citizen, Told, browsing

Walk: TypeAlias = Callable[..., Awaitable[Told | dict[str, Any]]]


async def walked(citizen: Citizen, asked: dict[str, Any]) -> dict[str, Any]:
    """One walk."""
    walks: dict[str, Walk] = {
        "log_in": citizen.log_in,
        "look": citizen.look,
        "link": citizen.link,
        "unlink": citizen.unlink,
        "move": citizen.move,
        "pay": citizen.pay,
        "coupon": citizen.coupon,
        "coupon_link": citizen.coupon_link,
    }
    try:
        came = await walks[asked.pop("walk")](**asked)
    except AstrayError as error:
        return {"astray": str(error)}
    return dataclasses.asdict(came) if isinstance(came, Told) else came


async def main(url: str) -> None:
    """Until the input ends."""
    async with browsing() as session:
        citizen = Citizen(session, url)
        while line := await asyncio.to_thread(sys.stdin.readline):
            came = await walked(citizen, json.loads(line))
            sys.stdout.write(json.dumps(came, ensure_ascii=False) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    asyncio.run(main(parser.parse_args().url))
