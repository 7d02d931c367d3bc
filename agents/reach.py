"""Connections to servers that a program names, and to nothing else that answers inside the network (SSRF).

1. The address is that of a URL of `https`; of `http` too for this machine and, if asked for, for private networks.
2. The name is resolved once, every address it resolves to is checked, and the connection goes to one of those: a name
   that resolves to something else the next time (DNS rebinding) gets nowhere. IPv4 addresses inside IPv6 ones count.
3. This machine is reached by its own names alone; link-local addresses, where clouds keep credentials, never are.
4. A redirect is a new request, checked like the first; proxies of the environment are not used.
5. An answer has a size; a stream of events has none, but each event does.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Literal, TypeAlias

import anyio
import httpx2

from ..protocols.errors import UsageError

Reach = Literal["public", "private"]
"""Which networks a server may be in: the public one, or private ones (RFC 1918, RFC 4193) as well."""
Address: TypeAlias = IPv4Address | IPv6Address

MOST_BYTES = 16 * 1024 * 1024
"""Of one answer."""
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""RFC 6052 and RFC 8215."""
PRIVATE = tuple(ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))


def check_url(url: str, reach: Reach = "public") -> httpx2.URL:
    """The URL, if it may be one of a server; nothing is resolved yet.

    Raises:
        UsageError: it may not.

    Example:
        >>> check_url("https://mcp.example/mcp").host, check_url("http://localhost:8000/").host
        ('mcp.example', 'localhost')
        >>> check_url("http://mcp.example/mcp")
        Traceback (most recent call last):
        ...
        echelon.protocols.errors.UsageError: server 'mcp.example': expected https, found http
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise UsageError("a server's URL cannot be read") from error
    host = parsed.host
    if not host or parsed.userinfo:
        raise UsageError("a server's URL needs a host, and holds no name or password: send those as headers")
    near = is_loopback(host) or reach == "private"
    if parsed.scheme not in (("https", "http") if near else ("https",)):
        raise UsageError(f"server {host!r}: expected https, found {parsed.scheme or 'nothing'}")
    return parsed


def is_loopback(host: str) -> bool:
    """Whether a name is this machine's own, by itself and not by what it resolves to."""
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and _inner(address).is_loopback


def may_reach(address: Address, reach: Reach) -> bool:
    """Whether a server may be at an address that a name resolved to.

    Example:
        >>> [may_reach(ipaddress.ip_address(one), "public") for one in ("93.184.216.34", "10.0.0.1", "::ffff:10.0.0.1")]
        [True, False, False]
        >>> may_reach(ipaddress.ip_address("10.0.0.1"), "private")
        True
        >>> may_reach(ipaddress.ip_address("169.254.169.254"), "private")
        False
    """
    inner = _inner(address)
    if inner.is_multicast or inner.is_link_local or inner.is_loopback or inner.is_unspecified:
        return False
    if any(inner in network for network in PRIVATE):
        return reach == "private"
    return inner.is_global


class Reaching(httpx2.AsyncBaseTransport):
    """Sends requests where a program may send them.

    Args:
        reach: which networks.
        inner: sends to an address that has been checked; None: over the network.
    """

    def __init__(self, reach: Reach, inner: httpx2.AsyncBaseTransport | None = None) -> None:
        self._reach: Reach = reach
        self._inner = inner or httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request.

        Raises:
            UsageError: it may not be sent there.
        """
        host = check_url(str(request.url), self._reach).host
        address = await resolved(host, request.url.port or 443, self._reach)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)  # the Host header was set by the client, from the name
        response = await self._inner.handle_async_request(request)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = Bounded(response.stream)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class Bounded(httpx2.AsyncByteStream):
    """An answer's body, up to a size."""

    def __init__(self, stream: object) -> None:
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError(f"expected an asynchronous stream, found {type(stream).__name__}")
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Its pieces.

        Raises:
            StreamError: it is too long.
        """
        size, pieces = 0, aiter(self._stream)
        try:
            async for piece in pieces:
                size += len(piece)
                if size > MOST_BYTES:
                    raise httpx2.StreamError(f"the answer is longer than {MOST_BYTES} bytes")
                yield piece
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()


async def resolved(host: str, port: int, reach: Reach) -> str:
    """An address to connect to; all that the name resolves to are allowed.

    Raises:
        UsageError: one of them is not, or there is none.
    """
    if is_loopback(host):
        return "127.0.0.1" if host == "localhost" else host
    try:
        found = await anyio.getaddrinfo(host.rstrip("."), port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"server {host!r} cannot be found") from error
    addresses = [ipaddress.ip_address(str(where[0])) for *_, where in found]
    if not addresses or not all(may_reach(address, reach) for address in addresses):
        raise UsageError(f"server {host!r} resolves to an address inside a network that it may not be in")
    return str(_preferred(addresses))


def _preferred(addresses: Sequence[Address]) -> Address:
    """IPv4 first: not every machine that resolves IPv6 addresses can reach them."""
    return min(addresses, key=lambda address: address.version)


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address.teredo:
        return address.teredo[1]
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    is_isatap = (int(address) >> 32) & 0xFFFFFFFF in (0x00005EFE, 0x02005EFE)  # RFC 5214, 6.1
    is_compatible = int(address) >> 32 == 0 and int(address) > 1  # RFC 4291, 2.5.5.1
    return last if is_isatap or is_compatible or any(address in net for net in NAT64) else address
