"""Partners, stores, shops and funds, and the keys they sign with."""

from collections.abc import Sequence
from hmac import compare_digest
from typing import Final

from hub.database import Row
from hub.keys import Keys, place
from hub.transaction import Reading, Transaction
from schemas.municipalities import Registered
from schemas.parties import (
    NO_LIMITS,
    EndPartyKey,
    KeyAlgorithm,
    LimitParty,
    PartyKey,
    PartyKeyNames,
    PartyKeyOf,
    PartyKeysOf,
    PartyKind,
    PartyLimits,
    PartyLimitsOf,
    PartyRegistered,
    RegisterParty,
    RegisterPartyKey,
)
from schemas.problems import RefusalCode
from workers.registry import statements as sql

ED25519_BYTES: Final = 32
HMAC_LEAST_BYTES: Final = 32
HMAC_LIMIT_BYTES: Final = 128


async def register_parties(messages: Sequence[RegisterParty], tx: Transaction) -> list[Registered]:
    """The same again changes nothing; refused `id_conflict` where the id stands for another party."""
    rows = await tx.fetch(sql.PARTIES, [message.party_id for message in messages])
    kept = {row["party_id"]: tuple(row) for row in rows}
    new: list[tuple[object, ...]] = []
    answers: list[Registered] = []
    for about, message in enumerate(messages):
        row = (message.party_id, message.kind.value, message.name)
        if message.party_id not in kept:
            kept[message.party_id] = row
            new.append(row)
            tx.emit(PartyRegistered(**message.model_dump()), about)
        same = kept[message.party_id] == row
        answers.append(Registered(id=message.party_id) if same else Registered(code=RefusalCode.id_conflict))
    if new:
        await tx.copy("registry", "party", sql.PARTY_COLUMNS, new)
    return answers


async def end_keys(messages: Sequence[EndPartyKey], tx: Transaction) -> list[Registered]:
    """See EndPartyKey. Rare, so one by one."""
    ended = [await tx.fetch_value(sql.END_PARTY_KEY, one.party_id, one.key_id, one.ends_at) for one in messages]
    return [
        Registered(id=one.party_id) if is_theirs else Registered(code=RefusalCode.no_party_key)
        for one, is_theirs in zip(messages, ended, strict=True)
    ]


async def limit_parties(messages: Sequence[LimitParty], tx: Transaction) -> list[Registered]:
    """See LimitParty. Rare, so one by one."""
    known = [await tx.fetch_value(sql.WRITE_PARTY_LIMITS, one.party_id, *_row(one.limits)) for one in messages]
    return [
        Registered(id=one.party_id) if is_there else Registered(code=RefusalCode.unknown_party)
        for one, is_there in zip(messages, known, strict=True)
    ]


async def limits_of(query: PartyLimitsOf, reading: Reading) -> PartyLimits:
    """What holds for everybody, where nothing was agreed."""
    row = await reading.fetch_row(sql.PARTY_LIMITS, query.party_id)
    return NO_LIMITS if row is None else _limits(row)


class PartyKeys:
    """Keys by key id; shared secrets are sealed."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer("registry.party_key")

    async def register(self, messages: Sequence[RegisterPartyKey], tx: Transaction) -> list[Registered]:
        """A key id stands for one key for ever; a party may have several, to change from one to the next.

        Refused `bad_key`, `unknown_party`, or `id_conflict` where the key id stands for another key.
        """
        rows = await tx.fetch(sql.PARTIES, [message.party_id for message in messages])
        kinds = {row["party_id"]: PartyKind(row["kind"]) for row in rows}
        rows = await tx.fetch(sql.PARTY_KEYS, [message.key_id for message in messages])
        kept = {row["key_id"]: self._opened(row) for row in rows}
        new: list[tuple[object, ...]] = []
        answers: list[Registered] = []
        for message in messages:
            code = _key_refusal(message, kinds)
            if code is None and message.key_id not in kept:
                kept[message.key_id] = _party_key(message, kinds[message.party_id])
                new.append(self._row(message))
            if code is None and not _is_same(kept[message.key_id], message):
                code = RefusalCode.id_conflict
            answers.append(Registered(code=code) if code else Registered(id=message.party_id))
        if new:
            await tx.copy("registry", "party_key", sql.PARTY_KEY_COLUMNS, new)
        return answers

    async def names_of(self, query: PartyKeysOf, reading: Reading) -> PartyKeyNames:
        """The party and the names of its keys."""
        rows = await reading.fetch(sql.PARTY_KEY_NAMES, query.party_id)
        if not rows:
            return PartyKeyNames()
        keys = {row["key_id"]: KeyAlgorithm(row["algorithm"]) for row in rows if row["key_id"] is not None}
        ends = {row["key_id"]: row["ended_at"] for row in rows if row["ended_at"] is not None}
        return PartyKeyNames(kind=PartyKind(rows[0]["kind"]), name=rows[0]["name"], keys=keys, ends=ends)

    async def of(self, query: PartyKeyOf, reading: Reading) -> PartyKey:
        """The key of this id, secret opened, and its party's limits; empty where there is none, or no longer."""
        row = await reading.fetch_row(sql.PARTY_KEY, query.key_id, reading.clock.now())
        return PartyKey() if row is None else self._opened(row).model_copy(update={"limits": _limits(row)})

    def _row(self, message: RegisterPartyKey) -> tuple[object, ...]:
        is_public = message.algorithm is KeyAlgorithm.ed25519
        return (
            message.key_id,
            message.party_id,
            message.algorithm.value,
            message.key_bytes if is_public else None,
            None if is_public else self._sealer.seal(message.key_bytes, _secret_of(message.key_id)),
        )

    def _opened(self, row: Row) -> PartyKey:
        sealed = row["secret_sealed"]
        key_bytes = self._sealer.open(sealed, _secret_of(row["key_id"])) if sealed else row["public_key"]
        return PartyKey(
            party_id=row["party_id"],
            kind=PartyKind(row["kind"]),
            algorithm=KeyAlgorithm(row["algorithm"]),
            key_bytes=key_bytes,
        )


def _row(limits: PartyLimits) -> tuple[object, ...]:
    pools = None if limits.pools is None else list(limits.pools)
    return limits.requests_per_s, limits.requests_at_once, limits.rows_at_once, limits.files_at_once, pools


def _limits(row: Row) -> PartyLimits:
    kept = {name: row[name] for name in PartyLimits.model_fields}
    return PartyLimits.model_validate(kept | {"pools": None if row["pools"] is None else tuple(row["pools"])})


def _secret_of(key_id: str) -> str:
    return place("registry.party_key", "secret", key_id)


def _key_refusal(message: RegisterPartyKey, kinds: dict[object, PartyKind]) -> str | None:
    length = len(message.key_bytes)
    if message.algorithm is KeyAlgorithm.ed25519:
        fits = length == ED25519_BYTES
    else:
        fits = HMAC_LEAST_BYTES <= length <= HMAC_LIMIT_BYTES
    if not fits:
        return RefusalCode.bad_key
    return None if message.party_id in kinds else RefusalCode.unknown_party


def _party_key(message: RegisterPartyKey, kind: PartyKind) -> PartyKey:
    return PartyKey(party_id=message.party_id, kind=kind, algorithm=message.algorithm, key_bytes=message.key_bytes)


def _is_same(kept: PartyKey, message: RegisterPartyKey) -> bool:
    return (
        kept.party_id == message.party_id
        and kept.algorithm is message.algorithm
        and compare_digest(kept.key_bytes, message.key_bytes)
    )
