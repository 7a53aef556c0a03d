"""The enrolment door over real HTTP: the password is used up by one, and nobody learns which part was wrong."""

import asyncio
import csv
import io
import statistics
import time

import pytest

from connectors.terminal import issuing
from connectors.terminal.component import UPLINK_SIGNER
from connectors.terminal.enrolment import TERMINAL_BURST
from connectors.terminal.issuing import NotIssued
from hub.keys import Keys
from schemas.terminals import AgentKeyOf, TerminalPasswordOf, TerminalsOf
from tests.connectors.terminal.enrolling import CITY, CONTACT, DEADLINE_S, ISSUER, Office
from tests.running import SECRET_KEY
from tests.workers.registry.asking import dump_of


async def test_an_agent_enrols_and_is_told_the_hubs_key(hub: Office) -> None:
    status, answer = await hub.post(hub.form())
    assert status == 201
    terminal_id = hub.handed_out[0].terminal.terminal_id
    assert answer == {
        "terminal_id": terminal_id,
        "kind": "service_id",
        "lg_code": CITY,
        "place": "中央図書館",
        "hub_key": Keys(SECRET_KEY.encode()).signer(UPLINK_SIGNER).verifier.pem,
    }
    found = await hub.process.bus.call(AgentKeyOf(terminal_id=terminal_id), DEADLINE_S)
    assert (found.public_key, found.fingerprint) == (b"\1" * 32, b"\2" * 32)
    assert found.value_digests == {"cpu": b"\3" * 32}
    seen = (await hub.process.bus.call(TerminalsOf(lg_code=CITY), DEADLINE_S)).terminals
    contacts = [one.contact.model_dump() for one in seen if one.contact is not None]
    assert contacts == [CONTACT]


async def test_a_password_is_used_up_and_the_same_again_is_answered_the_same(hub: Office) -> None:
    first = await hub.post(hub.form())
    assert await hub.post(hub.form()) == first
    status, answer = await hub.post(hub.form(public_key="0a" * 32))
    assert (status, answer["type"]) == (401, "/api/#problem-login")


async def test_unknown_wrong_and_used_up_are_one_answer(hub: Office) -> None:
    await hub.post(hub.form())
    used = await hub.post(hub.form(public_key="0a" * 32))
    wrong = await hub.post(hub.form(1, one_time_password="0" * 16))
    unknown = await hub.post(hub.form(1, terminal_id="T232343ZZZZZZ"))
    told = [
        (status, answer["type"], answer["detail"], answer["detail_ja"]) for status, answer in (used, wrong, unknown)
    ]
    assert told[0] == told[1] == told[2]
    assert told[0][0] == 401
    assert "ワンタイムパスワード" in told[0][3]


async def test_unknown_and_wrong_take_the_same_time(hub: Office) -> None:
    async def seconds(**changes: object) -> float:
        before = time.perf_counter()
        assert (await hub.post(hub.form(1, **changes)))[0] == 401
        return time.perf_counter() - before

    wrong, unknown = [], []
    for number in range(TERMINAL_BURST - 1):
        wrong.append(await seconds(one_time_password="0" * 16))
        unknown.append(await seconds(terminal_id=f"T232343ZZZZ{number:02}"))
    assert statistics.median(unknown) > statistics.median(wrong) / 3


async def test_another_issuer_is_told_to_who_has_the_password(hub: Office) -> None:
    status, answer = await hub.post(hub.form(issuer_id="000124"))
    assert (status, [error["pointer"] for error in answer["errors"]]) == (400, ["/issuer_id"])
    assert (await hub.post(hub.form(issuer_id="000124", one_time_password="0" * 16)))[0] == 401
    assert (await hub.post(hub.form(issuer_id=ISSUER)))[0] == 201


async def test_of_fifty_at_once_with_one_password_one_has_the_terminal(hub: Office) -> None:
    answers = await asyncio.gather(*(hub.post(hub.form(public_key=f"{number:064x}")) for number in range(50)))
    statuses = [status for status, _ in answers]
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 401, 429}
    assert statuses.count(401) == TERMINAL_BURST - 1
    terminal_id = hub.handed_out[0].terminal.terminal_id
    found = await hub.process.bus.call(AgentKeyOf(terminal_id=terminal_id), DEADLINE_S)
    assert found.public_key == bytes.fromhex(f"{statuses.index(201):064x}")


@pytest.mark.parametrize(
    "field, value",
    [
        ("terminal_id", "T232343ABCDEI"),
        ("one_time_password", "short"),
        ("public_key", "0" * 63),
        ("public_key", "0G" * 32),
        ("value_digests", {"CPU": "03" * 32}),
        ("contact", CONTACT | {"phone": "=1+1"}),
        ("contact", CONTACT | {"name": "two\nlines"}),
        ("password_hash", "$argon2id$x"),
    ],
)
async def test_a_form_that_is_none(hub: Office, field: str, value: object) -> None:
    status, _ = await hub.post(hub.form() | {field: value})
    assert status == 400


async def test_what_is_handed_out_stands_nowhere_else(hub: Office, database_url: str) -> None:
    dump = await dump_of(database_url, "registry") + await dump_of(database_url, "hub")
    for _, password in hub.handed_out:
        assert password.encode() not in dump
    kept = TerminalPasswordOf(terminal_id=hub.handed_out[0].terminal.terminal_id)
    assert str((await hub.process.bus.call(kept, DEADLINE_S)).password_hash).startswith("$argon2id$")
    listed = issuing.hand_out_list(hub.handed_out)
    rows = list(csv.reader(io.StringIO(listed.removeprefix("\ufeff"))))
    assert rows[1][2:] == ["（ア）サービスID登録・ポイント利用", "中央図書館", ISSUER]
    assert rows[2][3] == "'=1+1 美術館"
    assert rows[1][1].replace("-", "") == hub.handed_out[0].password


async def test_a_new_password_lets_another_machine_enrol(hub: Office) -> None:
    await hub.post(hub.form())
    terminal_id = hub.handed_out[0].terminal.terminal_id
    renewed = await issuing.renew(hub.process.bus, terminal_id)
    assert isinstance(renewed, str)
    assert (await hub.post(hub.form(public_key="0a" * 32)))[0] == 401
    assert (await hub.post(hub.form(public_key="0a" * 32, one_time_password=renewed)))[0] == 201
    assert await issuing.renew(hub.process.bus, "T232343ZZZZZZ") == NotIssued("unknown_terminal")
