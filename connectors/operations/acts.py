"""The audit: who did what, when, on what, why, and what came of it. Added to, never changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from connectors.operations import statements
from hub.database import Row
from hub.ids import uuid7
from hub.transaction import Reading, Transaction
from schemas.acts import RecordAct

TERMINAL: Final = "terminal"
API: Final = "api"


class Role(StrEnum):
    """What an operator may do; each may also do what the one before it may."""

    viewer = "viewer"
    """Sees what flows and what is parked; personal data is masked."""
    operator = "operator"
    """Redrives, replays webhooks, pauses, leaves notes, tests connections, asks for corrections."""
    supervisor = "supervisor"
    """Sees personal data, edits and retries, decides on corrections, adds and revokes operators."""


class ActKind(StrEnum):
    """Everything that operators can do."""

    redrive = "redrive"
    webhook_replay = "webhook_replay"
    note = "note"
    reveal = "reveal"
    copy = "copy"
    pause = "pause"
    resume = "resume"
    connection_test = "connection_test"
    operator_add = "operator_add"
    operator_revoke = "operator_revoke"
    correction_ask = "correction_ask"
    correction_approve = "correction_approve"
    """A second row, under whoever approved, tells what the ledger answered."""
    correction_reject = "correction_reject"
    command = "command"
    """Another `mykey-hub` command than the console's; which one stands in the result."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an operator by the API, or whoever owns the database, by the system's name for that person.

    `operator_id` is an operator's; None where the name is an account's, which several people may have.
    """

    name: str
    role: Role
    via: str
    operator_id: UUID | None = None


class Act(BaseModel, frozen=True):
    """One line of the audit. Targets are named `delivery:12`, `message:<id>`, `component:mail`, `party:<id>`."""

    act_id: UUID
    at: datetime
    operator: str
    role: Role
    via: str
    kind: ActKind
    targets: list[str]
    reason: str
    result: dict[str, Any]


async def record(
    tx: Transaction, actor: Actor, kind: ActKind, targets: Sequence[str], reason: str = "", **result: object
) -> None:
    """Write an act down, in the transaction that does it."""
    told = json.dumps(result, default=str)
    await tx.execute(
        statements.RECORD_ACT, uuid7(), actor.name, actor.role.value, actor.via, kind.value, targets, reason, told
    )


async def record_commands(messages: Sequence[RecordAct], tx: Transaction) -> None:
    """Write down what is done by commands of others: whoever can give them owns the database, and may do all."""
    role, via, kind = Role.supervisor.value, TERMINAL, ActKind.command.value
    for message in messages:
        result = {"command": message.command} | ({"error": message.error} if message.error else {})
        told = (list(message.targets), message.reason, json.dumps(result))
        await tx.execute(
            statements.RECORD_TOLD_ACT, message.act_id, message.at, message.operator, role, via, kind, *told
        )


async def latest(reading: Reading, before: UUID | None, limit: int) -> list[Act]:
    """The latest acts first, from before that one on."""
    return [_act(row) for row in await reading.fetch(statements.ACTS, before, limit)]


def _act(row: Row) -> Act:
    return Act.model_validate({**row, "result": json.loads(row["result"])})
