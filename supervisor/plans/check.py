"""The check of a plan before anything runs: all its faults at once; and a change applied to a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...protocols.contracts import Card
from ...protocols.errors import ShapeError
from ...protocols.messages import Budget, Json
from ...protocols.plans import PLACES, RESERVED, Change, Fallback, Fault, Plan, Quorum, Step
from ...protocols.shapes import Shape
from .assignable import misfit
from .feeding import Feeding
from .parts import Part, readable, written
from .references import spots
from .schemas import known
from .survey import UNTYPED, At, Survey, Team, knots, survey, uncleared, wasted
from .templates import Finding, findings

OUTPUT = "output"
"""Where faults of the output's template, and of a plan without steps, are said to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a plan must keep to."""

    budget: Budget = Budget()
    depth_left: int = 8
    """Levels of supervisors that may still stand at and below the team."""
    must_delegate: bool = False
    """Whether a plan without steps is a fault."""
    labels: frozenset[str] = frozenset()
    """Labels of the task."""
    begun: frozenset[str] = frozenset()
    """Steps that have begun: that a later plan has no use for their output is no fault."""


def check(plan: Plan, team: Mapping[str, Card], accepts: Shape, returns: Shape, limits: Limits) -> tuple[Fault, ...]:
    """All faults of a plan: per step in plan order, then of the output, then of the plan as a whole.

    A plan without faults names only workers that exist, goes round in no circle, and feeds every field with what it
    takes as far as the schemas tell; where they do not tell (`Any`, elements of a list, patterns), the run checks.
    What a step gives counts as there even if the step may be skipped: its consumers are then skipped as well. What
    only follows from another fault is not reported: an unknown worker takes and gives anything.

    Args:
        plan: the plan.
        team: cards of the workers that it may name, by name.
        accepts: type of the task, which is a source in the form in which it is written.
        returns: type of the output.
        limits: what the plan must keep to.
    """
    whole = survey(plan, team, accepts)
    feeding = Feeding(whole.parts)
    found = [(step.id, each) for step in plan.steps for each in _step(step, team, feeding, whole, limits)]
    found += [(step.id, each) for step in plan.steps for each in _identity(step, whole)]
    found += [(OUTPUT, each) for each in _template(plan.output, returns, feeding)]
    found += [*knots(whole), *wasted(whole, plan.output, team, limits.begun), *uncleared(whole, team, limits.labels)]
    found += _beyond(plan, team, limits)
    return tuple(Fault(kind=each.kind, step=at, field=each.field, message=each.message) for at, each in found)


def _identity(step: Step, whole: Survey) -> Iterator[Finding]:
    if step.id in RESERVED:
        of = f"the place of the supervisor's own {PLACES[step.id]}" if step.id in PLACES else "a source of its own"
        yield Finding("reserved_name", "", f"{step.id!r} is {of} and cannot be the id of a step")
    elif whole.steps[step.id] is not step:
        yield Finding("duplicate_step", "", f"there is another step {step.id!r} before it")


def _step(step: Step, team: Team, feeding: Feeding, whole: Survey, limits: Limits) -> Iterator[Finding]:
    for source in step.after:
        if source not in whole.steps:
            yield Finding("unknown_source", "", f"after: there is no step {source!r} {known(source, whole.steps)}")
    if step.when is not None:
        yield from feeding.judge(step.when, "when")
    card = team.get(step.worker)
    if card is None:
        yield Finding("unknown_worker", "", f"there is no worker {step.worker[:80]!r} {known(step.worker, team)}")
    elif card.depth > limits.depth_left:
        yield _deep(card, limits)
    own = Feeding(feeding.parts, step.when)
    if step.for_each is not None or step.repeat is not None:
        item = own.spread(step.for_each) if step.for_each is not None else None
        if isinstance(item, Finding):
            yield item
        yield from _repeated(step, card)
        own = Feeding({**feeding.parts, **_looping(step, card, item)}, step.when)
    yield from _template(step.input, card.accepts if card is not None else None, own)
    yield from _failing(step, team, own, limits)


def _deep(card: Card, limits: Limits) -> Finding:
    message = f"{card.name!r} leads {card.depth} levels of supervisors; {limits.depth_left} are left"
    return Finding("too_deep", "", message)


def _looping(step: Step, card: Card | None, item: Part | Finding | None) -> dict[str, Part]:
    """The sources that only this step has; `previous` is null before the first iteration."""
    own: dict[str, Part] = {}
    if item is not None:
        own["item"] = item if isinstance(item, Part) else UNTYPED
    if step.repeat is not None:
        own["previous"] = written(card.returns).nullable if card is not None else UNTYPED
    return own


def _repeated(step: Step, card: Card | None) -> Iterator[Finding]:
    if step.repeat is None:
        return
    until = step.repeat.until
    if until.ref.source != "previous":
        message = f"repeat: the condition is about 'previous', the step's own output, not about {until.ref.source!r}"
        yield Finding("bad_condition", "", message)
    else:
        output = written(card.returns) if card is not None else UNTYPED
        yield from Feeding({"previous": output}).judge(until, "repeat")


def _template(template: Json, shape: Shape | None, feeding: Feeding) -> list[Finding]:
    """What is wrong with a template; one without references is also read, as it will be in the run."""
    try:
        has_refs = any(True for _ in spots(template))
    except ShapeError as error:
        return [Finding("invalid", "", str(error))]
    found = findings(template, readable(shape) if shape is not None else UNTYPED, feeding.feed)
    if found or has_refs or shape is None:
        return found
    try:
        shape.read(template)
    except (ShapeError, ValueError) as error:  # ValueError: a program put something there that is no JSON
        return [Finding("invalid", "", str(error))]
    return []


def _failing(step: Step, team: Team, own: Feeding, limits: Limits) -> Iterator[Finding]:
    if isinstance(step.on_failure, Quorum) and step.for_each is None:
        yield Finding("bad_quorum", "", "a quorum is of the instances of a for_each, and this step has none")
    if not isinstance(step.on_failure, Fallback):
        return
    name = step.on_failure.worker
    card, other = team.get(step.worker), team.get(name)
    said = f"fallback {name[:80]!r}:"
    if other is None:
        yield Finding("bad_quorum", "", f"{said} there is no such worker {known(name, team)}")
        return
    if other.depth > limits.depth_left:
        yield _deep(other, limits)
    if card is None:
        return
    already = {found.field for found in _template(step.input, card.accepts, own)}
    for found in _template(step.input, other.accepts, own):
        if found.field not in already:
            yield Finding("bad_quorum", found.field, f"{said} {found.message}")
    differs = misfit(written(other.returns), written(card.returns))
    if differs is not None:
        yield Finding("bad_quorum", "", f"{said} it does not return what {card.name!r} does: {differs}")


def _beyond(plan: Plan, team: Team, limits: Limits) -> Iterator[At]:
    """Limits that the plan as a whole passes, each said of the first step beyond it."""
    width, most = limits.budget.width, limits.budget.usd
    if len(plan.steps) > width:
        yield plan.steps[width].id, Finding("too_wide", "", f"{len(plan.steps)} steps; at most {width} are allowed")
    if limits.must_delegate and not plan.steps:
        yield OUTPUT, Finding("not_delegated", "", "the task must be delegated, and the plan has no steps")
    prices = [team[step.worker].usd if step.worker in team else 0.0 for step in plan.steps]
    total = round(sum(prices), 9)
    if most is not None and total > most:
        over = next(i for i in range(len(prices)) if round(sum(prices[: i + 1]), 9) > most)
        message = f"the declared prices of the steps come to {total:.6g} USD; the budget is {most:.6g}"
        yield plan.steps[over].id, Finding("over_budget", "", message)


def amend(
    plan: Plan, change: Change, begun: frozenset[str], settled: frozenset[str]
) -> tuple[Plan | None, tuple[Fault, ...]]:
    """The plan with the change applied, or why it cannot be; the result has yet to be checked.

    Steps keep their places, replaced ones too; new ones come last, in the order given. A step that is put exactly as
    it stands changes nothing, whatever became of it.

    Args:
        plan: the plan under way.
        change: what is to be different.
        begun: steps under way or done; these are neither dropped nor replaced.
        settled: steps that succeeded, whose results are kept.
    """
    there = {step.id: step for step in plan.steps}
    faults = [*_undroppable(change, there, begun | settled), *_unputtable(change, there, begun, settled)]
    if faults:
        return None, tuple(faults)
    put = {step.id: step for step in change.put}
    kept = [put.pop(name, step) for name, step in there.items() if name in put or name not in change.drop]
    output = plan.output if change.output is None else change.output
    steps = (*kept, *put.values())
    return plan.model_copy(update={"steps": steps, "output": output, "reason": change.reason or plan.reason}), ()


def _undroppable(change: Change, there: Mapping[str, Step], begun: frozenset[str]) -> Iterator[Fault]:
    for name in change.drop:
        if name not in there:
            message = f"there is no step {name!r} to drop {known(name, there)}"
            yield Fault(kind="unknown_source", step=name, message=message)
        elif name in begun:
            yield Fault(kind="begun_step", step=name, message=f"step {name!r} has begun and cannot be dropped")


def _unputtable(
    change: Change, there: Mapping[str, Step], begun: frozenset[str], settled: frozenset[str]
) -> Iterator[Fault]:
    seen: set[str] = set()
    for step in change.put:
        if step.id in seen:
            yield Fault(kind="duplicate_step", step=step.id, message=f"step {step.id!r} is put twice")
        elif there.get(step.id) != step and step.id in begun | settled:
            state = "has succeeded, and its result is kept" if step.id in settled else "is under way"
            message = f"step {step.id!r} {state}; put a step with another id"
            yield Fault(kind="begun_step", step=step.id, message=message)
        seen.add(step.id)
