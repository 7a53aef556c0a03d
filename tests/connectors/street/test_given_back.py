"""Merges whose destination is wrong or whose street does not answer: sent elsewhere, or given back by staff, once."""

from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from connectors.street import streets
from hub.asking import RefusedError
from hub.settings import Settings
from schemas.card_jobs import MergeFilesAnswered
from schemas.problems import RefusalCode
from schemas.streets import MergeLayout, MergeState, RedeliverMerge, RegisterStreet, StreetsOf
from schemas.uplink import MergeFileAnswer
from tests.connectors.street.test_commands import run
from tests.connectors.street.test_door import server
from tests.connectors.street.town import HELD, STREET_ID, Town, town
from tests.connectors.terminal.agents import DEADLINE_S
from tests.peers.card.authority import CardAuthority
from tests.running import SECRET_KEY
from tests.waiting import wait_until

NO_TERMINAL = "T232343ABCDEF"
AUDIT = "SELECT operator, reason, street_confirmed FROM street.given_back WHERE merge_id = $1"


@pytest.fixture(autouse=True)
def _streets_are_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streets, "KNOWN_S", 0.0)


def settings_of(database_url: str) -> Settings:
    return Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))


async def change(street: Town, **settings: object) -> None:
    """Other settings of the street."""
    (found,) = (await street.hub.bus.call(StreetsOf(), DEADLINE_S)).streets
    command = RegisterStreet(street=found.model_copy(update=settings))
    assert (await street.hub.bus.call(command, DEADLINE_S)).code is None


async def redeliver(street: Town, merge_id: UUID) -> None:
    assert (await street.hub.bus.call(RedeliverMerge(merge_id=merge_id), DEADLINE_S)).code is None


async def test_a_file_for_a_terminal_that_is_none_goes_where_the_street_wants_it_now(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        await change(street, deliver_to=NO_TERMINAL)
        merge_id = uuid4()
        answer = await street.merge(300, merge_id=merge_id)
        assert (answer.state, answer.undelivered) == (MergeState.sent, RefusalCode.terminal_away)
        await street.becomes(answer.number, MergeState.sent)
        await change(street, deliver_to=None)
        await redeliver(street, merge_id)
        await street.becomes(answer.number, MergeState.delivered)
        assert street.receive().points == 300
        await street.becomes(answer.number, MergeState.acknowledged)


async def test_dropped_again_it_is_made_as_the_street_reads_it_now(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        merge_id = uuid4()
        answer = await street.merge(300, merge_id=merge_id)
        (path,) = street.files()
        path.unlink()
        street.layout = MergeLayout(delimiter=";", line_end="\n")
        await change(street, layout=street.layout)
        await redeliver(street, merge_id)
        await wait_until(street.files, DEADLINE_S)
        assert street.receive().points == 300
        await street.becomes(answer.number, MergeState.acknowledged)


async def test_a_destination_has_to_be_a_terminal(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        file = tmp_path / "settings.toml"
        text = 'issuer_id = "000777"\ncode = "honmachi"\nname = "本町商店街"\ndeliver_to = "{terminal_id}"\n'
        file.write_text(text.format(terminal_id=NO_TERMINAL), encoding="utf-8")
        with pytest.raises(RefusedError, match=f"deliver_to {NO_TERMINAL}: There is no such terminal"):
            await run(settings_of(database_url), "register", str(file))
        terminal_id = street.shop.terminal.terminal_id
        file.write_text(text.format(terminal_id=terminal_id), encoding="utf-8")
        assert "honmachi" in await run(settings_of(database_url), "register", str(file))
        assert terminal_id in await run(settings_of(database_url), "list")


async def test_what_is_nowhere_is_given_back_at_once_and_what_may_be_there_once_the_street_says_so(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    settings = settings_of(database_url)
    async with town(database_url, tmp_path, card_authority) as street, ClientSession() as client:
        await change(street, deliver_to=NO_TERMINAL)
        nowhere_id, there_id = uuid4(), uuid4()
        nowhere = await street.merge(300, merge_id=nowhere_id)
        await change(street, deliver_to=None)
        there = await street.merge(20, merge_id=there_id)
        assert await street.held() == (HELD - 320, 320)

        await run(settings, "return", nowhere.number, "--reason", "端末の廃止")
        await street.becomes(nowhere.number, MergeState.refused)
        with pytest.raises(RefusedError, match="--street-confirmed"):
            await run(settings, "return", there.number, "--reason", "端末の廃止")
        assert await street.held() == (HELD - 20, 20)
        await run(settings, "return", there.number, "--reason", "端末の廃止", "--street-confirmed")
        assert (await street.becomes(there.number, MergeState.refused)).reason == "端末の廃止"
        assert await street.held() == (HELD, 0)
        for number in (there.number, "0" * 20):
            with pytest.raises(RefusedError):
                await run(settings, "return", number, "--reason", "端末の廃止", "--street-confirmed")

        connection = await asyncpg.connect(database_url)
        rows = [await connection.fetchrow(AUDIT, merge_id) for merge_id in (nowhere_id, there_id)]
        await connection.close()
        assert [row["street_confirmed"] for row in rows if row] == [False, True]
        assert all(row["operator"] for row in rows if row)

        # The street has added them all the same, and says so late.
        ours = await server(client, street, STREET_ID, "honmachi-1")
        status, told = await ours.ask("POST", f"/merges/{there.number}/answer", taken=True)
        assert (status, told["errors"][0]["code"]) == (409, RefusalCode.merge_answered)
        assert await street.held() == (HELD, 0)


async def test_a_file_that_may_have_come_is_not_given_back_at_once_whatever_the_last_try_said(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        street.drop.rmdir()
        merge_id = uuid4()
        answer = await street.merge(300, merge_id=merge_id)
        await street.becomes(answer.number, MergeState.sent)
        await change(street, deliver_to=NO_TERMINAL)
        await redeliver(street, merge_id)

        async def is_away() -> bool:
            return (await street.view(answer.number)).undelivered == RefusalCode.terminal_away

        await wait_until(is_away, DEADLINE_S)
        words = ("return", answer.number, "--reason", "店の都合")
        with pytest.raises(RefusedError, match="--street-confirmed"):
            await run(settings_of(database_url), *words)
        await run(settings_of(database_url), *words, "--street-confirmed")
        await street.becomes(answer.number, MergeState.refused)
        assert await street.held() == (HELD, 0)


async def test_an_answer_in_the_folder_after_points_were_given_back_is_told_as_contrary(
    database_url: str, tmp_path: Path, card_authority: CardAuthority, capsys: pytest.CaptureFixture[str]
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        answer = await street.merge(300)
        words = ("return", answer.number, "--reason", "店の都合", "--street-confirmed")
        await run(settings_of(database_url), *words)
        await street.becomes(answer.number, MergeState.refused)
        said = ""

        def is_told() -> bool:
            nonlocal said
            said += capsys.readouterr().out
            return "merge_answers_contrary" in said

        street.receive()
        await wait_until(is_told, DEADLINE_S)
        assert await street.held() == (HELD, 0)


async def test_an_answer_from_where_the_file_was_before_counts_and_a_contrary_one_after_it_is_told(
    database_url: str, tmp_path: Path, card_authority: CardAuthority, capsys: pytest.CaptureFixture[str]
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        merge_id = uuid4()
        answer = await street.merge(300, merge_id=merge_id)
        (file,) = street.files()
        await change(street, deliver_to=NO_TERMINAL)
        for _ in range(2):
            await redeliver(street, merge_id)
        assert street.receive().points == 300
        await street.becomes(answer.number, MergeState.acknowledged)

        contrary = MergeFileAnswer(name=file.name, taken=False)
        stranger = MergeFileAnswer(name=file.name.replace("honmachi", "ekimae"), taken=False)
        async with street.hub.process.database_of("terminal").transaction() as tx:
            tx.emit(MergeFilesAnswered(terminal_id=NO_TERMINAL, answers=[contrary, stranger]))
        said = ""

        def is_told() -> bool:
            nonlocal said
            said += capsys.readouterr().out
            return "merge_answers_contrary" in said

        await wait_until(is_told, DEADLINE_S)
        assert await street.held() == (HELD - 300, 0)


async def test_answered_by_the_street_first_nothing_is_given_back(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        answer = await street.merge(300)
        street.receive()
        await street.becomes(answer.number, MergeState.acknowledged)
        words = ("return", answer.number, "--reason", "店の都合", "--street-confirmed")
        with pytest.raises(RefusedError, match="answered this merge already"):
            await run(settings_of(database_url), *words)
        assert await street.held() == (HELD - 300, 0)
