"""Merges that no street has answered are told to the operators by mail: one for what became overdue together."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from structlog.testing import capture_logs

from schemas.merges import MergeOverdue
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import mailing, rows, say, settled

OPERATORS: Final = "operators@mail.example"
STREET: Final = UUID(int=0x5EE7)
WAITING: Final = "SELECT count(*) AS waiting FROM hub.delivery WHERE receiver LIKE 'mail%'"


def overdue(number: int, points: int) -> MergeOverdue:
    return MergeOverdue(
        citizen_id=UUID(int=16), hold_id=UUID(int=number), street_id=STREET, pool="scheme:232343", points=points,
        opened_at=datetime(2026, 1, 10, 3, number, tzinfo=UTC),
    )  # fmt: skip


async def test_one_mail_tells_of_all_that_became_overdue_together(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox, operator_mail_to=OPERATORS) as process:
        await say(process, overdue(2, 1_000), overdue(1, 234))
        await settled(process)
    (mail,) = await mailbox.mails()
    assert mail["envelope_to"] == OPERATORS
    assert dict(mail["headers"])["Subject"].startswith("【要確認】商店街が合算に応答していません（2件）")
    for words in ("1,234", "2026-01-10 12:01:00 JST", f"mykey-hub streets merges {STREET}"):
        assert words in mail["text"]


async def test_without_an_address_nothing_is_sent(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        with capture_logs() as logged:
            await say(process, overdue(1, 1))
            await settled(process)
        assert {"event": "overdue_merges_told_to_nobody", "setting": "MYKEY_OPERATOR_MAIL_TO"}.items() <= next(
            one for one in logged if one["log_level"] == "warning"
        ).items()
        assert await rows(process, WAITING) == [{"waiting": 0}]
    assert await mailbox.mails() == []
