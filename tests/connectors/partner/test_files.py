"""Files of transfers: taken durably, worked through once, answered line by line."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from connectors.partner.intake import FileIntake
from connectors.partner.store import FileStore, Received
from hub.errors import TransientError
from hub.web.pages import encode_cursor
from tests.connectors.partner.town import TIME, Partner, Town, transfer
from tests.waiting import wait_until

HEADER = "transfer_id,link_id,points,to,occurred_at"


class Line(BaseModel):
    """A cursor that was made up."""

    line: int


def csv_file(*rows: str) -> bytes:
    """A CSV file with these rows."""
    return "".join(f"{line}\n" for line in (HEADER, *rows)).encode()


def row(transfer_id: str, link: int = 1, points: object = 10, to: str = "reserve") -> str:
    """A row that is right, unless it is changed."""
    return f"{transfer_id},l-{link},{points},{to},{TIME}"


async def finished(partner: Partner, place: str) -> dict[str, Any]:
    """The file, once it is finished."""

    async def it_is() -> dict[str, Any]:
        file: dict[str, Any] = await partner.get(place.removeprefix("/api/partner"))
        return file if file["state"] == "finished" else {}

    return await wait_until(it_is, deadline_s=60)


async def all_results(partner: Partner, file_id: str, limit: int = 1_000) -> list[Any]:
    """A file's results, page by page."""
    items: list[Any] = []
    cursor = ""
    while True:
        page = await partner.get(f"/transfer-files/{file_id}/results?limit={limit}{cursor}")
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = f"&cursor={page['next']}"


async def test_a_file_is_taken_then_worked_through_line_by_line(hub_town: Town, airline: Partner) -> None:
    content = csv_file(
        row("f-1"),
        row("f-2", points="１０"),
        '"',
        row("f-3", link=99),
        row("f-1"),
        row("f-1", points=11),
        "",
        row("f-4"),
    )
    answer = await airline.file(content, "file-1")
    assert answer.status == 202
    place = answer.headers["Location"]
    assert answer.json == {"file_id": place.rsplit("/", 1)[1], "rows": 8}
    file = await finished(airline, place)
    assert (file["done"], file["rows"], file["progress"]) == (8, 8, 1.0)
    assert file["outcomes"] == {
        "posted": 2,
        "points": 20,
        "replayed": 1,
        "refused": {"bad_points": 1, "bad_row": 2, "id_conflict": 1, "unknown_link": 1},
    }
    results = await all_results(airline, answer.json["file_id"], limit=3)
    assert [one["line"] for one in results] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert [one.get("code") for one in results] == [
        None, "bad_points", "bad_row", "unknown_link", None, "id_conflict", "bad_row", None,
    ]  # fmt: skip
    assert [one["replayed"] for one in results] == [False] * 4 + [True] + [False] * 3
    assert results[1]["errors"][0]["pointer"] == "/points"
    assert await hub_town.balance(1) == {"reserve": 20}


async def test_a_file_and_a_batch_are_one_and_the_same_door(hub_town: Town, airline: Partner) -> None:
    await airline.batch(transfer("t-1", points=10), transfer("t-2", points=0))
    content = csv_file(row("t-1"), row("t-2", points=0), row("t-3"))
    await finished(airline, (await airline.file(content, "file-1")).headers["Location"])
    (again,) = await airline.batch(transfer("t-3", points=10))
    assert again["replayed"]
    assert await hub_town.balance(1) == {"reserve": 20}


async def test_lines_of_json(hub_town: Town, airline: Partner) -> None:
    lines = [json.dumps(transfer("n-1")), "{", json.dumps(transfer("n-2") | {"x": 1}), json.dumps(transfer("n-3"))]
    answer = await airline.file("\n".join(lines).encode(), "file-1", "application/x-ndjson")
    file = await finished(airline, answer.headers["Location"])
    assert (file["rows"], file["outcomes"]["posted"]) == (4, 2)
    assert file["outcomes"]["refused"] == {"bad_row": 1, "unknown_field": 1}
    assert [one["line"] for one in await all_results(airline, file["file_id"])] == [1, 2, 3, 4]
    assert await hub_town.balance(1) == {"reserve": 2_000}


async def test_bom_and_carriage_returns_are_taken(hub_town: Town, airline: Partner) -> None:
    content = b"\xef\xbb\xbf" + csv_file(row("f-1"), row("f-2")).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    answer = await airline.file(content, "file-1")
    assert (await finished(airline, answer.headers["Location"]))["outcomes"]["posted"] == 2
    assert await hub_town.balance(1) == {"reserve": 20}


async def test_the_same_key_and_file_get_the_same_answer_and_another_file_is_refused(
    hub_town: Town, airline: Partner, card_company: Partner
) -> None:
    first = await airline.file(csv_file(row("f-1")), "file-1")
    await finished(airline, first.headers["Location"])
    again = await airline.file(csv_file(row("f-1")), "file-1")
    other = await airline.file(csv_file(row("f-2")), "file-1")
    somebody = await card_company.file(csv_file(row("f-2")), "file-1")
    assert (again.status, again.json, again.headers["Location"]) == (202, first.json, first.headers["Location"])
    assert (other.status, other.json["type"]) == (422, "/api/#problem-id_conflict")
    assert somebody.status == 202
    await finished(card_company, somebody.headers["Location"])
    assert await hub_town.balance(1) == {"reserve": 20}


async def test_another_partner_s_file_is_not_there(airline: Partner, card_company: Partner) -> None:
    answer = await airline.file(csv_file(row("f-1")), "file-1")
    place = answer.headers["Location"].removeprefix("/api/partner")
    await finished(airline, place)
    for path in (place, f"{place}/results", f"{place}/results.csv"):
        assert (await airline.ask("GET", path)).status == 200
        assert (await card_company.ask("GET", path)).status == 404
    for path in ("/transfer-files/x", "/transfer-files/00000000-0000-0000-0000-000000000000"):
        assert (await airline.ask("GET", path)).status == 404
    for cursor in ("x", *(encode_cursor(Line(line=line)) for line in (-1, 2**31, 2**63, 2**70))):
        refused = await airline.ask("GET", f"{place}/results?cursor={cursor}")
        assert (refused.status, refused.json["type"]) == (400, "/api/#problem-bad_cursor"), cursor
    assert await airline.get(f"{place}/results?cursor={encode_cursor(Line(line=2**31 - 1))}") == {
        "items": [], "next": None
    }  # fmt: skip
    assert (await airline.ask("GET", f"{place}/results?limit=%EF%BC%91")).status == 400


NOT_TAKEN = [
    (b"", "text/csv", 400, "empty"),
    (HEADER.encode(), "text/csv", 400, "empty"),
    (row("f-1").encode(), "text/csv", 400, "header"),
    (csv_file(row("f-1")).replace(b"points", b"Points"), "text/csv", 400, "header"),
    (b"\n" + csv_file(row("f-1")), "text/csv", 400, "header"),
    (csv_file(row("f-1")).decode().encode("utf-16"), "text/csv", 400, "header"),
    (csv_file(row("f-1")), "application/json", 415, ""),
    (csv_file(row("f-1")), "text/csv; charset=cp932", 415, ""),
    (HEADER.encode() + b"\n" * 1_000_002, "text/csv", 413, ""),
]


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_files_that_are_not_taken_leave_nothing(hub_town: Town, airline: Partner) -> None:
    for content, media_type, status, code in NOT_TAKEN:
        answer = await airline.file(content, "file-1", media_type)
        assert answer.status == status
        assert [one["code"] for one in answer.json["errors"]] == ([code] if code else [])
    assert await count(hub_town, "SELECT count(*) FROM partner.file_chunk") == 0
    assert await count(hub_town, "SELECT count(*) FROM partner.transfer_file") == 0


async def test_a_file_needs_the_partner_s_own_id(airline: Partner) -> None:
    for key in (None, "", "x" * 65, "a b"):
        headers = {"Content-Type": "text/csv"} | ({} if key is None else {"Idempotency-Key": key})
        answer = await airline.ask("POST", "/transfer-files", csv_file(row("f-1")), headers)
        assert (answer.status, answer.json["type"]) == (400, "/api/#problem-idempotency_key")


async def test_another_body_than_was_signed_is_not_taken(hub_town: Town, airline: Partner) -> None:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "file-1"}
    signed = airline.signed("POST", "/transfer-files", csv_file(row("f-1")), headers)
    answer = await airline.send("POST", "/transfer-files", csv_file(row("f-2")), signed)
    assert answer.status == 401
    assert await count(hub_town, "SELECT count(*) FROM partner.file_chunk") == 0


async def test_the_result_file(airline: Partner) -> None:
    content = csv_file(row("-1"), row("f-2", points=0), row("=cmd()"), row("＠x"))
    answer = await airline.file(content, "file-1")
    file = await finished(airline, answer.headers["Location"])
    result = await airline.ask("GET", f"/transfer-files/{file['file_id']}/results.csv")
    assert result.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in result.headers["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(result.body.decode("utf-8-sig"))))
    assert [one["line"] for one in lines] == ["2", "3", "4", "5"]
    assert [one["transfer_id"] for one in lines] == ["'-1", "f-2", "'=cmd()", "'＠x"]
    assert [one["code"] for one in lines] == ["", "bad_points", "bad_id", "bad_id"]
    assert lines[1]["detail_ja"]
    head = await airline.ask("HEAD", f"/transfer-files/{file['file_id']}/results.csv")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_more_than_a_chunk_and_many_blocks(hub_town: Town, airline: Partner) -> None:
    rows = [row(f"f-{n}", link=1 + n % 5, points=1) for n in range(25_000)]
    rows[12_345] = rows[3]
    answer = await airline.file(csv_file(*rows), "file-1")
    file = await finished(airline, answer.headers["Location"])
    assert await count(hub_town, "SELECT max(n) FROM partner.file_chunk") == 1
    assert file["outcomes"] == {"posted": 24_999, "points": 24_999, "replayed": 1, "refused": {}}
    assert (await hub_town.balance(1))["reserve"] == 4_999 + (12_345 % 5 != 0)
    result = await airline.ask("GET", f"/transfer-files/{file['file_id']}/results.csv")
    assert result.body.count(b"\r\n") == 25_001


async def test_two_at_once_with_one_key_take_one_file(
    hub_town: Town, airline: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one comes while the first is still being received."""
    first_keep = FileIntake._keep
    others: list[Any] = []

    async def keep(
        self: FileIntake, file_id: UUID, media_type: str, body: AsyncIterator[bytes]
    ) -> tuple[int, int, int]:
        kept = await first_keep(self, file_id, media_type, body)
        if not others:
            others.append(None)
            others[0] = await airline.file(csv_file(row("f-1")), "file-1")
        return kept

    monkeypatch.setattr(FileIntake, "_keep", keep)
    answer = await airline.file(csv_file(row("f-1")), "file-1")
    assert (answer.status, answer.json) == (202, others[0].json)
    await finished(airline, answer.headers["Location"])
    assert await count(hub_town, "SELECT count(DISTINCT file_id) FROM partner.file_chunk") == 1
    assert await hub_town.balance(1) == {"reserve": 10}


async def test_a_file_of_which_nobody_knows_whether_it_was_taken_keeps_its_rows(
    hub_town: Town, airline: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit's answer does not come."""
    first_take = FileStore.take

    async def take(self: FileStore, file: Received) -> bool:
        await first_take(self, file)
        monkeypatch.setattr(FileStore, "take", first_take)
        raise TransientError(retry_after_s=1.0)

    monkeypatch.setattr(FileStore, "take", take)
    assert (await airline.file(csv_file(row("f-1")), "file-1")).status == 503
    answer = await airline.file(csv_file(row("f-1")), "file-1")
    assert answer.status == 202
    assert (await finished(airline, answer.headers["Location"]))["outcomes"]["posted"] == 1
    assert await hub_town.balance(1) == {"reserve": 10}


async def count(town: Town, sql: str) -> int:
    """One number out of the connector's own tables."""
    async with town.process.database_of("partner").reading() as reading:
        return int(await reading.fetch_value(sql) or 0)
