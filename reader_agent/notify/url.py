"""The method `url`: a call to a program on this machine or in the house's own network, the number in its address."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from reader_agent.notify.errors import NotHandedOnError

PLACE: Final = "{number}"
CALL_TIMEOUT_S: Final = 5.0
FIRST_ERROR: Final = 300


class InsideResolver(AbstractResolver):
    """Finds addresses of this machine and of private networks only, at the very moment of connecting."""

    def __init__(self) -> None:
        self._names = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError where one of the addresses is outside."""
        found = await self._names.resolve(host, port, family)
        if not all(is_inside(ip_address(one["host"])) for one in found):
            raise OSError("the address is outside")
        return found

    async def close(self) -> None:
        """Nothing is kept."""
        await self._names.close()


def is_inside(address: IPv4Address | IPv6Address) -> bool:
    """Loopback or a private network; link-local addresses are neither: clouds keep their secrets there."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or (address.is_private and not (address.is_link_local or address.is_unspecified))


def checked(target: str, text: str) -> str:
    """The address with the number in it. Raises NotHandedOnError."""
    try:
        parts = urlsplit(target)
        host = parts.hostname or ""
        named = "@" not in parts.netloc and PLACE not in parts.netloc and parts.scheme in {"http", "https"}
        if not (host and named and PLACE in parts.path + parts.query and target.isprintable()):
            raise NotHandedOnError("the address is not http(s)://host/… with {number} behind the host")
        url = target.replace(PLACE, quote(text, safe=""))
    except ValueError as error:
        raise NotHandedOnError("the address cannot be read") from error
    try:
        literal = ip_address(host)
    except ValueError:
        return url
    if not is_inside(literal):
        raise NotHandedOnError("the address is outside")
    return url


async def call(text: str, target: str) -> None:
    """Call it; an answer of 2xx is success. Raises NotHandedOnError."""
    url = checked(target, text)
    connector = TCPConnector(resolver=InsideResolver(), use_dns_cache=False)
    try:
        async with (
            ClientSession(connector=connector, timeout=ClientTimeout(CALL_TIMEOUT_S), trust_env=False) as client,
            client.get(url, allow_redirects=False) as response,
        ):
            status = response.status
    except (ClientError, OSError, TimeoutError) as error:
        # The error's text may hold the address, and so the number.
        raise NotHandedOnError(type(error).__name__) from None
    if status >= FIRST_ERROR:
        raise NotHandedOnError(f"it answered {status}")
