"""What the readers tell, over PC/SC in memory: always in the order in which it happened."""

from threading import Thread

import pytest

from reader_agent import card_session
from reader_agent import readers as readers_module
from reader_agent.card_frames import Answer, Ask
from reader_agent.card_keeper import ASK_LIMIT_S
from reader_agent.card_session import CardSession
from reader_agent.presence import Presence
from schemas.uplink import CardEvent, Outcome, ReaderState
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import Card, JpkiCard
from tests.reader_agent.card.scard import EMPTY, PRESENT, Scard, readers

BLOCKED_S = 0.2
"""How long somebody is waited for who is not to come through."""


class Time:
    """Passes only where somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        for module in (readers_module, card_session):
            monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def heard(told: list[CardEvent | ReaderState]) -> Presence:
    """What is known after all that."""
    presence = Presence()
    for said in told:
        presence.hear(said)
    return presence


def test_a_card_taken_out_while_it_is_told_to_be_in_anew_is_not_left_in(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[CardEvent | ReaderState] = []
    watching = Thread(target=lambda: here._readers_are({"one": EMPTY}))

    def tell(said: CardEvent | ReaderState) -> None:
        told.append(said)
        if getattr(said, "what", "") == "removed" and watching.ident is None:
            watching.start()
            watching.join(BLOCKED_S)

    here = readers(Scard(), tell, monkeypatch)
    here._readers_are({"one": PRESENT})
    here._retire(here._in["one"])
    watching.join()
    assert [*heard(told).cards] == here.present() == []


def test_a_reader_that_vanishes_between_two_waits_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[CardEvent | ReaderState] = []
    scard = Scard([["one", "two"], ["one"], ["one"]], [{"one": PRESENT, "two": PRESENT}])
    here = readers(scard, told.append, monkeypatch)
    here._watch(None)
    assert len([said for said in told if getattr(said, "what", "") == "inserted"]) == 2
    assert heard(told).has_reader
    assert [*heard(told).cards] == here.present() == [here._in["one"].insertion]


def opened(scard: Scard, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Answer]:
    """In which reader is the card that is read for a new operation, the last of `cards` having been put in last."""
    here = readers(scard, lambda _: None, monkeypatch)
    here._readers_are(dict.fromkeys(scard.cards, PRESENT))
    names = {card.insertion: name for name, card in here._in.items()}
    answer = CardSession(here).do(Ask(id=1, do="open"), bytearray())
    return names[answer.insertion] if answer.insertion else "", answer


@pytest.mark.parametrize("others", [["new"], ["new", "newer"]])
def test_a_card_that_is_another_programs_leaves_time_for_the_next_one(
    others: list[str], card_authority: CardAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, mine = Time(monkeypatch), JpkiCard(card_authority.issue())
    cards = {"old": mine, **dict.fromkeys(others, Card())}
    reader, answer = opened(Scard(cards=cards, others=lambda name: name != "old"), monkeypatch)
    assert (reader, answer.certificate) == ("old", mine.identity.certificate)
    assert time.now_s < ASK_LIMIT_S - 1.5


def test_a_card_that_was_put_in_just_now_is_meant_though_windows_has_it_for_a_moment(
    card_authority: CardAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch)
    cards = {name: JpkiCard(card_authority.issue()) for name in ("old", "new")}
    reader, _ = opened(Scard(cards=cards, others=lambda name: name == "new" and time.now_s < 1.5), monkeypatch)
    assert reader == "new"


def test_a_card_that_stays_another_programs_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Time(monkeypatch)
    assert opened(Scard(cards={"one": Card()}, others=lambda _: True), monkeypatch)[1].outcome is Outcome.reader_failed
