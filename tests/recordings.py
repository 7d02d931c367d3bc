"""A shop whose runs have everything a journal can hold, and runs as scenarios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import anyio
from pydantic_core import from_json

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import Said, ScriptedModel, ToolCalls
from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.agents.tools import Key, tool
from echelon.evals.replay.replay import replay
from echelon.evals.replay.result import Replay
from echelon.evals.scenario import Arm, Header, Scenario, Source
from echelon.evals.virtual import VirtualClock, VirtualLoop, in_virtual_time
from echelon.protocols.contracts import Context, Worker
from echelon.protocols.conversation import Request
from echelon.protocols.messages import Approval, Budget, Failure, Message, Question
from echelon.protocols.prices import Rates
from echelon.supervisor.planners.model import ModelPlanner
from echelon.supervisor.planners.workflow import ITEM, Workflow
from echelon.supervisor.runs import Entry, MemoryJournal, Outcome, Settings, answer, resume, run
from echelon.supervisor.supervisor import Supervisor

RUN = "recorded"
DEFAULTS = Settings()
SYNTHETIC = Source(kind="synthetic", scripted=True)
SCREEN = "Screen the order.\nLook up stock and rating.\nSay why."


class Order(Message):
    """What the shop is asked for."""

    item: str
    lines: tuple[str, ...]


class Line(Message):
    """One line of an order."""

    text: str


class Offer(Message):
    """What a line costs."""

    cents: int


class Advice(Message):
    """What comes of screening."""

    fine: bool
    why: str


class Paid(Message):
    """What the shop returns."""

    receipt: str
    offers: list[Offer]


ORDER = Order(item="lamp", lines=("red", "green", "blue"))


def scenario(entries: Sequence[Entry], *, arms: Sequence[Arm] = (), **header: Any) -> Scenario:
    """Take a journal for a scenario."""
    whole: dict[str, Any] = {"id": "one", "worker": "shop", "input": None, "source": SYNTHETIC} | header
    return Scenario(header=Header(**whole), entries=entries, arms=arms)


def yes(question: Question) -> bool:
    """Say yes to everything."""
    return True


def recorded(
    team: Worker[Any, Any],
    task: Any,
    *,
    seed: object = None,
    people: Callable[[Question], bool] = yes,
    budget: Budget | None = None,
    store: MemoryJournal | None = None,
    **settings: Any,
) -> Outcome[Any]:
    """Run a team in virtual time; every question is answered, an hour after it was asked."""
    with closing(VirtualLoop(seed)) as loop:
        given = Settings(clock=VirtualClock(loop), **settings)
        return loop.run(to_the_end(store or MemoryJournal(), team, task, people, budget, given))


async def to_the_end(
    store: MemoryJournal,
    team: Worker[Any, Any],
    task: Any,
    people: Callable[[Question], bool] = yes,
    budget: Budget | None = None,
    settings: Settings = DEFAULTS,
) -> Outcome[Any]:
    """Run a team, or take its run up, until nobody is asked any more."""
    if await store.read(RUN):
        outcome = await resume(team, RUN, store=store, settings=settings)
    else:
        outcome = await run(team, task, store=store, run_id=RUN, budget=budget, settings=settings)
    while outcome.questions:
        await anyio.sleep(3_600.0)
        left = {key for key, _ in await store.take(RUN)}
        for question in outcome.questions:
            if question.id not in left:
                value = "paid by then" if question.asks == "in_doubt" else None
                await answer(store, RUN, question.id, approved=people(question), by="eva", value=value)
        outcome = await resume(team, RUN, store=store, settings=settings)
    return outcome


def replayed(team: Worker[Any, Any], known: Scenario, *, seed: object = None, **how: Any) -> Replay:
    """Replay a scenario in virtual time."""
    return in_virtual_time(lambda: replay(team, known, **how), seed=seed)


@dataclass
class Shop:
    """The team: each has deeds and calls of its own, to be counted."""

    words: str = SCREEN
    """Instructions of the agent that screens."""
    deeds: list[str] = field(default_factory=list[str])
    """Idempotency keys of payments."""
    touched: list[str] = field(default_factory=list[str])
    """What tools and models were asked, in order."""

    @property
    def team(self) -> Worker[Order, Paid]:
        """Screen, make an offer per line, ask the boss, pay, have it reviewed."""
        flow = Workflow(Order, Paid)
        screen, desk, pay = self.screen(), self.desk(), self.pay()
        boss = Person("boss", "May we buy?", accepts=Advice, returns=Approval)
        screened = flow.step(screen, flow.task)
        offers = flow.each(desk, flow.task["lines"], {"text": ITEM})
        asked = flow.step(boss, screened)
        receipt = flow.step(pay, {"offers": offers, "advice": screened}, after=[asked])
        flow.output({"receipt": receipt, "offers": offers})
        return Supervisor(
            "shop",
            accepts=Order,
            returns=Paid,
            team=[screen, desk, boss, pay],
            planner=flow,
            reviewer=Reviewer("It must be paid."),
            models=[self.model()],
        )

    def screen(self) -> Agent[Order, Advice]:
        """Ask a model that calls two tools at once, one of which fails, and then the first one again."""

        @tool
        async def stock(item: str) -> int:
            """How many there are."""
            self.touched.append("stock")
            await anyio.sleep(0.4)
            return len(item)

        @tool
        def rating(item: str) -> str:
            """What people think of it."""
            self.touched.append("rating")
            raise ValueError(f"nobody has rated {item}")

        return Agent("screen", self.words, accepts=Order, returns=Advice, tools=[stock, rating])

    def desk(self) -> Worker[Line, Offer]:
        """Lead a team of its own: a model plans, an agent prices, code that reads the time checks."""

        @worker(reads=True)
        async def check(offer: Offer, context: Context) -> Offer:
            """Checks an offer against the day's list."""
            self.touched.append("check")
            await anyio.sleep(0.3)
            await context.now()
            return offer

        @tool
        async def cost(text: str) -> int:
            """What it cost us."""
            self.touched.append("cost")
            await anyio.sleep(0.1 * len(text))
            return 100 * len(text)

        price = Agent("price", "Price a line.", accepts=Line, returns=Offer, tools=[cost])
        return Supervisor(
            "desk", accepts=Line, returns=Offer, team=[price, check], planner=ModelPlanner("Price, then check.")
        )

    def pay(self) -> Worker[Any, str]:
        """Pay, which must never be done in a replay."""

        @worker(effect=True, usd=0.05)
        async def pay(offers: list[Offer], advice: Advice, key: Key) -> str:
            """Pays."""
            self.deeds.append(key.value)
            return f"paid {sum(offer.cents for offer in offers)}: {advice.why}"

        return pay

    def model(self) -> ScriptedModel:
        """A model for everybody; it is overloaded when it is first asked about green lines."""
        tired = ["green"]

        def say(request: Request) -> Said:
            self.touched.append("model")
            said = request.messages[0].text
            told = [message.text for message in request.messages if message.role == "tool"]
            match request.prompt.head.instructions.split()[0]:
                case "Price,":
                    steps = [
                        {"id": "price", "worker": "price", "input": {"$from": "task"}},
                        {"id": "check", "worker": "check", "input": {"$from": "price"}},
                    ]
                    return {"steps": steps, "output": {"$from": "check"}}
                case "Price":
                    text = from_json(said)["text"]
                    if text in tired:
                        tired.clear()
                        return Failure(kind="overloaded", message="later", retryable=True, retry_after=2.0)
                    return {"cents": int(told[0])} if told else ToolCalls(("cost", {"text": text}))
                case "Judge":
                    return {"verdict": "approve", "findings": [], "blamed": [], "reason": "paid"}
                case _:
                    if not told:
                        return ToolCalls(("stock", {"item": "lamp"}), ("rating", {"item": "lamp"}))
                    if len(told) == 2:
                        return ToolCalls(("stock", {"item": "lamp"}))
                    return {"fine": True, "why": f"{told[0]} there, {told[1]}"}

        return ScriptedModel(say, price=Rates(input=1.0, output=4.0), seconds=1.5)
