"""OpenAI's own client against our server, and against a naive one that must fail every check that tells them apart."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from . import openai_checks_chat, openai_checks_responses
from .openai_bench import Bench, Gate, listening, serving
from .openai_checks import Check
from .programs.naive_openai import Naive

CHECKS: dict[str, Check] = openai_checks_chat.NOTED.checks | openai_checks_responses.NOTED.checks
TELLING = [name for name, check in CHECKS.items() if not check.alike]
LEAST = 25
HURRY = 1.0
"""Seconds that the naive server is waited for."""


@pytest.fixture(scope="module")
def ours() -> Iterator[Bench]:
    """Serve the teams as we do."""
    with serving() as bench:
        yield bench


@pytest.fixture(scope="module")
def server() -> Iterator[Bench]:
    """Serve them naively."""
    gate = Gate(HURRY)
    naively = Naive(gate)
    with listening(naively.app) as url, httpx2.Client(timeout=HURRY) as http:
        yield Bench(url=url, gate=gate, begun=lambda: naively.begun, http=http)


@pytest.fixture
def naive(server: Bench) -> Iterator[Bench]:
    """Give the naive server, and let go of what the last check left waiting there."""
    yield server
    server.gate.open()
    assert server.gate.until(0)


@pytest.mark.parametrize("name", CHECKS)
def test_a_client_of_openai_gets_what_it_relies_on(name: str, ours: Bench) -> None:
    """Every check, over real sockets."""
    CHECKS[name].run(ours)


@pytest.mark.parametrize("name", TELLING)
def test_a_naive_server_fails(name: str, naive: Bench) -> None:
    """So that no check passes whatever the server does."""
    with pytest.raises((Exception, pytest.fail.Exception)):
        CHECKS[name].run(naive)


@pytest.mark.parametrize("name", [name for name in CHECKS if name not in TELLING])
def test_a_naive_server_passes_what_does_not_tell(name: str, naive: Bench) -> None:
    """So that nothing is excused that could tell."""
    CHECKS[name].run(naive)


def test_most_checks_tell() -> None:
    """There are enough of them."""
    assert len(TELLING) >= LEAST
