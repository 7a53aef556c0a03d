"""`mykey-hub parties`: from nothing to a partner whose transfers are posted, within what was agreed; a key changed."""

import io
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr
from rich.console import Console

from connectors.partner import commands
from hub.asking import carry_out
from hub.errors import HubError
from hub.settings import Settings
from schemas.citizens import LinkCitizen
from schemas.id_links import BeginLinking, TokenAlgorithm
from schemas.links import Linkage
from schemas.values import scheme_pool
from tests.connectors.checkout.shops import Shop
from tests.connectors.partner.town import DEADLINE_S, SCHEME, STORE, Answer, Partner, Town, town, transfer
from tests.running import SECRET_KEY

JSON = {"Content-Type": "application/json"}


@dataclass
class Desk:
    """An operator's command line, beside a hub at work."""

    town: Town
    settings: Settings
    folder: Path

    async def run(self, *words: str) -> str:
        """What a command shows."""
        console = Console(record=True, width=240, file=io.StringIO())
        await carry_out(commands._parser().parse_args(words), self.settings, console, commands.ASKER)
        return console.export_text()

    async def refused(self, *words: str) -> str:
        """Why a command was not done."""
        with pytest.raises(HubError) as caught:
            await self.run(*words)
        return str(caught.value)

    async def key(self, party_id: str, key_id: str, private: Ed25519PrivateKey | None = None) -> Partner:
        """A partner that has sent its public key, and keeps the private one."""
        private = private or Ed25519PrivateKey.generate()
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        file = self.folder / f"{key_id}.pem"
        file.write_bytes(pem)
        assert key_id in await self.run("key", party_id, key_id, str(file))
        return Partner(self.town.session, self.town.url, key_id, private.private_bytes_raw())


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with town(database_url, further=["goods", "checkout"]) as opened:
        settings = Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY), http_port=1)
        yield Desk(opened, settings, tmp_path)


async def test_a_partner_is_set_up_and_moves_points_within_what_was_agreed(desk: Desk) -> None:
    party_id = (await desk.run("register", "partner", "地方航空")).split()[0]
    assert "地方航空" in await desk.run("list")
    assert party_id in await desk.refused("test", party_id)
    await desk.run("page", party_id, "--url", "https://air.example/points", "--about", "マイルを移せます。")
    await desk.run("log-in", party_id, "--page", "https://air.example/log-in")
    begun = BeginLinking(linking_id=uuid4(), citizen_id=UUID(int=1), party_id=UUID(party_id), browser=bytes(32))
    assert (await desk.town.process.bus.call(begun, DEADLINE_S)).url.startswith("https://air.example/log-in?linking=")
    agreed = ("--requests-per-s", "0.001", "--rows-at-once", "1", "--pool", "reserve")
    await desk.run("limit", party_id, *agreed)
    air = await desk.key(party_id, "air-1")
    link = LinkCitizen(citizen_id=UUID(int=1), party_id=UUID(party_id), link_id="l-1")
    await desk.town.process.bus.call(link, DEADLINE_S)

    posted, elsewhere = await air.batch(transfer("t-1"), transfer("t-2", to=scheme_pool(SCHEME)))
    assert posted["status"] == "posted"
    assert (elsewhere["code"], elsewhere["errors"][0]["pointer"]) == ("pool_not_agreed", "/transfers/1/to")
    too_soon = await air.ask("GET", "/transfers/t-1")
    assert too_soon.status == 429
    assert int(too_soon.headers["Retry-After"]) > 300, "one request in a quarter of an hour was agreed"
    assert (await desk.town.partner().post('{"transfers": [{}]}')).status == 200, "the others are as they were"
    assert "signed request lately" in await desk.run("test", party_id)
    shown = await desk.run("show", party_id)
    for one in ("air-1", "0.001", "reserve", "https://air.example/points", "全体と同じ"):
        assert one in shown


@pytest.mark.parametrize(
    "command,choices",
    [("log-in", [one.value for one in TokenAlgorithm]), ("page", [one.value for one in Linkage])],
)
def test_a_command_says_what_can_be_chosen(
    command: str, choices: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commands.main([command, "--help"])
    told = capsys.readouterr().out
    assert [one for one in choices if one not in told] == []
    assert "left out" in " ".join(told.split())


async def test_a_coupon_goes_only_where_points_may_go(desk: Desk) -> None:
    airline = desk.town.partner()
    await desk.run("limit", str(UUID(int=0xA1)), "--pool", scheme_pool(SCHEME))

    async def registered(*pools: str) -> Answer:
        coupons = [{"code": f"AAAA-BBBB-{n}", "points": 1, "to": pool} for n, pool in enumerate(pools)]
        return await airline.ask("POST", "/coupons", json.dumps({"coupons": coupons}).encode(), JSON)

    refused = await registered(scheme_pool(SCHEME), "reserve")
    assert [(one["pointer"], one["code"]) for one in refused.json["errors"]] == [("/coupons/1/to", "pool_not_agreed")]
    assert (await registered(scheme_pool(SCHEME))).status == 200


async def test_a_key_is_changed_and_a_secret_drawn(desk: Desk) -> None:
    party_id = (await desk.run("register", "partner", "電力会社")).split()[0]
    old, new = await desk.key(party_id, "power-1"), await desk.key(party_id, "power-2")
    await desk.run("end-key", party_id, "power-1")
    await desk.run("end-key", party_id, "power-1", "--at", "2999-01-01")
    assert (await old.ask("GET", "/webhook")).status == 401, "its end is not put off"
    await desk.run("end-key", party_id, "power-2", "--at", "2999-01-01")
    assert (await new.ask("GET", "/webhook")).status == 404
    assert "2999-01-01" in await desk.run("show", party_id)
    assert "good" in await desk.run("test", party_id)

    out = desk.folder / "secret"
    assert out.name in await desk.run("secret", party_id, "power-3", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert len(bytes.fromhex(out.read_text())) == 32
    assert await desk.refused("secret", party_id, "power-4", "--out", str(out))
    assert out.exists()
    other = desk.folder / "other"
    assert await desk.refused("secret", party_id, "power-3", "--out", str(other)), "the key's id is taken"
    assert not other.exists(), "a secret that nobody knows is not left behind"


async def test_a_shop_is_in_order_once_it_has_asked_for_something(desk: Desk) -> None:
    shop_id = (await desk.run("register", "shop", "名物ショップ")).split()[0]
    assert await desk.refused("test", shop_id), "it has no key"
    private = Ed25519PrivateKey.generate()
    await desk.key(shop_id, "shop-1", private)
    assert await desk.refused("test", shop_id), "it has asked for nothing"
    shop = Shop(desk.town.session, desk.town.url, "shop-1", private.private_bytes_raw())
    await shop.done("GET", "/referrals")
    assert "shop-1 (ed25519)" in await desk.run("test", shop_id)


async def test_what_cannot_be_is_refused(desk: Desk) -> None:
    shop = (await desk.run("register", "shop", "名物ショップ")).split()[0]
    nobody = str(uuid4())
    for words in (
        ("show", nobody),
        ("test", nobody),
        ("limit", nobody),
        ("page", nobody, "--url", "https://air.example/"),
        ("log-in", nobody, "--page", "https://air.example/log-in"),
        ("log-in", shop, "--issuer", "https://id.example"),
        ("end-key", shop, "airline"),
        ("limit", shop, "--requests-per-s", "0"),
        ("limit", shop, "--pool", "scheme:1"),
        ("register", "shop", "another name", "--id", shop),
        ("key", str(STORE), "no-key", __file__),
        ("key", shop, "no-file", str(desk.folder / "none.pem")),
    ):
        assert await desk.refused(*words), words
