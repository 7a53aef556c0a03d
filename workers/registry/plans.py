"""What a municipality plans (様式I), and the terminals issued to it (様式II); their passwords, as hashes."""

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

from hub.database import Row
from hub.errors import TransientError
from hub.transaction import Reading, Transaction
from schemas.municipalities import Registered, lg_key
from schemas.problems import RefusalCode
from schemas.terminals import (
    PASSWORD_ALPHABET,
    FileTerminalPlan,
    IssuedTerminal,
    IssuedTerminals,
    IssueTerminals,
    PlanRow,
    RenewPassword,
    TerminalPlan,
    TerminalPlanOf,
    terminal_key,
)
from workers.registry import terminal_statements as sql
from workers.registry.places import keep_places

ID_CHARS: Final = 6
DRAW_LIMIT: Final = 8
"""Rounds of drawing until every terminal ID is free; the first one all but always is."""

Sort: TypeAlias = tuple[object, ...]


async def file_plans(messages: Sequence[FileTerminalPlan], tx: Transaction) -> list[Registered]:
    """The last one counts; what was issued already stays. Refused `bad_code` where nobody has this code."""
    known = {row[0] for row in await tx.fetch(sql.MUNICIPALITIES, [message.lg_code for message in messages])}
    filed = {message.lg_code: message.rows for message in messages if message.lg_code in known}
    if filed:
        lg_codes = sorted(filed)
        await tx.execute(sql.WRITE_PLANS, lg_codes, tx.now)
        await tx.execute(sql.DROP_PLAN_ROWS, lg_codes)
        rows = [(lg_code, n, *row.sort(), row.count) for lg_code in lg_codes for n, row in enumerate(filed[lg_code])]
        await tx.copy("registry", "terminal_plan_row", sql.PLAN_ROW_COLUMNS, rows)
    return [
        Registered(id=lg_key(message.lg_code)) if message.lg_code in known else Registered(code=RefusalCode.bad_code)
        for message in messages
    ]


async def plan_of(query: TerminalPlanOf, reading: Reading) -> TerminalPlan:
    """The municipality's plan, and what of it is still to be issued."""
    rows = tuple(_plan_row(row) for row in await reading.fetch(sql.PLAN_ROWS, [query.lg_code]))
    lacking = (await _lacking([query.lg_code], reading))[query.lg_code]
    return TerminalPlan(rows=rows, left=lacking.total())


class Issuing:
    """`draw` makes the end of a terminal ID by chance."""

    def __init__(self, draw: Callable[[], str] | None = None) -> None:
        self._draw = draw or partial(_drawn, ID_CHARS)

    async def issue(self, messages: Sequence[IssueTerminals], tx: Transaction) -> list[IssuedTerminals]:
        """As many terminals as the plan lacks, one for each password at most. Refused `no_plan`."""
        lg_codes = list({message.lg_code for message in messages})
        with_plan = {row[0] for row in await tx.fetch(sql.LOCK_PLANS, lg_codes)}
        lacking = await _lacking(list(with_plan), tx)
        answers: list[IssuedTerminals] = []
        for message in messages:
            if message.lg_code in with_plan:
                answers.append(await self._issued(message, lacking[message.lg_code], tx))
            else:
                answers.append(IssuedTerminals(code=RefusalCode.no_plan))
        return answers

    async def _issued(self, message: IssueTerminals, lacking: Counter[Sort], tx: Transaction) -> IssuedTerminals:
        """Takes what it issues off `lacking`, so that the next of the run goes on from there."""
        sorts = list(lacking.elements())[: len(message.password_hashes)]
        lacking.subtract(sorts)
        ids = await self._free_ids(message.lg_code, len(sorts), tx)
        rows = [
            (terminal_id, message.lg_code, *sort, tx.now, password_hash, True)
            for terminal_id, sort, password_hash in zip(ids, sorts, message.password_hashes, strict=False)
        ]
        if rows:
            await tx.copy("registry", "terminal", sql.TERMINAL_COLUMNS, rows)
            await keep_places({(message.lg_code, str(place)) for _, place, *_ in sorts}, tx)
        issued = tuple(_issued_terminal(terminal_id, sort) for terminal_id, sort in zip(ids, sorts, strict=True))
        return IssuedTerminals(terminals=issued, left=lacking.total())

    async def _free_ids(self, lg_code: str, count: int, tx: Transaction) -> list[str]:
        free: set[str] = set()
        for _ in range(DRAW_LIMIT):
            drawn = {f"T{lg_code}{self._draw()}" for _ in range(count - len(free))}
            free |= drawn - {row[0] for row in await tx.fetch(sql.TERMINAL_IDS, list(drawn))}
            if len(free) == count:
                return sorted(free)
        raise TransientError("too few terminal IDs were free")


async def renew_passwords(messages: Sequence[RenewPassword], tx: Transaction) -> list[Registered]:
    """The last password counts. Refused `unknown_terminal`."""
    hashes = {message.terminal_id: message.password_hash for message in messages}
    known = {row["terminal_id"] for row in await tx.fetch(sql.LOCK_TERMINALS, list(hashes))}
    await tx.execute(sql.RENEW_PASSWORDS, list(hashes), list(hashes.values()))
    return [
        Registered(id=terminal_key(message.terminal_id))
        if message.terminal_id in known
        else Registered(code=RefusalCode.unknown_terminal)
        for message in messages
    ]


async def _lacking(lg_codes: Sequence[str], reading: Reading) -> Mapping[str, Counter[Sort]]:
    """Of each sort, how many are planned and not issued."""
    lacking = {lg_code: Counter[Sort]() for lg_code in lg_codes}
    for row in await reading.fetch(sql.PLAN_ROWS, lg_codes):
        lacking[row["lg_code"]][_sort(row)] += row["count"]
    for row in await reading.fetch(sql.ISSUED, lg_codes):
        lacking[row["lg_code"]][_sort(row)] -= row["count"]
    return {lg_code: +counts for lg_code, counts in lacking.items()}


def _plan_row(row: Row) -> PlanRow:
    return PlanRow.model_validate({name: value for name, value in row.items() if name != "lg_code"})


def _sort(row: Row) -> Sort:
    return (row["kind"], row["place"], row["issuer_id"], row["point_use_too"], row["mobile"])


def _issued_terminal(terminal_id: str, sort: Sort) -> IssuedTerminal:
    kind, place, issuer_id, point_use_too, mobile = sort
    return IssuedTerminal.model_validate(
        {
            "terminal_id": terminal_id,
            "kind": kind,
            "place": place,
            "issuer_id": issuer_id,
            "point_use_too": point_use_too,
            "mobile": mobile,
        }
    )


def _drawn(count: int) -> str:
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(count))
