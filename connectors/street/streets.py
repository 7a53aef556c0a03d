"""Streets and what we share with each: settings, keys sealed at rest, and what their servers sign with."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Final
from uuid import UUID

from connectors.street import statements as sql
from connectors.street.cipher import Sealing
from hub.clock import Clock
from hub.database import Database
from hub.keys import Keys, Sealer, place
from hub.transaction import Reading, Transaction
from schemas.municipalities import Registered
from schemas.parties import KeyAlgorithm
from schemas.problems import RefusalCode
from schemas.streets import (
    EndMergeKey,
    EndStreetSigner,
    FoundStreet,
    MergeKey,
    RegisterMergeKey,
    RegisterStreet,
    RegisterStreetSigner,
    Street,
    StreetOf,
    Streets,
    StreetsOf,
)

KNOWN_S: Final = 5.0
"""How long a street is remembered: a key that is ended now makes files no longer than this."""
KNOWN_LIMIT: Final = 1_000
ED25519_BYTES: Final = 32
HMAC_BYTES: Final = range(32, 129)


class StreetBook:
    """Registers streets and keys, and finds with what a street's files are made."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sealer = keys.sealer("street.merge_key")
        self._signer_sealer = keys.sealer("street.signer")
        self._signer = keys.signer("street.merge")
        self._known: OrderedDict[str, tuple[float, Street | None, list[MergeKey]]] = OrderedDict()

    # -------------------------------------------------------------------------------------------------- registering

    async def register(self, messages: Sequence[RegisterStreet], tx: Transaction) -> list[Registered]:
        """The last word counts. Refused id_conflict: another issuer or code, or one that is another street's."""
        return [await self._register(message.street, tx) for message in messages]

    async def _register(self, street: Street, tx: Transaction) -> Registered:
        row = await tx.fetch_row(sql.STREET, street.street_id)
        before = None if row is None else Street.model_validate_json(row["settings"])
        is_same = before is None or (before.issuer_id, before.code) == (street.issuer_id, street.code)
        if not is_same or await tx.fetch_value(sql.TAKEN, street.street_id, street.issuer_id, street.code):
            return Registered(code=RefusalCode.id_conflict)
        await tx.execute(sql.WRITE_STREET, street.street_id, street.issuer_id, street.code, street.model_dump_json())
        return Registered(id=street.street_id)

    async def register_key(self, messages: Sequence[RegisterMergeKey], tx: Transaction) -> list[Registered]:
        """Refused unknown_street; bad_key: not for this street's mode; id_conflict: the id is another key's."""
        return [await self._register_key(message, tx) for message in messages]

    async def _register_key(self, message: RegisterMergeKey, tx: Transaction) -> Registered:
        key = message.merge_key
        row = await tx.fetch_row(sql.STREET, message.street_id)
        if row is None:
            return Registered(code=RefusalCode.unknown_street)
        if not key.fits(Street.model_validate_json(row["settings"]).layout.mode):
            return Registered(code=RefusalCode.bad_merge_key)
        sealed = await tx.fetch_value(sql.KEY, message.street_id, key.key_id)
        if sealed is not None and not _is_same(_opened(self._sealer, message.street_id, key.key_id, sealed), key):
            return Registered(code=RefusalCode.id_conflict)
        sealed = self._sealer.seal(key.model_dump_json().encode(), _key_place(message.street_id, key.key_id))
        await tx.execute(sql.WRITE_KEY, message.street_id, key.key_id, key.valid_from, key.valid_to, sealed)
        return Registered(id=message.street_id)

    async def end_key(self, messages: Sequence[EndMergeKey], tx: Transaction) -> list[Registered]:
        """Refused no_merge_key; bad_period: before it begins."""
        return [await self._end_key(message, tx) for message in messages]

    async def _end_key(self, message: EndMergeKey, tx: Transaction) -> Registered:
        sealed = await tx.fetch_value(sql.KEY, message.street_id, message.key_id)
        if sealed is None:
            return Registered(code=RefusalCode.no_merge_key)
        key = _opened(self._sealer, message.street_id, message.key_id, sealed)
        if message.valid_to <= key.valid_from:
            return Registered(code=RefusalCode.bad_period)
        ended = key.model_copy(update={"valid_to": message.valid_to})
        return await self._register_key(RegisterMergeKey(street_id=message.street_id, merge_key=ended), tx)

    async def register_signer(self, messages: Sequence[RegisterStreetSigner], tx: Transaction) -> list[Registered]:
        """A key id stands for one key, and for no other once that has ended.

        Refused unknown_street, bad_key, id_conflict.
        """
        return [await self._register_signer(message, tx) for message in messages]

    async def _register_signer(self, message: RegisterStreetSigner, tx: Transaction) -> Registered:
        length = len(message.key_bytes)
        is_public = message.algorithm is KeyAlgorithm.ed25519
        if length != ED25519_BYTES if is_public else length not in HMAC_BYTES:
            return Registered(code=RefusalCode.bad_key)
        if await tx.fetch_row(sql.STREET, message.street_id) is None:
            return Registered(code=RefusalCode.unknown_street)
        sealed = self._signer_sealer.seal(message.key_bytes, _signer_place(message.key_id))
        await tx.execute(sql.WRITE_SIGNER, message.key_id, message.street_id, message.algorithm.value, sealed)
        row = await tx.fetch_row(sql.SIGNER, message.key_id)
        assert row is not None  # noqa: S101 - it was there or was written just now
        kept = self._signer_sealer.open(row["key_sealed"], _signer_place(message.key_id))
        is_theirs = (row["street_id"], row["algorithm"]) == (message.street_id, message.algorithm.value)
        is_same = is_theirs and (row["ends_at"] is None or row["ends_at"] > tx.now)
        same = is_same and compare_digest(kept, message.key_bytes)
        return Registered(id=message.street_id) if same else Registered(code=RefusalCode.id_conflict)

    async def end_signer(self, messages: Sequence[EndStreetSigner], tx: Transaction) -> list[Registered]:
        """Refused no_street_signer."""
        ended = [await tx.fetch_value(sql.END_SIGNER, one.street_id, one.key_id, one.ends_at) for one in messages]
        return [
            Registered(id=one.street_id) if is_theirs else Registered(code=RefusalCode.no_street_signer)
            for one, is_theirs in zip(messages, ended, strict=True)
        ]

    # ------------------------------------------------------------------------------------------------------ finding

    async def street_of(self, query: StreetOf, reading: Reading) -> FoundStreet:
        """The street of an issuer."""
        row = await reading.fetch_row(sql.STREET_OF_ISSUER, query.issuer_id)
        return FoundStreet(street=None if row is None else Street.model_validate_json(row["settings"]))

    async def streets_of(self, _query: StreetsOf, reading: Reading) -> Streets:
        """All of them."""
        rows = await reading.fetch(sql.STREETS)
        streets = [Street.model_validate_json(row["settings"]) for row in rows]
        return Streets(streets=streets, hub_key=self._signer.verifier.pem)

    async def of_issuer(self, issuer_id: str) -> tuple[Street | None, Sealing | None]:
        """The street, and with what its files are made now: None where no key is valid."""
        now_s, now = self._clock.monotonic(), self._clock.now()
        known = self._known.get(issuer_id)
        if known is None or now_s >= known[0]:
            known = (now_s + KNOWN_S, *await self._read(issuer_id, now))
            self._known[issuer_id] = known
            self._known.move_to_end(issuer_id)
            if len(self._known) > KNOWN_LIMIT:
                self._known.popitem(last=False)
        _, street, keys = known
        return street, None if street is None else self._sealing(street, keys, now)

    async def _read(self, issuer_id: str, now: datetime) -> tuple[Street | None, list[MergeKey]]:
        async with self._database.reading() as reading:
            row = await reading.fetch_row(sql.STREET_OF_ISSUER, issuer_id)
            if row is None:
                return None, []
            street = Street.model_validate_json(row["settings"])
            return street, await self._keys(street.street_id, now, reading)

    async def of_id(self, street_id: UUID, tx: Transaction) -> tuple[Street | None, Sealing | None]:
        """The same inside a transaction, read anew."""
        row = await tx.fetch_row(sql.STREET_OF_ID, street_id)
        if row is None:
            return None, None
        street = Street.model_validate_json(row["settings"])
        return street, self._sealing(street, await self._keys(street_id, tx.now, tx), tx.now)

    async def signer(self, key_id: str) -> tuple[UUID, KeyAlgorithm, bytes] | None:
        """Whose key this is, how it signs, and the key; None where it has ended."""
        async with self._database.reading() as reading:
            row = await reading.fetch_row(sql.VALID_SIGNER, key_id, self._clock.now())
        if row is None:
            return None
        opened = self._signer_sealer.open(row["key_sealed"], _signer_place(key_id))
        return row["street_id"], KeyAlgorithm(row["algorithm"]), opened

    async def _keys(self, street_id: UUID, now: datetime, reading: Reading | Transaction) -> list[MergeKey]:
        rows = await reading.fetch(sql.VALID_KEYS, street_id, now)
        return [_opened(self._sealer, street_id, row["key_id"], row["key_sealed"]) for row in rows]

    def _sealing(self, street: Street, keys: Sequence[MergeKey], now: datetime) -> Sealing | None:
        """By the key that began last."""
        for key in keys:
            if key.is_valid(now) and key.fits(street.layout.mode):
                return Sealing(street.code, street.layout, key, self._signer)
        return None


def _is_same(kept: MergeKey, key: MergeKey) -> bool:
    """Whether all but its last moment is."""
    return kept.model_copy(update={"valid_to": None}) == key.model_copy(update={"valid_to": None})


def _opened(sealer: Sealer, street_id: UUID, key_id: str, sealed: bytes) -> MergeKey:
    return MergeKey.model_validate_json(sealer.open(sealed, _key_place(street_id, key_id)))


def _key_place(street_id: UUID, key_id: str) -> str:
    return place("street.merge_key", "key", f"{street_id}|{key_id}")


def _signer_place(key_id: str) -> str:
    return place("street.signer", "key", key_id)
