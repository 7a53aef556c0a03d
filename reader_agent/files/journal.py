"""Which merge files were dropped, how they were answered, what the hub knows of it: an SQLite file of the agent's."""

import sqlite3
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from schemas.uplink import MergeFile, MergeFileAnswer

FILE: Final = "merges.sqlite3"
KEPT_S: Final = 400 * 24 * 3_600.0
"""How long a file is remembered after it was dropped: one that is over, so that the hub asking again drops nothing; one
that nobody has answered, because its points may have been given back meanwhile. What the hub has to be told stays."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS dropped (
  name TEXT PRIMARY KEY,
  digest BLOB NOT NULL,
  at REAL NOT NULL,
  taken INTEGER,
  reason TEXT NOT NULL DEFAULT '',
  told INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS dropped_open ON dropped (at) WHERE told = 0;
"""
_DIGEST: Final = "SELECT digest FROM dropped WHERE name = ?"
_DROP: Final = """
INSERT INTO dropped (name, digest, at) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, at = excluded.at
"""
_UNANSWERED: Final = "SELECT name FROM dropped WHERE told = 0 AND taken IS NULL"
_ANSWER: Final = "UPDATE dropped SET taken = ?, reason = ? WHERE name = ? AND taken IS NULL"
_UNTOLD: Final = """
SELECT name, taken, reason FROM dropped WHERE told = 0 AND taken IS NOT NULL ORDER BY at, name LIMIT ?
"""
_TELL: Final = "UPDATE dropped SET told = 1 WHERE name = ?"
_TELL_AGAIN: Final = "UPDATE dropped SET told = 0 WHERE name = ? AND taken IS NOT NULL RETURNING name"
_FORGET: Final = "DELETE FROM dropped WHERE (told = 1 OR taken IS NULL) AND at < ?"


def digest_of(content: bytes) -> bytes:
    """By which a file is known again."""
    return sha256(content).digest()


class Journal:
    """What is in it outlives a power cut as soon as a call has returned. Used in one thread."""

    def __init__(self, folder: Path) -> None:
        """Raises sqlite3.Error."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / FILE, isolation_level=None)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error:
            self._database.close()
            raise

    def close(self) -> None:
        """No more."""
        self._database.close()

    def digest(self, name: str) -> bytes | None:
        """Of the file that was dropped under this name."""
        row = self._database.execute(_DIGEST, (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def dropped(self, files: Iterable[MergeFile]) -> None:
        """These are in the folder."""
        now = time.time()
        self._all(_DROP, [(file.name, digest_of(file.content), now) for file in files])

    def unanswered(self) -> set[str]:
        """The files whose answer is waited for."""
        return {str(row[0]) for row in self._database.execute(_UNANSWERED)}

    def answered(self, answers: Iterable[MergeFileAnswer]) -> None:
        """The street's program has said so; its first word counts."""
        self._all(_ANSWER, [(int(one.taken), one.reason, one.name) for one in answers])

    def untold(self, limit: int) -> list[MergeFileAnswer]:
        """What the hub does not know yet, the oldest first."""
        rows = self._database.execute(_UNTOLD, (limit,))
        return [MergeFileAnswer(name=name, taken=bool(taken), reason=reason) for name, taken, reason in rows]

    def told(self, names: Iterable[str]) -> None:
        """The hub has it."""
        self._all(_TELL, [(name,) for name in names])

    def tell_again(self, name: str) -> bool:
        """Whether it was answered: then the hub is told once more."""
        return self._database.execute(_TELL_AGAIN, (name,)).fetchone() is not None

    def forget(self) -> None:
        """What is over for long, or was not answered for as long."""
        self._database.execute(_FORGET, (time.time() - KEPT_S,))

    def _all(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        if rows:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(sql, rows)
                self._database.execute("COMMIT")
            finally:
                # A full disk may end the transaction by itself, or leave it open, at COMMIT too.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
