"""Saying what the mail connector hears, as the registry, the ledger and the clockwork do; and its rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID, uuid4

from hub.clock import AdjustableClock, Clock
from hub.process import HubProcess
from schemas.citizens import CitizenRegistered, MailChoices
from schemas.message import Event
from schemas.municipalities import SchemeRegistered
from schemas.points import PointsCredited
from schemas.values import scheme_pool
from tests.connectors.mail.mailbox import Mailbox
from tests.running import running

LG_CODE: Final = "232343"
POOL: Final = scheme_pool(LG_CODE)
DAY: Final = date(2017, 11, 1)
SENDER: Final = "no-reply@mykey.example"
EVERYTHING: Final = MailChoices(on_grant=True, on_expiry=True, on_password_change=True, on_mykey_id_change=True)


@asynccontextmanager
async def mailing(
    database_url: str, mailbox: Mailbox, *components: str, clock: Clock | None = None, **settings: object
) -> AsyncIterator[HubProcess]:
    """A hub process with the mail connector, sending to the mailbox."""
    then = clock or AdjustableClock(datetime(DAY.year, DAY.month, DAY.day, 3, tzinfo=UTC))
    named = {"smtp_port": mailbox.smtp_port, "mail_from": SENDER, "public_url": "https://mykey.example", **settings}
    async with running(database_url, "mail", *components, clock=then, **named) as process:
        yield process


async def say(process: HubProcess, *events: Event) -> None:
    """Say events, all in one transaction."""
    async with process.database_of("mail").transaction() as tx:
        for event in events:
            tx.emit(event)


async def settled(process: HubProcess, deadline_s: float = 20.0) -> None:
    """Wait until what was said has been heard, and every mail that is due has been tried."""
    await process.drained(deadline_s)


async def rows(process: HubProcess, sql: str, *args: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - SQL values
    """Rows of the mail connector's tables, by its own role."""
    async with process.database_of("mail").reading() as reading:
        return [dict(row) for row in await reading.fetch(sql, *args)]


def scheme() -> SchemeRegistered:
    """One scheme."""
    return SchemeRegistered(
        lg_code=LG_CODE, municipality="北名古屋市", point_name="さくらポイント", expiry_rule="months:12"
    )


def citizen(number: int = 0, choices: MailChoices = EVERYTHING, **changes: Any) -> CitizenRegistered:  # noqa: ANN401
    """A citizen with an address of their own."""
    known = {"name": f"試験 {number}", "mail": f"user{number}@mail.example", "citizen_id": citizen_id(number)}
    return CitizenRegistered.model_validate({**known, "choices": choices, **changes})


def citizen_id(number: int) -> UUID:
    """Spread over the lanes."""
    return UUID(int=number)


def credited(to: UUID, points: int = 500, pool: str = POOL) -> PointsCredited:
    """Points granted, by a command of its own."""
    return PointsCredited(
        citizen_id=to,
        party_id=UUID(int=1),
        command_id=str(uuid4()),
        pool=pool,
        points=points,
        balance=98_765,
        posted_on=DAY,
        expires_on=date(2018, 11, 30),
    )
