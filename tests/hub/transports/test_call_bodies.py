"""What goes between processes comes out as it went in, and anything else is refused in whole."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import pytest

from hub.transports.call_bodies import call_of, read_call, read_reply, reply_of
from hub.versions import UnreadableMessageError
from schemas.citizens import Candidate, CheckMyKeyId, CitizenRegistered, MailChoices
from schemas.message import Message
from schemas.points import BalanceOf, Balances, Lot
from tests.hub.parts import credit, key_in, posted

TRACEPARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CHECK: Final = CheckMyKeyId(enrolment_id=key_in(1), mykey_id="ABCD1234")
BALANCE: Final = BalanceOf(citizen_id=key_in(2))
BALANCES: Final = Balances(by_pool={"reserve": 5}, lots=[])


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [credit(1)],
        [credit(1), credit(2), BALANCE, credit(3)],
        [CitizenRegistered(citizen_id=key_in(3), name="二行\n目", mail="a@b.jp", choices=MailChoices())],
    ],
    ids=["none", "one", "mixed", "line end"],
)
def test_a_call_comes_out_as_it_went_in(messages: list[Message]) -> None:
    assert read_call(call_of(TRACEPARENT, messages)) == (TRACEPARENT, messages)


@pytest.mark.parametrize(
    "messages, answers",
    [
        ([credit(1)], [posted(1)]),
        ([credit(1), credit(2)], [None, posted(2)]),
        ([credit(1), BALANCE, CHECK, CHECK], [posted(1), BALANCES, Candidate(free=True), None]),
    ],
    ids=["one", "none for a command", "mixed"],
)
def test_a_reply_comes_out_as_it_went_in(messages: Sequence[Message], answers: list[Any]) -> None:
    assert read_reply(reply_of(answers, messages), messages) == answers


def test_what_a_newer_process_says_more_is_left_out() -> None:
    held = Balances(by_pool={"reserve": 5}, lots=[Lot(pool="reserve", expires_on=date(2017, 10, 31), points=5)])
    reply = reply_of([held], [BALANCE]).replace(b'"points":5', b'"points":5,"since":"2017-10-01"')
    newer = reply.replace(b'"by_pool"', b'"as_of":"2017-10-10","by_pool"')
    assert newer.count(b"2017-10-") == reply.count(b"2017-10-") + 1 == 3
    assert read_reply(newer, [BALANCE]) == [held]


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"[]",
        b"[null]",
        b"[null,null,null]",
        b"[null,null]\n[]",
        b"[1,2]",
        reply_of([BALANCES, BALANCES], [BALANCE, BALANCE]),
    ],
)
def test_a_reply_to_something_else_is_refused(reply: bytes) -> None:
    with pytest.raises(UnreadableMessageError):
        read_reply(reply, [credit(1), credit(2)])


@pytest.mark.parametrize("lines", [[b"no.such.type.v1", b"[]"], [credit(1).TYPE.encode(), b"[{}]"]])
def test_a_call_that_this_program_cannot_read_is_refused(lines: list[bytes]) -> None:
    with pytest.raises(UnreadableMessageError):
        read_call(b"\n".join([TRACEPARENT.encode(), *lines]))
