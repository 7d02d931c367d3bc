"""The closed set of events, and the document that describes it to others."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from echelon.protocols import events
from echelon.protocols.events import EVENTS, Event, Happened, RunStarted
from echelon.protocols.messages import SCHEMA_VERSION, Answer, Approve, Budget, Failure, Usage
from echelon.protocols.plans import Fault, Plan
from echelon.protocols.schema import export

from .builders import done, failed, question, step

TYPES: tuple[type[Happened], ...] = get_args(get_args(Event)[0])
SAMPLES: dict[str, Any] = {
    "answer": Answer(question="q", digest="d", approved=True, by="eva", value=[1]),
    "attempt": 2, "blamed": ("a",), "by": "eva", "changed": ("a (new)",), "definitions": {"a": "d"}, "digest": "d",
    "elapsed": 0.5, "failure": Failure(kind="refused", message="no", retry_after=1.5),
    "faults": (Fault(kind="cycle", step="a", message="a needs a"),), "findings": ("x",), "items": (1, {"a": None}),
    "key": "k", "kind": "tool:pay", "labels": frozenset({"web", "pii"}), "model": "m", "n": 3, "origin": "m:team",
    "output": {"x": 1}, "owner": "pid 1", "path": "/a#1", "payload": {"n": 1},
    "plan": Plan(steps=(step("a", ["task"]),), output={"$from": "a"}), "proposal": {"steps": []},
    "question": question(), "questions": ("q",), "reason": "why", "rejected": ("x: dear",),
    "request": {"a": 1}, "reserved": Usage(calls=1),
    "result": [1], "round": 1, "run": "r", "step": "a", "steps": ("a", "b"), "tags": {"thread": "t"},
    "task": {"n": 1}, "usage": Usage(usd=0.1),
    "verdict": Approve(), "wait": 0.5, "worker": "w", "writes": True, "by_condition": True, "budget": Budget(usd=1.0),
    "reaction": "retry", "report": failed(),
}  # fmt: skip


def sample(kind: type[Happened]) -> Happened:
    """Make an event of a type with every field filled in."""
    given = {name: SAMPLES[name] for name in kind.model_fields if name not in ("type", "schema_version")}
    if kind is events.Recovered:
        given["reaction"] = "repair"
    return kind(**given)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_event_survives_json(kind: type[Happened]) -> None:
    """What was written is what is read, by its type alone."""
    event = sample(kind)
    assert EVENTS.validate_json(event.model_dump_json()) == event


def test_the_union_holds_every_event_there_is() -> None:
    """An event outside of it could be written and never read."""
    defined = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Happened)}
    assert defined - {Happened} == set(TYPES)
    names = [kind.model_fields["type"].default for kind in TYPES]
    assert len(names) == len(set(names))


def test_an_event_of_another_version_is_refused() -> None:
    """A reader does not guess."""
    begun = RunStarted(run="r", worker="w", task=None, definitions={}, budget=Budget()).model_dump(mode="json")
    with pytest.raises(ValidationError):
        EVENTS.validate_python(begun | {"schema_version": SCHEMA_VERSION + 1})


def test_an_unknown_event_is_refused() -> None:
    """The set is closed."""
    with pytest.raises(ValidationError, match="tag"):
        EVENTS.validate_json(b'{"type": "invented"}')


def test_an_output_that_is_not_a_number_survives_json() -> None:
    """NaN is written as such, since a lost result is worse than a loose JSON."""
    (report,) = [kind for kind in TYPES if kind is events.Reported]
    event = report(step="a", attempt=1, report=done(float("inf")))
    assert EVENTS.validate_json(event.model_dump_json()) == event


def test_the_schema_has_a_version_and_every_event() -> None:
    """One document tells others all that leaves the process."""
    document = export()
    assert document["version"] == SCHEMA_VERSION
    assert {kind.__name__ for kind in TYPES} <= document["$defs"].keys()
    assert document["properties"].keys() == {"plan", "change", "handoff", "report", "verdict", "event"}
