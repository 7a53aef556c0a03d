"""What comes late: a message that failed comes again after those that were said later, and must undo none of them."""

import pytest

from connectors.mail.recipients import NotRegisteredYetError, Recipients, schemes_registered
from hub.keys import Keys
from hub.process import HubProcess
from schemas.citizens import MailChoices, MailChoicesChanged
from schemas.mykey_ids import MailAddressChanged, MyKeyIdRevoked
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import POOL, citizen, citizen_id, mailing, rows, say, scheme, settled
from tests.running import SECRET_KEY
from tests.waiting import wait_until

ONE = citizen_id(1)
RECIPIENTS = Recipients(Keys(SECRET_KEY.encode()).sealer("mail"))
FIRST, SECOND, THIRD = "user1@mail.example", "second@mail.example", "third@mail.example"
CHOICES = "SELECT on_grant, on_expiry FROM mail.recipient"
NAMES = "SELECT point_name FROM mail.pool_name WHERE pool = $1"


def moved(old_mail: str, mail: str, revision: int) -> MailAddressChanged:
    return MailAddressChanged(citizen_id=ONE, old_mail=old_mail, mail=mail, revision=revision)


def chose(revision: int, **choices: bool) -> MailChoicesChanged:
    return MailChoicesChanged(citizen_id=ONE, choices=MailChoices(**choices), revision=revision)


async def address_of(process: HubProcess) -> str | None:
    """Where the citizen's mail goes."""
    async with process.database_of("mail").transaction() as tx:
        found = await RECIPIENTS.found([ONE], tx)
    return found[ONE].address if found else None


async def test_a_change_of_address_that_comes_late_undoes_no_later_one(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), moved(SECOND, THIRD, 2))
        await say(process, moved(FIRST, SECOND, 1))
        await settled(process)
        assert await address_of(process) == THIRD
        await say(process, moved(THIRD, FIRST, 0))
        await settled(process)
        assert await address_of(process) == FIRST, "a release before this numbers nothing"
        await say(process, moved(FIRST, SECOND, 1))
        await settled(process)
        assert await address_of(process) == FIRST


async def test_of_changes_that_come_together_the_last_counts(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), moved(SECOND, THIRD, 2), moved(FIRST, SECOND, 1))
        await settled(process)
        assert await address_of(process) == THIRD


async def test_choices_that_come_late_undo_no_later_ones(database_url: str, mailbox: Mailbox) -> None:
    """And an address changed meanwhile, which has a later number, keeps none of them from counting."""
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), moved(FIRST, SECOND, 3), chose(2, on_expiry=True))
        await settled(process)
        assert await rows(process, CHOICES) == [{"on_grant": False, "on_expiry": True}]
        await say(process, chose(1, on_grant=True))
        await settled(process)
        assert await rows(process, CHOICES) == [{"on_grant": False, "on_expiry": True}]
        assert await address_of(process) == SECOND


async def test_a_registration_that_comes_late_undoes_nothing(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, citizen(1), moved(FIRST, SECOND, 1), citizen(1))
        await settled(process)
        assert await address_of(process) == SECOND
        await say(process, MyKeyIdRevoked(citizen_id=ONE))
        await say(process, citizen(1), moved(FIRST, SECOND, 1), chose(2, on_grant=True))
        await settled(process)
        assert await address_of(process) is None
        assert await rows(process, "SELECT state FROM hub.delivery WHERE receiver = 'mail'") == []


async def test_a_change_waits_for_its_registration(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:

        async def has_moved() -> bool:
            return await address_of(process) == SECOND

        async with process.database_of("mail").transaction() as tx:
            with pytest.raises(NotRegisteredYetError):
                await RECIPIENTS.change_addresses([moved(FIRST, SECOND, 1)], tx)
            with pytest.raises(NotRegisteredYetError):
                await RECIPIENTS.choices_changed([chose(1)], tx)
        await say(process, moved(FIRST, SECOND, 1), citizen(1))
        await settled(process)
        assert await address_of(process) == FIRST
        await wait_until(has_moved)


async def test_an_old_name_of_a_scheme_takes_no_newer_ones_place(database_url: str, mailbox: Mailbox) -> None:
    new = scheme().model_copy(update={"point_name": "新ポイント", "revision": 2})
    old = scheme().model_copy(update={"revision": 1})
    async with mailing(database_url, mailbox) as process, process.database_of("mail").transaction() as tx:
        await schemes_registered([new, old], tx)
        assert await tx.fetch_value(NAMES, POOL) == "新ポイント"
        await schemes_registered([old], tx)
        assert await tx.fetch_value(NAMES, POOL) == "新ポイント"
        await schemes_registered([scheme()], tx)
        assert await tx.fetch_value(NAMES, POOL) == scheme().point_name, "a release before this numbers nothing"
