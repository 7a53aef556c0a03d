"""On the way to a MyKey ID: candidates offered or checked, and kept for one enrolment for a day."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from hub.errors import TransientError
from hub.keys import Keys, place
from hub.transaction import Transaction
from schemas.citizens import Candidate, CheckMyKeyId, OfferMyKeyId
from workers.registry import mykey_ids
from workers.registry import statements as sql
from workers.registry.mykey_ids import Enrolment

KEPT_FOR: Final = timedelta(hours=24)
"""How long an enrolment, and the MyKey ID it keeps, is remembered after the last press of a button."""
DRAW_LIMIT: Final = 8
"""Rounds of drawing until every offer is free; the first one all but always is."""


class Enrolments:
    """The two buttons 「自動生成」 and 「重複チェック」. `draw` makes a MyKey ID by chance."""

    def __init__(self, keys: Keys, draw: Callable[[], str] = mykey_ids.random_mykey_id) -> None:
        self._sealer = keys.sealer("registry.enrolment")
        self._hasher = keys.hasher("registry.mykey-id")
        self._draw = draw

    async def offer(self, messages: Sequence[OfferMyKeyId], tx: Transaction) -> list[Candidate]:
        """A free MyKey ID for each enrolment; after the third press the third one again and again."""
        enrolments = await self._load([message.enrolment_id for message in messages], tx)
        fresh = await self._fresh(len(messages), tx)
        answers: list[Candidate] = []
        for message in messages:
            enrolment = enrolments.get(message.enrolment_id, Enrolment())
            if mykey_ids.needs_offer(enrolment, message.attempt):
                enrolment = mykey_ids.offer(enrolment, fresh.pop())
            enrolments[message.enrolment_id] = enrolment
            answers.append(mykey_ids.offered(enrolment))
        await self._save(enrolments, tx)
        return answers

    async def check(self, messages: Sequence[CheckMyKeyId], tx: Transaction) -> list[Candidate]:
        """Whether each own choice is free; if so it is kept. Refused `mykey_id_taken`, `tries_used_up`."""
        enrolments = await self._load([message.enrolment_id for message in messages], tx)
        taken = await self._taken({message.mykey_id for message in messages}, tx)
        answers: list[Candidate] = []
        for message in messages:
            enrolment = enrolments.get(message.enrolment_id, Enrolment())
            is_free = message.mykey_id not in taken
            enrolment, answer = mykey_ids.check(enrolment, message.mykey_id, is_free=is_free)
            taken.add(message.mykey_id)
            enrolments[message.enrolment_id] = enrolment
            answers.append(answer)
        await self._save(enrolments, tx)
        return answers

    async def _load(self, ids: Sequence[UUID], tx: Transaction) -> dict[UUID, Enrolment]:
        """Each enrolment as it is, held until the end: a press that another process counts is seen here."""
        await tx.execute(sql.FORGET_ENROLMENTS, tx.now)
        await tx.execute(sql.OPEN_ENROLMENTS, sorted(set(ids)), tx.now + KEPT_FOR)
        return {
            row["enrolment_id"]: Enrolment(
                row["offers"],
                row["failed_checks"],
                self._opened(row["enrolment_id"], row["candidate_sealed"]),
            )
            for row in await tx.fetch(sql.LOCKED_ENROLMENTS, ids)
        }

    async def _taken(self, chosen: Collection[str], tx: Transaction) -> set[str]:
        by_hash = {self._hash(mykey_id): mykey_id for mykey_id in chosen}
        return {by_hash[row["mykey_hash"]] for row in await tx.fetch(sql.TAKEN, list(by_hash))}

    async def _fresh(self, count: int, tx: Transaction) -> list[str]:
        """So many different MyKey IDs that nobody has, had or is offered."""
        fresh: set[str] = set()
        for _ in range(DRAW_LIMIT):
            drawn = {self._draw() for _ in range(count - len(fresh))}
            fresh |= drawn - await self._taken(drawn, tx)
            if len(fresh) == count:
                return list(fresh)
        raise TransientError("too few MyKey IDs were free")

    async def _save(self, enrolments: dict[UUID, Enrolment], tx: Transaction) -> None:
        await tx.execute(
            sql.WRITE_ENROLMENTS,
            list(enrolments),
            [enrolment.offers for enrolment in enrolments.values()],
            [enrolment.failed_checks for enrolment in enrolments.values()],
            [one.candidate and self._hash(one.candidate) for one in enrolments.values()],
            [one.candidate and self._sealed(id_, one.candidate) for id_, one in enrolments.items()],
            tx.now + KEPT_FOR,
        )

    def _hash(self, mykey_id: str) -> bytes:
        return self._hasher.hash(mykey_id.encode())

    def _sealed(self, enrolment_id: UUID, mykey_id: str) -> bytes:
        return self._sealer.seal(mykey_id.encode(), _candidate_of(enrolment_id))

    def _opened(self, enrolment_id: UUID, sealed: bytes | None) -> str | None:
        return None if sealed is None else self._sealer.open(sealed, _candidate_of(enrolment_id)).decode()


def _candidate_of(enrolment_id: UUID) -> str:
    return place("registry.enrolment", "candidate", enrolment_id)
