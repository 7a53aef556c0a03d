"""A message made of values that are valid already is the same as one that was checked."""

import pickle
from copy import copy, deepcopy
from uuid import UUID

import pytest
from pydantic import ValidationError

from schemas.points import CreditPoints

PARTY = UUID(int=0xA1)
CITIZEN = UUID(int=1)
CHECKED = CreditPoints(
    party_id=PARTY, command_id="t-1", request_hash=bytes(16), citizen_id=CITIZEN, pool="reserve", points=5
)


@pytest.fixture
def trusted() -> CreditPoints:
    return CreditPoints.trusted(
        party_id=PARTY, command_id="t-1", request_hash=bytes(16), citizen_id=CITIZEN, pool="reserve", points=5
    )


def test_is_and_says_the_same(trusted: CreditPoints) -> None:
    assert trusted == CHECKED
    assert hash(trusted) == hash(CHECKED)
    assert repr(trusted) == repr(CHECKED)
    assert trusted.model_dump_json() == CHECKED.model_dump_json()
    assert trusted.model_dump(exclude_unset=True) == CHECKED.model_dump(exclude_unset=True)
    assert (trusted.key(), trusted.business_key()) == (CITIZEN, "t-1")


def test_is_frozen(trusted: CreditPoints) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        trusted.points = 6  # type: ignore[misc]


def test_copies_are_apart(trusted: CreditPoints) -> None:
    assert copy(trusted) == deepcopy(trusted) == pickle.loads(pickle.dumps(trusted)) == CHECKED  # noqa: S301 - our own
    changed = trusted.model_copy(update={"points": 6})
    assert (changed.points, trusted.points) == (6, 5)
    assert trusted.model_fields_set == CHECKED.model_fields_set
