"""So much under way at once for each partner; while the ledger stands still, who comes is told when to come again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from connectors.partner.files import PATH, UPLOADS_LIMIT, UPLOADS_OF_PARTY_LIMIT
from hub.web.backlog import BUSY, WINDOW_S
from schemas.parties import LimitParty, PartyLimits
from tests.connectors.partner.test_files import csv_file, row
from tests.connectors.partner.town import AIRLINE, DEADLINE_S, Answer, Partner, Town, town, transfer
from tests.waiting import wait_until

STAND_STILL: Final = "SELECT FROM ledger.head FOR UPDATE"
WAITING: Final = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mykey_ledger' AND wait_event_type = 'Lock'"
ENOUGH: Final = BUSY
"""As many as let the door begin to measure; of more, the last ones might be sent away themselves."""


@asynccontextmanager
async def standing_still(database_url: str) -> AsyncIterator[None]:
    """The ledger posts nothing meanwhile."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(STAND_STILL)
            yield
    finally:
        await connection.close()


def body(name: str, items: int = 1, link: int = 1) -> str:
    return json.dumps({"transfers": [transfer(f"{name}-{n}", link=link, points=1) for n in range(items)]})


async def are_asked(database_url: str, at_least: int = 1) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        return bool(await connection.fetchval(WAITING) >= at_least)
    finally:
        await connection.close()


async def test_only_so_many_requests_of_one_partner_are_under_way_at_once(database_url: str) -> None:
    async with town(database_url, partner_requests_at_once=2) as opened:
        airline, card = opened.partner("airline"), opened.partner("card")
        async with standing_still(database_url):
            begun = [asyncio.create_task(airline.post(body(f"a{n}", link=n + 1))) for n in range(2)]
            await wait_until(lambda: are_asked(database_url, 2))
            refused = await airline.post(body("a2"))
            other = asyncio.create_task(card.post(body("c")))
            done, _ = await asyncio.wait([other], timeout=0.3)
            assert not done, "another partner is let in"
        assert [(await one).status for one in (*begun, other)] == [200, 200, 200]
        assert (await airline.post(body("a2"))).status == 200

    _says_too_many(refused)


async def test_only_so_many_transfers_of_one_partner_are_under_way_at_once(database_url: str) -> None:
    async with town(database_url, partner_rows_at_once=150) as opened:
        airline = opened.partner("airline")
        async with standing_still(database_url):
            begun = asyncio.create_task(airline.post(body("a", 100)))
            await wait_until(lambda: are_asked(database_url))
            refused = await airline.post(body("b", 51))
            small = asyncio.create_task(airline.post(body("c", 50)))
            done, _ = await asyncio.wait([small], timeout=0.3)
            assert not done
        assert [(await one).status for one in (begun, small)] == [200, 200]
        assert (await airline.post(body("d", 1_000))).status == 200, "a batch of any size goes alone"

    _says_too_many(refused)


def _says_too_many(answer: Answer) -> None:
    assert answer.status == 429
    assert answer.json["title"] == "Too many requests"
    assert 1 <= int(answer.headers["Retry-After"]) <= 2


async def test_only_so_many_files_of_one_partner_are_under_way_at_once(database_url: str) -> None:
    async with town(database_url, partner_files_at_once=1) as opened:
        airline, card = opened.partner("airline"), opened.partner("card")
        async with standing_still(database_url):
            first = await airline.file(csv_file(row("f-1")), "one")
            again = await airline.file(csv_file(row("f-1")), "one")
            refused = await airline.file(csv_file(row("f-2")), "two")
            other = await card.file(csv_file(row("f-3")), "one")
        assert [first.status, again.status, other.status] == [202, 202, 202]
        assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
        await opened.process.drained(20)
        assert (await airline.file(csv_file(row("f-2")), "two")).status == 202


async def test_slow_files_of_one_partner_leave_places_to_the_others(hub_town: Town) -> None:
    airline, card = hub_town.partner("airline"), hub_town.partner("card")
    content, come = csv_file(row("f-1")), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield content[:10]
        await come.wait()
        yield content[10:]

    async def hand_in(key: str) -> Answer:
        headers = airline.signed("POST", PATH, content, {"Content-Type": "text/csv", "Idempotency-Key": key})
        return await airline.send("POST", PATH, slowly(), headers)

    begun = [asyncio.create_task(hand_in(f"slow-{n}")) for n in range(UPLOADS_LIMIT)]
    await wait_until(lambda: sum(one.done() for one in begun) == UPLOADS_LIMIT - UPLOADS_OF_PARTY_LIMIT, deadline_s=8)
    assert {one.result().status for one in begun if one.done()} == {429}
    assert (await card.file(content, "c")).status == 202
    come.set()
    assert [(await one).status for one in begun].count(202) == UPLOADS_OF_PARTY_LIMIT
    assert (await airline.file(content, "after")).status == 202


async def test_what_was_agreed_with_one_partner_holds_for_it_alone(database_url: str) -> None:
    async with town(
        database_url, partner_requests_at_once=1, partner_rows_at_once=1, partner_files_at_once=1
    ) as opened:
        airline, card = opened.partner("airline"), opened.partner("card")
        limits = PartyLimits(requests_at_once=2, rows_at_once=2, files_at_once=2)
        await opened.process.bus.call(LimitParty(party_id=AIRLINE, limits=limits), DEADLINE_S)
        async with standing_still(database_url):
            begun = [asyncio.create_task(airline.post(body(f"a{n}", link=n + 1))) for n in range(2)]
            await wait_until(lambda: are_asked(database_url, 2))
            refused = await airline.post(body("r"))
        assert [(await one).status for one in begun] == [200, 200]
        async with standing_still(database_url):
            files = [
                (await one.file(csv_file(row(f"f-{n}")), str(n))).status for one in (airline, card) for n in range(3)
            ]
        assert files == [202, 202, 429, 202, 429, 429]

    _says_too_many(refused)


async def test_while_the_ledger_stands_still_who_comes_is_sent_away_before_the_body(database_url: str) -> None:
    async with town(database_url, door_wait_limit_s=0.5) as opened:
        airline = opened.partner("airline")
        async with standing_still(database_url):
            begun = [asyncio.create_task(airline.post(body(f"a{n}"))) for n in range(ENOUGH)]
            await wait_until(lambda: are_asked(database_url))
            await asyncio.sleep(2 * WINDOW_S)  # the door measures by the hub's own clock
            answers = [await _only_header(opened, airline, body(f"b{n}")) for n in range(4)]
            assert (await airline.get("/settlement?first=2017-10-01&last=2017-10-31"))["transfers"] == 0
        assert {(await one).status for one in begun} == {200}
        assert (await airline.post(body("c"))).status == 200

    head, _, problem = answers[-1].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert 1 <= int(_header(head, b"Retry-After")) <= 30
    assert _header(head, b"Content-Type").startswith(b"application/problem+json")
    said: dict[str, Any] = json.loads(problem)
    assert said["title"] == "Very many are asking just now"
    assert said["title_ja"] == "ただいま大変混み合っています"


async def _only_header(opened: Town, partner: Partner, text: str) -> bytes:
    """Send the header of a batch and nothing of its body; the answer."""
    signed = partner.signed("POST", "/transfers", text.encode(), {"Content-Type": "application/json"})
    place = urlsplit(opened.url)
    lines = [
        "POST /api/partner/transfers HTTP/1.1",
        f"Host: {place.netloc}",
        f"Content-Length: {len(text)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in signed.items()),
    ]
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.readexactly(int(_header(head, b"Content-Length")))
    finally:
        writer.close()


def _header(head: bytes, name: bytes) -> bytes:
    return next(line.partition(b": ")[2] for line in head.split(b"\r\n") if line.lower().startswith(name.lower()))
