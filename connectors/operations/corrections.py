"""Corrections of wrong postings: asked for by one operator, approved by another, done by the ledger, once."""

import asyncio
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

import structlog

from connectors.operations import acts, statements
from connectors.operations.acts import ActKind, Actor, Role
from connectors.operations.correction_shapes import Correction, CorrectionAsked, CorrectionState
from connectors.operations.shapes import ReasonAsked, RemarkAsked
from hub.bus import Bus
from hub.database import Database, Row
from hub.errors import DeadlineExceededError, HubError, PermanentError, TransientError
from hub.ids import uuid7
from hub.transaction import Transaction
from schemas.corrections import CorrectPosting, Original, OriginalOf
from schemas.points import NAMESPACE, PostingAnswer
from schemas.problems import Refusal, RefusalCode

log = structlog.get_logger()

OPERATORS_THEMSELVES: Final = uuid5(NAMESPACE, "operations")
"""The party in whose name corrections are posted: no other party's ids are in their way."""
HASH_BYTES: Final = 16
ANSWER_DEADLINE_S: Final = 10.0
GO_ON_EVERY_S: Final = 2.0
OPEN_LIMIT: Final = 100
"""The most approved requests that are asked about again in one round."""


class NoSuchCorrectionError(PermanentError):
    """There is no request for a correction of this id."""


class CorrectionOpenError(PermanentError):
    """A request for the correction of this posting is open already."""


class DecidedError(PermanentError):
    """This request is decided already."""


class NotByNameError(PermanentError):
    """Corrections are asked for and decided by operators, so that two people are told apart: come by --url."""


class CorrectionRefusedError(PermanentError):
    """This posting is not corrected, or not by this person; `refusal` is why."""

    def __init__(self, code: str) -> None:
        self.refusal: Final = Refusal.of(code)
        super().__init__(f"{code}: {self.refusal.detail}")


class Corrections:
    """Takes down what is asked, has it decided once, and has the ledger do what was approved."""

    def __init__(self, database: Database, bus: Bus | None) -> None:
        self._database = database
        self._bus = bus

    async def latest(self, before: UUID | None, limit: int, *, only_open: bool) -> list[Correction]:
        """Requests, latest first, from before that one on."""
        statement = statements.OPEN_CORRECTIONS if only_open else statements.CORRECTIONS
        async with self._database.reading() as reading:
            return [_correction(row) for row in await reading.fetch(statement, before, limit)]

    async def ask(self, actor: Actor, asked: CorrectionAsked) -> Correction:
        """Take a request down. Raises CorrectionRefusedError, CorrectionOpenError, or why the ledger did not answer."""
        operator_id = _operator_id(actor)
        query = OriginalOf(party_id=asked.party_id, command_id=asked.command_id)
        original = await self._asking().call(query, ANSWER_DEADLINE_S)
        if original.code is not None:
            raise CorrectionRefusedError(original.code)
        async with self._database.transaction() as tx:
            values = (asked.reason, actor.name, operator_id)
            row = await tx.fetch_row(statements.ASK_CORRECTION, uuid7(), *_values(asked, original), *values)
            if row is None:
                raise CorrectionOpenError(asked.command_id)
            told = {"posted": row["kind"], "points": row["points"]}
            await acts.record(tx, actor, ActKind.correction_ask, _targets(row), asked.reason, **told)
        return _correction(row)

    async def approve(self, actor: Actor, correction_id: UUID, asked: RemarkAsked) -> Correction:
        """Approve it and have it done; asked again, it is done once, and the answer is the same.

        Raises NoSuchCorrectionError, CorrectionRefusedError, DecidedError; DeadlineExceededError where the ledger did
        not answer: then it is approved, and the ledger asked again until it answers.
        """
        operator_id = _operator_id(actor)
        async with self._database.transaction() as tx:
            row = await _taken(tx, correction_id)
            asker_id = row["asked_by_id"]
            if asker_id == operator_id or await tx.fetch_value(statements.ADDED, asker_id, operator_id):
                raise CorrectionRefusedError(RefusalCode.one_person)
            if row["state"] == CorrectionState.rejected:
                raise DecidedError(str(correction_id))
            if row["state"] == CorrectionState.asked:
                row = await _decide(tx, actor, row, CorrectionState.approved, asked.reason)
        try:
            return await self._carry_out(row)
        except TransientError as error:
            # It is decided, so "nothing was done" would be wrong.
            raise DeadlineExceededError(str(error)) from error

    async def reject(self, actor: Actor, correction_id: UUID, asked: ReasonAsked) -> Correction:
        """Nothing is corrected; whoever asked may reject it too. Raises NoSuchCorrectionError, DecidedError."""
        async with self._database.transaction() as tx:
            row = await _taken(tx, correction_id)
            if row["state"] != CorrectionState.asked:
                raise DecidedError(str(correction_id))
            return _correction(await _decide(tx, actor, row, CorrectionState.rejected, asked.reason))

    async def go_on_with_all(self) -> None:
        """Have done what was approved and not answered: the component's job.

        Raises:
            TransientError: some could not be done now; the others are.
        """
        async with self._database.reading() as reading:
            rows = await reading.fetch(statements.UNANSWERED_CORRECTIONS, OPEN_LIMIT)
        # All at once: one whose partition does not answer holds up none of the others.
        ended = await asyncio.gather(*map(self._carry_out, rows), return_exceptions=True)
        for row, error in zip(rows, ended, strict=True):
            if isinstance(error, HubError):
                correction_id = str(row["correction_id"])
                log.warning("correction_not_answered", correction_id=correction_id, error=type(error).__qualname__)
        for error in ended:
            if isinstance(error, BaseException) and not isinstance(error, PermanentError):
                raise error

    async def _carry_out(self, row: Row) -> Correction:
        """What the ledger says to an approved one, kept; the request's id is the command's, so it is done once."""
        if row["closed_at"] is not None:
            return _correction(row)
        answer = await self._asking().call(_command(row), ANSWER_DEADLINE_S)
        async with self._database.transaction() as tx:
            return _correction(await _close(tx, row, answer))

    def _asking(self) -> Bus:
        if self._bus is None:
            raise NotByNameError
        return self._bus


async def _taken(tx: Transaction, correction_id: UUID) -> Row:
    """Locked: two decisions at once are made one after the other. Raises NoSuchCorrectionError."""
    row = await tx.fetch_row(statements.TAKE_CORRECTION, correction_id)
    if row is None:
        raise NoSuchCorrectionError(str(correction_id))
    return row


async def _decide(tx: Transaction, actor: Actor, row: Row, state: CorrectionState, remark: str) -> Row:
    decision = (state.value, actor.name, _operator_id(actor), remark)
    (decided,) = await tx.fetch(statements.DECIDE_CORRECTION, row["correction_id"], *decision)
    kind = ActKind.correction_approve if state is CorrectionState.approved else ActKind.correction_reject
    await acts.record(tx, actor, kind, _targets(row), remark, state=state.value)
    return decided


async def _close(tx: Transaction, row: Row, answer: PostingAnswer) -> Row:
    """Whoever is second finds what the first one wrote, and adds nothing to the audit."""
    correction_id = row["correction_id"]
    closed = await tx.fetch_row(statements.CLOSE_CORRECTION, correction_id, answer.status.value, answer.code)
    if closed is None:
        return await _taken(tx, correction_id)
    approver = Actor(row["decided_by"], Role.supervisor, acts.API, row["decided_by_id"])
    told = {"status": answer.status.value} | ({"code": answer.code} if answer.code else {})
    await acts.record(tx, approver, ActKind.correction_approve, _targets(row), row["remark"], **told)
    return closed


def _command(row: Row) -> CorrectPosting:
    told = {
        "citizen_id": row["citizen_id"],
        "original_party_id": row["party_id"],
        "original_command_id": row["command_id"],
        "asked_by": row["asked_by_id"],
        "approved_by": row["decided_by_id"],
    }
    request_hash = sha256("|".join(map(str, told.values())).encode()).digest()[:HASH_BYTES]
    command_id = f"correction:{row['correction_id']}"
    return CorrectPosting(party_id=OPERATORS_THEMSELVES, command_id=command_id, request_hash=request_hash, **told)


def _operator_id(actor: Actor) -> UUID:
    """Raises NotByNameError for whoever is known by an account of the machine only: several people may share it."""
    if actor.operator_id is None:
        raise NotByNameError
    return actor.operator_id


def _values(asked: CorrectionAsked, original: Original) -> tuple[object, ...]:
    return asked.party_id, asked.command_id, original.citizen_id, original.kind, original.points


def _targets(row: Row) -> list[str]:
    return [f"correction:{row['correction_id']}", f"party:{row['party_id']}", f"posting:{row['command_id']}"]


def _correction(row: Row) -> Correction:
    return Correction.model_validate(dict(row))
