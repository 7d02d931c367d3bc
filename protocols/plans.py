"""The plan: a typed data-flow graph of steps, as data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from .messages import Count, Json, Message, Name

SOURCES = frozenset({"task", "item", "previous"})
"""Sources that are no steps: the run's task, the element of a `for_each`, the last output of a `repeat`."""

PLACES = {"plan": "planner", "review": "reviewer", "escalation": "person"}
"""Who stands at the places beside the steps; a step of that id would stand there too."""

RESERVED = SOURCES | PLACES.keys()
"""Names that no step may have."""


class Ref(Message):
    """A reference to (part of) an earlier output.

    `at` is a JSON Pointer (RFC 6901); "" is the whole output. Inside a step's input, and in JSON, a reference is the
    object `{"$from": "step", "at": "/pointer"}`.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    source: Name = Field(alias="$from")
    at: Annotated[str, Field(pattern=r"^(/[^/]*)*$")] = ""


class Condition(Message):
    """A closed comparison over a reference; never evaluated text.

    `exists` is true where the pointer leads to a value that is not null; the others are false where it leads nowhere.
    """

    ref: Ref
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "exists"]
    value: Json = None


class Repeat(Message):
    """Run the step again, feeding its own output back as `previous`, until the condition holds.

    The condition's reference is to `previous`. After `most` iterations the step fails with `no_progress`.
    """

    until: Condition
    most: Annotated[int, Field(ge=1, le=100)] = 5


class Fail(Message):
    """A failure of the step is a failure of the plan."""

    do: Literal["fail"] = "fail"


class Skip(Message):
    """A failure of the step is recorded; steps that need its output are skipped, the rest goes on."""

    do: Literal["skip"] = "skip"


class Fallback(Message):
    """After a failure another worker does the step."""

    do: Literal["fallback"] = "fallback"
    worker: Name


class Quorum(Message):
    """Of a `for_each`, at least `of` instances must succeed; the output lists those that did, in order."""

    do: Literal["quorum"] = "quorum"
    of: Annotated[int, Field(ge=1)]


OnFailure = Annotated[Fail | Skip | Fallback | Quorum, Field(discriminator="do")]


class Step(Message):
    """One piece of work for one worker.

    `input` is a JSON value whose leaves are literals or references. `after` lists steps that must be settled first
    though no data flows. With `when` false the step is skipped, and so is every step that needs its output.
    `for_each` runs one instance per element of a list (`item` in the input); the output is the list of outputs.
    """

    id: Name
    worker: Name
    input: Json = Field(default_factory=dict)
    after: tuple[Name, ...] = ()
    when: Condition | None = None
    for_each: Ref | None = None
    repeat: Repeat | None = None
    on_failure: OnFailure = Fail()
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    """How often a failure that says it may pass is tried again."""
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    """Least confidence the worker must report; below it, the output counts as failed. None: any."""
    review: str | None = None
    """What the reviewer must look at in this step in particular; None: nothing."""
    look: bool = False
    """The planner must see this output before it can go on."""


class Plan(Message):
    """Steps, and a template for the output: a JSON value whose leaves are literals or references."""

    steps: tuple[Step, ...]
    output: Json
    reason: str = ""

    def step(self, step_id: str) -> Step:
        """The step of that id.

        Raises:
            KeyError: there is none.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


class Change(Message):
    """A plan as a difference to the current one; finished steps keep their results.

    Dropped steps must not have begun. A step in `put` is new, or replaces one that has not succeeded. `output` None:
    as before.
    """

    put: tuple[Step, ...] = ()
    drop: tuple[Name, ...] = ()
    output: Json = None
    reason: str = ""


FaultKind = Literal[
    "unknown_worker", "duplicate_step", "reserved_name", "unknown_source", "cycle", "bad_pointer", "type_mismatch",
    "missing_field", "unknown_field", "unreachable", "too_deep", "too_wide", "over_budget", "not_delegated",
    "bad_condition", "bad_quorum", "begun_step", "clearance", "invalid",
]  # fmt: skip


class Fault(Message):
    """One thing that is wrong with a plan, found before anything runs."""

    kind: FaultKind
    step: str
    """Id of the step, or "output" for the template."""
    field: str = ""
    """JSON pointer of the field in the step's input; "" where it is not about one."""
    message: str


class Settled(Message):
    """What a planner is told about a step that is over: enough to go on, no more."""

    step: str
    worker: str
    status: Literal["done", "failed", "skipped"]
    detail: Json = None
    """The output of a step marked `look`; the failure or the reason otherwise; None for a plain success."""


class Brief(Message):
    """What a planner is asked: the task, what is known so far, and what was wrong with its last answer."""

    task: Json
    plan: Plan | None = None
    """The plan under way; None on the first round."""
    settled: tuple[Settled, ...] = ()
    faults: tuple[Fault, ...] = ()
    """Faults of the proposal just refused; empty on a fresh round."""
    refused: Json = None
    """The proposal just refused; None on a fresh round."""
    reason: str = ""
    """Why the planner is asked (again)."""
    round: Count = 0
    labels: frozenset[str] = frozenset()
