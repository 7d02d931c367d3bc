"""A run as if nothing had interrupted it: its events without those that only a crash brought about."""

from __future__ import annotations

from collections import Counter
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
    Recovered,
    Reported,
    Reviewed,
    ReviewFailed,
    ReviewRequested,
    RunStarted,
)
from ...protocols.messages import Waiting
from ...supervisor.views.staff import place_of


def uninterrupted(events: Sequence[Event]) -> list[Event]:
    """The events of a run, each thing that was done twice because of a crash only once; what that cost stays.

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
        case (
            Reported(report=Waiting() as wait)
            | PlanFailed(report=Waiting() as wait)
            | ReviewFailed(report=Waiting() as wait)
        ):
            return doubts.issuperset(question.id for question in wait.questions)
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
    """Of requests that were made again before they were answered, only the first; so with waits before an answer."""
    pending: set[Key] = set()
    waiting: set[Key] = set()
    for event in events:
        if isinstance(event, Answered):
            waiting.clear()
        requested, answered = _request(event), _answer(event)
        waits = isinstance(getattr(event, "report", None), Waiting)
        if requested in pending | waiting or (waits and answered in waiting):
            continue
        if requested is not None:
            pending.add(requested)
        if answered is not None:
            pending.discard(answered)
            (waiting.add if waits else waiting.discard)(answered)
        yield event


Key = tuple[str, ...]


def _request(event: Event) -> Key | None:
    """What an event asks for."""
    match event:
        case Delegated():
            return "handoff", place_of(event)
        case PlanRequested():
            return "plan", event.path, str(event.n)
        case ReviewRequested():
            return "review", event.path, str(event.round)
        case _:
            return None


def _answer(event: Event) -> Key | None:
    """What an event answers."""
    match event:
        case Reported():
            return "handoff", f"{event.path}/{event.step}#{event.attempt}"
        case Planned() | PlanRefused() | PlanFailed():
            return "plan", event.path, str(event.n)
        case Reviewed() | ReviewFailed():
            return "review", event.path, str(event.round)
        case _:
            return None


def _claimed_once(events: Iterable[Event]) -> Iterator[Event]:
    """Without claims after a crash, cancellations that the run outlived, and recoveries that were gone through again.

    A worker that is taken up goes through its work from the start, and says again how it recovered.
    """
    paused = True
    cancelled: list[Event] = []
    said: Counter[str] = Counter()
    again: Counter[str] = Counter()
    for event in events:
        if isinstance(event, Cancelled):
            cancelled = [event]
            continue
        if isinstance(event, Claimed):
            again, cancelled = Counter() if paused else Counter(said), []
            said = Counter() if paused else said
            if not paused:
                continue
        elif isinstance(event, Recovered):
            words = event.model_dump_json()
            if again[words]:
                again[words] -= 1
                continue
            said[words] += 1
        paused = isinstance(event, Parked | RunStarted)
        yield event
    yield from cancelled
