"""Merges as our table has them, from 「合算」 to the street's answer."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from connectors.street import statements as sql
from connectors.street.cipher import Sealing
from connectors.street.layout import Fields, transaction_number
from hub.apart import committed
from hub.database import Database, Row
from hub.keys import Sealer, place
from hub.transaction import Reading, Transaction
from schemas.holds import HoldPlace
from schemas.merges import MergeAcknowledged, MergeOverdue, MergeReturned, MergeSent
from schemas.streets import DeliverMerge, MergesOf, MergeState, MergeView, MergeViews, StartMerge, Street

SERIALS_AT_ONCE: Final = 64
"""Drawn together by a process; those that are not used are lost, which is harmless."""
LATE_AFTER_S: Final = 3.0
LATE_LIMIT: Final = 500
ASKED_AGAIN_S: Final = 300.0
"""Well after whoever asked has given up."""
ASKED_LIMIT: Final = 100
"""Of one run, all asked for at once."""
_FIRST: Final = HoldPlace(at=datetime(1970, 1, 1, tzinfo=UTC), hold_id=UUID(int=0))


class MergeFileDue(NamedTuple):
    """A file to be dropped at its destination, a terminal."""

    merge_id: UUID
    destination: str
    name: str
    content: bytes
    again: bool
    is_counted: bool = False
    """Whether this attempt is in the row already."""


class Merge(NamedTuple):
    """A merge as far as its beginning needs it."""

    merge_id: UUID
    street_id: UUID
    citizen_id: UUID
    pool: str
    points: int
    number: str
    terminal_id: str
    lg_code: str
    state: MergeState
    code: str | None
    undelivered: str | None
    file: MergeFileDue | None

    def is_for(self, command: StartMerge) -> bool:
        """Whether this very merge is asked."""
        mine = (self.citizen_id, self.pool, self.points, self.terminal_id, self.lg_code)
        return mine == (command.citizen_id, command.pool, command.points, command.terminal_id, command.lg_code)


class MergeStore:
    """Reads and writes `street.merge`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._serials: list[int] = []

    async def of(self, merge_id: UUID) -> Merge | None:
        """The merge."""
        async with self._database.reading() as reading:
            row = await reading.fetch_row(sql.MERGE, merge_id)
        return None if row is None else self._merge(row)

    async def begin(self, command: StartMerge, street: Street, sealing: Sealing, member_id: str) -> Merge:
        """Give it its number and make its file; nobody has it before the ledger has agreed."""

        async def work(tx: Transaction) -> Merge:
            number = transaction_number(tx.now, await self._serial(tx))
            content = sealing.file_of(Fields(member_id, command.points, number), command.terminal_id)
            name = sealing.name_of(number)
            destination = street.deliver_to or command.terminal_id
            merge_id = command.merge_id
            await tx.execute(
                sql.BEGIN, merge_id, street.street_id, number, command.citizen_id, command.terminal_id, destination,
                command.lg_code, command.pool, command.points,
                self._sealer.seal(member_id.encode(), _member(merge_id)), sealing.key.key_id, name,
                self._sealer.seal(content, _file(merge_id)), tx.now,
            )  # fmt: skip
            file = MergeFileDue(merge_id, destination, name, content, again=False, is_counted=True)
            return Merge(
                merge_id, street.street_id, command.citizen_id, command.pool, command.points, number,
                command.terminal_id, command.lg_code, MergeState.asked, None, None, file,
            )  # fmt: skip

        return await committed(self._database, work)

    async def asked_long_ago(self) -> list[Merge]:
        """Those that the ledger has not been heard about for long; each is told here once in that time."""
        rows = await committed(self._database, lambda tx: tx.fetch(sql.ASKED_LONG_AGO, ASKED_AGAIN_S, ASKED_LIMIT))
        return [self._merge(row) for row in rows]

    async def agreed(self, merge_ids: Collection[UUID]) -> None:
        """The ledger has set the points aside; `MergeSent` says so too."""
        await committed(self._database, lambda tx: tx.execute(sql.SENT, sorted(merge_ids)))

    async def failed(self, merge_id: UUID, code: str) -> None:
        """The ledger has refused it."""
        await committed(self._database, lambda tx: tx.execute(sql.FAILED, merge_id, code, tx.now))

    async def delivered(self, merge_ids: Collection[UUID]) -> None:
        """Their files are where they belong."""
        await committed(self._database, lambda tx: tx.execute(sql.DELIVERED, sorted(merge_ids), tx.now))

    async def trying(self, merge_ids: Collection[UUID]) -> set[UUID]:
        """Those of them whose files are wanted still: from now on they may be at their terminals."""
        rows = await committed(self._database, lambda tx: tx.fetch(sql.TRYING, sorted(merge_ids)))
        return {row["merge_id"] for row in rows}

    async def undelivered(self, why: Mapping[UUID, str], nowhere: Collection[UUID]) -> None:
        """Their files are not there yet, and this is why; `nowhere`: the terminals never had those."""
        is_nowhere = [merge_id in nowhere for merge_id in why]
        told = (list(why), list(why.values()), is_nowhere)
        await committed(self._database, lambda tx: tx.execute(sql.UNDELIVERED, *told))

    async def make_again(self, merge_id: UUID, street: Street, sealing: Sealing, tx: Transaction) -> bool:
        """Have the file dropped where the street wants it now.

        It is the same one, or where the key or the layout is another now, the same merge under the new one.
        """
        row = await tx.fetch_row(sql.MERGE, merge_id)
        if row is None or row["file_sealed"] is None:
            return False
        content = self._sealer.open(row["file_sealed"], _file(merge_id))
        member_id = self._sealer.open(row["member_sealed"], _member(merge_id)).decode()
        fields, terminal_id = Fields(member_id, row["points"], row["number"]), row["terminal_id"]
        if not sealing.has_made(content, fields, terminal_id):
            content = sealing.file_of(fields, terminal_id)
        sealed, name = self._sealer.seal(content, _file(merge_id)), sealing.name_of(row["number"])
        destination = street.deliver_to or terminal_id
        await tx.execute(sql.KEEP_FORMER_FILE, merge_id, destination, name)
        again = await tx.fetch_row(sql.AGAIN, merge_id, sealing.key.key_id, name, sealed, destination)
        if again is not None:
            tx.send(_deliver(merge_id, again))
        return again is not None

    async def street_id_of(self, merge_id: UUID, tx: Transaction) -> UUID | None:
        """Whose merge it is."""
        row = await tx.fetch_row(sql.MERGE, merge_id)
        return None if row is None else row["street_id"]

    async def merges_of(self, query: MergesOf, reading: Reading) -> MergeViews:
        """One page, the oldest first."""
        after = query.after or _FIRST
        rows = await reading.fetch(
            sql.MERGES, query.street_id, query.open_only, after.at, after.hold_id, query.number, query.limit
        )
        is_full = len(rows) == query.limit
        last = HoldPlace(at=rows[-1]["started_at"], hold_id=rows[-1]["merge_id"]) if is_full else None
        return MergeViews(merges=[view_of(row) for row in rows], after=last)

    # ------------------------------------------------------------------------------------------ what the ledger says

    async def sent(self, messages: Sequence[MergeSent], tx: Transaction) -> None:
        """Points are set aside: the file has to go, also where whoever asked is gone. Others' merges are not ours."""
        await tx.execute(sql.SENT, [message.hold_id for message in messages])

    async def deliver_late(self) -> None:
        """Have files brought that whoever asked for the merge has not brought; mostly there is none."""

        async def work(tx: Transaction) -> None:
            for row in await tx.fetch(sql.LATE, LATE_AFTER_S, LATE_LIMIT):
                tx.send(_deliver(row["merge_id"], row))

        await committed(self._database, work)

    async def acknowledged(self, messages: Sequence[MergeAcknowledged], tx: Transaction) -> None:
        """Settled with the street."""
        await tx.execute(sql.ENDED, [message.hold_id for message in messages], MergeState.acknowledged, tx.now)

    async def returned(self, messages: Sequence[MergeReturned], tx: Transaction) -> None:
        """The points are the citizen's again."""
        await tx.execute(sql.ENDED, [message.hold_id for message in messages], MergeState.refused, tx.now)

    async def overdue(self, messages: Sequence[MergeOverdue], tx: Transaction) -> None:
        """To be looked at by staff."""
        await tx.execute(sql.OVERDUE, [message.hold_id for message in messages], tx.now)

    # ------------------------------------------------------------------------------------------------------- of rows

    async def _serial(self, tx: Transaction) -> int:
        if not self._serials:
            self._serials += [row["serial"] for row in await tx.fetch(sql.SERIALS, SERIALS_AT_ONCE)]
        return self._serials.pop(0)

    def _merge(self, row: Row) -> Merge:
        merge_id, sealed = row["merge_id"], row["file_sealed"]
        file = None
        if sealed is not None:
            content = self._sealer.open(sealed, _file(merge_id))
            file = MergeFileDue(merge_id, row["destination"], row["file_name"], content, row["again"])
        return Merge(
            merge_id, row["street_id"], row["citizen_id"], row["pool"], row["points"], row["number"],
            row["terminal_id"], row["lg_code"], MergeState(row["state"]), row["code"], row["undelivered"], file,
        )  # fmt: skip


def view_of(row: Row) -> MergeView:
    """As staff and the street see it."""
    is_overdue = row["ended_at"] is None and row["overdue_at"] is not None
    fields = {name: row[name] for name in MergeView.model_fields if name != "state"}
    return MergeView(**fields, state=MergeState.overdue if is_overdue else MergeState(row["state"]))


def _deliver(merge_id: UUID, row: Row) -> DeliverMerge:
    return DeliverMerge(merge_id=merge_id, citizen_id=row["citizen_id"], terminal_id=row["destination"])


def _file(merge_id: UUID) -> str:
    return place("street.merge", "file", merge_id)


def _member(merge_id: UUID) -> str:
    return place("street.merge", "member", merge_id)
