"""Who stood where: the places of a run and whose they are, read off its events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ...protocols.events import Delegated, Event, PlanRequested, ReviewRequested, RunStarted

Role = Literal["worker", "planner", "reviewer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A place and who stood there."""

    who: str
    """Names of the workers on the way down, joined by `/`, without the run's own; of the root, the run's worker."""
    role: Role = "worker"
    again: bool = False
    """Whether this is work done once more: an attempt after the first, or a plan asked for after a refusal."""


def posts(events: Iterable[Event]) -> dict[str, Post]:
    """Each place that somebody was sent to, by its path; "" is the run's own worker."""
    found = {"": Post(who="")}
    for event in events:
        match event:
            case RunStarted():
                found[""] = Post(who=event.worker)
            case Delegated():
                again = event.attempt > 1
                found[place_of(event)] = _below(found, event.path, event.worker, "worker", again=again)
            case PlanRequested():
                found[place_of(event)] = _below(found, event.path, "planner", "planner", again=bool(event.faults))
            case ReviewRequested():
                found[place_of(event)] = _below(found, event.path, event.by or "reviewer", "reviewer", again=False)
            case _:
                pass
    return found


def place_of(event: Delegated | PlanRequested | ReviewRequested) -> str:
    """The place where the work that this event asks for is done.

    Example:
        >>> place_of(ReviewRequested(path="/team#1", round=0))
        '/team#1/review#1'
    """
    match event:
        case Delegated():
            return f"{event.path}/{event.step}#{event.attempt}"
        case PlanRequested():
            return f"{event.path}/plan#{event.n}"
        case ReviewRequested():
            return f"{event.path}/{'escalation' if event.by else 'review'}#{event.round + 1}"


def post_at(found: Mapping[str, Post], path: str) -> Post:
    """The post at this place, or the nearest above it.

    Example:
        >>> post_at({"": Post(who="desk"), "/read#1": Post(who="reader")}, "/read#1/tier#2").who
        'reader'
    """
    while path not in found and path:
        path = path.rpartition("/")[0]
    return found.get(path, Post(who=""))


def _below(found: Mapping[str, Post], path: str, name: str, role: Role, *, again: bool) -> Post:
    above = post_at(found, path)
    who = f"{above.who}/{name}" if path else name
    return Post(who=who, role=role, again=again or above.again)


_NUMBER = re.compile(r"(\d+)")


def natural(path: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which numbers in a path count as numbers.

    Example:
        >>> sorted(["/lines[10]#1", "/lines[2]#1", "/lines"], key=natural)
        ['/lines', '/lines[2]#1', '/lines[10]#1']
    """
    parts = [part for part in _NUMBER.split(path) if part]
    return tuple((0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts)
