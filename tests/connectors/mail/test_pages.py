"""The link and the button that end the mails, from the mail itself to the registry and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiohttp import ClientSession

from connectors.mail.choices import Choice
from connectors.mail.unsubscribing import PATH, Unsubscribing
from hub.keys import Keys
from hub.process import HubProcess
from schemas.citizens import ChangeMailChoices, MailChoices, ProfileOf, RegisterCitizen
from schemas.municipalities import RegisterScheme
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import EVERYTHING, LG_CODE, citizen_id, credited, mailing, rows, say, settled
from tests.hub.web.serving import serving
from tests.running import SECRET_KEY
from tests.waiting import wait_until

CHOICES: Final = "SELECT on_grant, on_expiry, on_password_change, on_mykey_id_change FROM mail.recipient"
KEEP_BACK: Final = "SELECT FROM mail.recipient FOR UPDATE"
OURS: Final = Unsubscribing(Keys(SECRET_KEY.encode()).hasher("mail.unsubscribe"), "")
ONE_CLICK: Final = {"List-Unsubscribe": "One-Click"}


@asynccontextmanager
async def one_mail(database_url: str, mailbox: Mailbox) -> AsyncIterator[tuple[HubProcess, ClientSession, str]]:
    """A citizen of the registry who got one mail: the process, its door, and the path of the mail's link."""
    async with mailing(database_url, mailbox, "registry") as process:
        scheme = RegisterScheme(lg_code=LG_CODE, point_name="さくらポイント", expiry_rule="none")
        citizen = RegisterCitizen(
            citizen_id=citizen_id(1),
            mykey_id="TEST0001",
            name="試験 一",
            mail="user1@mail.example",
            base_lg_code=LG_CODE,
            choices=EVERYTHING,
        )
        for command in (scheme, citizen):
            assert (await process.bus.call(command, 5)).code is None
        await settled(process)
        await say(process, credited(citizen_id(1)))
        await settled(process)
        (mail,) = await mailbox.mails()
        link = dict(mail["headers"])["List-Unsubscribe"].strip("<> ")
        assert link in mail["text"]
        assert link in mail["html"]
        routes = [route for component in process.components for route in component.routes]
        async with serving(routes) as (_, client):
            yield process, client, urlsplit(link).path


async def chosen(process: HubProcess) -> MailChoices:
    (row,) = await rows(process, CHOICES)
    return MailChoices(**row)


async def test_one_click_ends_such_mails_and_only_those(database_url: str, mailbox: Mailbox) -> None:
    async with one_mail(database_url, mailbox) as (process, client, path):
        for _ in range(2):
            async with client.post(path, data=ONE_CLICK) as response:
                assert response.status == 200
        await wait_until(lambda: _is_off(process))
        assert await chosen(process) == EVERYTHING.model_copy(update={"on_grant": False})
        await say(process, credited(citizen_id(1)))
        await settled(process)
        assert (await mailbox.stats())["mails"] == 1


async def _is_off(process: HubProcess) -> bool:
    return not (await chosen(process)).on_grant


async def test_reading_the_page_changes_nothing_and_its_button_does(database_url: str, mailbox: Mailbox) -> None:
    async with one_mail(database_url, mailbox) as (process, client, path):
        async with client.get(path) as response:
            page = await response.text()
            assert response.status == 200
            assert "form-action 'self'" in response.headers["Content-Security-Policy"]
        assert '<form method="post">' in page
        assert "user1" not in page
        assert "試験" not in page
        await settled(process)
        assert await chosen(process) == EVERYTHING
        async with client.post(path, data=b"", headers={"Content-Type": "application/x-www-form-urlencoded"}) as done:
            assert "停止しました" in await done.text()
        await wait_until(lambda: _is_off(process))


@asynccontextmanager
async def not_heard(database_url: str) -> AsyncIterator[None]:
    """What the registry says of choices does not reach the mail connector's rows as long as this lasts."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(KEEP_BACK)
            yield
    finally:
        await connection.close()


async def kept(process: HubProcess) -> MailChoices:
    """What the registry has."""
    profile = (await process.bus.call(ProfileOf(citizen_id=citizen_id(1)), 5)).profile
    assert profile is not None
    return profile.choices


async def test_two_clicks_end_both_although_the_first_was_not_heard_of_yet(database_url: str, mailbox: Mailbox) -> None:
    both = EVERYTHING.model_copy(update={"on_grant": False, "on_expiry": False})
    async with one_mail(database_url, mailbox) as (process, client, path):
        async with not_heard(database_url):
            for one in (path, OURS.url(citizen_id(1), Choice.on_expiry)):
                async with client.post(one, data=ONE_CLICK) as response:
                    assert response.status == 200
            assert await kept(process) == both
        await settled(process)
        assert await chosen(process) == both


async def test_a_click_takes_nothing_back_that_was_chosen_at_my_page_and_not_heard_of_yet(
    database_url: str, mailbox: Mailbox
) -> None:
    only_expiry = MailChoices(on_grant=True, on_expiry=True)
    async with one_mail(database_url, mailbox) as (process, client, path), not_heard(database_url):
        assert (await process.bus.call(_choose(only_expiry), 5)).code is None
        async with client.post(path, data=ONE_CLICK) as response:
            assert response.status == 200
        assert await kept(process) == MailChoices(on_expiry=True)


async def test_a_click_counts_although_it_was_not_heard_yet_that_the_mails_are_wanted_again(
    database_url: str, mailbox: Mailbox
) -> None:
    async with one_mail(database_url, mailbox) as (process, client, path):
        assert (await process.bus.call(_choose(MailChoices()), 5)).code is None
        await wait_until(lambda: _is_off(process))
        async with not_heard(database_url):
            assert (await process.bus.call(_choose(EVERYTHING), 5)).code is None
            async with client.post(path, data=ONE_CLICK) as response:
                assert response.status == 200
            assert await kept(process) == EVERYTHING.model_copy(update={"on_grant": False})


def _choose(choices: MailChoices) -> ChangeMailChoices:
    return ChangeMailChoices(citizen_id=citizen_id(1), choices=choices)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_we_did_not_make_is_not_found(method: str, database_url: str, mailbox: Mailbox) -> None:
    async with one_mail(database_url, mailbox) as (process, client, path):
        token = path.rpartition("/")[2]
        other = ("A" if token[20] != "A" else "B").join((token[:20], token[21:]))
        for wrong in (other, "A" * 44, token[:-1], ".." + token):
            data: Any = ONE_CLICK if method == "POST" else None
            async with client.request(method, f"{PATH}/{wrong}", data=data) as response:
                assert response.status == 404
        assert await chosen(process) == EVERYTHING


async def test_a_citizen_we_do_not_know_is_not_found(database_url: str, mailbox: Mailbox) -> None:
    path = OURS.url(citizen_id(99), Choice.on_grant)
    async with (
        one_mail(database_url, mailbox) as (_, client, _path),
        client.post(path, data=ONE_CLICK) as response,
    ):
        assert response.status == 404
