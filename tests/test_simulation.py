"""The crash simulation finds every bug that is planted, and none in the code as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.tools import Key
from echelon.evals.demonstration import six_steps
from echelon.evals.simulation import Trial, crash_everywhere
from echelon.evals.virtual import VirtualLoop
from echelon.evals.world import CrashingStore, World
from echelon.protocols.contracts import Card, Context, Effect, Performed, Worker
from echelon.protocols.conversation import Reply, Request
from echelon.protocols.errors import EffectError
from echelon.protocols.events import Reacted
from echelon.protocols.messages import Budget, Done, Failed, Failure, Handoff, Json, JsonReport, Report, Usage
from echelon.protocols.plans import Quorum
from echelon.protocols.prices import Rates
from echelon.protocols.shapes import Shape
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import run
from echelon.supervisor.supervisor import Supervisor

from .programs.orchestra import orchestra
from .programs.spoiled import (
    AcknowledgedTooEarly,
    BudgetInMemory,
    FinishedBeforeDone,
    Spoiled,
    StartNotFlushed,
    TimeInTheKey,
)

SEEDS = range(10)


def desk(world: World, spoil: Callable[[Context], Context] | None = None) -> Worker[int, str]:
    """Price, pay what nobody else remembers, notify somebody who honours keys, join."""

    @worker
    async def price(cents: int) -> int:
        """Prices."""
        return cents + 19

    @worker(effect=True)
    async def pay(cents: int, key: Key) -> str:
        """Pays."""
        return await world.do("pay", key=key.value, result="paid")

    @worker(effect=True, on_unknown="retry")
    async def notify(receipt: str, key: Key) -> str:
        """Notifies."""
        return await world.do("notify", key=key.value, result="paid", once=True)

    @worker
    async def join(receipt: str, told: str) -> str:
        """Joins."""
        return f"{receipt}, {told}"

    def own(member: Worker[Any, str]) -> Worker[Any, str]:
        return member if spoil is None else Spoiled(member, spoil)

    flow = Workflow(int, str)
    receipt = flow.step(own(pay), flow.step(price, flow.task))
    flow.output(flow.step(join, {"receipt": receipt, "told": flow.step(own(notify), receipt)}))
    return Supervisor("desk", accepts=int, returns=str, team=[price, own(pay), own(notify), join], planner=flow)


def payers(world: World, spoil: Callable[[Context], Context] | None = None) -> Worker[list[int], list[str]]:
    """Six paid calls of $0.10, one after the other; those that the budget does not allow are skipped."""

    @worker(usd=0.1)
    async def look(number: int) -> str:
        """Looks something up, for money."""
        return await world.do("look", usd=0.1, writes=False, result="seen")

    member: Worker[int, str] = look if spoil is None else Spoiled(look, spoil)
    flow = Workflow(list[int], list[str])
    flow.output(flow.each(member, flow.task, on_failure=Quorum(of=1)))
    return Supervisor("desk", accepts=list[int], returns=list[str], team=[member], planner=flow)


def test_the_code_as_it_is_has_no_finding() -> None:
    """Six steps with a model, a paid write and a write that may be repeated, crashed everywhere."""
    world = World()
    team, task = six_steps(world)
    findings = crash_everywhere(team, task, world=world, seeds=range(40))
    assert findings, str(findings)
    assert findings.schedules > 500


def test_a_team_that_has_everything_has_no_finding() -> None:
    """A team inside, a fan-out, a writing tool, a person and a revision, crashed everywhere and sometimes again."""
    world = World()
    findings = crash_everywhere(orchestra(world), ["a", "b"], world=world, seeds=range(5))
    assert findings, str(findings)
    assert findings.crashes > findings.schedules > 150


def test_what_a_person_says_was_not_done_may_be_done_by_the_next_start_and_is_asked_again() -> None:
    """Three crashes and more in a row: each start of a write is in doubt for itself."""
    world = World()
    trial = Trial(again=0.8)
    findings = crash_everywhere(desk(world), 4_200, world=world, seeds=SEEDS, trial=trial)
    assert findings, str(findings)
    assert findings.crashes > 1.5 * findings.schedules


def test_an_answer_about_one_attempt_says_nothing_about_the_next() -> None:
    """A payment that was put off is tried again; what a person said of the first try is not said of the second."""
    world = World()

    @worker(effect=True)
    async def pay(cents: int, key: Key) -> Report[str]:
        """Pays at the second knock."""
        if not world.deeds:
            await world.do("knock", None, writes=False)
            return Failed(failure=Failure(kind="overloaded", message="later", retryable=True))
        return Done(output=await world.do("pay", "paid", key=key.value))

    flow = Workflow(int, str)
    flow.output(flow.step(pay, flow.task))
    team = Supervisor("desk", accepts=int, returns=str, team=[pay], planner=flow)
    findings = crash_everywhere(team, 1, world=world, seeds=SEEDS, trial=Trial(again=0.7))
    assert findings, str(findings)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        pytest.param(FinishedBeforeDone, "lost", id="finished-written-before-the-effect-is-done"),
        pytest.param(TimeInTheKey, "repeated", id="time-in-the-effect-key"),
        pytest.param(StartNotFlushed, "repeated", id="start-not-flushed-before-it-is-done"),
    ],
)
def test_a_planted_bug_is_found(spoil: Callable[[Context], Context], kind: str) -> None:
    """The same team without the bug has no finding."""
    world = World()
    assert crash_everywhere(desk(world), 4_200, world=world, seeds=SEEDS)
    findings = crash_everywhere(desk(world, spoil), 4_200, world=world, seeds=SEEDS)
    assert kind in findings.kinds(), str(findings)


def test_a_store_that_acknowledges_before_it_has_committed_is_found() -> None:
    """What it has acknowledged is done again."""
    world = World()
    trial = Trial(store=AcknowledgedTooEarly)
    findings = crash_everywhere(desk(world), 4_200, world=world, seeds=SEEDS, trial=trial)
    assert "repeated" in findings.kinds(), str(findings)


def test_a_budget_that_is_not_rebuilt_on_resume_is_found() -> None:
    """An account in memory forgets at a crash what was spent before it; the framework's own does not."""
    world = World()

    def any_end(plain: JsonReport, resumed: JsonReport) -> bool:
        """What was in doubt is booked at its worst, so that a resumed run may afford less."""
        return True

    trial = Trial(budget=Budget(usd=0.35), agrees=any_end)
    assert crash_everywhere(payers(world), [1, 2, 3, 4, 5, 6], world=world, seeds=SEEDS, trial=trial)
    spent: list[float] = []

    def process(world: World) -> CrashingStore:
        spent.clear()  # a new process remembers nothing
        return CrashingStore(world)

    def spoil(context: Context) -> Context:
        return BudgetInMemory(context, usd=0.35, spent_here=spent)

    trial = Trial(budget=Budget(usd=0.35), agrees=any_end, store=process)
    findings = crash_everywhere(payers(world, spoil), [1, 2, 3, 4, 5, 6], world=world, seeds=SEEDS, trial=trial)
    assert "overspent" in findings.kinds(), str(findings)


@dataclass(frozen=True)
class Specialist:
    """One of eight who look something up for up to $0.10, and learn afterwards what it cost."""

    world: World
    definition: Json = None
    parts: Sequence[Worker] = ()

    @property
    def card(self) -> Card[str, str]:
        """Its name; it declares no price."""
        return Card(name="specialist", description="Looks.", accepts=Shape(str), returns=Shape(str))

    async def work(self, handoff: Handoff[str], context: Context) -> Done[str]:
        """Look it up."""

        async def do(_: str) -> Performed[str]:
            usd = round(0.1 * self.world.chance(), 3)
            await self.world.do(handoff.payload, result=None, usd=usd, writes=False)
            return Performed(value=handoff.payload, usage=Usage(calls=1, usd=usd))

        worst = Usage(calls=1, usd=0.1)
        effect: Effect[str] = Effect(kind="call", request=handoff.payload, digest=handoff.payload, do=do, worst=worst)
        return Done(output=await context.perform(effect))


def test_eight_parallel_specialists_never_pass_a_cap_that_is_too_small_for_all() -> None:
    """$0.10 each at most, $0.25 in all, 1,000 schedules of latencies and real costs; who was left out is listed."""
    world = World()
    specialist = Specialist(world)
    flow = Workflow(list[str], list[str])
    flow.output(flow.each(specialist, flow.task, on_failure=Quorum(of=1)))
    lead = Supervisor("lead", accepts=list[str], returns=list[str], team=[specialist], planner=flow)
    topics = [f"topic {number}" for number in range(8)]
    counts = set[int]()
    with closing(VirtualLoop()) as loop:
        for seed in range(1_000):
            world.begin(seed)
            outcome = loop.run(run(lead, topics, budget=Budget(usd=0.25)))
            skipped = [event for event in outcome.events if isinstance(event, Reacted) and event.reaction == "drop"]
            assert outcome.status == "delivered"
            assert 0 < world.spent <= 0.25
            assert outcome.usage.usd == outcome.bill.total.usd == world.spent
            assert len(skipped) + len(world.deeds) == 8
            assert outcome.output == [topic for topic in topics if any(topic == deed.name for deed in world.deeds)]
            assert all("may spend $0.250000" in event.reason for event in skipped)
            counts.add(len(world.deeds))
    assert min(counts) >= 2
    assert len(counts) > 2


class Flaky:
    """A model whose first two calls are lost on the way back, though they were billed."""

    name = "flaky"
    price = Rates(input=10.0, output=40.0)

    def __init__(self, world: World) -> None:
        self._world = world

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Answer from the third call on."""
        lost = len(self._world.deeds) < 2
        usage = Usage(calls=1, input=request.size, output=4_000)
        usage = usage.model_copy(update={"usd": self.price.usd(usage)})
        await self._world.do("call", None, usd=usage.usd, writes=False)
        if lost:
            raise EffectError(Failure(kind="connection", message="lost", retryable=True))
        return Reply(text="fine", usage=usage)


def test_the_tries_of_a_call_that_a_crash_cut_off_are_all_on_the_bill() -> None:
    """Each try that was lost may have been billed; the next process knows of all of them."""
    world = World()
    agent = Agent("agent", "Say.", accepts=str, returns=str, models=[Flaky(world)])
    flow = Workflow(str, str)
    flow.output(flow.step(agent, flow.task))
    desk = Supervisor("desk", accepts=str, returns=str, team=[agent], planner=flow)
    findings = crash_everywhere(desk, "x", world=world, seeds=SEEDS)
    assert findings, str(findings)
