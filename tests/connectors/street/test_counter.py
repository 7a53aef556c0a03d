"""「商店街ポイント合算」 at the butcher's terminal: by the My Number Card and by the street's card (画面37–39)."""

import asyncio
from pathlib import Path

from schemas.citizens import CitizenBehind
from schemas.streets import MergeState
from tests.connectors.street.town import HELD, NUMBER, POOL, Town, grant, has_card, town
from tests.connectors.terminal.agents import DEADLINE_S
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import JpkiCard
from tests.waiting import wait_until


async def test_with_the_my_number_card(database_url: str, tmp_path: Path, card_authority: CardAuthority) -> None:
    async with town(database_url, tmp_path, card_authority, office=True) as street:
        clerk = street.shop.clerk
        await with_card(street, card_authority)
        operation_id = await clerk.read("merge-points")
        choices = await clerk.done(operation_id, "merge-choices")
        assert choices == {
            "street": "本町商店街", "number": "520626", "pools": [{"pool": POOL, "points": HELD}],
        }  # fmt: skip
        status, told = await clerk.act(operation_id, "merge", pool=POOL, points=HELD + 1)
        assert (status, told["errors"][0]["code"]) == (409, "insufficient_points")
        status, _ = await clerk.act(operation_id, "merge", pool=POOL, points=HELD + 2)
        assert status == 409
        done = await clerk.done(operation_id, "merge", pool=POOL, points=300)
        assert (done["points"], done["left"], done["undelivered"]) == (300, HELD - 300, None)
        assert (await clerk.state(operation_id))["state"] == "done"
        assert street.receive().points == 300
        await street.becomes(done["number"], MergeState.acknowledged)
        assert street.points("520626") == 300

        # One card out, and nothing more is merged.
        operation_id = await clerk.read("merge-points")
        street.shop.reader.remove()
        await wait_until(lambda: _is_over(street, operation_id))
        status, _ = await clerk.act(operation_id, "merge", pool=POOL, points=1)
        assert status == 409


async def test_with_the_streets_card(database_url: str, tmp_path: Path, card_authority: CardAuthority) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        clerk = street.shop.clerk
        operation_id = await clerk.begin("merge-points", how="street_card")
        await feed(street, NUMBER)
        view = await clerk.ended(operation_id, "waiting")
        assert (view["state"], view["name"]) == ("proven", "氏名 一")
        done = await clerk.done(operation_id, "merge", pool=POOL, points=200)
        assert done["points"] == 200
        assert (await clerk.state(operation_id))["state"] == "done"
        status, _ = await clerk.act(operation_id, "merge", pool=POOL, points=200)
        assert status == 409
        assert await street.held() == (HELD - 200, 200)
        street.receive()
        await street.becomes(done["number"], MergeState.acknowledged)

        operation_id = await clerk.begin("merge-points", how="street_card")
        await feed(street, "999999")
        assert (await clerk.ended(operation_id, "waiting"))["code"] == "number_unknown"
        status, _ = await clerk.ask("POST", "/operations", purpose="register-service-id", how="street_card")
        assert status == 409


async def feed(street: Town, number: str) -> None:
    """The street's card is held against its reader, which types the number."""

    async def is_taken() -> bool:
        await asyncio.sleep(0.02)
        return street.shop.numbers.feed(f"{number}\n")

    await wait_until(is_taken)


async def _is_over(street: Town, operation_id: str) -> bool:
    await asyncio.sleep(0.05)
    return bool((await street.shop.clerk.state(operation_id))["state"] == "over")


async def with_card(street: Town, authority: CardAuthority) -> None:
    """The citizen makes a MyKey ID at the office, and then stands in front of the butcher's reader."""
    card = JpkiCard(authority.issue())
    assert street.office is not None
    street.office.insert(card)
    await street.office.clerk.create("ABCD2346")
    found = await street.hub.bus.call(CitizenBehind(mykey_id="ABCD2346"), DEADLINE_S)
    assert found.citizen_id is not None
    await has_card(street, found.citizen_id, "520626")
    await grant(street, found.citizen_id)
    street.shop.insert(card)
