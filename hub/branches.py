"""One transaction over several databases: what it does elsewhere commits with it, or not at all (two-phase commit).

The hub's own database decides. A branch elsewhere is prepared first: it keeps its locks, and outlives whoever prepared
it. That it is to be committed is a row of hub.decision, which commits with all else in the hub's own database; then
the branch is committed. Whoever dies on the way leaves a branch in doubt. `Settling` ends it by what was decided, and
where nothing was, decides against it first, so that whoever may still be about to commit cannot.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import structlog

from hub import failpoints
from hub.component import Job
from hub.ids import uuid7
from hub.transaction import Transaction, Writing

if TYPE_CHECKING:
    from hub.database import Connection, Database

log = structlog.get_logger()

TICK_S: Final = 5.0
"""How often it is looked for branches in doubt."""
DOUBT_S: Final = 5.0
"""A branch that was prepared so long ago is in doubt: what is left to do then takes milliseconds."""
KEPT_S: Final = 3600.0
"""How long a decision is kept at the least; and for ever while a branch that it is about is there."""

SETTLED: Final = (asyncpg.UndefinedObjectError, asyncpg.ObjectNotInPrerequisiteStateError)
"""Somebody else has ended the branch, or is about to: by what was decided, as everybody does."""
NAMED: Final = "mykey:"
"""How the names of our branches begin; the id of their transaction and a number follow."""
PREPARE: Final = "PREPARE TRANSACTION '{}'"
COMMIT: Final = "COMMIT PREPARED '{}'"
ROLL_BACK: Final = "ROLLBACK PREPARED '{}'"
"""These take no parameters. What is put into them are names of our own making, of hexadecimal digits."""
DECIDE: Final = "INSERT INTO hub.decision (transaction_id, is_commit) VALUES ($1, true)"
DECIDE_AGAINST: Final = """
INSERT INTO hub.decision (transaction_id, is_commit) VALUES ($1, false) ON CONFLICT (transaction_id) DO NOTHING
"""
"""Waits for whoever is deciding at this moment."""
DECISION: Final = "SELECT is_commit FROM hub.decision WHERE transaction_id = $1"
PREPARED: Final = """
SELECT gid, prepared < now() - make_interval(secs => $2) AS is_in_doubt FROM pg_prepared_xacts
WHERE database = current_database() AND starts_with(gid, $1)
"""
FORGET: Final = """
DELETE FROM hub.decision
WHERE decided_at < now() - make_interval(secs => $1) AND transaction_id <> ALL ($2::uuid[])
"""


class Branches:
    """The branches of one transaction, on a stack that rolls back what is not prepared when anything goes wrong."""

    def __init__(self, home: "Database", stack: AsyncExitStack) -> None:
        self._home = home
        self._stack = stack
        self._id: UUID | None = None
        self._connections: dict[Database, Connection] = {}
        self._open: dict[Database, Writing] = {}

    async def at(self, database: "Database", tx: Transaction) -> Writing:
        """The transaction's branch in this database: itself at home."""
        if database is self._home:
            return tx
        branch = self._open.get(database)
        if branch is None:
            connection = await self._stack.enter_async_context(database.branch())
            self._connections[database] = connection
            branch = self._open[database] = Writing(connection, tx.clock, tx.sealer)
            branch.now, branch.business_date = tx.now, tx.business_date
        return branch

    async def prepare(self, tx: Transaction) -> None:
        """Make sure that all of them can be committed, and decide that they are, as soon as `tx` is."""
        if not self._connections:
            return
        self._id = uuid7()
        for name, connection in self._named():
            await connection.execute(PREPARE.format(name))
            failpoints.reach("branches.prepared")
        await tx.execute(DECIDE, self._id)

    async def commit(self) -> None:
        """What was decided, and has committed at home, elsewhere."""
        for name, connection in self._named():
            failpoints.reach("branches.decided")
            try:
                await connection.execute(COMMIT.format(name))
            except SETTLED:
                log.info("branch_settled_by_another", branch=name)
            except BaseException:
                connection.terminate()  # nobody else is to wait for its answer
                raise

    def _named(self) -> "list[tuple[str, Connection]]":
        return [
            (f"{NAMED}{self._id.hex if self._id else ''}:{number}", connection)
            for number, connection in enumerate(self._connections.values())
        ]


class Settling:
    """Ends the branches whose transaction's process died between preparing and committing them."""

    def __init__(self, home: "Database") -> None:
        self._home = home

    def job(self) -> Job:
        """The job of a component whose partitions are in several databases."""
        return Job("settle_branches", TICK_S, self.settle)

    async def settle(self) -> None:
        """Look once, everywhere; one database that does not answer keeps none of the others waiting."""
        looks = await asyncio.gather(*map(self._settle_in, self._home.others), return_exceptions=True)
        there: list[UUID] = []
        for look in looks:
            if isinstance(look, BaseException):
                raise look
            there += look
        async with self._home.connection() as connection:
            await connection.execute(FORGET, KEPT_S, there)

    async def _settle_in(self, database: "Database") -> list[UUID]:
        """Whose branches there were, in doubt or not."""
        async with database.insisted() as connection:
            rows = await connection.fetch(PREPARED, NAMED, DOUBT_S)
            for row in rows:
                if row["is_in_doubt"]:
                    is_commit = await self._decided(_transaction_of(row["gid"]))
                    with suppress(*SETTLED):
                        await connection.execute((COMMIT if is_commit else ROLL_BACK).format(row["gid"]))
                        log.warning("branch_settled", branch=row["gid"], is_commit=is_commit)
        return [_transaction_of(row["gid"]) for row in rows]

    async def _decided(self, transaction_id: UUID) -> bool:
        async with self._home.connection() as connection:
            await connection.execute(DECIDE_AGAINST, transaction_id)
            is_commit: bool = await connection.fetchval(DECISION, transaction_id)
        return is_commit


def _transaction_of(name: str) -> UUID:
    return UUID(name.removeprefix(NAMED).partition(":")[0])
