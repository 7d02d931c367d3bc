"""A host to try things on: teams that wait, and short ways to order, watch and wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import anyio

from echelon.agents.function import worker
from echelon.agents.person import Person
from echelon.protocols.contracts import Worker
from echelon.protocols.gateway.runs import Order, Runs, Seen, Standing
from echelon.protocols.messages import Approval
from echelon.protocols.storage import Archive
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.journal.sqlite import SqliteJournal

from .builders import Number

EVA: Person[Number, Number] = Person("eva", "How many?", accepts=Number, returns=Number)
MAX: Person[Number, Approval] = Person("max", "May it be?", accepts=Number, returns=Approval)
SECONDS = 5.0
"""Longer than anything here takes, if it ends at all."""

Place = Callable[[], AbstractAsyncContextManager[Archive]]
"""Opens the same store each time, and never twice at once."""


def opened(kind: str, folder: Path) -> Place:
    """A place for a store that outlives its hosts: `memory`, or `sqlite` in a folder."""
    memory = MemoryJournal()

    def place() -> AbstractAsyncContextManager[Archive]:
        return nullcontext(memory) if kind == "memory" else SqliteJournal(folder / "runs.db")

    return place


@asynccontextmanager
async def hosting(place: Place, *teams: Worker[Any, Any], **limits: Any) -> AsyncGenerator[Host]:
    """Host these teams; what is under way at the end is left at once."""
    whole: dict[str, Any] = {"drain": 0.0, "listen": None} | limits
    rules = Limits(**whole)
    async with place() as store, Host({team.card.name: team for team in teams}, store, limits=rules) as host:
        with anyio.fail_after(SECONDS):
            yield host


def order(team: str, n: int = 2, **more: Any) -> Order:
    """Order something."""
    whole: dict[str, Any] = {"team": team, "task": {"n": n}, "principal": "ada", "surface": "chat"} | more
    return Order(**whole)


async def seen(host: Runs, run_id: str, after: int = 0) -> list[Seen]:
    """Watch a run until it rests; its events."""
    async with host.watch(run_id, after=after) as told:
        return [one async for one in told if isinstance(one, Seen)]


async def rested(host: Runs, run_id: str) -> Standing:
    """How a run stands once it rests."""
    await seen(host, run_id)
    return await host.standing(run_id)


class Gate:
    """A worker that says that it has begun, and waits until it is let through."""

    def __init__(self, name: str = "gate") -> None:
        self.begun = anyio.Event()
        self.opened = anyio.Event()
        self.times = 0

        @worker(name=name)
        async def wait(number: Number) -> Number:
            """Wait."""
            self.times += 1
            self.begun.set()
            await self.opened.wait()
            return Number(n=number.n + 1)

        self.worker: Worker[Number, Number] = wait
