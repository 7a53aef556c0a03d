"""A partner registers coupons, takes unused ones back, and counts them, by its signed API alone."""

import json
import statistics
import time
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from hub.keys import Keys
from schemas.grants import COUPON_KEY, CouponOf, CreditCoupon
from tests.connectors.partner.town import CARD_COMPANY, DEADLINE_S, SCHEME, Partner, Town
from tests.running import SECRET_KEY
from tests.waiting import quick_enough

NUMBER = "CARD-2017-0001"
APART_LIMIT_S: Final = 0.005


async def ask(partner: Partner, path: str, body: object, status: int = 200) -> Any:  # noqa: ANN401 - whatever was answered
    headers = {"Content-Type": "application/json"}
    answer = await partner.ask("POST", path, json.dumps(body).encode(), headers)
    assert answer.status == status, answer
    return answer.json


def coupon(code: str = NUMBER, points: object = 40, **changes: object) -> dict[str, object]:
    return {"code": code, "points": points, "to": "reserve", **changes}


def hashed(code: str) -> bytes:
    return Keys(SECRET_KEY.encode()).hasher(COUPON_KEY).hash(code.encode())


async def use(town: Town, code: str, citizen: int) -> str | None:
    command = CreditCoupon(
        party_id=CARD_COMPANY,
        command_id=f"use:{code}:{citizen}",
        request_hash=sha256(code.encode()).digest()[:16],
        citizen_id=UUID(int=citizen),
        code_hash=hashed(code),
    )
    return (await town.process.bus.call(command, DEADLINE_S)).code


async def test_coupons_are_registered_used_voided_and_counted(
    hub_town: Town, card_company: Partner, airline: Partner
) -> None:
    batch = {"coupons": [coupon(), coupon("card 2017 0002"), coupon("card-2017-0003", to=f"scheme:{SCHEME}"), coupon()]}
    assert await ask(card_company, "/coupons", batch) == {"results": ["registered"] * 3 + ["unchanged"]}
    again = {"coupons": [coupon("ＣＡＲＤ２０１７０００１"), coupon("CARD20170002", 41), coupon("CARD20170004", 7)]}
    assert await ask(card_company, "/coupons", again) == {"results": ["unchanged", "id_conflict", "registered"]}
    assert await use(hub_town, "CARD20170001", 1) is None
    codes = {"codes": ["CARD20170001", "CARD20170002", "CARD20170009"]}
    assert await ask(airline, "/coupon-voidings", codes) == {"results": ["unknown"] * 3}
    assert await ask(card_company, "/coupon-voidings", codes) == {"results": ["used", "voided", "unknown"]}
    assert await ask(card_company, "/coupon-voidings", codes) == {"results": ["used", "voided", "unknown"]}
    assert await use(hub_town, "CARD20170002", 1) == "no_coupon"
    for code in ("CARD20170001", "CARD20170002", "CARD20170009"):
        asked = CouponOf(party_id=CARD_COMPANY, code_hash=hashed(code))
        assert (await hub_town.process.bus.call(asked, DEADLINE_S)).offer is None
    today = hub_town.process.clock.business_date()
    settled = await card_company.get(f"/settlement?first={today}&last={today}")
    assert (settled["transfers"], settled["points"]) == (1, 40), "a coupon is owed as a transfer is"
    report = await card_company.get("/coupon-report?first=2017-01-01&last=2019-12-31")
    first, second = report["lines"]
    assert first == {
        "to": "reserve", "used": 0, "used_points": 0, "open": 1, "open_points": 7, "expired": 0, "voided": 1
    }  # fmt: skip
    assert second["open"] == 1
    today = hub_town.process.clock.business_date()
    used = await card_company.get(f"/coupon-report?first={today}&last={today}")
    assert (used["lines"][0]["used"], used["lines"][0]["used_points"]) == (1, 40)
    assert (await airline.get(f"/coupon-report?first={today}&last={today}"))["lines"] == []


WRONG: Final[list[dict[str, object]]] = [
    {"code": "SHORT"},
    {"code": "123456789012"},
    {"code": "CARD_2017_0001"},
    {"code": "C" * 41},
    {"points": 0},
    {"points": "40"},
    {"points": True},
    {"to": "nowhere"},
    {"last_day": "2017-13-01"},
    {"last_day": 1506816000},
    {"status": "used"},
]


async def test_one_that_is_wrong_keeps_the_batch_out(card_company: Partner) -> None:
    for changes in WRONG:
        body = {"coupons": [coupon("GOODCODE0001"), {**coupon(), **changes}]}
        problem = await ask(card_company, "/coupons", body, 400)
        assert problem["errors"][0]["pointer"].startswith("/coupons/1/"), changes
    codes = {"codes": ["GOODCODE0001"]}
    assert await ask(card_company, "/coupon-voidings", codes) == {"results": ["unknown"]}


async def test_unknown_used_and_expired_codes_take_the_same_time(hub_town: Town, card_company: Partner) -> None:
    batch = {"coupons": [coupon("USEDCODE0001"), coupon("PASTCODE0001", last_day="2017-01-01")]}
    await ask(card_company, "/coupons", batch)
    assert await use(hub_town, "USEDCODE0001", 1) is None
    await quick_enough(APART_LIMIT_S, lambda: _apart_s(hub_town))


async def _apart_s(hub_town: Town) -> float:
    """How far apart it is, in the median, what it takes to hear that each of them is not good."""
    took_s: dict[str, list[float]] = {"USEDCODE0001": [], "PASTCODE0001": [], "NONECODE0001": []}
    for _ in range(40):
        for code, measured in took_s.items():
            asked = CouponOf(party_id=CARD_COMPANY, code_hash=hashed(code))
            begun_s = time.perf_counter()
            assert (await hub_town.process.bus.call(asked, DEADLINE_S)).offer is None
            measured.append(time.perf_counter() - begun_s)
    medians_s = [statistics.median(measured) for measured in took_s.values()]
    return max(medians_s) - min(medians_s)
