"""MCP servers as processes and over HTTP, as an agent's tools: they die, are not there, or are ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from echelon.agents.mcp import Address, MCPTools, Program
from echelon.agents.mcp_session import UnreachableError
from echelon.agents.models.scripted import ScriptedModel
from echelon.protocols.messages import Failed
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.runs import run

from .builders import double
from .hosting import hosting, opened
from .mcp_bench import Site, Till, site
from .mcp_hands import LOOK, PUT, agent, pin, result, told, tools

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Processes and servers are tried on one loop."""
    return "asyncio"


def shelf_program(folder: Path) -> Program:
    """The shelf as a process."""
    script = ROOT / "tests" / "programs" / "mcp_shelf.py"
    return Program(sys.executable, ["-P", str(script), str(folder)])


async def test_a_server_that_dies_in_a_write_leaves_it_in_doubt_and_the_next_call_starts_it_again(
    tmp_path: Path,
) -> None:
    """A process that is gone answers nothing; the file shows that it had done it."""
    (tmp_path / "dies").touch()
    async with tools(shelf_program(tmp_path)) as hand:
        clerk, _ = agent(hand.tools, PUT)
        outcome = await run(clerk, "go")
        assert isinstance(outcome.report, Failed)
        assert outcome.report.failure.kind == "in_doubt"
        assert outcome.report.failure.message == (
            "tool 'put' of MCP server 'shelf': the call broke off; nobody knows whether it was done"
        )
        (tmp_path / "dies").unlink()
        clerk, _ = agent(hand.tools, LOOK, PUT)
        assert (await run(clerk, "go")).output == "done"
    assert (tmp_path / "things").read_text().splitlines() == ["a cup", "a cup"]
    assert (tmp_path / "starts").read_text().splitlines() == ["started", "started"]


async def test_a_program_that_is_not_there_is_a_failure_that_says_so() -> None:
    """And nothing of its environment."""
    nothing = Program("/nowhere/at/all", env={"TOKEN": "hunter2"})
    with pytest.raises(UnreachableError, match="MCP server 'shelf' cannot be reached: FileNotFoundError") as error:
        await tools(nothing).__aenter__()
    assert "hunter2" not in str(error.value) + repr(nothing)
    pinned = tools(nothing, pins=[pin(), pin(name="put")])
    _, model = await run_with(pinned)
    assert told(model.seen)[0].endswith("cannot be reached: FileNotFoundError")


async def test_a_team_of_ours_is_a_tool_of_another_agent_over_http(tmp_path: Path) -> None:
    """The server side and the client side, one against the other; a waiting run is told as a failure."""
    till = Till()
    async with hosting(opened("memory", tmp_path), till.desk) as host, site(host, tmp_path) as at:
        bearer = {"authorization": f"Bearer {at.bearers['owner']}"}
        desk = MCPTools("desk", Address(f"{at.url}/mcp", headers=bearer), allow=["desk"])
        async with desk:
            clerk, model = agent(desk.tools, ("desk", {"n": 3}))
            await run(clerk, "go")
            assert "This waits for an answer of a person" in told(model.seen)[0]
            (stands,) = await host.find(status="waiting")
            await host.answer(stands.run, stands.questions[0].id, approved=True, by="eva")
            clerk, model = agent(desk.tools, ("desk", {"n": 3}))
            await run(clerk, "go")
            assert result(told(model.seen)[0]) == "paid 6, said eva: "
    assert till.paid == [6]


async def test_a_server_that_is_gone_from_the_network_is_a_failure_that_says_so(tmp_path: Path) -> None:
    """The block around the session, and whatever else goes on in it, does not end with it."""
    stop, gone = anyio.Event(), anyio.Event()

    async def serve(task_status: TaskStatus[Site]) -> None:
        async with hosting(opened("memory", tmp_path), double) as host, site(host, tmp_path) as at:
            task_status.started(at)
            await stop.wait()
        gone.set()

    async with anyio.create_task_group() as group:
        at: Site = await group.start(serve)
        bearer = {"authorization": f"Bearer {at.bearers['owner']}"}
        async with MCPTools("far", Address(f"{at.url}/mcp", headers=bearer), allow=["double"], reads=["double"]) as far:
            clerk, model = agent(far.tools, ("double", {"n": 2}))
            await run(clerk, "go")
            assert result(told(model.seen)[0]) == '{\n  "n": 4\n}'
            stop.set()
            await gone.wait()
            clerk, model = agent(far.tools, ("double", {"n": 2}))
            assert (await run(clerk, "go")).output == "done"
            assert told(model.seen) == [
                "error: tool 'double' of MCP server 'far': MCP server 'far' cannot be reached: ConnectError"
            ]


async def run_with(hand: MCPTools) -> tuple[Outcome[Any], ScriptedModel]:
    """Have an agent look."""
    clerk, model = agent(hand.tools, LOOK)
    return await run(clerk, "go"), model
