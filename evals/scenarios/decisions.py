"""The decisions of a run: who was given each piece of work, out of whom, how likely that was, and on what grounds.

1. Every handoff is a decision; one that is taken up again, after a wait or a crash, is the same decision.
2. A supervisor that delivers without a handoff has decided for "self"; one that fails without one, for "none".
3. A first attempt is as likely as its plan. A plan of rules is certain (1); where a router drew, its journal says how
   likely the draw was; how likely a model is to write a plan, nobody knows (None).
4. A later attempt under the same plan follows from what came before by fixed rules: it is certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic_core import to_json

from ...protocols.conversation import digest_of
from ...protocols.events import (
    Delegated,
    EffectFinished,
    EffectStarted,
    Ended,
    Event,
    Migrated,
    Planned,
    RunStarted,
)
from ...protocols.messages import Done, Json
from ...protocols.plans import Step
from ...supervisor.views.bill import fields
from ...supervisor.views.staff import Post, place_of, post_at
from ..metrics.routing import NONE, SELF
from ..scoring.places import stable
from .plain import is_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One choice of who does a piece of work."""

    id: str
    """The place where the work is done, `/search#1`; of "self" and "none" the supervisor's own with a `/` behind it."""
    path: str
    """The supervisor's place."""
    step: str
    """Path of the step without attempts; of "self" and "none" the supervisor's own, "" at the root."""
    attempt: int
    """From 1."""
    seq: int
    """Of the event, from 1."""
    candidates: tuple[str, ...]
    """The chosen one among all who could have: for a handoff the members of the same types, for "self" and "none" the
    whole team; in team order, sorted where the team is unknown."""
    chosen: str
    """A worker's name, "self" or "none"."""
    propensity: float | None
    """How likely this choice was, in (0, 1]; None: unknown."""
    policy: str
    """Digest of the definition of the supervisor that decided; "": unknown."""
    context: str
    """Digest of what was decided on: the last request to the model that planned, else the supervisor's task."""
    payload: str
    """Digest of what was handed over, as in `Delegated.digest`; of "self" and "none" that of the supervisor's task."""
    reason: str
    rejected: tuple[str, ...] = ()
    """Candidates and why they were not chosen."""


def decisions(events: Iterable[Event]) -> Iterator[Decision]:
    """The decisions of a whole run, in the order in which they were made.

    Example:
        >>> given = Delegated(step="a", worker="w", attempt=1, payload=1, digest="d", reason="", rejected=("v: no",))
        >>> [(one.id, one.chosen, one.candidates) for one in decisions([given])]
        [('/a#1', 'w', ('v', 'w'))]
    """
    walk = _Walk()
    for seq, event in enumerate(events, 1):
        decision = walk.take(seq, event)
        if decision is not None:
            yield decision


@dataclass(slots=True)
class _Desk:
    """What is known of one supervisor."""

    task: str
    """Digest of its task."""
    steps: Mapping[str, tuple[Step, int]] = field(default_factory=dict[str, tuple[Step, int]])
    """Each step of its plan, and the number of the proposal that wrote it so."""
    tried: dict[str, str] = field(default_factory=dict[str, str])
    """By instance of a step, where the plan of its last attempt was made; empty: nobody was given anything."""


class _Walk:
    """What has been seen so far."""

    def __init__(self) -> None:
        self._posts = {"": Post(who="")}
        self._desks: dict[str, _Desk] = {}
        self._definitions: Mapping[str, str] = {}
        self._root = ""
        self._asked: dict[str, str] = {}
        """Digest of the last request to a model, by the place of the planner that asked."""
        self._drawn: dict[str, dict[str, Json]] = {}
        """What a router drew, by its place."""
        self._seen: set[str] = set()

    def take(self, seq: int, event: Event) -> Decision | None:
        """Go on by one event; the decision that it is, if it is one."""
        match event:
            case RunStarted():
                self._root, self._definitions = event.worker, event.definitions
                self._desks[""] = _Desk(digest_of(to_json(event.task), to_json(())))  # as if it had been handed over
            case Migrated():
                self._definitions = event.definitions
            case EffectStarted(kind="model"):
                self._asked[event.path] = event.digest
            case EffectStarted(kind="route"):
                self._drawn[event.path] = {**fields(event.request)}
            case EffectFinished(kind="route"):
                self._drawn.setdefault(event.path, {}).update(fields(event.result))
            case Planned():
                self._planned(event)
            case Delegated():
                return self._delegated(seq, event)
            case Ended():
                return self._ended(seq, event)
            case _:
                pass
        return None

    def _desk(self, path: str) -> _Desk:
        return self._desks.setdefault(path, _Desk(""))

    def _planned(self, event: Planned) -> None:
        """A step that a later plan holds unchanged is still the choice of the plan that wrote it."""
        desk = self._desk(event.path)
        before = desk.steps
        desk.steps = {
            step.id: before[step.id] if step.id in before and before[step.id][0] == step else (step, event.n)
            for step in event.plan.steps
        }

    def _delegated(self, seq: int, event: Delegated) -> Decision | None:
        place, desk = place_of(event), self._desk(event.path)
        self._desks.setdefault(place, _Desk(event.digest))
        who = post_at(self._posts, event.path).who
        self._posts[place] = Post(who=f"{who}/{event.worker}" if who else event.worker)
        if place in self._seen:
            return None
        self._seen.add(place)
        planner = self._planner(event, desk)
        ruled = desk.tried.get(event.step) == planner  # the plan was followed before: this attempt follows by rule
        desk.tried[event.step] = planner
        drawn = {} if ruled else self._drawn.get(planner, {})
        return Decision(
            id=place,
            path=event.path,
            step=stable(f"{event.path}/{event.step}"),
            attempt=event.attempt,
            seq=seq,
            candidates=self._in_order(event.path, [event.worker, *_rivals(event, drawn)]),
            chosen=event.worker,
            propensity=1.0 if ruled else self._propensity(planner, drawn),
            policy=self._policy(event.path),
            context=self._asked.get(planner, desk.task),
            payload=event.digest,
            reason=event.reason,
            rejected=event.rejected,
        )

    def _planner(self, event: Delegated, desk: _Desk) -> str:
        """Where the plan was made that names this worker; "": unknown."""
        known = desk.steps.get(event.step.partition("[")[0].partition("@")[0])
        return f"{event.path}/plan#{known[1]}" if known is not None else ""

    def _propensity(self, planner: str, drawn: Mapping[str, Json]) -> float | None:
        """Of a plan's own choice."""
        if drawn:
            likely = drawn.get("propensity")
            return float(likely) if isinstance(likely, int | float) and 0 < likely <= 1 else None
        return None if not planner or planner in self._asked else 1.0

    def _ended(self, seq: int, event: Ended) -> Decision | None:
        desk = self._desk(event.path)
        if desk.tried:
            return None
        asked = [place for place in self._asked if place.startswith(f"{event.path}/plan#")]
        return Decision(
            id=f"{event.path}/",
            path=event.path,
            step=stable(event.path),
            attempt=1,
            seq=seq,
            candidates=(*self._team(event.path), SELF, NONE),
            chosen=SELF if isinstance(event.report, Done) else NONE,
            propensity=None if asked else 1.0,
            policy=self._policy(event.path),
            context=self._asked[asked[-1]] if asked else desk.task,
            payload=desk.task,
            reason=event.reason,
        )

    def _name(self, path: str) -> str:
        """Path of names of the supervisor at this place."""
        who = post_at(self._posts, path).who
        return f"{self._root}/{who}" if who else self._root

    def _policy(self, path: str) -> str:
        return self._definitions.get(self._name(path), "")

    def _team(self, path: str) -> list[str]:
        above = f"{self._name(path)}/"
        below = (name.removeprefix(above) for name in self._definitions if name.startswith(above))
        return [name for name in below if "/" not in name]

    def _in_order(self, path: str, names: Iterable[str]) -> tuple[str, ...]:
        team, wanted = self._team(path), set(names)
        return (*(name for name in team if name in wanted), *sorted(wanted.difference(team)))


def _rivals(event: Delegated, drawn: Mapping[str, Json]) -> list[str]:
    """Among whom a router drew, else those whose types would have fitted too."""
    names: Json = drawn.get("candidates")
    alike = [name for name in names if isinstance(name, str)] if is_list(names) else []
    return alike or [one.partition(":")[0] for one in event.rejected]
