"""Builders with sentences as names: plans, teams and a supervisor driven by hand, for the tests of the core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from echelon.agents.function import worker
from echelon.protocols.contracts import Card, Context, Draft, Worker
from echelon.protocols.conversation import Head, Prompt, Request, UserMessage
from echelon.protocols.events import Happened, Planned, PlanRefused, Reported, Reviewed
from echelon.protocols.messages import (
    Done,
    Failed,
    Failure,
    FailureKind,
    Handoff,
    Json,
    JsonReport,
    Message,
    Question,
    Report,
    Verdict,
    Waiting,
)
from echelon.protocols.plans import Brief, Fault, FaultKind, Plan, Step
from echelon.protocols.shapes import Shape
from echelon.supervisor.decide import Command, decide
from echelon.supervisor.evolve import evolve
from echelon.supervisor.state import Charter, State

E = TypeVar("E")
ANY: Shape[Any] = Shape(object)


def card(name: str, **rules: Any) -> Card[Any, Any]:
    """Present a worker that takes and gives anything."""
    whole: dict[str, Any] = {"name": name, "description": f"does {name}", "accepts": ANY, "returns": ANY} | rules
    return Card(**whole)


def charter(*workers: str | Card[Any, Any], **rules: Any) -> Charter:
    """Describe a supervisor that accepts and returns anything; without workers it leads `w` and `x`."""
    cards = [card(one) if isinstance(one, str) else one for one in workers or ("w", "x")]
    team = {one.name: one for one in cards}
    whole: dict[str, Any] = {"name": "boss", "team": team, "accepts": ANY, "returns": ANY} | rules
    return Charter(**whole)


def step(name: str, needs: Sequence[str] = (), /, **rules: Any) -> Step:
    """Plan a step for the worker `w` that is given the output of each step it needs."""
    given = {"input": {need: out_of(need) for need in needs}, "worker": "w"} | rules
    return Step.model_validate({"id": name} | given)


def out_of(source: str, at: str = "") -> Json:
    """Refer to an output."""
    return {"$from": source, "at": at} if at else {"$from": source}


def when(source: str, op: str = "eq", value: Json = None, at: str = "") -> Json:
    """Compare an output."""
    return {"ref": {"$from": source, "at": at}, "op": op, "value": value}


def plan_of(*steps: Step, output: Json = None) -> Plan:
    """Put steps together; without an output, that of the last step is delivered."""
    return Plan(steps=steps, output=out_of(steps[-1].id) if output is None and steps else output)


def fault(kind: FaultKind = "type_mismatch", message: str = "it does not fit") -> Fault:
    """Find something wrong with a plan."""
    return Fault(kind=kind, step="a", field="/n", message=message)


def done(output: Json = None, **more: Any) -> Done[Any]:
    """Report that the work was done."""
    return Done(output=output, **more)


def failed(kind: FailureKind = "tool_failed", *, passing: bool = False) -> Failed:
    """Report that the work failed; `passing` failures may be tried again."""
    return Failed(failure=Failure(kind=kind, message=f"it was {kind}", retryable=passing))


def question(name: str = "q1") -> Question:
    """Ask something."""
    return Question(
        id=name, path="/a#1", asks="report", of="eva", prompt="?", subject=None, digest="d", answer_schema={}
    )


def waiting(name: str = "q1") -> Waiting:
    """Report that the work waits for a person."""
    return Waiting(questions=(question(name),))


class ByHand:
    """A supervisor with a test in the place of its driver: no loop, no model, no clock."""

    def __init__(self, rules: Charter, task: Json = "task", labels: frozenset[str] = frozenset()) -> None:
        self.state = State(charter=rules, task=task, labels=labels)
        self.events: list[Happened] = []
        self.said = self.go()

    def go(self) -> list[Command]:
        """Write down whatever follows by deciding alone, and return it."""
        commands: list[Command] = []
        while decided := decide(self.state):
            assert decided == decide(self.state), "the same state, another decision"
            for command in decided:
                self._write(command)
            commands += decided
        return commands

    def tell(self, *events: Happened) -> list[Command]:
        """Tell what has happened; return what follows."""
        for event in events:
            self._write(event)
        self.said = self.go()
        return self.said

    def _write(self, event: Happened) -> None:
        self.events.append(event)
        self.state = evolve(self.state, event)

    def plan(self, *steps: Step, output: Json = None) -> list[Command]:
        """Propose a plan that passes the check."""
        return self.tell(Planned(n=self.state.proposals, plan=plan_of(*steps, output=output)))

    def refuse(self, *faults: Fault) -> list[Command]:
        """Find faults in a proposal."""
        return self.tell(PlanRefused(n=self.state.proposals, faults=faults or (fault(),), proposal={"steps": []}))

    def report(self, name: str, report: JsonReport, labels: frozenset[str] = frozenset()) -> list[Command]:
        """Report on an instance of a step, at the attempt that is under way."""
        attempt = self.state.attempts[name]
        return self.tell(Reported(step=name, attempt=attempt, report=report, labels=labels))

    def finish(self, name: str, output: Json = None) -> list[Command]:
        """Report that an instance was done; its output is its name unless one is given."""
        return self.report(name, done(name if output is None else output))

    def review(self, verdict: Verdict) -> list[Command]:
        """Judge the draft."""
        return self.tell(Reviewed(round=self.state.round, verdict=verdict))

    @property
    def running(self) -> list[str]:
        """Instances that have been handed over and not reported on, in the order in which they came up."""
        return [work.name for work in self.state.works.values() if work.progress == "running"]

    @property
    def ended(self) -> Done[Any] | Failed:
        """What it has come to."""
        assert self.state.ended is not None, "it has not ended"
        return self.state.ended

    @property
    def failure(self) -> Failure:
        """Why it failed."""
        assert isinstance(self.ended, Failed), f"it delivered {self.ended.output!r}"
        return self.ended.failure

    @property
    def output(self) -> Json:
        """What it delivered."""
        assert isinstance(self.ended, Done), f"it failed: {self.ended.failure}"
        return self.ended.output


def planned(rules: Charter, *steps: Step, output: Json = None, task: Json = "task") -> ByHand:
    """Begin a supervisor whose first plan passes the check."""
    hand = ByHand(rules, task)
    hand.plan(*steps, output=output)
    return hand


def kinds(events: Sequence[Happened]) -> list[str]:
    """Name the types of events."""
    return [event.type for event in events]  # type: ignore[attr-defined] # every concrete event has one


def of_type(events: Sequence[object], kind: type[E]) -> list[E]:
    """Pick the events of one type."""
    return [event for event in events if isinstance(event, kind)]


class Number(Message):
    """A task or an output with one number."""

    n: int


class Text(Message):
    """A task or an output with one text."""

    text: str


@worker
async def double(number: Number) -> Number:
    """Double a number."""
    return Number(n=number.n * 2)


@worker
async def add(left: int, right: int) -> Number:
    """Add two numbers."""
    return Number(n=left + right)


@worker
async def say(number: Number) -> Text:
    """Say a number in words."""
    return Text(text=f"it is {number.n}")


def failing(name: str, kind: FailureKind = "tool_failed", *, times: int = 1_000) -> Worker[Number, Number]:
    """Hire a worker that fails so many times, and then doubles; it counts for the whole of its life."""
    calls: list[int] = []

    @worker(name=name)
    async def work(number: Number) -> Done[Number] | Failed:
        calls.append(number.n)
        return failed(kind, passing=True) if len(calls) <= times else Done(output=Number(n=number.n * 2))

    return work


class Telling:
    """A worker that adds one to its number, and tells what it was told."""

    def __init__(self, name: str, told: list[tuple[str, tuple[str, ...]]]) -> None:
        self.card: Card[Number, Number] = card(name, accepts=Shape(Number), returns=Shape(Number))
        self.definition: Json = name
        self.parts: Sequence[Worker] = ()
        self._told = told

    async def work(self, handoff: Handoff[Number], context: Context) -> Report[Number]:
        """Add one."""
        self._told.append((handoff.to, handoff.findings))
        return Done(output=Number(n=handoff.payload.n + len(handoff.findings) + 1))


@dataclass(frozen=True)
class Scripted:
    """A planner with one answer after the other."""

    answers: Sequence[object]
    replans: bool = True
    briefs: list[Brief] = field(default_factory=list[Brief])
    definition: Json = None

    async def plan(self, brief: Brief, team: Sequence[Card], returns: Shape, context: Context) -> Any:
        """Give the next answer."""
        self.briefs.append(brief)
        return self.answers[len(self.briefs) - 1]


@dataclass(frozen=True)
class Judge:
    """A reviewer with one verdict after the other."""

    verdicts: Sequence[object]
    drafts: list[Draft] = field(default_factory=list[Draft])
    definition: Json = None

    async def review(self, draft: Draft, context: Context) -> Any:
        """Give the next verdict."""
        self.drafts.append(draft)
        return self.verdicts[len(self.drafts) - 1]


def asking(text: str = "Hi", *, instructions: str = "Do.", limit: int = 100) -> Request:
    """Begin a conversation."""
    head = Head(instructions=instructions, max_output_tokens=limit)
    return Request.begin(Prompt.of(head), UserMessage(text=text))
