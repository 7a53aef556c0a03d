"""The hub of P9: portal, registry and ledger in one process, and citizens who have logged in and have a past."""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from pydantic import SecretStr

from hub import logs, loop, telemetry
from hub.bus import Bus
from hub.clock import AdjustableClock
from hub.installed import installed
from hub.process import HubProcess
from hub.serving import serving
from hub.settings import Settings
from schemas.links import Linkage, PresentParty
from schemas.logins import LogIn
from schemas.municipalities import RegisterScheme
from schemas.parties import PartyKind, RegisterParty
from schemas.points import CreditPoints, MovePoints
from schemas.values import RESERVE, scheme_pool
from tests.bench.children import say, told
from tests.running import SECRET_KEY
from tests.workers.registry.offices import authorities
from tests.workers.registry.people import PASSWORD, created

COMPONENTS: Final = ("registry", "ledger", "portal")
NOW: Final = datetime(2017, 10, 2, 3, tzinfo=UTC)
"""The cards of the tests are valid then."""
CITIZENS: Final = 8
POSTINGS: Final = 60
"""Of each citizen: three quarters come in, one quarter is moved on."""
CODES: Final = ("232343", "402117", "011002", "141003", "271004", "401307")
AIRLINE: Final = UUID(int=0xA1)
DEADLINE_S: Final = 30.0
MOVE_EVERY: Final = 4
HASH_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Job:
    """Serve this database on this port."""

    database_url: str
    port: int


async def serve(job: Job) -> None:
    """Serve until told to end.

    Says who is logged in; told once, how long the server took for each page until then; told again, the processor time
    since.
    """
    with tempfile.TemporaryDirectory(prefix="mykey-bench-") as folder:
        issuer = authorities(Path(folder), 1)[0]
        settings = Settings(
            database_url=job.database_url,
            secret_key=SecretStr(SECRET_KEY),
            http_port=job.port,
            card_anchors=Path(folder),
            proxy_networks=(IPv4Network("127.0.0.1/32"),),
        )
        logs.configure("error")
        async with serving(settings, AdjustableClock(NOW), installed(COMPONENTS), job.database_url) as served:
            await _settle(served.process.bus)
            ids = [
                await created(served.process, issuer.card(n + 1), f"BENCH{n:03}", base_lg_code=CODES[0]) for n in _all()
            ]
            for citizen_id in ids:
                await _live(served.process.bus, citizen_id)
            say({"url": served.url, "sessions": [await _session(served.process, number) for number in _all()]})
            took_ms: list[float] = []
            telemetry.sink = partial(_note, took_ms)
            await told()
            telemetry.sink = None
            say({"took_ms": took_ms})
            cpu_s = time.process_time()
            await told()
            cpu_s = time.process_time() - cpu_s
    say({"cpu_s": cpu_s})


def _all() -> range:
    return range(CITIZENS)


def _note(took_ms: list[float], span: telemetry.Span) -> None:
    if span.kind == "server":
        took_ms.append((time.time_ns() - span.began_ns) / 1e6)


async def _settle(bus: Bus) -> None:
    for code in CODES:
        await bus.call(RegisterScheme(lg_code=code, point_name="ポイント", expiry_rule="months:12"), DEADLINE_S)
    await bus.call(RegisterParty(party_id=AIRLINE, kind=PartyKind.partner, name="航空会社"), DEADLINE_S)
    page = PresentParty(party_id=AIRLINE, linkage=Linkage.id_link, page_url="https://airline.example/")
    await bus.call(page, DEADLINE_S)


async def _live(bus: Bus, citizen_id: UUID) -> None:
    """What a year leaves in a wallet."""
    for number in range(POSTINGS):
        name = f"{citizen_id}-{number}"
        common: dict[str, Any] = {
            "command_id": name,
            "request_hash": sha256(name.encode()).digest()[:HASH_BYTES],
            "citizen_id": citizen_id,
        }
        if number % MOVE_EVERY:
            await bus.call(CreditPoints(party_id=AIRLINE, pool=RESERVE, points=100, **common), DEADLINE_S)
        elif number:
            pool = scheme_pool(CODES[number // MOVE_EVERY % len(CODES)])
            await bus.call(MovePoints(party_id=citizen_id, pool=pool, points=150, **common), DEADLINE_S)


async def _session(process: HubProcess, number: int) -> str:
    asked = LogIn(mykey_id=f"BENCH{number:03}", password=PASSWORD, source="127.0.0.1")
    begun = await process.bus.call(asked, DEADLINE_S)
    assert begun.session is not None, begun
    return begun.session


if __name__ == "__main__":
    loop.run(serve(Job(**json.loads(sys.argv[1]))))
