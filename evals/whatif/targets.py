"""How likely each worker is to get a piece of work under a changed team, where a router had drawn who got it.

A recorded draw is asked anew of the changed team in the same place:

1. A router that explores there says among whom it draws, who is its first choice, and how much it explores.
2. A plan with a step of the same id is sure of its worker.
3. Where what that worker would have given is known from an arm, nothing need be weighed: there is no target.
4. Where the place is not reached, or its plan has no such step, what was drawn plays no part: there is none either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from ...protocols.events import EffectStarted, Event, Planned
from ...protocols.messages import Json
from ...supervisor.views.bill import fields
from ..replay.tape import Tape
from ..scenarios.decisions import Decision, decisions
from ..scenarios.plain import is_list
from .changes import Change, drops_of, pins_of

Target: TypeAlias = dict[str, float]
"""Probability by worker; adds up to 1."""


def drawn(tape: Tape) -> dict[str, Decision]:
    """First choices of a recorded run that were drawn with a known propensity, by path of the step.

    Of several for one step the first.
    """
    found: dict[str, Decision] = {}
    for one in decisions(entry.event for entry in tape.entries):
        if one.attempt == 1 and one.propensity is not None and one.propensity < 1:
            found.setdefault(one.step, one)
    return found


def targets(
    choices: Mapping[str, Decision], events: Iterable[Event], tried: Collection[str], changes: Sequence[Change]
) -> Iterator[tuple[str, Target]]:
    """By path of the step, how likely each worker is to get it under the team that was asked.

    Args:
        choices: what was drawn in the recorded run.
        events: of the replay, in order; it may have broken off.
        tried: places of the replay whose work is known from arms.
        changes: steps that they pin or drop are left to chance no longer.
    """
    told = list(events)
    asked = {event.path: event.request for event in told if isinstance(event, EffectStarted) and event.kind == "route"}
    plans = {event.path: event for event in told if isinstance(event, Planned)}
    pins, drops = pins_of(changes), drops_of(changes)
    for step, choice in choices.items():
        planned = plans.get(choice.path)
        if planned is None or step in drops:
            continue
        name = choice.id.rpartition("/")[2].partition("#")[0]
        worker = next((one.worker for one in planned.plan.steps if one.id == name), None)
        found = distribution(asked.get(f"{choice.path}/plan#{planned.n}"))
        if found is not None and step not in pins and worker == choice.chosen:
            yield step, found
        elif worker is not None and choice.id not in tried:
            yield step, {worker: 1.0}


def distribution(request: Json) -> Target | None:
    """How likely a router is to draw each worker, by what it journals of a draw; None: it is no draw.

    Example:
        >>> distribution({"first": "a", "candidates": ["a", "b"], "explore": 0.5})
        {'a': 0.75, 'b': 0.25}
    """
    said = fields(request)
    names, explore, first = said.get("candidates"), said.get("explore"), said.get("first")
    if not is_list(names) or not names or isinstance(explore, bool) or not isinstance(explore, int | float):
        return None
    if not 0 < explore <= 1 or first not in names or not all(isinstance(name, str) for name in names):
        return None
    return {str(name): explore / len(names) + (1 - explore) * (name == first) for name in names}
