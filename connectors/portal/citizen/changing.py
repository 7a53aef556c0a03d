"""One of the citizen's own data is changed (画面59–61): confirmed with what was and what will be, done once.

Each page of it (`profile_mail`, `profile_base`, `profile_notices`) reads what is wanted and hands it on to here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.citizen.identity import Target, is_identified, to_identity
from connectors.portal.ground.forms import Form, blank, filled
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route, query_of

BASE: Final = "/my/profile"


class Change(BaseModel):
    """What is confirmed: `value` is for the worker, the rest as people read it."""

    model_config = ConfigDict(frozen=True)

    value: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class What:
    """What is changed: its name in addresses and among kept forms, and in words; what is asked for before it."""

    name: str
    label: str
    done: str
    asks_again: Target | None = None
    note: str = ""

    @property
    def path(self) -> str:
        """Where its pages are."""
        return f"{BASE}/{self.name}"


Do = Callable[[web.Request, str], Awaitable[str | None]]
"""Ask the worker for it, with the value; a code where it is refused."""


class Changing:
    """The confirmation and what comes after it."""

    def __init__(self, ground: Ground, what: What, do: Do) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._what = what
        self._do = do

    def routes(self) -> list[Route]:
        """Confirmation and done."""
        page, path = self._ground.page, self._what.path
        words = ("Change one's data", "利用者情報の変更")
        return [
            page("GET", f"{path}/confirm", self.confirm, *words, query=FormKey),
            page("POST", f"{path}/confirm", self.change, *words),
            page("GET", f"{path}/done", self.done, *words, query=FormKey),
        ]

    async def keep(self, request: web.Request, change: Change) -> web.Response:
        """On to the confirmation."""
        key = await self._kit.form_keys.keep(signed_in_of(request).citizen_id, self._what.name, change)
        return redirect(request, f"{self._what.path}/confirm?form={key}")

    async def confirm(self, request: web.Request) -> web.Response:
        """What was, and what will be."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        kept = await self._kit.form_keys.kept(citizen_id, self._what.name, key, Change)
        if kept.is_done:
            return redirect(request, f"{self._what.path}/done?form={key}")
        if self._what.asks_again is not None and not is_identified(request, self._kit):
            return to_identity(request, self._what.asks_again, key)
        return self._page(request, kept.value, key, None)

    async def change(self, request: web.Request) -> web.Response:
        """It is done, once; or refused."""
        key, citizen_id = once_of(request), signed_in_of(request).citizen_id
        filled(request, Form)
        change = (await self._kit.form_keys.kept(citizen_id, self._what.name, key, Change)).value

        async def do() -> Change:
            code = await self._do(request, change.value)
            if code is not None:
                raise RefusedError(code)
            return change

        try:
            await self._kit.form_keys.act(citizen_id, self._what.name, key, do)
        except RefusedError as refused:
            if refused.code == "confirm_again" and self._what.asks_again is not None:
                return to_identity(request, self._what.asks_again, key)
            return self._page(request, change, key, sentence(refused.code))
        return redirect(request, f"{self._what.path}/done?form={key}")

    async def done(self, request: web.Request) -> web.Response:
        """Its receipt."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        receipt = await self._kit.form_keys.receipt(citizen_id, self._what.name, key, Change)
        return answer(
            request,
            "citizen/change_done.html",
            title=_("利用者情報の変更の完了"),
            what=self._what,
            receipt=receipt,
            before=receipt.outcome.before,
            after=receipt.outcome.after,
        )

    def _page(self, request: web.Request, change: Change, key: UUID, fault: str | None) -> web.Response:
        return answer(
            request,
            "citizen/change_confirm.html",
            title=_("利用者情報の変更の確認"),
            status=200 if fault is None else 409,
            failed=fault is not None,
            back=self._what.path,
            form=blank(request, Form, once=key),
            faults={"errors": [] if fault is None else [("", fault)]},
            what=self._what,
            before=change.before,
            after=change.after,
        )
