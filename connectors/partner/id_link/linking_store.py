"""Our tables of linkings: what is kept between the steps, sealed where it is secret or personal."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

from connectors.partner.id_link import linking_statements as sql
from connectors.partner.id_link.openid import Proof, Secrets
from hub.apart import committed
from hub.database import Database, Row, reachable
from hub.forgetting import forget
from hub.keys import Sealer, place
from hub.transaction import Transaction
from schemas.id_links import BeginLinking, ConfirmLinking, MembershipCheck, OpenIdProvider, RevokeTokens, TakeProof

LINKING_FOR: Final = timedelta(minutes=15)
"""From the click to the confirmation, the log-in at the party included."""
LEFT_AFTER: Final = timedelta(minutes=1)
"""Behind its end, nobody is still at work on a linking."""
LEFT_LIMIT: Final = 100
ANSWER_FOR: Final = timedelta(seconds=60)
"""From a party's own answer to the browser that brings it (ASVS 10.4.3)."""


class Linkage(NamedTuple):
    """How a party proves its members."""

    provider: OpenIdProvider | None
    membership: MembershipCheck | None


class Taken(NamedTuple):
    """A linking whose answer has come; a proof is there already where the party gave it by its signed API."""

    linking_id: UUID
    known: Secrets
    answer_hash: bytes | None
    proof: Proof | None


class Confirmable(NamedTuple):
    """A proven account, to be linked."""

    party_id: UUID
    proof: Proof
    account_hash: bytes


class Left(NamedTuple):
    """A proven linking that is over."""

    linking_id: UUID
    citizen_id: UUID
    begun_at: datetime
    found: Confirmable


class LinkingStore:
    """Each method is one transaction."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def linkage(self, party_id: UUID) -> Linkage | None:
        """As it was set up last."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(sql.LINKAGE, party_id)
        if row is None:
            return None
        provider, membership = row["provider"], row["membership"]
        return Linkage(
            None if provider is None else OpenIdProvider.model_validate_json(provider),
            None if membership is None else MembershipCheck.model_validate_json(membership),
        )

    async def begin(self, command: BeginLinking, state: str, known: Secrets) -> bool:
        """Whether it has begun: False where its answer has come already."""
        sealed = self._seal(command.linking_id, "secrets", known.model_dump_json())

        async def work(tx: Transaction) -> bool:
            return bool(
                await tx.fetch_value(
                    sql.BEGIN,
                    command.linking_id,
                    command.party_id,
                    command.citizen_id,
                    command.browser,
                    hash_of(state),
                    sealed,
                    tx.now + LINKING_FOR,
                )
            )

        return await committed(self._database, work)

    async def answer(self, party_id: UUID, state: str, code: str, proof: Proof) -> bool:
        """The party's own word on who has logged in there; once for each linking."""

        async def work(tx: Transaction) -> bool:
            linking_id = await tx.fetch_value(sql.BEGUN, hash_of(state), party_id, tx.now)
            if linking_id is None:
                return False
            sealed = self._seal(linking_id, "proof", proof.model_dump_json())
            until = tx.now + ANSWER_FOR
            answered = await tx.fetch_value(sql.ANSWER, hash_of(state), party_id, hash_of(code), sealed, tx.now, until)
            return answered is not None

        return await committed(self._database, work)

    async def take(self, command: TakeProof) -> Taken | None:
        """The linking that this answer is for, in this browser and log-in; it takes no other answer from now on."""

        async def work(tx: Transaction) -> Taken | None:
            row = await tx.fetch_row(
                sql.TAKE, hash_of(command.state), command.party_id, command.citizen_id, command.browser, tx.now
            )
            if row is None:
                return None
            linking_id, sealed = row["linking_id"], row["proof_sealed"]
            known = Secrets.model_validate_json(self._open(linking_id, "secrets", row["secrets_sealed"]))
            proof = None if sealed is None else Proof.model_validate_json(self._open(linking_id, "proof", sealed))
            return Taken(linking_id, known, row["answer_hash"], proof)

        return await committed(self._database, work)

    async def proven(self, linking_id: UUID, proof: Proof, account_hash: bytes) -> None:
        """Whose account it is."""
        sealed = self._seal(linking_id, "proof", proof.model_dump_json())
        await committed(self._database, lambda tx: tx.execute(sql.PROVEN, linking_id, sealed, account_hash))

    async def confirmable(self, command: ConfirmLinking, now: datetime) -> Confirmable | None:
        """The account that is to be linked."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(sql.CONFIRMABLE, command.linking_id, command.citizen_id, command.browser, now)
        if row is None:
            return None
        proof = Proof.model_validate_json(self._open(command.linking_id, "proof", row["proof_sealed"]))
        return Confirmable(row["party_id"], proof, row["account_hash"])

    async def keep(self, linking_id: UUID, citizen_id: UUID, found: Confirmable, since: datetime) -> None:
        """What is needed when the link ends, unless it is kept already."""
        sealed = self._seal(linking_id, "account", found.proof.model_dump_json())
        row = (linking_id, found.party_id, citizen_id, sealed, since)
        await committed(self._database, lambda tx: tx.execute(sql.KEEP_ACCOUNT, *row))

    async def left(self) -> list[Left]:
        """Those that are over, linked or not, the earliest first."""
        async with reachable(), self._database.reading() as reading:
            rows = await reading.fetch(sql.LEFT_LINKINGS, reading.clock.now() - LEFT_AFTER, LEFT_LIMIT)
        return [self._left(row) for row in rows]

    def _left(self, row: Row) -> Left:
        proof = Proof.model_validate_json(self._open(row["linking_id"], "proof", row["proof_sealed"]))
        found = Confirmable(row["party_id"], proof, row["account_hash"])
        return Left(row["linking_id"], row["citizen_id"], row["ends_at"] - LINKING_FOR, found)

    async def over(self, linking_id: UUID, *, is_linked: bool) -> None:
        """Forget the linking; where no link has come of it, its tokens go back."""

        async def work(tx: Transaction) -> None:
            await tx.execute(sql.FORGET_LINKING, linking_id)
            party_id = None if is_linked else await tx.fetch_value(sql.END_ACCOUNT, linking_id, tx.now)
            if party_id is not None:
                tx.send(RevokeTokens(party_id=party_id, linking_id=linking_id))

        await committed(self._database, work)

    async def ended(self, linking_id: UUID) -> Proof | None:
        """What there is to be given back."""
        async with reachable(), self._database.reading() as reading:
            sealed = await reading.fetch_value(sql.ENDED_ACCOUNT, linking_id)
        return None if sealed is None else Proof.model_validate_json(self._open(linking_id, "account", sealed))

    async def forget(self, linking_id: UUID) -> None:
        """It has been given back."""
        await committed(self._database, lambda tx: tx.execute(sql.FORGET_ACCOUNT, linking_id))

    async def forget_linkings(self) -> None:
        """Those that have had their time and proven nothing."""
        await forget(self._database, sql.FORGET_LINKINGS, LEFT_AFTER)

    def _seal(self, linking_id: UUID, column: str, text: str) -> bytes:
        return self._sealer.seal(text.encode(), place("partner.linking", column, linking_id))

    def _open(self, linking_id: UUID, column: str, sealed: bytes) -> bytes:
        return self._sealer.open(sealed, place("partner.linking", column, linking_id))


def hash_of(secret: str) -> bytes:
    """By which a secret of 256 random bits is found."""
    return sha256(secret.encode()).digest()
