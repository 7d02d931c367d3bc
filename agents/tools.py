"""Tools: typed Python functions that a model may call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, Protocol, cast, get_type_hints

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import to_json, to_jsonable_python

from ..protocols.contracts import Effect, OnUnknown, Performed
from ..protocols.conversation import ToolCard, digest_of
from ..protocols.errors import EffectError, UsageError
from ..protocols.messages import NOTHING_USED, Failure, Json, Usage
from ..protocols.once import once
from ..protocols.shapes import Shape

MOST_RESULT_BYTES = 200_000
"""A longer result is cut before a model sees it, and says so."""


@dataclass(frozen=True, slots=True)
class Key:
    """A parameter of this type is not shown to the model; it receives the call's idempotency key.

    The same key comes with every attempt at the same call, so that the other side can tell a repeat from a second.
    """

    value: str


class ModelTool(Protocol):
    """What a model may call: a `Tool`, or a tool of a server."""

    @property
    def name(self) -> str:
        """What the model calls it by."""
        ...

    @property
    def effect(self) -> bool:
        """Whether it changes the world."""
        ...

    @property
    def labels(self) -> frozenset[str]:
        """Labels that its results carry."""
        ...

    @property
    def card(self) -> ToolCard:
        """The tool as the model sees it."""
        ...

    @property
    def definition(self) -> Json:
        """What a resumed run compares."""
        ...

    def called(self, arguments: str) -> Effect[str]:
        """One call as an effect; the result is text for the model.

        Raises:
            ShapeError: the arguments do not fit; says which and how.
        """
        ...


@dataclass(frozen=True)
class Tool:
    """A function with what a model must know of it.

    Args:
        function: sync (run in a thread) or async; every parameter annotated; the docstring's first paragraph is the
            description, its `Args:` section describes the parameters.
        effect: it changes the world: it is never done twice for one call.
        on_unknown: what to do if it was under way at a crash and writes: ask a person, call it again (it honours its
            idempotency key), or fail.
        seconds: time limit of one call.
        usd: price of one call, in USD; it is reserved and booked.
        labels: what its results carry, and so whatever an agent says that has it.

    Raises:
        UsageError: a parameter has no annotation.
    """

    function: Callable[..., Any]
    _: KW_ONLY
    effect: bool = False
    on_unknown: OnUnknown = "ask"
    seconds: float = 60.0
    usd: float = 0.0
    labels: frozenset[str] = frozenset()

    @once
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    @once
    def _keyed(self) -> str | None:
        return keyed_parameter(self.function)

    @once
    def parameters(self) -> Shape[BaseModel]:
        """The arguments as a type of their own."""
        return Shape(arguments_of(self.function))

    @once
    def card(self) -> ToolCard:
        """The tool as the model sees it."""
        schema = {k: v for k, v in self.parameters.input_schema.items() if k != "title"}
        return ToolCard(name=self.name, description=summary_of(self.function), parameters=schema)

    @once
    def definition(self) -> Json:
        """What a resumed run compares."""
        return {"card": self.card.model_dump(mode="json"), "effect": self.effect, "on_unknown": self.on_unknown}

    def called(self, arguments: str) -> Effect[str]:
        """One call as an effect; the result is text for the model.

        Raises:
            ShapeError: the arguments do not fit; says which and how.
        """
        given = self.parameters.read_json(arguments or "{}")
        request = {"name": self.name, "arguments": to_jsonable_python(given)}
        return Effect(
            kind=f"tool:{self.name}",
            request=request,
            digest=digest_of(to_json(request)),
            do=partial(self._do, given),
            writes=self.effect,
            on_unknown=self.on_unknown,
            decode=as_text,  # what a person said was its result may be anything
            worst=self._price,
            describe=f"{self.name}({to_json(given).decode()[:500]})",
        )

    async def _do(self, given: BaseModel, key: str) -> Performed[str]:
        arguments = {name: getattr(given, name) for name in type(given).model_fields}
        if (keyed := self._keyed) is not None:
            arguments[keyed] = Key(key)
        try:
            with anyio.fail_after(self.seconds):
                result = await invoked(self.function, arguments)
        except TimeoutError as error:
            raise EffectError(self._timed_out(), self._price) from error
        except Exception as error:
            message = f"tool {self.name!r} raised {type(error).__name__}: {str(error)[:300]}"
            raise EffectError(Failure(kind="tool_failed", message=message), self._price) from error
        return Performed(value=as_text(result), usage=self._price)

    @property
    def _price(self) -> Usage:
        return Usage(calls=1, usd=self.usd) if self.usd else NOTHING_USED

    def _timed_out(self) -> Failure:
        message = f"tool {self.name!r} did not answer in {self.seconds:g} s"
        if self.effect:
            return Failure(kind="in_doubt", message=f"{message}; nobody knows whether it was done")
        return Failure(kind="tool_timeout", message=message, retryable=True)


def tool(
    function: Callable[..., Any] | None = None,
    *,
    effect: bool = False,
    on_unknown: OnUnknown = "ask",
    seconds: float = 60.0,
    usd: float = 0.0,
    labels: frozenset[str] = frozenset(),
) -> Any:
    """Make a typed function a tool; see `Tool`.

    Example:
        >>> @tool(effect=True)
        ... def pay(iban: str, cents: int) -> str:
        ...     '''Pay money.
        ...
        ...     Args:
        ...         cents: the amount
        ...     '''
        ...     return "paid"
        >>> pay.card.parameters["properties"]["cents"]["description"]
        'the amount'
    """
    made = partial(Tool, effect=effect, on_unknown=on_unknown, seconds=seconds, usd=usd, labels=labels)
    return made if function is None else made(function)


async def invoked(function: Callable[..., Any], arguments: Mapping[str, Any]) -> object:
    """Call a function, sync ones in a thread; a thread that overruns its time is abandoned."""
    if inspect.iscoroutinefunction(function):
        return await cast("Awaitable[object]", function(**arguments))
    return await anyio.to_thread.run_sync(partial(function, **arguments), abandon_on_cancel=True)


def as_text(result: object) -> str:
    """A tool's result as a model reads it: text as it is, anything else as JSON, cut if too long."""
    text = result if isinstance(result, str) else to_json(result, fallback=str).decode()
    if len(text) <= MOST_RESULT_BYTES:
        return text
    return text[:MOST_RESULT_BYTES] + f"\n[cut: {len(text) - MOST_RESULT_BYTES} more characters]"


def arguments_of(function: Callable[..., Any], injected: tuple[object, ...] = (Key,)) -> type[BaseModel]:
    """The parameters of a function as a model that forbids others; those of an injected type are left out.

    Raises:
        UsageError: a parameter has no annotation, or takes any number of arguments.
    """
    hints = get_type_hints(function, include_extras=True)
    described = described_parameters(function)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if hints.get(name) in injected:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or name not in hints:
            where = f"{function.__module__}.{function.__qualname__}"
            raise UsageError(f"{where}: parameter {name!r} needs an annotation and must be a single value")
        default: Any = ... if parameter.default is parameter.empty else parameter.default
        field: FieldInfo = Field(default, description=described.get(name))
        fields[name] = (hints[name], field)
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid", frozen=True), **fields)


def keyed_parameter(function: Callable[..., Any]) -> str | None:
    """Name of the parameter that receives the idempotency key; None: it has none."""
    hints = get_type_hints(function)
    return next((name for name, hint in hints.items() if hint is Key and name != "return"), None)


def summary_of(function: Callable[..., Any]) -> str:
    """The docstring up to its sections, as one line."""
    text = inspect.getdoc(function) or ""
    return " ".join(re.split(r"\n\s*(?:Args|Returns|Raises|Example|Examples|Note):\s*\n", text)[0].split())


def described_parameters(function: Callable[..., Any]) -> dict[str, str]:
    """What the `Args:` section of a Google-style docstring says of each parameter."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"(?:^|\n)Args:\s*\n((?:[ \t]+.*\n?|\s*\n)+)", text)
    if section is None:
        return {}
    found = re.findall(r"^ {4}(\w+)(?: \([^)]*\))?: (.*(?:\n {6,}.*)*)", section[1], flags=re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in found}
