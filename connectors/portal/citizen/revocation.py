"""The MyKey ID is revoked (画面63): what will be lost is shown first, asked again who it is, and then it is final.

The session ends with it, so the receipt belongs to a guest (`connectors.portal.ground.guests`).
"""

import asyncio
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.citizen.catalogue import Catalogue
from connectors.portal.citizen.identity import is_identified, to_identity
from connectors.portal.citizen.profile import profile_of
from connectors.portal.ground.forms import Form, blank, filled
from connectors.portal.ground.guests import guest_of, new_guest
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, guest_token, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import SIGNED_IN, signed_in_of
from hub.web.app import Route, query_of
from hub.web.problems import ProblemError
from schemas.links import LinksOf
from schemas.mykey_ids import RevokeMyKeyId
from schemas.points import BalanceOf
from schemas.problems import ProblemCode
from schemas.service_ids import ServiceIdsOf

PATH: Final = "/my/revoke"
DONE: Final = "/revoked"
ACT: Final = "revoke-mykey-id"
DEADLINE_S: Final = 10.0


class Loss(BaseModel):
    """What is lost: points by their names, points set aside, links and service IDs."""

    model_config = ConfigDict(frozen=True)

    citizen_id: UUID
    mykey_id: str
    points: tuple[tuple[str, int], ...]
    links: tuple[str, ...]
    service_ids: tuple[str, ...]

    @property
    def total(self) -> int:
        """Of all points."""
        return sum(points for _name, points in self.points)


class RevocationPages:
    """画面63."""

    def __init__(self, ground: Ground, catalogue: Catalogue) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """What is lost, confirmation, done."""
        page, words = self._ground.page, ("Revoke the MyKey ID", "マイキーIDの失効")
        return [
            page("GET", PATH, self.show, *words),
            page("POST", PATH, self.begin, *words),
            page("GET", f"{PATH}/confirm", self.confirm, *words, query=FormKey),
            page("POST", f"{PATH}/confirm", self.revoke, *words, is_open=True, is_guests=True),
            page("GET", DONE, self.done, *words, is_open=True, query=FormKey),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """What would be lost now."""
        return answer(
            request,
            "citizen/revocation.html",
            title=_("マイキーIDの失効"),
            back="/my/profile",
            form=blank(request, Form),
            loss=await self._loss(request),
        )

    async def begin(self, request: web.Request) -> web.Response:
        """On to the confirmation."""
        filled(request, Form)
        guest = uuid4()
        key = await self._kit.form_keys.keep(guest, ACT, await self._loss(request))
        response = redirect(request, f"{PATH}/confirm?form={key}")
        new_guest(self._kit.cookies, response, guest)
        return response

    async def confirm(self, request: web.Request) -> web.Response:
        """The last question; what would be lost is looked up again."""
        key = query_of(request, FormKey).form
        await self._kept(request, key)
        if not is_identified(request, self._kit):
            return to_identity(request, "revoke", key)
        return await self._page(request, key, None)

    async def revoke(self, request: web.Request) -> web.Response:
        """It is final; every session of the citizen has ended with it, so that sent again it comes from the guest."""
        key = once_of(request)
        filled(request, Form)
        shown = await self._kept(request, key)
        try:
            await self._kit.form_keys.act(self._guest(request), ACT, key, lambda: self._revoke(request, shown))
        except RefusedError as refused:
            if SIGNED_IN not in request:
                raise ProblemError(ProblemCode.login) from refused
            if refused.code == "confirm_again":
                return to_identity(request, "revoke", key)
            return await self._page(request, key, sentence(refused.code))
        response = redirect(request, f"{DONE}?form={key}")
        self._kit.sessions.forget(response)
        return response

    async def done(self, request: web.Request) -> web.Response:
        """It is done: 「マイキーIDを失効しました。」, with what was lost."""
        key = query_of(request, FormKey).form
        receipt = await self._kit.form_keys.receipt(self._guest(request), ACT, key, Loss)
        return answer(
            request,
            "citizen/revocation_done.html",
            title=_("マイキーIDの失効の完了"),
            receipt=receipt,
            loss=receipt.outcome,
        )

    async def _revoke(self, request: web.Request, shown: Loss) -> Loss:
        """What is lost; without a session what was shown, of one that was revoked and whose answer was lost."""
        is_signed_in = SIGNED_IN in request
        loss = await self._loss(request) if is_signed_in else shown
        session = signed_in_of(request).session_id if is_signed_in else None
        asked = RevokeMyKeyId(citizen_id=shown.citizen_id, session=session)
        revoked = await self._kit.bus.call(asked, DEADLINE_S)
        if revoked.code is not None:
            raise RefusedError(revoked.code)
        return loss

    async def _kept(self, request: web.Request, key: UUID) -> Loss:
        """The form, if it is nobody else's. Raises ProblemError not_found."""
        kept = await self._kit.form_keys.kept(self._guest(request), ACT, key, Loss)
        if SIGNED_IN in request and kept.value.citizen_id != signed_in_of(request).citizen_id:
            raise ProblemError(ProblemCode.not_found)
        return kept.value

    def _guest(self, request: web.Request) -> UUID:
        return guest_of(self._kit.cookies, request)

    async def _loss(self, request: web.Request) -> Loss:
        citizen_id, bus = signed_in_of(request).citizen_id, self._kit.bus
        profile, balances, links, service_ids, pools = await asyncio.gather(
            profile_of(request, self._kit),
            bus.call(BalanceOf(citizen_id=citizen_id), DEADLINE_S),
            bus.call(LinksOf(citizen_id=citizen_id), DEADLINE_S),
            bus.call(ServiceIdsOf(citizen_id=citizen_id), DEADLINE_S),
            self._catalogue.pools(),
        )
        names = ((pools.name(one.pool), one.active + one.held) for one in balances.pools)
        points = [(f"{name.holder}　{name.name}".strip("　"), count) for name, count in names if count]
        return Loss(
            citizen_id=citizen_id,
            mykey_id=profile.mykey_id,
            points=tuple(points),
            links=tuple(one.name for one in links.links),
            service_ids=tuple(f"{one.issuer_name}　{one.number}" for one in service_ids.service_ids),
        )

    async def _page(self, request: web.Request, key: UUID, fault: str | None) -> web.Response:
        return answer(
            request,
            "citizen/revocation_confirm.html",
            title=_("マイキーIDの失効の確認"),
            status=200 if fault is None else 409,
            failed=fault is not None,
            back=PATH,
            form=replace(blank(request, Form, once=key), token=guest_token(request)),
            faults={"errors": [] if fault is None else [("", fault)]},
            loss=await self._loss(request),
        )
