"""「合算ポイント受取」: the drop folder worked through. It may end anywhere, and goes on where it was when begun again.

The order makes it safe: points and number in one transaction, then the answer beside the file, then the file out of the
way, then the number finished. Until it is finished the same file is answered the same way again.
"""

import errno
import logging
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from street_software import files
from street_software.reading import Merge, Reason, RefusedFileError, read
from street_software.settings import Settings
from street_software.store import Store, StoreError

FILES_LIMIT: Final = 10_000
"""Of one run; the next one goes on."""
_OF_ALL_FILES: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.EHOSTDOWN, errno.ENOTCONN, errno.ETIMEDOUT}
)
"""Troubles of the disk or the share; any other one is of this very file, and the others have their turn."""

log: Final = logging.getLogger("mykey-street")


class NoDropFolderError(FileNotFoundError):
    """The drop folder is not there: make it, or mend `drop_folder` in street.toml; if it is a share, bring it back."""

    def __init__(self, folder: Path) -> None:
        super().__init__(errno.ENOENT, self.__doc__, str(folder))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Taken:
    """What one run did: files taken and their points, sent back, put into quarantine by reason.

    `passed_over` are names of files that could not be read, answered or moved: they lie there, and are tried again.
    """

    files: int = 0
    points: int = 0
    sent_back: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    passed_over: list[str] = field(default_factory=list)


class Taking:
    """Takes merge files of one street."""

    def __init__(self, settings: Settings, store: Store, now: Callable[[], datetime] = _now) -> None:
        self._settings = settings
        self._store = store
        self._now = now
        self._passed_over: set[str] = set()
        pattern = re.escape(settings.file_name.format(street=settings.street, key="\0", number="\1"))
        self._name = re.compile(pattern.replace("\\\0", "\0").replace("\0", "[A-Za-z0-9-]+").replace("\1", "[0-9]+"))

    def run(self) -> Taken:
        """All files that are there now. Raises OSError: the folder or the disk is not as it must be."""
        told = Taken()
        folder = self._settings.drop_folder
        if not folder.is_dir():
            raise NoDropFolderError(folder)
        names = sorted(path for path in folder.iterdir() if self._is_ours(path.name))
        for path in names[:FILES_LIMIT]:
            try:
                self._work_on(path, told)
            except FileNotFoundError:
                log.info("gone %s: another reader was faster", path.name)
            except OSError as error:
                if isinstance(error, StoreError) or error.errno in _OF_ALL_FILES:
                    raise
                self._pass_over(path, error, told)
        self._passed_over.intersection_update(told.passed_over)
        return told

    def _work_on(self, path: Path, told: Taken) -> None:
        try:
            self._take(path, told)
        except RefusedFileError as error:
            self._refuse(path, error.reason, told)

    def _pass_over(self, path: Path, error: OSError, told: Taken) -> None:
        """Said once for each file, not whenever it is looked at."""
        told.passed_over.append(path.name)
        if path.name not in self._passed_over:
            self._passed_over.add(path.name)
            log.warning("passed over %s: %s: have its owner and mode looked at", path.name, error.strerror)

    def _is_ours(self, name: str) -> bool:
        """Whatever ends as a merge file does: a foreign one is put into quarantine, not left lying."""
        return self._name.fullmatch(name) is not None or name.endswith(Path(self._settings.file_name).suffix or "\0")

    def _take(self, path: Path, told: Taken) -> None:
        now = self._now()
        merge = read(files.content_of(path), self._settings, now)
        if path.name != self._settings.name_of(merge.key, merge.number):
            raise RefusedFileError(Reason.bad_name)
        verdict = self._store.take(merge, now)
        files.answer(path, verdict.refusal)
        if verdict.is_over:
            # A copy: the hub is told again, in case it did not hear; the points are not added again.
            raise RefusedFileError(Reason.seen)
        files.put_away(path)
        self._store.finish(merge.number)
        if verdict.is_new:
            self._count(merge, told, taken=verdict.is_taken)

    def _refuse(self, path: Path, reason: Reason, told: Taken) -> None:
        log.warning("quarantined %s: %s", path.name, reason.value)
        files.quarantine(path, reason)
        told.quarantined[reason.value] += 1

    @staticmethod
    def _count(merge: Merge, told: Taken, *, taken: bool) -> None:
        told.files += taken
        told.points += merge.points * taken
        told.sent_back += not taken
        log.info("%s %s", "taken" if taken else "sent back", merge.number)
