"""A MyKey ID's life with a card: made, changed, revoked (画面12–17, 62, 63)."""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from hub import passwords
from hub.apart import committed
from hub.database import Database
from hub.keys import Keys, place
from hub.transaction import Transaction
from schemas.citizens import RegisterCitizen
from schemas.corrections import RevokeCitizen
from schemas.links import CitizenUnlinked
from schemas.logins import SessionKind
from schemas.municipalities import Registered
from schemas.mykey_ids import (
    ChangeMyKeyId,
    CreateMyKeyId,
    MyKeyIdChanged,
    MyKeyIdCreated,
    MyKeyIdRevoked,
    RevokeMyKeyId,
)
from schemas.problems import RefusalCode
from workers.registry import card_statements as card_sql
from workers.registry import lifetime_statements as sql
from workers.registry import login_statements as login_sql
from workers.registry import proofs, purposes, service_ids
from workers.registry.accounts import Accounts
from workers.registry.citizens import Citizens
from workers.registry.proofs import Proof
from workers.registry.sessions import Sessions, is_confirmed

REGISTRY: Final = UUID("6d796b65-7968-5562-8c0d-726567697374")
"""The party in whose name the ledger is asked to let a citizen's points end."""
REQUEST_HASH_BYTES: Final = 16
ENDINGS: Final = (
    card_sql.END_ADDRESS_NOTICES,
    login_sql.FORGET_DEVICES,
)
"""What goes with a MyKey ID: each statement takes the citizens' ids. Add what else hangs on one here."""


class Lifetimes:
    """Creates, changes and revokes MyKey IDs."""

    def __init__(
        self, keys: Keys, database: Database, citizens: Citizens, accounts: Accounts, sessions: Sessions
    ) -> None:
        self._database = database
        self._citizens = citizens
        self._accounts = accounts
        self._sessions = sessions
        self._mykey_hasher = keys.hasher("registry.mykey-id")
        self._sealer = keys.sealer("registry.citizen")

    async def create(self, command: CreateMyKeyId) -> Registered:
        """A citizen with a card, a password and all that RegisterCitizen brings: everything, or nothing."""
        own_words = [command.mykey_id, command.name, command.mail.partition("@")[0]]
        code = passwords.refusal(command.password, own_words)
        if code is not None:
            return Registered(code=code)
        kept = await passwords.hashed(command.password)
        return await committed(self._database, lambda tx: self._create(command, kept, tx))

    async def _create(self, command: CreateMyKeyId, kept: str, tx: Transaction) -> Registered:
        citizen_id = command.citizen_id
        proof = await proofs.check(command.proof_id, (purposes.CREATE_MYKEY_ID,), citizen_id, tx)
        if isinstance(proof, RefusalCode):
            return Registered(code=proof)
        if proof.citizen_id not in {None, citizen_id}:
            return Registered(code=RefusalCode.card_has_mykey_id)
        (answer,) = await self._citizens.register([_registration(command)], tx)
        if answer.code is None and proof.citizen_id is None:
            await tx.execute(card_sql.ATTACH, citizen_id, proof.card_id, tx.now)
            await self._accounts.set_password(citizen_id, kept, tx)
            tx.emit(MyKeyIdCreated(citizen_id=citizen_id))
        if answer.code is None:
            await proofs.use(proof, citizen_id, tx)
        return answer

    async def change(self, messages: Sequence[ChangeMyKeyId], tx: Transaction) -> list[Registered]:
        """One by one: they are few, and each stands or falls with its card."""
        return [await self._change(message, tx, about) for about, message in enumerate(messages)]

    async def _change(self, message: ChangeMyKeyId, tx: Transaction, about: int) -> Registered:
        citizen_id = message.citizen_id
        mykey_hash = self._mykey_hasher.hash(message.mykey_id.encode())
        before = await tx.fetch_value(sql.LOCK_MYKEY_ID, citizen_id)
        if before is None:
            return Registered(code=RefusalCode.unknown_citizen)
        if before == mykey_hash:
            return Registered(id=citizen_id)
        proof = await proofs.check(message.proof_id, (purposes.CHANGE_MYKEY_ID,), message.enrolment_id, tx)
        proof = _of(proof, citizen_id)
        if isinstance(proof, RefusalCode):
            return Registered(code=proof)
        if await tx.fetch_value(sql.KEPT_FOR, mykey_hash) != message.enrolment_id:
            is_used = await tx.fetch_value(sql.IS_USED, mykey_hash)
            return Registered(code=RefusalCode.mykey_id_taken if is_used else RefusalCode.mykey_id_not_kept)
        sealed = self._sealer.seal(message.mykey_id.encode(), place("registry.citizen", "mykey_id", citizen_id))
        await tx.execute(sql.USE_MYKEY_ID, mykey_hash)
        await tx.execute(sql.CHANGE_MYKEY_ID, citizen_id, mykey_hash, sealed)
        await tx.execute(sql.END_ENROLMENT, message.enrolment_id)
        await proofs.use(proof, message.enrolment_id, tx)
        tx.emit(MyKeyIdChanged(citizen_id=citizen_id), about)
        return Registered(id=citizen_id)

    async def revoke(self, messages: Sequence[RevokeMyKeyId], tx: Transaction) -> list[Registered]:
        """One by one, as `change`; asked again for one that is revoked already, it is answered the same."""
        return [await self._revoke(message, tx, about) for about, message in enumerate(messages)]

    async def _revoke(self, message: RevokeMyKeyId, tx: Transaction, about: int) -> Registered:
        citizen_id = message.citizen_id
        row = await tx.fetch_row(sql.LOCK_CITIZEN, citizen_id)
        if row is None:
            return Registered(code=RefusalCode.unknown_citizen)
        if row["revoked_at"] is not None:
            return Registered(id=citizen_id)
        code = await self._refused(message, tx)
        if code is not None:
            return Registered(code=code)
        await tx.execute(sql.REVOKE, citizen_id, tx.now)
        for ending in ENDINGS:
            await tx.execute(ending, [citizen_id])
        for link in await tx.fetch(sql.UNLINK, citizen_id):
            tx.emit(CitizenUnlinked(**dict(link), ended_at=tx.now), about)
        await tx.execute(card_sql.RELEASE, [citizen_id], tx.now)
        await service_ids.end_all_of(citizen_id, tx, about)
        await self._sessions.end_of(citizen_id, tx)
        tx.send(_end_of_points(citizen_id), about)
        tx.emit(MyKeyIdRevoked(citizen_id=citizen_id), about)
        return Registered(id=citizen_id)

    async def _refused(self, message: RevokeMyKeyId, tx: Transaction) -> RefusalCode | None:
        """Whoever asks has to have said just now who they are; a proof that was good is used up."""
        if message.session is None:
            proof = await proofs.check(message.proof_id, (purposes.REVOKE_MYKEY_ID,), message.citizen_id, tx)
            proof = _of(proof, message.citizen_id)
            if isinstance(proof, RefusalCode):
                return proof
            await proofs.use(proof, message.citizen_id, tx)
            return None
        session = await self._sessions.alive(message.session, tx.now, tx)
        if session is None or session.kind is not SessionKind.citizen:
            return RefusalCode.no_session
        if session.subject_id != message.citizen_id:
            return RefusalCode.other_citizen
        return None if is_confirmed(session, tx.now) else RefusalCode.confirm_again


def _of(proof: Proof | RefusalCode, citizen_id: UUID) -> Proof | RefusalCode:
    """The proof, if it is this citizen's."""
    is_others = isinstance(proof, Proof) and proof.citizen_id != citizen_id
    return RefusalCode.other_citizen if is_others else proof


def _registration(command: CreateMyKeyId) -> RegisterCitizen:
    return RegisterCitizen(
        citizen_id=command.citizen_id,
        mykey_id=command.mykey_id,
        name=command.name,
        mail=command.mail,
        base_lg_code=command.base_lg_code,
        choices=command.choices,
        enrolment_id=command.enrolment_id,
    )


def _end_of_points(citizen_id: UUID) -> RevokeCitizen:
    return RevokeCitizen(
        party_id=REGISTRY,
        command_id=f"revoke:{citizen_id}",
        request_hash=hashlib.sha256(citizen_id.bytes).digest()[:REQUEST_HASH_BYTES],
        citizen_id=citizen_id,
    )
