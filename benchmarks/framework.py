"""Echelon doing the works: typed, planned, journalled."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict

from echelon.agents.agent import Agent
from echelon.agents.models.openai import OpenAIModel
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.reviewer import Reviewer
from echelon.agents.tools import tool
from echelon.protocols.contracts import Model, Worker
from echelon.protocols.conversation import AssistantMessage, Head, Prompt, Reply, Request, ToolCall, UserMessage
from echelon.protocols.messages import Usage
from echelon.protocols.prices import Rates
from echelon.protocols.storage import Store
from echelon.supervisor.journal.sqlite import SqliteJournal
from echelon.supervisor.planners.model import ModelPlanner
from echelon.supervisor.runs import Settings, run
from echelon.supervisor.supervisor import Supervisor

from . import script
from .script import MODEL, PRODUCT, SPECIALISTS, Json, Said

PRICE = Rates(input=1.0, output=4.0)


class Frozen(BaseModel):
    """A payload or an output."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Product(Frozen):
    """What is asked about."""

    product: str


class Demand(Frozen):
    """Alpha's answer."""

    units: int


class Price(Frozen):
    """Beta's answer."""

    cents: int


class Offer(Frozen):
    """Both answers."""

    units: int
    cents: int


class Text(Frozen):
    """A finding, or what a writer makes of them."""

    text: str


class Findings(Frozen):
    """What eight specialists found."""

    findings: list[Text]


@tool
async def stock(product: str) -> int:
    """How many units of the product are in stock."""
    return len(product)


ALPHA = Agent("alpha", script.ALPHA, accepts=Product, returns=Demand, description="Knows the demand of a product.")
BETA = Agent(
    "beta", script.BETA, accepts=Product, returns=Price, tools=[stock], description="Knows the price of a product."
)


def _supervisor(name: str, instructions: str, returns: type, team: Sequence[Worker], reviewed: bool) -> Supervisor:  # noqa: FBT001 - three callers below
    planner = ModelPlanner(instructions)
    reviewer = Reviewer(script.CRITERIA) if reviewed else None
    return Supervisor(name, accepts=Product, returns=returns, team=team, planner=planner, reviewer=reviewer)


def _writer(accepts: type) -> Agent[Any, Any]:
    return Agent("writer", script.WRITER, accepts=accepts, returns=Text, description="Puts things together.")


def _specialist(name: str) -> Worker:
    description = "Looks at a product from its side."
    return Agent(name, script.specialist(name), accepts=Product, returns=Text, description=description)


TEAM = _supervisor("boss", script.BOSS, Offer, [ALPHA, BETA], reviewed=False)
FAN = _supervisor("chief", script.CHIEF, Text, [*map(_specialist, SPECIALISTS), _writer(Findings)], reviewed=False)
SIX = _supervisor("lead", script.LEAD, Text, [ALPHA, BETA, _writer(Offer)], reviewed=True)


@dataclass(frozen=True)
class Echelon:
    """The works, done by the framework."""

    model: Model
    store: Store | None
    """None: memory, a journal for each run."""

    async def single(self) -> Json:
        """W1: alpha alone."""
        return await self._run(ALPHA)

    async def team(self) -> Json:
        """W2: a boss, alpha, and beta with its tool; planned in one call, joined by reference: 4 calls."""
        return await self._run(TEAM)

    async def fan(self) -> Json:
        """W3: eight specialists, then a synthesis."""
        return await self._run(FAN)

    async def six(self) -> Json:
        """Six calls: a plan, alpha, beta twice, a writer and a reviewer."""
        return await self._run(SIX)

    def call(self, history: int) -> Callable[[], Awaitable[object]]:
        """W9: one call with a history of so many messages."""
        said = (
            AssistantMessage(text=script.remark(n)) if n % 2 else UserMessage(text=script.remark(n))
            for n in range(history)
        )
        request = Request.begin(Prompt.of(Head(instructions=script.ALPHA)), *said)
        return lambda: self.model.reply(request)

    async def _run(self, worker: Worker) -> Json:
        settings = Settings(models=(self.model,))
        outcome = await run(worker, Product(product=PRODUCT), store=self.store, settings=settings)
        return outcome.output.model_dump()


@cache
def _reply(said: Said) -> Reply:
    calls = tuple(ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in said.calls)
    usage = Usage(calls=1, input=300, output=20, usd=0.00038)
    return Reply(text=said.text, tool_calls=calls, finish="tool_calls" if calls else "stop", model=MODEL, usage=usage)


def _answer(request: Request) -> Reply:
    results = sum(message.role == "tool" for message in request.messages)
    return _reply(script.say(request.prompt.head.instructions, results))


def in_process() -> Model:
    """The model of the works as a function in this process."""
    return ScriptedModel(_answer, price=PRICE)


@asynccontextmanager
async def opened(url: str | None, *, file: bool) -> AsyncGenerator[Echelon]:
    """Over HTTP or, without a URL, over a function; with a journal in a file or in memory."""
    model = in_process() if url is None else OpenAIModel(MODEL, base_url=url, api_key="none", price=PRICE)
    if not file:
        yield Echelon(model, None)
        return
    with TemporaryDirectory(prefix="echelon-bench-") as folder:
        async with SqliteJournal(Path(folder) / "bench.journal") as journal:
            yield Echelon(model, journal)
