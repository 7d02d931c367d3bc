"""What a picture shows, whatever draws it: the boxes and edges of a team, or of a plan with what ran."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...protocols.contracts import Card, Worker
from ...protocols.errors import UsageError
from ...protocols.events import Ended, Event, Expanded, Planned
from ...protocols.messages import NOTHING_USED, Json, Usage
from ...protocols.plans import Ref, Step
from ...protocols.shapes import name_of
from ..log import Entry
from ..plans.references import refs_in
from .bill import bill
from .route import Leg, route
from .staff import natural, posts

Status = Literal["planned", "running", "done", "failed", "waiting", "skipped"]
EdgeKind = Literal["data", "condition", "order"]
SAYING: Sequence[EdgeKind] = ("data", "condition", "order")
"""What an edge says, the most first."""

SIGNS: Mapping[Status, str] = {
    "planned": "\N{WHITE CIRCLE}",
    "running": "\N{BLACK RIGHT-POINTING TRIANGLE}",
    "done": "\N{CHECK MARK}",
    "failed": "\N{MULTIPLICATION X}",
    "waiting": "\N{DOUBLE VERTICAL LINE}",
    "skipped": "\N{EN DASH}",
}
"""One sign per status, so that colour is never the only carrier."""

OUTPUT = "output"
"""Key of the box that stands for what the plan delivers; a step of that id has the key `output/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One instance of a fan-out, inside its step's box."""

    name: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A worker or a step."""

    key: str
    """Unique in its drawing."""
    title: str
    subtitle: str = ""
    notes: tuple[str, ...] = ()
    status: Status | None = None
    """None: it is nothing that runs."""
    cells: tuple[Cell, ...] = ()
    inside: Drawing | None = None
    """The team, or the plan, of a supervisor."""
    pill: bool = False
    """Whether it is an end of the drawing and no piece of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Leads from what is needed to who needs it."""

    source: str
    target: str
    kind: EdgeKind = "data"
    label: str = ""
    """What flows, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Boxes in reading order, and edges between their keys."""

    title: str
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...] = ()


def team(worker: Worker, events: Iterable[Event] = ()) -> Drawing:
    """Draw who leads whom; with the events of a run, also how often each was sent to work, and at what cost."""
    told = list(events)
    times = Counter(post.who for path, post in posts(told).items() if path)
    spent = {line.name: line.usage for line in bill(told).workers}
    box = _member(worker, "", times, spent, {"ran": bool(told), "led": True})
    return Drawing(title=f"Team of {worker.card.name}" if worker.parts else worker.card.name, boxes=(box,))


def _member(
    worker: Worker, who: str, times: Mapping[str, int], spent: Mapping[str, Usage], run: Mapping[str, bool]
) -> Box:
    card = worker.card
    leads = any(card.depth > part.card.depth for part in worker.parts)
    inside = {"ran": run["ran"], "led": leads}
    parts = tuple(_member(part, f"{who}/{part.card.name}".strip("/"), times, spent, inside) for part in worker.parts)
    notes = [f"{_short(card.accepts.of)} \N{RIGHTWARDS ARROW} {_short(card.returns.of)}", *_marks(card)]
    if run["ran"] and who and (times[who] or run["led"]):  # nobody counts how often a tier of a cascade was tried
        usage = spent.get(who, NOTHING_USED)
        notes.append(f"sent to work {times[who]}\N{MULTIPLICATION SIGN}" + (f", {_cost(usage)}" if usage.calls else ""))
    return Box(
        key=who or card.name,
        title=card.name,
        subtitle=card.description,
        notes=tuple(notes),
        inside=Drawing(title=card.name, boxes=parts) if parts else None,
    )


_MODULES = re.compile(r"(?:\w+\.)+(?=\w)")


def _short(kind: object) -> str:
    """A type's name without the modules it comes from.

    Example:
        >>> _short(list[Usage])
        'list[Usage]'
    """
    return _MODULES.sub("", name_of(kind))


def _marks(card: Card) -> Iterator[str]:
    if card.writes:
        yield "may change the world"
    if card.clearance is not None:
        yield "cleared for " + (", ".join(sorted(card.clearance)) or "unlabelled data only")


def plan(entries: Sequence[Entry], path: str = "") -> Drawing:
    """Draw the last plan of the supervisor at a place, with how far each step has come; sub-plans inside their step.

    Raises:
        UsageError: no plan held there.
    """
    return _plan(entries, path, route(entries))


def _plan(entries: Sequence[Entry], path: str, legs: Sequence[Leg]) -> Drawing:
    events = [entry.event for entry in entries if entry.event.path == path]
    plans = [event.plan for event in events if isinstance(event, Planned)]
    if not plans:
        raise UsageError(f"there is no plan to draw: no proposal of the supervisor at {path or '/'!r} was accepted")
    sizes = {event.step: len(event.items) for event in events if isinstance(event, Expanded)}
    own = [leg for leg in legs if leg.role == "worker" and leg.path.rpartition("/")[0] == path]
    planners = {entry.event.path for entry in entries if isinstance(entry.event, Planned)}
    boxes: list[Box] = []
    for step in plans[-1].steps:
        mine = [leg for leg in own if _id(leg.step) == step.id]
        led = [leg.path for leg in mine if leg.path in planners]
        inside = _plan(entries, led[-1], legs) if led and step.for_each is None else None
        boxes.append(_step(step, mine, sizes.get(step.id), inside))
    ends = [event for event in events if isinstance(event, Ended)]
    boxes.append(_output(ends[-1] if ends else None))
    known = {box.key for box in boxes}
    edges = [edge for step in plans[-1].steps for edge in _edges(step)]
    edges += [Edge(source=_key(ref.source), target=OUTPUT, label=ref.at) for ref in _refs(plans[-1].output)]
    return Drawing(
        title=f"Plan of {path or 'the run'}",
        boxes=tuple(boxes),
        edges=tuple(_distinct(edge for edge in edges if {edge.source, edge.target} <= known)),
    )


def _step(step: Step, legs: Sequence[Leg], size: int | None, inside: Drawing | None) -> Box:
    latest = {_instance(leg.step): leg for leg in sorted(legs, key=_begun) if leg.attempt}
    skipped = any(leg.status == "skipped" and not leg.attempt for leg in legs) and not latest
    names = [f"{step.id}[{i}]" for i in range(size)] if size is not None else sorted(latest, key=natural)
    statuses: dict[str, Status] = {name: _status(latest[name]) if name in latest else "planned" for name in names}
    status: Status = "skipped" if skipped else "done" if size == 0 else _over_all(statuses, latest)
    worker = next((leg.worker for leg in reversed(list(latest.values())) if leg.worker), step.worker)
    attempts = max((leg.attempt for leg in legs), default=0)
    usage = sum((leg.usage for leg in legs), NOTHING_USED)
    notes = [status, *([f"{attempts} attempts"] if attempts > 1 else []), *([_cost(usage)] if usage.calls else [])]
    seconds = [leg.seconds for leg in latest.values() if leg.seconds is not None]
    if seconds and status in ("done", "failed"):
        notes.append(f"{max(seconds):.1f} s")
    cells = tuple(Cell(name=name, status=statuses[name]) for name in names) if step.for_each is not None else ()
    return Box(
        key=_key(step.id),
        title=step.id,
        subtitle=worker if worker == step.worker else f"{worker} (instead of {step.worker})",
        notes=(" \N{MIDDLE DOT} ".join(notes),),
        status=status,
        cells=cells,
        inside=inside,
    )


def _status(leg: Leg) -> Status:
    if leg.reaction in ("retry", "fallback", "repeat"):
        return "running"
    match leg.status:
        case "refused" | "cancelled":
            return "failed"
        case known:
            return known


def _over_all(statuses: Mapping[str, Status], latest: Mapping[str, Leg]) -> Status:
    """The status of a step from those of its instances; one that was dropped for a quorum does not count."""
    reactions = {leg.reaction for leg in latest.values()}
    if reactions & {"fail", "replan"}:
        return "failed"
    if "skip" in reactions:
        return "skipped"
    counted = {status for name, status in statuses.items() if name not in latest or latest[name].reaction != "drop"}
    for status in ("waiting", "running", "failed"):
        if status in counted:
            return status
    if "planned" in counted or not statuses:
        return "running" if "done" in counted else "planned"
    return "skipped" if counted == {"skipped"} else "done"


def _output(ended: Ended | None) -> Box:
    if ended is None:
        return Box(key=OUTPUT, title="output", status="planned", pill=True)
    verdict = ended.verdict.type if ended.verdict is not None else ""
    status: Status = "done" if ended.report.type == "done" else "failed"
    return Box(key=OUTPUT, title="output", subtitle=verdict, status=status, pill=True)


def _edges(step: Step) -> Iterator[Edge]:
    target = _key(step.id)
    for ref in _refs(step.input):
        yield Edge(source=_key(ref.source), target=target, label=ref.at)
    if step.for_each is not None:
        yield Edge(source=_key(step.for_each.source), target=target, label=f"each of {step.for_each.at or '/'}")
    if step.when is not None:
        yield Edge(
            source=_key(step.when.ref.source), target=target, kind="condition",
            label=f"when {step.when.ref.at or '/'} {step.when.op} {step.when.value!r}",
        )  # fmt: skip
    for source in step.after:
        yield Edge(source=_key(source), target=target, kind="order")


def _refs(template: Json) -> list[Ref]:
    return [ref for _, ref in refs_in(template)]


def _distinct(edges: Iterable[Edge]) -> Iterator[Edge]:
    """One edge per pair, its labels joined, of the kind that says most: data, then condition, then order."""
    kept: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        kept.setdefault((edge.source, edge.target), []).append(edge)
    for (source, target), same in kept.items():
        labels = dict.fromkeys(edge.label for edge in same if edge.label)
        most = min(same, key=lambda edge: SAYING.index(edge.kind))
        yield Edge(source=source, target=target, kind=most.kind, label=", ".join(labels))


def _key(step_id: str) -> str:
    return f"{step_id}/" if step_id == OUTPUT else step_id


def _id(instance: str) -> str:
    return _instance(instance).partition("[")[0]


def _instance(name: str) -> str:
    return name.partition("@")[0]


def _begun(leg: Leg) -> tuple[float, int]:
    return (leg.started or 0.0, leg.attempt)


def _cost(usage: Usage) -> str:
    """USD with as many digits as the sum needs."""
    return f"${usage.usd:.2f}" if usage.usd >= 1 else f"${usage.usd:.4f}" if usage.usd else f"{usage.tokens} tokens"
