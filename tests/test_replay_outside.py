"""Inside a replay nobody gets past the seam: no socket, no process, whoever tries and however."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import anyio
import pytest

from echelon.agents.function import worker
from echelon.evals.replay.outside import closed
from echelon.protocols.contracts import Worker
from echelon.protocols.errors import MissError
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number
from .recordings import recorded, replayed, scenario


def connect() -> None:
    """Connect to a port of this machine; over UDP nobody need listen."""
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.1", 9))


def bind() -> None:
    """Take a port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))


def look_up() -> None:
    """Ask for an address."""
    socket.getaddrinfo("127.0.0.1", 80)


def start() -> None:
    """Start a process."""
    subprocess.run([sys.executable, "-c", ""], check=True, timeout=10)


def shell() -> None:
    """Start a shell."""
    os.system(":")  # pyright: ignore[reportDeprecated] # a worker may not know


WAYS = [connect, bind, look_up, start, shell]


def team(way: Callable[[], None], *, hides: bool = False, sync: bool = False) -> Worker[Number, Number]:
    """Hire a worker that goes its own way out, and perhaps hides what came of it."""

    def go(number: Number) -> Number:
        """Goes."""
        with contextlib.suppress(Exception) if hides else contextlib.nullcontext():
            way()
        return number

    async def go_async(number: Number) -> Number:
        """Goes."""
        return go(number)

    chosen: Worker[Number, Number] = worker(name="go")(go) if sync else worker(name="go")(go_async)
    flow = Workflow(Number, Number)
    flow.output(flow.step(chosen, flow.task, id="out"))
    return Supervisor("boss", accepts=Number, returns=Number, team=[chosen], planner=flow)


def harmless() -> None:
    """Do nothing."""


KNOWN = scenario(recorded(team(harmless), Number(n=1)).entries)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_worker_that_goes_outside_is_refused(way: Callable[[], None]) -> None:
    """The replay says who tried what, and where."""
    found = replayed(team(way), KNOWN)
    assert found.outcome is None
    assert str(found.misses[0]).startswith("/out#1 ")
    assert "which no recording answers" in str(found.misses[0])
    with pytest.raises(MissError):
        found.check()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_hiding_it_does_not_help(way: Callable[[], None]) -> None:
    """The worker goes on as if nothing had been, and the replay has missed all the same."""
    found = replayed(team(way, hides=True), KNOWN)
    assert found.outcome is not None
    assert found.outcome.status == "delivered"
    assert found.replayed.missed == 1
    assert found.coverage.unevaluable == 1


def test_the_threads_of_sync_functions_are_inside_too() -> None:
    """They inherit the context."""
    found = replayed(team(connect, sync=True), KNOWN)
    assert [miss.path for miss in found.misses] == ["/out#1"]
    assert found.misses[0].kind == "socket.connect"


def test_the_refusal_names_the_address_and_no_command_line() -> None:
    """A command may hold a secret."""
    (miss,) = replayed(team(connect), KNOWN).misses
    assert "tried socket.connect of ('127.0.0.1', 9)" in str(miss)
    (miss,) = replayed(team(start), KNOWN).misses
    assert f"tried subprocess.Popen of {sys.executable!r}" in str(miss)
    assert "-c" not in str(miss)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_outside_of_a_replay_everything_is_allowed(way: Callable[[], None]) -> None:
    """After one, beside one, and in the threads of others."""
    told: list[MissError] = []
    done: list[str] = []

    def beside() -> None:
        way()
        done.append("beside")

    thread = threading.Thread(target=beside)
    with closed(told.append):
        thread.start()
        thread.join()
    way()
    assert (told, done) == ([], ["beside"])


def test_a_run_beside_a_replay_goes_outside_as_ever() -> None:
    """The hook acts in the context of a replay alone."""

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(inside)
            outcome = await run(team(connect), Number(n=1))
            assert outcome.output == Number(n=1)

    told: list[MissError] = []

    async def inside() -> None:
        with closed(told.append):
            await anyio.sleep(0.05)

    anyio.run(both)
    assert told == []


def test_every_replay_is_told_of_its_own_alone() -> None:
    """Whoever is inside of both is told to the inner one."""
    outer: list[MissError] = []
    inner: list[MissError] = []
    with closed(outer.append):
        with closed(inner.append), pytest.raises(MissError):
            look_up()
        assert (len(outer), len(inner)) == (0, 1)
        with pytest.raises(MissError):
            look_up()
    assert (len(outer), len(inner)) == (1, 1)
