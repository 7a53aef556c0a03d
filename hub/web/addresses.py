"""From where a request comes: the peer's address, or what a proxy of ours says; what a client says is not believed."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Final, TypeAlias

from aiohttp import web

FORWARDED_FOR: Final = "X-Forwarded-For"

OF_ONE_HOST: Final = 64
"""Bits of an IPv6 network that one household or one server has to itself: all its addresses are as good as one."""

Network: TypeAlias = IPv4Network | IPv6Network

PROXIES: Final = web.AppKey("proxies", Sequence[Network])
"""The networks that only proxies of ours are in; each of them sends the header once, with the one address it saw."""


def address_of(request: web.Request) -> str | None:
    """The address that limits are counted by, of IPv6 its network; None where the connection is gone."""
    address = _address_of(request)
    return None if address is None else _counted(address)


def _counted(address: str) -> str:
    try:
        one = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(one, IPv4Address):
        return str(one)
    if one.ipv4_mapped is not None:
        return str(one.ipv4_mapped)
    return str(IPv6Network((one, OF_ONE_HOST), strict=False))


def _address_of(request: web.Request) -> str | None:
    peer = request.remote
    proxies = request.config_dict.get(PROXIES, ())
    if not proxies or peer is None or not _is_in(peer, proxies):
        return peer
    told = request.headers.getall(FORWARDED_FOR, [])
    return told[0].strip() if len(told) == 1 and _is_address(told[0].strip()) else peer


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    one = ip_address(address.partition("%")[0])
    return any(one in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
