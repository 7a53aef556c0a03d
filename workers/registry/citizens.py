"""Citizens: registration, mail choices, base municipality (mission I.6, IV). Names and mail are sealed."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from hub.keys import Keys, place
from hub.transaction import Reading, Transaction
from schemas.citizens import (
    BaseMunicipalities,
    BaseMunicipalitiesOf,
    BaseMunicipalityChosen,
    ChangeMailChoices,
    ChooseBaseMunicipality,
    CitizenBehind,
    CitizenRegistered,
    EndMailChoice,
    FoundCitizen,
    FoundProfile,
    MailChoices,
    MailChoicesChanged,
    Profile,
    ProfileOf,
    RegisterCitizen,
)
from schemas.municipalities import Registered
from schemas.problems import RefusalCode
from workers.registry import statements as sql

_UNIT_SEPARATOR: Final = "\x1f"


class Book:
    """What a run of registrations has to know; what the run itself does is seen by its later messages."""

    def __init__(self) -> None:
        self.registered_as: dict[UUID, bytes] = {}
        self.with_scheme: set[str] = set()
        self.used: set[bytes] = set()
        self.kept_for: dict[bytes, UUID] = {}

    def refusal(self, message: RegisterCitizen, mykey_hash: bytes) -> str | None:
        """Why this citizen cannot be registered so."""
        if message.base_lg_code not in self.with_scheme:
            return RefusalCode.no_scheme
        if mykey_hash in self.used:
            return RefusalCode.mykey_id_taken
        kept_for = self.kept_for.get(mykey_hash)
        if kept_for == message.enrolment_id:
            return None
        return RefusalCode.mykey_id_not_kept if message.enrolment_id else RefusalCode.mykey_id_taken


class Citizens:
    """The handlers and answers about citizens, and the keys that guard what they entrust to us."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer("registry.citizen")
        self._mykey_hasher = keys.hasher("registry.mykey-id")
        self._content_hasher = keys.hasher("registry.registered-as")

    async def register(self, messages: Sequence[RegisterCitizen], tx: Transaction) -> list[Registered]:
        """The same again gets the same answer, whatever was changed since.

        Refused `id_conflict` (the citizen is registered otherwise), `no_scheme` (of the base municipality),
        `mykey_id_taken` (used, ever, or kept for somebody), `mykey_id_not_kept` (for this enrolment).
        """
        hashes = [self._mykey_hash(message.mykey_id) for message in messages]
        book = await _load(messages, hashes, tx)
        rows: list[tuple[object, ...]] = []
        ended: list[UUID] = []
        answers: list[Registered] = []
        for about, (message, mykey_hash) in enumerate(zip(messages, hashes, strict=True)):
            content = self._content_hash(message)
            before = book.registered_as.get(message.citizen_id)
            if before is None:
                code = book.refusal(message, mykey_hash)
            else:
                code = None if before == content else RefusalCode.id_conflict
            if before is None and code is None:
                book.registered_as[message.citizen_id] = content
                book.used.add(mykey_hash)
                rows.append(self._row(message, mykey_hash, content, tx))
                ended += [message.enrolment_id] if message.enrolment_id else []
                _say_registered(message, tx, about)
            answers.append(Registered(code=code) if code else Registered(id=message.citizen_id))
        await _write(rows, ended, tx)
        return answers

    async def behind(self, query: CitizenBehind, reading: Reading) -> FoundCitizen:
        """The citizen who has this MyKey ID, found by its keyed hash."""
        mykey_hash = self._mykey_hash(query.mykey_id)
        return FoundCitizen(citizen_id=await reading.fetch_value(sql.CITIZEN_BEHIND, mykey_hash))

    async def profile_of(self, query: ProfileOf, reading: Reading) -> FoundProfile:
        """A citizen's own data, opened."""
        row = await reading.fetch_row(sql.PROFILE, query.citizen_id)
        if row is None:
            return FoundProfile()
        mykey_sealed, name_sealed, mail_sealed, base_lg_code, *choices = row
        profile = Profile(
            mykey_id=self._opened(query.citizen_id, "mykey_id", mykey_sealed),
            name=self._opened(query.citizen_id, "name", name_sealed),
            mail=self._opened(query.citizen_id, "mail", mail_sealed),
            base_lg_code=base_lg_code,
            choices=_choices(choices),
        )
        return FoundProfile(profile=profile)

    def _row(self, message: RegisterCitizen, mykey_hash: bytes, content: bytes, tx: Transaction) -> tuple[object, ...]:
        return (
            message.citizen_id,
            mykey_hash,
            self._sealed(message.citizen_id, "mykey_id", message.mykey_id),
            self._sealed(message.citizen_id, "name", message.name),
            self._sealed(message.citizen_id, "mail", message.mail),
            message.base_lg_code,
            *_flags(message.choices),
            content,
            tx.now,
        )

    def _sealed(self, citizen_id: UUID, column: str, text: str) -> bytes:
        return self._sealer.seal(text.encode(), place("registry.citizen", column, citizen_id))

    def _opened(self, citizen_id: UUID, column: str, sealed: bytes) -> str:
        return self._sealer.open(sealed, place("registry.citizen", column, citizen_id)).decode()

    def _mykey_hash(self, mykey_id: str) -> bytes:
        return self._mykey_hasher.hash(mykey_id.encode())

    def _content_hash(self, message: RegisterCitizen) -> bytes:
        """Over each field by name: a field added to the message later leaves old hashes as they are."""
        flags = "".join("1" if flag else "0" for flag in _flags(message.choices))
        content = (message.mykey_id, message.name, message.mail, message.base_lg_code, flags)
        return self._content_hasher.hash(_UNIT_SEPARATOR.join(content).encode())


async def held(citizen_ids: Collection[UUID], tx: Transaction) -> set[UUID]:
    """Those who have a MyKey ID, kept from others until this transaction ends: a revocation ends what it makes."""
    return {row[0] for row in await tx.fetch(sql.HELD_CITIZENS, citizen_ids)}


async def change_mail_choices(messages: Sequence[ChangeMailChoices], tx: Transaction) -> list[Registered]:
    """The last word counts; refused `unknown_citizen`."""
    rows = await tx.fetch(sql.MAIL_CHOICES, [message.citizen_id for message in messages])
    kept = {row[0]: _choices(row[1:]) for row in rows}
    changed: dict[UUID, tuple[int, MailChoices]] = {}
    answers: list[Registered] = []
    for about, message in enumerate(messages):
        before = kept.get(message.citizen_id)
        if before is not None and before != message.choices:
            kept[message.citizen_id] = message.choices
            changed[message.citizen_id] = about, message.choices
        known = before is not None
        answers.append(_answer(message.citizen_id, None if known else RefusalCode.unknown_citizen))
    if changed:
        columns = zip(*(_flags(choices) for _, choices in changed.values()), strict=True)
        for citizen_id, revision in await tx.fetch(sql.WRITE_MAIL_CHOICES, list(changed), *map(list, columns)):
            about, choices = changed[citizen_id]
            tx.emit(MailChoicesChanged(citizen_id=citizen_id, choices=choices, revision=revision), about)
    return answers


async def end_mail_choices(messages: Sequence[EndMailChoice], tx: Transaction) -> list[Registered]:
    """Again is no error, and says nothing; refused `unknown_citizen`."""
    known = {row[0] for row in await tx.fetch(sql.MAIL_CHOICES, [message.citizen_id for message in messages])}
    ended: dict[UUID, MailChoices] = {}
    about: dict[UUID, int] = {}
    for index, message in enumerate(messages):
        before = ended.get(message.citizen_id, MailChoices())
        ended[message.citizen_id] = before.model_copy(update={message.choice.value: True})
        about[message.citizen_id] = index
    columns = zip(*map(_flags, ended.values()), strict=True)
    for citizen_id, revision, *flags in await tx.fetch(sql.END_MAIL_CHOICES, list(ended), *map(list, columns)):
        event = MailChoicesChanged(citizen_id=citizen_id, choices=_choices(flags), revision=revision)
        tx.emit(event, about[citizen_id])
    codes = [None if message.citizen_id in known else RefusalCode.unknown_citizen for message in messages]
    return [_answer(message.citizen_id, code) for message, code in zip(messages, codes, strict=True)]


async def choose_bases(messages: Sequence[ChooseBaseMunicipality], tx: Transaction) -> list[Registered]:
    """The last word counts; refused `unknown_citizen`, or `no_scheme` where the municipality has none."""
    rows = await tx.fetch(sql.BASES, [message.citizen_id for message in messages])
    kept = {row[0]: row[1] for row in rows}
    rows = await tx.fetch(sql.WITH_SCHEME, [message.base_lg_code for message in messages])
    with_scheme = {row[0] for row in rows}
    changed: dict[UUID, str] = {}
    answers: list[Registered] = []
    for about, message in enumerate(messages):
        citizen_id, base = message.citizen_id, message.base_lg_code
        code = None if base in with_scheme else RefusalCode.no_scheme
        code = code if citizen_id in kept else RefusalCode.unknown_citizen
        if code is None and kept[citizen_id] != base:
            kept[citizen_id] = changed[citizen_id] = base
            tx.emit(BaseMunicipalityChosen(citizen_id=citizen_id, base_lg_code=base), about)
        answers.append(_answer(citizen_id, code))
    if changed:
        await tx.execute(sql.WRITE_BASES, list(changed), list(changed.values()))
    return answers


async def base_municipalities_of(query: BaseMunicipalitiesOf, reading: Reading) -> BaseMunicipalities:
    """The base municipality of each known citizen."""
    rows = await reading.fetch(sql.BASES, query.citizen_ids)
    return BaseMunicipalities(lg_codes={str(row[0]): row[1] for row in rows})


async def _load(messages: Sequence[RegisterCitizen], hashes: Sequence[bytes], tx: Transaction) -> Book:
    book = Book()
    rows = await tx.fetch(sql.REGISTERED_AS, [message.citizen_id for message in messages])
    book.registered_as = {row[0]: row[1] for row in rows}
    rows = await tx.fetch(sql.WITH_SCHEME, list({message.base_lg_code for message in messages}))
    book.with_scheme = {row[0] for row in rows}
    for mykey_hash, enrolment_id in await tx.fetch(sql.TAKEN, hashes):
        if enrolment_id is None:
            book.used.add(mykey_hash)
        else:
            book.kept_for[mykey_hash] = enrolment_id
    return book


async def _write(rows: Sequence[tuple[object, ...]], ended: Sequence[UUID], tx: Transaction) -> None:
    if rows:
        await tx.copy("registry", "used_mykey_id", ("mykey_hash",), [(row[1],) for row in rows])
        await tx.copy("registry", "citizen", sql.CITIZEN_COLUMNS, rows)
    if ended:
        await tx.execute(sql.END_ENROLMENTS, ended)


def _say_registered(message: RegisterCitizen, tx: Transaction, about: int) -> None:
    citizen_id = message.citizen_id
    registered = CitizenRegistered(citizen_id=citizen_id, name=message.name, mail=message.mail, choices=message.choices)
    tx.emit(registered, about)
    tx.emit(BaseMunicipalityChosen(citizen_id=citizen_id, base_lg_code=message.base_lg_code), about)


def _answer(citizen_id: UUID, code: str | None) -> Registered:
    return Registered(code=code) if code else Registered(id=citizen_id)


def _flags(choices: MailChoices) -> tuple[bool, bool, bool, bool]:
    return (choices.on_grant, choices.on_expiry, choices.on_password_change, choices.on_mykey_id_change)


def _choices(flags: Sequence[bool]) -> MailChoices:
    on_grant, on_expiry, on_password_change, on_mykey_id_change = flags
    return MailChoices(
        on_grant=on_grant,
        on_expiry=on_expiry,
        on_password_change=on_password_change,
        on_mykey_id_change=on_mykey_id_change,
    )
