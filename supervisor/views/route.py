"""The route of a run: who did what, when, with what result, and at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...protocols.events import (
    Cancelled,
    Delegated,
    PlanFailed,
    Planned,
    PlanRefused,
    PlanRequested,
    Reacted,
    Reported,
    Reviewed,
    ReviewFailed,
    ReviewRequested,
    StepSkipped,
)
from ...protocols.messages import (
    NOTHING_USED,
    Approve,
    Done,
    Escalate,
    Failed,
    JsonReport,
    Reject,
    Revise,
    Skipped,
    Usage,
    Verdict,
    Waiting,
)
from ..log import Entry, above
from .bill import charges
from .staff import natural, place_of

LegStatus = Literal["running", "done", "failed", "waiting", "skipped", "refused", "cancelled"]
"""`refused`: a plan that did not pass the check, or an output that the reviewer did not approve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One piece of work by one worker: an attempt at a step, a proposal of the planner, a look of the reviewer."""

    path: str
    """The place; of a step that was skipped, without an attempt."""
    role: Literal["worker", "planner", "reviewer"] = "worker"
    step: str
    """Instance of a step; `plan` and `review` for planner and reviewer."""
    worker: str
    """"": the step was never handed to anybody."""
    attempt: int
    """From 1; 0 of a step that was skipped."""
    status: LegStatus
    started: float | None = None
    """Seconds since the epoch; None: it was never begun."""
    ended: float | None = None
    """Seconds since the epoch; None: it is under way, or waits."""
    usage: Usage = NOTHING_USED
    """What this place and all below it cost."""
    reason: str = ""
    """Why it was done; once it is over badly, why."""
    reaction: str = ""
    """What the supervisor did about a failure; "": nothing yet, or there was none."""

    @property
    def seconds(self) -> float | None:
        """How long it took, waits for people included; None: it is not over."""
        return None if self.started is None or self.ended is None else max(0.0, self.ended - self.started)


def route(entries: Sequence[Entry]) -> tuple[Leg, ...]:
    """Every piece of work of a run, by place and attempt, whatever the order in which they ended."""
    walk = Walk()
    for entry in entries:
        walk.take(entry)
    spent: dict[str, Usage] = {}
    for charge in charges(entry.event for entry in entries):
        for place in above(charge.path):
            spent[place] = spent.get(place, NOTHING_USED) + charge.usage
    legs = (replace(leg, usage=spent.get(leg.path, NOTHING_USED)) for leg in walk.legs.values())
    return tuple(sorted(legs, key=lambda leg: natural(leg.path)))


class Walk:
    """Legs so far, by place; for whoever watches a run, event by event."""

    def __init__(self) -> None:
        self.legs: dict[str, Leg] = {}
        self._why: dict[str, str] = {}
        self._reviews: dict[tuple[str, int], str] = {}

    def take(self, entry: Entry) -> None:
        """Go on by one event."""
        event = entry.event
        match event:
            case Delegated() | PlanRequested() | ReviewRequested():
                self._begin(event, entry.at)
            case Reported():
                self._reported(event, entry.at)
            case Reacted():
                path = f"{event.path}/{event.step}#{event.attempt}"
                if (leg := self.legs.get(path)) is not None:
                    self.legs[path] = replace(leg, reaction=event.reaction)
            case StepSkipped():
                path = f"{event.path}/{event.step}"
                self.legs[path] = Leg(
                    path=path, step=event.step, worker="", attempt=0, status="skipped", reason=event.reason
                )
            case Planned() | PlanRefused() | PlanFailed():
                self._end(f"{event.path}/plan#{event.n}", entry.at, *_planned(event))
            case Reviewed() | ReviewFailed():
                place = self._reviews.get((event.path, event.round), f"{event.path}/review#{event.round + 1}")
                judged = _judged(event.verdict) if isinstance(event, Reviewed) else _ended(event.report)
                self._end(place, entry.at, *judged)
            case Cancelled():
                for path in [path for path, leg in self.legs.items() if leg.status == "running"]:
                    self._end(path, entry.at, "cancelled", event.reason)
            case _:
                pass

    def _begin(self, event: Delegated | PlanRequested | ReviewRequested, at: float) -> None:
        path = place_of(event)
        known = self.legs.get(path)
        started = at if known is None or known.started is None else known.started
        reason = self._why.setdefault(path, event.reason)  # taken up again after a wait, it has the reason it had
        match event:
            case Delegated():
                leg = Leg(path=path, step=event.step, worker=event.worker, attempt=event.attempt, status="running")
            case PlanRequested():
                leg = Leg(path=path, role="planner", step="plan", worker="planner", attempt=event.n, status="running")
            case ReviewRequested():
                self._reviews[event.path, event.round] = path
                who, n = event.by or "reviewer", event.round + 1
                leg = Leg(path=path, role="reviewer", step="review", worker=who, attempt=n, status="running")
        self.legs[path] = replace(leg, started=started, reason=reason)

    def _reported(self, event: Reported, at: float) -> None:
        path = f"{event.path}/{event.step}#{event.attempt}"
        if path not in self.legs:  # it could not be handed over: its input could not be built, or was not allowed
            leg = Leg(path=path, step=event.step, worker="", attempt=event.attempt, status="running", started=at)
            self.legs[path] = leg
        self._end(path, at, *_ended(event.report))

    def _end(self, path: str, at: float, status: LegStatus, reason: str) -> None:
        if (leg := self.legs.get(path)) is not None:
            ended = None if status == "waiting" else at
            self.legs[path] = replace(leg, status=status, ended=ended, reason=reason or leg.reason)


def _ended(report: JsonReport) -> tuple[LegStatus, str]:
    match report:
        case Done():
            return "done", ""
        case Failed():
            return "failed", f"{report.failure.kind}: {report.failure.message}"
        case Skipped():
            return "skipped", report.reason
        case Waiting():
            return "waiting", "waits for " + ", ".join(f"{q.of} ({q.id})" for q in report.questions)


def _planned(event: Planned | PlanRefused | PlanFailed) -> tuple[LegStatus, str]:
    match event:
        case Planned():
            return "done", event.reason
        case PlanRefused():
            return "refused", "; ".join(f"{fault.step}{fault.field}: {fault.message}" for fault in event.faults)
        case PlanFailed():
            return _ended(event.report)


def _judged(verdict: Verdict) -> tuple[LegStatus, str]:
    match verdict:
        case Approve():
            return "done", "approved" + (f": {verdict.reason}" if verdict.reason else "")
        case Revise():
            return "refused", "to be revised: " + "; ".join(verdict.findings)
        case Reject() | Escalate():
            return "refused", f"{verdict.type}: {verdict.reason}"
