"""Service IDs: which citizen has which number of which issuer, now and before (mission II.9–10, 画面22–27).

A number is found by its keyed hash and shown from its seal. Nothing is overwritten: a link ends, and stays readable
with who made and who ended it, at which terminal and in which operation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.database import Row
from hub.ids import uuid7
from hub.keys import Keys, place
from hub.transaction import Reading, Transaction
from schemas.citizens import FoundCitizen
from schemas.libraries import ConfirmServiceId
from schemas.municipalities import Registered
from schemas.problems import RefusalCode
from schemas.service_ids import (
    CitizenBehindServiceId,
    Ending,
    FoundServiceId,
    Issuer,
    LibraryWord,
    RegisterServiceId,
    RemoveServiceId,
    ServiceId,
    ServiceIdAnswer,
    ServiceIdConfirmed,
    ServiceIdDoubted,
    ServiceIdOf,
    ServiceIdRegistered,
    ServiceIdRemoved,
    ServiceIds,
    ServiceIdsOf,
    ServiceIdState,
)
from workers.registry import service_id_statements as sql
from workers.registry.citizens import held
from workers.registry.issuers import issuers_by_id

_TABLE: Final = "registry.service_id"
_UNIT_SEPARATOR: Final = "\x1f"


@dataclass(slots=True)
class _Entry:
    """One link as it is at present; `number` is None where its seal has not been opened."""

    entry_id: UUID
    number_hash: bytes
    state: ServiceIdState
    number_sealed: bytes
    number: str | None = None


@dataclass(slots=True)
class _Asked:
    """What a message asks, with the one number that was meant."""

    message: RegisterServiceId
    issuer: Issuer | None
    number: str | None
    number_hash: bytes


@dataclass(slots=True)
class _Book:
    """What a run has to know and what it writes; what the run itself does is seen by its later messages."""

    now: datetime
    citizens: set[UUID]
    present: dict[tuple[UUID, str], _Entry]
    owners: dict[tuple[str, bytes], UUID]
    new: dict[UUID, list[object]] = field(default_factory=dict)
    ended: list[tuple[UUID, str, str | None, UUID]] = field(default_factory=list)
    again: dict[UUID, tuple[bytes | None, str]] = field(default_factory=dict)

    def refusal(self, asked: _Asked) -> str | None:
        """Why this number cannot be registered so; of another citizen's number it tells nothing but that it is one."""
        message = asked.message
        if message.citizen_id not in self.citizens:
            return RefusalCode.unknown_citizen
        if asked.issuer is None:
            return RefusalCode.unknown_issuer
        if asked.number is None:
            return RefusalCode.bad_number
        if self.owners.get((message.issuer_id, asked.number_hash), message.citizen_id) != message.citizen_id:
            return RefusalCode.number_taken
        if asked.issuer.sip2 and message.library is LibraryWord.unknown:
            return RefusalCode.number_unknown
        before = self.present.get((message.citizen_id, message.issuer_id))
        is_other = before is not None and before.number_hash != asked.number_hash
        return RefusalCode.service_id_exists if is_other and not message.replaces else None

    def end(self, entry: _Entry, message: RegisterServiceId | RemoveServiceId, ending: Ending) -> None:
        """The citizen's present link of this issuer ends."""
        del self.present[message.citizen_id, message.issuer_id]
        self.owners.pop((message.issuer_id, entry.number_hash), None)
        by = (ending.value, message.terminal_id, message.operation_id)
        if entry.entry_id in self.new:
            self.new[entry.entry_id][5] = None
            self.new[entry.entry_id][-4:] = [*by, self.now]
        else:
            self.again.pop(entry.entry_id, None)
            self.ended.append((entry.entry_id, *by))

    async def write(self, tx: Transaction) -> None:
        """What ended goes first: the number, or the citizen's place, may have been taken anew."""
        if self.ended:
            await tx.execute(sql.END, *map(list, zip(*self.ended, strict=True)), self.now)
        if self.again:
            columns = map(list, zip(*self.again.values(), strict=True))
            await tx.execute(sql.REGISTERED_AGAIN, list(self.again), *columns)
        if self.new:
            await tx.copy("registry", "service_id", sql.ENTRY_COLUMNS, self.new.values())


class ServiceIdentities:
    """The handlers and answers about service IDs, and the keys that guard the numbers."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer(_TABLE)
        self._hasher = keys.hasher(_TABLE)

    async def register(self, messages: Sequence[RegisterServiceId], tx: Transaction) -> list[ServiceIdAnswer]:
        """A number has one citizen, a citizen one number of each issuer; the same again changes nothing.

        Refused `unknown_citizen`, `unknown_issuer`, `bad_number`, `number_taken`, `number_unknown` (to the library),
        `service_id_exists` (the citizen has another one, which is told; to be asked again with `replaces`).
        """
        issuers = await issuers_by_id([message.issuer_id for message in messages], tx)
        asked = [self._asked(message, issuers.get(message.issuer_id)) for message in messages]
        book = await self._load(asked, tx)
        answers: list[ServiceIdAnswer] = []
        for about, one in enumerate(asked):
            message = one.message
            code = book.refusal(one)
            if code is None:
                self._take(one, book, tx, about)
            entry = book.present.get((message.citizen_id, message.issuer_id))
            answers.append(self._answer(code, one.issuer, entry))
        await book.write(tx)
        return answers

    def _take(self, asked: _Asked, book: _Book, tx: Transaction, about: int) -> None:
        message, issuer = asked.message, asked.issuer
        before = book.present.get((message.citizen_id, message.issuer_id))
        if issuer is None or asked.number is None:
            raise AssertionError(message.issuer_id)
        if before is not None and before.number_hash == asked.number_hash:
            self._take_again(message, before, book)
            return
        if before is not None:
            book.end(before, message, Ending.replaced)
            tx.emit(_removed(before.entry_id, message.citizen_id, message.issuer_id, Ending.replaced), about)
        entry = self._new_entry(asked.number, asked.number_hash, _state(issuer, message.library))
        book.present[message.citizen_id, message.issuer_id] = entry
        book.owners[message.issuer_id, asked.number_hash] = message.citizen_id
        book.new[entry.entry_id] = self._row(message, entry, book.now)
        registered = ServiceIdRegistered(
            entry_id=entry.entry_id,
            citizen_id=message.citizen_id,
            issuer_id=message.issuer_id,
            terminal_id=message.terminal_id,
            operation_id=message.operation_id,
            state=entry.state,
        )
        tx.emit(registered, about)
        if entry.state is ServiceIdState.unconfirmed:
            tx.send(
                ConfirmServiceId(
                    entry_id=entry.entry_id,
                    citizen_id=message.citizen_id,
                    issuer_id=message.issuer_id,
                    number=asked.number,
                ),
                about,
            )

    def _take_again(self, message: RegisterServiceId, entry: _Entry, book: _Book) -> None:
        """Address changes may be asked for now, and the library may have been reached this time.

        Where no serial comes along, one that is kept stays: notice ends by its own command alone.
        """
        if message.library is LibraryWord.known and entry.state is not ServiceIdState.not_checked:
            entry.state = ServiceIdState.confirmed
        serial_sealed = self._sealed_serial(message, entry.entry_id)
        row = book.new.get(entry.entry_id)
        if row is None:
            earlier, _ = book.again.get(entry.entry_id, (None, ""))
            book.again[entry.entry_id] = (serial_sealed or earlier, entry.state.value)
        else:
            row[5:7] = [serial_sealed or row[5], entry.state.value]

    def _new_entry(self, number: str, number_hash: bytes, state: ServiceIdState) -> _Entry:
        entry_id = uuid7()
        sealed = self._sealer.seal(number.encode(), place(_TABLE, "number", entry_id))
        return _Entry(entry_id, number_hash, state, sealed, number)

    def _row(self, message: RegisterServiceId, entry: _Entry, now: datetime) -> list[object]:
        return [
            entry.entry_id,
            message.citizen_id,
            message.issuer_id,
            entry.number_hash,
            entry.number_sealed,
            self._sealed_serial(message, entry.entry_id),
            entry.state.value,
            message.terminal_id,
            message.operation_id,
            now,
            *[None] * 4,
        ]

    async def remove(self, messages: Sequence[RemoveServiceId], tx: Transaction) -> list[Registered]:
        """Refused `no_service_id`; the same operation again gets the same answer."""
        # Only for the lock: what is asked for one citizen goes one after the other.
        await held([message.citizen_id for message in messages], tx)
        rows = await tx.fetch(sql.ENDED_BY, [message.operation_id for message in messages])
        done = {tuple(row) for row in rows}
        book = _Book(tx.now, set(), await self._present(messages, tx), {})
        answers: list[Registered] = []
        for about, message in enumerate(messages):
            entry = book.present.get((message.citizen_id, message.issuer_id))
            asked = (message.citizen_id, message.issuer_id, message.operation_id)
            if asked not in done and entry is not None:
                done.add(asked)
                book.end(entry, message, Ending.removed)
                tx.emit(_removed(entry.entry_id, message.citizen_id, message.issuer_id, Ending.removed), about)
            is_done = asked in done
            answers.append(Registered(id=message.citizen_id) if is_done else Registered(code=RefusalCode.no_service_id))
        await book.write(tx)
        return answers

    async def renew_serials(self, citizen_id: UUID, serial: str, tx: Transaction) -> None:
        """The citizen's card was reissued: numbers that keep the signature certificate's serial keep the new one."""
        entries = [row["entry_id"] for row in await tx.fetch(sql.WITH_SERIALS, citizen_id)]
        await tx.execute(sql.RENEW_SERIALS, entries, [self._seal(serial, entry_id) for entry_id in entries])

    async def of_citizen(self, query: ServiceIdsOf, reading: Reading) -> ServiceIds:
        """All present numbers of a citizen, opened."""
        rows = await reading.fetch(sql.OF_CITIZEN, query.citizen_id, None)
        return ServiceIds(service_ids=[self._service_id(row) for row in rows])

    async def at_issuer(self, query: ServiceIdOf, reading: Reading) -> FoundServiceId:
        """The citizen's present number of one issuer, opened."""
        row = await reading.fetch_row(sql.OF_CITIZEN, query.citizen_id, query.issuer_id)
        return FoundServiceId(service_id=None if row is None else self._service_id(row))

    async def citizen_behind(self, query: CitizenBehindServiceId, reading: Reading) -> FoundCitizen:
        """The citizen who has this number now, found by its keyed hash."""
        issuers = await issuers_by_id([query.issuer_id], reading)
        issuer = issuers.get(query.issuer_id)
        number = issuer.number_of(query.number) if issuer else None
        if number is None:
            return FoundCitizen()
        number_hash = self._hash(query.issuer_id, number)
        return FoundCitizen(citizen_id=await reading.fetch_value(sql.CITIZEN_BEHIND, query.issuer_id, number_hash))

    def _asked(self, message: RegisterServiceId, issuer: Issuer | None) -> _Asked:
        number = issuer.number_of(message.number) if issuer else None
        return _Asked(message, issuer, number, self._hash(message.issuer_id, number) if number else b"")

    async def _load(self, asked: Sequence[_Asked], tx: Transaction) -> _Book:
        messages = [one.message for one in asked]
        citizens = await held([message.citizen_id for message in messages], tx)
        issuer_ids, hashes = [message.issuer_id for message in messages], [one.number_hash for one in asked]
        rows = await tx.fetch(sql.OWNERS, issuer_ids, hashes)
        owners = {(row["issuer_id"], row["number_hash"]): row["citizen_id"] for row in rows}
        return _Book(tx.now, citizens, await self._present(messages, tx), owners)

    async def _present(
        self, messages: Iterable[RegisterServiceId | RemoveServiceId], tx: Transaction
    ) -> dict[tuple[UUID, str], _Entry]:
        asked = {(message.citizen_id, message.issuer_id) for message in messages}
        rows = await tx.fetch(sql.PRESENT, [citizen for citizen, _ in asked], [issuer for _, issuer in asked])
        return {
            (row["citizen_id"], row["issuer_id"]): _Entry(
                row["entry_id"], row["number_hash"], ServiceIdState(row["state"]), row["number_sealed"]
            )
            for row in rows
        }

    def _answer(self, code: str | None, issuer: Issuer | None, entry: _Entry | None) -> ServiceIdAnswer:
        shows_present = code in {None, RefusalCode.service_id_exists}
        if issuer is None or entry is None or not shows_present:
            return ServiceIdAnswer(code=code)
        number = entry.number or self._opened(entry.entry_id, entry.number_sealed)
        return ServiceIdAnswer(code=code, issuer_name=issuer.name, number=number, state=entry.state)

    def _service_id(self, row: Row) -> ServiceId:
        number = self._opened(row["entry_id"], row["number_sealed"])
        shown = {name: row[name] for name in ServiceId.model_fields if name != "number"}
        return ServiceId.model_validate({**shown, "number": number})

    def _hash(self, issuer_id: str, number: str) -> bytes:
        return self._hasher.hash(f"{issuer_id}{_UNIT_SEPARATOR}{number}".encode())

    def _opened(self, entry_id: UUID, sealed: bytes) -> str:
        return self._sealer.open(sealed, place(_TABLE, "number", entry_id)).decode()

    def _sealed_serial(self, message: RegisterServiceId, entry_id: UUID) -> bytes | None:
        serial = message.address_change_serial
        return None if serial is None else self._seal(serial, entry_id)

    def _seal(self, serial: str, entry_id: UUID) -> bytes:
        return self._sealer.seal(serial.encode(), place(_TABLE, "serial", entry_id))


async def service_ids_checked(events: Sequence[ServiceIdConfirmed | ServiceIdDoubted], tx: Transaction) -> None:
    """The library was asked: its last word counts, of links that still stand."""
    states = {event.entry_id: _state_of(event) for event in events}
    await tx.execute(sql.CHECKED, list(states), list(states.values()))


async def end_all_of(citizen_id: UUID, tx: Transaction, about: int = 0) -> None:
    """The MyKey ID was revoked: all its links end, and the numbers are free."""
    for row in await tx.fetch(sql.REVOKE, citizen_id, tx.now):
        tx.emit(_removed(row["entry_id"], row["citizen_id"], row["issuer_id"], Ending.revoked), about)


async def forget_serials(citizen_id: UUID, tx: Transaction) -> None:
    """The citizen wants no address-change notice any more."""
    await tx.execute(sql.FORGET_SERIALS, citizen_id)


def _state(issuer: Issuer, library: LibraryWord) -> ServiceIdState:
    if not issuer.sip2:
        return ServiceIdState.not_checked
    return ServiceIdState.confirmed if library is LibraryWord.known else ServiceIdState.unconfirmed


def _state_of(event: ServiceIdConfirmed | ServiceIdDoubted) -> str:
    is_confirmed = isinstance(event, ServiceIdConfirmed)
    return (ServiceIdState.confirmed if is_confirmed else ServiceIdState.doubted).value


def _removed(entry_id: UUID, citizen_id: UUID, issuer_id: str, ending: Ending) -> ServiceIdRemoved:
    return ServiceIdRemoved(entry_id=entry_id, citizen_id=citizen_id, issuer_id=issuer_id, ending=ending)
