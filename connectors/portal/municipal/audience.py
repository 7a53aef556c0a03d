"""The office's audience. Nobody of an office can log in yet, so its pages are open, and tell nothing of the office."""

from typing import Final

from connectors.portal.ground.pages import Ground, Kit
from connectors.portal.ground.trouble import TroublePages
from connectors.portal.municipal.mailed import MailedPages
from hub.web.app import Audience, Route
from hub.web.limits import RateLimiter, WaitingRoom

PREFIX: Final = "/municipal"
RATE_PER_S: Final = 20.0
BURST: Final = 200
"""Of one address, behind which a whole town hall may be."""
IN_FLIGHT_LIMIT: Final = 32
WAITING_LIMIT: Final = 32


def municipal_routes(kit: Kit) -> list[Route]:
    """All of them."""
    trouble = TroublePages()
    audience = Audience(
        name="municipal",
        prefix=PREFIX,
        title="Municipal offices",
        title_ja="自治体",
        room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT),
        rate=RateLimiter(RATE_PER_S, BURST, monotonic=kit.clock.monotonic),
        documented=False,
        trouble=trouble,
    )
    trouble.ground = ground = Ground(
        kit=kit,
        audience=audience,
        service="自治体ポイント管理クラウド",
        home="/",
        log_in="/login",
        log_out="/logout",
        menu=lambda _request: (),
    )
    return MailedPages(ground).routes()
