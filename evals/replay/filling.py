"""The journal of a replay, filled with what is known of work that was told and not done: its calls, tools and cost.

What was told by a recorded report has the effects that were recorded below it; what was told by an arm, one effect with
the arm's usage. Bills, trajectories and models are then folds over these entries as over those of any run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from ...protocols.events import (
    Attempted,
    Delegated,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    Recovered,
)
from ...protocols.messages import NOTHING_USED, Usage
from ...supervisor.runs import Entry
from ...supervisor.views.staff import place_of
from .stage import Told
from .tape import Tape, is_within

EFFECTS: Final = EffectStarted | EffectFinished | EffectFailed | Attempted | Recovered
TOLD: Final = "told"
"""Kind of the effect that stands for all that went into work of which no effect is known."""


def filled(entries: Iterable[Entry], tape: Tape, told: Mapping[str, Told]) -> Iterator[Entry]:
    """The entries of a replay with the effects of what was told behind its first handoff, at its time.

    Args:
        entries: of the replay, in order.
        tape: the recording that was replayed.
        told: by place in the replay, what came of work that was not done.
    """
    left = dict(told)
    for entry in entries:
        yield entry
        if isinstance(entry.event, Delegated) and (found := left.pop(place_of(entry.event), None)) is not None:
            yield from (replace(entry, event=event) for event in _inside(place_of(entry.event), found, tape))


def _inside(place: str, found: Told, tape: Tape) -> Iterator[Event]:
    """The effects of one piece of work, at and below the place where it was given in the replay."""
    if found.arm is not None:
        yield from _one(place, found.arm.model, found.arm.usage)
    elif not found.covers:
        yield from _one(place, "", NOTHING_USED if found.report is None else found.report.usage)
    else:
        for entry in tape.entries:
            event = entry.event
            if isinstance(event, EFFECTS) and is_within(event.path, found.covers):
                yield event.model_copy(update={"path": place + event.path.removeprefix(found.covers)})


def _one(place: str, model: str, usage: Usage) -> Iterator[Event]:
    """One effect; of work that cost nothing, none."""
    if usage == NOTHING_USED and not model:
        return
    kind, request = ("model", {"model": model}) if model else (TOLD, None)
    yield EffectStarted(path=place, kind=kind, n=0, digest="", request=request)
    yield EffectFinished(path=place, kind=kind, n=0, digest="", usage=usage)
