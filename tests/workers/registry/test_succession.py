"""The provider of certificates' standing: simulated, silent, slow or broken."""

import asyncio
from pathlib import Path

import pytest

from hub.clock import AdjustableClock
from hub.errors import PermanentError, TransientError
from hub.keys import Keys
from hub.process import HubProcess
from schemas.cards import ProveCard, ProvenCard
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask, rows_of
from tests.workers.registry.ca import Authority
from tests.workers.registry.offices import tell
from tests.workers.registry.people import created
from workers.registry import cards
from workers.registry.cards import Cards
from workers.registry.certificates import Anchors, CardName
from workers.registry.succession import (
    PREDECESSORS_LIMIT,
    Provider,
    RegisterError,
    Revocation,
    SimulatedStanding,
    Standing,
    UnknownStanding,
    provider_of,
)

GENERATION = "0123456789abcdef"


def name(number: int) -> CardName:
    return CardName(GENERATION, f"{number:04x}")


async def test_nobody_knows_by_default() -> None:
    provider = provider_of(None)
    assert isinstance(provider, UnknownStanding)
    assert await provider.standing_of(name(1)) == Standing(Revocation.unknown, ())


async def test_the_register_tells_revocations_and_predecessors(register: Path) -> None:
    provider = provider_of(register)
    assert await provider.standing_of(name(1)) == Standing(Revocation.good, ())
    chain = {"/".join(name(n)): "/".join(name(n + 1)) for n in range(20)}
    tell(register, successors=chain, revoked=["/".join(name(99))])
    assert (await provider.standing_of(name(99))).revocation is Revocation.revoked
    assert (await provider.standing_of(name(0))) == Standing(Revocation.revoked, ())
    newest = await provider.standing_of(name(20))
    assert newest == Standing(Revocation.good, tuple(name(n) for n in range(19, 19 - PREDECESSORS_LIMIT, -1)))
    tell(register, successors={"/".join(name(1)): "/".join(name(2)), "/".join(name(2)): "/".join(name(1))})
    assert len((await provider.standing_of(name(1))).predecessors) == PREDECESSORS_LIMIT


@pytest.mark.parametrize("content", ["", "[]", '{"other": 1}', '{"revoked": ["12"]}', '{"successors": {"a": "b"}}'])
async def test_a_register_that_is_none_is_told(register: Path, content: str) -> None:
    await asyncio.to_thread(register.write_text, content)
    with pytest.raises(RegisterError):
        await SimulatedStanding(register).standing_of(name(1))


class Silent:
    """Answers nobody: it is down, or too slow."""

    def __init__(self, *, slow: bool) -> None:
        self._slow = slow

    async def standing_of(self, name: CardName) -> Standing:
        if self._slow:
            await asyncio.Event().wait()
        raise TransientError(name.generation)


@pytest.mark.parametrize("provider", [Silent(slow=True), Silent(slow=False)])
async def test_without_an_answer_only_cards_that_somebody_holds_are_good(
    office: HubProcess,
    issuers: list[Authority],
    register: Path,
    clock: AdjustableClock,
    monkeypatch: pytest.MonkeyPatch,
    provider: Provider,
) -> None:
    monkeypatch.setattr(cards, "ANSWER_TIMEOUT_S", 0.05)
    old, reissued = issuers[0].card(1), issuers[0].card(2)
    citizen_id = await created(office, old, "MYCHOICE")
    tell(register, successors={"/".join(old.name): "/".join(reissued.name)})
    anchors = Anchors([issuer.certificate for issuer in issuers])
    made = Cards(Keys(SECRET_KEY.encode()), anchors, provider, office.database_of("registry"), clock)
    held = await made.prove(ProveCard(proof=old.prove("log-in")))
    assert (held.code, held.citizen_id) == (None, citizen_id)
    shown = ProveCard(proof=reissued.prove("create-mykey-id"))
    assert await made.prove(shown) == ProvenCard(code="card_standing_unknown")
    answered = await ask(office, shown)
    assert (answered.code, answered.citizen_id, answered.updated) == (None, citizen_id, True)
    assert await made.prove(shown) == answered


async def test_a_provider_that_knows_nothing_has_answered(
    office: HubProcess, issuers: list[Authority], clock: AdjustableClock
) -> None:
    anchors = Anchors([issuer.certificate for issuer in issuers])
    made = Cards(Keys(SECRET_KEY.encode()), anchors, provider_of(None), office.database_of("registry"), clock)
    answer = await made.prove(ProveCard(proof=issuers[0].card(1).prove("log-in")))
    assert (answer.code, answer.citizen_id) == (None, None)


async def test_a_broken_register_stops_cards_rather_than_taking_revoked_ones(
    office: HubProcess, issuers: list[Authority], register: Path, database_url: str
) -> None:
    await asyncio.to_thread(register.unlink)
    with pytest.raises(PermanentError):
        await ask(office, ProveCard(proof=issuers[0].card(1).prove("log-in")))
    assert await rows_of(database_url, "SELECT FROM registry.card") == []
