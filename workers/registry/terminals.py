"""Terminals: enrolled by an agent, suspended and resumed, found by their keys (画面6–11, 22). Contacts are sealed."""

from collections.abc import Mapping, Sequence
from typing import Final

from hub.database import Row
from hub.keys import Keys, place
from hub.transaction import Reading, Transaction
from schemas.municipalities import Registered
from schemas.problems import RefusalCode
from schemas.terminals import (
    AgentKeyOf,
    EnrolledTerminal,
    EnrolTerminal,
    FoundAgentKey,
    KeptPassword,
    ResumeTerminal,
    SuspendTerminal,
    Terminal,
    TerminalContact,
    TerminalEnrolled,
    TerminalKind,
    TerminalPasswordOf,
    TerminalResumed,
    Terminals,
    TerminalsOf,
    TerminalSuspended,
    terminal_key,
)
from workers.registry import terminal_statements as sql
from workers.registry.places import keep_places

_TABLE: Final = "registry.terminal"


class TerminalBook:
    """The handlers and answers that see contacts, and the key that guards them."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer(_TABLE)

    async def enrol(self, messages: Sequence[EnrolTerminal], tx: Transaction) -> list[EnrolledTerminal]:
        """The first one with an open password has the terminal, and a suspension ends.

        Refused `terminal_login`, the same for unknown, wrong and used up; `wrong_issuer` where another one is planned.
        """
        rows = await _locked([message.terminal_id for message in messages], tx)
        taken: dict[str, EnrolTerminal] = {}
        answers: list[EnrolledTerminal] = []
        for about, message in enumerate(messages):
            row = rows.get(message.terminal_id)
            before = taken.get(message.terminal_id)
            code = _refusal(message, row, before)
            if row is None or code is not None:
                answers.append(EnrolledTerminal(code=code))
                continue
            if before is None and row["password_open"]:
                taken[message.terminal_id] = message
                said = TerminalEnrolled(terminal_id=row["terminal_id"], lg_code=row["lg_code"], kind=row["kind"])
                tx.emit(said, about)
            answers.append(EnrolledTerminal(kind=row["kind"], lg_code=row["lg_code"], place=row["place"]))
        if taken:
            await self._write(taken, tx)
            # Also of those that a process of the release before has issued.
            await keep_places({(rows[one]["lg_code"], rows[one]["place"]) for one in taken}, tx)
        return answers

    async def of(self, query: TerminalsOf, reading: Reading) -> Terminals:
        """Every terminal of the municipality, contacts opened."""
        return Terminals(
            terminals=[self._terminal(row) for row in await reading.fetch(sql.TERMINALS_OF, query.lg_code)]
        )

    async def _write(self, taken: Mapping[str, EnrolTerminal], tx: Transaction) -> None:
        enrolled = list(taken.values())
        await tx.execute(
            sql.ENROL,
            list(taken),
            [one.public_key for one in enrolled],
            [one.fingerprint for one in enrolled],
            [one.recipe for one in enrolled],
            [
                self._sealer.seal(one.contact.model_dump_json().encode(), _contact_of(one.terminal_id))
                for one in enrolled
            ],
            tx.now,
        )
        await tx.execute(sql.DROP_VALUES, list(taken))
        values = [(one.terminal_id, name, digest) for one in enrolled for name, digest in one.value_digests.items()]
        await tx.copy("registry", "terminal_value", sql.VALUE_COLUMNS, values)

    def _terminal(self, row: Row) -> Terminal:
        values = dict(row)
        sealed = values.pop("contact_sealed")
        opened = None if sealed is None else self._sealer.open(sealed, _contact_of(row["terminal_id"]))
        contact = None if opened is None else TerminalContact.model_validate_json(opened)
        return Terminal(**values, contact=contact)


async def suspend_terminals(messages: Sequence[SuspendTerminal], tx: Transaction) -> list[Registered]:
    """The first reason stays until it is resumed; an open password is good no longer. Refused `unknown_terminal`."""
    rows = await _locked([message.terminal_id for message in messages], tx)
    suspended = {terminal_id for terminal_id, row in rows.items() if row["suspended"]}
    for about, message in enumerate(messages):
        row = rows.get(message.terminal_id)
        if row is None or message.terminal_id in suspended:
            continue
        suspended.add(message.terminal_id)
        await tx.execute(sql.SUSPEND, message.terminal_id, tx.now, message.reason, message.changed)
        tx.emit(TerminalSuspended(**message.model_dump(), lg_code=row["lg_code"]), about)
    return [_answer(message.terminal_id, rows) for message in messages]


async def resume_terminals(messages: Sequence[ResumeTerminal], tx: Transaction) -> list[Registered]:
    """One that is not suspended stays as it is. Refused `unknown_terminal`."""
    rows = await _locked([message.terminal_id for message in messages], tx)
    resumed: set[str] = set()
    for about, message in enumerate(messages):
        row = rows.get(message.terminal_id)
        if row is not None and row["suspended"] and message.terminal_id not in resumed:
            resumed.add(message.terminal_id)
            tx.emit(TerminalResumed(terminal_id=message.terminal_id, lg_code=row["lg_code"]), about)
    await tx.execute(sql.RESUME, list(resumed))
    return [_answer(message.terminal_id, rows) for message in messages]


async def password_of(query: TerminalPasswordOf, reading: Reading) -> KeptPassword:
    """The hash that a typed password is checked against."""
    return KeptPassword(password_hash=await reading.fetch_value(sql.KEPT, query.terminal_id))


async def agent_key_of(query: AgentKeyOf, reading: Reading) -> FoundAgentKey:
    """The key that is enrolled, and the machine."""
    row = await reading.fetch_row(sql.AGENT_KEY, query.terminal_id)
    if row is None:
        return FoundAgentKey()
    values = await reading.fetch(sql.VALUES, query.terminal_id)
    return FoundAgentKey(**dict(row), value_digests={one["name"]: one["digest"] for one in values})


async def _locked(terminal_ids: Sequence[str], tx: Transaction) -> dict[str, Row]:
    """Each terminal's row, held until the end: a password is used up by one, whoever else has it in hand."""
    return {row["terminal_id"]: row for row in await tx.fetch(sql.LOCK_TERMINALS, list(set(terminal_ids)))}


def _refusal(message: EnrolTerminal, row: Row | None, before: EnrolTerminal | None) -> RefusalCode | None:
    """`before` is who has taken this terminal in the same run."""
    if row is None or message.password_hash != row["password_hash"]:
        return RefusalCode.terminal_login
    if before is not None or not row["password_open"]:
        key = row["public_key"] if before is None else before.public_key
        return None if key == message.public_key else RefusalCode.terminal_login
    fits = message.issuer_id == (row["issuer_id"] if row["kind"] == TerminalKind.service_id else None)
    return None if fits else RefusalCode.wrong_issuer


def _answer(terminal_id: str, rows: Mapping[str, Row]) -> Registered:
    if terminal_id in rows:
        return Registered(id=terminal_key(terminal_id))
    return Registered(code=RefusalCode.unknown_terminal)


def _contact_of(terminal_id: str) -> str:
    return place(_TABLE, "contact", terminal_id)
