"""Calls of MCP tools that break off and come back: cancelled, retried, after a restart, by others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, ElicitResult, InputRequiredResult

from echelon.agents.agent import Agent
from echelon.protocols.events import Cancelled, Delegated
from echelon.protocols.gateway.runs import Order, Runs

from .hosting import Gate, hosting, opened, rested
from .mcp_bench import (
    ERAS,
    LEGACY,
    MODERN,
    NO,
    SECRETS,
    YES,
    Held,
    Till,
    User,
    kept,
    run_of,
    runs_of,
    server,
    settled,
    text,
)

pytestmark = pytest.mark.anyio
eras = pytest.mark.parametrize("era", ERAS)
MEMORY = Path("nowhere")


# Leaving and coming back


@eras
async def test_a_call_that_is_cancelled_ends_its_run_and_the_model_call_in_it(era: str) -> None:
    """The journal says so; the same call, made again, begins another run."""
    model = Held()
    agent = Agent("slow", "Take your time.", accepts=str, returns=str, models=[model])
    async with kept(agent) as host:
        mcp = server(host)
        async with User().client(mcp, era) as client:
            await left(client, model, "slow", {"task": "go"})
            (run,) = await runs_of(host)
            await stood(host, run, "cancelled")
            assert model.under_way == 0
            last = (await host.events(run))[-1].event
            assert isinstance(last, Cancelled)
            assert last.reason == "its last client hung up"
            model.opened.set()
            again = await client.call_tool("slow", {"task": "go"})
        assert (text(again), run_of(again) == run) == ("done at last", False)


@eras
async def test_a_call_that_is_cancelled_may_leave_its_run_to_go_on(era: str) -> None:
    """The same call, made again, gives what it came to; nothing is done twice."""
    model = Held()
    agent = Agent("slow", "Take your time.", accepts=str, returns=str, models=[model])
    async with kept(agent) as host:
        mcp = server(host, disconnect="detach")
        async with User().client(mcp, era) as client:
            await left(client, model, "slow", {"task": "go"})
            (run,) = await runs_of(host)
            model.opened.set()
            assert (await rested(host, run)).status == "done"
            again = await client.call_tool("slow", {"task": "go"})
            assert (text(again), run_of(again)) == ("done at last", run)
            assert run_of(await client.call_tool("slow", {"task": "go"})) != run
    assert model.calls == 2


async def left(client: Client, model: Held, tool: str, arguments: dict[str, Any]) -> None:
    """Call a tool, and hang up once the model is asked."""
    async with anyio.create_task_group() as group:

        async def call() -> None:
            await client.call_tool(tool, arguments)

        group.start_soon(call)
        await model.begun.wait()
        group.cancel_scope.cancel()


async def stood(host: Runs, run: str, status: str) -> None:
    """Wait until a run stands so."""
    while (await host.standing(run)).status != status:
        await anyio.lowlevel.checkpoint()


async def test_a_call_that_is_cancelled_while_a_person_is_asked_leaves_the_question_open() -> None:
    """The older era: the form goes, the run stays, and a later call picks it up."""
    till, asked = Till(), anyio.Event()

    async def wait() -> None:
        asked.set()
        await anyio.sleep_forever()

    async with kept(till.desk) as host:
        mcp = server(host)
        async with User([YES], hold=wait).client(mcp, LEGACY) as client, anyio.create_task_group() as group:

            async def call() -> None:
                await client.call_tool("desk", {"n": 3})

            group.start_soon(call)
            await asked.wait()
            group.cancel_scope.cancel()
        (run,) = await runs_of(host, "waiting")
        result = await User([YES]).call(mcp, MODERN, "desk", n=3)
        assert run_of(result) == run
    assert till.paid == [6]


class Leg:
    """One leg of a call of the newer era, by hand: what the client of the SDK does by itself."""

    def __init__(self, host: Runs, **more: Any) -> None:
        self._server = server(host, **more)

    async def __call__(
        self, state: str | None = None, answers: Mapping[str, Any] | None = None, n: int = 3
    ) -> CallToolResult | InputRequiredResult:
        """Call the desk."""
        replies: Any = {name: ElicitResult.model_validate(answer) for name, answer in (answers or {}).items()}
        async with User([YES]).client(self._server, MODERN) as client:
            call = client.session.call_tool(
                "desk", {"n": n}, input_responses=replies or None, request_state=state, allow_input_required=True
            )
            outcome = await settled(call)
        return outcome()


def asked(result: CallToolResult | InputRequiredResult) -> tuple[str, str]:
    """The question that is asked, and the state to bring back."""
    assert isinstance(result, InputRequiredResult)
    assert result.input_requests
    assert result.request_state
    return next(iter(result.input_requests)), result.request_state


async def test_an_approval_under_way_outlives_the_server() -> None:
    """Run and question are in the journal, the client has the sealed id, and the keys are those of the key file."""
    till, place = Till(), opened("memory", MEMORY)
    async with hosting(place, till.desk) as host:
        question, state = asked(await Leg(host)())
        (run,) = await runs_of(host)
    assert run not in state
    async with hosting(place, till.desk) as host:
        result = await Leg(host)(state, {question: YES})
        assert isinstance(result, CallToolResult)
        assert run_of(result) == run
    assert till.paid == [6]


async def test_without_the_keys_a_state_is_worth_nothing() -> None:
    """The control of the test before: a server whose keys live and die with its process loses every approval."""
    till, place = Till(), opened("memory", MEMORY)
    async with hosting(place, till.desk) as host:
        question, state = asked(await Leg(host)())
    async with hosting(place, till.desk) as host:
        with pytest.raises(MCPError, match="Invalid or expired requestState"):
            await Leg(host, secrets=["another-key-that-was-made-now-012"])(state, {question: YES})
        rotated = Leg(host, secrets=["another-key-that-was-made-now-012", *SECRETS])
        assert isinstance(await rotated(state, {question: YES}), CallToolResult)
    assert till.paid == [6]


async def test_a_leg_that_is_sent_twice_does_nothing_twice() -> None:
    """A client that lost the answer gets the same one."""
    till = Till()
    async with kept(till.desk) as host:
        leg = Leg(host)
        question, state = asked(await leg())
        first = await leg(state, {question: YES})
        second = await leg(state, {question: NO})
        assert isinstance(first, CallToolResult)
        assert isinstance(second, CallToolResult)
        assert (run_of(first), text(first)) == (run_of(second), text(second))
        steps = [one.event.step for one in await host.events(run_of(first)) if isinstance(one.event, Delegated)]
        assert steps.count("pay") == 1
    assert till.paid == [6]


async def test_a_state_holds_for_its_call_and_its_caller_only() -> None:
    """Other arguments, another principal, a changed letter: refused before anything is looked up."""
    till = Till()
    async with kept(till.desk) as host:
        question, state = asked(await Leg(host)())
        for leg, with_state, n in (
            (Leg(host), state, 4),
            (Leg(host, who="bob"), state, 3),
            (Leg(host), state[:-4] + ("AAAA" if state[-4:] != "AAAA" else "BBBB"), 3),
        ):
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await leg(with_state, {question: YES}, n)
        assert len(await runs_of(host, "waiting")) == 1
    assert till.paid == []


async def test_a_leg_without_an_answer_is_asked_again() -> None:
    """Answers to questions that nobody asked are left out of account."""
    async with kept(Till().desk) as host:
        leg = Leg(host)
        question, state = asked(await leg())
        again, _ = asked(await leg(state, {"nobody": YES}))
    assert again == question


@eras
async def test_others_do_not_come_into_a_run_by_the_same_words(era: str) -> None:
    """What waits is picked up by its own principal."""
    till = Till()
    async with kept(till.desk) as host:
        first = await User().call(server(host), era, "desk", n=3)
        second = await User().call(server(host, who="bob"), era, "desk", n=3)
        assert run_of(first) != run_of(second)


@eras
async def test_a_call_that_the_server_was_killed_in_is_taken_up_by_the_next(era: str) -> None:
    """The host goes on with the run; the same call hears its end."""
    gate, place = Gate(), opened("memory", MEMORY)
    async with hosting(place, gate.worker) as host:
        run = await host.begin(
            Order(team="gate", task={"n": 1}, principal="ada", surface="mcp", thread=thread_of_gate())
        )
        await gate.begun.wait()
    gate.opened.set()
    async with hosting(place, gate.worker) as host:
        result = await User().call(server(host), era, "gate", n=1)
        assert (run_of(result), result.structured_content) == (run, {"n": 2})


def thread_of_gate() -> str:
    """What calls of the gate with `n` 1 have in common."""
    from echelon.protocols.gateway.mcp.offer import Offer

    return Offer("gate", Gate().worker.card).thread({"n": 1})
