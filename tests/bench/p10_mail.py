"""P10: points are credited, and the citizens who chose it are told by mail, through one process of mail alone.

All is said as in life: the ledger's events, 500 a transaction, heard by mail, which asks itself for a notice for each
and sends that. The time is from the first event until every notice is recorded as sent. They come faster than they go
out, so a queue forms, as after a partner's file. Addresses are spread over `DOMAINS`, each with the rate of
`mail_per_domain_s` where nothing is set, which nobody has to wait for. Every letter is signed with RSA-2048.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.mail.notices import notice_of
from demo.ports import free_port
from hub import migrations
from hub.clock import SystemClock
from hub.process import HubProcess
from schemas.citizens import CitizenRegistered, MailChoices
from schemas.message import Event
from schemas.municipalities import SchemeRegistered
from schemas.points import PointsCredited
from tests.bench import mail_process, mail_sink, world
from tests.bench.children import Child, started
from tests.bench.figures import Measured
from tests.bench.mail_sink import digest_of
from tests.bench.server import Server, create_database
from tests.running import running_without_jobs

SAY: Final = ("registry", "ledger")
CITIZENS: Final = 5_000
DOMAINS: Final = 10
WARM_UP_NOTICES: Final = 1_000
AT_ONCE: Final = 500
POINTS: Final = 500
LASTS: Final = timedelta(days=365)
RSA_BITS: Final = 2048
DRAIN_LIMIT_S: Final = 600.0


class Mails:
    """The measurement, in a database of its own."""

    def __init__(self, server: Server, notices: int) -> None:
        self._server = server
        self._notices = notices
        self._rounds = count()

    async def measure(self) -> Measured:
        """One round, and whether each notice has come once."""
        name = f"mail_{next(self._rounds)}"
        await create_database(self._server, name)
        url = self._server.url_of(name)
        await migrations.migrate(url, migrations.installed_sources())
        port = free_port()
        async with AsyncExitStack() as stack:
            key_file = _key_file(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mykey-bench-"))))
            (sink,) = await stack.enter_async_context(started("mail_sink", [mail_sink.Job(port)]))
            await sink.ready()
            job = mail_process.Job(url, port, str(key_file))
            (mailer,) = await stack.enter_async_context(started("mail_process", [job]))
            await mailer.ready()
            hub = await stack.enter_async_context(running_without_jobs(url, *SAY, clock=SystemClock()))
            return await self._send(hub, mailer, sink)

    async def _send(self, hub: HubProcess, mailer: Child, sink: Child) -> Measured:
        today = hub.clock.business_date()
        warm_up, events = list(_credits("warm", WARM_UP_NOTICES, today)), list(_credits("p10", self._notices, today))
        await _say(hub, "registry", [_scheme(), *map(_citizen, range(CITIZENS))])
        await _say(hub, "ledger", warm_up)
        await hub.drained(DRAIN_LIMIT_S, ["mail"])
        mailer.go()
        await mailer.ready()
        began_s = time.perf_counter()
        await _say(hub, "ledger", events)
        said_s = time.perf_counter() - began_s
        await hub.drained(DRAIN_LIMIT_S, ["mail"])
        took_s = time.perf_counter() - began_s
        mailer.go()
        sink.go()
        mailed, taken = await mailer.result(), await sink.result()
        _check(taken, [*warm_up, *events])
        notes = {
            "notices": f"{len(events):,}",
            "all said after s": round(said_s, 1),
            "its Python µs a notice": round(mailed["cpu_s"] / len(events) * 1e6),
            "its peak MiB": round(mailed["peak_kib"] / 1024),
            "sink busy": f"{taken['cpu_s'] / took_s:.0%}",
        }
        return Measured(len(events) / took_s, notes)


def _check(taken: dict[str, Any], events: Sequence[PointsCredited]) -> None:
    assert taken["mails"] == len(events), taken
    assert taken["digest"] == digest_of(str(notice_of(event).notice_id) for event in events), "other mails than notices"


async def _say(hub: HubProcess, component: str, events: Sequence[Event]) -> None:
    for first in range(0, len(events), AT_ONCE):
        async with hub.database_of(component).transaction() as tx:
            for event in events[first : first + AT_ONCE]:
                tx.emit(event)


def _scheme() -> SchemeRegistered:
    return SchemeRegistered(
        lg_code=world.LG_CODES[0], municipality="試験市", point_name="ためしポイント", expiry_rule=world.EXPIRY_RULE
    )


def _citizen(number: int) -> CitizenRegistered:
    return CitizenRegistered(
        citizen_id=world.citizen(number),
        name=f"試験 {number}",
        mail=f"user{number}@mail{number % DOMAINS}.example",
        choices=MailChoices(on_grant=True),
    )


def _credits(run: str, notices: int, today: date) -> Iterator[PointsCredited]:
    for number in range(notices):
        yield PointsCredited(
            citizen_id=world.citizen(number % CITIZENS),
            party_id=world.PARTNER_IDS[0],
            command_id=f"{run}.{number}",
            pool=world.POOLS[0],
            points=POINTS,
            balance=POINTS * (1 + number // CITIZENS),
            posted_on=today,
            expires_on=today + LASTS,
        )


def _key_file(folder: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    path = folder / "dkim.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
