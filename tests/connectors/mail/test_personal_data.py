"""Names and addresses stand in mails and under seal, and nowhere else: not in logs, not in the database."""

import json
from typing import Final

import pytest

from hub import logs
from schemas.citizens import MailChoicesChanged
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import EVERYTHING, citizen, citizen_id, credited, mailing, say, scheme, settled
from tests.workers.registry.asking import dump_of

COUNT: Final = 8
MARKERS: Final = ("marker", "secret.example", "秘密")


@pytest.fixture
def _logged() -> None:
    """Everything is logged, as in production but for the level."""
    logs.configure("debug")


@pytest.mark.usefixtures("_logged")
async def test_no_log_line_and_no_cell_holds_a_name_or_an_address(
    database_url: str, mailbox: Mailbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """Mails sent, put off, bounced, refused, and addresses that are none."""
    bad = {f"marker{n}@secret.example": reply for n, reply in enumerate(("550 5.1.1", "450 4.2.0", "550 5.7.1"))}
    await mailbox.misbehave(recipients={address: f"{reply} no {address}" for address, reply in bad.items()})
    async with mailing(database_url, mailbox, log_level="debug") as process:
        people = [citizen(n, name=f"秘密{n}", mail=f"marker{n}@secret.example") for n in range(COUNT)]
        people.append(citizen(COUNT, name="秘密の人", mail="marker@@secret.example"))
        await say(process, scheme(), *people)
        await say(process, *(credited(citizen_id(n)) for n in range(COUNT + 1)))
        await say(process, MailChoicesChanged(citizen_id=citizen_id(3), choices=EVERYTHING))
        await settled(process)
        assert (await mailbox.stats())["mails"] == COUNT - len(bad)
    logged = capfd.readouterr().err
    assert "address_bounced" in logged
    assert "outside_failed" in logged
    dump = (await dump_of(database_url, "mail") + await dump_of(database_url, "hub")).decode()
    assert str(citizen_id(1)) in dump
    for marker in MARKERS:
        # The dump shows binary columns in hexadecimal, the log everything beyond ASCII as JSON does.
        for hidden in (marker, marker.encode().hex(), json.dumps(marker).strip('"')):
            assert hidden not in logged
            assert hidden not in dump


async def test_the_dump_would_show_them(database_url: str, mailbox: Mailbox) -> None:
    """The test above can fail: what is not sealed is found the same way."""
    async with mailing(database_url, mailbox) as process:
        await say(process, scheme())
        await settled(process)
    dump = (await dump_of(database_url, "mail") + await dump_of(database_url, "hub")).decode()
    assert "さくらポイント" in dump
    assert "さくらポイント".encode().hex() in dump
