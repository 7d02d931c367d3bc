"""A run as if nothing had interrupted it: its events without those that only a crash brought about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...protocols.events import (
    Answered,
    AnswerRefused,
    Asked,
    Attempted,
    Cancelled,
    Claimed,
    Delegated,
    EffectStarted,
    Event,
    Parked,
    PlanFailed,
    Planned,
    PlanRefused,
    PlanRequested,
    Reported,
    Reviewed,
    ReviewFailed,
    ReviewRequested,
    RunStarted,
)
from ...protocols.messages import Waiting
from ...supervisor.views.staff import place_of


def uninterrupted(events: Sequence[Event]) -> list[Event]:
    """The events of a run, each thing that was done twice because of a crash only once.

    Example:
        >>> from echelon.protocols.messages import Budget
        >>> started = RunStarted(run="r", worker="w", task=1, definitions={}, budget=Budget())
        >>> crashed = [started, Claimed(owner="one"), Claimed(owner="another")]
        >>> [event.owner for event in uninterrupted(crashed)[1:]]
        ['one']
    """
    return list(_claimed_once(_asked_once(_begun_once(_undoubted(events)))))


def _undoubted(events: Sequence[Event]) -> list[Event]:
    """Without the questions that a crash raised, and the waits for their answers."""
    asked = (event.question for event in events if isinstance(event, Asked))
    doubts = {question.id for question in asked if question.asks == "in_doubt"}
    return [event for event in events if not _waits_for(event, doubts)] if doubts else list(events)


def _waits_for(event: Event, doubts: set[str]) -> bool:
    match event:
        case Asked(question=question):
            return question.id in doubts
        case Answered(answer=answer) | AnswerRefused(answer=answer):
            return answer.question in doubts
        case Parked(questions=questions):
            return doubts.issuperset(questions)
        case Reported(report=Waiting() as report) | PlanFailed(report=Waiting() as report):
            return doubts.issuperset(question.id for question in report.questions)
        case _:
            return False


def _begun_once(events: Sequence[Event]) -> Iterator[Event]:
    """Of effects that a crash cut off and that were begun again, only the last start and the tries after it."""
    last = {(event.path, event.kind, event.n): i for i, event in enumerate(events) if isinstance(event, EffectStarted)}
    cut_off: set[str] = set()
    for i, event in enumerate(events):
        if isinstance(event, EffectStarted):
            stale = last[event.path, event.kind, event.n] != i
            (cut_off.add if stale else cut_off.discard)(event.path)
            if stale:
                continue
        if not (isinstance(event, Attempted) and event.path in cut_off):
            yield event


def _asked_once(events: Iterable[Event]) -> Iterator[Event]:
    """Of requests that were made again before they were answered, only the first."""
    open_requests: set[tuple[str, str]] = set()
    for event in events:
        match event:
            case Delegated() | PlanRequested() | ReviewRequested():
                request = (type(event).__name__, place_of(event))
                if request in open_requests:
                    continue
                open_requests.add(request)
            case Reported():
                open_requests.discard(("Delegated", f"{event.path}/{event.step}#{event.attempt}"))
            case Planned() | PlanRefused() | PlanFailed():
                open_requests.discard(("PlanRequested", f"{event.path}/plan#{event.n}"))
            case Reviewed() | ReviewFailed():
                for where in ("review", "escalation"):
                    open_requests.discard(("ReviewRequested", f"{event.path}/{where}#{event.round + 1}"))
            case _:
                pass
        yield event


def _claimed_once(events: Iterable[Event]) -> Iterator[Event]:
    """Without claims after a crash, and without cancellations that the run outlived."""
    paused, cancelled = True, list[Event]()
    for event in events:
        if isinstance(event, Cancelled):
            cancelled = [event]
        elif not isinstance(event, Claimed) or paused:
            yield event
            paused = isinstance(event, Parked | RunStarted)
        else:
            cancelled = []
    yield from cancelled
