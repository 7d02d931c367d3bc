"""The stage of a replay: which worker stands where, and what was recorded of the work that it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...protocols.contracts import Model, Worker
from ...protocols.errors import MissError
from ...protocols.events import Delegated
from ...protocols.messages import Json, JsonReport
from ...protocols.once import once
from ...protocols.prices import FREE, Price
from ...supervisor.runs import definitions, members
from ...supervisor.views.bill import fields
from ...supervisor.views.staff import place_of
from ..scenario import Arm, Scenario
from ..scoring.places import stable
from .difference import difference
from .simplify import Simplify, named
from .tape import Handed, Tape, definition_of


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a piece of work."""

    report: JsonReport | None
    """None: it never ended."""
    seconds: float
    assumed: bool = False
    """Whether it is the report on another piece of work."""
    covers: str = ""
    """The place at and below which recorded effects went into it; "": none did."""
    arm: Arm | None = None
    """The arm that says so; None: a recorded report does."""


@dataclass(frozen=True, slots=True)
class Post:
    """A worker of the team as it is now."""

    worker: Worker
    name: str
    """Path of names."""
    definition: str
    """Digest of it and of all inside it."""
    recorded: str
    """Digest of the member of that name when the run was recorded; "": unknown."""
    model: str
    """First choice; "": unknown, or none."""


class Stage:
    """What a mode may look at when work is handed over."""

    def __init__(self, scenario: Scenario, worker: Worker, models: Sequence[str], simplify: Simplify | None) -> None:
        self.scenario = scenario
        self.tape: Tape = scenario.tape
        self._worker = worker
        self._lent = models
        self.simplify = simplify
        self._names = {"": worker.card.name}

    @once
    def _members(self) -> Mapping[str, Worker]:
        return dict(members(self._worker))

    @once
    def _definitions(self) -> Mapping[str, str]:
        return definitions(self._worker)

    def enter(self, path: str, handoff: Delegated) -> Post | None:
        """Who works at this place; None: somebody who leads others and hands work over in turn."""
        above = self._name(path.rpartition("/")[0])
        name = self._names[path] = f"{above}/{handoff.worker}"
        worker = self._members.get(name)
        if worker is None or worker.card.depth:
            return None
        root, started = self._worker.card.name, self.tape.started
        before = name if started is None else started.worker + name.removeprefix(root)
        return Post(
            worker,
            name,
            definition=definition_of(self._definitions, name),
            recorded=definition_of(self.tape.definitions, before),
            model=next(iter(self._models_at(name)), ""),
        )

    def _name(self, path: str) -> str:
        """Path of names of whoever stands at a place; inside a worker, its parts are named in the path."""
        if path in self._names:
            return self._names[path]
        above, _, last = path.rpartition("/")
        return f"{self._name(above)}/{stable(last)}"

    def _models_at(self, name: str) -> Sequence[str]:
        """The models that a member has or inherits."""
        while name:
            member = self._members.get(name)
            own: Sequence[Model] = getattr(member, "models", ())
            names = [model.name for model in own] or fields(member and member.definition).get("models", ())
            if names:
                return names
            name = name.rpartition("/")[0]
        return self._lent

    def lent(self) -> list[str]:
        """Names of the models that were recorded and that no member brings itself: the run lent them."""
        for place, handed in self.tape.handoffs.items():
            self._names[place] = f"{self._name(handed.handoff.path)}/{handed.handoff.worker}"
        found = {model: None for path, model in self.tape.models.items() if model not in self._own(self._name(path))}
        return list(found)

    def price(self, model: str) -> Price:
        """What a recorded model cost; free where the scenario does not say."""
        prices = self.scenario.header.prices
        return FREE if prices is None else prices.models.get(model, FREE)

    def _own(self, name: str) -> set[str]:
        """Models of the nearest member on this path of names, its planner and reviewer, and of those above it."""
        while name and name not in self._members:
            name = name.rpartition("/")[0]
        own = {model for models in named(self._members[name].definition, "models") for model in models}
        while name := name.rpartition("/")[0]:
            own.update(fields(self._members[name].definition).get("models", ()))
        return own

    def recorded_at(self, path: str) -> Iterator[Handed]:
        """Work that was given at this place, then at other attempts at the same step, in recorded order."""
        here = self.tape.handoffs.get(path)
        if here is not None:
            yield here
        yield from (one for one in self._by_step.get(stable(path), ()) if one is not here)

    @once
    def _by_step(self) -> Mapping[str, list[Handed]]:
        found: dict[str, list[Handed]] = {}
        for place, handed in self.tape.handoffs.items():
            found.setdefault(stable(place), []).append(handed)
        return found

    def is_same_work(self, recorded: Handed, handoff: Delegated) -> bool:
        """Whether the same worker was given the same, with the same findings."""
        before = recorded.handoff
        return (before.worker, before.findings) == (handoff.worker, handoff.findings) and (
            before.digest == handoff.digest or self.simple(before.payload) == self.simple(handoff.payload)
        )

    def is_same_worker(self, recorded: Handed, post: Post) -> bool:
        """Whether the worker that had the work is defined as it is now, as far as that is known."""
        known = self.tape.definition_at(place_of(recorded.handoff))
        return known in ("", post.definition) and self.is_same_model(recorded, post)

    def is_same_model(self, recorded: Handed, post: Post) -> bool:
        """Whether the work was done on the model that the worker would ask now, as far as both are known."""
        known = self.tape.model_at(place_of(recorded.handoff))
        return not known or not post.model or known == post.model

    def simple(self, value: Json) -> Json:
        """The value without what is not to be compared."""
        return value if self.simplify is None else self.simplify(value)

    def as_recorded(self, recorded: Handed) -> Told:
        """The recorded report on a piece of work."""
        return Told(recorded.report, recorded.seconds, covers=place_of(recorded.handoff))

    def miss(self, path: str, handoff: Delegated) -> MissError:
        """Nothing recorded may stand for this handoff; says what is nearest."""
        nearest = next(self.recorded_at(path), None)
        if nearest is None:
            what = f"no handoff to step {handoff.step!r} was recorded, found one to {handoff.worker!r}"
            return MissError(path, "handoff", handoff.attempt, what)
        first = difference(self._compared(nearest.handoff), self._compared(handoff))
        how = "" if first is None else f"; {first.told}"
        return MissError(path, "handoff", handoff.attempt, f"the recorded handoff is another one{how}")

    def _compared(self, handoff: Delegated) -> Json:
        return {
            "worker": handoff.worker,
            "payload": self.simple(handoff.payload),
            "findings": list(handoff.findings),
        }
