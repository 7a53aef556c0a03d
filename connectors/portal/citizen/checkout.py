"""Points for an order at an online shop or fund (mission I.7, I.8): the shop sends the citizen here.

`/my/checkout?id=…`: chosen, confirmed, done. What was decided goes to the shop by its own server's question and by a
signed address; here it is only a link, so that no form leads to another site.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.citizen.catalogue import Catalogue
from connectors.portal.ground.forms import Form, FormView, Input, Option, blank, filled
from connectors.portal.ground.inputs import PointsInput
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, PageProblemError, answer, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.rendering import number
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route, query_of
from schemas.citizens import ProfileOf
from schemas.offers import UsablePoolsOf
from schemas.points import BalanceOf
from schemas.problems import ProblemCode, RefusalCode
from schemas.shop_orders import CheckoutOf, CheckoutView, ConfirmCheckout
from schemas.values import RESERVE, Points, Pool, scheme_pool

PATH: Final = "/my/checkout"
ACT: Final = "checkout"
DEADLINE_S: Final = 10.0


class CheckoutForm(Form):
    """Which points, and how many."""

    pool: Annotated[str, Input("利用するポイント", kind="radios")]
    points: Annotated[
        PointsInput, Input("利用ポイント数", hint="半角でも全角でも入力できます。", kind="number", inputmode="numeric")
    ]


class CheckoutQuery(BaseModel):
    """The shop's link."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID


class Payment(BaseModel):
    """What is confirmed."""

    model_config = ConfigDict(frozen=True)

    checkout_id: UUID
    shop: str
    title: str
    pool: Pool
    pool_name: str
    points: Points


class Paid(BaseModel):
    """What came of it."""

    model_config = ConfigDict(frozen=True)

    payment: Payment
    return_url: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A checkout as the citizen sees it; `held` are points by pool that can be used, the base municipality's first."""

    view: CheckoutView
    shop: str
    held: dict[str, int]
    names: dict[str, str]

    def options(self) -> list[Option]:
        """The pools to choose from."""
        told = _("残高 %(points)sポイント")
        return [Option(pool, self.names[pool], told % {"points": number(has)}) for pool, has in self.held.items()]


class CheckoutPages:
    """Choice, confirmation, done."""

    def __init__(self, ground: Ground, catalogue: Catalogue) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """All of them."""
        page, words = self._ground.page, ("Points for an order", "ショップでのポイント利用")
        return [
            page("GET", PATH, self.show, *words, query=CheckoutQuery),
            page("POST", PATH, self.take, *words, query=CheckoutQuery),
            page("GET", f"{PATH}/confirm", self.confirm, *words, query=FormKey),
            page("POST", f"{PATH}/confirm", self.pay, *words),
            page("GET", f"{PATH}/done", self.done, *words, query=FormKey),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """What the shop asks, and what could be used."""
        asked = await self._asked(request, query_of(request, CheckoutQuery).id)
        options = asked.options()
        first = {"pool": options[0].value} if options else {}
        return self._page(request, asked, blank(request, CheckoutForm, first, {"pool": options}))

    async def take(self, request: web.Request) -> web.Response:
        """Kept, to be confirmed."""
        asked = await self._asked(request, query_of(request, CheckoutQuery).id)
        form = filled(request, CheckoutForm, {"pool": asked.options()})
        if form.value is not None:
            most = min(asked.view.at_most, asked.held.get(form.value.pool, 0))
            if form.value.points > most:
                told = _("利用ポイント数は、%(points)sポイント以下で入力してください。")
                form.refuse("points", told % {"points": number(most)})
        if form.value is None:
            return self._page(request, asked, form.view())
        payment = Payment(
            checkout_id=asked.view.checkout_id,
            shop=asked.shop,
            title=asked.view.title,
            pool=form.value.pool,
            pool_name=asked.names[form.value.pool],
            points=form.value.points,
        )
        key = await self._kit.form_keys.keep(signed_in_of(request).citizen_id, ACT, payment)
        return redirect(request, f"{PATH}/confirm?form={key}")

    async def confirm(self, request: web.Request) -> web.Response:
        """What will be used, where. Where it was done already, its receipt."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        kept = await self._kit.form_keys.kept(citizen_id, ACT, key, Payment)
        if kept.is_done:
            return redirect(request, f"{PATH}/done?form={key}")
        return await self._confirm_page(request, key, kept.value, None)

    async def pay(self, request: web.Request) -> web.Response:
        """「利用」, once."""
        key, citizen_id = once_of(request), signed_in_of(request).citizen_id
        filled(request, Form)
        payment = (await self._kit.form_keys.kept(citizen_id, ACT, key, Payment)).value
        try:
            await self._kit.form_keys.act(citizen_id, ACT, key, lambda: self._pay(citizen_id, payment))
        except RefusedError as refused:
            return await self._confirm_page(request, key, payment, _why(refused.code))
        return redirect(request, f"{PATH}/done?form={key}")

    async def done(self, request: web.Request) -> web.Response:
        """Its receipt, and the way back to the shop."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        receipt = await self._kit.form_keys.receipt(citizen_id, ACT, key, Paid)
        return answer(
            request,
            "citizen/checkout_done.html",
            title=_("ポイント利用の受け付け"),
            receipt=receipt,
            payment=receipt.outcome.payment,
            return_url=receipt.outcome.return_url,
        )

    async def _pay(self, citizen_id: UUID, payment: Payment) -> Paid:
        command = ConfirmCheckout(
            checkout_id=payment.checkout_id, citizen_id=citizen_id, pool=payment.pool, points=payment.points
        )
        confirmed = await self._kit.bus.call(command, DEADLINE_S)
        if confirmed.code is not None:
            raise RefusedError(confirmed.code)
        return Paid(payment=payment, return_url=confirmed.return_url)

    async def _asked(self, request: web.Request, checkout_id: UUID) -> Asked:
        """Raises PageProblemError (404) where there is no such checkout, or no longer: it is over, or decided."""
        citizen_id = signed_in_of(request).citizen_id
        held, person, pools, found = await asyncio.gather(
            self._kit.bus.call(BalanceOf(citizen_id=citizen_id), DEADLINE_S),
            self._kit.bus.call(ProfileOf(citizen_id=citizen_id), DEADLINE_S),
            self._catalogue.pools(),
            self._kit.bus.call(CheckoutOf(checkout_id=checkout_id), DEADLINE_S),
        )
        if found.checkout is None:
            raise _over()
        asked = UsablePoolsOf(
            party_id=found.checkout.party_id,
            offer_ids=list(found.checkout.item_ids),
            pools=[pool for pool in held.by_pool if pool != RESERVE],
        )
        approved = (await self._kit.bus.call(asked, DEADLINE_S)).pools
        base = scheme_pool(person.profile.base_lg_code) if person.profile else ""
        order = sorted(approved, key=lambda pool: (pool != base, -held.by_pool[pool], pool))
        usable = {pool: held.by_pool[pool] for pool in order}
        names = {pool: pools.name(pool) for pool in usable}
        shops = await self._catalogue.parties([found.checkout.party_id])
        return Asked(
            found.checkout,
            shops.get(found.checkout.party_id, ""),
            usable,
            {pool: f"{name.holder}　{name.name}".strip("　") for pool, name in names.items()},
        )

    @staticmethod
    def _page(request: web.Request, asked: Asked, form: FormView) -> web.Response:
        return answer(
            request,
            "citizen/checkout.html",
            title=_("ショップでのポイント利用"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            asked=asked,
            form=form,
            action=f"{PATH}?id={asked.view.checkout_id}",
        )

    async def _confirm_page(self, request: web.Request, key: UUID, payment: Payment, fault: str | None) -> web.Response:
        held = await self._kit.bus.call(BalanceOf(citizen_id=signed_in_of(request).citizen_id), DEADLINE_S)
        balance = held.by_pool.get(payment.pool, 0)
        choice = f"{PATH}?id={payment.checkout_id}"
        return answer(
            request,
            "citizen/checkout_confirm.html",
            title=_("ポイント利用の確認"),
            status=200 if fault is None else 409,
            failed=fault is not None,
            back=choice,
            choice=choice,
            form=blank(request, Form, once=key),
            faults={"errors": [] if fault is None else [("", fault)]},
            payment=payment,
            balance=balance,
            left=max(0, balance - payment.points),
        )


def _why(code: str) -> str:
    """In two tabs other points were chosen for one order: of those that came first the shop has been told."""
    if code == RefusalCode.id_conflict:
        return _("この注文ではすでにポイントの利用を受け付けています。ショップに戻って、注文の状況を確認してください。")
    return sentence(code)


def _over() -> PageProblemError:
    return PageProblemError(
        ProblemCode.not_found,
        "この注文の手続きは終了しています",
        "ショップに戻って、注文の状況を確認してください。",
    )
