"""My Page (画面19): what one holds, when it moves or expires, and all there is to do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from connectors.portal.citizen.catalogue import Catalogue, Pools
from connectors.portal.citizen.mail_reach import MailReach
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from connectors.portal.ground.rendering import day as day_text
from connectors.portal.ground.rendering import number
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route
from schemas.citizens import BaseMunicipalitiesOf
from schemas.points import BalanceOf, Expiring, PoolBalance
from schemas.values import NO_EXPIRY, RESERVE, scheme_pool

DEADLINE_S: Final = 5.0
DATES_SHOWN: Final = 2
"""How many of the days ahead a card tells; the history has all."""


@dataclass(frozen=True, slots=True)
class Card:
    """One pool's balance as `part.balance` takes it."""

    name: str
    points: int
    url: str
    action: str
    municipality: str = ""
    note: str = ""
    main: bool = False
    dates: Sequence[tuple[str, str]] = ()
    second_url: str = ""
    second_action: str = ""


@dataclass(frozen=True, slots=True)
class Wallet:
    """All of them: reserve points, municipal points with the base municipality first, events; the largest first."""

    reserve: Card
    municipal: Sequence[Card] = field(default_factory=list)
    events: Sequence[Card] = field(default_factory=list)


class HomePage:
    """画面19."""

    def __init__(self, ground: Ground, catalogue: Catalogue, reach: MailReach) -> None:
        self._ground = ground
        self._catalogue = catalogue
        self._reach = reach

    def routes(self) -> list[Route]:
        """The one."""
        return [self._ground.page("GET", "/my", self.show, "My Page", "マイページ")]

    async def show(self, request: web.Request) -> web.Response:
        """What one holds."""
        citizen_id, bus = signed_in_of(request).citizen_id, self._ground.kit.bus
        balances, bases, pools, is_bounced = await asyncio.gather(
            bus.call(BalanceOf(citizen_id=citizen_id), DEADLINE_S),
            bus.call(BaseMunicipalitiesOf(citizen_ids=[citizen_id]), DEADLINE_S),
            self._catalogue.pools(),
            self._reach.is_bounced(citizen_id),
        )
        base = bases.lg_codes.get(str(citizen_id), "")
        return answer(
            request,
            "citizen/home.html",
            title=_("マイページ"),
            wallet=wallet_of(balances.pools, base, pools),
            things=things(),
            is_bounced=is_bounced,
        )


def wallet_of(balances: Sequence[PoolBalance], base_lg_code: str, pools: Pools) -> Wallet:
    """Cards in their order; the reserve and the base municipality are there even when they are empty."""
    by_pool = {one.pool: one for one in balances}
    base = scheme_pool(base_lg_code) if base_lg_code else ""
    municipal = [_municipal(one, pools, is_base=one.pool == base) for one in _largest_first(balances, "scheme:")]
    if base and base not in by_pool:
        empty = PoolBalance(pool=base, active=0, held=0, expiring=[])
        municipal.append(_municipal(empty, pools, is_base=True))
    municipal.sort(key=lambda card: not card.main)
    events = [_event(one, pools) for one in _largest_first(balances, "event:")]
    base_name = pools.name(base).holder if base else ""
    return Wallet(_reserve(by_pool.get(RESERVE), base_name), municipal, events)


def _largest_first(balances: Sequence[PoolBalance], prefix: str) -> list[PoolBalance]:
    chosen = [one for one in balances if one.pool.startswith(prefix)]
    return sorted(chosen, key=lambda one: (-one.active, one.pool))


def _reserve(balance: PoolBalance | None, base_name: str) -> Card:
    ahead = [] if balance is None else balance.expiring
    goes = _("基本自治体（%(name)s）へ自動で移ります") % {"name": base_name} if base_name else _("自動で移ります")
    return Card(
        name=_("留保ポイント"),
        points=0 if balance is None else balance.active,
        url="/my/history/reserve",
        action=_("履歴照会"),
        dates=[
            (_("%(day)sを過ぎると") % {"day": day_text(one.last)}, f"{_points(one.points)}：{goes}")
            for one in ahead[:DATES_SHOWN]
            if one.last != NO_EXPIRY
        ],
    )


def _municipal(balance: PoolBalance, pools: Pools, *, is_base: bool) -> Card:
    name = pools.name(balance.pool)
    return Card(
        name=name.name,
        municipality=name.holder,
        points=balance.active,
        note=_("基本自治体") if is_base else "",
        main=is_base,
        dates=_expiries(balance.expiring) + _held(balance.held),
        url=f"/my/history/municipal/{name.lg_code}" if name.lg_code else "",
        action=_("履歴照会"),
    )


def _event(balance: PoolBalance, pools: Pools) -> Card:
    name = pools.name(balance.pool)
    return Card(
        name=name.name,
        municipality=name.holder,
        points=balance.active,
        dates=_expiries(balance.expiring) + _held(balance.held),
        url=f"/my/history/events/{balance.pool.removeprefix('event:')}",
        action=_("履歴照会"),
    )


def _expiries(expiring: Sequence[Expiring]) -> list[tuple[str, str]]:
    ahead = [one for one in expiring if one.last != NO_EXPIRY]
    told = [(_("有効期限 %(day)s") % {"day": day_text(one.last)}, _points(one.points)) for one in ahead[:DATES_SHOWN]]
    return told or ([(_("有効期限"), _("なし"))] if expiring else [])


def _held(held: int) -> list[tuple[str, str]]:
    return [(_("手続き中（ポイント券、注文、合算など）"), _points(held))] if held else []


def _points(points: int) -> str:
    return _("%(points)sポイント") % {"points": number(points)}


def things() -> list[tuple[str, str]]:
    """The menu of 画面19, with the source's own words."""
    return [
        (_("地域経済応援ポイント協力会社一覧"), "/my/partners"),
        (_("留保ポイントを自治体ポイントに移行"), "/my/move/municipal"),
        (_("留保ポイントを特定支援イベントに移行"), "/my/move/event"),
        (_("自治体ポイントの履歴照会"), "/my/history/municipal"),
        (_("特定支援イベントの履歴照会"), "/my/history/events"),
        (_("地域経済応援ポイント移行用等のサービスID設定等"), "/my/services"),
        (_("サービスIDの登録状況照会"), "/my/service-ids"),
        (_("利用者情報の変更"), "/my/profile"),
        (_("マイキーIDの変更"), "/my/mykey-id"),
        (_("マイキーIDの失効"), "/my/revoke"),
    ]
