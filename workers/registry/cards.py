"""Cards: whose they are, their history through reissues, and what each job has proven (mission I.6, II.9).

A card is found by a keyed hash over the issuer's generation and its serial number. The certificate is verified and the
provider asked before any transaction is open; what it proves is one row under the job's id, good for one command.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from hub.apart import committed
from hub.clock import Clock
from hub.database import Database, Row
from hub.errors import TransientError
from hub.forgetting import forget
from hub.ids import uuid7
from hub.keys import Keys, place
from hub.transaction import Transaction
from schemas.cards import CardProof, CardRenewed, ChooseAddressNotice, ProveCard, ProvenCard
from schemas.municipalities import Registered
from schemas.problems import RefusalCode
from workers.registry import card_statements as sql
from workers.registry import proofs, purposes
from workers.registry.certificates import Anchors, CardName, Certified
from workers.registry.citizens import held
from workers.registry.service_ids import ServiceIdentities, forget_serials
from workers.registry.succession import ANSWER_TIMEOUT_S, Provider, Revocation, Standing

FORGOTTEN_AFTER: Final = timedelta(days=1)
"""Proofs, and cards that nobody has registered."""

log = structlog.get_logger()


class _Holder(NamedTuple):
    """Whose a card is, if anybody's; `renewed`: since now, in place of an older one."""

    citizen_id: UUID | None
    renewed: bool = False


class Cards:
    """Proves cards and keeps their history."""

    def __init__(self, keys: Keys, anchors: Anchors, provider: Provider, database: Database, clock: Clock) -> None:
        self._anchors = anchors
        self._provider = provider
        self._database = database
        self._clock = clock
        self._name_hasher = keys.hasher("registry.card")
        self._said_hasher = keys.hasher("registry.card-proof")
        self._sealer = keys.sealer("registry.card")
        self._service_ids = ServiceIdentities(keys)

    async def prove(self, command: ProveCard) -> ProvenCard:
        """Whose card it is.

        Refused `card_…` as schemas.problems has them, `id_conflict` where another proof came under this job's id.
        """
        proof = command.proof
        certified = self._anchors.certify(proof, self._clock.now())
        if not isinstance(certified, Certified):
            return ProvenCard(code=certified)
        standing = await self._standing_of(certified.name, proof.job_id)
        if standing is not None and standing.revocation is Revocation.revoked:
            return ProvenCard(code=RefusalCode.card_revoked)
        return await committed(self._database, lambda tx: self._record(proof, certified, standing, tx))

    async def choose_address_notices(
        self, messages: Sequence[ChooseAddressNotice], tx: Transaction
    ) -> list[Registered]:
        """Refused `card_not_proven` where the job has not read the signature certificate, and as proofs are."""
        return [await self._choose_address_notice(message, tx) for message in messages]

    async def _standing_of(self, name: CardName, job_id: UUID) -> Standing | None:
        """None where nobody answers, which is not the same as a provider that knows nothing."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self._provider.standing_of(name)
        except (TransientError, TimeoutError) as error:
            log.warning("card_standing_unknown", job_id=job_id, error=type(error).__qualname__)
            return None

    async def _record(
        self, proof: CardProof, certified: Certified, standing: Standing | None, tx: Transaction
    ) -> ProvenCard:
        said_hash = self._said_hasher.hash(proof.model_dump_json().encode())
        before = await tx.fetch_row(sql.PROOF, proof.job_id)
        if before is not None:
            return _told(before) if before["said_hash"] == said_hash else ProvenCard(code=RefusalCode.id_conflict)
        card_id = await self._seen(certified, tx)
        holder = await self._holder(card_id, certified, standing, tx)
        if not isinstance(holder, _Holder):
            return ProvenCard(code=holder)
        if holder.citizen_id is not None and proof.signature_serial is not None:
            await self._renew_notice(holder.citizen_id, card_id, proof.signature_serial, tx)
        await self._put(proof, said_hash, card_id, tx, renewed=holder.renewed)
        row = await tx.fetch_row(sql.PROOF, proof.job_id)
        assert row is not None  # noqa: S101 - it was written just now
        return _told(row)

    async def _seen(self, certified: Certified, tx: Transaction) -> UUID:
        card_id, name = uuid7(), certified.name
        sealed = self._sealer.seal("/".join(name).encode(), place("registry.card", "name", card_id))
        seen_id: UUID = await tx.fetch_value(
            sql.PUT_CARD, card_id, self._hash(name), sealed, certified.alg, certified.expires_on, tx.now
        )
        return seen_id

    async def _holder(
        self, card_id: UUID, certified: Certified, standing: Standing | None, tx: Transaction
    ) -> _Holder | RefusalCode:
        row = await tx.fetch_row(sql.CITIZEN_OF_CARD, card_id)
        if row is not None:
            is_superseded = row["superseded_at"] is not None
            return RefusalCode.card_superseded if is_superseded else _Holder(row["citizen_id"])
        if standing is None:
            # Perhaps it is a reissued one: taken for new, its citizen would be told to make another MyKey ID.
            return RefusalCode.card_standing_unknown
        citizen_id = await self._renew(card_id, certified, standing, tx) if standing.predecessors else None
        return _Holder(citizen_id, renewed=citizen_id is not None)

    async def _renew(self, card_id: UUID, certified: Certified, standing: Standing, tx: Transaction) -> UUID | None:
        """The card takes the place of the one that this citizen had before; None where nobody had one of them."""
        hashes = [self._hash(name) for name in standing.predecessors]
        citizen_id: UUID | None = await tx.fetch_value(sql.CITIZEN_OF_PREDECESSOR, hashes)
        if citizen_id is None or not await held([citizen_id], tx):
            return None
        if await tx.fetch_value(sql.CITIZEN_OF_PREDECESSOR, hashes) != citizen_id:
            return None  # another process was quicker
        await tx.execute(sql.SUPERSEDE, citizen_id, tx.now)
        await tx.execute(sql.ATTACH, citizen_id, card_id, tx.now)
        tx.emit(CardRenewed(citizen_id=citizen_id, card_id=card_id, expires_on=certified.expires_on))
        return citizen_id

    async def _renew_notice(self, citizen_id: UUID, card_id: UUID, serial: str, tx: Transaction) -> None:
        noticed = await tx.fetch_value(sql.HELD_NOTICE, citizen_id)
        if noticed is not None and noticed != card_id:
            await self._put_notice(citizen_id, card_id, serial, tx)
            await self._service_ids.renew_serials(citizen_id, serial, tx)

    async def _choose_address_notice(self, message: ChooseAddressNotice, tx: Transaction) -> Registered:
        citizen_id = message.citizen_id
        if not message.wanted:
            await tx.execute(sql.END_ADDRESS_NOTICES, [citizen_id])
            await forget_serials(citizen_id, tx)
            return Registered(id=citizen_id)
        allowed = (purposes.ADDRESS_NOTICE, purposes.REGISTER_SERVICE_ID)
        proof = await proofs.check(message.proof_id, allowed, citizen_id, tx)
        if isinstance(proof, RefusalCode):
            return Registered(code=proof)
        if proof.citizen_id != citizen_id or not await held([citizen_id], tx):
            return Registered(code=RefusalCode.other_citizen)
        if proof.signature_sealed is None:
            return Registered(code=RefusalCode.card_not_proven)
        serial = self._sealer.open(proof.signature_sealed, _signature_of(proof.job_id)).decode()
        await self._put_notice(citizen_id, proof.card_id, serial, tx)
        return Registered(id=citizen_id)

    async def _put_notice(self, citizen_id: UUID, card_id: UUID, serial: str, tx: Transaction) -> None:
        sealed = self._sealer.seal(serial.encode(), place("registry.address_notice", "signature", citizen_id))
        await tx.execute(sql.PUT_ADDRESS_NOTICE, citizen_id, card_id, sealed, tx.now)

    async def _put(self, proof: CardProof, said_hash: bytes, card_id: UUID, tx: Transaction, *, renewed: bool) -> None:
        serial = proof.signature_serial
        sealed = serial and self._sealer.seal(serial.encode(), _signature_of(proof.job_id))
        await tx.execute(
            sql.PUT_PROOF,
            proof.job_id,
            said_hash,
            card_id,
            proof.purpose,
            proof.terminal_id,
            proof.how,
            proof.insertion,
            sealed,
            renewed,
            tx.now,
        )

    def _hash(self, name: CardName) -> bytes:
        return self._name_hasher.hash("/".join(name).encode())


def _signature_of(job_id: UUID) -> str:
    return place("registry.card_proof", "signature", job_id)


def _told(row: Row) -> ProvenCard:
    noticed = row["noticed_card_id"]
    return ProvenCard(
        citizen_id=row["citizen_id"],
        card_id=row["card_id"],
        how=row["how"],
        expires_on=row["expires_on"],
        updated=row["renewed"],
        signature_due=noticed is not None and noticed != row["card_id"],
    )


class ForgettingCards:
    """Proofs that are over, and cards that were seen and never registered, are forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self) -> None:
        """The oldest first."""
        await forget(self._database, sql.FORGET_PROOFS, FORGOTTEN_AFTER)
        await forget(self._database, sql.FORGET_CARDS, FORGOTTEN_AFTER)
