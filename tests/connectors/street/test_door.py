"""What a street's server asks by HTTP: its merges, its answers, whose card is in; what others do not see."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from hub.errors import HubError
from hub.settings import Settings
from hub.web import signed_parties
from schemas.parties import KeyAlgorithm
from schemas.problems import RefusalCode
from schemas.streets import MergeState, RegisterStreet, RegisterStreetSigner, Street
from tests.connectors.street.test_commands import run
from tests.connectors.street.test_counter import with_card
from tests.connectors.street.town import HELD, STREET_ID, Town, town
from tests.connectors.terminal.agents import DEADLINE_S
from tests.peers.airline.signing import Signer
from tests.peers.card.authority import CardAuthority
from tests.running import SECRET_KEY
from tests.waiting import wait_until

ASKED = "SELECT count(*) FROM terminal.job WHERE kind = 'card' AND sent_at IS NOT NULL AND consumed_at IS NULL"
TAKEN_BACK = """
SELECT EXISTS (SELECT FROM terminal.job WHERE kind = 'card' AND consumed_at IS NOT NULL AND result_sealed IS NULL)
    AND EXISTS (SELECT FROM terminal.job WHERE kind = 'release' AND sent_at IS NOT NULL)
"""
OTHER_ID = UUID(int=0x07E8)


class Server:
    """A street's server, which signs as the airline does."""

    def __init__(self, client: ClientSession, street: Town, key_id: str, key: Ed25519PrivateKey) -> None:
        self._client = client
        self._url = f"{street.hub.url}/api/street"
        self._signer = Signer(key_id, key)

    async def ask(self, method: str, path: str, **body: object) -> tuple[int, Any]:
        """Status and answer."""
        url, content = self._url + path, json.dumps(body).encode() if body else None
        extra = {"Content-Type": "application/json"} if body else {}
        headers = self._signer.headers(method, url, content, extra)
        async with self._client.request(method, url, data=content, headers=headers) as answer:
            return answer.status, await answer.json()


async def server(client: ClientSession, street: Town, street_id: UUID, key_id: str) -> Server:
    key = Ed25519PrivateKey.generate()
    command = RegisterStreetSigner(
        street_id=street_id, key_id=key_id, algorithm=KeyAlgorithm.ed25519,
        key_bytes=key.public_key().public_bytes_raw(),
    )  # fmt: skip
    assert (await street.hub.bus.call(command, DEADLINE_S)).code is None
    return Server(client, street, key_id, key)


async def test_a_streets_server_answers_merges_and_asks_for_cards(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority, office=True) as street, ClientSession() as client:
        other = Street(street_id=OTHER_ID, issuer_id="000778", code="ekimae", name="駅前商店街")
        assert (await street.hub.bus.call(RegisterStreet(street=other), DEADLINE_S)).code is None
        ours = await server(client, street, STREET_ID, "honmachi-1")
        theirs = await server(client, street, OTHER_ID, "ekimae-1")
        first, second = await street.merge(300), await street.merge(20)

        status, told = await ours.ask("GET", "/merges")
        assert status == 200
        assert [(one["number"], one["state"]) for one in told["merges"]] == [
            (first.number, "delivered"), (second.number, "delivered"),
        ]  # fmt: skip
        assert (await theirs.ask("GET", "/merges")) == (200, {"merges": []})
        assert (await theirs.ask("GET", f"/merges/{first.number}"))[0] == 404
        assert (await theirs.ask("POST", f"/merges/{first.number}/answer", taken=True))[0] == 404

        for _ in range(2):
            status, told = await ours.ask("POST", f"/merges/{first.number}/answer", taken=True)
            assert (status, told["state"]) == (200, "acknowledged")
        status, told = await ours.ask("POST", f"/merges/{first.number}/answer", taken=False, reason="late")
        assert (status, told["errors"][0]["code"]) == (409, RefusalCode.merge_answered)
        await ours.ask("POST", f"/merges/{second.number}/answer", taken=False, reason="no member")
        await street.becomes(first.number, MergeState.acknowledged)
        assert (await street.becomes(second.number, MergeState.refused)).reason == "no member"
        assert await street.held() == (HELD - 300, 0)

        await with_card(street, card_authority)
        terminal_id = street.shop.terminal.terminal_id
        assert await ours.ask("POST", "/card-reads", terminal_id=terminal_id) == (200, {"member_id": "520626"})
        status, told = await theirs.ask("POST", "/card-reads", terminal_id=terminal_id)
        assert (status, told["errors"][0]["code"]) == (409, RefusalCode.unknown_terminal)


async def test_a_server_that_hangs_up_has_nobody_asked_for_a_card_any_more(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    owner = await asyncpg.connect(database_url)

    async def is_asked() -> bool:
        return bool(await owner.fetchval(ASKED))

    async def is_taken_back() -> bool:
        return bool(await owner.fetchval(TAKEN_BACK))

    async with town(database_url, tmp_path, card_authority) as street, ClientSession() as client:
        ours = await server(client, street, STREET_ID, "honmachi-1")
        terminal_id = street.shop.terminal.terminal_id
        asking = asyncio.create_task(ours.ask("POST", "/card-reads", terminal_id=terminal_id))
        await wait_until(is_asked)
        asking.cancel()
        await wait_until(is_taken_back)
    await owner.close()


async def test_operators_register_a_streets_key_change_it_and_end_it(
    database_url: str, tmp_path: Path, card_authority: CardAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_parties, "KEY_CACHE_S", 0.0)
    settings = Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))
    async with town(database_url, tmp_path, card_authority) as street, ClientSession() as client:

        async def signer(key_id: str) -> Server:
            key = Ed25519PrivateKey.generate()
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (tmp_path / f"{key_id}.pem").write_bytes(pem)
            await run(settings, "signer", "honmachi", key_id, str(tmp_path / f"{key_id}.pem"))
            return Server(client, street, key_id, key)

        old, new = await signer("honmachi-1"), await signer("honmachi-2")
        assert [await one.ask("GET", "/merges") for one in (old, new)] == [(200, {"merges": []})] * 2
        await run(settings, "end-signer", "honmachi", "honmachi-1")
        await run(settings, "end-signer", "honmachi", "honmachi-1", "--at", "2999-01-01")
        assert (await old.ask("GET", "/merges"))[0] == 401, "its end is not put off"
        await run(settings, "end-signer", "honmachi", "honmachi-2", "--at", "2999-01-01")
        assert (await new.ask("GET", "/merges"))[0] == 200
        for words in (
            ("signer", "honmachi", "honmachi-1", str(tmp_path / "honmachi-1.pem")),
            ("signer", "honmachi", "honmachi-2", str(tmp_path / "honmachi-1.pem")),
            ("signer", "ekimae", "ekimae-1", str(tmp_path / "honmachi-1.pem")),
            ("signer", "honmachi", "honmachi-3", __file__),
            ("signer", "honmachi", "honmachi-3", str(tmp_path / "none.pem")),
            ("end-signer", "honmachi", "honmachi-3"),
        ):
            with pytest.raises(HubError):
                await run(settings, *words)


@pytest.mark.parametrize("path", ["/merges", "/merges/20171002101530000042"])
async def test_nobody_comes_in_without_a_streets_key(
    path: str, database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street, ClientSession() as client:
        stranger = Server(client, street, "honmachi-1", Ed25519PrivateKey.generate())
        assert (await stranger.ask("GET", path))[0] == 401
        await server(client, street, STREET_ID, "honmachi-1")
        assert (await stranger.ask("GET", path))[0] == 401
