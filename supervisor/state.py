"""What a supervisor knows: a frozen value that only `evolve` makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from ..protocols.contracts import Card
from ..protocols.messages import Budget, Done, Failed, Failure, Json, JsonReport, Verdict, Waiting
from ..protocols.plans import Fault, Plan
from ..protocols.shapes import Shape

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """What a supervisor is, as far as deciding goes; the same for all its runs."""

    name: str
    team: Mapping[str, Card]
    accepts: Shape
    returns: Shape
    must_delegate: bool = True
    reviewed: bool = False
    escalates_to: str = ""
    """Name of the person who decides where the reviewer does not; "": nobody."""
    escalation: frozenset[str] | None = None
    """Labels of data that this person may be shown; None: any."""
    replans: bool = False
    budget: Budget = Budget()
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    """Per worker, the others of the team that accept and return the same."""


Progress = Literal["ready", "again", "running", "waiting", "failing", "unsatisfied", "over"]
"""`again`: to be handed over once more at the same attempt, after a crash or an answer. `unsatisfied`: done, but the
condition of its `repeat` does not hold yet."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One instance of a step: the step itself, an element of a `for_each`, an iteration of a `repeat`."""

    step: str
    name: str
    """`lines`, `lines[3]`, `polish@2`."""
    worker: str
    progress: Progress = "ready"
    attempt: int = 1
    tries: int = 1
    """Attempts of this worker since the step was last begun or revised."""
    item: Json = None
    previous: Json = None
    iteration: int = 1
    findings: tuple[str, ...] = ()
    why: str = "its inputs are there"
    report: JsonReport | None = None
    digest: str = ""
    labels: frozenset[str] = frozenset()


def instance(name: str) -> str:
    """A piece of work's name without its iteration.

    Example:
        >>> instance("polish@2"), instance("lines[3]")
        ('polish', 'lines[3]')
    """
    return name.partition("@")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a step ended."""

    status: Literal["done", "failed", "skipped"]
    output: Json = None
    labels: frozenset[str] = frozenset()
    reason: str = ""
    by_condition: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An output that was built, and what the reviewer found wrong with it."""

    output: Json
    findings: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a planner was told of the steps when it was asked for its n-th proposal: a resumed run says the same."""

    n: int
    results: Mapping[str, Result]


Asking = Literal["no", "asked", "waiting"]


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything that has been decided and reported so far."""

    charter: Charter
    task: Json
    labels: frozenset[str] = frozenset()

    plan: Plan | None = None
    needs: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NOTHING)
    """Per step of the plan, the steps it depends on."""
    planning: Asking = "no"
    proposals: int = 0
    refusals: int = 0
    """Proposals refused in a row."""
    faults: tuple[Fault, ...] = ()
    refused: Json = None
    replan: str = ""
    """Why the planner must be asked again; "": it need not."""
    meanwhile: str = ""
    """Why it must be asked once more: what came up while it was being asked; "": nothing did."""
    told: Told = field(default_factory=lambda: Told(n=0, results=_NOTHING))
    """What it was told when it was last asked."""
    replans: int = 0

    works: Mapping[str, Work] = field(default_factory=lambda: _NOTHING)
    """By instance (`lines`, `lines[3]`), in the order in which they came up; of a `repeat`, the last iteration."""
    attempts: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    """Last attempt made, by instance name; outlives revisions."""
    expanded: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    """Instances of each for_each that has met its list."""
    results: Mapping[str, Result] = field(default_factory=lambda: _NOTHING)
    """By step id, once the step is over."""
    pending_findings: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    """What the reviewer wants mended, by blamed step, until it is handed over again."""
    futile: frozenset[tuple[str, str]] = frozenset()
    """(worker, payload digest) of work that failed for good."""
    failure: Failure | None = None
    """Why the plan cannot succeed; what runs is let finish."""

    round: int = 0
    drafts: tuple[Candidate, ...] = ()
    """Outputs built, the last one last."""
    reviewing: Asking = "no"
    by: str = ""
    because: str = ""
    """Why this person is asked."""
    verdict: Verdict | None = None
    """The last verdict, until it has been acted upon."""
    judged: Failure | None = None
    """Why the reviewer gave no verdict."""
    waits: Waiting | None = None
    """What the planner or the reviewer waits for."""
    ended: Done | Failed | None = None

    @property
    def running(self) -> int:
        """How many instances are under way."""
        return sum(work.progress == "running" for work in self.works.values())

    @property
    def outputs(self) -> dict[str, Json]:
        """Output of every step that succeeded, by id, in plan order."""
        steps = self.plan.steps if self.plan is not None else ()
        return {s.id: self.results[s.id].output for s in steps if self.is_done(s.id)}

    def is_done(self, step: str) -> bool:
        """Whether the step succeeded."""
        result = self.results.get(step)
        return result is not None and result.status == "done"


def may_replan(state: State) -> bool:
    """Whether the planner may be asked for another plan, beside the one that it is being asked for."""
    asked = state.planning != "no" and state.plan is not None
    return state.charter.replans and state.replans + asked < state.charter.budget.rounds


V = TypeVar("V", State, Work)


def but(value: V, **changes: object) -> V:
    """The same value with some fields changed.

    As `dataclasses.replace`, which calls the constructor with every field: 14 us for a `State`, against 1 us here.
    """
    changed = object.__new__(type(value))
    changed.__dict__.update(value.__dict__)
    changed.__dict__.update(changes)
    return changed
