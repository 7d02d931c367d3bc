"""What happened: the closed set of events that a run's journal holds, each with its reason.

An event that asks for something to be done (`PlanRequested`, `Delegated`, `ReviewRequested`) is written before it is
done; the event that says what came of it (`Planned`, `Reported`, `Reviewed`) after. A run that stops in between is
resumed by doing again what was asked for and has no answer. State, bill, trace and recording are folds over this list.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from .messages import (
    NOTHING_USED,
    SCHEMA_VERSION,
    Answer,
    Budget,
    Failure,
    Json,
    JsonReport,
    Message,
    Question,
    Usage,
    Verdict,
)
from .plans import Fault, Plan


class Happened(Message):
    """An event at a place in the tree; "" is the root, `/extract#2` the second attempt at its step `extract`."""

    path: str = ""


class RunStarted(Happened):
    """A task was given to a worker."""

    type: Literal["run_started"] = "run_started"
    schema_version: Literal[1] = SCHEMA_VERSION
    run: str
    worker: str
    task: Json
    definitions: dict[str, str]
    """Digest of each definition in the tree, by its path of names."""
    budget: Budget
    origin: str = ""
    """Where the worker was loaded from, for a later resume by command; "": by a program."""
    labels: frozenset[str] = frozenset()
    tags: dict[str, str] = Field(default_factory=dict[str, str])
    """Who asked, in which thread, through which plug: for whoever looks for the run; nothing is decided by them."""


class Claimed(Happened):
    """A process took the run: first event of every drive; a second writer loses here."""

    type: Literal["claimed"] = "claimed"
    owner: str


class Migrated(Happened):
    """The run goes on under changed definitions, by somebody's decision."""

    type: Literal["migrated"] = "migrated"
    changed: tuple[str, ...]
    definitions: dict[str, str]


class Parked(Happened):
    """Nothing can go on before these questions are answered; the process may end."""

    type: Literal["parked"] = "parked"
    questions: tuple[str, ...]


class RunEnded(Happened):
    """The run is over; no event follows."""

    type: Literal["run_ended"] = "run_ended"
    report: JsonReport


class Cancelled(Happened):
    """Somebody called the run off; it may be resumed."""

    type: Literal["cancelled"] = "cancelled"
    reason: str


class Asked(Happened):
    """A person was asked."""

    type: Literal["asked"] = "asked"
    question: Question


class Answered(Happened):
    """An answer was taken from the inbox."""

    type: Literal["answered"] = "answered"
    answer: Answer


class AnswerRefused(Happened):
    """An answer was not taken, for a reason: unknown question, changed subject, a value of the wrong shape."""

    type: Literal["answer_refused"] = "answer_refused"
    answer: Answer
    reason: str


class EffectStarted(Happened):
    """The world is about to be touched."""

    type: Literal["effect_started"] = "effect_started"
    kind: str
    """`model`, `tool:NAME`, `call`, `time`, `random`."""
    n: int
    """How many effects of this kind this place had before, from 0."""
    digest: str
    """Digest of the canonical request."""
    request: Json = None
    """The request; of a model call only what is new since the conversation's last call."""
    key: str = ""
    """Idempotency key, for effects that write."""
    writes: bool = False
    reserved: Usage = NOTHING_USED


class EffectFinished(Happened):
    """The world answered."""

    type: Literal["effect_finished"] = "effect_finished"
    kind: str
    n: int
    digest: str
    result: Json = None
    usage: Usage = NOTHING_USED


class EffectFailed(Happened):
    """The world did not answer, or said no."""

    type: Literal["effect_failed"] = "effect_failed"
    kind: str
    n: int
    digest: str
    failure: Failure
    usage: Usage = NOTHING_USED


class Attempted(Happened):
    """One try of a model call failed and was, or was not, tried again."""

    type: Literal["attempted"] = "attempted"
    model: str
    attempt: int
    """From 1."""
    failure: Failure
    elapsed: float
    """Seconds."""
    usage: Usage = NOTHING_USED
    """What this try cost, or was assumed to have cost; the end of the effect has the sum of all its tries."""
    wait: float | None
    """Seconds until the next try; None: there is none."""
    reason: str


class Recovered(Happened):
    """A worker met a failure inside its own work and reacted: repair, stronger model, next tier, told the model."""

    type: Literal["recovered"] = "recovered"
    failure: Failure
    reaction: Literal["repair", "stronger_model", "next_tier", "tell_model", "wait_for_budget"]
    reason: str


class PlanRequested(Happened):
    """The planner is asked."""

    type: Literal["plan_requested"] = "plan_requested"
    n: int
    """From 1, over proposals of all rounds."""
    reason: str
    faults: tuple[Fault, ...] = ()


class Planned(Happened):
    """A proposal passed the check; `plan` is the whole plan that now holds."""

    type: Literal["planned"] = "planned"
    n: int
    plan: Plan
    reason: str = ""


class PlanRefused(Happened):
    """A proposal did not pass the check: all its faults at once."""

    type: Literal["plan_refused"] = "plan_refused"
    n: int
    faults: tuple[Fault, ...]
    proposal: Json = None


class PlanFailed(Happened):
    """The planner gave no proposal, or has to wait."""

    type: Literal["plan_failed"] = "plan_failed"
    n: int
    report: JsonReport


class Delegated(Happened):
    """A step was handed to a worker."""

    type: Literal["delegated"] = "delegated"
    step: str
    """Instance: `lines`, or `lines[3]` of a for_each, or `polish@2` of a repeat."""
    worker: str
    attempt: int
    payload: Json
    digest: str
    labels: frozenset[str] = frozenset()
    findings: tuple[str, ...] = ()
    reason: str
    rejected: tuple[str, ...] = ()
    """Other candidates and why they were not chosen."""


class Reported(Happened):
    """A worker's report on a step; its output has passed the check against what the worker returns."""

    type: Literal["reported"] = "reported"
    step: str
    attempt: int
    report: JsonReport
    labels: frozenset[str] = frozenset()


class Reacted(Happened):
    """What the supervisor does about a step that failed."""

    type: Literal["reacted"] = "reacted"
    step: str
    attempt: int
    reaction: Literal["retry", "fallback", "skip", "drop", "replan", "fail", "repeat"]
    worker: str | None = None
    """The fallback worker; None with any other reaction."""
    reason: str


class StepSkipped(Happened):
    """A step will not run."""

    type: Literal["step_skipped"] = "step_skipped"
    step: str
    reason: str
    by_condition: bool = False
    """Its `when` was false: who can do without its output gets null; otherwise who needs it is skipped too."""


class Expanded(Happened):
    """A for_each met its list."""

    type: Literal["expanded"] = "expanded"
    step: str
    items: tuple[Json, ...]
    labels: frozenset[str] = frozenset()


class Joined(Happened):
    """The output was built from the plan's template."""

    type: Literal["joined"] = "joined"
    round: int
    output: Json
    labels: frozenset[str] = frozenset()


class ReviewRequested(Happened):
    """The reviewer is asked, or the person to whom the verdict was escalated."""

    type: Literal["review_requested"] = "review_requested"
    round: int
    by: str = ""
    """Name of the person; "": the reviewer."""
    reason: str = ""


class Reviewed(Happened):
    """The reviewer's verdict."""

    type: Literal["reviewed"] = "reviewed"
    round: int
    verdict: Verdict


class ReviewFailed(Happened):
    """The reviewer gave no verdict, or has to wait."""

    type: Literal["review_failed"] = "review_failed"
    round: int
    report: JsonReport


class Revising(Happened):
    """Blamed steps and what depends on them run again."""

    type: Literal["revising"] = "revising"
    round: int
    blamed: tuple[str, ...]
    steps: tuple[str, ...]
    """The blamed ones and all that depend on them, in plan order."""
    findings: tuple[str, ...]
    reason: str


class Ended(Happened):
    """A supervisor is done; for the root, `RunEnded` follows."""

    type: Literal["ended"] = "ended"
    report: JsonReport
    verdict: Verdict | None = None
    reason: str = ""


RunEvent = RunStarted | Claimed | Migrated | Parked | RunEnded | Cancelled | Asked | Answered | AnswerRefused
EffectEvent = EffectStarted | EffectFinished | EffectFailed | Attempted | Recovered
PlanEvent = PlanRequested | Planned | PlanRefused | PlanFailed
StepEvent = Delegated | Reported | Reacted | StepSkipped | Expanded
ReviewEvent = Joined | ReviewRequested | Reviewed | ReviewFailed | Revising | Ended
SupervisorEvent = PlanEvent | StepEvent | ReviewEvent
Event = Annotated[RunEvent | EffectEvent | SupervisorEvent, Field(discriminator="type")]

EVENTS: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(defer_build=True))
"""Reads an event from JSON."""
