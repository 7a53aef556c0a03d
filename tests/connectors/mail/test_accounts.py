"""Mails about MyKey IDs, passwords and addresses: who gets one, what it says, and who is forgotten after it."""

import re
from html import unescape

import pytest

from hub.process import HubProcess
from schemas.citizens import MailChoices
from schemas.message import Event
from schemas.mykey_ids import MailAddressChanged, MyKeyIdChanged, MyKeyIdCreated, MyKeyIdRevoked, PasswordChanged
from schemas.notices import MailAddressStateOf
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import citizen, citizen_id, credited, mailing, rows, say, scheme, settled

ONE = citizen_id(1)
DEADLINE_S = 10.0
OLD, NEW = "user1@mail.example", "other@mail.example"


async def told(process: HubProcess, mailbox: Mailbox, *events: Event) -> dict[str, str]:
    """Recipient → text of the mails that come of these events."""
    await mailbox.forget()
    await say(process, *events)
    await settled(process)
    mails = await mailbox.mails()
    return {mail["envelope_to"]: f"{dict(mail['headers'])['Subject']}\n{mail['text']}" for mail in mails}


@pytest.mark.parametrize(
    "event, words",
    [
        (MyKeyIdCreated(citizen_id=ONE), "マイキーIDが登録されました"),
        (MyKeyIdChanged(citizen_id=ONE), "マイキーIDが変更されました"),
        (PasswordChanged(citizen_id=ONE), "パスワードが変更されました"),
        (MyKeyIdRevoked(citizen_id=ONE), "マイキーIDを失効しました。"),
    ],
)
async def test_whoever_chose_it_is_told(database_url: str, mailbox: Mailbox, event: Event, words: str) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), citizen(2, MailChoices(on_grant=True, on_expiry=True)))
        others = event.model_copy(update={"citizen_id": citizen_id(2)})
        unknown = event.model_copy(update={"citizen_id": citizen_id(3)})
        mails = await told(process, mailbox, event, others, unknown)
    assert list(mails) == [OLD]
    assert words in mails[OLD]
    assert "試験 1 様" in mails[OLD]
    assert "2017年11月1日 12:0" in mails[OLD]
    assert "$" not in mails[OLD]


async def test_the_html_beside_it_says_the_same_and_a_name_is_text_in_it(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1).model_copy(update={"name": "<b>試験</b> & 一"}))
        await mailbox.forget()
        await say(process, PasswordChanged(citizen_id=ONE))
        await settled(process)
        (mail,) = await mailbox.mails()
    assert "<b>試験</b> & 一 様" in mail["text"]
    assert "&lt;b&gt;試験&lt;/b&gt; &amp; 一 様" in mail["html"]
    body = mail["html"].partition("<main")[2].partition("</main>")[0]
    words = unescape(re.sub("<[^>]+>", "", body))
    for line in mail["text"].partition("――")[0].split():
        assert line in words
    assert "$" not in mail["html"]


async def test_the_old_address_is_told_of_the_new_one(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1, MailChoices(on_grant=True)))
        await settled(process)
        mails = await told(process, mailbox, MailAddressChanged(citizen_id=ONE, old_mail=OLD, mail=NEW))
        assert set(mails) == {OLD, NEW}
        assert "別のメールアドレスに変更されました" in mails[OLD]
        assert NEW not in mails[OLD]
        assert set(await told(process, mailbox, credited(ONE))) == {NEW}


async def test_the_same_address_again_counts_as_good_and_nobody_is_told(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(recipients={OLD: "550 5.1.1 nobody"})
    state = MailAddressStateOf(citizen_id=ONE)
    async with mailing(database_url, mailbox) as process:
        assert (await process.call(state, DEADLINE_S)).is_reached, "nobody knows"
        await say(process, scheme(), citizen(1), credited(ONE))
        await settled(process)
        assert not (await process.call(state, DEADLINE_S)).is_reached
        assert await told(process, mailbox, MailAddressChanged(citizen_id=ONE, old_mail=OLD, mail=OLD)) == {}
        assert (await process.call(state, DEADLINE_S)).is_reached
        assert set(await told(process, mailbox, credited(ONE))) == {OLD}


async def test_who_was_revoked_is_forgotten(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), citizen(2))
        assert set(await told(process, mailbox, MyKeyIdRevoked(citizen_id=ONE))) == {OLD}
        assert await told(process, mailbox, credited(ONE), PasswordChanged(citizen_id=ONE)) == {}
        kept = await rows(process, "SELECT citizen_id FROM mail.recipient")
    assert [row["citizen_id"] for row in kept] == [citizen_id(2)]


async def test_an_address_that_bounces_parks_nothing(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(recipients={OLD: "550 5.1.1 nobody"})
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), citizen(2, mail="user@@mail.example"))
        await say(process, PasswordChanged(citizen_id=ONE), PasswordChanged(citizen_id=citizen_id(2)))
        await say(process, MailAddressChanged(citizen_id=ONE, old_mail="a@@b", mail=OLD))
        await settled(process)
        assert await mailbox.mails() == []
        async with process.database_of("mail").connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM hub.delivery") == 0


async def test_an_address_that_bounces_is_told_where_it_is_still_the_citizens(
    database_url: str, mailbox: Mailbox
) -> None:
    await mailbox.misbehave(recipients={OLD: "550 5.1.1 nobody"})
    state = MailAddressStateOf(citizen_id=ONE)
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), PasswordChanged(citizen_id=ONE))
        await settled(process)
        assert not (await process.call(state, DEADLINE_S)).is_reached
        await say(process, MailAddressChanged(citizen_id=ONE, old_mail=OLD, mail=NEW))
        await settled(process)
        assert (await process.call(state, DEADLINE_S)).is_reached


async def test_what_a_provider_asks_for_holds_for_mails_about_accounts_too(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(recipient_replies=["450 4.7.1 too much"])
    waiting = "SELECT state, attempts, reason FROM hub.delivery WHERE receiver LIKE 'mail.outside%' ORDER BY id"
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), PasswordChanged(citizen_id=ONE))
        await settled(process)
        await say(process, PasswordChanged(citizen_id=ONE))
        await settled(process)
        first, second = await rows(process, waiting)
        assert (first["state"], first["attempts"]) == ("scheduled", 1)
        assert (second["state"], second["attempts"]) == ("scheduled", 0)
        assert second["reason"] == "NotYetError: one provider's turn"


async def test_the_server_may_want_it_later(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(recipients={OLD: "450 4.2.0 later"})
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), PasswordChanged(citizen_id=ONE))
        await settled(process)
        async with process.database_of("mail").connection() as connection:
            assert await connection.fetchval("SELECT state FROM hub.delivery") == "scheduled"
