"""What is told about an event, and that it is the same notice however often it is derived."""

from datetime import date, timedelta
from uuid import UUID

from connectors.mail.notices import first_id_of, notice_id, notice_of
from schemas.notices import NoticeKind, PointsExpiringSoon, PointsMovingSoon
from tests.connectors.mail.posting import DAY, LG_CODE, POOL, citizen_id, credited


def test_the_same_event_is_the_same_notice() -> None:
    event = credited(citizen_id(1))
    assert notice_of(event) == notice_of(event.model_copy())


def test_events_that_differ_in_anything_that_tells_them_apart_are_different_notices() -> None:
    event = credited(citizen_id(1))
    changes: list[dict[str, object]] = [
        {"citizen_id": UUID(int=99)},
        {"party_id": UUID(int=99)},
        {"command_id": "another"},
        {"pool": "reserve"},
        {"balance": 1},
        {"posted_on": DAY + timedelta(days=1)},
    ]
    ids = {notice_of(event.model_copy(update=change)).notice_id for change in [{}, *changes]}
    assert len(ids) == len(changes) + 1


def test_a_reminder_said_again_is_the_same_notice_whatever_has_changed_since() -> None:
    moving = PointsMovingSoon(citizen_id=UUID(int=1), points=5, moves_on=DAY, base_lg_code=LG_CODE)
    expiring = PointsExpiringSoon(citizen_id=UUID(int=1), pool=POOL, points=5, expires_on=DAY)
    for event in (moving, expiring):
        assert notice_of(event).notice_id == notice_of(event.model_copy(update={"points": 6})).notice_id
    assert notice_of(moving).pool == POOL


def test_ids_of_a_day_lie_side_by_side() -> None:
    for day in (date(2017, 11, 1), date(2017, 12, 31), date.max - timedelta(days=1)):
        made = notice_id(NoticeKind.granted, day, "x")
        assert first_id_of(day) < made < first_id_of(day + timedelta(days=1))
        assert (made.version, made.variant) == (8, "specified in RFC 4122")
