"""A partner's details (参考82): its own, page by page, and they add up to its summary."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from hub.web.pages import encode_cursor
from schemas.points import MovePoints
from schemas.settlement import DetailPlace
from tests.connectors.partner.town import DEADLINE_S, SCHEME, Partner, Town, transfer

SETTLED: Final = {"credit", "coupon", "move", "sweep"}


def today(town: Town) -> str:
    day = town.process.clock.business_date()
    return f"first={day}&last={day}"


async def pages(partner: Partner, period: str, limit: int) -> list[list[Any]]:
    """All pages of the details."""
    found: list[list[Any]] = []
    cursor = ""
    while not found or cursor:
        answer = await partner.get(f"/settlement/details?{period}&limit={limit}{cursor}")
        found.append(answer["items"])
        cursor = f"&cursor={answer['next']}" if answer["next"] else ""
    return found


@pytest.mark.parametrize("limit", [1, 2, 1_000])
async def test_details_are_ones_own_and_add_up_to_the_summary(
    airline: Partner, card_company: Partner, hub_town: Town, limit: int
) -> None:
    await airline.batch(transfer("t-1"), transfer("t-2", link=2, points=500, to=f"scheme:{SCHEME}"), transfer("t-3", 3))
    await card_company.batch(transfer("t-1", points=7))
    moved = MovePoints(
        party_id=UUID(int=1),
        command_id=str(uuid4()),
        request_hash=bytes(16),
        citizen_id=UUID(int=1),
        points=300,
        pool=f"scheme:{SCHEME}",
    )
    assert (await hub_town.process.bus.call(moved, DEADLINE_S)).code is None
    found = await pages(airline, today(hub_town), limit)
    assert all(len(page) <= limit for page in found)
    lines = [line for page in found for line in page]
    assert {(line["kind"], line["transfer_id"], line["points"]) for line in lines} == {
        *(("credit", "t-1", 1_000), ("credit", "t-2", 500), ("credit", "t-3", 1_000), ("move", None, 300)),
    }
    assert len({line["transaction_id"] for line in lines}) == len(lines) == 4
    summary = await airline.get(f"/settlement?{today(hub_town)}")
    assert sum(line["points"] for line in lines) == sum(
        line["points"] for line in summary["lines"] if line["kind"] in SETTLED
    )
    assert [line["points"] for (line,) in await pages(card_company, today(hub_town), limit)] == [7]


async def test_a_day_without_transfers_is_one_empty_page(airline: Partner, hub_town: Town) -> None:
    await airline.batch(transfer("t-1"))
    before = hub_town.process.clock.business_date() - timedelta(days=1)
    assert await pages(airline, f"first={before}&last={before}", 10) == [[]]


async def test_a_cursor_is_of_its_period_and_within_bounds(airline: Partner, hub_town: Town) -> None:
    day = hub_town.process.clock.business_date()

    def cursor(at: date = day, partition: int = 0, block: int = 0, number: int = 0) -> str:
        return encode_cursor(DetailPlace(day=at, partition=partition, block=block, number=number))

    asked = f"/settlement/details?{today(hub_town)}&cursor="
    assert (await airline.get(f"{asked}{cursor()}"))["items"] == []
    for wrong in (
        *(cursor(day - timedelta(days=1)), cursor(day + timedelta(days=1)), cursor(partition=16)),
        *(cursor(partition=-1), cursor(block=2**63), cursor(number=2**31), "x"),
    ):
        answer = await airline.ask("GET", f"{asked}{wrong}")
        assert (answer.status, answer.json["type"]) == (400, "/api/#problem-bad_cursor"), wrong


async def test_the_period_is_bounded_here_too(airline: Partner, hub_town: Town) -> None:
    day = hub_town.process.clock.business_date()
    for period in (f"first={day}&last={day - timedelta(days=1)}", f"first={day - timedelta(days=1_097)}&last={day}"):
        answer = await airline.ask("GET", f"/settlement/details?{period}")
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "?last")
    for limit in (0, 1_001):
        assert (await airline.ask("GET", f"/settlement/details?{today(hub_town)}&limit={limit}")).status == 400


async def test_shops_have_a_door_of_their_own_for_it(hub_town: Town) -> None:
    for name in ("shop", "fund"):
        answer = await hub_town.partner(name).ask("GET", f"/settlement/details?{today(hub_town)}")
        assert answer.status == 403
