"""Arms: what came of giving a piece of work to somebody, so that another run of the same task can be told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from pydantic_core import to_json

from ...protocols.events import EffectFinished
from ...protocols.messages import Done, Failed
from ...supervisor.views.bill import fields
from ..replay.tape import Tape
from ..scenario import Arm, Scenario
from ..scoring.places import stable


def arms_of(scenario: Scenario) -> Iterator[Arm]:
    """Each handoff of the run that ended and in which nothing was handed on, in the order in which they were given.

    What failed has not succeeded; what was done has succeeded if the run has, as its ending says.
    """
    tape = scenario.tape
    leading = {place for handed in tape.handoffs.values() for place in _upwards(handed.handoff.path)}
    models = _models(tape)
    for place, handed in tape.handoffs.items():
        report = handed.report
        if place in leading or not isinstance(report, Done | Failed):
            continue
        success = scenario.ending.success if isinstance(report, Done) else "no"
        yield Arm(
            step=stable(place),
            payload=handed.handoff.digest,
            agent=handed.handoff.worker,
            model=models.get(place, ""),
            definition=tape.definition_at(place),
            output=report.output if isinstance(report, Done) else None,
            failure=report.failure.kind if isinstance(report, Failed) else "",
            usage=report.usage,
            seconds=round(handed.seconds, 6),
            success=success,
            n_success=None if success == "unscored" else int(success == "yes"),
            provenance=scenario.header.source.kind,
        )


def merge_arms(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """The scenarios, each with what the others of the same task have tried among its arms, in the order given.

    The same arm stands there once. Whether an arm is exact for a decision is seen from the digest of its payload.
    """
    tried: dict[str, list[tuple[int, Arm]]] = {}
    for index, scenario in enumerate(scenarios):
        tried.setdefault(scenario.task_hash, []).extend((index, arm) for arm in arms_of(scenario))
    merged: list[Scenario] = []
    for index, scenario in enumerate(scenarios):
        others = (arm for origin, arm in tried[scenario.task_hash] if origin != index)
        arms = {to_json(arm): arm for arm in chain(scenario.arms, others)}
        merged.append(replace(scenario, arms=tuple(arms.values())))
    return merged


def _models(tape: Tape) -> dict[str, str]:
    """By place of a handoff, the model that answered last in it."""
    found: dict[str, str] = {}
    for recorded in tape.effects.values():
        if recorded.start.kind == "model" and isinstance(recorded.end, EffectFinished):
            place = next((above for above in _upwards(recorded.start.path) if above in tape.handoffs), "")
            found[place] = str(fields(recorded.start.request).get("model", ""))
    return found


def _upwards(path: str) -> Iterator[str]:
    """This place and those above it, without the root."""
    while path:
        yield path
        path = path.rpartition("/")[0]
