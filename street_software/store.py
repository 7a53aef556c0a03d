"""The street's points, and every transaction number that was answered: one SQLite file, safe against a power cut.

A number is remembered in the very transaction that adds its points, so that whatever happens it counts once.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from street_software.reading import Merge, Reason, RefusedFileError

BUSY_TIMEOUT_S: Final = 10.0
UNKNOWN_MEMBER: Final = "unknown_member"
"""Why a member's points are sent back: told to the hub, and for ever the answer to this number."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS member (
  member_id TEXT PRIMARY KEY,
  points INTEGER NOT NULL DEFAULT 0 CHECK (points >= 0)
) STRICT;
CREATE TABLE IF NOT EXISTS answered (
  number TEXT PRIMARY KEY,
  member_id TEXT NOT NULL,
  points INTEGER NOT NULL CHECK (points > 0),
  refusal TEXT NOT NULL,
  at TEXT NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0
) STRICT;
"""
_ANSWERED: Final = "SELECT member_id, points, refusal, finished FROM answered WHERE number = ?"
_ANSWER: Final = "INSERT INTO answered (number, member_id, points, refusal, at) VALUES (?, ?, ?, ?, ?)"
_IS_MEMBER: Final = "SELECT 1 FROM member WHERE member_id = ?"
_ADD: Final = """
INSERT INTO member (member_id, points) VALUES (?, ?)
ON CONFLICT (member_id) DO UPDATE SET points = points + excluded.points
"""
_FINISH: Final = "UPDATE answered SET finished = 1 WHERE number = ?"
_POINTS: Final = "SELECT points FROM member WHERE member_id = ?"
_TOTALS: Final = "SELECT count(*), coalesce(sum(points), 0) FROM answered WHERE refusal = ''"


class StoreError(OSError):
    """The points cannot be kept now: the disk is full, or fails. Nothing was added; it can be tried again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a number was answered. `is_over`: its file was put away before, so that this one is another copy."""

    refusal: str
    is_new: bool = False
    is_over: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether its points were added."""
        return not self.refusal


class Store:
    """Points and numbers of one street. What it does may raise StoreError."""

    def __init__(self, path: Path, *, opens_accounts: bool = True) -> None:
        """`opens_accounts`: whether points of an unknown ID open an account, or are refused."""
        self._opens_accounts = opens_accounts
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _as_store_error():
            self._database = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """No more."""
        self._database.close()

    def take(self, merge: Merge, now: datetime) -> Verdict:
        """Add the points, unless the number was answered before; then how it was. Returns once it is durable.

        Raises RefusedFileError number_reused.
        """
        with self._transaction():
            before = self._row(_ANSWERED, merge.number)
            if before is not None:
                member_id, points, refusal, finished = before
                if (member_id, points) != (merge.member_id, merge.points):
                    raise RefusedFileError(Reason.number_reused)
                return Verdict(str(refusal), is_over=bool(finished))
            is_known = self._opens_accounts or self._row(_IS_MEMBER, merge.member_id) is not None
            refusal = "" if is_known else UNKNOWN_MEMBER
            told = (merge.number, merge.member_id, merge.points, refusal, now.isoformat())
            self._database.execute(_ANSWER, told)
            if is_known:
                self._database.execute(_ADD, (merge.member_id, merge.points))
            return Verdict(refusal, is_new=True)

    def finish(self, number: str) -> None:
        """Its file is put away."""
        with self._transaction():
            self._database.execute(_FINISH, (number,))

    def open_account(self, member_id: str) -> None:
        """A member with no points yet, if it is none already."""
        with self._transaction():
            self._database.execute(_ADD, (member_id, 0))

    def points_of(self, member_id: str) -> int | None:
        """What a member has, None where there is no such member."""
        row = self._row(_POINTS, member_id)
        return None if row is None else int(str(row[0]))

    def totals(self) -> tuple[int, int]:
        """How many numbers were taken, and their points."""
        row = self._row(_TOTALS)
        return (0, 0) if row is None else (int(str(row[0])), int(str(row[1])))

    def _row(self, sql: str, *values: str) -> tuple[object, ...] | None:
        with _as_store_error(), closing(self._database.execute(sql, values)) as cursor:
            row: tuple[object, ...] | None = cursor.fetchone()
        return row

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _as_store_error():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            finally:
                # A full disk may end the transaction by itself, or leave it open, at COMMIT too.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise StoreError(errno.ENOSPC if is_full else errno.EIO, str(error)) from error
