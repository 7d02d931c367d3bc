"""Where a program may connect to: public servers and this machine, nothing that answers inside a network."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from echelon.agents.mcp import Address
from echelon.agents.reach import MOST_BYTES, Reaching, check_url, may_reach, resolved
from echelon.protocols.errors import UsageError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "http://mcp.example/mcp",
        "ftp://mcp.example/",
        "file:///etc/passwd",
        "//mcp.example/",
        "https://",
        "https://user:secret@mcp.example/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://[::ffff:10.0.0.1]/",
    ],
)
def test_a_url_that_leads_elsewhere_is_refused(url: str) -> None:
    """And no secret in it is repeated."""
    with pytest.raises(UsageError) as error:
        Address(url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://mcp.example/mcp",
        "http://127.0.0.1:8000/mcp",
        "http://localhost/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_public_servers_and_this_machine_are_reached(url: str) -> None:
    """The latter without TLS."""
    assert Address(url).url == url


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",
        "2002:a9fe:a9fe::", "fe80::5efe:a00:1", "2001:db8::5efe:10.0.0.1", "2001:0:0:0:0:0:f5ff:fffe",
    ],
)  # fmt: skip
def test_addresses_inside_are_out_of_reach(address: str) -> None:
    """Whatever they are written as: an IPv4 address inside an IPv6 one is the IPv4 address."""
    assert not may_reach(ipaddress.ip_address(address), "public")


def test_private_networks_are_reached_when_asked_for_and_credentials_of_clouds_never() -> None:
    """Link-local addresses are where they are kept."""
    assert may_reach(ipaddress.ip_address("10.0.0.1"), "private")
    assert may_reach(ipaddress.ip_address("fd00::1"), "private")
    for address in ("169.254.169.254", "127.0.0.1", "::ffff:169.254.169.254"):
        assert not may_reach(ipaddress.ip_address(address), "private")
    assert check_url("http://intranet/mcp", "private").host == "intranet"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "10.0.0.1", "::ffff:10.0.0.1", "localhost."])
async def test_a_name_that_resolves_to_an_address_inside_is_refused(host: str) -> None:
    """Numbers in other notations are names too."""
    with pytest.raises(UsageError, match=r"inside a network that it may not be in|cannot be found"):
        await resolved(host, 443, "public")


async def test_a_request_goes_to_the_address_that_was_checked_under_the_name_that_was_asked_for() -> None:
    """What the name resolves to the next time does not matter."""
    sent: list[httpx2.Request] = []

    def take(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={})

    transport = Reaching("public", httpx2.MockTransport(take))
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.get("https://93.184.216.34/mcp")
        await client.get("http://localhost:9/mcp")
        with pytest.raises(UsageError, match=r"'169\.254\.169\.254': expected https, found http"):
            await client.get("http://169.254.169.254/latest/meta-data")
        with pytest.raises(UsageError, match="inside a network"):
            await client.get("https://169.254.169.254/latest/meta-data")
    assert [(str(one.url), one.headers["host"]) for one in sent] == [
        ("https://93.184.216.34/mcp", "93.184.216.34"),
        ("http://127.0.0.1:9/mcp", "localhost:9"),
    ]
    assert sent[1].extensions["sni_hostname"] == "localhost"


async def test_a_redirect_is_checked_like_the_first_request() -> None:
    """A server that is allowed may not send anybody on to one that is not."""
    location = {"location": "http://169.254.169.254/latest"}
    transport = Reaching("public", httpx2.MockTransport(lambda _: httpx2.Response(307, headers=location)))
    async with httpx2.AsyncClient(transport=transport, follow_redirects=True) as client:
        with pytest.raises(UsageError, match="169"):
            await client.get("https://93.184.216.34/mcp")


async def test_an_answer_without_end_is_broken_off() -> None:
    """But for a stream of events, whose events have a size each."""

    def endless(kind: str) -> Any:
        async def pieces() -> AsyncGenerator[bytes]:
            for _ in range(MOST_BYTES // 2**20 + 2):
                yield b"x" * 2**20

        return httpx2.MockTransport(lambda _: httpx2.Response(200, content=pieces(), headers={"content-type": kind}))

    async with httpx2.AsyncClient(transport=Reaching("public", endless("application/json"))) as client:
        with pytest.raises(httpx2.StreamError, match="longer than"):
            await client.get("https://93.184.216.34/")
    async with httpx2.AsyncClient(transport=Reaching("public", endless("text/event-stream"))) as client:
        assert len((await client.get("https://93.184.216.34/")).content) > MOST_BYTES
