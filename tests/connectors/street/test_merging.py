"""The way of a merge on a real hub: from 「合算」 to the street's program and back, and whatever goes wrong on it."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.problems import RefusalCode
from schemas.streets import CipherMode, IdKind, MergeState, RedeliverMerge
from tests.connectors.street.town import HELD, Town, town
from tests.connectors.street.vectors import key_of
from tests.connectors.terminal.agents import DEADLINE_S
from tests.peers.card.authority import CardAuthority
from tests.waiting import wait_until
from tests.workers.registry.asking import rows_of
from workers.clockwork import component as clockwork

MEMBERS = "SELECT member_sealed FROM street.merge ORDER BY points"


@pytest.mark.parametrize("mode", [CipherMode.cbc, CipherMode.gcm_256])
async def test_points_are_merged_taken_in_and_acknowledged(
    mode: CipherMode, database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority, mode=mode) as street:
        answer = await street.merge(300)
        assert (answer.state, answer.points, answer.left, answer.undelivered) == ("delivered", 300, HELD - 300, None)
        assert await street.held() == (HELD - 300, 300)
        assert [path.name for path in street.files()] == [f"merge-honmachi-{answer.number}.mpf"]
        assert street.receive().points == 300
        await street.becomes(answer.number, MergeState.acknowledged)
        assert (street.points(), await street.held()) == (300, (HELD - 300, 0))
        await wait_until(lambda: not list(street.drop.glob("*.ack")))

        again = await street.merge(50)
        assert again.number > answer.number
        assert street.receive().points == 50
        await street.becomes(again.number, MergeState.acknowledged)
        assert street.points() == 350


async def test_what_a_street_refuses_is_the_citizens_again(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        answer = await street.merge(300)
        assert street.receive(opens_accounts=False).sent_back == 1
        view = await street.becomes(answer.number, MergeState.refused)
        assert view.reason == "unknown_member"
        assert (street.points(), await street.held()) == (None, (HELD, 0))
        assert {bytes(row[0]) for row in await rows_of(database_url, MEMBERS)} == {b""}

        # A wrong or late answer changes nothing.
        (street.drop / f"merge-honmachi-{answer.number}.mpf.ack").touch()
        other = await street.merge(1)
        street.receive()
        await street.becomes(other.number, MergeState.acknowledged)
        assert (await street.view(answer.number)).state == MergeState.refused


async def test_the_same_merge_asked_again_is_the_same_and_another_under_its_id_is_refused(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        merge_id = uuid4()
        first = await street.merge(300, merge_id=merge_id)
        again = await street.merge(300, merge_id=merge_id)
        assert (again.number, again.state) == (first.number, "delivered")
        assert (first.left, again.left) == (HELD - 300, HELD - 300)
        assert (await street.merge(301, merge_id=merge_id)).code == RefusalCode.id_conflict
        too_much = uuid4()
        for _ in range(2):
            assert (await street.merge(HELD, merge_id=too_much)).code == RefusalCode.insufficient_points
        going, failed = await rows_of(database_url, MEMBERS)
        assert (bool(going[0]), bytes(failed[0])) == (True, b"")
        assert (await street.merge(1, issuer_id="000001")).code == RefusalCode.no_street
        assert (await street.merge(1, citizen_id=uuid4())).code == RefusalCode.no_service_id
        assert await street.held() == (HELD - 300, 300)
        assert len(street.files()) == 1
        street.receive()
        await street.becomes(first.number, MergeState.acknowledged)
        assert (await street.merge(300, merge_id=merge_id)).left == HELD - 300
        assert await street.held() == (HELD - 300, 0)


async def test_a_folder_that_is_away_is_told_and_the_file_comes_by_itself(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority) as street:
        street.drop.rmdir()
        answer = await street.merge(300)
        assert (answer.state, answer.undelivered) == (MergeState.sent, RefusalCode.merge_folder_missing)
        assert (await street.view(answer.number)).undelivered == RefusalCode.merge_folder_missing
        assert await street.held() == (HELD - 300, 300)
        street.drop.mkdir()
        view = await street.becomes(answer.number, MergeState.delivered)
        assert view.undelivered is None
        assert street.receive().points == 300


async def test_overdue_it_is_told_and_dropped_again_with_the_same_number(
    database_url: str, tmp_path: Path, card_authority: CardAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F37 too: the key has changed meanwhile."""
    monkeypatch.setattr(clockwork, "MERGES_EVERY_S", 0.2)
    async with town(database_url, tmp_path, card_authority, mode=CipherMode.cbc) as street:
        merge_id = uuid4()
        answer = await street.merge(300, merge_id=merge_id)
        (path,) = street.files()
        first = path.read_bytes()
        path.unlink()  # the street has lost it
        street.clock.advance(timedelta(hours=25))
        old, now = street.keys[0], street.clock.now()
        new = key_of(CipherMode.cbc, "2017-2", first=50).model_copy(update={"valid_from": now, "valid_to": None})
        ended = old.model_copy(update={"valid_to": now + timedelta(days=7)})
        street.keys.clear()
        assert await street.add_key(ended) is None
        assert await street.add_key(new) is None
        await wait_until(lambda: _is_overdue(street, answer.number), DEADLINE_S)
        redeliver = RedeliverMerge(merge_id=merge_id)
        assert (await street.hub.bus.call(redeliver, DEADLINE_S)).code is None
        await wait_until(street.files, DEADLINE_S)
        assert street.files() == [path]
        assert path.read_bytes() != first
        path.write_bytes(path.read_bytes())
        assert street.receive().points == 300
        await street.becomes(answer.number, MergeState.acknowledged)
        assert (await street.hub.bus.call(redeliver, DEADLINE_S)).code == RefusalCode.merge_answered
        path.write_bytes(first)  # and the one that was lost turns up
        assert street.receive().quarantined == {"seen": 1}
        assert street.points() == 300


async def test_a_street_that_keeps_mykey_ids_gets_those(
    database_url: str, tmp_path: Path, card_authority: CardAuthority
) -> None:
    async with town(database_url, tmp_path, card_authority, id_kind=IdKind.mykey_id) as street:
        assert (await street.merge(300)).state == "delivered"
        street.receive()
        assert street.points("ABCD2345") == 300


async def _is_overdue(street: Town, number: str) -> bool:
    return (await street.view(number)).state is MergeState.overdue
