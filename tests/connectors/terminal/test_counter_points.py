"""Points at counters (画面28–36): used, put on a voucher, printed again, redeemed, each with its card or its paper."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import pytest

from connectors.terminal.counter_operations import CounterOperations
from connectors.terminal.counter_point_shapes import UseForm
from connectors.terminal.counter_points import CounterPoints
from connectors.terminal.counter_posting import CounterPosting, command_id_of, request_hash
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_store import CounterStore
from hub.bus import Bus
from hub.clock import AdjustableClock
from hub.keys import Keys
from hub.web.problems import ProblemError
from schemas.citizens import CitizenBehind
from schemas.grants import GrantPoints
from schemas.municipalities import RegisterScheme, RegisterSupportEvent
from schemas.places import PlacesOf, RegisterPlace, place_id_of
from schemas.points import BalanceOf, UsePoints
from schemas.settlement import StoreSummaryOf
from schemas.terminals import PlanRow, TerminalKind
from schemas.values import event_pool, scheme_pool
from schemas.vouchers import IssueVoucher
from tests.connectors.terminal.agents import CITY, DEADLINE_S, Hub, enrolled, hubs_at
from tests.connectors.terminal.counters import ISSUER, Clerk, Place, anchors, open_town, place
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import JpkiCard
from tests.running import SECRET_KEY
from tests.waiting import wait_until

OTHER_CITY = "232335"
POOL, ELSEWHERE = scheme_pool(CITY), scheme_pool(OTHER_CITY)
EVENT_ID = UUID(int=0xE7E)
HELD, AT_EVENT = 1_000, 200
ROWS = (
    PlanRow(kind=TerminalKind.grant, place="市民課", count=1),
    PlanRow(kind=TerminalKind.point_use, place="八百屋", count=1),
    PlanRow(kind=TerminalKind.voucher, place="観光案内所", count=1),
    PlanRow(kind=TerminalKind.service_id, place="中央図書館", issuer_id=ISSUER, point_use_too=True, count=1),
)


@dataclass
class Shops:
    """A greengrocer's terminal, the tourist office's, a library's, and a citizen with points of three pools."""

    first: Hub
    second: Hub
    office: Place
    shop: Place
    tourists: Place
    library: Place
    card: JpkiCard
    citizen_id: UUID

    def with_card(self, at: Place) -> Clerk:
        """The clerk there, once the citizen has put the card in."""
        at.insert(self.card)
        return at.clerk

    async def held(self, pool: str = POOL) -> tuple[int, int]:
        """Usable, and set aside."""
        found = (await self.first.bus.call(BalanceOf(citizen_id=self.citizen_id), DEADLINE_S)).pools
        return next(((one.active, one.held) for one in found if one.pool == pool), (0, 0))

    async def owed(self, name: str) -> int:
        """What the municipality owes this place."""
        today = self.first.process.clock.business_date()
        asked = StoreSummaryOf(store_id=place_id_of(CITY, name), first=today, last=today)
        lines = (await self.first.bus.call(asked, DEADLINE_S)).lines
        return sum(line.points * line.direction for line in lines)

    async def issued(self, points: int = 300, days: int = 10) -> Any:  # noqa: ANN401 - any JSON
        """A voucher's paper."""
        clerk = self.with_card(self.tourists)
        operation_id = await clerk.read("issue-voucher")
        return await clerk.done(operation_id, "issue-voucher", pool=POOL, points=points, expires_on=self.day(days))

    def day(self, later: int) -> str:
        """So many days from today."""
        return (self.first.process.clock.business_date() + timedelta(days=later)).isoformat()


@pytest.fixture
async def shops(
    database_url: str, tmp_path: Path, card_authority: CardAuthority, clock: AdjustableClock
) -> AsyncIterator[Shops]:
    hosted = ["registry", "terminal", "ledger"], ["registry", "terminal", "ledger"]
    async with AsyncExitStack() as stack:
        made = {"card_anchors": anchors(tmp_path, card_authority)}
        first, second = await stack.enter_async_context(hubs_at(clock, database_url, *hosted, **made))
        await open_town(first)
        terminals = await enrolled(first.bus, first.url, rows=ROWS)
        places = [await stack.enter_async_context(place(terminal, first)) for terminal in terminals]
        office, shop, tourists, library = places
        card = JpkiCard(card_authority.issue())
        office.insert(card)
        await office.clerk.create("ABCD2345")
        found = await first.bus.call(CitizenBehind(mykey_id="ABCD2345"), DEADLINE_S)
        assert found.citizen_id is not None
        made_ = Shops(first, second, office, shop, tourists, library, card, found.citizen_id)
        await _give(made_)
        yield made_


async def _give(shops: Shops) -> None:
    bus, today = shops.first.bus, shops.first.process.clock.business_date()
    await bus.call(RegisterScheme(lg_code=OTHER_CITY, point_name="隣のポイント", expiry_rule="none"), DEADLINE_S)
    event = RegisterSupportEvent(
        event_id=EVENT_ID, lg_code="230006", point_name="県の催し", first=today, last=today + timedelta(days=5),
        usable_in=(CITY,),
    )  # fmt: skip
    assert (await bus.call(event, DEADLINE_S)).code is None
    for pool, points in ((POOL, HELD), (ELSEWHERE, HELD), (event_pool(EVENT_ID), AT_EVENT)):
        await _granted(shops, pool, points)


async def _granted(shops: Shops, pool: str, points: int) -> None:
    async def is_posted() -> bool:
        command = GrantPoints(
            party_id=UUID(int=9), command_id=f"grant-{uuid4()}", request_hash=bytes(16), citizen_id=shops.citizen_id,
            programme_id=UUID(int=9), pool=pool, points=points,
        )  # fmt: skip
        return (await shops.first.bus.call(command, DEADLINE_S)).status == "posted"

    await wait_until(is_posted, DEADLINE_S)


def code_of(answer: Any) -> str:  # noqa: ANN401 - any JSON
    return str(answer["errors"][0]["code"])


async def test_points_are_used_at_the_terminals_place(shops: Shops) -> None:
    clerk = shops.with_card(shops.shop)
    operation_id = await clerk.read("use-points")
    usable = await clerk.done(operation_id, "usable")
    assert usable["place"] == "八百屋"
    told = {one["pool"]: (one["name"], one["points"], one["last"]) for one in usable["pools"]}
    assert told == {POOL: ("ポイント", HELD, None), event_pool(EVENT_ID): ("県の催し", AT_EVENT, shops.day(5))}
    receipt = await clerk.done(operation_id, "use", pool=POOL, points=300)
    assert (receipt["place"], receipt["name"], receipt["points"], receipt["left"]) == ("八百屋", "ポイント", 300, 700)
    assert (await clerk.state(operation_id))["state"] == "done"
    assert await shops.held() == (700, 0)
    assert await shops.owed("八百屋") == 300
    status, again = await clerk.ask("GET", f"/operations/{operation_id}/receipt")
    assert (status, again) == (200, receipt)
    status, _ = await shops.library.clerk.ask("GET", f"/operations/{operation_id}/receipt")
    assert status == 404, "another browser's"
    # Pressed again it is the same use, also at the other process; another amount is none any more.
    assert await clerk.at(shops.second).done(operation_id, "use", pool=POOL, points=300) == receipt
    status, answer = await clerk.act(operation_id, "use", pool=POOL, points=1)
    assert (status, code_of(answer)) == (409, "done_before")
    assert await shops.held() == (700, 0)
    await clerk.begin("use-points")
    status, answer = await clerk.ask("GET", f"/operations/{operation_id}/receipt")
    assert (status, code_of(answer)) == (409, "operation_over"), "the next citizen is there"


async def test_an_amount_that_is_refused_is_mended_with_the_card_still_in(shops: Shops) -> None:
    clerk = shops.with_card(shops.library)
    operation_id = await clerk.read("use-points")
    for pool, points, code in (
        (POOL, HELD + 1, "insufficient_points"),
        (ELSEWHERE, 10, "not_usable_here"),
        ("reserve", 10, "not_usable_here"),
    ):
        for _ in range(2):
            status, answer = await clerk.act(operation_id, "use", pool=pool, points=points)
            assert (status, code_of(answer)) == (409, code)
    status, _ = await clerk.ask("GET", f"/operations/{operation_id}/receipt")
    assert status == 404
    receipt = await clerk.done(operation_id, "use", pool=event_pool(EVENT_ID), points=500, at_most=True)
    assert (receipt["points"], receipt["left"], receipt["name"]) == (AT_EVENT, 0, "県の催し")
    again = await clerk.at(shops.second).done(operation_id, "use", pool=event_pool(EVENT_ID), points=500, at_most=True)
    assert again == receipt
    for pool, points in ((event_pool(EVENT_ID), 500), (POOL, HELD + 1)):
        status, answer = await clerk.act(operation_id, "use", pool=pool, points=points)
        assert (status, code_of(answer)) == (409, "done_before")
    assert await shops.owed("中央図書館") == AT_EVENT


async def test_a_use_whose_answer_was_lost_is_the_same_use(shops: Shops) -> None:
    clerk = shops.with_card(shops.shop)
    operation_id = await clerk.read("use-points")
    form = UseForm(pool=POOL, points=300)
    place_id = place_id_of(CITY, "八百屋")
    lost = UsePoints(
        party_id=place_id, command_id=command_id_of(UUID(operation_id), 0), request_hash=request_hash(form),
        citizen_id=shops.citizen_id, pool=POOL, points=300, store_id=place_id, lg_code=CITY,
    )  # fmt: skip
    assert (await shops.first.bus.call(lost, DEADLINE_S)).status == "posted"
    status, answer = await clerk.act(operation_id, "use", pool=POOL, points=299)
    assert (status, code_of(answer)) == (409, "done_before")
    status, receipt = await clerk.ask("GET", f"/operations/{operation_id}/receipt")
    assert (status, receipt["points"], receipt["left"]) == (200, 300, 700)
    assert await clerk.at(shops.second).done(operation_id, "use", pool=POOL, points=300) == receipt
    assert (await clerk.state(operation_id))["state"] == "done"
    assert await shops.held() == (700, 0)


async def test_what_is_told_not_to_be_used_is_not_used_later(shops: Shops) -> None:
    clerk = shops.with_card(shops.shop)
    operation_id = await clerk.read("use-points")
    status, _ = await clerk.ask("GET", f"/operations/{operation_id}/receipt")
    assert status == 404
    place_id = place_id_of(CITY, "八百屋")
    late = UsePoints(
        party_id=place_id, command_id=command_id_of(UUID(operation_id), 0),
        request_hash=request_hash(UseForm(pool=POOL, points=300)), citizen_id=shops.citizen_id, pool=POOL, points=300,
        store_id=place_id, lg_code=CITY,
    )  # fmt: skip
    assert (await shops.first.bus.call(late, DEADLINE_S)).code == "id_conflict"
    status, _ = await clerk.ask("GET", f"/operations/{operation_id}/receipt")
    assert status == 404
    late = late.model_copy(update={"command_id": command_id_of(UUID(operation_id), 1)})
    assert (await shops.first.bus.call(late, DEADLINE_S)).code == "id_conflict", "what came between is late as well"
    assert await shops.held() == (HELD, 0)
    receipt = await clerk.done(operation_id, "use", pool=POOL, points=200)
    assert (receipt["points"], receipt["left"]) == (200, HELD - 200)


async def test_a_use_whose_card_was_pulled_before_it_was_told_is_told_all_the_same(shops: Shops) -> None:
    clerk = shops.with_card(shops.shop)
    operation_id = await clerk.read("use-points")
    place_id = place_id_of(CITY, "八百屋")
    done = UsePoints(
        party_id=place_id, command_id=command_id_of(UUID(operation_id), 0),
        request_hash=request_hash(UseForm(pool=POOL, points=300)), citizen_id=shops.citizen_id, pool=POOL, points=300,
        store_id=place_id, lg_code=CITY,
    )  # fmt: skip
    assert (await shops.first.bus.call(done, DEADLINE_S)).code is None
    shops.shop.reader.remove()
    assert (await clerk.ended(operation_id, "proven"))["code"] == "card_removed"
    receipt = await clerk.done(operation_id, "use", pool=POOL, points=300)
    assert (receipt["points"], receipt["left"]) == (300, 700)
    status, answer = await clerk.act(operation_id, "use", pool=POOL, points=1)
    assert (status, code_of(answer)) == (409, "done_before")


async def test_what_is_over_posts_nothing_more(shops: Shops) -> None:
    """The card is pulled, and a receipt asked for, while an amount is being used under the next id."""
    clerk = shops.with_card(shops.shop)
    operation_id = await clerk.read("use-points")
    status, _ = await clerk.act(operation_id, "use", pool=POOL, points=HELD + 1)
    assert status == 409
    shops.shop.reader.remove()
    assert (await clerk.ended(operation_id, "proven"))["code"] == "card_removed"
    status, _ = await clerk.ask("GET", f"/operations/{operation_id}/receipt")
    assert status == 404
    status, answer = await clerk.act(operation_id, "use", pool=POOL, points=300)
    assert (status, code_of(answer)) == (409, "card_removed")
    assert await shops.held() == (HELD, 0)


class Between:
    """A bus on which something happens right before points are used."""

    def __init__(self, bus: Bus, happens: Callable[[UsePoints], Awaitable[None]]) -> None:
        self._bus = bus
        self._happens = happens

    async def call(self, message: Any, deadline_s: float) -> Any:  # noqa: ANN401 - any message and its answer
        if isinstance(message, UsePoints):
            await self._happens(message)
        return await self._bus.call(message, deadline_s)


async def test_an_act_that_is_overtaken_by_the_end_of_its_operation_posts_nothing(shops: Shops) -> None:
    """While it asks, the operation is over, and whoever asks for its receipt is told that nothing was used."""
    clerk = shops.with_card(shops.shop)
    operation_id = UUID(await clerk.read("use-points"))
    process = shops.first.process
    store = CounterStore(process.database_of("terminal"), Keys(SECRET_KEY.encode()).sealer("terminal.counter"))
    async with process.database_of("terminal").reading() as reading:
        asked = "SELECT session_id, terminal_id FROM terminal.counter_operation WHERE operation_id = $1"
        row = await reading.fetch_row(asked, operation_id)
    assert row is not None
    session = Session(row["session_id"], row["terminal_id"], TerminalKind.point_use, None, point_use_too=False)
    told: list[int] = []

    async def is_over(command: UsePoints) -> None:
        if command.command_id.endswith(".0"):
            await store.end(operation_id, "over", "card_removed")
            told.append((await clerk.ask("GET", f"/operations/{operation_id}/receipt"))[0])

    operations = CounterOperations(store, process.bus)
    between: Any = Between(process.bus, is_over)
    points = CounterPoints(operations, CounterPosting(operations, between), process.bus)
    with pytest.raises(ProblemError) as refused:
        await points.use(operation_id, session, UseForm(pool=POOL, points=300))
    assert (refused.value.errors[0].code, told) == ("operation_over", [404])
    assert await shops.held() == (HELD, 0)
    await operations.close()


async def test_another_card_uses_nobodys_points(shops: Shops, card_authority: CardAuthority) -> None:
    clerk = shops.with_card(shops.shop)
    operation_id = await clerk.read("use-points")
    shops.shop.reader.remove()
    shops.shop.insert(JpkiCard(card_authority.issue()))
    status, answer = await clerk.act(operation_id, "use", pool=POOL, points=300)
    assert status == 409
    assert code_of(answer) in {"card_removed", "other_citizen"}
    assert await shops.held() == (HELD, 0)


async def test_a_voucher_from_its_issue_to_its_redemption(shops: Shops) -> None:
    clerk = shops.with_card(shops.tourists)
    operation_id = await clerk.read("issue-voucher")
    assert {one["pool"] for one in (await clerk.done(operation_id, "usable"))["pools"]} == {POOL, event_pool(EVENT_ID)}
    for days, code in ((30, "bad_voucher_day"), (-1, "bad_voucher_day")):
        status, answer = await clerk.act(
            operation_id, "issue-voucher", pool=POOL, points=300, expires_on=shops.day(days)
        )
        assert (status, code_of(answer)) == (409, code)
    paper = await clerk.done(operation_id, "issue-voucher", pool=POOL, points=300, expires_on=shops.day(29))
    assert (paper["points"], paper["expires_on"], paper["name"]) == (300, shops.day(29), "ポイント")
    assert paper["number"][4] == "-"
    assert paper["qr"] == f"MYKEYV1:{paper['number'].replace('-', '')}:{paper['check_code']}"
    assert ET.fromstring(paper["qr_svg"]).tag.endswith("svg")  # noqa: S314 - our own text
    assert await shops.held() == (HELD - 300, 300)
    status, again = await clerk.ask("GET", f"/operations/{operation_id}/paper")
    assert (status, again) == (200, paper)

    shop = shops.shop.clerk
    for text in (paper["qr"], f" {paper['number']}　{paper['check_code'].lower()} "):
        status, view = await shop.ask("POST", "/vouchers/look-up", text=text)
        assert (status, view["points"], view["state"], view["name"]) == (200, 300, "open", "ポイント")
    redemption = {"redemption_id": str(uuid4()), "text": paper["qr"]}
    done = await _redeemed(shop, **redemption)
    assert (done["place"], done["points"], done["number"]) == ("八百屋", 300, paper["number"])
    assert await _redeemed(shop.at(shops.second), **redemption) == done
    assert await shops.owed("八百屋") == 300
    assert await shops.held() == (HELD - 300, 0)
    status, answer = await shop.ask("POST", "/vouchers/redeem", redemption_id=str(uuid4()), text=paper["qr"])
    assert (status, code_of(answer)) == (409, "voucher_used")
    status, view = await shop.ask("POST", "/vouchers/look-up", text=paper["qr"])
    assert (status, view["state"]) == (200, "taken")
    status, answer = await clerk.ask("GET", f"/operations/{operation_id}/paper")
    assert (status, code_of(answer)) == (409, "no_voucher")


async def _redeemed(clerk: Clerk, **body: object) -> Any:  # noqa: ANN401 - any JSON
    status, answer = await clerk.ask("POST", "/vouchers/redeem", **body)
    assert status == 200, answer
    return answer


async def test_a_redemption_place_redeems_on_behalf_of_a_store(shops: Shops) -> None:
    butcher = await shops.first.bus.call(RegisterPlace(lg_code=CITY, name="精肉店"), DEADLINE_S)
    assert butcher.code is None
    paper = await shops.issued()
    clerk = shops.tourists.clerk
    status, places = await clerk.ask("GET", "/places")
    assert (status, places["here"]) == (200, str(place_id_of(CITY, "観光案内所")))
    assert {one["name"] for one in places["places"]} == {"市民課", "八百屋", "観光案内所", "中央図書館", "精肉店"}
    body = {"redemption_id": str(uuid4()), "text": paper["qr"]}
    status, answer = await clerk.ask("POST", "/vouchers/redeem", **body, place_id=str(uuid4()))
    assert (status, code_of(answer)) == (409, "unknown_store")
    done = await _redeemed(clerk, **body, place_id=str(butcher.id))
    assert done["place"] == "精肉店"
    assert (await shops.owed("精肉店"), await shops.owed("観光案内所")) == (300, 0)


async def test_a_place_sees_what_it_is_owed_for_all_its_terminals(shops: Shops) -> None:
    clerk = shops.with_card(shops.shop)
    operation_id = await clerk.read("use-points")
    receipt = await clerk.done(operation_id, "use", pool=POOL, points=120)
    paper = await shops.issued()
    body = {"redemption_id": str(uuid4()), "text": paper["qr"], "place_id": str(place_id_of(CITY, "八百屋"))}
    redeemed = await _redeemed(shops.tourists.clerk, **body)
    period = f"first={shops.day(0)}&last={shops.day(0)}"
    status, told = await clerk.ask("GET", f"/settlement?{period}")
    assert (status, told["transactions"], told["points"], told["returned"]) == (200, 2, 420, 0)
    assert {(line["kind"], line["points"]) for line in told["lines"]} == {("use", 120), ("voucher_redeem", 300)}
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        status, page = await clerk.ask("GET", f"/settlement/details?{period}&limit=1{cursor and f'&cursor={cursor}'}")
        assert status == 200, page
        items, cursor = [*items, *page["items"]], page["next"]
    told_by = {one["receipt_number"]: one["points"] for one in items}
    assert told_by == {receipt["receipt_number"]: 120, redeemed["receipt_number"]: 300}
    status, told = await shops.tourists.clerk.ask("GET", f"/settlement?{period}")
    assert (status, told["points"]) == (200, 0)
    status, answer = await shops.office.clerk.ask("GET", f"/settlement?{period}")
    assert (status, code_of(answer)) == (409, "not_at_this_terminal")


async def test_fifty_redemptions_of_one_paper_at_once_are_one(shops: Shops) -> None:
    paper = await shops.issued()
    clerks = [shops.shop.clerk, shops.shop.clerk.at(shops.second)] * 25
    answers = await asyncio.gather(
        *(clerk.ask("POST", "/vouchers/redeem", redemption_id=str(uuid4()), text=paper["qr"]) for clerk in clerks)
    )
    assert sorted(status for status, _ in answers) == [200] + [409] * 49
    assert await shops.owed("八百屋") == 300


async def test_what_is_no_voucher_is_told(shops: Shops) -> None:
    paper, shop = await shops.issued(), shops.shop.clerk
    number = paper["number"]
    wrong = "AAAAAAAA" if paper["check_code"] != "AAAAAAAA" else "BBBBBBBB"
    redemption_id = str(uuid4())
    for text, code in (
        (number, "bad_voucher"),
        ("https://example.jp/", "bad_voucher"),
        (f"{number} {wrong}", "no_voucher"),
    ):
        status, answer = await shop.ask("POST", "/vouchers/redeem", redemption_id=redemption_id, text=text)
        assert (status, code_of(answer)) == (409, code)
    # The id under which a wrong code was refused is good for the right one.
    assert (await _redeemed(shop, redemption_id=redemption_id, text=paper["qr"]))["points"] == 300


async def test_a_lost_paper_is_printed_again_with_the_card(shops: Shops) -> None:
    paper, clerk = await shops.issued(), shops.tourists.clerk
    operation_id = await clerk.read("issue-voucher")
    (told,) = (await clerk.done(operation_id, "vouchers"))["vouchers"]
    assert (told["number"], told["points"], told["expires_on"]) == (paper["number"], 300, shops.day(10))
    status, answer = await clerk.act(operation_id, "print-again", voucher_id=str(uuid4()))
    assert (status, code_of(answer)) == (409, "no_voucher")
    assert await clerk.done(operation_id, "print-again", voucher_id=told["voucher_id"]) == paper
    assert (await clerk.state(operation_id))["state"] == "done"
    status, answer = await clerk.act(operation_id, "issue-voucher", pool=POOL, points=1, expires_on=shops.day(1))
    assert (status, code_of(answer)) == (409, "operation_over"), "nothing is issued without the card"
    status, answer = await clerk.act(operation_id, "print-again", voucher_id=told["voucher_id"])
    assert (status, code_of(answer)) == (409, "operation_over"), "begin anew, and it is printed again"
    assert await shops.held() == (HELD - 300, 300)


async def test_the_paper_is_not_printed_again_without_the_card_once_the_next_citizen_is_there(shops: Shops) -> None:
    clerk = shops.with_card(shops.tourists)
    operation_id = await clerk.read("issue-voucher")
    form = {"pool": POOL, "points": 300, "expires_on": shops.day(1)}
    paper = await clerk.done(operation_id, "issue-voucher", **form)
    assert await clerk.done(operation_id, "issue-voucher", **form) == paper
    await clerk.begin("issue-voucher")
    for method, step, body in (("GET", "paper", {}), ("POST", "issue-voucher", form)):
        status, answer = await clerk.ask(method, f"/operations/{operation_id}/{step}", **body)
        assert (status, code_of(answer)) == (409, "operation_over")


async def test_a_voucher_of_another_municipality_is_neither_printed_nor_redeemed_here(shops: Shops) -> None:
    issued = IssueVoucher(
        party_id=UUID(int=9), command_id="v", request_hash=bytes(16), citizen_id=shops.citizen_id, hold_id=uuid4(),
        pool=ELSEWHERE, points=10, lg_code=OTHER_CITY, expires_on=shops.first.process.clock.business_date(),
        numbers=("12345678",), check_code="ABCD2345",
    )  # fmt: skip
    assert (await shops.first.bus.call(issued, DEADLINE_S)).code is None
    clerk = shops.with_card(shops.tourists)
    operation_id = await clerk.read("issue-voucher")
    assert (await clerk.done(operation_id, "vouchers")) == {"vouchers": []}
    status, answer = await clerk.act(operation_id, "print-again", voucher_id=str(issued.hold_id))
    assert (status, code_of(answer)) == (409, "no_voucher")
    text = "1234-5678 ABCD2345"
    for step, body in (("look-up", {}), ("redeem", {"redemption_id": str(uuid4())})):
        status, answer = await shops.shop.clerk.ask("POST", f"/vouchers/{step}", text=text, **body)
        assert (status, code_of(answer)) == (409, "not_usable_here")


async def test_a_terminal_spends_and_redeems_only_where_it_is_planned_for(shops: Shops) -> None:
    for clerk, purpose in (
        (shops.office.clerk, "use-points"),
        (shops.tourists.clerk, "use-points"),
        (shops.shop.clerk, "issue-voucher"),
        (shops.library.clerk, "issue-voucher"),
    ):
        status, answer = await clerk.ask("POST", "/operations", purpose=purpose)
        assert (status, code_of(answer)) == (409, "not_at_this_terminal")
    paper = await shops.issued()
    status, answer = await shops.office.clerk.ask("POST", "/vouchers/look-up", text=paper["qr"])
    assert (status, code_of(answer)) == (409, "not_at_this_terminal")
    status, _ = await shops.library.clerk.ask("POST", "/vouchers/look-up", text=paper["qr"])
    assert status == 200


async def test_a_tap_spends_nothing(shops: Shops) -> None:
    operation_id = await shops.with_card(shops.shop).begin("use-points", how="tap")
    view = await shops.shop.clerk.ended(operation_id, "waiting")
    assert (view["state"], view["code"]) == ("failed", "card_needs_pin")


async def test_places_are_those_of_terminals_and_those_registered(shops: Shops) -> None:
    for _ in range(2):
        await shops.first.bus.call(RegisterPlace(lg_code=CITY, name="精肉店"), DEADLINE_S)
    found = (await shops.first.bus.call(PlacesOf(lg_code=CITY), DEADLINE_S)).places
    told = {one.name: one.terminals for one in found}
    assert told == {"市民課": 1, "八百屋": 1, "観光案内所": 1, "中央図書館": 1, "精肉店": 0}
    assert all(one.place_id == place_id_of(CITY, one.name) for one in found)
    again = await shops.first.bus.call(RegisterPlace(lg_code=CITY, name=" ｾｲﾆｸﾃﾝ　本店 "), DEADLINE_S)
    assert again.id == place_id_of(CITY, "セイニクテン 本店")
    assert "セイニクテン 本店" in {
        one.name for one in (await shops.first.bus.call(PlacesOf(lg_code=CITY), DEADLINE_S)).places
    }
    unknown = RegisterPlace(lg_code="999997", name="精肉店")
    assert (await shops.first.bus.call(unknown, DEADLINE_S)).code == "bad_code"
