"""What all parties of a sandbox share: three municipalities, an event that is over, and who gave the first points."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Final
from uuid import UUID

from hub.bus import Bus
from hub.errors import TransientError
from schemas.municipalities import Registered, RegisterScheme, RegisterSupportEvent
from schemas.parties import PartyKind, RegisterParty
from schemas.points import PostingAnswer

DEADLINE_S: Final = 10.0
HEARD_TRIES_LIMIT: Final = 200
HEARD_PAUSE_S: Final = 0.05

HOME: Final = "232106"
CITIES: Final = ("232106", "272272", "011002")
"""Municipalities whose points never expire, expire a year on, and take no points any more."""
RULES: Final = {"232106": "none", "272272": "months:12", "011002": "date:2017-03-31"}
NAMES: Final = {
    "232106": "刈谷市サンドボックスポイント",
    "272272": "東大阪市サンドボックスポイント",
    "011002": "札幌市終了ポイント",
}
OPEN_CITIES: Final = CITIES[:2]
CLOSED_EVENT: Final = UUID("00000000-0000-4000-8000-000000002017")
GIVER: Final = UUID("6d796b65-7968-5562-8d65-73616e64626f")
"""The partner whose points the citizens begin with: it is in nobody's settlement."""
OFFICE: Final = UUID("6d796b65-7968-5562-8d65-6f6666696365")
"""The member of staff who decides at all municipalities."""


class WorldError(TransientError):
    """The sandbox's world could not be set up: some component did not answer in time, or refused."""


async def open_world(bus: Bus) -> None:
    """The same again changes nothing. Raises TransientError."""
    for lg_code in CITIES:
        scheme = RegisterScheme(lg_code=lg_code, point_name=NAMES[lg_code], expiry_rule=RULES[lg_code])
        done(await bus.call(scheme, DEADLINE_S))
    over = RegisterSupportEvent(
        event_id=CLOSED_EVENT,
        lg_code=HOME,
        point_name="終了したイベントポイント",
        first=date(2017, 4, 1),
        last=date(2017, 4, 30),
    )
    done(await bus.call(over, DEADLINE_S))
    giver = RegisterParty(party_id=GIVER, kind=PartyKind.partner, name="サンドボックス")
    done(await bus.call(giver, DEADLINE_S))


def done(answer: Registered | PostingAnswer) -> None:
    """Raises WorldError where it was refused."""
    if answer.code is not None:
        raise WorldError(answer.code)


async def heard(ask: Callable[[int], Awaitable[Registered | PostingAnswer]], not_yet: str) -> None:
    """Ask, by the number of the try, until the answer is no longer `not_yet`: news takes a moment to get around.

    Raises WorldError.
    """
    for number in range(HEARD_TRIES_LIMIT):
        answer = await ask(number)
        if answer.code != not_yet:
            done(answer)
            return
        await asyncio.sleep(HEARD_PAUSE_S)
    raise WorldError(not_yet)
