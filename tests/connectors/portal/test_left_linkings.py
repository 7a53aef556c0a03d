"""Linkings that come to nothing, or end at a bad moment: their providers have their tokens back, and no others."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from connectors.partner.id_link.linking import unlinked
from connectors.partner.id_link.linking_store import LEFT_AFTER, LINKING_FOR
from hub.clock import AdjustableClock
from hub.errors import TransientError
from hub.process import HubProcess
from schemas.id_links import LinkAccount
from schemas.links import CitizenUnlinked, UnlinkCitizen
from schemas.message import Answered
from tests.connectors.portal.street import CARD_COMPANY, Parties
from tests.connectors.portal.town import AIRLINE
from tests.waiting import wait_until
from tests.workers.registry.asking import ask, rows_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
REVOKED: Final = "SELECT id FROM hub.message WHERE type = 'jp.mykey.id-links.revoke-tokens.v1'"
Call = Callable[[HubProcess, Answered[Any], float], Awaitable[Any]]


def clock_of(street: Parties) -> AdjustableClock:
    clock = street.town.process.clock
    assert isinstance(clock, AdjustableClock)
    return clock


async def later(street: Parties) -> None:
    """When all that is under way now has had its time."""
    clock_of(street).advance(LINKING_FOR + LEFT_AFTER + timedelta(seconds=1))
    (partner,) = [one for one in street.town.process.components if one.name == "partner"]
    (job,) = [one for one in partner.jobs if one.name == "end_left_linkings"]
    await job.run()
    await street.town.process.drained(deadline_s=20)


async def test_a_linking_that_is_left_or_refused_gives_its_tokens_back(street: Parties) -> None:
    owner, _owner_id = await street.town.somebody()
    other, other_id = await street.town.somebody()
    before = set(street.airline.tokens)
    await street.linked(owner, AIRLINE, "third")
    own = street.airline.tokens - before
    refused = await street.linked(other, AIRLINE, "third")
    assert "別のマイキーIDにすでに連携されています" in refused.words
    await street.to_confirm(other, AIRLINE, "other")
    assert len(street.airline.tokens) == len(before) + 3
    await later(street)
    await wait_until(lambda: street.airline.tokens == before | own, deadline_s=20)
    await ask(street.town.process, UnlinkCitizen(citizen_id=other_id, party_id=AIRLINE))
    await later(street)
    assert street.airline.tokens == before | own


async def test_a_link_whose_answer_was_lost_keeps_its_tokens_until_it_ends(
    street: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, citizen_id = await street.town.somebody()
    before = set(street.airline.tokens)
    confirm = await street.to_confirm(browser)

    async def lost(_process: HubProcess) -> None:
        raise TransientError("died here")

    with monkeypatch.context() as cut:
        cut.setattr(HubProcess, "call", _then(HubProcess.call, lost))
        assert (await street.confirmed(browser, confirm)).status == 503
    await later(street)
    assert len(street.airline.tokens) == len(before) + 1
    await ask(street.town.process, UnlinkCitizen(citizen_id=citizen_id, party_id=AIRLINE))
    await wait_until(lambda: street.airline.tokens == before, deadline_s=20)


async def test_a_link_that_ends_gives_its_tokens_back_once(street: Parties, shared_database_url: str) -> None:
    browser, citizen_id = await street.town.somebody()
    await street.linked(browser, AIRLINE, "other")
    before, tokens = await rows_of(shared_database_url, REVOKED), set(street.airline.tokens)
    await ask(street.town.process, UnlinkCitizen(citizen_id=citizen_id, party_id=AIRLINE))
    await wait_until(lambda: len(street.airline.tokens) == len(tokens) - 1, deadline_s=20)
    await later(street)
    assert len(await rows_of(shared_database_url, REVOKED)) == len(before) + 1


async def test_a_link_that_ends_at_once_gives_its_tokens_back(street: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, citizen_id = await street.town.somebody()
    before = set(street.airline.tokens)
    confirm = await street.to_confirm(browser)

    async def ended(process: HubProcess) -> None:
        await ask(process, UnlinkCitizen(citizen_id=citizen_id, party_id=AIRLINE))
        await process.drained(deadline_s=20)

    with monkeypatch.context() as cut:
        cut.setattr(HubProcess, "call", _then(HubProcess.call, ended))
        await street.confirmed(browser, confirm)
    await wait_until(lambda: street.airline.tokens == before, deadline_s=20)


def _then(call: Call, what: Callable[[HubProcess], Awaitable[None]]) -> object:
    """`what` right after an account was linked."""

    async def called(process: HubProcess, asked: Answered[Any], deadline_s: float) -> object:
        answered = await call(process, asked, deadline_s)
        if isinstance(asked, LinkAccount):
            await what(process)
        return answered

    return called


async def test_an_end_that_is_heard_late_ends_nothing_that_came_after_it_nor_elsewhere(street: Parties) -> None:
    browser, citizen_id = await street.town.somebody()
    elsewhere = await street.to_confirm(browser, CARD_COMPANY)
    early = clock_of(street).now()
    clock_of(street).advance(timedelta(seconds=1))
    before = set(street.airline.tokens)
    confirm = await street.to_confirm(browser, AIRLINE, "other")
    tokens = set(street.airline.tokens)
    for is_first in (True, False):
        late = CitizenUnlinked(citizen_id=citizen_id, party_id=AIRLINE, link_id="late", ended_at=early)
        async with street.town.process.database_of("partner").transaction() as tx:
            await unlinked([late], tx)
        await street.town.process.drained(deadline_s=20)
        assert street.airline.tokens == tokens
        if is_first:
            assert "ID連携が完了しました。" in (await street.confirmed(browser, confirm)).words
    assert "ID連携が完了しました。" in (await street.confirmed(browser, elsewhere)).words
    await ask(street.town.process, UnlinkCitizen(citizen_id=citizen_id, party_id=AIRLINE))
    await wait_until(lambda: street.airline.tokens == before, deadline_s=20)
