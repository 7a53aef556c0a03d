"""What municipalities owe a shop (画面87) and the captures and refunds behind it (参考88): its own alone."""

from typing import Any, Final

from connectors.checkout.orders import own_id
from schemas.settlement import PlaceSummaryOf
from tests.connectors.checkout.shops import CITY, NOW, POOL, SHOP, Shop, Street, order
from tests.workers.registry.asking import ask

PERIOD: Final = f"first={NOW:%Y-%m-%d}&last={NOW:%Y-%m-%d}"


async def details(shop: Shop, limit: int) -> list[Any]:
    """All pages, put together."""
    found: list[Any] = []
    cursor = None
    while cursor != "":
        answer = await shop.done("GET", f"/settlement/details?{PERIOD}&limit={limit}{cursor or ''}")
        assert len(answer["items"]) <= limit
        found += answer["items"]
        cursor = f"&cursor={answer['next']}" if answer["next"] else ""
    return found


async def captured(shop: Shop, order_id: str, points: int, of: int = 200) -> None:
    await shop.done("POST", "/authorizations", order(order_id, of))
    assert (await shop.done("POST", f"/authorizations/{order_id}/capture", {"points": points}))["captured"] == points


async def test_a_shop_sees_what_it_is_owed_and_for_what(open_street: Street, shop: Shop) -> None:
    await captured(shop, "o-1", 200)
    await captured(shop, "o-2", 50)
    await shop.done("POST", "/authorizations/o-1/refunds", {"refund_id": "r.1", "points": 30})
    await shop.done("POST", "/authorizations", order("o-3", 10))
    await shop.done("POST", "/authorizations/o-3/void", {})

    told = await shop.done("GET", f"/settlement?{PERIOD}")
    one = {"lg_code": CITY, "pool": POOL}
    assert told == {
        "first": f"{NOW:%Y-%m-%d}",
        "last": f"{NOW:%Y-%m-%d}",
        "transactions": 2,
        "used": 250,
        "returns": 1,
        "returned": 30,
        "points": 220,
        "lines": [
            {"kind": "capture", "direction": 1, **one, "transactions": 2, "points": 250},
            {"kind": "refund", "direction": -1, **one, "transactions": 1, "points": 30},
        ],
    }
    (place,) = (await ask(open_street.process, PlaceSummaryOf(lg_code=CITY, first=NOW.date(), last=NOW.date()))).places
    assert (place.place_id, place.points) == (SHOP, told["points"])

    for limit in (1, 2, 1_000):
        lines = await details(shop, limit)
        assert [(line["kind"], line.get("order_id"), line.get("refund_id"), line["points"]) for line in lines] == [
            ("capture", "o-1", None, 200),
            ("capture", "o-2", None, 50),
            ("refund", None, "r.1", 30),
        ]
        assert sum(line["points"] * line["direction"] for line in lines) == told["points"]


async def test_another_ones_is_none_of_it(open_street: Street, shop: Shop) -> None:
    await captured(shop, "o-1", 200)
    fund = open_street.party("fund")
    assert (await fund.done("GET", f"/settlement?{PERIOD}"))["lines"] == []
    assert await details(fund, 10) == []
    for path in ("/settlement", "/settlement/details"):
        assert (await open_street.party("airline").send("GET", f"{path}?{PERIOD}"))[0] == 401


def test_a_second_try_names_the_order_too() -> None:
    assert [own_id(command_id) for command_id in ("c.o-1", "c2.o-1", "r.r.1")] == ["o-1", "o-1", "r.1"]
