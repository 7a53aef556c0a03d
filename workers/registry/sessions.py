"""Sessions on the server: 128 random bits, kept as a keyed hash; they end by idleness, by time, or by order.

Every look-up reads what is committed, so that an end is seen by all processes at once.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from hub.database import Database, Row
from hub.forgetting import forget
from hub.keys import Keys
from hub.transaction import Reading, Transaction
from schemas.logins import (
    EndSessions,
    FoundSession,
    Session,
    SessionKind,
    SessionOf,
    SessionsEnded,
    UseSession,
)
from workers.registry import login_statements as sql
from workers.registry.tries import WINDOW

ID_BYTES: Final = 16
IDLE: Final[Mapping[SessionKind, timedelta]] = {
    SessionKind.citizen: timedelta(minutes=30),
    SessionKind.counter: timedelta(seconds=60),
    SessionKind.staff: timedelta(minutes=30),
}
WHOLE: Final[Mapping[SessionKind, timedelta]] = {
    SessionKind.citizen: timedelta(hours=12),
    SessionKind.counter: timedelta(minutes=5),
    SessionKind.staff: timedelta(hours=8),
}
CONFIRMED_FOR: Final = timedelta(minutes=5)
"""How long somebody who was asked again need not be asked once more."""
REMOVED_CARDS_KEPT: Final = timedelta(days=1)

_IDLE_LIMITS: Final = (IDLE[SessionKind.citizen], IDLE[SessionKind.counter], IDLE[SessionKind.staff])


class Beginning(NamedTuple):
    """A session to begin: whose, and by what (`password`, `pin`, `tap`); `insertion` is the card's."""

    kind: SessionKind
    subject_id: UUID
    how: str
    terminal_id: str | None = None
    insertion: UUID | None = None
    confirmed: bool = False


class Begun(NamedTuple):
    """A session that has begun: its id, which is told nobody else, and when it ends however much it is used."""

    session: str
    ends_at: datetime


class Sessions:
    """Begins, finds and ends them."""

    def __init__(self, keys: Keys) -> None:
        self._hasher = keys.hasher("registry.session")
        self._successors = keys.hasher("registry.session-successor")

    async def begin(self, beginning: Beginning, tx: Transaction, successor: str | None = None) -> Begun | None:
        """A session of its own, under the id `successor` if given; None where its card was taken out meanwhile."""
        if beginning.insertion is not None:
            # Against the very removal that would not see this session yet.
            await tx.execute(sql.HOLD_INSERTION, beginning.insertion)
            if await tx.fetch_value(sql.IS_CARD_REMOVED, beginning.insertion):
                return None
        session = successor or secrets.token_urlsafe(ID_BYTES)
        ends_at = tx.now + WHOLE[beginning.kind]
        await tx.execute(
            sql.BEGIN_SESSION,
            self._hash(session),
            beginning.kind.value,
            beginning.subject_id,
            beginning.how,
            beginning.terminal_id,
            beginning.insertion,
            tx.now,
            ends_at,
            tx.now if beginning.confirmed else None,
        )
        return Begun(session, ends_at)

    async def use(self, messages: Sequence[UseSession], tx: Transaction) -> list[FoundSession]:
        """Each session that is alive, used now."""
        hashes = [self._hash(message.session) for message in messages]
        rows = await tx.fetch(sql.USE_SESSIONS, hashes, tx.now, *_IDLE_LIMITS)
        alive = {row["id_hash"]: _session(row) for row in rows}
        return [FoundSession(session=alive.get(one)) for one in hashes]

    async def of(self, query: SessionOf, reading: Reading) -> FoundSession:
        """The session, if it is alive."""
        return FoundSession(session=await self.alive(query.session, reading.clock.now(), reading))

    async def alive(self, session: str, now: datetime, reading: Reading) -> Session | None:
        """The session, if it is alive."""
        row = await reading.fetch_row(sql.SESSION, self._hash(session), now, *_IDLE_LIMITS)
        return None if row is None else _session(row)

    def successor(self, session: str, asked: UUID) -> str:
        """The id that takes the place of this one by what is asked, the same however often; nobody else can tell it."""
        return self._successors.word(session.encode() + asked.bytes, ID_BYTES)

    async def succeeded(self, session: str, asked: UUID, tx: Transaction) -> Session | None:
        """The session under its new id, where what is asked was done just now: its answer was lost."""
        found = await self.alive(self.successor(session, asked), tx.now, tx)
        return found if found is not None and is_confirmed(found, tx.now) else None

    async def rotate(self, session: str, successor: str, tx: Transaction) -> None:
        """The session under a new id, confirmed now; the old id is nobody's."""
        await tx.execute(sql.ROTATE_SESSION, self._hash(session), self._hash(successor), tx.now)

    async def end(self, messages: Sequence[EndSessions], tx: Transaction) -> list[SessionsEnded]:
        """From the commit on they are over."""
        return [SessionsEnded(count=await self._end(message, tx)) for message in messages]

    async def end_of(self, subject_id: UUID, tx: Transaction) -> None:
        """All of one person."""
        await tx.execute(sql.END_SESSIONS, [], [subject_id], [])

    async def _end(self, message: EndSessions, tx: Transaction) -> int:
        if message.insertion is not None:
            await tx.execute(sql.HOLD_INSERTION, message.insertion)
            await tx.execute(sql.CARD_REMOVED, message.insertion, tx.now)
            return len(await tx.fetch(sql.END_SESSIONS_OF_CARD, message.terminal_id, message.insertion))
        hashes = [self._hash(message.session)] if message.session is not None else []
        subjects = [message.subject_id] if message.subject_id is not None else []
        terminals = [message.terminal_id] if message.terminal_id is not None else []
        return len(await tx.fetch(sql.END_SESSIONS, hashes, subjects, terminals))

    def _hash(self, session: str) -> bytes:
        return self._hasher.hash(session.encode())


def is_confirmed(session: Session, now: datetime) -> bool:
    """Whether the person was asked again who they are, just now."""
    return session.confirmed_at is not None and now - session.confirmed_at <= CONFIRMED_FOR


def _session(row: Row) -> Session:
    return Session(
        kind=row["kind"],
        subject_id=row["subject_id"],
        how=row["how"],
        terminal_id=row["terminal_id"],
        insertion=row["insertion"],
        begun_at=row["begun_at"],
        ends_at=row["ends_at"],
        confirmed_at=row["confirmed_at"],
    )


class ForgettingLogins:
    """Sessions that are over, failures of past windows, and removals of cards are forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self) -> None:
        """The oldest first."""
        await forget(self._database, sql.FORGET_SESSIONS)
        await forget(self._database, sql.FORGET_TRIES, WINDOW)
        await forget(self._database, sql.FORGET_REMOVED_CARDS, REMOVED_CARDS_KEPT)
