"""「クーポンコード利用」 (画面20, 21): a partner's coupon is entered, looked at, and its points are moved in.

Some partners open the page with code and points filled in, by links that they sign (`coupon_links`). What stands in an
address decides nothing: what the coupon brings is the ledger's to say.
"""

from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from connectors.portal.citizen.catalogue import Catalogue
from connectors.portal.citizen.coupon_links import CouponLink, is_signed
from connectors.portal.ground.forms import Form, FormView, Input, Option, blank, filled
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.rendering import number
from connectors.portal.ground.sessions import signed_in_of, source_of
from hub.errors import TransientError
from hub.keys import Hasher
from hub.web.app import Route, query_of
from schemas.grants import AskCoupon, CouponOf, CouponOffer, CreditCoupon, coupon_number
from schemas.links import Linkage, PartiesOf
from schemas.parties import PartyKeyOf, PartyKind
from schemas.points import BalanceOf, PostingStatus
from schemas.problems import RefusalCode
from schemas.values import Points, Pool

PATH: Final = "/my/coupon"
ACT: Final = "coupon"
DEADLINE_S: Final = 10.0
ASK_DEADLINE_S: Final = 30.0
"""The partner is asked meanwhile."""
HASH_BYTES: Final = 16


def _coupon_of(typed: object) -> str:
    number_ = coupon_number(typed) if isinstance(typed, str) else None
    if number_ is None:
        raise PydanticCustomError("text", "{label}は8桁から40桁の英数字で入力してください。")
    return number_


class CouponForm(Form):
    """画面20."""

    partner: Annotated[UUID, Input("協力会社", kind="select")]
    code: Annotated[
        str,
        BeforeValidator(_coupon_of),
        Input("クーポンコード", hint="協力会社の画面に表示された番号です。", autocomplete="off"),
    ]


class Coupon(BaseModel):
    """What is confirmed."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    party_id: UUID
    partner: str
    code_hash: bytes
    points: Points
    pool: Pool
    pool_name: str
    code: str = ""
    """Of one only that its partner has to be asked for again."""


class Credited(BaseModel):
    """What came of it."""

    model_config = ConfigDict(frozen=True)

    partner: str
    pool_name: str
    points: int
    balance: int


class CouponPages:
    """画面20, 21."""

    def __init__(self, ground: Ground, catalogue: Catalogue, hasher: Hasher) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._catalogue = catalogue
        self._hasher = hasher

    def routes(self) -> list[Route]:
        """Input, confirmation, done."""
        page, words = self._ground.page, ("Use a coupon", "クーポンコード利用")
        return [
            page("GET", PATH, self.show, *words, query=CouponLink),
            page("POST", PATH, self.take, *words),
            page("GET", f"{PATH}/confirm", self.confirm, *words, query=FormKey),
            page("POST", f"{PATH}/confirm", self.credit, *words),
            page("GET", f"{PATH}/done", self.done, *words, query=FormKey),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """画面20, with what the partner's signed link has filled in."""
        link = query_of(request, CouponLink)
        is_theirs = bool(link.sig) and await self._is_signed(link)
        given = {"partner": link.partner, "code": link.code} if is_theirs else {"partner": link.partner}
        form = blank(request, CouponForm, given, await self._choices())
        told = number(int(link.points)) if is_theirs and link.points else ""
        return self._page(request, form, told, unsigned=not is_theirs and bool(link.code or link.points))

    async def _is_signed(self, link: CouponLink) -> bool:
        key = await self._kit.bus.call(PartyKeyOf(key_id=link.key), DEADLINE_S)
        return is_signed(link, key, self._kit.clock.now())

    async def take(self, request: web.Request) -> web.Response:
        """Looked up, and kept to be confirmed. Unknown, used and expired coupons are answered alike."""
        form = filled(request, CouponForm, choices := await self._choices())
        if form.value is None:
            return self._page(request, form.view())
        code_hash = self._hasher.hash(form.value.code.encode())
        offer = await self._tried(request, form.value, code_hash)
        if not isinstance(offer, CouponOffer):
            form.refuse("code", sentence(offer))
            return self._page(request, form.view())
        name = (await self._catalogue.pools()).name(offer.pool)
        partners = {option.value: option.label for option in choices["partner"]}
        coupon = Coupon(
            party_id=form.value.partner,
            partner=partners[str(form.value.partner)],
            code_hash=code_hash,
            points=offer.points,
            pool=offer.pool,
            pool_name=f"{name.holder}　{name.name}".strip("　"),
            code=form.value.code if offer.online else "",
        )
        key = await self._kit.form_keys.keep(signed_in_of(request).citizen_id, ACT, coupon)
        return redirect(request, f"{PATH}/confirm?form={key}")

    async def _tried(self, request: web.Request, typed: CouponForm, code_hash: bytes) -> CouponOffer | RefusalCode:
        """One try, which counts where somebody has said that the code is no good."""
        begun = await self._kit.guesses.begin(ACT, signed_in_of(request).citizen_id, source_of(request))
        try:
            offer = await self._offer(typed.partner, typed.code, code_hash)
        except TransientError:
            await self._kit.guesses.was_no_miss(begun)
            raise
        if offer is not RefusalCode.no_coupon:
            await self._kit.guesses.was_no_miss(begun)
        return offer

    async def _offer(self, party_id: UUID, code: str, code_hash: bytes) -> CouponOffer | RefusalCode:
        """What the ledger knows, or the partner says where it answers online; used ones are asked for as others are."""
        offer = await self._known(party_id, code_hash)
        return offer if offer is not None and not offer.online else await self._asked(party_id, code, code_hash)

    async def _known(self, party_id: UUID, code_hash: bytes) -> CouponOffer | None:
        return (await self._kit.bus.call(CouponOf(party_id=party_id, code_hash=code_hash), DEADLINE_S)).offer

    async def _asked(self, party_id: UUID, code: str, code_hash: bytes) -> CouponOffer | RefusalCode:
        """Good only where the partner still says of it what the ledger knows."""
        party = (await self._kit.bus.call(PartiesOf(party_ids=(party_id,)), DEADLINE_S)).parties
        if not party or not party[0].asks_coupons:
            return RefusalCode.no_coupon
        said = await self._kit.bus.call(AskCoupon(party_id=party_id, code=code), ASK_DEADLINE_S)
        if not said.answered:
            return RefusalCode.party_away
        known = await self._known(party_id, code_hash)
        if said.offer is None or known is None:
            return RefusalCode.no_coupon
        is_the_same = (said.offer.points, said.offer.pool) == (known.points, known.pool)
        return known if is_the_same else RefusalCode.no_coupon

    async def confirm(self, request: web.Request) -> web.Response:
        """画面21: what it brings, and where it goes."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        kept = await self._kit.form_keys.kept(citizen_id, ACT, key, Coupon)
        if kept.is_done:
            return redirect(request, f"{PATH}/done?form={key}")
        return await self._confirm_page(request, key, kept.value, None)

    async def credit(self, request: web.Request) -> web.Response:
        """「ポイント移行」, once."""
        key, citizen_id = once_of(request), signed_in_of(request).citizen_id
        filled(request, Form)
        coupon = (await self._kit.form_keys.kept(citizen_id, ACT, key, Coupon)).value
        try:
            await self._kit.form_keys.act(citizen_id, ACT, key, lambda: self._credit(citizen_id, key, coupon))
        except RefusedError as refused:
            return await self._confirm_page(request, key, coupon, sentence(refused.code))
        return redirect(request, f"{PATH}/done?form={key}")

    async def done(self, request: web.Request) -> web.Response:
        """Its receipt."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        receipt = await self._kit.form_keys.receipt(citizen_id, ACT, key, Credited)
        return answer(
            request,
            "citizen/coupon_done.html",
            title=_("ポイント移行の完了"),
            receipt=receipt,
            credited=receipt.outcome,
        )

    async def _credit(self, citizen_id: UUID, key: UUID, coupon: Coupon) -> Credited:
        if coupon.code and await self._known(coupon.party_id, coupon.code_hash) is not None:
            offer = await self._asked(coupon.party_id, coupon.code, coupon.code_hash)
            if not isinstance(offer, CouponOffer):
                raise RefusedError(offer)
        command = CreditCoupon(
            party_id=coupon.party_id,
            command_id=f"coupon:{key}",
            request_hash=sha256(citizen_id.bytes + coupon.code_hash).digest()[:HASH_BYTES],
            citizen_id=citizen_id,
            code_hash=coupon.code_hash,
        )
        posted = await self._kit.bus.call(command, DEADLINE_S)
        if posted.status is PostingStatus.refused:
            raise RefusedError(posted.code or RefusalCode.no_coupon)
        balance = posted.balances.get(coupon.pool, 0)
        return Credited(partner=coupon.partner, pool_name=coupon.pool_name, points=posted.points, balance=balance)

    async def _choices(self) -> dict[str, list[Option]]:
        """Partners with coupons; a partner's other way is no reason to refuse one that it has given out."""
        found = (await self._kit.bus.call(PartiesOf(kinds=(PartyKind.partner,)), DEADLINE_S)).parties
        options = [Option(str(one.party_id), one.name) for one in found if one.linkage is Linkage.coupon]
        return {"partner": [Option("", _("選択してください")), *options]}

    @staticmethod
    def _page(request: web.Request, form: FormView, told: str = "", *, unsigned: bool = False) -> web.Response:
        return answer(
            request,
            "citizen/coupon.html",
            title=_("クーポンコード利用"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            back="/my/services",
            form=form,
            told=told,
            unsigned=unsigned,
        )

    async def _confirm_page(self, request: web.Request, key: UUID, coupon: Coupon, fault: str | None) -> web.Response:
        held = await self._kit.bus.call(BalanceOf(citizen_id=signed_in_of(request).citizen_id), DEADLINE_S)
        return answer(
            request,
            "citizen/coupon_confirm.html",
            title=_("ポイント移行の確認"),
            status=200 if fault is None else 409,
            failed=fault is not None,
            back=PATH,
            form=blank(request, Form, once=key),
            faults={"errors": [] if fault is None else [("", fault)]},
            coupon=coupon,
            balance=held.by_pool.get(coupon.pool, 0),
        )
