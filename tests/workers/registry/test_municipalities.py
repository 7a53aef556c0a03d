"""Municipality codes, schemes, support events."""

import csv
import json
from datetime import date
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.process import HubProcess
from schemas.municipalities import RegisterScheme, RegisterSupportEvent, Scheme, SchemeRegistered, SchemesOf
from schemas.values import has_valid_check_digit, lg_check_digit
from tests.workers.registry.asking import ask, bodies_of, rows_of, said

VECTORS: dict[str, str] = json.loads((Path(__file__).parent / "check_digit_vectors.json").read_text())
REGISTRY = files("workers.registry")
EVENT = UUID(int=7)

HOKKAIDO, SAPPORO, YOKOHAMA_TSURUMI_WARD = "010006", "011002", "141011"
AICHI, KITANAGOYA, KARIYA = "230006", "232343", "232106"


def scheme(lg_code: str, point_name: str = "ポイント", expiry_rule: str = "none") -> RegisterScheme:
    return RegisterScheme(lg_code=lg_code, point_name=point_name, expiry_rule=expiry_rule)


def event(lg_code: str, *usable_in: str, first: int = 1, last: int = 30) -> RegisterSupportEvent:
    return RegisterSupportEvent(
        event_id=EVENT,
        lg_code=lg_code,
        point_name="祭りポイント",
        first=date(2027, 4, first),
        last=date(2027, 4, last),
        usable_in=usable_in,
    )


@pytest.mark.parametrize("five, six", VECTORS.items())
def test_check_digits_match_the_published_vectors(five: str, six: str) -> None:
    assert five + lg_check_digit(five) == six


@given(st.from_regex(r"[0-9]{5}", fullmatch=True), st.integers(1, 9))
def test_no_other_check_digit_passes(five: str, shift: int) -> None:
    right = lg_check_digit(five)
    assert has_valid_check_digit(five + right)
    assert not has_valid_check_digit(five + str((int(right) + shift) % 10))


@pytest.mark.parametrize(
    "lg_code", ["", "23234", "2323430", "23234３", "２３２３４３", " 232343", "232343\n", "-32343", 232343]
)
def test_what_is_no_code_is_refused_at_the_message(lg_code: object) -> None:
    with pytest.raises(ValidationError):
        RegisterScheme.model_validate({"lg_code": lg_code, "point_name": "ポイント", "expiry_rule": "none"})


@pytest.mark.parametrize("point_name", ["", " ", "\u3000", "a\nb", "a\u202eb", "a\x00b", "あ" * 101])
def test_a_name_is_one_visible_line(point_name: str) -> None:
    with pytest.raises(ValidationError):
        scheme(KITANAGOYA, point_name)


async def test_all_1788_bodies_are_there_as_in_the_file(database_url: str) -> None:
    text = (REGISTRY / "data" / "municipalities.csv").read_text()
    expected = [tuple(row) for row in csv.reader(text.splitlines()[1:])]
    rows = await rows_of(
        database_url, "SELECT lg_code, kind, name, kana, prefecture FROM registry.municipality ORDER BY lg_code"
    )
    assert [tuple(row) for row in rows] == sorted(expected)
    assert len(rows) == 1788
    assert all(has_valid_check_digit(row["lg_code"]) for row in rows)
    assert [row["kind"] for row in rows].count("prefecture") == 47


async def test_the_database_takes_no_wrong_check_digit(database_url: str) -> None:
    insert = "INSERT INTO registry.municipality VALUES ($1, 'municipality', '市', 'し', '010006')"
    with pytest.raises(asyncpg.CheckViolationError, match="lg_code_check_digit"):
        await rows_of(database_url, insert, "011018")
    await rows_of(database_url, insert, YOKOHAMA_TSURUMI_WARD)


async def test_a_scheme_opens_once_and_may_change(registry: HubProcess, database_url: str) -> None:
    opened = await ask(registry, scheme(KITANAGOYA))
    assert opened.code is None
    assert await ask(registry, scheme(KITANAGOYA)) == opened
    assert await said(database_url) == ["municipalities.scheme-registered"]
    assert (await ask(registry, scheme(KITANAGOYA, expiry_rule="months:12"))).code is None
    assert await said(database_url) == ["municipalities.scheme-registered"] * 2
    told = await bodies_of(database_url, SchemeRegistered.TYPE)
    assert [event["revision"] for event in told] == [1, 2], "whoever hears of them out of their order knows the newest"
    assert (await ask(registry, SchemesOf())).schemes == [
        Scheme(lg_code=KITANAGOYA, municipality="北名古屋市", point_name="ポイント", expiry_rule="months:12")
    ]


@pytest.mark.parametrize("lg_code", [YOKOHAMA_TSURUMI_WARD, HOKKAIDO, "999997"])
async def test_wards_prefectures_and_unknown_codes_issue_no_points(registry: HubProcess, lg_code: str) -> None:
    assert has_valid_check_digit(lg_code)
    assert (await ask(registry, scheme(lg_code))).code == "bad_code"
    assert (await ask(registry, SchemesOf())).schemes == []


async def test_a_fixed_expiry_date_exists(registry: HubProcess) -> None:
    assert (await ask(registry, scheme(KITANAGOYA, expiry_rule="date:2027-02-29"))).code == "bad_rule"
    assert (await ask(registry, scheme(KITANAGOYA, expiry_rule="date:2028-02-29"))).code is None


async def test_one_fault_in_a_run_hurts_no_neighbour(registry: HubProcess) -> None:
    asked = [scheme(HOKKAIDO), scheme(SAPPORO), scheme(SAPPORO, "別名"), scheme(KARIYA)]
    answers = await registry.bus.call_many(asked, 10)
    assert [answer.code for answer in answers] == ["bad_code", None, None, None]
    schemes = (await ask(registry, SchemesOf())).schemes
    assert [(one.lg_code, one.point_name) for one in schemes] == [(SAPPORO, "別名"), (KARIYA, "ポイント")]


async def test_schemes_of_one_prefecture(registry: HubProcess) -> None:
    await registry.bus.call_many([scheme(SAPPORO), scheme(KARIYA), scheme(KITANAGOYA)], 10)
    assert [s.lg_code for s in (await ask(registry, SchemesOf(prefecture=AICHI))).schemes] == [KARIYA, KITANAGOYA]


async def test_events_of_municipalities_and_prefectures(registry: HubProcess, database_url: str) -> None:
    asked = event(AICHI, KARIYA, KITANAGOYA)
    assert (await ask(registry, asked)).id == EVENT
    assert (await ask(registry, asked)).id == EVENT
    assert (await ask(registry, event(AICHI))).code == "id_conflict"
    assert (await ask(registry, event(KARIYA))).code == "id_conflict"
    assert await said(database_url) == ["municipalities.support-event-registered"]


@pytest.mark.parametrize(
    "asked, code",
    [
        (event(KARIYA), None),
        (event(KARIYA, first=30), None),
        (event(KARIYA, first=2, last=1), "bad_period"),
        (event(YOKOHAMA_TSURUMI_WARD), "bad_code"),
        (event(KARIYA, KITANAGOYA), "bad_code"),
        (event(AICHI, SAPPORO), "bad_code"),
        (event(AICHI, AICHI), "bad_code"),
        (event(AICHI, YOKOHAMA_TSURUMI_WARD), "bad_code"),
    ],
)
async def test_what_an_event_may_be(registry: HubProcess, asked: RegisterSupportEvent, code: str | None) -> None:
    assert (await ask(registry, asked)).code == code
