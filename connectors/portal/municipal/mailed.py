"""Where the mails of a shop or fund lead an office (mission I.7, I.8), as long as there is no console to decide in.

The pages say so, and how a decision is registered: the office tells the hub's operators, who have a command for it.
They know nothing but what stands in their address, and look nothing up: anybody may open them.
"""

from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from hub.web.app import Route, query_of

_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
OFFER: Final = f"/offers/{{party_id:{_UUID}}}/{{offer_id:[A-Za-z0-9._:-]{{1,64}}}}"
REFERRAL: Final = f"/referrals/{{referral_id:{_UUID}}}"
COMMAND: Final = "mykey-hub offers"


class AskedRevision(BaseModel):
    """The revision that the office was asked about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: Annotated[str, Field(pattern=r"^[0-9]{1,10}$")] = ""


class MailedPages:
    """An offer to approve, and a business to consent to."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def routes(self) -> list[Route]:
        """Both."""
        page = self._ground.page
        return [
            page("GET", OFFER, self.offer, "Approve an offer", "商品等の承認", is_open=True, query=AskedRevision),
            page("GET", REFERRAL, self.referral, "Consent to a business", "事業への同意", is_open=True),
        ]

    async def offer(self, request: web.Request) -> web.Response:
        """Approve it, or send it back with a comment."""
        party_id, offer_id = request.match_info["party_id"], request.match_info["offer_id"]
        revision = query_of(request, AskedRevision).revision
        about = f"LG_CODE {party_id} {offer_id} {revision or 'REVISION'} --staff STAFF_ID"
        return answer(
            request,
            "municipal/mailed.html",
            title=_("商品等の承認または差し戻し"),
            numbers=[(_("事業者の番号"), party_id), (_("商品等の番号"), offer_id), (_("版"), revision or "－")],
            commands=[
                (_("承認する"), f"{COMMAND} approve {about}"),
                (_("コメントを付けて差し戻す"), f"{COMMAND} send-back {about} --comment COMMENT"),
            ],
        )

    async def referral(self, request: web.Request) -> web.Response:
        """Consent to its opening."""
        referral_id = request.match_info["referral_id"]
        command = f"{COMMAND} consent LG_CODE {referral_id} --staff STAFF_ID"
        return answer(
            request,
            "municipal/mailed.html",
            title=_("紹介した事業への同意"),
            numbers=[(_("紹介の番号"), referral_id)],
            commands=[(_("同意する"), command)],
        )
