"""A plan written in Python with typed step handles: level 1, no model decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypedDict, cast

from pydantic_core import to_jsonable_python
from typing_extensions import TypeVar, Unpack

from ...protocols.contracts import Card, Context, Worker
from ...protocols.errors import UsageError
from ...protocols.messages import Done, In, Json, Out, Report
from ...protocols.once import once
from ...protocols.plans import PLACES, Brief, Change, Condition, Fail, OnFailure, Plan, Ref, Repeat, Step
from ...protocols.shapes import Shape

T = TypeVar("T", default=Any)
X = TypeVar("X", default=Any)


@dataclass(frozen=True)
class Handle(Generic[T]):
    """Stands for (part of) an output that is not there yet; comparisons make conditions, `[...]` a part of it.

    Example:
        >>> Handle("invoice")["lines"][0]["gross"].gt(100).ref.at
        '/lines/0/gross'
    """

    source: str
    at: str = ""

    def __getitem__(self, key: str | int) -> Handle[Any]:
        """The field or element of that name or index."""
        return Handle(self.source, f"{self.at}/{str(key).replace('~', '~0').replace('/', '~1')}")

    @property
    def ref(self) -> Ref:
        """As a reference."""
        return Ref.model_validate({"$from": self.source, "at": self.at})

    def eq(self, value: Json) -> Condition:
        """Is equal to the value."""
        return self._compare("eq", value)

    def ne(self, value: Json) -> Condition:
        """Differs from the value."""
        return self._compare("ne", value)

    def lt(self, value: Json) -> Condition:
        """Is less than the value."""
        return self._compare("lt", value)

    def le(self, value: Json) -> Condition:
        """Is at most the value."""
        return self._compare("le", value)

    def gt(self, value: Json) -> Condition:
        """Is greater than the value."""
        return self._compare("gt", value)

    def ge(self, value: Json) -> Condition:
        """Is at least the value."""
        return self._compare("ge", value)

    def one_of(self, values: Sequence[Json]) -> Condition:
        """Is one of the values."""
        return self._compare("in", list(values))

    def exists(self) -> Condition:
        """Is there, and not null."""
        return self._compare("exists", None)

    def _compare(self, op: Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "exists"], value: Json) -> Condition:
        return Condition(ref=self.ref, op=op, value=value)


ITEM: Handle[Any] = Handle("item")
"""The element of the list that a step runs over."""
PREVIOUS: Handle[Any] = Handle("previous")
"""The last output of a repeated step; null in its first iteration."""


class Rules(TypedDict, total=False):
    """How a step runs; every rule has the default of `Step`."""

    id: str
    """None given: the worker's name, with a number from the second use on and where the name is reserved."""
    after: Sequence[Handle[Any]]
    when: Condition
    repeat: Repeat
    on_failure: OnFailure
    retries: int
    confidence: float
    review: str


class Workflow(Generic[In, Out]):
    """Builds a plan step by step; it is also the planner that always gives that plan.

    Handles are typed by what workers return, so that a type checker finds a wrong connection where it is written;
    the plan is checked again, schema by schema, before it runs.
    """

    def __init__(self, accepts: type[In], returns: type[Out]) -> None:
        self.task: Handle[In] = Handle("task")
        self._types = (accepts, returns)
        self._steps: dict[str, Step] = {}
        self._output: Json = None

    def step(self, worker: Worker[X, T], given: Handle[X] | X | Mapping[str, Any], **rules: Unpack[Rules]) -> Handle[T]:
        """Add a step; `given` is its whole input: a handle, a value, or a mapping with handles anywhere inside."""
        return Handle(self._add(worker, given, None, rules))

    def each(
        self,
        worker: Worker[X, T],
        over: Handle[Any],
        given: Handle[X] | Mapping[str, Any] = ITEM,
        **rules: Unpack[Rules],
    ) -> Handle[list[T]]:
        """Add a step that runs once per element of a list, all at once; `ITEM` stands for the element."""
        return Handle(self._add(worker, given, over, rules))

    def output(self, value: Handle[Out] | Mapping[str, Any]) -> Workflow[In, Out]:
        """Say what the workflow delivers: a handle, or a mapping with handles anywhere inside."""
        self._unfixed("output")
        self._output = _template(value)
        return self

    def _unfixed(self, what: str) -> None:
        if "compiled" in self.__dict__:
            raise UsageError(f"workflow: its plan has been used and is fixed; no {what} can be added")

    def _add(self, worker: Worker[X, T], given: object, over: Handle[Any] | None, rules: Rules) -> str:
        self._unfixed("step")
        name = worker.card.name
        taken = self._steps.keys() | PLACES.keys()
        step_id = rules.get("id") or (name if name not in taken else f"{name}-{len(self._steps) + 1}")
        if step_id in self._steps:
            raise UsageError(f"workflow: there is already a step {step_id!r}")
        template = given
        if not isinstance(given, Handle | Mapping):
            template = worker.card.accepts.dump(worker.card.accepts.check(given))
        self._steps[step_id] = Step(
            id=step_id,
            worker=name,
            input=_template(template),
            after=tuple(handle.source for handle in rules.get("after", ())),
            when=rules.get("when"),
            for_each=None if over is None else over.ref,
            repeat=rules.get("repeat"),
            on_failure=rules.get("on_failure", Fail()),
            retries=rules.get("retries", 1),
            confidence=rules.get("confidence"),
            review=rules.get("review"),
        )
        return step_id

    @once
    def compiled(self) -> Plan:
        """The plan as data; fixed from its first use on."""
        return Plan(steps=tuple(self._steps.values()), output=self._output, reason="fixed workflow")

    @once
    def definition(self) -> Json:
        """The plan."""
        return self.compiled.model_dump(mode="json", by_alias=True)

    @property
    def replans(self) -> bool:
        """A fixed plan has no second thoughts."""
        return False

    async def plan(self, brief: Brief, team: Sequence[Card], returns: Shape, context: Context) -> Report[Plan | Change]:
        """Always the same plan."""
        return Done(output=self.compiled)


def fixed(plan: Plan) -> Workflow[Any, Any]:
    """A planner that always gives this plan, e.g. one that was read from JSON."""
    workflow: Workflow[Any, Any] = Workflow(object, object)
    workflow.__dict__["compiled"] = plan
    return workflow


def _template(value: object) -> Json:
    """Handles become references, at any depth."""
    match value:
        case Handle():
            return {"$from": value.source, "at": value.at} if value.at else {"$from": value.source}
        case Mapping():
            fields = cast("Mapping[object, object]", value)
            return {str(key): _template(inner) for key, inner in fields.items()}
        case list() | tuple():
            return [_template(inner) for inner in cast("Sequence[object]", value)]
        case _:
            return to_jsonable_python(value)
