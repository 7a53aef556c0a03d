"""One-time passwords: drawn and hashed here, shown once, and listed to be handed out (様式II)."""

import asyncio
import csv
import io
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from hub import passwords
from hub.bus import Bus
from hub.spreadsheets import BOM, safe_cell
from schemas.terminals import (
    ISSUE_LIMIT,
    MEANINGS,
    PASSWORD_ALPHABET,
    PASSWORD_CHARS,
    PLAN_ROWS_LIMIT,
    ROW_COUNT_LIMIT,
    IssuedTerminal,
    IssueTerminals,
    RenewPassword,
    TerminalKind,
    TerminalPlanOf,
    shown_password,
)

DEADLINE_S: Final = 10.0
ROUNDS_LIMIT: Final = PLAN_ROWS_LIMIT * ROW_COUNT_LIMIT // ISSUE_LIMIT
HEAD: Final = ("端末ID", "ワンタイムパスワード", "種別", "設置場所", "ID付与事業者")


class HandedOut(NamedTuple):
    """One line of the list: the only place where the password stands."""

    terminal: IssuedTerminal
    password: str


class NotIssued(NamedTuple):
    """Why nothing was issued: a code of schemas.problems."""

    code: str


def drawn_password() -> str:
    """80 bits, in letters that nobody misreads."""
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_CHARS))


async def issue(bus: Bus, lg_code: str) -> AsyncIterator[HandedOut | NotIssued]:
    """Issue all that the plan lacks; what is told stays issued, also where a later round fails."""
    left = (await bus.call(TerminalPlanOf(lg_code=lg_code), DEADLINE_S)).left
    for _ in range(ROUNDS_LIMIT):
        drawn = [drawn_password() for _ in range(max(1, min(left, ISSUE_LIMIT)))]
        hashes = await asyncio.gather(*map(passwords.hashed, drawn))
        issued = await bus.call(IssueTerminals(lg_code=lg_code, password_hashes=tuple(hashes)), DEADLINE_S)
        if issued.code is not None:
            yield NotIssued(issued.code)
            return
        for terminal, password in zip(issued.terminals, drawn, strict=False):
            yield HandedOut(terminal, password)
        left = issued.left
        if left == 0:
            return


async def renew(bus: Bus, terminal_id: str) -> str | NotIssued:
    """A new one-time password for one terminal."""
    password = drawn_password()
    command = RenewPassword(terminal_id=terminal_id, password_hash=await passwords.hashed(password))
    code = (await bus.call(command, DEADLINE_S)).code
    return password if code is None else NotIssued(code)


def hand_out_list(handed_out: Sequence[HandedOut]) -> str:
    """様式II as CSV, safe to open in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    writer.writerows(map(cells, handed_out))
    return BOM + text.getvalue()


def cells(one: HandedOut) -> tuple[str, ...]:
    """A line of the list, its texts safe in a spreadsheet."""
    terminal = one.terminal
    return (
        terminal.terminal_id,
        shown_password(one.password),
        meaning_of(terminal.kind, point_use_too=terminal.point_use_too, mobile=terminal.mobile),
        safe_cell(terminal.place),
        terminal.issuer_id or "",
    )


def meaning_of(kind: TerminalKind, *, point_use_too: bool, mobile: bool) -> str:
    """What a terminal is for, as 様式I and II name it."""
    also = "・ポイント利用" if point_use_too else "（持ち歩き用）" if mobile else ""
    return f"{MEANINGS[kind]}{also}"
