"""「合算」: a merge begun, and answered by its street.

The row with its number and its file comes first, then the ledger's posting, then the file. Wherever that is cut short,
`MergeSent` is on its way once the ledger has posted; what is sent and not there soon is delivered by itself.
"""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog

from connectors.street import statements as sql
from connectors.street.delivering import Delivering
from connectors.street.merge_store import Merge, MergeStore
from connectors.street.streets import StreetBook
from hub.bus import Bus
from hub.database import Row
from hub.errors import HubError, TransientError
from hub.transaction import Transaction
from schemas.card_jobs import MergeFilesAnswered
from schemas.citizens import ProfileOf
from schemas.merges import AcknowledgeMerge, ReturnMerge, SendMerge
from schemas.municipalities import Registered
from schemas.points import PostingStatus, RecordRefusal
from schemas.problems import RefusalCode
from schemas.service_ids import ServiceIdOf
from schemas.streets import (
    AnswerMerge,
    GiveMergeBack,
    IdKind,
    MergeAnswer,
    MergeState,
    RedeliverMerge,
    StartMerge,
    Street,
)
from schemas.uplink import MergeFileAnswer

DEADLINE_S: Final = 10.0
_HASH_BYTES: Final = 16

log: Final = structlog.get_logger()


class Merging:
    """Begins merges, and takes the streets' answers."""

    def __init__(self, streets: StreetBook, store: MergeStore, delivering: Delivering, bus: Bus) -> None:
        self._streets = streets
        self._store = store
        self._delivering = delivering
        self._bus = bus

    async def start(self, command: StartMerge) -> MergeAnswer:
        """Answered when the file is at the terminal, or with the reason why it comes later.

        Raises TransientError: not known how far it came; asked again with the same id it goes on.
        """
        merge = await self._store.of(command.merge_id)
        if merge is None:
            begun = await self._begin(command)
            if isinstance(begun, MergeAnswer):
                return begun
            merge = begun
        if not merge.is_for(command):
            return MergeAnswer(code=RefusalCode.id_conflict, state=merge.state)
        if merge.state is MergeState.failed:
            return MergeAnswer(code=merge.code, state=MergeState.failed)
        # Asked again too: the ledger answers as it did the first time, with the balance that the screen shows.
        answer = await self._bus.call(_send(merge), DEADLINE_S)
        if answer.status is not PostingStatus.posted:
            await self._store.failed(command.merge_id, answer.code or "")
            return MergeAnswer(code=answer.code, state=MergeState.failed)
        return await self._brought(merge, answer.balances.get(command.pool, 0))

    async def ask_again(self) -> None:
        """Ask the ledger about merges that whoever began them has left: each becomes `sent` or `failed`."""
        merges = await self._store.asked_long_ago()
        answers = await asyncio.gather(*(self._is_posted(merge) for merge in merges))
        posted = [merge.merge_id for merge, is_posted in zip(merges, answers, strict=True) if is_posted]
        if posted:
            await self._store.agreed(posted)

    async def _is_posted(self, merge: Merge) -> bool:
        """Whether the points are set aside; else they never will be: nobody stands there with the card any more.

        One that cannot be asked holds no other up, and has its turn again.
        """
        try:
            answer = await self._bus.call(_refuse(merge), DEADLINE_S)
        except HubError as error:
            log.warning("merge_not_asked", merge_id=merge.merge_id, error=type(error).__qualname__)
            return False
        is_posted = answer.status is PostingStatus.posted
        if not is_posted:
            await self._store.failed(merge.merge_id, answer.code or "")
        log.info("merge_left_ended", merge_id=merge.merge_id, status=answer.status.value, code=answer.code)
        return is_posted

    async def _begin(self, command: StartMerge) -> Merge | MergeAnswer:
        street, sealing = await self._streets.of_issuer(command.issuer_id)
        if street is None:
            return MergeAnswer(code=RefusalCode.no_street)
        if sealing is None:
            return MergeAnswer(code=RefusalCode.no_merge_key)
        member_id = await self._member(street, command.citizen_id)
        if member_id is None:
            return MergeAnswer(code=RefusalCode.no_service_id)
        return await self._store.begin(command, street, sealing, member_id)

    async def _member(self, street: Street, citizen_id: UUID) -> str | None:
        """What the street knows the citizen by."""
        if street.layout.id_kind is IdKind.mykey_id:
            profile = (await self._bus.call(ProfileOf(citizen_id=citizen_id), DEADLINE_S)).profile
            return None if profile is None else profile.mykey_id
        asked = ServiceIdOf(citizen_id=citizen_id, issuer_id=street.issuer_id)
        found = (await self._bus.call(asked, DEADLINE_S)).service_id
        return None if found is None else found.number

    async def _brought(self, merge: Merge, left: int) -> MergeAnswer:
        """The points are set aside, whatever becomes of the file now."""
        state, why = merge.state, merge.undelivered
        if merge.file is not None and state in {MergeState.asked, MergeState.sent}:
            try:
                why = await self._delivering.now(merge.file)
            except TransientError as error:
                log.warning("merge_file_later", merge_id=merge.file.merge_id, error=type(error).__qualname__)
                why = RefusalCode.terminal_gone
            state = MergeState.delivered if why is None else MergeState.sent
        return MergeAnswer(state=state, points=merge.points, number=merge.number, left=left, undelivered=why)

    # ---------------------------------------------------------------------------------------------- what streets say

    async def files_answered(self, messages: Sequence[MergeFilesAnswered], tx: Transaction) -> None:
        """The first answer to a file counts; others, and answers to files that are none of ours, change nothing."""
        for about, message in enumerate(messages):
            told = {answer.name: answer for answer in message.answers}
            rows = await tx.fetch(
                sql.ANSWERED,
                message.terminal_id,
                list(told),
                [answer.taken for answer in told.values()],
                [answer.reason for answer in told.values()],
            )
            for row in rows:
                tx.send(_settle(row), about)
            if len(rows) < len(told):
                await self._tell_contrary(message.terminal_id, told, tx)

    @staticmethod
    async def _tell_contrary(terminal_id: str, told: Mapping[str, MergeFileAnswer], tx: Transaction) -> None:
        """Points that were added at the street and given back as well, or neither: for staff to settle with it."""
        taken = [answer.taken for answer in told.values()]
        for row in await tx.fetch(sql.CONTRARY, terminal_id, list(told), taken):
            log.error("merge_answers_contrary", merge_id=row["merge_id"], first_taken=row["taken"])

    async def answered(self, messages: Sequence[AnswerMerge], tx: Transaction) -> list[MergeAnswer]:
        """The same by the street's server. Refused no_merge, merge_answered where it had said the contrary."""
        return [await self._answered(message, about, tx) for about, message in enumerate(messages)]

    async def _answered(self, message: AnswerMerge, about: int, tx: Transaction) -> MergeAnswer:
        row = await tx.fetch_row(sql.ANSWERED_NUMBER, message.street_id, message.number, message.taken, message.reason)
        if row is not None:
            tx.send(_settle(row), about)
        merge = await tx.fetch_row(sql.MERGE_OF_NUMBER, message.street_id, message.number)
        if merge is None or merge["state"] in {MergeState.asked, MergeState.failed}:
            return MergeAnswer(code=RefusalCode.no_merge)
        code = None if merge["taken"] is message.taken else RefusalCode.merge_answered
        state = MergeState.acknowledged if merge["taken"] else MergeState.refused
        return MergeAnswer(code=code, state=state, points=merge["points"], number=message.number)

    async def redeliver(self, messages: Sequence[RedeliverMerge], tx: Transaction) -> list[Registered]:
        """Refused no_merge, no_merge_key, merge_answered."""
        return [await self._redeliver(message.merge_id, tx) for message in messages]

    async def _redeliver(self, merge_id: UUID, tx: Transaction) -> Registered:
        street_id = await self._store.street_id_of(merge_id, tx)
        if street_id is None:
            return Registered(code=RefusalCode.no_merge)
        street, sealing = await self._streets.of_id(street_id, tx)
        if street is None or sealing is None:
            return Registered(code=RefusalCode.no_merge_key)
        if not await self._store.make_again(merge_id, street, sealing, tx):
            return Registered(code=RefusalCode.merge_answered)
        return Registered(id=merge_id)

    async def give_back(self, messages: Sequence[GiveMergeBack], tx: Transaction) -> list[Registered]:
        """Refused no_merge, merge_answered, merge_perhaps_there."""
        return [await self._give_back(message, about, tx) for about, message in enumerate(messages)]

    async def _give_back(self, message: GiveMergeBack, about: int, tx: Transaction) -> Registered:
        """As if the street had refused it, so that its own answer, should it come, is a later one."""
        row = await tx.fetch_row(sql.GIVE_BACK, message.merge_id, message.reason, message.street_confirmed)
        if row is not None:
            audit = (message.merge_id, message.operator, message.reason, message.street_confirmed, tx.now)
            await tx.execute(sql.GIVEN_BACK, *audit)
            tx.send(_settle(row), about)
            return Registered(id=message.merge_id)
        merge = await tx.fetch_row(sql.MERGE, message.merge_id)
        if merge is None or merge["state"] in {MergeState.asked, MergeState.failed}:
            return Registered(code=RefusalCode.no_merge)
        is_over = merge["taken"] is not None or merge["ended_at"] is not None
        return Registered(code=RefusalCode.merge_answered if is_over else RefusalCode.merge_perhaps_there)


def _send(merge: Merge) -> SendMerge:
    """The same for the same merge whenever it is asked."""
    asked = f"{merge.merge_id}|{merge.citizen_id}|{merge.pool}|{merge.points}|{merge.lg_code}"
    return SendMerge(
        party_id=merge.street_id,
        command_id=f"merge:{merge.merge_id}",
        request_hash=sha256(asked.encode()).digest()[:_HASH_BYTES],
        citizen_id=merge.citizen_id,
        hold_id=merge.merge_id,
        street_id=merge.street_id,
        lg_code=merge.lg_code,
        pool=merge.pool,
        points=merge.points,
    )


def _refuse(merge: Merge) -> RecordRefusal:
    """What is answered as `_send` was, where the ledger had heard that, and has its id refused for ever where not."""
    said = _send(merge)
    return RecordRefusal(
        party_id=said.party_id,
        command_id=said.command_id,
        request_hash=said.request_hash,
        citizen_id=said.citizen_id,
        code=RefusalCode.operation_over,
    )


def _settle(row: Row) -> AcknowledgeMerge | ReturnMerge:
    kind = AcknowledgeMerge if row["taken"] else ReturnMerge
    word = "ack" if row["taken"] else "nack"
    return kind(
        party_id=row["street_id"],
        command_id=f"{word}:{row['merge_id']}",
        request_hash=sha256(f"{word}|{row['merge_id']}".encode()).digest()[:_HASH_BYTES],
        citizen_id=row["citizen_id"],
        hold_id=row["merge_id"],
    )
