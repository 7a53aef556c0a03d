"""Tokens that switch one choice off, and cannot be made or changed by anybody else."""

from uuid import uuid4

import pytest

from connectors.mail.choices import CHOICE_OF, Choice
from connectors.mail.unsubscribing import Unsubscribing
from hub.keys import Keys
from schemas.citizens import MailChoice, MailChoices
from schemas.notices import NoticeKind

OURS = Unsubscribing(Keys(b"k" * 32).hasher("test"), "https://mykey.example")
OTHERS = Unsubscribing(Keys(b"o" * 32).hasher("test"), "https://mykey.example")


@pytest.mark.parametrize("choice", list(Choice))
def test_a_token_names_its_citizen_and_choice(choice: Choice) -> None:
    citizen_id = uuid4()
    assert OURS.read(OURS.token(citizen_id, choice)) == (citizen_id, choice)


def test_a_token_changed_anywhere_is_none() -> None:
    token = OURS.token(uuid4(), Choice.on_grant)
    for at, sign in enumerate(token):
        other = "A" if sign != "A" else "B"
        assert OURS.read(token[:at] + other + token[at + 1 :]) is None


@pytest.mark.parametrize("token", ["", "A" * 44, "あ" * 44, "=" * 44, "A" * 43, "A" * 45, "A" * 40 + "===="])
def test_what_we_did_not_make_is_none(token: str) -> None:
    assert OURS.read(token) is None


def test_another_installations_token_is_none() -> None:
    assert OURS.read(OTHERS.token(uuid4(), Choice.on_grant)) is None


def test_every_notice_has_a_choice_that_the_registry_knows() -> None:
    assert set(CHOICE_OF) == set(NoticeKind)
    assert set(MailChoice) == set(MailChoices.model_fields)
    assert set(Choice) < set(MailChoice)
