"""Small wrong variants of how the world is touched, plugged in where any worker and any store may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio

from echelon.evals.world import CrashingStore, World
from echelon.protocols.contracts import Card, Context, Effect, Model, Performed, Worker
from echelon.protocols.conversation import Reply, Request
from echelon.protocols.errors import EffectError, FencedError
from echelon.protocols.events import Delegated, Event, Happened
from echelon.protocols.messages import (
    NOTHING_USED,
    Answer,
    Budget,
    Done,
    Failure,
    Handoff,
    Json,
    JsonReport,
    Report,
    Usage,
)
from echelon.protocols.shapes import Shape
from echelon.protocols.storage import Record, RunStatus


@dataclass(frozen=True)
class Through:
    """A context that passes everything on."""

    inner: Context

    @property
    def run(self) -> str:
        """As it is."""
        return self.inner.run

    @property
    def path(self) -> str:
        """As it is."""
        return self.inner.path

    @property
    def trace(self) -> str:
        """As it is."""
        return self.inner.trace

    @property
    def models(self) -> Sequence[Model]:
        """As they are."""
        return self.inner.models

    @property
    def history(self) -> Sequence[Event]:
        """As it is."""
        return self.inner.history

    @property
    def budget(self) -> Budget:
        """As it is."""
        return self.inner.budget

    @property
    def spent(self) -> Usage:
        """As it is."""
        return self.inner.spent

    async def perform(self, effect: Effect[Any]) -> Any:
        """As it is."""
        return await self.inner.perform(effect)

    async def reply(self, model: Model, request: Request) -> Reply:
        """As it is."""
        return await self.inner.reply(model, request)

    async def ask(self, of: str, prompt: str, subject: Json, asks: Any, answer: Shape) -> Answer:
        """As it is."""
        return await self.inner.ask(of, prompt, subject, asks, answer)

    async def now(self) -> float:
        """As it is."""
        return await self.inner.now()

    async def random(self) -> float:
        """As it is."""
        return await self.inner.random()

    async def recall(self, handoff: Delegated) -> JsonReport | None:
        """As it is."""
        return await self.inner.recall(handoff)

    def within(
        self,
        segment: str,
        *,
        budget: Budget | None = None,
        models: Sequence[Model] = (),
        labels: frozenset[str] = frozenset(),
    ) -> Context:
        """As it is."""
        return self.inner.within(segment, budget=budget, models=models, labels=labels)

    def emit(self, event: Happened) -> None:
        """As it is."""
        self.inner.emit(event)

    async def keep(self) -> None:
        """As it is."""
        await self.inner.keep()


class FinishedBeforeDone(Through):
    """Writes the end first and does the effect then."""

    async def perform(self, effect: Effect[Any]) -> Any:
        """Promise, then do."""
        keys: list[str] = []

        async def promise(key: str) -> Performed[Any]:
            keys.append(key)
            return Performed(value=Done(output="paid"), usage=effect.worst)

        value = await self.inner.perform(replace(effect, do=promise))
        for key in keys:
            await effect.do(key)
        return value


class TimeInTheKey(Through):
    """Hands on a key that is another one at another time."""

    async def perform(self, effect: Effect[Any]) -> Any:
        """The effect with such a key."""

        async def do(key: str) -> Performed[Any]:
            return await effect.do(f"{key} {anyio.current_time()}")

        return await self.inner.perform(replace(effect, do=do))


class StartNotFlushed(Through):
    """Performs a write as if it were a read: its start is durable some time later."""

    async def perform(self, effect: Effect[Any]) -> Any:
        """The effect, undeclared."""
        return await self.inner.perform(replace(effect, writes=False, worst=NOTHING_USED))


@dataclass(frozen=True)
class BudgetInMemory(Through):
    """Keeps its own account, which does not outlive the process."""

    usd: float
    spent_here: list[float]

    async def perform(self, effect: Effect[Any]) -> Any:
        """The effect, if the account in memory allows it; the framework's is not asked."""
        if sum(self.spent_here) + effect.worst.usd > self.usd + 1e-9:
            raise EffectError(Failure(kind="budget", message="the account in memory says no"))
        self.spent_here.append(effect.worst.usd)
        return await self.inner.perform(replace(effect, reserves=False))


@dataclass(frozen=True)
class Spoiled:
    """A worker whose context is another."""

    worker: Worker
    spoil: Callable[[Context], Context]

    @property
    def card(self) -> Card:
        """As it is."""
        return self.worker.card

    @property
    def definition(self) -> Json:
        """As it is."""
        return self.worker.definition

    @property
    def parts(self) -> Sequence[Worker]:
        """As they are."""
        return self.worker.parts

    async def work(self, handoff: Handoff[Any], context: Context) -> Report[Any]:
        """Work with the other context."""
        return await self.worker.work(handoff, self.spoil(context))


class AcknowledgedTooEarly(CrashingStore):
    """Returns from `append` before anything is durable."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._promised: list[tuple[Sequence[Record], RunStatus]] = []

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write later what is acknowledged now."""
        held = len(self.records) + sum(len(promised) for promised, _ in self._promised)
        if records[0].seq != held + 1:
            raise FencedError(records[0].run, records[0].seq - 1, held)
        self._promised.append((records, status))
        asyncio.get_running_loop().call_later(3.0, self._keep_word)

    def _keep_word(self) -> None:
        self.commit(*self._promised.pop(0))
