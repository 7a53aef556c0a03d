"""The rules of pools: every writer knows every scheme, however the registrations met."""

import asyncio

from hub.database import Database
from hub.process import HubProcess
from schemas.municipalities import SchemeRegistered
from tests.waiting import wait_until
from tests.workers.ledger.naive import Rule
from tests.workers.ledger.world import ask, citizen, credit, open_pools
from workers.ledger import pools

EARLIER = Rule("scheme:131075", "131075", "none")
LATER = Rule("scheme:131083", "131083", "none")
RULE = "SELECT expiry_rule FROM ledger.pool WHERE pool = $1"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


async def is_waiting(database: Database) -> bool:
    async with database.reading() as reading:
        return bool(await reading.fetch_value(WAITING))


async def test_a_scheme_whose_registration_committed_last_is_known(ledger: HubProcess) -> None:
    """Revisions are drawn before they commit: a lower one must not come to light after a higher one was seen."""
    database = ledger.database_of("ledger")
    async with database.transaction() as tx:
        await pools.scheme_registered([registered(EARLIER)], tx)
        later = asyncio.create_task(open_pools(database, [LATER]))

        async def is_done_or_waits() -> bool:
            return later.done() or await is_waiting(database)

        await wait_until(is_done_or_waits)
        await ask(ledger, credit("seen", citizen(1), 5, "scheme:131016"))
    await later
    for rule in (EARLIER, LATER):
        assert (await ask(ledger, credit(rule.lg_code, citizen(1), 5, rule.pool))).code is None


async def test_a_rule_that_comes_late_takes_no_newer_ones_place(ledger: HubProcess) -> None:
    """A registration that failed comes again after later ones (`revision`, which the registry counts)."""
    old = registered(EARLIER).model_copy(update={"revision": 1})
    new = old.model_copy(update={"expiry_rule": "months:12", "revision": 2})
    unnumbered = registered(EARLIER)
    async with ledger.database_of("ledger").transaction() as tx:
        for said, rule in (
            (new, "months:12"),
            (old, "months:12"),
            (unnumbered, "none"),
            (old, "none"),
            (new, "months:12"),
        ):
            await pools.scheme_registered([said], tx)
            assert await tx.fetch_value(RULE, EARLIER.pool) == rule


def registered(rule: Rule) -> SchemeRegistered:
    return SchemeRegistered(lg_code=rule.lg_code, municipality="", point_name="", expiry_rule=rule.expiry)
