"""A small team, its types, and short ways to write plans for it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field

from echelon.protocols.contracts import Card
from echelon.protocols.plans import Fault, Plan
from echelon.protocols.shapes import Shape
from echelon.supervisor.plans.check import Limits, check


class Circle(BaseModel):
    """One shape."""

    kind: Literal["circle"] = "circle"
    radius: int


class Square(BaseModel):
    """Another."""

    kind: Literal["square"] = "square"
    side: int
    inner: Shapes | None = None


class Shapes(BaseModel):
    """Shapes of both kinds."""

    of: list[Annotated[Circle | Square, Field(discriminator="kind")]]


Square.model_rebuild()


class Task(BaseModel):
    """What the team is asked."""

    text: str
    note: str | None = None
    due: Due | None = None


class Due(BaseModel):
    """A record that the task may lack."""

    day: str


class Text(BaseModel):
    """Some text."""

    text: str


class Counted(BaseModel):
    """What was counted."""

    n: int
    words: list[str] = Field(default_factory=list)


class Joining(BaseModel):
    """What is to be joined."""

    n: Annotated[int, Field(ge=0)]
    words: list[str]
    mode: Literal["fast", "safe"] = "safe"


class Polish(BaseModel):
    """A text, and what became of it last time."""

    text: str
    before: Text | None = None


class Paired(BaseModel):
    """A list of fixed length."""

    pair: tuple[int, str]


class Coded(BaseModel):
    """Text of a certain form."""

    code: Annotated[str, Field(pattern="^[A-Z]+$")]


class Form(BaseModel):
    """Containers of fixed form, and one that is free."""

    pair: tuple[int, str]
    by: dict[Literal["x", "y"], int]
    free: dict[str, Any] = {}


class Done(BaseModel):
    """What the team returns."""

    text: str
    counts: list[int]
    paid: Decimal | None = None


class Price(BaseModel):
    """Money."""

    usd: Decimal


def card(name: str, accepts: Any, returns: Any, **more: Any) -> Card:
    return Card(name=name, description="", accepts=Shape(accepts), returns=Shape(returns), **more)


CARDS = [
    card("count", Text, Counted, usd=0.01),
    card("join", Joining, Text),
    card("polish", Polish, Text),
    card("echo", Any, Any),
    card("send", Text, Text, writes=True),
    card("deep", Text, Text, depth=9),
    card("public", Text, Text, clearance=frozenset({"open"})),
    card("private", Text, Text, labels=frozenset({"private"})),
    card("price", Text, Price),
    card("pay", Price, Price),
    card("other", Text, Counted),
    card("pairs", Text, Paired),
]
ANYTHING: Shape = Shape(cast("Any", Any))
TEAM = {each.name: each for each in CARDS}


def ref(source: str, pointer: str = "") -> dict[str, str]:
    return {"$from": source, "at": pointer}


TEXT = {"text": ref("task", "/text")}


def step(name: str, worker: str, given: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "worker": worker, "input": given, **more}


def plan_of(steps: Sequence[dict[str, Any]], output: Any = None) -> Plan:
    """A plan; without an output of its own, one that uses every step."""
    used = [ref(each["id"]) for each in steps] if output is None else output
    return Plan.model_validate({"steps": steps, "output": used})


def faults_of(*steps: dict[str, Any], output: Any = None, returns: Any = Any, **limits: Any) -> tuple[Fault, ...]:
    return check(plan_of(steps, output), TEAM, Shape(Task), Shape(returns), Limits(**limits))


def said(*steps: dict[str, Any], **more: Any) -> list[str]:
    """Faults in one line each."""
    return [f"{each.kind} {each.step}{each.field}: {each.message}" for each in faults_of(*steps, **more)]
