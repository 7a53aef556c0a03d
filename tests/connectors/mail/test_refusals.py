"""Whether a refusal says something of the address or of us."""

import pytest

from connectors.mail import refusals
from connectors.mail.addresses import Address, checked_address
from connectors.mail.conversation import Reply, Stage
from connectors.mail.refusals import DOUBTS_LIMIT, REFUSALS, REFUSALS_APART_S, Verdict, Verdicts
from hub.clock import SystemClock

TAKEN = Reply(Stage.content, 250)
BARE = Reply(Stage.recipient, 550)


class MovedClock(SystemClock):
    """Moves where the test moves it."""

    at_s = 1_000.0

    def monotonic(self) -> float:
        """The same always, unless moved."""
        return self.at_s


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def verdicts(clock: MovedClock) -> Verdicts:
    return Verdicts(clock)


def at(domain: str, name: str = "user") -> Address:
    return checked_address(f"{name}@{domain}")


@pytest.mark.parametrize(
    "reply, verdict",
    [
        (TAKEN, Verdict.accepted),
        (Reply(Stage.recipient, 450, "4.2.0"), Verdict.later),
        (Reply(Stage.recipient, 421), Verdict.later),
        (Reply(Stage.recipient, 550, "5.1.1"), Verdict.bounced),
        (Reply(Stage.recipient, 556, "5.1.10"), Verdict.bounced),
        (Reply(Stage.content, 552, "5.2.2"), Verdict.bounced),
        (Reply(Stage.sender, 550, "5.1.0"), Verdict.refused),
        (Reply(Stage.recipient, 550, "5.1.7"), Verdict.refused),
        (Reply(Stage.recipient, 550, "5.1.8"), Verdict.refused),
        (Reply(Stage.recipient, 550, "5.7.1"), Verdict.refused),
        (Reply(Stage.recipient, 550, "5.4.1"), Verdict.refused),
        (Reply(Stage.recipient, 554), Verdict.refused),
        (Reply(Stage.recipient, 530), Verdict.refused),
        (Reply(Stage.content, 550), Verdict.refused),
        (Reply(Stage.sender, 550), Verdict.refused),
    ],
)
def test_what_a_reply_says_by_itself(verdicts: Verdicts, reply: Reply, verdict: Verdict) -> None:
    assert verdicts.of(at("a.example"), reply) is verdict


@pytest.mark.parametrize("code", [550, 551, 553])
@pytest.mark.parametrize("status", ["", "5.0.0"])
def test_a_refusal_without_a_reason_is_about_the_address_once_others_are_taken_meanwhile(
    verdicts: Verdicts, clock: MovedClock, code: int, status: str
) -> None:
    refusal = Reply(Stage.recipient, code, status)
    said = [verdicts.of(at("a.example"), refusal)]
    for _ in range(REFUSALS - 1):
        clock.at_s += REFUSALS_APART_S
        verdicts.of(at("a.example", "other"), TAKEN)
        said.append(verdicts.of(at("a.example"), refusal))
    assert said == [Verdict.later] * (REFUSALS - 1) + [Verdict.bounced]


def test_where_nobody_is_taken_it_is_about_us(verdicts: Verdicts, clock: MovedClock) -> None:
    """Of this provider: that others take our mails says nothing of it."""
    for number in range(4 * REFUSALS):
        clock.at_s += REFUSALS_APART_S
        assert verdicts.of(at("other.example"), TAKEN) is Verdict.accepted
        for name in ("user", f"other{number}"):
            assert verdicts.of(at("a.example", name), BARE) is Verdict.later


def test_what_is_refused_several_times_at_once_is_refused_once(verdicts: Verdicts) -> None:
    for _ in range(4 * REFUSALS):
        verdicts.of(at("a.example", "other"), TAKEN)
        assert verdicts.of(at("a.example"), BARE) is Verdict.later


def test_whoever_is_taken_after_all_is_in_doubt_no_more(verdicts: Verdicts, clock: MovedClock) -> None:
    for _ in range(4):
        for _ in range(REFUSALS - 1):
            clock.at_s += REFUSALS_APART_S
            verdicts.of(at("a.example", "other"), TAKEN)
            assert verdicts.of(at("a.example"), BARE) is Verdict.later
        assert verdicts.of(at("a.example"), TAKEN) is Verdict.accepted


def test_memory_is_bounded(verdicts: Verdicts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "DOUBTS_LIMIT", 10)
    for number in range(25):
        assert verdicts.of(at(f"d{number}.example"), BARE) is Verdict.later
    assert len(verdicts._doubts) <= 10 < DOUBTS_LIMIT
    assert len(verdicts._taken) <= 10
