"""A partner's trace, from its signed request to the mail that came of it, over every step in between."""

import json
from typing import Any, Final
from uuid import UUID

from hub.waterfall import waterfall
from schemas.citizens import ChangeMailChoices, MailChoices
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import SENDER
from tests.connectors.partner.town import DEADLINE_S, SCHEME, Answer, Partner, town, transfer
from tests.waiting import wait_until

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT: Final = f"00-{TRACE}-00f067aa0ba902b7-01"


async def test_a_partners_trace_reaches_the_citizens_mail(database_url: str, mailbox: Mailbox) -> None:
    async with town(database_url, further=("mail",), smtp_port=mailbox.smtp_port, mail_from=SENDER) as opened:
        choices = ChangeMailChoices(citizen_id=UUID(int=1), choices=MailChoices(on_grant=True))
        await opened.process.bus.call(choices, DEADLINE_S)
        await opened.process.drained(DEADLINE_S)
        item = transfer("JA-1", to=f"scheme:{SCHEME}")
        answer = await _post(opened.partner(), item)
        (mail,) = await wait_until(mailbox.mails)
        await opened.process.drained(DEADLINE_S)
        by_key, by_mail, by_request = [
            await waterfall(opened.process.database_of("mail"), name)
            for name in ("JA-1", _header(mail), answer.headers["X-Request-Id"])
        ]

    assert answer.headers["traceresponse"].startswith(f"00-{TRACE}-")
    assert _header(mail).startswith(f"00-{TRACE}-")
    assert by_key == by_mail == by_request
    said = {step.type.removeprefix("jp.mykey."): step for step in by_key.steps}
    assert set(said) == {"points.credited.v1", "notices.send.v1"}
    notice = said["notices.send.v1"]
    assert notice.cause == said["points.credited.v1"].id
    assert _header(mail).split("-")[2] == notice.id.hex[16:]
    assert [hop.is_measured for hop in notice.hops] == [True]


async def _post(partner: Partner, item: object) -> Answer:
    body = json.dumps({"transfers": [item]}).encode()
    headers = {"Content-Type": "application/json", "traceparent": TRACEPARENT}
    return await partner.ask("POST", "/transfers", body, headers)


def _header(mail: dict[str, Any]) -> str:
    (found,) = [str(value) for name, value in mail["headers"] if name == "X-MyKey-Trace"]
    return found
