"""One-time form keys: a form acts once, however often it is sent, and what came of it can be looked at again.

What was typed is kept under a key of its own before it is shown to be confirmed, so that no page is the answer to a
POST: back and reload are harmless. `act` does it: the key goes along to the worker as the command's id, so that the
same asked again, after an answer that never came, is still one act. Values and outcomes are sealed: they may be
personal.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel

from hub.clock import JAPAN, Clock
from hub.database import Database, Row
from hub.errors import DeadlineExceededError, TransientError
from hub.forgetting import forget
from hub.keys import Sealer, place
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

KEPT_FOR: Final = timedelta(days=35)
"""How long a receipt can be looked at again."""
OPEN_FOR: Final = timedelta(days=2)
"""How long what was typed can be confirmed: longer than any session, and than an enrolment is kept."""
CLAIM: Final = timedelta(seconds=20)
"""An act that began so long ago and has no outcome was cut off: the next to ask does it again, under the same key."""
WAIT_LIMIT_S: Final = 8.0
"""How long a second click waits for the first one's outcome."""
POLL_S: Final = 0.05
_RECEIPT_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

KEEP: Final = """
INSERT INTO portal.form (owner_id, form_key, act, values_sealed, kept_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
FORM: Final = """
SELECT values_sealed, begun_at, receipt, outcome_sealed, done_at FROM portal.form
WHERE owner_id = $1 AND form_key = $2 AND act = $3
"""
CLAIM_FORM: Final = """
UPDATE portal.form SET begun_at = $4
WHERE owner_id = $1 AND form_key = $2 AND act = $3 AND receipt IS NULL AND (begun_at IS NULL OR begun_at < $5)
RETURNING 1
"""
RELEASE: Final = """
UPDATE portal.form SET begun_at = NULL WHERE owner_id = $1 AND form_key = $2 AND receipt IS NULL
"""
DONE: Final = """
UPDATE portal.form SET receipt = $3, outcome_sealed = $4, done_at = $5, begun_at = NULL
WHERE owner_id = $1 AND form_key = $2 AND receipt IS NULL RETURNING 1
"""
FORGET: Final = """
DELETE FROM portal.form WHERE ctid = ANY (ARRAY (SELECT ctid FROM portal.form WHERE kept_at < $1 LIMIT $2))
"""
FORGET_OPEN: Final = """
DELETE FROM portal.form WHERE receipt IS NULL
  AND ctid = ANY (ARRAY (SELECT ctid FROM portal.form WHERE receipt IS NULL AND kept_at < $1 LIMIT $2))
"""

ModelT = TypeVar("ModelT", bound=BaseModel)
OutcomeT = TypeVar("OutcomeT", bound=BaseModel)


class RefusedError(Exception):
    """A worker decided against it; `code` is of schemas.problems.REFUSALS. Nothing has changed."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Kept(Generic[ModelT]):
    """What was typed, and whether it was acted on already."""

    value: ModelT
    is_done: bool


@dataclass(frozen=True, slots=True)
class Receipt(Generic[OutcomeT]):
    """What came of an act; `number` is for people to quote."""

    number: str
    at: datetime
    outcome: OutcomeT


class FormKeys:
    """Keeps forms for their owners; nobody finds another one's."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock

    async def keep(self, owner_id: UUID, act: str, values: BaseModel, key: UUID | None = None) -> UUID:
        """Keep what was typed, to be confirmed; returns its key. Under a `key` that was given the first word stays."""
        key = key or uuid4()
        sealed = self._sealer.seal(values.model_dump_json().encode(), place("portal.form", "values", key))
        async with self._database.transaction() as tx:
            await tx.execute(KEEP, owner_id, key, act, sealed, tx.now)
        return key

    async def kept(self, owner_id: UUID, act: str, key: UUID, model: type[ModelT]) -> Kept[ModelT]:
        """What was typed. Raises ProblemError not_found."""
        row = await self._row(owner_id, act, key)
        value = self._sealer.open(row["values_sealed"], place("portal.form", "values", key))
        return Kept(model.model_validate_json(value), row["receipt"] is not None)

    async def act(self, owner_id: UUID, act: str, key: UUID, do: Callable[[], Awaitable[BaseModel]]) -> None:
        """Do it, unless it was done; wait where it is being done.

        `do` must be safe to repeat: it gives the key along as the id of what it asks.

        Raises:
            RefusedError: as `do` raises it; the form can be confirmed again.
            ProblemError: not_found; in_flight (409) where another one is still at it.
            DeadlineExceededError: it was done, and what came of it could not be kept.
        """
        if not await self._turn(owner_id, act, key):
            return
        try:
            outcome = await do()
        except BaseException:
            await self._release(owner_id, key)
            raise
        try:
            await self._done(owner_id, key, outcome)
        except TransientError as error:
            raise DeadlineExceededError from error

    async def receipt(self, owner_id: UUID, act: str, key: UUID, model: type[OutcomeT]) -> Receipt[OutcomeT]:
        """What came of it. Raises ProblemError not_found where nothing has, yet."""
        row = await self._row(owner_id, act, key)
        if row["receipt"] is None:
            raise ProblemError(ProblemCode.not_found)
        outcome = self._sealer.open(row["outcome_sealed"], place("portal.form", "outcome", key))
        return Receipt(row["receipt"], row["done_at"], model.model_validate_json(outcome))

    async def forget(self) -> None:
        """What is too old goes."""
        await forget(self._database, FORGET, KEPT_FOR)
        await forget(self._database, FORGET_OPEN, OPEN_FOR)

    async def _turn(self, owner_id: UUID, act: str, key: UUID) -> bool:
        """Whether it is ours to do, once nobody else is at it; False where it was done."""
        until_s = self._clock.monotonic() + WAIT_LIMIT_S
        while not await self._is_claimed(owner_id, act, key):
            if (await self._row(owner_id, act, key))["receipt"] is not None:
                return False
            if self._clock.monotonic() >= until_s:
                raise ProblemError(ProblemCode.in_flight, retry_after_s=WAIT_LIMIT_S)
            await asyncio.sleep(POLL_S)
        return True

    async def _row(self, owner_id: UUID, act: str, key: UUID) -> Row:
        async with self._database.reading() as reading:
            row = await reading.fetch_row(FORM, owner_id, key, act)
        if row is None:
            raise ProblemError(ProblemCode.not_found)
        return row

    async def _is_claimed(self, owner_id: UUID, act: str, key: UUID) -> bool:
        async with self._database.transaction() as tx:
            return bool(await tx.fetch_value(CLAIM_FORM, owner_id, key, act, tx.now, tx.now - CLAIM))

    async def _release(self, owner_id: UUID, key: UUID) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(RELEASE, owner_id, key)

    async def _done(self, owner_id: UUID, key: UUID, outcome: BaseModel) -> None:
        sealed = self._sealer.seal(outcome.model_dump_json().encode(), place("portal.form", "outcome", key))
        async with self._database.transaction() as tx:
            await tx.execute(DONE, owner_id, key, receipt_number(tx.now), sealed, tx.now)


def receipt_number(now: datetime) -> str:
    """The day in Japan and 40 random bits, in letters that nobody misreads: `171101-7K2M-9QXT`."""
    drawn = "".join(secrets.choice(_RECEIPT_LETTERS) for _ in range(8))
    return f"{now.astimezone(JAPAN):%y%m%d}-{drawn[:4]}-{drawn[4:]}"
