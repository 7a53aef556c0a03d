"""The one way out to addresses that others have named: no inside address is ever reached by it (SSRF).

Looked at when connecting, address by address, so that a name which points elsewhere a moment later gains nothing. No
redirect is followed, no proxy of the environment used, no answer longer than a limit read.
"""

import asyncio
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from hub.loopback import is_loopback, is_plain_loopback

TIMEOUT_S: Final = 10.0
"""Mostly somebody waits for what is asked there."""
TELL_TIMEOUT_S: Final = 15.0
"""Nobody waits for who is told; Standard Webhooks asks for 15 to 30 seconds."""
CONNECT_TIMEOUT_S: Final = 5.0
"""Of the other side alone: waiting for a connection of ours is not its silence."""
ANSWER_LIMIT_BYTES: Final = 64 * 1024
CONNECTIONS_LIMIT: Final = 64
CONNECTIONS_PER_HOST_LIMIT: Final = 8
"""So that one that is slow does not hold up the others."""
HTTPS_PORT: Final = 443
SERVER_FAULT: Final = 500
RETRY_AFTER_LIMIT_S: Final = 3_600.0
DOWN_S: Final = 5.0
"""Until another try, where there was no connection."""
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_EMBEDDING: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))
"""IPv6 addresses that stand for an IPv4 address, which could be one of the inside."""


class AwayError(Exception):
    """The other side is not reached, does not answer in time, or has a fault of its own, which it told by `status`."""

    def __init__(self, reason: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        """`retry_after_s` is what it asks for."""
        super().__init__(reason)
        self.status = status
        self.retry_after_s = retry_after_s


class UnreachedError(AwayError):
    """There is no connection to the other side: refused, no such name, or a certificate that does not fit."""


class ForbiddenAddressError(Exception):
    """An address that we do not go to: not https, not public, or not the usual port."""


@dataclass(frozen=True, slots=True)
class Got:
    """An answer, read to its end."""

    status: int
    content_type: str
    body: bytes
    retry_after_s: float | None


class Outbound:
    """One for each purpose, with its own connections. `rehearsal`: a hub on plain loopback may talk to its machine."""

    def __init__(self, own_url: str) -> None:
        self._rehearsal = is_plain_loopback(own_url)
        self._session: ClientSession | None = None

    def check(self, url: str) -> str:
        """The address, if we may go there, or send a browser there. Raises ForbiddenAddressError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise ForbiddenAddressError(url) from error
        if self._rehearsal and parts.scheme in {"http", "https"} and is_loopback(host):
            return url
        if parts.scheme != "https" or not host or parts.username is not None or port not in {None, HTTPS_PORT}:
            raise ForbiddenAddressError(url)
        if (address := _literal(host)) is not None and not is_public(address):
            raise ForbiddenAddressError(url)
        return url

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Got:
        """Raises ForbiddenAddressError, AwayError."""
        return await self._ask("GET", url, None, headers)

    async def post(self, url: str, body: bytes | Mapping[str, str], headers: Mapping[str, str] | None = None) -> Got:
        """`body` as bytes, or as a form's fields. Raises ForbiddenAddressError, AwayError."""
        return await self._ask("POST", url, body, headers)

    async def tell(self, url: str, body: bytes, headers: Mapping[str, str]) -> Got:
        """As `post`, where only the status is of interest: nothing that is said beside it is read."""
        return await self._ask("POST", url, body, headers, reads=False)

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(
        self,
        method: str,
        url: str,
        body: bytes | Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        *,
        reads: bool = True,
    ) -> Got:
        self.check(url)
        if self._session is None:
            self._session = self._opened()
        timeout = ClientTimeout(total=TIMEOUT_S if reads else TELL_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                content = await _read(response) if reads else b""
        except ClientConnectorError as error:
            raise UnreachedError(type(error).__name__) from error
        except (ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise AwayError(type(error).__name__) from error
        if len(content) > ANSWER_LIMIT_BYTES:
            raise AwayError("the answer is too long")
        wait_s = _retry_after_s(response.headers.get("Retry-After", ""))
        if response.status >= SERVER_FAULT:
            raise AwayError(f"status {response.status}", response.status, wait_s)
        return Got(response.status, response.content_type, content, wait_s)

    def _opened(self) -> ClientSession:
        return ClientSession(
            connector=TCPConnector(
                resolver=PublicResolver(rehearsal=self._rehearsal),
                limit=CONNECTIONS_LIMIT,
                limit_per_host=CONNECTIONS_PER_HOST_LIMIT,
                use_dns_cache=False,
            ),
            cookie_jar=DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses; what it returns is what is connected to."""

    def __init__(self, resolver: AbstractResolver | None = None, *, rehearsal: bool = False) -> None:
        self._resolver = resolver
        self._rehearsal = rehearsal

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError where one of the addresses is not public."""
        if self._resolver is None:
            self._resolver = ThreadedResolver()
        found = await self._resolver.resolve(host, port, family)
        if not (self._rehearsal and is_loopback(host)):
            for one in found:
                if not is_public(ip_address(one["host"].partition("%")[0])):
                    raise OSError("the name stands for an inside address")
        return found

    async def close(self) -> None:
        """Nothing is kept."""
        if self._resolver is not None:
            await self._resolver.close()


def _retry_after_s(header: str) -> float | None:
    """Seconds; a date is not understood, and no more than an hour is waited for."""
    return min(float(header), RETRY_AFTER_LIMIT_S) if _SECONDS.fullmatch(header) else None


async def _read(response: ClientResponse) -> bytes:
    """To the end of it, or a little beyond the limit."""
    content = await response.content.read(ANSWER_LIMIT_BYTES + 1)
    while len(content) <= ANSWER_LIMIT_BYTES and (more := await response.content.read(ANSWER_LIMIT_BYTES)):
        content += more
    return content


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is somewhere out in the world, and stands for nothing inside."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _EMBEDDING):
            return False
    return address.is_global and not address.is_multicast


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
