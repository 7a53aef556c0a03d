"""My Page tells a citizen that mails do not arrive (画面19, 59), until an address is registered, be it the same."""

from pathlib import Path
from typing import Final
from unittest.mock import AsyncMock
from uuid import UUID

import pytest

from connectors.portal.citizen.mail_reach import REST_S, MailReach
from hub.errors import DeadlineExceededError
from schemas.citizens import ChangeMailChoices, MailChoices
from schemas.notices import MailAddressState
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import SENDER
from tests.connectors.portal.browser import Browser
from tests.connectors.portal.town import FIRST, Town, credit, town
from tests.workers.registry.asking import ask
from tests.workers.registry.people import PASSWORD

CITIZEN: Final = UUID(int=1)
ADDRESS: Final = "one@mail.example"
HOME_SAYS: Final = "登録されているメールアドレスにメールが届きません。"
PROFILE_SAYS: Final = "同じメールアドレスをもう一度登録してください。"


async def says(browser: Browser) -> tuple[bool, bool]:
    """Whether the home page and the user data page say it."""
    home, profile = await browser.get("/my"), await browser.get("/my/profile")
    assert (home.status, profile.status) == (200, 200)
    return HOME_SAYS in home.words, PROFILE_SAYS in profile.words


async def bounce(opened: Town, mailbox: Mailbox) -> None:
    """A mail to the first citizen, refused by its server."""
    await mailbox.misbehave(recipients={ADDRESS: "550 5.1.1 no such user"})
    await ask(opened.process, ChangeMailChoices(citizen_id=opened.first, choices=MailChoices(on_grant=True)))
    await opened.process.drained(deadline_s=10)
    await ask(opened.process, credit(opened.first, "bounced", 10))
    await opened.process.drained(deadline_s=10)
    await mailbox.misbehave()


async def register(browser: Browser, address: str) -> None:
    """By the form, asked again who it is."""
    path = "/my/profile/mail"
    asked = await browser.submit(await browser.get(path), path, mail=address)
    if asked.path.startswith("/my/identity"):
        asked = await browser.submit(asked, "/my/identity", password=PASSWORD)
    done = await browser.submit(asked, f"{path}/confirm")
    assert done.path.startswith(f"{path}/done"), done.words


@pytest.mark.parametrize("address", [ADDRESS, "other@mail.example"])
async def test_a_bounced_address_is_shown_until_one_is_registered(
    database_url: str, tmp_path: Path, mailbox: Mailbox, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.portal.citizen.mail_reach.DEADLINE_S", 10.0)  # who is late once is left in peace
    components = ("registry", "ledger", "portal", "mail")
    given = {"smtp_port": mailbox.smtp_port, "mail_from": SENDER}
    async with town(database_url, tmp_path, None, *components, **given) as opened:
        browser, _page = await opened.logged_in(FIRST)
        assert await says(browser) == (False, False)
        await bounce(opened, mailbox)
        assert await says(browser) == (True, True)
        await register(browser, address)
        await opened.process.drained(deadline_s=10)
        assert await says(browser) == (False, False)


async def test_where_nobody_answers_pages_do_without_and_ask_again_after_a_rest() -> None:
    now_s, bus = [0.0], AsyncMock()
    bus.call.side_effect = [DeadlineExceededError(), MailAddressState(is_reached=False)]
    reach = MailReach(bus, lambda: now_s[0])
    assert [await reach.is_bounced(CITIZEN) for _ in range(3)] == [False] * 3
    assert bus.call.await_count == 1
    now_s[0] += REST_S
    assert await reach.is_bounced(CITIZEN)
