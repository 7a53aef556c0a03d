"""What the readers tell, over PC/SC in memory: always in the order in which it happened."""

from threading import Thread

import pytest

from reader_agent.presence import Presence
from schemas.uplink import CardEvent, ReaderState
from tests.reader_agent.card.scard import EMPTY, PRESENT, Scard, readers

BLOCKED_S = 0.2
"""How long somebody is waited for who is not to come through."""


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
