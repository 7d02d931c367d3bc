"""A plan at large: what each source gives, what each step needs, and what is wrong with the whole of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...protocols.contracts import Card
from ...protocols.errors import ShapeError
from ...protocols.messages import Json
from ...protocols.plans import SOURCES, Fallback, Plan, Step
from ...protocols.shapes import Shape
from .graph import cycles, settled
from .parts import Part, written
from .references import spots
from .schemas import OPEN
from .templates import Finding

UNTYPED = Part(OPEN, {})
NOTHING = frozenset[str]()

Team = Mapping[str, Card]
At = tuple[str, Finding]
"""A finding and the step it is about."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The plan as a graph of typed sources; of steps with the same id, the first one counts."""

    steps: Mapping[str, Step]
    """In plan order."""
    parts: Mapping[str, Part]
    """By source, the schema of what it gives; untyped where the worker is unknown."""
    flows: Mapping[str, tuple[str, ...]]
    """Per step, the sources whose data it is given, in order of mention."""
    needs: Mapping[str, tuple[str, ...]]
    """Per step, all that must be settled before it, in order of mention; names that are no steps included."""


def survey(plan: Plan, team: Team, accepts: Shape) -> Survey:
    """Note what every source gives and what every step needs."""
    steps = {step.id: step for step in reversed(plan.steps) if step.id not in SOURCES}
    steps = {step.id: steps[step.id] for step in plan.steps if step.id in steps}
    parts = {"task": written(accepts)}
    flows: dict[str, tuple[str, ...]] = {}
    needs: dict[str, tuple[str, ...]] = {}
    for name, step in steps.items():
        card = team.get(step.worker)
        part = written(card.returns) if card is not None else UNTYPED
        parts[name] = part.listed if step.for_each is not None else part
        over = (step.for_each.source,) if step.for_each is not None else ()
        asked = (step.when.ref.source,) if step.when is not None else ()
        flows[name] = (*named_in(step.input), *over)
        needs[name] = tuple(dict.fromkeys((*flows[name], *asked, *step.after)))
    return Survey(steps, parts, flows, needs)


def named_in(template: Json) -> tuple[str, ...]:
    """Names of the sources in a template, well formed or not; none of one that nests too deep."""
    try:
        return tuple(str(raw["$from"]) for _, raw in spots(template))
    except ShapeError:
        return ()


def knots(plan: Survey) -> Iterator[At]:
    """Steps that wait for each other."""
    inner = {step: [source for source in sources if source in plan.steps] for step, sources in plan.needs.items()}
    if len(settled(inner)) < len(inner):
        for ring in cycles(inner):
            message = "steps wait for each other in a circle: " + " -> ".join((*ring, ring[0]))
            yield ring[0], Finding("cycle", "", message)


def wasted(plan: Survey, output: Json, team: Team, begun: frozenset[str]) -> Iterator[At]:
    """Steps whose work would be thrown away: nothing uses it, nobody looks at it and it changes nothing."""
    used = {*named_in(output), *(source for sources in plan.needs.values() for source in sources)}
    for name, step in plan.steps.items():
        others = [step.on_failure.worker] if isinstance(step.on_failure, Fallback) else []
        writes = any(other not in team or team[other].writes for other in (step.worker, *others))
        if name not in used and name not in begun and not step.look and not writes:
            message = f"nothing uses its output, and {step.worker!r} changes nothing: use it in the output, or drop it"
            yield name, Finding("unreachable", "", message)


def uncleared(plan: Survey, team: Team, labels: frozenset[str]) -> Iterator[At]:
    """Steps that would be given data for which a worker of theirs is not cleared.

    Labels travel with data: from the task to those who are given of it, and from a worker with its output.
    """
    if all(card.clearance is None for card in team.values()):
        return
    given = _reaching(plan, team, labels)
    for name, step in plan.steps.items():
        for card in _workers(step, team):
            over = given[name] - card.clearance if card.clearance is not None else ()
            if over:
                message = f"{card.name!r} is not cleared for data labelled {', '.join(map(repr, sorted(over)))}"
                yield name, Finding("clearance", "", message)


def _reaching(plan: Survey, team: Team, labels: frozenset[str]) -> Mapping[str, frozenset[str]]:
    """Labels of what each step is given; a fixed point, so that circles do no harm."""
    added = {name: NOTHING.union(*(c.labels for c in _workers(s, team))) for name, s in plan.steps.items()}
    given = dict.fromkeys(plan.steps, NOTHING)
    changed = True
    while changed:
        changed = False
        for name, sources in plan.flows.items():
            before = given[name]
            for source in sources:
                giver = name if source == "previous" else source
                given[name] |= labels if giver == "task" else given.get(giver, NOTHING) | added.get(giver, NOTHING)
            changed = changed or given[name] != before
    return given


def _workers(step: Step, team: Team) -> list[Card]:
    names = [step.worker, *([step.on_failure.worker] if isinstance(step.on_failure, Fallback) else [])]
    return [team[name] for name in names if name in team]
