"""A server that speaks OpenAI's APIs, on a loopback socket in a thread of its own, and the teams that it serves."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast

import httpx2
import openai
import uvicorn
from starlette.applications import Starlette

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Reply, Request
from echelon.protocols.gateway.asgi import App, Receive, Scope, Send, state_of
from echelon.protocols.gateway.openai.following import Settings
from echelon.protocols.gateway.openai.routes import routes
from echelon.protocols.messages import Approval, Done, Failed, Failure, FailureKind, Message, Reject, Usage
from echelon.protocols.prices import FREE, Price
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor

PATIENCE = 5.0
"""Seconds that anything here is waited for."""
SPENT = Usage(calls=1, input=10, cache_read=5, output=4, reasoning=3)
"""What each model call of the desk costs."""


class Gate:
    """A model that says a word, and the rest when it is let; it knows how many of its calls are under way."""

    name = "gate"
    price: Price = FREE

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.calls = 0

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Say the first word, and wait."""
        if listen is not None:
            listen("First, ")
        await self.hold()
        return Reply(text="First, the gate.", usage=SPENT)

    async def hold(self) -> None:
        """Wait until it is let."""
        mine = (asyncio.get_running_loop(), asyncio.Event())
        self._count(lambda: self._waiting.add(mine), 1)
        try:
            await mine[1].wait()
        finally:
            self._count(lambda: self._waiting.discard(mine), 0)

    def _count(self, change: Callable[[], object], calls: int) -> None:
        with self._changed:
            self.calls += calls
            change()
            self._changed.notify_all()

    def open(self) -> None:
        """Let those through who wait."""
        with self._changed:
            for loop, event in self._waiting:
                loop.call_soon_threadsafe(event.set)

    def until(self, under_way: int) -> bool:
        """Wait until so many calls are under way; False: they never were."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiting) == under_way, PATIENCE)


class Numbers(Message):
    """Some numbers."""

    numbers: list[int]


class Total(Message):
    """Their sum."""

    total: int
    count: int


@worker
async def adder(task: Numbers) -> Total:
    """Add numbers."""
    return Total(total=sum(task.numbers), count=len(task.numbers))


@worker
async def fails(kind: str) -> Done[str] | Failed:
    """Fail in the way that is asked for."""
    secret = "the password is swordfish"
    return Failed(failure=Failure(kind=cast("FailureKind", kind), message=secret))


def says(name: str, *texts: str) -> Agent[str, str]:
    """Hire an agent that says one thing after the other, for ever."""

    def script(request: Request) -> Reply:
        return Reply(text=texts[len(model.seen) % len(texts) - 1], usage=SPENT)

    model = ScriptedModel(script)
    return Agent(name, "Say it.", accepts=str, returns=str, models=[model])


def desk(reviewer: Reviewer | None = None) -> Supervisor[str, str]:
    """Lead a reader and a writer."""
    flow: Workflow[str, str] = Workflow(str, str)
    read = flow.step(says("reader", "what was read"), flow.task)
    flow.output(flow.step(says("writer", "What was written."), read))
    team = [step.worker for step in ()] or [says("reader", "what was read"), says("writer", "What was written.")]
    return Supervisor("desk", accepts=str, returns=str, team=team, planner=flow, reviewer=reviewer)
