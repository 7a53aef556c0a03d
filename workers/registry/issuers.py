"""Issuers of card numbers: libraries and shopping streets, kept by the ministry (mission I.3, 画面22)."""

from collections.abc import Collection, Sequence
from typing import Protocol

from hub.database import Row
from hub.errors import ContendedError
from hub.transaction import Reading, Transaction
from schemas.municipalities import Registered
from schemas.problems import RefusalCode
from schemas.service_ids import Issuer, Issuers, IssuersOf, Notification, RegisterIssuer
from workers.registry import service_id_statements as sql


async def register_issuers(messages: Sequence[RegisterIssuer], tx: Transaction) -> list[Registered]:
    """The last word counts; what makes two numbers one stays as it was first said.

    Refused `bad_code` (no such municipality), `id_conflict` (another kind, municipality or use of start and stop
    characters: numbers that are registered would no longer be found).
    """
    kept = await issuers_by_id([message.issuer.issuer_id for message in messages], tx)
    rows = await tx.fetch(sql.MUNICIPALITIES, list({message.issuer.lg_code for message in messages}))
    municipalities = {row[0] for row in rows}
    changed: dict[str, Issuer] = {}
    answers: list[Registered] = []
    for message in messages:
        issuer = message.issuer
        code = _refusal(issuer, kept.get(issuer.issuer_id), municipalities)
        if code is None:
            kept[issuer.issuer_id] = changed[issuer.issuer_id] = issuer
        answers.append(Registered(code=code) if code else Registered(id=message.key()))
    if changed:
        written = await tx.fetch(sql.WRITE_ISSUERS, *map(list, zip(*map(_row, changed.values()), strict=True)))
        if len(written) < len(changed):
            raise ContendedError("another process has just registered an issuer otherwise")
    return answers


async def issuers_of(query: IssuersOf, reading: Reading) -> Issuers:
    """All issuers that fit, by their ids."""
    kind = query.kind.value if query.kind else None
    rows = await reading.fetch(sql.ISSUERS_OF, query.lg_code, kind, query.issuer_ids)
    return Issuers(issuers=[_issuer(row) for row in rows])


class Fetching(Protocol):
    """A transaction or a reading."""

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """All rows."""
        ...


async def issuers_by_id(issuer_ids: Collection[str], reading: Fetching) -> dict[str, Issuer]:
    """Those of these ids that there are."""
    return {row["issuer_id"]: _issuer(row) for row in await reading.fetch(sql.ISSUERS, list(set(issuer_ids)))}


def _refusal(issuer: Issuer, before: Issuer | None, municipalities: Collection[str]) -> str | None:
    if issuer.lg_code not in municipalities:
        return RefusalCode.bad_code
    return RefusalCode.id_conflict if before is not None and _fixed(before) != _fixed(issuer) else None


def _fixed(issuer: Issuer) -> tuple[object, ...]:
    return (issuer.kind, issuer.lg_code, issuer.start_stop)


def _row(issuer: Issuer) -> tuple[object, ...]:
    return (
        issuer.issuer_id,
        issuer.name,
        issuer.kind.value,
        issuer.lg_code,
        issuer.pattern,
        issuer.start_stop.value,
        issuer.check_digit.value,
        issuer.notification.model_dump_json(),
        issuer.sip2,
    )


def _issuer(row: Row) -> Issuer:
    notification = Notification.model_validate_json(row["notification"])
    return Issuer.model_validate({**dict(row), "notification": notification})
