"""Redriving much: in steps of one transaction each, with its progress kept; whoever finds one unfinished goes on."""

from typing import Final
from uuid import UUID

from connectors.operations import acts, statements
from connectors.operations.acts import ActKind, Actor, Role
from connectors.operations.shapes import Redrive, RedriveAsked
from hub import redriving
from hub.database import Database, Row
from hub.errors import PermanentError
from hub.ids import uuid7
from hub.redriving import NoSuchDeliveryError, Parked
from hub.transaction import Transaction

GO_ON_EVERY_S: Final = 1.0
OPEN_LIMIT: Final = 100
"""The most unfinished redrives that are gone on with in one round."""


class NoSuchRedriveError(PermanentError):
    """There is no redrive of this id."""


class Redrives:
    """Begins them, goes on with them, tells how far they are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, asked: RedriveAsked, actor: Actor) -> Redrive:
        """Take it down and do its first step, which for most is all. Raises NoSuchDeliveryError."""
        what = Parked(delivery_id=asked.delivery, fingerprint=asked.fingerprint)
        async with self._database.transaction() as tx:
            total, last = await redriving.extent(tx, what)
            if asked.delivery is not None and not total:
                raise NoSuchDeliveryError(str(asked.delivery))
            (row,) = await tx.fetch(
                statements.BEGIN_REDRIVE,
                uuid7(),
                actor.name,
                actor.role.value,
                actor.via,
                asked.reason,
                asked.delivery,
                asked.fingerprint,
                last,
                total,
            )
            return await _step(tx, row)

    async def progress(self, redrive_id: UUID) -> Redrive:
        """How far it is. Raises NoSuchRedriveError."""
        async with self._database.reading() as reading:
            row = await reading.fetch_row(statements.REDRIVE, redrive_id)
        if row is None:
            raise NoSuchRedriveError(str(redrive_id))
        return _redrive(row)

    async def go_on(self, redrive_id: UUID) -> Redrive:
        """Do one more step, if it is not finished; two at once do one after the other. Raises NoSuchRedriveError."""
        async with self._database.transaction() as tx:
            row = await tx.fetch_row(statements.TAKE_REDRIVE, redrive_id)
            if row is not None:
                return await _step(tx, row)
        return await self.progress(redrive_id)

    async def go_on_with_all(self) -> None:
        """Finish what was begun: the component's job."""
        async with self._database.reading() as reading:
            rows = await reading.fetch(statements.OPEN_REDRIVES, OPEN_LIMIT)
        for row in rows:
            while not (await self.go_on(row["redrive_id"])).finished:
                pass


async def _step(tx: Transaction, row: Row) -> Redrive:
    """One batch; what others hold just now is left to them, so a step that finds nothing is the last one."""
    what = Parked(delivery_id=row["delivery_id"], fingerprint=row["fingerprint"])
    moved = await redriving.redrive(tx, what, row["last"])
    done = row["done"] + len(moved)
    finished = not moved or done >= row["total"]
    if moved or not row["total"]:
        actor = Actor(row["operator"], Role(row["role"]), row["via"])
        targets = [f"delivery:{one}" for one in moved]
        redrive_id = row["redrive_id"]
        await acts.record(
            tx, actor, ActKind.redrive, targets, row["reason"], redrive_id=redrive_id, done=done, total=row["total"]
        )
    (row,) = await tx.fetch(statements.REDRIVEN, row["redrive_id"], len(moved), finished)
    return _redrive(row)


def _redrive(row: Row) -> Redrive:
    finished = row["finished_at"] is not None
    total = max(row["total"], row["done"])
    return Redrive(redrive_id=row["redrive_id"], done=row["done"], total=total, finished=finished)
