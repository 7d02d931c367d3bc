"""A desk of two agents, a quick one and a careful one, of which it is known what each would say to every question."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from typing import Any

from echelon.agents.agent import Agent
from echelon.agents.models.scripted import ScriptedModel
from echelon.evals.scenario import Arm, Expectation, Reference, Scenario
from echelon.evals.scorecard import Measured
from echelon.evals.scoring.scorers import Expectations
from echelon.evals.suites.attempt import attempt, judged
from echelon.evals.suites.job import Bench, Job
from echelon.evals.virtual import VirtualClock, VirtualLoop, in_virtual_time
from echelon.evals.whatif.changes import Change, as_json, parsed
from echelon.evals.whatif.teams import changed
from echelon.protocols.contracts import Planner, Worker
from echelon.protocols.conversation import Request
from echelon.protocols.events import Delegated
from echelon.protocols.messages import Message, Usage
from echelon.protocols.prices import FREE, Rates
from echelon.supervisor.planners.router import Route, Router
from echelon.supervisor.planners.workflow import Handle
from echelon.supervisor.runs import Outcome, Settings, run
from echelon.supervisor.supervisor import Supervisor

PRICES = {"quick": Rates(input=1.0, output=4.0), "careful": Rates(input=5.0, output=20.0)}
SECONDS = {"quick": 1.0, "careful": 4.0}


class Question(Message):
    """What is asked."""

    n: int


class Answer(Message):
    """What is answered; it is right if it says so."""

    right: bool
    by: str


def is_right(who: str, n: int) -> bool:
    """The quick one knows every other answer, the careful one four of five."""
    return n % 2 == 0 if who == "quick" else n % 5 != 0


def agent(who: str, instructions: str = "Answer.", model: str = "", **more: Any) -> Agent[Question, Answer]:
    """Hire somebody whose model says what that one would."""

    def say(request: Request) -> Answer:
        n = Question.model_validate_json(request.messages[0].text).n
        return Answer(right=is_right(who, n), by=model or who)

    name = model or f"{who}-1"
    scripted = ScriptedModel(say, name=name, price=PRICES[who], seconds=SECONDS[who])
    return Agent(who, instructions, accepts=Question, returns=Answer, models=[scripted], description=who, **more)


def router(first: str = "quick", explore: float = 0.0, above: int | None = None) -> Router:
    """Give questions to one of them, those above a number to the careful one; some to anybody."""
    task: Handle[Question] = Handle("task")
    routes = [] if above is None else [Route(task["n"].gt(above), "careful")]
    return Router(routes, otherwise=first, explore=explore, ask_model=False)


def desk(planner: Planner | None = None, team: Sequence[Worker] = (), **more: Any) -> Supervisor[Question, Answer]:
    """Put both at a desk whose router explores."""
    return Supervisor(
        more.pop("name", "desk"),
        accepts=Question,
        returns=Answer,
        team=team or [agent("quick"), agent("careful")],
        planner=planner or router(explore=0.8),
        **more,
    )


def seed_for(draw: Callable[[float], bool]) -> int:
    """A seed whose first number is such a one."""
    return next(seed for seed in count() if draw(random.Random(seed).random()))


QUICK, CAREFUL = seed_for(lambda draw: draw >= 0.8), seed_for(lambda draw: 0.4 <= draw < 0.8)
"""Seeds with which a desk that explores four questions of five gives one to the quick one, or to the careful one."""


def recorded(team: Worker[Any, Any], task: Any, *, seed: int = QUICK, settings: Settings | None = None) -> Outcome[Any]:
    """A run in virtual time."""
    random.seed(seed)
    with closing(VirtualLoop()) as loop:
        clock = VirtualClock(loop)
        lent = Settings(clock=clock) if settings is None else Settings(clock=clock, models=settings.models)
        return loop.run(run(team, task, run_id="recorded", settings=lent))


RIGHT = Reference(expect=(Expectation(at="/right", op="eq", value=True),))


def asked_desk(
    n: int, *, seed: int = QUICK, arms: Sequence[Arm] = (), team: Worker[Any, Any] | None = None
) -> Scenario:
    """A scenario of one question to the desk."""
    whole = team or desk()
    made = Scenario.from_run(recorded(whole, Question(n=n), seed=seed), whole, name=f"q-{n:03}", reference=RIGHT)
    return Scenario(
        header=made.header, reference=made.reference, entries=made.entries, arms=tuple(arms), ending=made.ending
    )


def given(scenario: Scenario) -> Delegated:
    """The first handoff."""
    return next(entry.event for entry in scenario.entries if isinstance(entry.event, Delegated))


def arm(scenario: Scenario, who: str, **more: Any) -> Arm:
    """What the other one would have said to the very same question."""
    n, usage = scenario.header.input["n"], Usage(calls=1, input=100, output=10)
    priced = usage.model_copy(update={"usd": PRICES.get(who, FREE).usd(usage)})
    whole: dict[str, Any] = {
        "step": "/routed", "payload": given(scenario).digest, "agent": who, "model": f"{who}-1",
        "output": {"right": is_right(who, n), "by": f"{who}, an arm"}, "seconds": SECONDS.get(who, 1.0),
        "usage": priced,
    }  # fmt: skip
    return Arm.model_validate(whole | more)


def changes(*said: str) -> tuple[Change, ...]:
    """Changes as a command line says them."""
    return tuple(map(parsed, said))


def load(name: str) -> object:
    """What a change names: `desk:careful` is a router to the careful one, and so on."""
    return KNOWN[name.removeprefix("desk:")]


KNOWN: dict[str, object] = {
    "careful": router("careful"),
    "quickly": router(),
    "above": router(above=30),
    "more": router("careful", explore=0.2),
    "same": desk(),
    "renamed": desk(name="counter"),
    "retold": desk(team=[agent("quick", "Answer kindly."), agent("careful")]),
    "nobody": "nobody",
}


def measured(scenario: Scenario, *said: str, team: Worker[Any, Any] | None = None) -> Measured:
    """What came of asking one scenario what a change would have done; without one, the team as it is."""
    asking = changes(*said)
    job = Job(suite="", digest="", mode="reroute", change=as_json(asking))
    bench = Bench(worker=changed(team or desk(), asking, load), scorers=[Expectations()])
    tried = in_virtual_time(lambda: attempt(scenario, job, bench, 0))
    return in_virtual_time(lambda: judged(tried, bench.scorers))


TEAM = desk()
ALWAYS, ABOVE = router("careful"), router(above=30)
RETOLD = desk(team=[agent("quick", "Answer kindly."), agent("careful")])
HERE = "tests.whatif_desk"
