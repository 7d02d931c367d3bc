"""Changes: the closed set of what can be asked about, as values, on a command line, and as JSON.

    team=MODULE:ATTR                        another team altogether
    instructions:AGENT=TEXT or @FILE        other instructions of one agent
    model:AGENT=NAME                        another model of one agent; known from arms, never asked
    route:STEP=WORKER                       this worker does the step, whoever would have been chosen
    drop:STEP                               the step is skipped, and what needs its output sees null
    planner[:SUPERVISOR]=MODULE:ATTR        another planner, a router say
    policy[:SUPERVISOR]=MODULE:ATTR         other rules over handoffs
    reviewer[:SUPERVISOR]=MODULE:ATTR|none  another reviewer, or none
    price:MODEL=INPUT,OUTPUT[,CACHE_READ[,CACHE_WRITE]]   other prices, in USD per million tokens

A supervisor that is not named is the root; a member is named by its name or, where several have it, by the end of its
path of names; a step by its id or, inside a team, its path of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from ...protocols.errors import ShapeError, UsageError
from ...protocols.messages import Json, Message
from ...protocols.prices import Rates
from ...protocols.shapes import faults_of

MAX_TEXT: Final = 1_000_000
"""Bytes of instructions in a file."""

Name = Annotated[str, Field(min_length=1, max_length=1_000)]
Spec = Annotated[str, Field(pattern=r"^[^:]+:[A-Za-z_][\w.]*$", max_length=1_000)]
"""`module:attr` or `path/file.py:attr`."""
StepPath = Annotated[str, Field(pattern=r"^(/[A-Za-z][A-Za-z0-9_-]*)+$", max_length=1_000)]
"""Path of the step without attempts."""


class TeamChange(Message):
    """Another team altogether."""

    kind: Literal["team"] = "team"
    team: Spec


class InstructionsChange(Message):
    """Other instructions of one agent."""

    kind: Literal["instructions"] = "instructions"
    agent: Name
    text: str


class ModelChange(Message):
    """Another model of one agent."""

    kind: Literal["model"] = "model"
    agent: Name
    model: Name


class RouteChange(Message):
    """One worker does a step, whoever would have been chosen."""

    kind: Literal["route"] = "route"
    step: StepPath
    worker: Name


class DropChange(Message):
    """A step is skipped."""

    kind: Literal["drop"] = "drop"
    step: StepPath


class PartChange(Message):
    """Another planner, policy or reviewer of one supervisor."""

    kind: Literal["planner", "policy", "reviewer"]
    of: str = ""
    """The supervisor; "": the root."""
    part: Spec | None
    """None: no reviewer."""

    @model_validator(mode="after")
    def _only_a_reviewer_can_be_missed(self) -> Self:
        if self.part is None and self.kind != "reviewer":
            raise ValueError(f"a supervisor needs a {self.kind}")
        return self


class PriceChange(Message):
    """Other prices of one model."""

    kind: Literal["price"] = "price"
    model: Name
    rates: Rates


Change: TypeAlias = Annotated[
    TeamChange | InstructionsChange | ModelChange | RouteChange | DropChange | PartChange | PriceChange,
    Field(discriminator="kind"),
]

CHANGES: TypeAdapter[tuple[Change, ...]] = TypeAdapter(tuple[Change, ...])


def change_of(value: Json) -> tuple[Change, ...]:
    """Changes from JSON: a list, in the order in which they are made.

    Raises:
        ShapeError: it is none.

    Example:
        >>> change_of([{"kind": "route", "step": "/search", "worker": "finder"}])
        (RouteChange(kind='route', step='/search', worker='finder'),)
    """
    try:
        return CHANGES.validate_python(value)
    except ValidationError as error:
        raise ShapeError("a list of changes", faults_of(error)) from None


def as_json(changes: Sequence[Change]) -> Json:
    """Changes as JSON; `change_of` reads it."""
    return CHANGES.dump_python(tuple(changes), mode="json")


def parsed(text: str) -> Change:
    """A change as a command line says it; the instructions of an `@FILE` are read now.

    Raises:
        UsageError: there is no such change, it is not said completely, or its file cannot be read.

    Example:
        >>> parsed("price:small-1=0.15,0.6").rates.output
        0.6
    """
    said, equals, value = text.partition("=")
    kind, _, subject = said.partition(":")
    make = FORMS.get(kind)
    if make is None:
        raise UsageError(f"there is no change {kind!r}: expected one of {', '.join(FORMS)}, as in {USAGE[0]}")
    try:
        return make(kind, subject.strip(), value.strip() if equals else "")
    except ValueError:  # of pydantic too
        form = next(one for one in USAGE if one.startswith(kind))
        raise UsageError(f"a change: expected {form}, found {text[:200]!r}") from None


def _team(_: str, subject: str, value: str) -> Change:
    if subject:
        raise ValueError(subject)
    return TeamChange(team=value)


def _instructions(_: str, subject: str, value: str) -> Change:
    return InstructionsChange(agent=subject, text=_read(value[1:]) if value.startswith("@") else value)


def _read(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            content = file.read(MAX_TEXT + 1)
    except OSError as error:
        raise UsageError(f"instructions: {name!r} cannot be read: {error.strerror}") from error
    if len(content) > MAX_TEXT:
        raise UsageError(f"instructions: {name!r} has more than {MAX_TEXT:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"instructions: {name!r} is no text in UTF-8") from None


def _model(_: str, subject: str, value: str) -> Change:
    return ModelChange(agent=subject, model=value)


def _route(_: str, subject: str, value: str) -> Change:
    return RouteChange(step=_step(subject), worker=value)


def _drop(_: str, subject: str, value: str) -> Change:
    if value:
        raise ValueError(value)
    return DropChange(step=_step(subject))


def _step(name: str) -> str:
    return name if name.startswith("/") else f"/{name}"


def _part(kind: str, subject: str, value: str) -> Change:
    none = kind == "reviewer" and value == "none"
    return PartChange.model_validate({"kind": kind, "of": subject, "part": None if none else value})


def _price(_: str, subject: str, value: str) -> Change:
    numbers = [float(number) for number in value.split(",")]
    names = ("input", "output", "cache_read", "cache_write")
    if len(numbers) not in (2, 3, 4):
        raise ValueError(value)
    return PriceChange(model=subject, rates=Rates.model_validate(dict(zip(names, numbers, strict=False))))


FORMS: Final[dict[str, Callable[[str, str, str], Change]]] = {
    "team": _team,
    "instructions": _instructions,
    "model": _model,
    "route": _route,
    "drop": _drop,
    "planner": _part,
    "policy": _part,
    "reviewer": _part,
    "price": _price,
}
USAGE: Final = (
    "team=MODULE:ATTR",
    "instructions:AGENT=TEXT|@FILE",
    "model:AGENT=NAME",
    "route:STEP=WORKER",
    "drop:STEP",
    "planner[:SUPERVISOR]=MODULE:ATTR",
    "policy[:SUPERVISOR]=MODULE:ATTR",
    "reviewer[:SUPERVISOR]=MODULE:ATTR|none",
    "price:MODEL=INPUT,OUTPUT[,CACHE_READ[,CACHE_WRITE]]",
)


def told(change: Change) -> str:
    """A change in the words of the command line; long instructions are cut.

    Example:
        >>> told(parsed("reviewer=none")), told(parsed("price:small-1=0.15,0.6"))
        ('reviewer=none', 'price:small-1=0.15,0.6')
    """
    match change:
        case TeamChange():
            return f"team={change.team}"
        case InstructionsChange():
            text = " ".join(change.text.split())
            return f"instructions:{change.agent}={text if len(text) <= 60 else text[:57] + '...'}"
        case ModelChange():
            return f"model:{change.agent}={change.model}"
        case RouteChange():
            return f"route:{change.step.removeprefix('/')}={change.worker}"
        case DropChange():
            return f"drop:{change.step.removeprefix('/')}"
        case PartChange():
            of = f":{change.of}" if change.of else ""
            return f"{change.kind}{of}={change.part or 'none'}"
        case PriceChange():
            rates = change.rates
            numbers = (rates.input, rates.output, rates.cache_read, rates.cache_write)
            return f"price:{change.model}=" + ",".join(f"{one:g}" for one in numbers if one is not None)


def prices_of(changes: Sequence[Change]) -> dict[str, Rates]:
    """The prices that are asked about, by model; of two for one model the later holds."""
    return {change.model: change.rates for change in changes if isinstance(change, PriceChange)}


def pins_of(changes: Sequence[Change]) -> dict[str, str]:
    """Who does a step, by its path; of two for one step the later holds."""
    return {change.step: change.worker for change in changes if isinstance(change, RouteChange)}


def drops_of(changes: Sequence[Change]) -> frozenset[str]:
    """Steps that are skipped, by path."""
    return frozenset(change.step for change in changes if isinstance(change, DropChange))


def is_about_money_only(changes: Sequence[Change]) -> bool:
    """Whether nobody's work is another: what was recorded is priced again, and nothing need be replayed."""
    return all(isinstance(change, PriceChange) for change in changes)
