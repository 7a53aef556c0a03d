"""`python -m tests.connectors.mail.one_mailer DATABASE_URL SMTP_PORT COUNT`: tells so many grants until killed."""

import asyncio
import sys

from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import citizen, citizen_id, credited, mailing, say, scheme


async def run(database_url: str, smtp_port: int, count: int) -> None:
    """Say what happened, then work for ever."""
    async with mailing(database_url, Mailbox(smtp_port, 0)) as process:
        await say(process, scheme(), *(citizen(number) for number in range(count)))
        await say(process, *(credited(citizen_id(number)) for number in range(count)))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
