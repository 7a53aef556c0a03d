"""Balances and histories (画面52–56): what came in and went out, the balance after it, where it came from.

画面52 the reserve; 53 and 55 lists of municipal and event points; 54 and 56 the history of one of them. The newest
first, a page at a time; the address of the next page says where it begins.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.portal.citizen.catalogue import Catalogue, Pools
from connectors.portal.citizen.history_texts import kind_text
from connectors.portal.citizen.home import Wallet, wallet_of
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route, query_of
from hub.web.pages import BIGINT_LIMIT, CURSOR_CHARS_LIMIT, INTEGER_LIMIT, decode_cursor, encode_cursor
from hub.web.problems import ProblemError
from schemas.citizens import BaseMunicipalitiesOf
from schemas.history import History, HistoryEntry, HistoryOf, HistoryPlace
from schemas.points import BalanceOf, PoolBalance
from schemas.problems import ProblemCode
from schemas.values import RESERVE, event_pool, has_valid_check_digit, scheme_pool

BASE: Final = "/my/history"
DEADLINE_S: Final = 5.0
PAGE: Final = 20
NOTHING: Final = PoolBalance(pool=RESERVE, active=0, held=0, expiring=[])


class Place(HistoryPlace):
    """Such a place as it stands in an address."""

    block: Annotated[int, Field(ge=0, le=BIGINT_LIMIT)]
    number: Annotated[int, Field(ge=0, le=INTEGER_LIMIT)]


class AfterQuery(BaseModel):
    """`?after=<place>`: the page that begins there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: Annotated[str, Field(max_length=CURSOR_CHARS_LIMIT)] = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One posting as it is shown; `change` is 0 where what was set aside before is settled now."""

    day: date
    what: str
    whom: str
    change: int
    balance: int | None


class HistoryPages:
    """画面52–56."""

    def __init__(self, ground: Ground, catalogue: Catalogue) -> None:
        self._ground = ground
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """The overview, two lists, three histories."""
        page = self._ground.page
        municipal, events = f"{BASE}/municipal", f"{BASE}/events"
        event_id = "{event_id:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}}"
        return [
            page("GET", BASE, self.overview, "Histories", "履歴"),
            page("GET", f"{BASE}/reserve", self.reserve, "Reserve points", "留保ポイントの履歴", query=AfterQuery),
            page("GET", municipal, self.municipal, "Municipal points", "自治体ポイントの残高"),
            page(
                "GET", municipal + "/{lg_code:[0-9]{6}}", self.scheme, "A scheme", "自治体ポイントの履歴",
                query=AfterQuery,
            ),
            page("GET", events, self.events, "Event points", "特定支援イベントの残高"),
            page("GET", f"{events}/{event_id}", self.event, "An event", "特定支援イベントの履歴", query=AfterQuery),
        ]  # fmt: skip

    async def overview(self, request: web.Request) -> web.Response:
        """What there is a history of."""
        choices = [
            (_("留保ポイントの履歴"), f"{BASE}/reserve", ""),
            (_("自治体ポイントの履歴照会"), f"{BASE}/municipal", ""),
            (_("特定支援イベントの履歴照会"), f"{BASE}/events", ""),
        ]
        return answer(request, "citizen/history_overview.html", title=_("履歴"), choices=choices)

    async def municipal(self, request: web.Request) -> web.Response:
        """画面53: the base municipality first, then the largest."""
        wallet = await self._wallet(request)
        return answer(
            request,
            "citizen/history_pools.html",
            title=_("自治体ポイントの残高"),
            back=BASE,
            cards=wallet.municipal,
            empty=_("自治体ポイントはまだありません。"),
        )

    async def events(self, request: web.Request) -> web.Response:
        """画面55: the largest first."""
        wallet = await self._wallet(request)
        return answer(
            request,
            "citizen/history_pools.html",
            title=_("特定支援イベントの残高"),
            back=BASE,
            cards=wallet.events,
            empty=_("特定支援イベントのポイントはまだありません。"),
        )

    async def reserve(self, request: web.Request) -> web.Response:
        """画面52."""
        return await self._history(request, RESERVE, _("留保ポイントの履歴"), f"{BASE}/reserve", BASE)

    async def scheme(self, request: web.Request) -> web.Response:
        """画面54."""
        lg_code = request.match_info["lg_code"]
        if not has_valid_check_digit(lg_code):
            raise ProblemError(ProblemCode.not_found)
        base = f"{BASE}/municipal"
        return await self._history(
            request, scheme_pool(lg_code), _("自治体ポイントの取引履歴"), f"{base}/{lg_code}", base
        )

    async def event(self, request: web.Request) -> web.Response:
        """画面56."""
        event_id = UUID(request.match_info["event_id"])
        base = f"{BASE}/events"
        return await self._history(
            request, event_pool(event_id), _("特定支援イベントの利用履歴"), f"{base}/{event_id}", base
        )

    async def _wallet(self, request: web.Request) -> Wallet:
        citizen_id, bus = signed_in_of(request).citizen_id, self._ground.kit.bus
        balances, bases, pools = await asyncio.gather(
            bus.call(BalanceOf(citizen_id=citizen_id), DEADLINE_S),
            bus.call(BaseMunicipalitiesOf(citizen_ids=[citizen_id]), DEADLINE_S),
            self._catalogue.pools(),
        )
        return wallet_of(balances.pools, bases.lg_codes.get(str(citizen_id), ""), pools)

    async def _history(self, request: web.Request, pool: str, title: str, own: str, back: str) -> web.Response:
        citizen_id, bus = signed_in_of(request).citizen_id, self._ground.kit.bus
        after = query_of(request, AfterQuery).after
        place = decode_cursor(after, Place) if after else None
        asked = HistoryOf(citizen_id=citizen_id, pool=pool, after=place, limit=PAGE)
        balances, history, pools = await asyncio.gather(
            bus.call(BalanceOf(citizen_id=citizen_id), DEADLINE_S),
            bus.call(asked, DEADLINE_S),
            self._catalogue.pools(),
        )
        if pool != RESERVE and pool not in pools.names:
            raise ProblemError(ProblemCode.not_found)
        parties = await self._catalogue.parties(one for entry in history.entries for one in entry.counterparties)
        held = next((one for one in balances.pools if one.pool == pool), NOTHING)
        return answer(
            request,
            "citizen/history.html",
            title=title,
            back=back,
            pool_name=pools.name(pool),
            held=held,
            is_reserve=pool == RESERVE,
            lines=lines_of(history, pool, pools, parties),
            next_url=None if history.after is None else f"{own}?after={encode_cursor(history.after)}",
            first_url=own if after else None,
        )


def lines_of(history: History, pool: str, pools: Pools, parties: Mapping[UUID, str]) -> list[Line]:
    """The entries of one pool's history, as people read them."""
    return [_line(entry, pool, pools, parties) for entry in history.entries]


def _line(entry: HistoryEntry, pool: str, pools: Pools, parties: Mapping[UUID, str]) -> Line:
    own = next((one for one in entry.changes if one.pool == pool), None)
    return Line(
        day=entry.posted_on,
        what=_what(entry, pool),
        whom=_whom(entry, pool, pools, parties),
        change=0 if own is None else own.change,
        balance=None if own is None else own.balance,
    )


def _what(entry: HistoryEntry, pool: str) -> str:
    if pool == RESERVE and entry.kind == "move":
        return _("移行")
    return kind_text(entry.kind)


def _whom(entry: HistoryEntry, pool: str, pools: Pools, parties: Mapping[UUID, str]) -> str:
    """Where the points came from or went to: partners and the like, and the other pool of a move."""
    names: Sequence[str] = [parties[one] for one in entry.counterparties if one in parties]
    others = [] if pool != RESERVE else [_pool_name(one.pool, pools) for one in entry.changes if one.pool != pool]
    if others and names:
        return _("%(to)s（移行元：%(origin)s）") % {"to": _listed(others), "origin": _listed(names)}
    return _listed([*others, *names])


def _listed(names: Sequence[str]) -> str:
    return _("、").join(dict.fromkeys(names))


def _pool_name(pool: str, pools: Pools) -> str:
    name = pools.name(pool)
    return f"{name.name}（{name.holder}）" if name.holder else name.name
