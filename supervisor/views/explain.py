"""Why a step got this input and this worker, and what became of it: read off the events of its supervisor.

The values shown are those of the recorded payload, not resolved anew: what is explained is what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from ...protocols.errors import UsageError
from ...protocols.events import (
    Delegated,
    Event,
    Expanded,
    Planned,
    Reacted,
    Reported,
    Reviewed,
    Revising,
    StepSkipped,
)
from ...protocols.messages import Json, JsonReport
from ...protocols.plans import Plan, Step
from ..log import stable


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one value of a step's input came from."""

    field: str
    """JSON pointer in the input; "" is the whole."""
    source: str | None
    """`task`, `item`, `previous` or the id of the step it came from; None: it stands in the plan."""
    at: str = ""
    """JSON pointer in the source's output."""
    worker: str = ""
    """Who gave that output; "" where no worker did."""
    value: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt at one instance of the step."""

    path: str
    worker: str
    """"": it was not handed to anybody."""
    reason: str = ""
    rejected: tuple[str, ...] = ()
    """Other candidates, each with why it was not chosen."""
    labels: tuple[str, ...] = ()
    """Labels of the input, sorted."""
    origins: tuple[Origin, ...] = ()
    findings: tuple[str, ...] = ()
    """What a reviewer wanted mended."""
    report: JsonReport | None = None
    """None: it has not come back."""
    reaction: str = ""
    """What the supervisor did about a failure, and why; "": nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything that was decided about one step, with the reasons given."""

    step: str
    """The step with its place, without attempts: `research/search`."""
    plan: Plan
    """The last plan that held."""
    template: Step
    plan_reason: str
    """What the planner said of its plan; "": nothing."""
    skipped: tuple[str, ...] = ()
    """Why it was not run, each time it was not."""
    instances: int | None = None
    """How many elements its `for_each` met; None: it has none, or has not met its list."""
    tries: tuple[Try, ...] = ()
    """In the order in which they were begun."""
    reviews: tuple[str, ...] = ()
    """What reviewers made of outputs and why the step ran again, in order."""


def explain(events: Iterable[Event], step: str) -> Explanation:
    """Why this step got its input and its worker, and what became of it.

    Args:
        events: of the whole run, in order.
        step: an id (`extract`), an instance (`lines[3]`), or either behind the way to its team (`research/search`);
            with attempts (`/research#2/search#1`) only those are told of.

    Raises:
        UsageError: no plan of the run has such a step, or several teams have, or there is no such instance or
            attempt; the message names the known ones.
    """
    told = list(events)
    planned = [event for event in told if isinstance(event, Planned)]
    place, _, name = f"/{step.strip('/')}".rpartition("/")
    step_id = _step_of(stable(name))
    home = _home(planned, place, step_id)
    if home is None:
        known = ", ".join(steps(told)) or "none: no plan held"
        raise UsageError(f"expected one step of the run, found {step!r}; the steps are: {known}")
    own = [event for event in told if event.path == home]
    plan, why = next((p.plan, p.reason) for p in reversed(planned) if p.path == home and _has(p.plan, step_id))
    tries = list(_tries(own, step_id))
    meant = tuple(made for made in tries if _is_meant(made.path, name))
    if not meant and name != step_id:
        begun = ", ".join(made.path.rpartition("/")[2] for made in tries) or "nothing yet"
        raise UsageError(f"expected an instance or attempt of step {step_id!r}, found {name!r}; there is: {begun}")
    items = [len(event.items) for event in own if isinstance(event, Expanded) and event.step == step_id]
    return Explanation(
        step=f"{stable(home)}/{step_id}".strip("/"),
        plan=plan,
        template=plan.step(step_id),
        plan_reason=why or plan.reason,
        skipped=tuple(event.reason for event in own if isinstance(event, StepSkipped) and event.step == step_id),
        instances=items[-1] if items else None,
        tries=meant,
        reviews=tuple(_reviews(own, step_id)),
    )


def steps(events: Iterable[Event]) -> tuple[str, ...]:
    """All steps that any plan of the run has, with their places, in the order of the plans."""
    planned = [event for event in events if isinstance(event, Planned)]
    known = (f"{stable(event.path)}/{step.id}".strip("/") for event in planned for step in event.plan.steps)
    return tuple(dict.fromkeys(known))


def _home(planned: Sequence[Planned], place: str, step_id: str) -> str | None:
    """Path of the supervisor whose step is meant, its last attempt; None: there is none, or more than one may be."""
    homes = [event.path for event in planned if _has(event.plan, step_id)]
    if place or "" in homes:
        homes = [home for home in homes if place in (home, stable(home))]
    return homes[-1] if len({stable(home) for home in homes}) == 1 else None


def _is_meant(path: str, name: str) -> bool:
    """Whether this attempt is one of those that a name may mean.

    Example:
        >>> [_is_meant("/lines[3]@2#1", name) for name in ("lines", "lines[3]", "lines[3]@2#1", "lines[4]")]
        [True, True, True, False]
    """
    exact = path.rpartition("/")[2]
    iteration = stable(exact)
    instance = iteration.partition("@")[0]
    return name in (exact, iteration, instance, _step_of(instance))


def _tries(own: Sequence[Event], step_id: str) -> Iterator[Try]:
    """Attempts at the step, in the order in which they were begun."""
    found: dict[str, Try] = {}
    for event in own:
        if not isinstance(event, Delegated | Reported | Reacted) or _step_of(event.step) != step_id:
            continue
        path = f"{event.path}/{event.step}#{event.attempt}"
        known = found.get(path, Try(path=path, worker=""))
        match event:
            case Delegated():
                known = known if known.worker else _delegated(own, event, step_id, path)
            case Reported():
                known = replace(known, report=event.report)
            case Reacted():
                known = replace(known, reaction=f"{event.reaction}: {event.reason}")
        found[path] = known
    yield from found.values()


def _delegated(own: Sequence[Event], event: Delegated, step_id: str, path: str) -> Try:
    before = own[: own.index(event)]
    plans = [known.plan for known in before if isinstance(known, Planned) and _has(known.plan, step_id)]
    template = plans[-1].step(step_id).input if plans else None
    givers = {_step_of(done.step): _worker_of(before, done) for done in before if isinstance(done, Reported)}
    return Try(
        path=path,
        worker=event.worker,
        reason=event.reason,
        rejected=event.rejected,
        labels=tuple(sorted(event.labels)),
        origins=tuple(_origins(template, event.payload, givers)),
        findings=event.findings,
    )


def _has(plan: Plan, step_id: str) -> bool:
    return any(step.id == step_id for step in plan.steps)


def _step_of(instance: str) -> str:
    return instance.partition("[")[0].partition("@")[0]


def _worker_of(before: Sequence[Event], done: Reported) -> str:
    for event in reversed(before):
        if isinstance(event, Delegated) and (event.step, event.attempt) == (done.step, done.attempt):
            return event.worker
    return ""


def _origins(template: Json, payload: Json, givers: Mapping[str, str], field: str = "") -> Iterator[Origin]:
    """Leaf by leaf, template and payload side by side."""
    if isinstance(template, dict) and "$from" in template:
        ref = cast("dict[str, str]", template)
        source = ref["$from"]
        yield Origin(field=field, source=source, at=ref.get("at", ""), worker=givers.get(source, ""), value=payload)
    elif isinstance(template, dict) and template:
        given = cast("dict[str, Json]", payload if isinstance(payload, dict) else {})
        for name, value in cast("dict[str, Json]", template).items():
            key = name.replace("~", "~0").replace("/", "~1")
            yield from _origins(value, given.get(name), givers, f"{field}/{key}")
    elif isinstance(template, list) and template:
        items = cast("Sequence[Json]", payload if isinstance(payload, list) else [])
        for i, value in enumerate(cast("Sequence[Json]", template)):
            yield from _origins(value, items[i] if i < len(items) else None, givers, f"{field}/{i}")
    else:
        yield Origin(field=field, source=None, value=payload)


def _reviews(own: Sequence[Event], step_id: str) -> Iterator[str]:
    for event in own:
        if isinstance(event, Revising) and step_id in event.steps:
            role = "blamed" if step_id in event.blamed else "depends on a blamed step"
            yield f"runs again in round {event.round} ({role}): {event.reason or '; '.join(event.findings)}"
        elif isinstance(event, Reviewed):
            findings = getattr(event.verdict, "findings", None)
            said = "; ".join(findings) if findings else getattr(event.verdict, "reason", "")
            yield f"round {event.round}: {event.verdict.type}" + (f": {said}" if said else "")
