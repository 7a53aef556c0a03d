"""The route table is checked at start: every fault is named, and the hub does not run with it."""

from types import MappingProxyType
from typing import Any

import pytest

from hub import routes
from hub.component import Component
from hub.errors import PermanentError, UnroutableError
from hub.installed import installed
from hub.routes import ROUTES, Route, RouteTableError, check
from schemas.catalog import CATALOG
from schemas.message import Command, Query
from schemas.notices import SendNotice
from schemas.partner_files import WorkTransferFile
from schemas.points import BalanceOf, CreditPoints, PointsCredited, PointsUsed
from schemas.webhooks import SendWebhook
from tests.hub.parts import Probe, at_work, fake
from tests.waiting import wait_until


def with_route(monkeypatch: pytest.MonkeyPatch, message_type: Any, route: Route | None) -> None:  # noqa: ANN401
    changed = {kind: known for kind, known in ROUTES.items() if kind is not message_type}
    if route is not None:
        changed[message_type] = route
    monkeypatch.setattr(routes, "ROUTES", MappingProxyType(changed))


def test_the_table_as_it_stands_has_no_fault() -> None:
    check([])


def test_every_type_of_the_catalogue_has_a_route() -> None:
    assert set(CATALOG.values()) == set(ROUTES)


def test_every_receiver_is_a_component_that_is_installed() -> None:
    names = {one.name for one in installed()}

    assert {receiver for route in ROUTES.values() for receiver in route.receivers} <= names


def test_a_type_without_a_route_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with_route(monkeypatch, PointsUsed, None)

    with pytest.raises(RouteTableError, match=r"jp\.mykey\.points\.used\.v1 has no route"):
        check([])


@pytest.mark.parametrize("message_type", [CreditPoints, BalanceOf, SendNotice])
@pytest.mark.parametrize("receivers", [(), ("ledger", "mail")])
def test_a_command_or_query_has_exactly_one_receiver(
    monkeypatch: pytest.MonkeyPatch, message_type: type[Command | Query], receivers: tuple[str, ...]
) -> None:
    with_route(monkeypatch, message_type, Route(receivers))

    with pytest.raises(RouteTableError, match=f"{message_type.__name__} must have exactly one receiver"):
        check([])


def test_what_is_sent_is_handled() -> None:
    with pytest.raises(RouteTableError, match="mail is sent PointsCredited, which it does not handle"):
        check([Component("mail")])


def test_what_is_done_outside_is_handled_outside() -> None:
    async def handle(*_: object) -> None:
        pass

    with pytest.raises(RouteTableError, match="mail is sent SendNotice, which it does not handle"):
        check([Component("mail", handlers={SendNotice: handle})])


def test_what_is_handled_is_sent() -> None:
    async def handle(*_: object) -> None:
        pass

    with pytest.raises(RouteTableError, match="registry handles PointsCredited, which nobody routes to it"):
        check([Component("registry", handlers={PointsCredited: handle})])


def test_a_handler_of_a_type_that_has_no_route_is_a_fault_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handle(*_: object) -> None:
        pass

    with_route(monkeypatch, PointsUsed, None)
    with pytest.raises(RouteTableError, match="ledger handles PointsUsed"):
        check([Component("ledger", handlers={PointsUsed: handle})])


async def test_a_process_does_not_start_with_a_fault_and_leaves_no_connection(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_route(monkeypatch, PointsUsed, None)
    with pytest.raises(PermanentError):
        await at_work(probe.url, fake("registry"), fake("mail")).__aenter__()

    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename <> current_user"
    await wait_until(lambda: _is_zero(probe, count))


async def _is_zero(probe: Probe, count: str) -> bool:
    return not await probe.connection.fetchval(count)


def test_a_call_without_a_receiver_is_unroutable() -> None:
    with pytest.raises(UnroutableError):
        routes.receiver_of_call(PointsUsed)


def test_the_table_as_text_names_all() -> None:
    text = "\n".join(routes.lines())

    assert all(one.__name__ in text and one.TYPE in text for one in ROUTES)


async def test_what_one_component_does_outside_may_have_lanes_apart(probe: Probe) -> None:
    """So that a party whose endpoint is slow holds no file of transfers up."""
    async with at_work(probe.url, fake("partner")) as process:
        names = {one.receiver for one in process.receivers_of("partner")}
    assert names == {"partner", "partner.outside", "partner.webhooks"}
    assert ROUTES[SendWebhook].delivered_to() == ("partner.webhooks",)
    assert ROUTES[WorkTransferFile].delivered_to() == ("partner.outside",)
