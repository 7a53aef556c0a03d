"""What arrives in the mailbox, and what is kept of it, when mail servers are well and when they are not."""

import asyncio
import os
import signal
import sys
import time
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import pytest

from connectors.mail.conversation import Reply
from connectors.mail.notices import notice_of
from connectors.mail.refusals import REFUSALS
from connectors.mail.smtp import SmtpPool
from hub.clock import AdjustableClock
from hub.failpoints import ENVIRONMENT
from hub.process import STOP_LIMIT_S, HubProcess
from schemas.citizens import MailChoices, MailChoicesChanged
from schemas.grants import PointsGranted
from schemas.message import Event
from schemas.mykey_ids import MailAddressChanged, PasswordChanged
from schemas.notices import PointsExpiringSoon, PointsMovingSoon
from schemas.points import PointsExpired, PointsMoved
from schemas.values import LANES, RESERVE
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import (
    DAY,
    LG_CODE,
    POOL,
    SENDER,
    citizen,
    citizen_id,
    credited,
    mailing,
    rows,
    say,
    scheme,
    settled,
)
from tests.waiting import wait_until

NOTICES: Final = "SELECT * FROM mail.notice"
STATE: Final = "SELECT state FROM mail.recipient WHERE citizen_id = $1"
BOUNCED: Final = "SELECT citizen_id FROM mail.recipient WHERE state = 'bounced'"
ADDRESS: Final = "SELECT address_sealed FROM mail.recipient WHERE citizen_id = $1"
WAITING: Final = """
SELECT state, reason, attempts, cardinality(message_ids) AS messages FROM hub.delivery WHERE receiver = 'mail.outside'
"""
NOBODY_SEEN: Final = "DELETE FROM hub.process"
LEASES_RUN_OUT: Final = "UPDATE hub.lane SET lease_until = '-infinity'"
COUNT: Final = 20
SOME: Final = 50
DUE_NOW: Final = "UPDATE hub.delivery SET due_at = now() WHERE receiver = 'mail.outside' AND state = 'scheduled'"


async def hurry(process: HubProcess) -> None:
    """What is scheduled is due now."""
    async with process.database_of("mail").transaction() as tx:
        await tx.execute(DUE_NOW)


def expired(to: UUID) -> PointsExpired:
    return PointsExpired(
        citizen_id=to,
        party_id=UUID(int=2),
        command_id="expire-1",
        pool=POOL,
        points=30,
        balance=0,
        posted_on=DAY,
    )


def moved(to: UUID) -> PointsMoved:
    return PointsMoved(
        citizen_id=to,
        party_id=UUID(int=2),
        command_id="sweep-1",
        pool=POOL,
        points=1_200,
        balance=1_200,
        posted_on=DAY,
        expires_on=date.max,
        by_itself=True,
    )


async def test_a_grant_is_told_by_name_with_the_pool_and_the_days(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        event = credited(citizen_id(1), points=1_500)
        await say(process, scheme(), citizen(1, name="加藤 誠"))
        await settled(process)
        await say(process, event)
        await settled(process)
        (mail,) = await mailbox.mails()
        headers = dict(mail["headers"])
        assert mail["envelope_from"] == SENDER
        assert mail["envelope_to"] == "user1@mail.example"
        assert headers["Message-ID"] == f"<{notice_of(event).notice_id}@mykey.example>"
        assert headers["Subject"] == "ポイントが付与されました"
        for said in ("加藤 誠 様", "さくらポイント（北名古屋市）が1,500ポイント", "2017年11月1日", "2018年11月30日"):
            assert said in mail["text"]
        assert "98,765" not in mail["text"]
        (notice,) = await rows(process, NOTICES)
        assert (notice["state"], notice["smtp_code"]) == ("sent", 250)


async def test_what_a_programme_grants_is_told_of_as_a_partners_points_are(database_url: str, mailbox: Mailbox) -> None:
    granted = PointsGranted(**credited(citizen_id(1), points=300).model_dump(), programme_id=UUID(int=7))
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), citizen(2, MailChoices(on_expiry=True)))
        await settled(process)
        await say(process, granted, granted.model_copy(update={"citizen_id": citizen_id(2)}))
        await settled(process)
    (mail,) = await mailbox.mails()
    assert mail["envelope_to"] == "user1@mail.example"
    assert "さくらポイント（北名古屋市）が300ポイント" in mail["text"]


def expiring(points: int, day: date) -> PointsExpiringSoon:
    return PointsExpiringSoon(citizen_id=citizen_id(1), pool=POOL, points=points, expires_on=day)


def moving(points: int, day: date) -> PointsMovingSoon:
    return PointsMovingSoon(citizen_id=citizen_id(1), points=points, moves_on=day, base_lg_code=LG_CODE)


async def test_nobody_is_reminded_of_a_day_that_is_over_in_japan(database_url: str, mailbox: Mailbox) -> None:
    """The last day of points is still worth a reminder, the day on which they move by themselves is not."""
    yesterday, today, tomorrow = DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)
    in_japan = AdjustableClock(datetime(DAY.year, DAY.month, DAY.day, 16, tzinfo=UTC))
    assert in_japan.business_date() == today
    async with mailing(database_url, mailbox, clock=in_japan) as process:
        await say(process, scheme(), citizen(1))
        await settled(process)
        await say(process, expiring(11, yesterday), expiring(22, today), expiring(33, tomorrow))
        await say(process, moving(44, yesterday), moving(55, today), moving(66, tomorrow))
        await settled(process)
        told = " ".join(mail["text"] for mail in await mailbox.mails())
        assert [points for points in (11, 22, 33, 44, 55, 66) if f"{points}ポイント" in told] == [22, 33, 66]
        assert await rows(process, WAITING) == []


async def test_a_reminder_that_had_to_wait_until_its_day_was_over_is_not_sent(
    database_url: str, mailbox: Mailbox
) -> None:
    await mailbox.misbehave(recipient_replies=["450 4.2.0 greylisted"])
    clock = AdjustableClock(datetime(DAY.year, DAY.month, DAY.day, 3, tzinfo=UTC))
    async with mailing(database_url, mailbox, clock=clock) as process:
        await say(process, scheme(), citizen(1), expiring(11, DAY))
        await wait_until(lambda: _has(process, "scheduled"))
        clock.move_to(datetime(DAY.year, DAY.month, DAY.day + 1, 3, tzinfo=UTC))
        await hurry(process)
        await wait_until(partial(_nothing_waits, process))
        await settled(process)
        assert (await mailbox.stats())["mails"] == 0
        assert await rows(process, NOTICES) == []


async def _nothing_waits(process: HubProcess) -> bool:
    return await rows(process, WAITING) == []


async def test_each_choice_brings_its_own_notices_and_no_others(database_url: str, mailbox: Mailbox) -> None:
    choices = [
        MailChoices(on_grant=True),
        MailChoices(on_expiry=True),
        MailChoices(on_password_change=True, on_mykey_id_change=True),
    ]
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), *(citizen(n, choice) for n, choice in enumerate(choices)))
        for number in range(len(choices)):
            to = citizen_id(number)
            await say(
                process,
                credited(to),
                credited(to, pool=RESERVE),
                moved(to),
                expired(to),
                PointsMovingSoon(citizen_id=to, points=70, moves_on=date(2017, 11, 22), base_lg_code=LG_CODE),
                PointsExpiringSoon(citizen_id=to, pool=POOL, points=80, expires_on=date(2017, 11, 30)),
            )
        await settled(process)
        got = {(mail["envelope_to"], dict(mail["headers"])["Subject"]) for mail in await mailbox.mails()}
    assert got == {
        ("user0@mail.example", "ポイントが付与されました"),
        ("user0@mail.example", "ポイントが移りました"),
        ("user0@mail.example", "まもなくポイントが移ります"),
        ("user1@mail.example", "ポイントが失効しました"),
        ("user1@mail.example", "まもなくポイントの有効期限です"),
    }


async def test_a_late_bounce_of_the_old_address_says_nothing_of_the_new_one(
    database_url: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailbox.misbehave(recipients={"user1@mail.example": "550 5.1.1 no such user"})
    old, new = "user1@mail.example", "right@mail.example"
    deliver = SmtpPool.deliver
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1))
        await settled(process)
        (before,) = await rows(process, ADDRESS, citizen_id(1))

        async def is_mended() -> bool:
            return await rows(process, ADDRESS, citizen_id(1)) != [before]

        async def mended_meanwhile(pool: SmtpPool, sender: str, recipient: str, message: bytes) -> Reply:
            if recipient == old:
                await say(process, MailAddressChanged(citizen_id=citizen_id(1), old_mail=old, mail=new))
                await wait_until(is_mended)
            return await deliver(pool, sender, recipient, message)

        monkeypatch.setattr(SmtpPool, "deliver", mended_meanwhile)
        await say(process, credited(citizen_id(1)))
        await wait_until(is_mended)
        monkeypatch.setattr(SmtpPool, "deliver", deliver)
        await settled(process)
        assert [row["state"] for row in await rows(process, NOTICES)] == ["bounced"]
        assert await rows(process, STATE, citizen_id(1)) == [{"state": "ok"}]
        await say(process, credited(citizen_id(1)))
        await settled(process)
        assert (await mailbox.stats())["by_subject"]["ポイントが付与されました"] == 1


async def test_a_choice_switched_off_holds_for_mails_already_on_their_way(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(recipient_replies=["451 4.3.0 later"] * 2)
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), credited(citizen_id(1)))
        await wait_until(lambda: _has(process, "scheduled"))
        await say(process, MailChoicesChanged(citizen_id=citizen_id(1), choices=MailChoices()))
        await settled(process)
        await hurry(process)
        await settled(process)
        assert (await mailbox.stats())["mails"] == 0
        assert await rows(process, WAITING) == []


async def _has(process: HubProcess, state: str) -> bool:
    return any(row["state"] == state for row in await rows(process, WAITING))


async def test_4xx_is_tried_again_later_and_then_arrives_once(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(recipient_replies=["450 4.2.0 greylisted"])
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), credited(citizen_id(1)))
        await wait_until(lambda: _refused(mailbox, 1))
        await settled(process)
        assert await _has(process, "scheduled")
        assert await rows(process, NOTICES) == []
        await hurry(process)
        await wait_until(lambda: _arrived(mailbox, 1))
        await settled(process)
        assert (await mailbox.stats())["duplicates"] == 0
        assert await rows(process, WAITING) == []


async def _refused(mailbox: Mailbox, count: int) -> bool:
    return bool((await mailbox.stats())["refused"] >= count)


async def _arrived(mailbox: Mailbox, count: int) -> bool:
    return bool((await mailbox.stats())["mails"] >= count)


async def test_5xx_on_the_recipient_marks_the_address_and_is_never_tried_again(
    database_url: str, mailbox: Mailbox
) -> None:
    await mailbox.misbehave(recipients={"user1@mail.example": "550 5.1.1 no such user"})
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), citizen(2), credited(citizen_id(1)), credited(citizen_id(2)))
        await settled(process)
        (state,) = await rows(process, STATE, citizen_id(1))
        assert state == {"state": "bounced"}
        assert {row["state"] for row in await rows(process, NOTICES)} == {"bounced", "sent"}
        assert await rows(process, WAITING) == []
        await say(process, credited(citizen_id(1)))
        await settled(process)
        stats = await mailbox.stats()
        assert (stats["refused"], stats["mails"]) == (1, 1)


async def test_a_new_address_after_a_bounce_gets_mail_again(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(recipients={"user1@mail.example": "550 5.1.1 no such user"})
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), credited(citizen_id(1)))
        await settled(process)
        changed = MailAddressChanged(citizen_id=citizen_id(1), old_mail="user1@mail.example", mail="new@mail.example")
        await say(process, changed, credited(citizen_id(1)))
        await settled(process)
        mails = await mailbox.mails()
        assert {mail["envelope_to"] for mail in mails} == {"new@mail.example"}
        assert "ポイントが付与されました" in {dict(mail["headers"])["Subject"] for mail in mails}


@pytest.mark.parametrize("found_by", [credited(citizen_id(1)), PasswordChanged(citizen_id=citizen_id(1))])
async def test_addresses_marked_since_a_day_count_as_good_again_by_the_operators_page(
    database_url: str, mailbox: Mailbox, found_by: Event
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "mail.md").read_text("utf-8")
    statement = page.partition("```sql\n")[2].partition("```")[0]
    await mailbox.misbehave(recipients={"user1@mail.example": "550 5.1.1 no such user"})
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), found_by)
        await settled(process)
        await mailbox.misbehave()
        for since, state in (("2018-01-10 09:00", "bounced"), (f"{DAY} 09:00", "ok")):
            connection = await asyncpg.connect(database_url)
            await connection.execute(statement.replace("2026-01-10 09:00", since))
            await connection.close()
            assert await rows(process, STATE, citizen_id(1)) == [{"state": state}]
        await say(process, credited(citizen_id(1)))
        await settled(process)
        assert (await mailbox.stats())["mails"] == 1


@pytest.mark.parametrize(
    "faults",
    [
        {"sender_reply": "550 5.7.1 we do not know you"},
        {"data_replies": ["554 5.6.0 what is this"]},
        {"recipient_replies": ["550 5.7.1 you are blocked"]},
        {"recipient_replies": ["554 Service unavailable; client host blocked"]},
    ],
)
async def test_5xx_about_us_parks_the_notice_and_leaves_the_address_alone(
    database_url: str, mailbox: Mailbox, faults: dict[str, object]
) -> None:
    await mailbox.misbehave(**faults)
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), credited(citizen_id(1)))
        await settled(process)
        (waiting,) = await rows(process, WAITING)
        assert waiting["state"] == "parked"
        assert waiting["reason"].startswith("MailRefusedError: SMTP")
        assert await rows(process, STATE, citizen_id(1)) == [{"state": "ok"}]


async def test_a_server_that_refuses_everybody_without_a_reason_marks_no_address(
    database_url: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.mail.refusals.REFUSALS_APART_S", 0.0)
    await mailbox.misbehave(recipient_replies=["550 relay not permitted"] * 100)
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), *(citizen(n) for n in range(4)), *(credited(citizen_id(n)) for n in range(4)))
        for tries in range(1, 5):
            await wait_until(partial(_are_tried, process, 4, tries))
            await hurry(process)
        assert await rows(process, NOTICES) == []
        assert await rows(process, BOUNCED) == []
        assert {row["reason"] for row in await rows(process, WAITING)} == {"MailDeferredError: SMTP recipient: 550"}
        await mailbox.misbehave()
        await hurry(process)
        await wait_until(lambda: _arrived(mailbox, 4))


async def test_an_address_refused_without_a_reason_while_its_neighbours_get_mail_is_marked(
    database_url: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.mail.refusals.REFUSALS_APART_S", 0.0)
    await mailbox.misbehave(recipients={"user1@mail.example": "550 no such user"})
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), citizen(2), credited(citizen_id(1)))
        for tries in range(1, REFUSALS):
            await wait_until(partial(_are_tried, process, 1, tries))
            await say(process, credited(citizen_id(2)))
            await wait_until(partial(_arrived, mailbox, tries))
            assert await rows(process, BOUNCED) == []
            await hurry(process)
        await wait_until(lambda: rows(process, BOUNCED))
        await settled(process)
        assert await rows(process, BOUNCED) == [{"citizen_id": citizen_id(1)}]
        assert await rows(process, WAITING) == []


async def _are_tried(process: HubProcess, messages: int, attempts: int) -> bool:
    waiting = await rows(process, WAITING)
    return [(row["state"], row["attempts"]) for row in waiting] == [("scheduled", attempts)] * messages


async def test_a_connection_cut_after_the_data_repeats_the_mail_under_its_own_message_id(
    database_url: str, mailbox: Mailbox
) -> None:
    await mailbox.misbehave(drop_after_data=1)
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), credited(citizen_id(1)))
        await wait_until(lambda: _arrived(mailbox, 2))
        await settled(process)
        stats = await mailbox.stats()
        assert (stats["mails"], stats["duplicates"]) == (2, 1)


async def test_a_slow_mail_server_is_given_up_and_tried_again(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(delay_s=30.0)
    async with mailing(database_url, mailbox, smtp_timeout_s=1.0) as process:
        await say(process, scheme(), citizen(1), credited(citizen_id(1)))
        await wait_until(lambda: _has(process, "scheduled"))
        (waiting,) = await rows(process, WAITING)
        assert waiting["reason"] == "NoAnswerError: SMTP: TimeoutError"
        await mailbox.misbehave()
        await hurry(process)
        await wait_until(lambda: _arrived(mailbox, 1))


async def test_a_mail_that_waits_for_its_domains_turn_keeps_no_process_from_ending(
    database_url: str, mailbox: Mailbox
) -> None:
    slowly = {"mail.example": 1 / (STOP_LIMIT_S - 1)}
    async with mailing(database_url, mailbox, mail_domain_rates=slowly) as process:
        await say(process, scheme(), citizen(1), credited(citizen_id(1)), credited(citizen_id(1)))
        await wait_until(lambda: _arrived(mailbox, 1))
        began_s = time.monotonic()
    assert time.monotonic() - began_s < STOP_LIMIT_S / 3
    async with mailing(database_url, mailbox) as process:
        await hurry(process)
        await wait_until(lambda: _arrived(mailbox, 2))
        await settled(process)
        assert await rows(process, WAITING) == []


async def test_one_providers_rate_holds_up_nobody_elses_mails_and_costs_no_attempts(
    database_url: str, mailbox: Mailbox
) -> None:
    """All in one lane, one after the other: for the provider that is slow, and for one that is not."""
    people = [citizen(n * LANES, mail=f"user{n}@{('slow', 'quick')[n % 2]}.example") for n in range(2 * SOME)]
    async with mailing(database_url, mailbox, mail_domain_rates={"slow.example": 1.0}) as process:
        await say(process, scheme(), *people)
        await settled(process)
        began_s = time.monotonic()
        await say(process, *(credited(one.citizen_id) for one in people))
        await wait_until(lambda: _arrived_at(mailbox, "quick.example", SOME), 30)
        await wait_until(lambda: _are_put_off(process), 30)
        arrived, passed_s = await _at(mailbox, "slow.example"), time.monotonic() - began_s
        assert 1 <= arrived <= 3 + passed_s
        waiting = await rows(process, WAITING)
        assert sum(row["messages"] for row in waiting) >= SOME - arrived - 1
        assert {(row["state"], row["attempts"]) for row in waiting} <= {("scheduled", 0), ("due", 0)}
        await wait_until(lambda: _arrived_at(mailbox, "slow.example", arrived + 3), 30)


async def test_a_pause_that_a_provider_asks_for_costs_attempts_only_whom_it_was_said_to(
    database_url: str, mailbox: Mailbox
) -> None:
    await mailbox.misbehave(recipient_replies=["450 4.7.1 too much"])
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), credited(citizen_id(1)))
        await wait_until(lambda: _has(process, "scheduled"))
        await say(process, credited(citizen_id(1)))
        await wait_until(lambda: _are_scheduled(process, 2))
        assert sorted(row["attempts"] for row in await rows(process, WAITING)) == [0, 1]


async def _are_put_off(process: HubProcess) -> bool:
    """All that is left; on a slow machine some of it is always due again."""
    return {row["reason"] for row in await rows(process, WAITING)} == {"NotYetError: one provider's turn"}


async def _are_scheduled(process: HubProcess, count: int) -> bool:
    return [row["state"] for row in await rows(process, WAITING)] == ["scheduled"] * count


async def _at(mailbox: Mailbox, domain: str) -> int:
    mails = await mailbox.mails(2 * SOME)
    return sum(mail["envelope_to"].endswith(f"@{domain}") for mail in mails)


async def _arrived_at(mailbox: Mailbox, domain: str, count: int) -> bool:
    return await _at(mailbox, domain) >= count


async def test_the_same_notice_again_is_not_sent_again(database_url: str, mailbox: Mailbox) -> None:
    event = credited(citizen_id(1))
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1), event, event)
        await settled(process)
        await say(process, event)
        await settled(process)
        stats = await mailbox.stats()
        assert stats["duplicates"] == 0 or stats["mails"] == 2  # two at once may race, later ones never
        before = stats["mails"]
        await say(process, event)
        await settled(process)
        assert (await mailbox.stats())["mails"] == before


async def test_an_address_that_is_none_is_marked_and_gets_nothing(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme(), citizen(1, mail="a@b.example\r\nBcc: c@d.example"), credited(citizen_id(1)))
        await settled(process)
        assert await rows(process, STATE, citizen_id(1)) == [{"state": "bounced"}]
        assert (await mailbox.stats())["mails"] == 0


async def test_a_crash_between_250_and_the_record_makes_one_duplicate_at_most(
    database_url: str, mailbox: Mailbox
) -> None:
    """F07: the mailer is killed at its third mail; every notice arrives, and none more than twice."""
    environment = {**os.environ, ENVIRONMENT: "mail.before_record:3"}
    arguments = ["-m", "tests.connectors.mail.one_mailer", database_url, str(mailbox.smtp_port), str(COUNT)]
    killed = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment)
    async with asyncio.timeout(30):
        assert await killed.wait() == -signal.SIGKILL
    async with mailing(database_url, mailbox) as process:
        async with process.database_of("mail").transaction() as tx:
            await tx.execute(LEASES_RUN_OUT)
            await tx.execute(NOBODY_SEEN)
        await wait_until(lambda: _all_recorded(process, COUNT), deadline_s=30)
        await settled(process)
    stats = await mailbox.stats()
    assert stats["distinct"] == COUNT
    assert stats["duplicates"] >= 1
    mails = [dict(mail["headers"])["Message-ID"] for mail in await mailbox.mails()]
    assert max(mails.count(one) for one in mails) == 2


async def _all_recorded(process: HubProcess, count: int) -> bool:
    return len(await rows(process, NOTICES)) == count


async def test_notices_of_long_ago_are_forgotten(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        old, new = (
            credited(citizen_id(1)).model_copy(update={"posted_on": DAY - timedelta(days=days)}) for days in (401, 1)
        )
        await say(process, scheme(), citizen(1), old, new)
        await settled(process)
        (component,) = process.components
        (job,) = component.jobs
        await job.run()
        kept = [row["notice_id"] for row in await rows(process, NOTICES)]
    assert kept == [notice_of(new).notice_id]
