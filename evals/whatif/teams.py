"""A team with changes made to it: built anew where it differs, shared where it does not; the original is not touched.

Workers are dataclasses that hold other workers in sequences; nothing more is known of them here, so that teams of any
kind can be changed: a supervisor's team, a cascade's tiers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, cast

from ...protocols.contracts import Card, Context, Model, Worker
from ...protocols.errors import UsageError
from ...protocols.messages import Handoff, Json, Report
from ...protocols.prices import FREE
from ...supervisor.runs import members
from ..replay.replay import StandIn
from .changes import (
    Change,
    InstructionsChange,
    ModelChange,
    PartChange,
    TeamChange,
    drops_of,
    pins_of,
)
from .planning import Pinned

Load = Callable[[str], object]
"""Loads what `module:attr` names."""

Make = Callable[[str, Worker], Worker]
"""A worker by its path of names, changed or as it is."""

DUTY: Final[Mapping[str, str]] = {"planner": "plan", "policy": "rule", "reviewer": "review"}
"""What each part of a supervisor can do."""


def changed(worker: Worker, changes: Sequence[Change], load: Load) -> Worker:
    """The worker with the changes made, in order; prices change nobody.

    Args:
        worker: a team, which stays as it is.
        changes: in the order in which they are made.
        load: finds what changes name as `module:attr`.

    Raises:
        UsageError: a change is about a member that is not there or has no such part, or names something that cannot
            be loaded or is of another kind.
    """
    for change in changes:
        match change:
            case TeamChange():
                worker = _team(load(change.team), change.team)
            case InstructionsChange():
                worker = _with(worker, change.agent, "instructions", change.text)
            case ModelChange():
                worker = _on_model(worker, change)
            case PartChange():
                worker = _with_part(worker, change, load)
            case _:
                pass
    return _pinned(worker, pins_of(changes), drops_of(changes))


def _team(found: object, spec: str) -> Worker:
    if isinstance(found, type) or not isinstance(getattr(found, "card", None), Card):
        raise UsageError(f"team={spec}: expected a worker, found {type(found).__name__}")
    return cast("Worker", found)


def place_in(worker: Worker, name: str) -> str:
    """Path of names of the one member that a name, or the end of a path of names, means.

    Raises:
        UsageError: there is none, or several; says which there are.
    """
    paths = [path for path, _ in members(worker)]
    meant = [path for path in paths if path == name or path.endswith(f"/{name}")]
    if not meant:
        raise UsageError(f"there is no member {name!r} in team {paths[0]!r}; there are {', '.join(paths)}")
    if len(meant) > 1:
        raise UsageError(f"several members are named {name!r}: say which one of {', '.join(meant)}")
    return meant[0]


def remodelled(worker: Worker, changes: Sequence[Change]) -> frozenset[str]:
    """Members, by path of names, whose model is changed and whose instructions are not."""
    on_others = {place_in(worker, change.agent) for change in changes if isinstance(change, ModelChange)}
    retold = {place_in(worker, change.agent) for change in changes if isinstance(change, InstructionsChange)}
    return frozenset(on_others - retold)


def _with(worker: Worker, name: str, part: str, value: object) -> Worker:
    """The team in which one field of one member is another."""
    place = place_in(worker, name)

    def change(path: str, member: Worker) -> Worker:
        if path != place:
            return member
        if not _has(member, part):
            having = [one for one, other in members(worker) if _has(other, part)]
            raise UsageError(f"{path!r} has no {part}; {', '.join(having) or 'nobody in this team'} has")
        return cast("Worker", replace(cast("Any", member), **{part: value}))

    return rebuilt(worker, change)


def _has(member: Worker, part: str) -> bool:
    return is_dataclass(member) and any(one.name == part and one.init for one in fields(member))


def _on_model(worker: Worker, change: ModelChange) -> Worker:
    """An agent that has models of its own gets another; to one that inherits them, another is lent."""
    models = (StandIn(change.model, FREE),)
    place = place_in(worker, change.agent)
    member = dict(members(worker))[place]
    if _has(member, "models") and not member.card.depth and not getattr(member, "models", ()):
        return rebuilt(worker, lambda path, one: Lent(one, models) if path == place else one)
    return _with(worker, change.agent, "models", models)


@dataclass(frozen=True)
class Lent:
    """A worker to which models are lent, as a run lends them: they are no part of its definition."""

    worker: Worker
    models: Sequence[Model]

    @property
    def card(self) -> Card:
        """The worker's."""
        return self.worker.card

    @property
    def definition(self) -> Json:
        """The worker's."""
        return self.worker.definition

    @property
    def parts(self) -> Sequence[Worker]:
        """The worker's."""
        return self.worker.parts

    async def work(self, handoff: Handoff, context: Context) -> Report:
        """The worker's work, over these models."""
        return await self.worker.work(handoff, context.within("", models=self.models))


def _with_part(worker: Worker, change: PartChange, load: Load) -> Worker:
    """A supervisor with another planner, policy or reviewer."""
    part: Any = None
    if change.part is not None:
        part, duty = load(change.part), DUTY[change.kind]
        if isinstance(part, type) or not callable(getattr(part, duty, None)):
            found = type(part).__name__
            raise UsageError(f"{change.kind}={change.part}: expected something that can {duty}, found {found}")
    return _with(worker, change.of or worker.card.name, change.kind, part)


def _pinned(worker: Worker, pins: Mapping[str, str], drops: frozenset[str]) -> Worker:
    """The team in which every planner's plans have these workers at these steps, and not those steps."""
    if not pins and not drops:
        return worker
    for step, name in pins.items():
        known = list(dict.fromkeys(part.card.name for part in _led(worker)))
        if name not in known:
            raise UsageError(
                f"route:{step.removeprefix('/')}: there is no worker {name!r}; there are {', '.join(known)}"
            )

    def change(_: str, member: Worker) -> Worker:
        planner = getattr(member, "planner", None)
        if planner is None or not _has(member, "planner"):
            return member
        return cast("Worker", replace(cast("Any", member), planner=Pinned(planner, pins=pins, drops=drops)))

    return rebuilt(worker, change)


def _led(worker: Worker) -> Iterator[Worker]:
    """Everybody who stands in somebody's team."""
    yield from (part for _, member in members(worker) for part in member.parts)


def rebuilt(worker: Worker, change: Make, above: str = "") -> Worker:
    """The worker with each member changed, those inside first; whoever holds nobody who changed is the same object.

    Raises:
        UsageError: a worker that holds others cannot be built anew.
    """
    path = f"{above}/{worker.card.name}" if above else worker.card.name
    parts = [(part, rebuilt(part, change, path)) for part in worker.parts]
    new = {id(old): part for old, part in parts if part is not old}
    return change(path, _holding(worker, new) if new else worker)


def _holding(worker: Worker, new: Mapping[int, Worker]) -> Worker:
    """The worker with others in the place of some whom it holds."""
    name = worker.card.name
    if not is_dataclass(worker):
        raise UsageError(f"{name!r} holds other workers and is no dataclass: a change inside it cannot be tried")
    held: dict[str, Any] = {}
    for one in fields(worker):
        value: object = getattr(worker, one.name)
        if one.init and isinstance(value, Sequence) and not isinstance(value, str):
            items = cast("Sequence[Any]", value)
            if any(id(item) in new for item in items):
                held[one.name] = tuple(new.get(id(item), item) for item in items)
    built = cast("Worker", replace(cast("Any", worker), **held))
    if {id(part) for part in new.values()} - {id(part) for part in built.parts}:
        raise UsageError(f"{name!r} does not hold its workers in sequences: a change inside it cannot be tried")
    return built
