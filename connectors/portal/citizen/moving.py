"""Moving reserve points, whatever they are moved to: amount, confirmation, done (画面43–45, 49–51).

The two ways there (`move_municipal`, `move_event`) say what can be chosen and how it is called; from the amount on they
are the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.portal.ground.forms import Form, FormView, Input, blank, filled
from connectors.portal.ground.inputs import PointsInput
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.rendering import number
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route, query_of
from hub.web.problems import ProblemError
from schemas.points import BalanceOf, Balances, MovePoints, PostingStatus
from schemas.problems import ProblemCode
from schemas.values import RESERVE, Points, Pool

DEADLINE_S: Final = 10.0
HASH_BYTES: Final = 16
STEPS: Final = 4


class TargetQuery(BaseModel):
    """`?to=<what the points are moved to>`: an lg_code, or an event's id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[str, Field(max_length=36, pattern=r"^[0-9a-f-]{6,36}$")]


class AmountForm(Form):
    """画面43, 49."""

    points: Annotated[
        PointsInput, Input("移行ポイント数", hint="半角でも全角でも入力できます。", kind="number", inputmode="numeric")
    ]


class Move(BaseModel):
    """What is confirmed."""

    model_config = ConfigDict(frozen=True)

    to: str
    pool: Pool
    points: Points
    name: str
    """As it was shown, with whose it is."""


class Moved(BaseModel):
    """What came of it: balances after it."""

    model_config = ConfigDict(frozen=True)

    move: Move
    reserve: int
    balance: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where points may be moved to; `terms` are pairs of what and how, such as the expiry."""

    to: str
    pool: str
    name: str
    terms: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Words:
    """What the two ways call it, in the source language."""

    target: str
    steps: tuple[str, str, str, str]

    def shown_steps(self) -> list[str]:
        """In the language of the request."""
        return [_(step) for step in self.steps]


TargetOf = Callable[[str], Awaitable[Target | None]]


class Moving:
    """From the amount on. `base` is the address that the way begins at, `act` its name among kept forms."""

    def __init__(self, ground: Ground, base: str, act: str, words: Words, target_of: TargetOf) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._base = base
        self._act = act
        self.words = words
        self._target_of = target_of

    def routes(self, summary: str, summary_ja: str) -> list[Route]:
        """Amount, confirmation, done."""
        page, base = self._ground.page, self._base
        return [
            page("GET", f"{base}/amount", self.amount, summary, summary_ja, query=TargetQuery),
            page("POST", f"{base}/amount", self.take, summary, summary_ja, query=TargetQuery),
            page("GET", f"{base}/confirm", self.confirm, summary, summary_ja, query=FormKey),
            page("POST", f"{base}/confirm", self.move, summary, summary_ja),
            page("GET", f"{base}/done", self.done, summary, summary_ja, query=FormKey),
        ]

    async def amount(self, request: web.Request) -> web.Response:
        """画面43, 49: how many."""
        target, held = await asyncio.gather(self._target(query_of(request, TargetQuery).to), self._held(request))
        return self._amount_page(request, target, held, blank(request, AmountForm))

    async def take(self, request: web.Request) -> web.Response:
        """Kept, to be confirmed."""
        target, held = await asyncio.gather(self._target(query_of(request, TargetQuery).to), self._held(request))
        form = filled(request, AmountForm)
        if form.value is not None and form.value.points > _reserve(held):
            form.refuse(
                "points",
                _("移行ポイント数は、留保ポイント残高（%(points)sポイント）以下で入力してください。")
                % {"points": number(_reserve(held))},
            )
        if form.value is None:
            return self._amount_page(request, target, held, form.view(), status=422)
        move = Move(to=target.to, pool=target.pool, points=form.value.points, name=target.name)
        key = await self._kit.form_keys.keep(signed_in_of(request).citizen_id, self._act, move)
        return redirect(request, f"{self._base}/confirm?form={key}")

    async def confirm(self, request: web.Request) -> web.Response:
        """画面44, 50: what will be moved. Where it was moved already, its receipt."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        kept = await self._kit.form_keys.kept(citizen_id, self._act, key, Move)
        if kept.is_done:
            return redirect(request, f"{self._base}/done?form={key}")
        target, held = await asyncio.gather(self._target(kept.value.to), self._held(request))
        return answer(
            request,
            "citizen/move_confirm.html",
            title=_("ポイント移行の確認"),
            back=f"{self._base}/amount?to={target.to}",
            form=blank(request, Form, once=key),
            action=f"{self._base}/confirm",
            words=self.words,
            target=target,
            points=kept.value.points,
            reserve=_reserve(held),
            balance=held.by_pool.get(target.pool, 0),
        )

    async def move(self, request: web.Request) -> web.Response:
        """It is done, once; or refused, and the amount can be changed."""
        key, citizen_id = once_of(request), signed_in_of(request).citizen_id
        move = (await self._kit.form_keys.kept(citizen_id, self._act, key, Move)).value
        try:
            await self._kit.form_keys.act(citizen_id, self._act, key, lambda: self._move(citizen_id, key, move))
        except RefusedError as refused:
            return await self._refused(request, move, refused.code)
        return redirect(request, f"{self._base}/done?form={key}")

    async def done(self, request: web.Request) -> web.Response:
        """画面45, 51: its receipt, and the balances before and after."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        receipt = await self._kit.form_keys.receipt(citizen_id, self._act, key, Moved)
        return answer(
            request,
            "citizen/move_done.html",
            title=_("ポイント移行の完了"),
            words=self.words,
            receipt=receipt,
            moved=receipt.outcome,
            points=receipt.outcome.move.points,
        )

    async def _move(self, citizen_id: UUID, key: UUID, move: Move) -> Moved:
        command = MovePoints(
            party_id=citizen_id,
            command_id=str(key),
            request_hash=sha256(f"{move.pool}|{move.points}".encode()).digest()[:HASH_BYTES],
            citizen_id=citizen_id,
            pool=move.pool,
            points=move.points,
        )
        posted = await self._kit.bus.call(command, DEADLINE_S)
        if posted.status is PostingStatus.refused:
            raise RefusedError(posted.code or "")
        return Moved(move=move, reserve=posted.balances.get(RESERVE, 0), balance=posted.balances.get(move.pool, 0))

    async def _refused(self, request: web.Request, move: Move, code: str) -> web.Response:
        target, held = await asyncio.gather(self._target(move.to), self._held(request))
        form, field = blank(request, AmountForm, {"points": str(move.points)}), "points" if _reserve(held) else ""
        return self._amount_page(request, target, held, form.faulted(field, sentence(code)), status=409)

    async def _target(self, to: str) -> Target:
        target = await self._target_of(to)
        if target is None:
            raise ProblemError(ProblemCode.not_found)
        return target

    async def _held(self, request: web.Request) -> Balances:
        return await self._kit.bus.call(BalanceOf(citizen_id=signed_in_of(request).citizen_id), DEADLINE_S)

    def _amount_page(
        self, request: web.Request, target: Target, held: Balances, form: FormView, *, status: int = 200
    ) -> web.Response:
        return answer(
            request,
            "citizen/move_amount.html",
            title=_("移行ポイント数の入力"),
            status=status,
            failed=bool(form.errors),
            back=self._base,
            form=form,
            action=f"{self._base}/amount?to={target.to}",
            words=self.words,
            target=target,
            reserve=_reserve(held),
        )


def _reserve(held: Balances) -> int:
    return held.by_pool.get(RESERVE, 0)
