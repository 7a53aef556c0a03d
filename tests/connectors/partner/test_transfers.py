"""Transfers by batch: each item answers for itself, accepted means posted."""

import asyncio
import json
from typing import Any

import pytest

from tests.connectors.partner.town import CITIZENS, NO_SCHEME, SCHEME, TIME, Partner, Town, transfer

EVENT = "event:00000000-0000-4000-8000-000000000001"


async def test_posts_to_reserve_and_to_a_scheme_and_answers_in_order(hub_town: Town, airline: Partner) -> None:
    results = await airline.batch(
        transfer("t-1"), transfer("t-2", link=2, points=30, to=f"scheme:{SCHEME}"), transfer("t-3", points=5)
    )
    assert [one["transfer_id"] for one in results] == ["t-1", "t-2", "t-3"]
    assert [one["status"] for one in results] == ["posted"] * 3
    assert [one["points"] for one in results] == [1_000, 30, 5]
    assert not any(one["replayed"] or "code" in one or "errors" in one for one in results)
    assert results[0].keys() == {"transfer_id", "status", "points", "posted_on", "replayed"}
    assert await hub_town.balance(1) == {"reserve": 1_005}
    assert await hub_town.balance(2) == {f"scheme:{SCHEME}": 30}


async def test_one_item_s_fault_hurts_no_neighbour(hub_town: Town, airline: Partner) -> None:
    results = await airline.batch(
        transfer("a"), transfer("b", points="1000"), transfer("c", link=99), transfer("d", to="bad"), transfer("e")
    )
    assert [one["status"] for one in results] == ["posted", "refused", "refused", "refused", "posted"]
    assert [one.get("code") for one in results] == [None, "bad_points", "unknown_link", "bad_to", None]
    assert await hub_town.balance(1) == {"reserve": 2_000}


@pytest.mark.parametrize("points", ['"１０００"', "1e3", "true", "9223372036854775808", "1" + "0" * 999])
async def test_what_is_no_points_is_refused_beside_its_neighbour(airline: Partner, points: str) -> None:
    item = json.dumps(transfer("t-1", points="@")).replace('"@"', points)
    answer = await airline.post(f'{{"transfers":[{item},{json.dumps(transfer("t-2"))}]}}')
    assert answer.status == 200
    refused, neighbour = answer.json["results"]
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("bad_points", "/transfers/0/points")
    assert (refused["points"], neighbour["status"]) == (0, "posted")


async def test_every_fault_has_its_code_and_its_place(airline: Partner) -> None:
    faults: list[tuple[dict[str, object], str, str]] = [
        ({"transfer_id": "t 1"}, "bad_id", "/transfer_id"),
        ({"posted_at": "now"}, "unknown_field", "/posted_at"),
        ({"link_id": "l/1"}, "bad_link", "/link_id"),
        ({"points": 0}, "bad_points", "/points"),
        ({"to": "Reserve"}, "bad_to", "/to"),
        ({"to": "scheme:232344"}, "bad_code", "/to"),
        ({"occurred_at": "2017-10-01"}, "bad_time", "/occurred_at"),
        ({"link_id": "l-99"}, "unknown_link", "/link_id"),
        ({"to": f"scheme:{NO_SCHEME}"}, "no_scheme", "/to"),
        ({"to": EVENT}, "no_event", "/to"),
    ]
    results = await airline.batch(*(transfer(f"t-{n}") | change for n, (change, _, _) in enumerate(faults)))
    for n, (result, (_, code, pointer)) in enumerate(zip(results, faults, strict=True)):
        assert (result["status"], result["code"]) == ("refused", code)
        assert result["errors"][0]["pointer"] == f"/transfers/{n}{pointer}"
        assert result["errors"][0]["detail"]
        assert result["errors"][0]["detail_ja"]


async def test_what_is_no_object_is_one_item_s_fault(airline: Partner) -> None:
    results = await airline.batch(5, None, [], "x", transfer("t-1"))
    assert [one.get("code") for one in results] == ["bad_row"] * 4 + [None]
    assert results[0]["transfer_id"] is None
    assert results[0]["errors"][0]["pointer"] == "/transfers/0"


async def test_the_same_again_gets_the_same_outcome_and_posts_once(hub_town: Town, airline: Partner) -> None:
    (first,) = await airline.batch(transfer("t-1"))
    (again,) = await airline.batch(transfer("t-1"))
    assert again == first | {"replayed": True}
    assert await hub_town.balance(1) == {"reserve": 1_000}


async def test_the_same_id_with_another_body_is_a_conflict(hub_town: Town, airline: Partner) -> None:
    await airline.batch(transfer("t-1"))
    changes: list[dict[str, object]] = [
        {"points": 999}, {"link_id": "l-2"}, {"to": "x"}, {"points": "1000"}, {"extra": 1},
    ]  # fmt: skip
    for change in changes:
        (other,) = await airline.batch(transfer("t-1") | change)
        assert (other["code"], other["errors"][0]["pointer"]) == ("id_conflict", "/transfers/0/transfer_id")
    assert await hub_town.balance(1) == {"reserve": 1_000}
    assert await hub_town.balance(2) == {}


async def test_what_was_refused_stays_refused(hub_town: Town, airline: Partner) -> None:
    changes: list[dict[str, object]] = [
        {"points": 0}, {"points": "1000"}, {"link_id": "l-99"}, {"link_id": "?"}, {"extra": 1}, {"to": "x"},
    ]  # fmt: skip
    refused = [transfer(f"t-{n}") | change for n, change in enumerate(changes)]
    first = await airline.batch(*refused)
    again = await airline.batch(*refused)
    mended = await airline.batch(*(transfer(f"t-{n}") for n in range(len(changes))))
    assert again == [one | {"replayed": True} for one in first]
    assert [one["code"] for one in mended] == ["id_conflict"] * len(changes)
    assert await hub_town.balance(1) == {}


async def test_an_id_twice_in_one_batch_is_posted_then_replayed(hub_town: Town, airline: Partner) -> None:
    results = await airline.batch(
        transfer("t-1"), transfer("t-2"), transfer("t-1"), transfer("t-1", link=2), transfer("t-1", points=0)
    )
    told = [(one["status"], one["replayed"], one.get("code")) for one in results]
    assert told == [
        ("posted", False, None),
        ("posted", False, None),
        ("posted", True, None),
        ("refused", False, "id_conflict"),
        ("refused", False, "id_conflict"),
    ]
    assert await hub_town.balance(1) == {"reserve": 2_000}


async def test_of_many_at_once_under_one_id_one_is_posted(hub_town: Town, airline: Partner) -> None:
    """Also for other citizens, whose lanes know nothing of one another."""
    asked = [transfer("t-1", link=1 + n % CITIZENS, points=1 + n // CITIZENS) for n in range(30)]
    answers = [result for (result,) in await asyncio.gather(*(airline.batch(item) for item in asked))]
    told = [(one["status"], one["replayed"], one.get("code")) for one in answers]
    assert told.count(("posted", False, None)) == 1
    assert told.count(("refused", False, "id_conflict")) == len(asked) - 1
    balances = [await hub_town.balance(number) for number in range(1, CITIZENS + 1)]
    assert len([balance for balance in balances if balance]) == 1


async def test_two_partners_ids_do_not_meet(hub_town: Town, airline: Partner, card_company: Partner) -> None:
    await airline.batch(transfer("t-1"))
    (other,) = await card_company.batch(transfer("t-1", points=7))
    assert other["status"] == "posted"
    assert await hub_town.balance(1) == {"reserve": 1_007}


ENVELOPES = [
    ("[]", ""),
    ("5", ""),
    ("{}", "/transfers"),
    ('{"transfers":[]}', "/transfers"),
    ('{"transfers":{}}', "/transfers"),
    ('{"transfers":null}', "/transfers"),
    ('{"transfers":[@],"more":1}', "/more"),
    ('{"transfers":[@],"transfers":[@]}', "/transfers"),
    ('{"transfers":[@,{"transfer_id":"t-2","points":1,"points":2}]}', "/transfers/1/points"),
    ('{"transfers":[@,{"points":NaN}]}', "/transfers/1/points"),
    ('{"transfers":[@,{"points":1e' + "9" * 1000 + "}]}", "/transfers/1/points"),
    ('{"transfers":[@,{"transfer_id":"\\u0000"}]}', "/transfers/1/transfer_id"),
    ('{"transfers":[@,{"transfer_id":"\\ud800"}]}', "/transfers/1/transfer_id"),
]


async def test_the_envelope_s_own_faults_post_nothing(hub_town: Town, airline: Partner) -> None:
    for body, pointer in ENVELOPES:
        answer = await airline.post(body.replace("@", json.dumps(transfer("t-1"))))
        assert answer.status == 400
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.json["errors"][0]["pointer"] == pointer
    assert await hub_town.balance(1) == {}


async def test_a_thousand_items_are_taken_and_one_more_is_not(hub_town: Town, airline: Partner) -> None:
    items = [transfer(f"t-{n}", link=1 + n % 5, points=1) for n in range(1_000)]
    assert all(one["status"] == "posted" for one in await airline.batch(*items))
    assert await hub_town.balance(1) == {"reserve": 200}
    answer = await airline.post(json.dumps({"transfers": [*items, transfer("more")]}))
    assert (answer.status, answer.json["errors"][0]["code"]) == (400, "length")


BODIES = [
    ("text/plain", b'{"transfers":[]}', 415),
    ("application/json; charset=unicode_escape", b'{"transfers":[]}', 415),
    ("application/json; charset=utf-16", '{"transfers":[]}'.encode("utf-16"), 415),
    ("application/json", b'{"transfers":[\xff]}', 400),
    ("application/json", b"", 400),
    ("application/json", b"[" * 30_000, 400),
    ("application/json", b'{"transfers":[' + b" " * (1 << 20) + b"]}", 413),
]


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_bodies_that_are_not_taken(airline: Partner) -> None:
    for content_type, body, status in BODIES:
        answer = await airline.ask("POST", "/transfers", body, {"Content-Type": content_type})
        assert (answer.status, answer.json["status"]) == (status, status)
        assert answer.json["detail_ja"]


async def test_what_became_of_a_transfer(airline: Partner, card_company: Partner) -> None:
    await airline.batch(transfer("t-1"), transfer("t-2", points=0), transfer("t-3", link=99))
    posted = await airline.get("/transfers/t-1")
    assert (posted["status"], posted["points"]) == ("posted", 1_000)
    assert (await airline.get("/transfers/t-2"))["code"] == "bad_points"
    assert (await airline.get("/transfers/t-3"))["errors"][0]["pointer"] == "/link_id"
    for nobody, path in ((airline, "/transfers/t-9"), (card_company, "/transfers/t-1"), (airline, "/transfers/%20")):
        answer = await nobody.ask("GET", path)
        assert answer.status == 404


async def test_partners_learn_nothing_about_citizens(airline: Partner) -> None:
    results: list[Any] = await airline.batch(transfer("t-1"), transfer("t-2", link=99))
    told = json.dumps([results, await airline.get("/transfers/t-1")])
    assert "氏名" not in told
    assert "mail" not in told
    assert "balances" not in told


async def test_the_time_may_be_in_any_offset(airline: Partner) -> None:
    times = ["2017-10-01T00:00:00Z", "2017-10-01t00:00:00z", "2017-09-30T14:00:00.123456789-10:00", TIME]
    results = await airline.batch(*(transfer(f"t-{n}") | {"occurred_at": at} for n, at in enumerate(times)))
    assert [one["status"] for one in results] == ["posted"] * len(times)
