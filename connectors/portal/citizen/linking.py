"""ID linkage (画面57): out to the partner's page to log in there, back with its answer, looked at, and linked.

Nothing is linked by coming back: what the partner says of whom is shown, and whoever is linked says once more who they
are. The partner's page is reached by a link and not by a form's redirect, which the page's own policy forbids.
"""

from typing import Annotated, Final
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.portal.citizen.identity import is_identified, to_identity
from connectors.portal.citizen.services import DEADLINE_S as LOOK_UP_DEADLINE_S
from connectors.portal.citizen.services import KINDS, PARTY
from connectors.portal.citizen.services import PATH as SERVICES
from connectors.portal.ground.forms import Form, blank, filled
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, browser_of, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route, query_of
from hub.web.limits import RateLimiter
from hub.web.problems import ProblemError
from schemas.citizens import ProfileOf
from schemas.id_links import ANSWER_LIMIT_CHARS, CALLBACK, BeginLinking, ConfirmLinking, TakeProof
from schemas.links import PartiesOf
from schemas.problems import ProblemCode, RefusalCode

PATH: Final = "/my/link"
AWAY: Final = "link-away"
ACT: Final = "link"
DEADLINE_S: Final = 30.0
"""The partner is spoken with meanwhile, two or three times."""
BEGIN_RATE_PER_S: Final = 1 / 60
BEGIN_BURST: Final = 10
"""Of one citizen: each asks something of the partner."""

_Told = Annotated[str, Field(max_length=ANSWER_LIMIT_CHARS)]


class Callback(BaseModel):
    """What a partner's page sends the browser back with; some send more than is asked for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: _Told = ""
    code: _Told | None = None
    iss: _Told | None = None
    error: _Told | None = None


class WayOut(BaseModel):
    """Where the browser goes."""

    model_config = ConfigDict(frozen=True)

    party: str
    url: str


class Proven(BaseModel):
    """What is confirmed."""

    model_config = ConfigDict(frozen=True)

    linking_id: UUID
    party_id: UUID
    party: str
    account: str


class LinkStands(BaseModel):
    """What came of it."""

    model_config = ConfigDict(frozen=True)

    party_id: UUID
    party: str
    account: str


class LinkingPages:
    """画面57, from the button to the link."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._begins = RateLimiter(BEGIN_RATE_PER_S, BEGIN_BURST, monotonic=ground.kit.clock.monotonic)

    def routes(self) -> list[Route]:
        """Out, back, looked at, linked."""
        page, words = self._ground.page, ("Link an account", "ID連携")
        return [
            page("POST", f"{SERVICES}/{PARTY}/link", self.begin, *words),
            page("GET", f"{PATH}/away", self.away, *words, query=FormKey),
            self._ground.aside(f"{CALLBACK}{PARTY}", self.back, *words, query=Callback),
            page("GET", f"{PATH}/confirm", self.confirm, *words, query=FormKey),
            page("POST", f"{PATH}/confirm", self.link, *words),
            page("GET", f"{PATH}/done", self.done, *words, query=FormKey),
        ]

    async def begin(self, request: web.Request) -> web.Response:
        """A linking in this browser."""
        filled(request, Form)
        citizen_id, party_id = signed_in_of(request).citizen_id, UUID(request.match_info["party_id"])
        name = await self._name(party_id)
        self._begins.check(citizen_id)
        asked = BeginLinking(linking_id=uuid4(), citizen_id=citizen_id, party_id=party_id, browser=browser_of(request))
        begun = await self._kit.bus.call(asked, DEADLINE_S)
        if begun.code is not None:
            return self._refused(request, party_id, begun.code)
        key = await self._kit.form_keys.keep(citizen_id, AWAY, WayOut(party=name, url=begun.url))
        return redirect(request, f"{PATH}/away?form={key}")

    async def away(self, request: web.Request) -> web.Response:
        """On to the partner's page."""
        key = query_of(request, FormKey).form
        kept = await self._kit.form_keys.kept(signed_in_of(request).citizen_id, AWAY, key, WayOut)
        return answer(request, "citizen/link_away.html", title=_("ID連携"), back=SERVICES, way=kept.value)

    async def back(self, request: web.Request) -> web.Response:
        """The partner's answer, taken once; what it proves is kept to be confirmed."""
        told = query_of(request, Callback)
        citizen_id, party_id = signed_in_of(request).citizen_id, UUID(request.match_info["party_id"])
        name = await self._name(party_id)
        if not told.state:
            return redirect(request, f"{SERVICES}/{party_id}")
        asked = TakeProof(
            citizen_id=citizen_id,
            party_id=party_id,
            browser=browser_of(request),
            state=told.state,
            code=told.code,
            issuer=told.iss,
            error=told.error,
        )
        proven = await self._kit.bus.call(asked, DEADLINE_S)
        if proven.linking_id is None:
            return self._refused(request, party_id, proven.code)
        kept = Proven(linking_id=proven.linking_id, party_id=party_id, party=name, account=proven.account)
        key = await self._kit.form_keys.keep(citizen_id, ACT, kept)
        return redirect(request, f"{PATH}/confirm?form={key}")

    async def confirm(self, request: web.Request) -> web.Response:
        """Whose account it is, and who is logged in here."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        kept = await self._kit.form_keys.kept(citizen_id, ACT, key, Proven)
        if kept.is_done:
            return redirect(request, f"{PATH}/done?form={key}")
        if not is_identified(request, self._kit):
            return to_identity(request, "link", key)
        found = (await self._kit.bus.call(ProfileOf(citizen_id=citizen_id), LOOK_UP_DEADLINE_S)).profile
        if found is None:
            raise ProblemError(ProblemCode.not_found)
        return answer(
            request,
            "citizen/link_confirm.html",
            title=_("ID連携の確認"),
            back=SERVICES,
            form=blank(request, Form, once=key),
            proven=kept.value,
            person=found,
        )

    async def link(self, request: web.Request) -> web.Response:
        """The link, once."""
        key, citizen_id = once_of(request), signed_in_of(request).citizen_id
        filled(request, Form)
        proven = (await self._kit.form_keys.kept(citizen_id, ACT, key, Proven)).value
        if not is_identified(request, self._kit):
            return to_identity(request, "link", key)
        try:
            await self._kit.form_keys.act(citizen_id, ACT, key, lambda: self._link(request, proven))
        except RefusedError as refused:
            return self._refused(request, proven.party_id, refused.code)
        return redirect(request, f"{PATH}/done?form={key}")

    async def _link(self, request: web.Request, proven: Proven) -> LinkStands:
        signed_in = signed_in_of(request)
        asked = ConfirmLinking(
            linking_id=proven.linking_id,
            citizen_id=signed_in.citizen_id,
            browser=browser_of(request),
            session=signed_in.session_id,
        )
        made = await self._kit.bus.call(asked, DEADLINE_S)
        if made.link_id is None:
            raise RefusedError(made.code or RefusalCode.linking_over)
        return LinkStands(party_id=proven.party_id, party=proven.party, account=proven.account)

    async def done(self, request: web.Request) -> web.Response:
        """Its receipt."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        receipt = await self._kit.form_keys.receipt(citizen_id, ACT, key, LinkStands)
        return answer(
            request, "citizen/link_done.html", title=_("ID連携の完了"), receipt=receipt, linked=receipt.outcome
        )

    async def _name(self, party_id: UUID) -> str:
        found = await self._kit.bus.call(PartiesOf(party_ids=(party_id,), kinds=KINDS), LOOK_UP_DEADLINE_S)
        if not found.parties:
            raise ProblemError(ProblemCode.not_found)
        return found.parties[0].name

    @staticmethod
    def _refused(request: web.Request, party_id: UUID, code: str | None) -> web.Response:
        return answer(
            request,
            "citizen/link_refused.html",
            title=_("連携できませんでした"),
            status=409,
            back=f"{SERVICES}/{party_id}",
            why=sentence(code),
        )
