"""Partner companies whose points can be moved here (画面40), with their logos and whether one is linked to them."""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiohttp import web

from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route
from schemas.links import Linkage, LinksOf, PartiesOf, PartyView
from schemas.parties import PartyKind

DEADLINE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class PartnerCard:
    """As `part.partner` takes it."""

    name: str
    text: str
    state: str
    logo: str
    url: str
    action: str


class PartnersPage:
    """画面40."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def routes(self) -> list[Route]:
        """The one."""
        return [self._ground.page("GET", "/my/partners", self.show, "Partners", "地域経済応援ポイント協力会社一覧")]

    async def show(self, request: web.Request) -> web.Response:
        """By name; those that have not presented themselves yet are not there."""
        bus = self._ground.kit.bus
        parties, links = await asyncio.gather(
            bus.call(PartiesOf(kinds=(PartyKind.partner,)), DEADLINE_S),
            bus.call(LinksOf(citizen_id=signed_in_of(request).citizen_id), DEADLINE_S),
        )
        linked = {one.party_id for one in links.links}
        cards = [_card(one, linked) for one in parties.parties if one.linkage is not None]
        return answer(request, "citizen/partners.html", title=_("地域経済応援ポイント協力会社一覧"), cards=cards)


def _card(party: PartyView, linked: set[UUID]) -> PartnerCard:
    is_by_id = party.linkage is Linkage.id_link
    how = (
        _("会社のページで移行を申し込みます。はじめにID連携が必要です。")
        if is_by_id
        else _("会社のページでクーポン番号の発行を受け、ここで入力します。")
    )
    return PartnerCard(
        name=party.name,
        text=f"{party.about}{how}",
        state=_("連携済み") if party.party_id in linked else "",
        logo=f"/parties/{party.party_id}/logo" if party.has_logo else "",
        url=party.page_url,
        action=_("会社のページを開く"),
    )
