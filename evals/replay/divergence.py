"""The first place where a replay left its recording, at the level of plans, handoffs, requests and reports.

What differs comes first, in recorded order; then what was not recorded; then what is missing, since a replay that
misses stops, and much is then missing that was never at fault.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from ...protocols.events import Asked, Delegated, EffectStarted, Planned, PlanRefused, Reported, Reviewed, RunEnded
from ...protocols.messages import Done, Failed, Json, JsonReport, Skipped, Waiting
from ...supervisor.views.bill import fields
from ...supervisor.views.staff import place_of
from ..scenarios.plain import is_list
from ..scorecard import Divergence
from .difference import ABSENT, Difference, difference
from .simplify import Simplify
from .tape import Place, Tape, is_within

Telling = Planned | PlanRefused | Delegated | EffectStarted | Asked | Reported | Reviewed | RunEnded
"""Events by which two journals are compared; the others follow from them."""

Key = tuple[str, ...]
"""What an event is about; the second part is its place."""


def divergence(
    recorded: Tape,
    replayed: Tape,
    *,
    forgiven: Collection[Place] = (),
    covered: Sequence[str] = (),
    simplify: Simplify | None = None,
) -> Divergence | None:
    """Where the replayed journal first leaves the recorded one; None: nowhere.

    Args:
        recorded: what is expected.
        replayed: what was found.
        forgiven: requests that may differ.
        covered: places at and below which nothing need be asked for.
        simplify: takes away what is not to be compared.
    """
    pardoned = {_request_key(*place) for place in forgiven}
    expected, found = _by_key(recorded), _by_key(replayed)
    for key, before in expected.items():
        after = found.get(key)
        if after is None or key in pardoned or _is_same(before, after, recorded, replayed):
            continue
        values = (_value(before, recorded), _value(after, replayed))
        first = difference(*(values if simplify is None else map(simplify, values)))
        if first is not None:
            return _told(_what(before), key[1], first)
    for key, after in found.items():
        if key not in expected:
            return _told("extra", key[1], Difference("", ABSENT, _value(after, replayed)))
    for key, before in expected.items():
        asked_below = isinstance(before, EffectStarted | Asked) and any(is_within(key[1], one) for one in covered)
        if key not in found and not asked_below:
            return _told("missing", key[1], Difference("", _value(before, recorded), ABSENT))
    return None


What = Literal["handoff", "request", "report", "plan", "review", "missing", "extra"]


def _told(what: What, step: str, first: Difference) -> Divergence:
    expected, found = first.shown()
    return Divergence(step=step, what=what, field=first.at, expected=expected, found=found, diff=first.diff)


def _by_key(tape: Tape) -> dict[Key, Telling]:
    """The telling events of a journal, in order; of a piece of work its first handoff and its last report."""
    found: dict[Key, Telling] = {}
    for entry in tape.entries:
        event = entry.event
        if not isinstance(event, Telling) or (isinstance(event, Asked) and event.question.asks == "in_doubt"):
            continue
        key = _key(event)
        if isinstance(event, Asked):
            key = (*key, str(sum(1 for known in found if known[:2] == key)))
        if isinstance(event, Reported):
            found.pop(key, None)
        found.setdefault(key, event)
    return found


def _key(event: Telling) -> Key:
    match event:
        case Planned() | PlanRefused():
            return "plan", event.path, str(event.n)
        case Delegated():
            return "handoff", place_of(event)
        case EffectStarted():
            return _request_key(event.path, event.kind, event.n)
        case Asked():
            return "ask", event.path
        case Reported():
            return "report", f"{event.path}/{event.step}#{event.attempt}"
        case Reviewed():
            return "review", event.path, str(event.round)
        case RunEnded():
            return "report", event.path


def _request_key(path: str, kind: str, n: int) -> Key:
    return "request", path, kind, str(n)


def _what(event: Telling) -> What:
    match event:
        case Planned() | PlanRefused():
            return "plan"
        case Delegated():
            return "handoff"
        case EffectStarted() | Asked():
            return "request"
        case Reported() | RunEnded():
            return "report"
        case Reviewed():
            return "review"


def _is_same(before: Telling, after: Telling, recorded: Tape, replayed: Tape) -> bool:
    """Whether they are surely the same; a cheap look."""
    if isinstance(before, EffectStarted) and isinstance(after, EffectStarted):
        return before.digest == after.digest or (_holds(replayed, before) and _holds(recorded, after))
    if isinstance(before, Delegated) and isinstance(after, Delegated):
        one, other = ((event.worker, event.digest, event.findings) for event in (before, after))
        return one == other
    return before == after


def _holds(tape: Tape, event: EffectStarted) -> bool:
    """Whether the same was asked at the same place, if in another order: they were asked at once."""
    return (event.path, event.kind, event.digest) in tape.by_request


def _value(event: Telling, tape: Tape) -> Json:
    """What is compared of an event, and shown."""
    match event:
        case Planned(plan=plan):
            return _steps(plan.model_dump(mode="json", by_alias=True))
        case PlanRefused():
            return {**_steps(event.proposal), "refused": [fault.message for fault in event.faults]}
        case Delegated():
            return {"worker": event.worker, "payload": event.payload, "findings": list(event.findings)}
        case EffectStarted():
            return tape.request(tape.effects[event.path, event.kind, event.n])
        case Asked(question=question):
            return {"of": question.of, "prompt": question.prompt, "subject": question.subject}
        case Reported(report=report) | RunEnded(report=report):
            return _said(report)
        case Reviewed(verdict=verdict):
            return verdict.model_dump(mode="json")


def _steps(proposal: Json) -> dict[str, Json]:
    """A plan, or a change to one, with its steps by id: so a step has the same place whatever stands before it."""
    told = {name: value for name, value in fields(proposal).items() if name != "reason"}
    for name in ("steps", "put"):
        if is_list(steps := told.get(name)):
            told[name] = {
                f"{step.get('id')}": {key: value for key, value in step.items() if value} for step in map(fields, steps)
            }
    return told


def _said(report: JsonReport) -> Json:
    """A report without what it cost."""
    match report:
        case Done():
            return {"output": report.output, "confidence": report.confidence}
        case Failed():
            failure = {"kind": report.failure.kind, "message": report.failure.message}
            return {"failure": failure, "partial": report.partial}
        case Skipped():
            return {"skipped": report.reason}
        case Waiting():
            return {"waiting": [question.prompt for question in report.questions]}
