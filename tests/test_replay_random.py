"""For any small team: replaying its recording gives the recording, whatever order things arrive in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from echelon.agents.agent import Agent
from echelon.agents.cascade import Cascade
from echelon.agents.function import worker
from echelon.agents.models.scripted import Said, ScriptedModel, ToolCalls
from echelon.agents.person import Person
from echelon.agents.tools import Tool, tool
from echelon.evals.replay.canonical import canonical
from echelon.evals.replay.modes import Decisions, Structural
from echelon.evals.scenarios.lines import dump, load
from echelon.evals.scenarios.recording import scenario_from
from echelon.protocols.contracts import Context, Worker
from echelon.protocols.conversation import Request
from echelon.protocols.messages import Failure, Question
from echelon.protocols.plans import Plan, Skip, Step
from echelon.protocols.prices import Rates
from echelon.supervisor.planners.workflow import fixed
from echelon.supervisor.supervisor import Supervisor

from .builders import Number
from .recordings import recorded, replayed

KINDS = ("compute", "read", "write", "agent", "person", "cascade", "desk", "flaky", "broken")
"""What a step of a random team may be done by."""


@dataclass(frozen=True)
class Sketch:
    """A team of the given depth: each step is of a kind, takes so long, and needs some of those before it."""

    steps: tuple[tuple[str, float, tuple[int, ...]], ...]
    inner: Sketch | None = None
    deeds: list[str] = field(default_factory=list[str], compare=False)
    """What was asked of the world, by whomever."""

    def team(self, name: str = "boss") -> Worker[Number, Number]:
        """Build it anew."""
        workers = [self.worker(f"{kind}-{i}", kind, seconds) for i, (kind, seconds, _) in enumerate(self.steps)]
        steps = [
            Step(id=f"s{i}", worker=one.card.name, input=self.given(needs), after=after(needs), on_failure=Skip())
            for i, (one, (_, _, needs)) in enumerate(zip(workers, self.steps, strict=True))
        ]
        workers.append(self.function("close", "write", 0.5))
        steps.append(Step(id="close", worker="close", input=self.given(()), after=tuple(one.id for one in steps)))
        planner = fixed(Plan(steps=tuple(steps), output={"$from": "close"}))
        return Supervisor(name, accepts=Number, returns=Number, team=workers, planner=planner)

    def given(self, needs: Sequence[int]) -> Any:
        """The number of the first step it needs, else the task's."""
        sure = [i for i in needs if self.steps[i][0] not in ("broken", "person")]
        return {"n": {"$from": f"s{sure[0]}" if sure else "task", "at": "/n"}}

    def worker(self, name: str, kind: str, seconds: float) -> Worker[Number, Number]:
        """Hire somebody."""
        match kind:
            case "agent" | "broken" | "flaky":
                return self.agent(name, kind, seconds)
            case "person":
                return Person(name, "How many?", accepts=Number, returns=Number, on_no=lambda _: Number(n=0))
            case "cascade":
                tiers = [self.agent(f"{name}-{i}", kind, seconds) for i in range(2)]
                return Cascade(name, tiers=tiers, check=lambda number: "odd" if number.n % 2 else None)
            case "desk" if self.inner is not None:
                return Sketch(self.inner.steps, deeds=self.deeds).team(name)
            case _:
                return self.function(name, kind, seconds)

    def function(self, name: str, kind: str, seconds: float) -> Worker[Number, Number]:
        """Write a function; it reads the clock and a die where it may."""

        async def work(number: Number, context: Context) -> Number:
            """Works."""
            if kind in ("read", "write"):
                self.deeds.append(name)
            await anyio.sleep(seconds)
            drawn = await context.random()
            return Number(n=number.n + int(drawn * 10) + int(await context.now()) % 2)

        if kind == "read":
            return worker(name=name, reads=True)(work)
        if kind == "write":
            return worker(name=name, effect=True, usd=0.01)(work)
        return worker(name=name)(work)

    def agent(self, name: str, kind: str, seconds: float) -> Agent[Number, Number]:
        """Hire an agent that calls two tools at once, then answers; a flaky one's model fails at first."""

        async def note(n: int) -> str:
            """Takes note."""
            self.deeds.append(name)
            await anyio.sleep(seconds / 2)
            return f"noted {n}"

        @tool
        def weigh(n: int) -> int:
            """Weighs."""
            self.deeds.append(name)
            if n % 3 == 0:
                raise ValueError("too light")
            return n

        fails = [Failure(kind="overloaded", message="later", retryable=True)] * (kind == "flaky")

        def say(request: Request) -> Said:
            self.deeds.append(name)
            if fails:
                return fails.pop()
            if kind == "broken":
                return Failure(kind="refused", message="no")
            told = [message.text for message in request.messages if message.role == "tool"]
            n = from_json(request.messages[0].text)["n"]
            return (
                {"n": n + len(told)} if told else ToolCalls(("note", {"n": n}), ("weigh", {"n": n}), ("note", {"n": n}))
            )

        model = ScriptedModel(say, name=name, price=Rates(input=1.0, output=2.0), seconds=seconds)
        return Agent(
            name,
            f"You are {name}.",
            accepts=Number,
            returns=Number,
            tools=[Tool(note, effect=True), weigh],
            models=[model],
        )


def after(needs: Sequence[int]) -> tuple[str, ...]:
    """All steps that it needs must be settled first."""
    return tuple(f"s{i}" for i in needs)


def unwilling(question: Question) -> bool:
    """Say no, so that nobody need think of a number."""
    return False


@st.composite
def sketches(draw: st.DrawFn, inner: bool = True) -> Sketch:  # noqa: FBT001, FBT002 - hypothesis passes it on
    """Draw a team of at most four, one of whom may lead another team."""
    size = draw(st.integers(1, 4))
    steps = [
        (
            draw(st.sampled_from(KINDS)),
            draw(st.sampled_from((0.0, 0.5, 1.0, 1.0))),
            tuple(sorted(draw(st.sets(st.integers(0, i - 1), max_size=2)))) if i else (),
        )
        for i in range(size)
    ]
    return Sketch(tuple(steps), draw(sketches(inner=False)) if inner else None)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sketches(), st.integers(0, 9), st.none() | st.integers(0, 9), st.none() | st.integers(0, 9))
def test_replaying_a_recording_gives_the_recording(
    sketch: Sketch, n: int, before: int | None, after: int | None
) -> None:
    """The same journal and outcome, also from a file and in another order; and nothing is done."""
    team = sketch.team()
    outcome = recorded(team, Number(n=n), seed=before, people=unwilling)
    known = scenario_from(outcome, team, name="random")
    read = load(dump(known))
    sketch.deeds.clear()
    for mode in (None, Structural()):
        found = replayed(sketch.team(), read, seed=after, **({} if mode is None else {"mode": mode})).check()
        assert sketch.deeds == []
        assert canonical(found.entries) == canonical(outcome.entries)
        assert found.outcome is not None
        assert found.outcome.report == outcome.report
        assert found.replayed.tolerated == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sketches(), st.integers(0, 9))
def test_a_replay_of_decisions_comes_to_the_same_end(sketch: Sketch, n: int) -> None:
    """With nobody at work at all."""
    team = sketch.team()
    outcome = recorded(team, Number(n=n), people=unwilling)
    sketch.deeds.clear()
    found = replayed(sketch.team(), scenario_from(outcome, team, name="random"), mode=Decisions()).check()
    assert sketch.deeds == []
    assert found.outcome is not None
    assert found.outcome.report == outcome.report
