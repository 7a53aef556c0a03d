"""Linked services (画面57): partners, shops and funds by logo, what is linked, how to link, and how to end a link."""

import asyncio
from typing import Final
from uuid import UUID

from aiohttp import web

from connectors.portal.ground.forms import Form, blank, filled
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer, redirect
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route
from hub.web.problems import ProblemError
from schemas.links import Link, LinksOf, LogoOf, PartiesOf, PartyView, UnlinkCitizen
from schemas.parties import PartyKind
from schemas.problems import ProblemCode

PATH: Final = "/my/services"
LOGO: Final = "/parties/{party_id}/logo"
PARTY: Final = "{party_id:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}}"
DEADLINE_S: Final = 5.0
KINDS: Final = (PartyKind.partner, PartyKind.shop, PartyKind.fund)
LOGO_KEPT_S: Final = 3_600


class ServicesPages:
    """画面57."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit

    def routes(self) -> list[Route]:
        """The list, one service, the end of a link, logos."""
        page, words = self._ground.page, ("Linked services", "連携サービス")
        return [
            page("GET", PATH, self.show, *words),
            page("GET", f"{PATH}/{PARTY}", self.one, *words),
            page("GET", f"{PATH}/{PARTY}/unlink", self.confirm, *words),
            page("POST", f"{PATH}/{PARTY}/unlink", self.unlink, *words),
            self._ground.aside(f"/parties/{PARTY}/logo", self.logo, "A logo", "ロゴ"),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """All of them, linked ones first."""
        found, links = await asyncio.gather(
            self._kit.bus.call(PartiesOf(kinds=KINDS), DEADLINE_S), self._links(request)
        )
        shown = [one for one in found.parties if one.linkage is not None or one.party_id in links]
        shown.sort(key=lambda one: one.party_id not in links)
        return answer(
            request,
            "citizen/services.html",
            title=_("地域経済応援ポイント移行用等のサービスID設定等"),
            back="/my",
            partners=[_card(one, links.get(one.party_id)) for one in shown if one.kind is PartyKind.partner],
            others=[_card(one, links.get(one.party_id)) for one in shown if one.kind is not PartyKind.partner],
        )

    async def one(self, request: web.Request) -> web.Response:
        """How points are moved in from this one, or what it is linked for."""
        party, link = await self._party_and_link(request)
        return answer(
            request,
            "citizen/service.html",
            title=party.name,
            back=PATH,
            party=party,
            link=link,
            logo=_logo(party),
            form=blank(request, Form),
        )

    async def confirm(self, request: web.Request) -> web.Response:
        """Whether the link is to end."""
        party, link = await self._party_and_link(request)
        if link is None:
            return redirect(request, f"{PATH}/{party.party_id}")
        return answer(
            request,
            "citizen/service_unlink.html",
            title=_("連携の解除"),
            back=f"{PATH}/{party.party_id}",
            form=blank(request, Form),
            party=party,
            link=link,
        )

    async def unlink(self, request: web.Request) -> web.Response:
        """It ends; the same again changes nothing."""
        filled(request, Form)
        party, _link = await self._party_and_link(request)
        asked = UnlinkCitizen(citizen_id=signed_in_of(request).citizen_id, party_id=party.party_id)
        if (await self._kit.bus.call(asked, DEADLINE_S)).code is not None:
            raise ProblemError(ProblemCode.not_found)
        return redirect(request, PATH, _("%(name)sとの連携を解除しました。") % {"name": party.name})

    async def logo(self, request: web.Request) -> web.Response:
        """A party's PNG. Raises ProblemError not_found."""
        found = await self._kit.bus.call(LogoOf(party_id=_party_id(request)), DEADLINE_S)
        if not found.png:
            raise ProblemError(ProblemCode.not_found)
        headers = {"Cache-Control": f"private, max-age={LOGO_KEPT_S}", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=found.png, content_type="image/png", headers=headers)

    async def _links(self, request: web.Request) -> dict[UUID, Link]:
        asked = LinksOf(citizen_id=signed_in_of(request).citizen_id)
        return {one.party_id: one for one in (await self._kit.bus.call(asked, DEADLINE_S)).links}

    async def _party_and_link(self, request: web.Request) -> tuple[PartyView, Link | None]:
        party_id = _party_id(request)
        found, links = await asyncio.gather(
            self._kit.bus.call(PartiesOf(party_ids=(party_id,), kinds=KINDS), DEADLINE_S), self._links(request)
        )
        if not found.parties:
            raise ProblemError(ProblemCode.not_found)
        return found.parties[0], links.get(party_id)


def _party_id(request: web.Request) -> UUID:
    return UUID(request.match_info["party_id"])


def _logo(party: PartyView) -> str:
    return LOGO.format(party_id=party.party_id) if party.has_logo else ""


def _card(party: PartyView, link: Link | None) -> dict[str, str]:
    """As `part.partner` takes it."""
    return {
        "name": party.name,
        "logo": _logo(party),
        "state": "" if link is None else _("連携済み"),
        "text": party.about,
        "url": f"{PATH}/{party.party_id}",
        "action": _("手続きを見る") if link is None else _("連携を見る"),
    }
