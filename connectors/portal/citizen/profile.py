"""The citizen's own data (画面59–61): what is registered, and where each of it is changed."""

from typing import Final

from aiohttp import web

from connectors.portal.citizen import places
from connectors.portal.citizen.mail_choices import texts
from connectors.portal.citizen.mail_reach import MailReach
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, Kit, answer
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route
from hub.web.problems import ProblemError
from schemas.citizens import Profile, ProfileOf
from schemas.problems import ProblemCode

PATH: Final = "/my/profile"
DEADLINE_S: Final = 5.0


async def profile_of(request: web.Request, kit: Kit) -> Profile:
    """What this citizen has registered. Raises ProblemError not_found once the MyKey ID was revoked."""
    asked = ProfileOf(citizen_id=signed_in_of(request).citizen_id)
    found = (await kit.bus.call(asked, DEADLINE_S)).profile
    if found is None:
        raise ProblemError(ProblemCode.not_found)
    return found


class ProfilePage:
    """画面59."""

    def __init__(self, ground: Ground, reach: MailReach) -> None:
        self._ground = ground
        self._reach = reach

    def routes(self) -> list[Route]:
        """The one."""
        return [self._ground.page("GET", PATH, self.show, "One's own data", "利用者情報の変更")]

    async def show(self, request: web.Request) -> web.Response:
        """All of it."""
        kit = self._ground.kit
        profile = await profile_of(request, kit)
        base = await places.name_of(kit, profile.base_lg_code)
        return answer(
            request,
            "citizen/profile.html",
            title=_("利用者情報の変更"),
            back="/my",
            profile=profile,
            base=base,
            notices=texts(profile.choices),
            is_bounced=await self._reach.is_bounced(signed_in_of(request).citizen_id),
        )
