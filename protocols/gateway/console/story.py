"""A run as the console tells it: its work with what was given and what came back, its decisions, its failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ....supervisor.views.bill import Bill, bill
from ....supervisor.views.drawing import plan
from ....supervisor.views.route import Leg, route
from ....supervisor.views.staff import natural, place_of
from ....supervisor.views.svg import svg
from ...events import (
    Attempted,
    Cancelled,
    Delegated,
    EffectFailed,
    Ended,
    Expanded,
    PlanFailed,
    Planned,
    PlanRefused,
    PlanRequested,
    Reacted,
    Recovered,
    Reported,
    Reviewed,
    ReviewFailed,
    ReviewRequested,
    Revising,
    RunStarted,
    StepSkipped,
)
from ...messages import Failed, Json, JsonReport
from ..runs import Seen, Standing

DECISIONS = (
    Planned, PlanRefused, PlanFailed, Delegated, Expanded, Reacted, StepSkipped, Reviewed, ReviewFailed, Revising,
    Ended, Cancelled,
)  # fmt: skip
LIVE = ("running", "waiting")
"""States of a run that is not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of work: its leg of the route, what was given, and what came back."""

    leg: Leg
    seq: int
    """Of the event that began it."""
    order: tuple[tuple[float, int], ...] = ()
    payload: Json = None
    labels: frozenset[str] = frozenset()
    rejected: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    report: JsonReport | None = None
    """None: it has not come back, or it was a plan or a verdict."""

    @property
    def depth(self) -> int:
        """How many teams it lies in."""
        return self.leg.path.count("/") - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that failed."""

    at: float
    path: str
    kind: str
    message: str
    done: str
    """What was done about it; "": nothing is known."""
    partial: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A run so far."""

    stands: Standing
    seq: int
    """Of its last event."""
    task: Json
    labels: frozenset[str]
    pieces: tuple[Piece, ...]
    decisions: tuple[Seen, ...]
    troubles: tuple[Trouble, ...]
    bill: Bill
    plans: int
    """How many plans have held at the root; 0: there is none to draw."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself or by an answer."""
        return self.stands.status not in LIVE

    def until(self, now: float) -> float:
        """The end of its time so far: the run's, or this moment."""
        return self.stands.updated if self.is_over else max(now, self.stands.updated)


def entries(told: Sequence[Seen]) -> Any:
    """The events as the folds of `supervisor.views` take them: an `Entry` there has the fields of `Seen`."""
    return told


def tell(stands: Standing, told: Sequence[Seen]) -> Story:
    """The story of a run, given how it stands and all its events; at least one."""
    events = [seen.event for seen in told]
    first = events[0]
    return Story(
        stands=stands,
        seq=told[-1].seq,
        task=first.task if isinstance(first, RunStarted) else None,
        labels=first.labels if isinstance(first, RunStarted) else frozenset(),
        pieces=_pieces(told),
        decisions=tuple(seen for seen in told if _is_decision(seen)),
        troubles=tuple(_troubles(told)),
        bill=bill(events),
        plans=sum(isinstance(event, Planned) and not event.path for event in events),
    )


def picture(told: Sequence[Seen]) -> str:
    """The plan of the run, as far as it has come, as SVG.

    Raises:
        UsageError: no plan held.
    """
    return svg(plan(entries(told)))


@dataclass(slots=True)
class _Known:
    """What is known of a place."""

    seq: int
    at: float
    given: Delegated | None = None
    report: JsonReport | None = None


@dataclass(slots=True)
class _Places:
    """What is known of each place, by its path."""

    known: dict[str, _Known] = field(default_factory=dict[str, _Known])

    def take(self, seen: Seen) -> None:
        """Go on by one event."""
        event = seen.event
        match event:
            case Delegated():
                one = self._at(place_of(event), seen)
                one.given = one.given or event
            case PlanRequested() | ReviewRequested():
                self._at(place_of(event), seen)
            case Reported():
                self._at(f"{event.path}/{event.step}#{event.attempt}", seen).report = event.report
            case StepSkipped():
                self._at(f"{event.path}/{event.step}", seen)
            case _:
                pass

    def _at(self, path: str, seen: Seen) -> _Known:
        return self.known.setdefault(path, _Known(seen.seq, seen.at))


def _pieces(told: Sequence[Seen]) -> tuple[Piece, ...]:
    """All work, each piece behind the one that it is part of, and otherwise in the order in which it was begun."""
    places = _Places()
    for seen in told:
        places.take(seen)
    pieces = (_piece(leg, places.known[leg.path], places) for leg in route(entries(told)) if leg.path in places.known)
    return tuple(sorted(pieces, key=lambda piece: (piece.order, natural(piece.leg.path))))


def _piece(leg: Leg, known: _Known, places: _Places) -> Piece:
    parts = leg.path.split("/")[1:]
    above = ["/" + "/".join(parts[: i + 1]) for i in range(len(parts))]
    order = tuple((places.known[path].at, places.known[path].seq) for path in above if path in places.known)
    piece = Piece(leg=leg, seq=known.seq, order=order, report=known.report)
    given = known.given
    if given is None:
        return piece
    return replace(piece, payload=given.payload, labels=given.labels, rejected=given.rejected, findings=given.findings)


def _is_decision(seen: Seen) -> bool:
    """Whether somebody decided something here; a handoff counts if others could have had it."""
    event = seen.event
    return isinstance(event, DECISIONS) and not (isinstance(event, Delegated) and not event.rejected)


def _troubles(told: Sequence[Seen]) -> Iterator[Trouble]:
    reactions = {
        f"{event.path}/{event.step}#{event.attempt}": event.reaction
        for event in (seen.event for seen in told)
        if isinstance(event, Reacted)
    }
    for seen in told:
        event = seen.event
        match event:
            case Reported() if isinstance(event.report, Failed):
                path = f"{event.path}/{event.step}#{event.attempt}"
                yield _trouble(seen, path, event.report, reactions.get(path, ""))
            case PlanFailed() | ReviewFailed() if isinstance(event.report, Failed):
                yield _trouble(seen, event.path, event.report, "")
            case EffectFailed() | Attempted() | Recovered():
                yield Trouble(
                    at=seen.at,
                    path=event.path,
                    kind=event.failure.kind,
                    message=event.failure.message,
                    done=_done(event),
                )
            case _:
                pass


def _done(event: EffectFailed | Attempted | Recovered) -> str:
    match event:
        case Attempted():
            wait = "" if event.wait is None else f" in {event.wait:.1f} s"
            return f"try {event.attempt} of {event.model}{wait}: {event.reason}"
        case Recovered():
            return f"{event.reaction}: {event.reason}"
        case EffectFailed():
            return f"{event.kind} gave up"


def _trouble(seen: Seen, path: str, report: Failed, done: str) -> Trouble:
    failure = report.failure
    return Trouble(
        at=seen.at,
        path=path or "/",
        kind=failure.kind,
        message=failure.message,
        done=done,
        partial=report.partial,
    )
