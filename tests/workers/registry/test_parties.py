"""Parties and their keys."""

from uuid import UUID

import pytest

from hub.process import HubProcess
from schemas.parties import KeyAlgorithm, PartyKey, PartyKeyOf, PartyKind, RegisterParty, RegisterPartyKey
from tests.workers.registry.asking import ask, rows_of, said
from tests.workers.registry.conftest import PARTNER

PUBLIC_KEY = bytes(range(32))
SECRET = b"a shared secret of 40 bytes, planted 123"


def key(algorithm: KeyAlgorithm, key_bytes: bytes, **changes: object) -> RegisterPartyKey:
    content = {"party_id": PARTNER, "key_id": "key-1", "algorithm": algorithm, "key_bytes": key_bytes}
    return RegisterPartyKey.model_validate(content | changes)


async def test_a_party_is_taken_in_once(registry: HubProcess, database_url: str) -> None:
    airline = RegisterParty(party_id=PARTNER, kind=PartyKind.partner, name="Airline")
    assert (await ask(registry, airline)).id == PARTNER
    assert (await ask(registry, airline)).id == PARTNER
    other = RegisterParty(party_id=PARTNER, kind=PartyKind.shop, name="Airline")
    assert (await ask(registry, other)).code == "id_conflict"
    assert await said(database_url) == ["parties.registered"]


@pytest.mark.parametrize(
    "algorithm, key_bytes", [(KeyAlgorithm.ed25519, PUBLIC_KEY), (KeyAlgorithm.hmac_sha256, SECRET)]
)
async def test_a_key_comes_back_with_its_party(world: HubProcess, algorithm: KeyAlgorithm, key_bytes: bytes) -> None:
    asked = key(algorithm, key_bytes)
    assert (await ask(world, asked)).code is None
    assert (await ask(world, asked)).code is None
    assert await ask(world, PartyKeyOf(key_id="key-1")) == PartyKey(
        party_id=PARTNER, kind=PartyKind.partner, algorithm=algorithm, key_bytes=key_bytes
    )


async def test_a_key_id_stands_for_one_key(world: HubProcess) -> None:
    await ask(world, key(KeyAlgorithm.hmac_sha256, SECRET))
    for other in (
        key(KeyAlgorithm.hmac_sha256, SECRET + b"!"),
        key(KeyAlgorithm.ed25519, PUBLIC_KEY),
        key(KeyAlgorithm.hmac_sha256, SECRET, party_id=UUID(int=0xB1)),
    ):
        assert (await ask(world, other)).code == "id_conflict"
    assert (await ask(world, PartyKeyOf(key_id="key-1"))).key_bytes == SECRET


@pytest.mark.parametrize(
    "algorithm, length",
    [
        (KeyAlgorithm.ed25519, 0),
        (KeyAlgorithm.ed25519, 31),
        (KeyAlgorithm.ed25519, 33),
        (KeyAlgorithm.hmac_sha256, 31),
        (KeyAlgorithm.hmac_sha256, 129),
    ],
)
async def test_keys_of_a_wrong_length_are_refused(world: HubProcess, algorithm: KeyAlgorithm, length: int) -> None:
    assert (await ask(world, key(algorithm, b"k" * length))).code == "bad_key"


async def test_keys_of_nobody(world: HubProcess) -> None:
    nobodys = key(KeyAlgorithm.ed25519, PUBLIC_KEY, party_id=UUID(int=0xFF))
    assert (await ask(world, nobodys)).code == "unknown_party"
    assert await ask(world, PartyKeyOf(key_id="key-1")) == PartyKey()
    assert await ask(world, PartyKeyOf(key_id="'; DROP TABLE registry.party_key; --")) == PartyKey()


async def test_a_secret_is_sealed(world: HubProcess, database_url: str) -> None:
    await ask(world, key(KeyAlgorithm.hmac_sha256, SECRET))
    (row,) = await rows_of(database_url, "SELECT * FROM registry.party_key")
    assert row["public_key"] is None
    assert SECRET not in row["secret_sealed"]
