"""A team as an agent in an editor: the official client, over a pair of sockets and over the command's own pipes."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import acp
import anyio
import pytest
from acp import schema
from acp.stdio import spawn_agent_process

from echelon.agents.agent import Agent
from echelon.agents.models.scripted import ScriptedModel, ToolCalls
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Request
from echelon.protocols.gateway.acp import Editor
from echelon.supervisor.host import Host
from echelon.supervisor.journal.memory import MemoryJournal

from .hosting import EVA, hosting, opened
from .plugged import Payment, Waiting, desk, echo, fails

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parent.parent
PAYMENT = '{"iban": "X", "cents": 5}'


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The SDK runs on asyncio."""
    return "asyncio"


@dataclass
class Window:
    """The editor's side: shows everything, and decides as it is told."""

    decide: Callable[[], str] = lambda: "allow"
    """Gives the id of the chosen option; "": it is dismissed."""
    updates: list[Any] = field(default_factory=list[Any])
    asked: list[Any] = field(default_factory=list[Any])
    spoke: anyio.Event = field(default_factory=anyio.Event)
    asks: anyio.Event = field(default_factory=anyio.Event)
    hold: anyio.Event | None = None
    """Waited for before a decision; None: nothing."""

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        """Show something."""
        self.updates.append(update)
        if update.session_update == "agent_message_chunk":
            self.spoke.set()

    async def request_permission(
        self, session_id: str, tool_call: Any, options: Sequence[Any], **_: Any
    ) -> schema.RequestPermissionResponse:
        """Decide."""
        self.asked.append((tool_call, options))
        self.asks.set()
        if self.hold is not None:
            await self.hold.wait()
        chosen = self.decide()
        outcome = {"outcome": "selected", "optionId": chosen} if chosen else {"outcome": "cancelled"}
        return schema.RequestPermissionResponse.model_validate({"outcome": outcome})

    def on_connect(self, conn: Any) -> None:
        """Know nothing more."""

    @property
    def text(self) -> str:
        """All that the agent said."""
        return "".join(one.content.text for one in self.of("agent_message_chunk"))

    def of(self, kind: str) -> list[Any]:
        """Updates of a kind."""
        return [one for one in self.updates if one.session_update == kind]


@asynccontextmanager
async def connected(host: Host, window: Window) -> AsyncGenerator[Any]:
    """Connect an editor with the one team of a host."""
    ours, theirs = socket.socketpair()
    agent: Any = Editor(host, next(iter(host.teams)), "cancel")
    client: Any = window
    agent_reader, agent_writer = await asyncio.open_connection(sock=ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    async with anyio.create_task_group() as group:
        group.start_soon(acp.run_agent, agent, agent_writer, agent_reader)
        editor = acp.connect_to_agent(client, writer, reader)
        await editor.initialize(protocol_version=acp.PROTOCOL_VERSION)
        yield editor
        await editor.close()
        for each in (writer, agent_writer):
            each.close()
            await each.wait_closed()


@asynccontextmanager
async def editing(*teams: Worker[Any, Any], window: Window | None = None) -> AsyncGenerator[tuple[Any, Window, Host]]:
    """Edit with a team."""
    window = window or Window()
    async with hosting(lambda: nullcontext(MemoryJournal()), *teams) as host, connected(host, window) as editor:
        yield editor, window, host


async def begun(editor: Any) -> str:
    """Begin a session; its id."""
    return str((await editor.new_session(cwd="/", mcp_servers=[])).session_id)


async def said(editor: Any, session: str, *texts: str) -> str:
    """Take a turn; why it stopped."""
    prompt = [acp.text_block(text) for text in texts]
    return str((await editor.prompt(session_id=session, prompt=prompt)).stop_reason)


async def test_a_turn_shows_what_is_said_as_it_comes() -> None:
    """Whole in the end."""
    gate = Waiting()
    async with editing(gate.agent) as (editor, window, _), anyio.create_task_group() as group:
        session = await begun(editor)

        async def open_up() -> None:
            await window.spoke.wait()
            gate.opened.set()

        group.start_soon(open_up)
        assert await said(editor, session, "go") == "end_turn"
        assert [one.content.text for one in window.of("agent_message_chunk")] == ["First, ", "the gate."]


async def test_what_may_be_done_is_asked_within_the_turn() -> None:
    """Allow or reject, once; the plan shows how far it is."""
    paid: list[Payment] = []
    async with editing(desk(paid)) as (editor, window, _):
        session = await begun(editor)
        assert await said(editor, session, PAYMENT) == "end_turn"
        ((call, options),) = window.asked
        assert call.title == "May this be paid?"
        assert '"cents": 5' in call.content[0].content.text
        assert [one.kind for one in options] == ["allow_once", "reject_once"]
        plans = [[entry.status for entry in one.entries] for one in window.of("plan")]
        assert plans[0] == ["pending", "pending"]
        assert plans[-1] == ["completed", "completed"]
        assert window.text == "paid 5"
    assert [one.cents for one in paid] == [5]


@pytest.mark.parametrize("choice", ["reject", "", "nonsense"])
async def test_whatever_is_no_yes_is_a_no(choice: str) -> None:
    """Rejected, dismissed, or of no option."""
    paid: list[Payment] = []
    async with editing(desk(paid), window=Window(decide=lambda: choice)) as (editor, window, _):
        assert await said(editor, await begun(editor), PAYMENT) == "end_turn"
        assert "said no" in window.text
    assert paid == []


async def test_a_report_is_asked_for_as_text_and_given_by_the_next_prompt() -> None:
    """In the same session."""
    async with editing(EVA) as (editor, window, host):
        session = await begun(editor)
        assert await said(editor, session, '{"n": 1}') == "end_turn"
        assert "How many?" in window.text
        assert await said(editor, session, "n: seven") == "end_turn"
        assert "That is not taken" in window.text
        assert await said(editor, session, "n: 7") == "end_turn"
        assert '"n": 7' in window.text
        assert window.asked == []
        assert len(await host.find()) == 1


async def test_a_cancelled_turn_says_so_and_leaves_no_model_call_under_way() -> None:
    """It is no error; the session goes on."""
    gate = Waiting()
    async with editing(gate.agent) as (editor, window, host), anyio.create_task_group() as group:
        session = await begun(editor)

        async def call_off() -> None:
            await window.spoke.wait()
            await editor.cancel(session_id=session)

        group.start_soon(call_off)
        assert await said(editor, session, "go") == "cancelled"
        assert gate.under_way == 0
        (stands,) = await host.find()
        assert stands.status == "cancelled"
        gate.opened.set()
        assert await said(editor, session, "again") == "end_turn"


async def test_a_turn_that_is_cancelled_while_it_asks_allows_nothing() -> None:
    """Even if the editor said yes afterwards."""
    paid: list[Payment] = []
    window = Window(hold=anyio.Event())
    async with editing(desk(paid), window=window) as (editor, _, host), anyio.create_task_group() as group:
        session = await begun(editor)

        async def call_off() -> None:
            await window.asks.wait()
            await editor.cancel(session_id=session)

        group.start_soon(call_off)
        assert await said(editor, session, PAYMENT) == "cancelled"
        assert window.hold is not None
        window.hold.set()
        assert [one.status for one in await host.find()] == ["cancelled"]
    assert paid == []


async def test_tool_calls_are_shown_without_their_insides() -> None:
    """By name, with their end."""

    async def look(place: str) -> str:
        """Look."""
        return f"secret of {place}"

    def looking(request: Request) -> Any:
        return ToolCalls(("look", {"place": "cellar"})) if len(request.messages) == 1 else "Found."

    finder = Agent("finder", "Find.", accepts=str, returns=str, tools=[look], models=[ScriptedModel(looking)])
    async with editing(finder) as (editor, window, _):
        await said(editor, await begun(editor), "go")
        (start,), (end,) = window.of("tool_call"), window.of("tool_call_update")
        assert (start.title, start.status, end.status) == ("look", "in_progress", "completed")
        assert start.tool_call_id == end.tool_call_id
        assert "cellar" not in str(window.updates)


async def test_a_session_is_loaded_again_with_what_was_said(tmp_path: Path) -> None:
    """After a restart; what waits is asked again, and its answer taken."""
    place = opened("sqlite", tmp_path)
    first, second = Window(), Window()
    async with hosting(place, EVA) as host, connected(host, first) as editor:
        session = await begun(editor)
        await said(editor, session, '{"n": 1}')
    async with hosting(place, EVA) as host, connected(host, second) as editor:
        with pytest.raises(acp.RequestError):
            await editor.load_session(cwd="/", session_id="nonsense", mcp_servers=[])
        await editor.load_session(cwd="/", session_id=session, mcp_servers=[])
        await said(editor, session, "n: 7")
        assert '"n": 1' in second.of("user_message_chunk")[0].content.text
        assert "How many?" in second.text
        assert '"n": 7' in second.text
        assert len(await host.find()) == 1


async def test_what_was_said_before_belongs_to_the_next_prompt() -> None:
    """Of this session alone; files that lie in a prompt too."""
    async with editing(echo()) as (editor, window, _):
        session = await begun(editor)
        await said(editor, session, "one")
        file = acp.embedded_text_resource("file:///notes.txt", "remember me")
        prompt = [acp.text_block("two"), acp.resource_block(file)]
        await editor.prompt(session_id=session, prompt=prompt)
        assert "user: one" in window.text
        assert "remember me" in window.text
        window.updates.clear()
        await said(editor, await begun(editor), "three")
        assert window.text == "I heard: three"


async def test_what_cannot_be_is_refused() -> None:
    """Images, empty prompts, unknown sessions; failures say nothing of their insides."""
    async with editing(fails) as (editor, window, _):
        session = await begun(editor)
        for prompt in ([acp.image_block("AAAA", "image/png")], [acp.text_block("")]):
            with pytest.raises(acp.RequestError):
                await editor.prompt(session_id=session, prompt=prompt)
        with pytest.raises(acp.RequestError):
            await said(editor, "nonsense", "go")
        assert await said(editor, session, "go") == "end_turn"
        assert "could not do this" in window.text
        assert "swordfish" not in window.text


TEAM = """
import sys

from echelon import Approval, Person, Supervisor, Workflow, worker

print("loaded")

@worker
async def shout(text: str, by: Approval) -> str:
    '''Shouts.'''
    print("shouting")
    return text.upper()

boss = Person("boss", "May it be shouted?", accepts=str, returns=Approval)
flow = Workflow(str, str)
flow.output(flow.step(shout, {"text": flow.task, "by": flow.step(boss, flow.task)}))
team = Supervisor("team", accepts=str, returns=str, team=[boss, shout], planner=flow)
"""


async def test_the_command_speaks_over_its_pipes_and_nothing_else_does(tmp_path: Path) -> None:
    """Whatever a team prints goes to standard error."""
    (tmp_path / "team.py").write_text(TEAM)
    window: Any = Window()
    command = [sys.executable, "-m", "echelon.cli", "acp", "team.py:team"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with anyio.fail_after(30.0):
        async with spawn_agent_process(window, *command, env=env, cwd=tmp_path) as (editor, process):
            told = await editor.initialize(protocol_version=acp.PROTOCOL_VERSION)
            assert told.agent_info is not None
            assert (told.protocol_version, told.agent_info.title) == (1, "team")
            assert await said(editor, await begun(editor), "hello") == "end_turn"
            assert window.text == "HELLO"
            assert len(window.asked) == 1
        assert process.returncode == 0
