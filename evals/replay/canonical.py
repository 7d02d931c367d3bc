"""Journals in canonical order: two journals of the same run are equal, whatever order its parts arrived in.

1. Events stand by place, in natural order of the numbers in it; the handoff of a step and its report stand at the
   place where the work is done.
2. At one place their order is kept, but for what may go on there at the same time between two model calls: tools and
   other effects stand by kind and n, then what else happened to them. So who performs effects at once numbers them.
3. Left out is what differs from run to run: times, who drove it, the run's id and the keys made of it. Questions have
   the place where they were asked in the place of their id.
4. What only crashes brought about is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from pydantic_core import to_json

from ...protocols.events import (
    Answered,
    AnswerRefused,
    Asked,
    Delegated,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    Expanded,
    Reacted,
    Recovered,
    Reported,
    StepSkipped,
)
from ...protocols.messages import Json
from ...supervisor.runs import Entry
from ...supervisor.views.bill import fields
from ...supervisor.views.staff import natural
from ..scenarios.plain import is_list, is_object, plain
from .crashes import uninterrupted
from .simplify import Simplify, without

VOLATILE: Mapping[str, Sequence[Sequence[str]]] = {
    "run_started": [("run",)],
    "claimed": [("owner",)],
    "effect_started": [("key",), ("request", "head")],
    "attempted": [("elapsed",)],
    "answered": [("answer", "at")],
    "answer_refused": [("answer", "at")],
}
"""What is left out of events, by type; a head is spelled out wherever its first call happened to arrive."""

TOGETHER = EffectStarted | EffectFinished | EffectFailed | Recovered | Asked | Answered | AnswerRefused
"""What may happen at one place at the same time, if it is no model call."""


def same(one: Iterable[Entry], other: Iterable[Entry], simplify: Simplify | None = None) -> bool:
    """Whether these are two journals of the same run, whatever order its parts arrived in."""
    return canonical(one, simplify) == canonical(other, simplify)


def canonical(entries: Iterable[Entry], simplify: Simplify | None = None) -> list[dict[str, Json]]:
    """The events of a whole run as JSON, in canonical order.

    Args:
        entries: in order.
        simplify: also applied to each event, which then has no digests, since those are of the whole.
    """
    events = uninterrupted([entry.event for entry in entries])
    places: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        places[place_of(event)].append(event)
    names = _names(events)
    in_order = (event for place in sorted(places, key=natural) for event in _arranged(places[place]))
    told = [_renamed(_told(event), names) for event in in_order]
    return told if simplify is None else [without(simplify(one), ("digest", "head_digest")) for one in told]


def place_of(event: Event) -> str:
    """Where the event stands in canonical order."""
    match event:
        case Delegated() | Reported() | Reacted():
            return f"{event.path}/{event.step}#{event.attempt}"
        case StepSkipped() | Expanded():
            return f"{event.path}/{event.step}"
        case _:
            return event.path


def _arranged(events: Iterable[Event]) -> Iterator[Event]:
    """The events of one place: between two model calls, by what they are about."""
    for together, group in groupby(events, _may_go_on_together):
        here = list(group)
        yield from sorted(here, key=_about) if together else here


def _may_go_on_together(event: Event) -> bool:
    return isinstance(event, TOGETHER) and getattr(event, "kind", "") != "model"


def _about(event: Event) -> tuple[int, str, int]:
    if isinstance(event, EffectStarted | EffectFinished | EffectFailed):
        return 0, event.kind, event.n
    return 1, to_json(_told(event)).decode(), 0


def _names(events: Iterable[Event]) -> dict[str, str]:
    """A name for each question, which does not depend on the id of the run."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for event in events:
        if isinstance(event, Asked):
            found[event.path].append(event.question.id)
    return {which: f"question {i} at {path}" for path, asked in found.items() for i, which in enumerate(asked, 1)}


def _told(event: Event) -> dict[str, Json]:
    """The event as JSON without what is volatile in it."""
    told = plain(event)
    for *above, last in VOLATILE.get(event.type, ()):
        inner = told
        for name in above:
            inner = inner.get(name, {})
        inner.pop(last, None)
    return fields(told)


def _renamed(value: Json, names: Mapping[str, str]) -> Json:
    if is_object(value):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if is_list(value):
        return [_renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value
