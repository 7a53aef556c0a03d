"""Operators: a name, a role, a token of 32 random bytes that is shown once and kept as a keyed hash."""

import hmac
import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from connectors.operations import statements
from connectors.operations.acts import Role
from hub.errors import PermanentError
from hub.ids import uuid7
from hub.keys import Hasher
from hub.transaction import Reading, Transaction

TOKEN_BYTES: Final = 32
TOKEN_PREFIX: Final = "mko_"  # noqa: S105 - by which a token is known for what it is, wherever it turns up
HASH_PURPOSE: Final = "operations.token"
OPERATORS_LIMIT: Final = 1_000


class NameTakenError(PermanentError):
    """There is, or was, an operator of this name: names are not given twice, because the audit speaks by them."""


class SupervisorElsewhereError(PermanentError):
    """Supervisors are added, and others revoked, on the hub's own machine: `mykey-hub console operators` there."""


class NoSuchOperatorError(PermanentError):
    """There is no operator of this name, or its token is revoked already."""


class Operator(BaseModel, frozen=True):
    """An operator, as colleagues see it."""

    operator_id: UUID
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


class Operators:
    """Adds, revokes, and recognises by the token."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher

    async def of_token(self, reading: Reading, token: str) -> Operator | None:
        """Whose token it is; None where it is unknown or revoked, the same for both."""
        hashed = self._hasher.hash(token.encode())
        row = await reading.fetch_row(statements.OPERATOR_BY_HASH, hashed)
        if row is None or not hmac.compare_digest(row["token_hash"], hashed):
            return None
        return Operator.model_validate(dict(row))

    async def add(self, tx: Transaction, name: str, role: Role, added_by: UUID | None) -> str:
        """Add one; returns the token, which nobody but `added_by` is told. Raises NameTakenError.

        None is somebody on the hub's own machine. Raises SupervisorElsewhereError where it is not: whoever approves
        what others ask for must not have come from one of them.
        """
        if role is Role.supervisor and added_by is not None:
            raise SupervisorElsewhereError
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        hashed = self._hasher.hash(token.encode())
        if not await tx.fetch_value(statements.ADD_OPERATOR, uuid7(), name, role.value, hashed, added_by):
            raise NameTakenError(name)
        return token

    async def revoke(self, tx: Transaction, name: str, revoked_by: UUID | None) -> None:
        """From now on the token opens nothing. Raises NoSuchOperatorError.

        None is somebody on the hub's own machine. Raises SupervisorElsewhereError where it is not and the token is
        another supervisor's: nobody who approves is to be the only one left who can.
        """
        row = await tx.fetch_row(statements.REVOKE_OPERATOR, name)
        if row is None:
            raise NoSuchOperatorError(name)
        if row["role"] == Role.supervisor and revoked_by not in {None, row["operator_id"]}:
            raise SupervisorElsewhereError

    async def all(self, reading: Reading) -> list[Operator]:
        """All there are and were, by name."""
        rows = await reading.fetch(statements.OPERATORS, OPERATORS_LIMIT)
        return [Operator.model_validate(dict(row)) for row in rows]
