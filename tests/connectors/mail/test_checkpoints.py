"""Signed checkpoints leave by mail, to the one address in the settings."""

from typing import Final

from schemas.audit import CheckpointSigned
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import SENDER, mailing, rows, say, settled

KEEPER: Final = "keeper@mail.example"
DOCUMENT: Final = '{"checkpoint": 7, "time": "2026-01-10T03:00:12Z",\n "heads": [\n ],\n "signature": "x"}\n'
WAITING: Final = "SELECT count(*) AS waiting FROM hub.delivery"


async def test_a_checkpoint_is_mailed_as_it_was_signed(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox, checkpoint_mail_to=KEEPER) as process:
        await say(process, CheckpointSigned(number=7, document=DOCUMENT))
        await settled(process)
        await say(process, CheckpointSigned(number=7, document=DOCUMENT))
        await settled(process)
    first, second = await mailbox.mails()
    headers = dict(first["headers"])

    assert (first["envelope_from"], first["envelope_to"]) == (SENDER, KEEPER)
    assert headers["Subject"] == "ポイント台帳の確認記録 第7号"
    assert headers["Message-ID"].startswith("<checkpoint.7.")
    assert dict(second["headers"])["Message-ID"] == headers["Message-ID"]
    assert headers["X-MyKey-Trace"].startswith("00-")
    assert "2026年1月10日 12:00:12（日本時間）" in first["text"]
    assert DOCUMENT.strip() in first["text"].replace("\r\n", "\n")


async def test_without_an_address_nothing_is_sent(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, CheckpointSigned(number=7, document=DOCUMENT))
        await settled(process)
        assert await rows(process, WAITING) == [{"waiting": 0}]
    assert await mailbox.mails() == []
