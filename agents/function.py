"""The function worker: a typed Python function that works: a rules engine, an API call, a ledger write."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from types import UnionType
from typing import Any, Generic, Protocol, TypedDict, Union, cast, get_args, get_origin, get_type_hints, overload

import anyio
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json
from typing_extensions import TypeIs, Unpack

from ..protocols.contracts import Card, Context, Effect, OnUnknown, Performed, Worker
from ..protocols.conversation import digest_of
from ..protocols.errors import EchelonError, EffectError, UsageError
from ..protocols.messages import (
    NOTHING_USED,
    Done,
    Failed,
    Failure,
    Handoff,
    In,
    Json,
    JsonReport,
    Out,
    Report,
    Skipped,
    Usage,
    Waiting,
)
from ..protocols.once import once
from ..protocols.shapes import Shape
from .tools import Key, arguments_of, invoked, summary_of

INJECTED = (Context, Key)
"""Types of parameters that do not come from the payload."""
REPORT: TypeAdapter[JsonReport] = TypeAdapter(JsonReport)


@dataclass(frozen=True, kw_only=True)
class Duty:
    """How a function works."""

    effect: bool = False
    """It changes the world: it is never done twice for one handoff."""
    reads: bool = False
    """It looks at the world (a file, a table, a service): what it saw is journalled, so that a resumed or replayed run
    sees the same."""
    on_unknown: OnUnknown = "ask"
    """What to do if it was under way at a crash and writes: ask a person, call it again (it honours its idempotency
    key), or fail."""
    seconds: float | None = None
    """Time limit of one call; None: none of its own."""
    usd: float = 0.0
    """Price of one call, in USD; it is reserved and booked."""
    retry_on: tuple[type[Exception], ...] = (ConnectionError, TimeoutError)
    """Exceptions that may pass if the call is made again."""
    clearance: frozenset[str] | None = None
    """Labels of data it may be given; None: any."""
    labels: frozenset[str] = frozenset()
    """Labels its output carries beside those of its input."""
    version: str = ""
    """What it was configured with, in words of the user's: a resumed run notices when this has changed."""


@dataclass(frozen=True)
class Function(Generic[In, Out]):
    """A worker made of a function; made by `@worker`."""

    function: Callable[..., Any]
    _: KW_ONLY
    duty: Duty = Duty()
    name: str = ""

    @once
    def card(self) -> Card[In, Out]:
        """Name, description and types, from the function's name, docstring and annotations."""
        accepts, returns = self._types
        return Card(
            name=self.name or self.function.__name__,
            description=summary_of(self.function),
            accepts=Shape(accepts),
            returns=Shape(returns),
            writes=self.duty.effect,
            clearance=self.duty.clearance,
            labels=self.duty.labels,
            usd=self.duty.usd,
        )

    @once
    def _hints(self) -> dict[str, Any]:
        where = f"worker {self.function.__module__}.{self.function.__qualname__}"
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except NameError as error:
            raise UsageError(f"{where}: its annotations cannot be read: {error}") from error
        if "return" not in hints:
            raise UsageError(f"{where}: what it returns needs an annotation")
        return hints

    @once
    def _given(self) -> list[str]:
        """Parameters that come from the payload; `Context` and `Key` are injected."""
        return [name for name in inspect.signature(self.function).parameters if self._hints.get(name) not in INJECTED]

    @once
    def _whole(self) -> bool:
        """Whether its one parameter is the whole payload."""
        return len(self._given) == 1 and self._given[0] in self._hints

    @once
    def _types(self) -> tuple[type[In], type[Out]]:
        given: Any = self._hints[self._given[0]] if self._whole else arguments_of(self.function, INJECTED)
        return given, _output_of(self._hints["return"])

    @once
    def definition(self) -> Json:
        """How it works; its body is not compared."""
        duty = self.duty
        return {
            "function": self.function.__qualname__,
            "effect": duty.effect,
            "on_unknown": duty.on_unknown,
            "version": duty.version,
        }

    @property
    def parts(self) -> Sequence[Worker]:
        """Nobody works inside it."""
        return ()

    async def work(self, handoff: Handoff[In], context: Context) -> Report[Out]:
        """Call the function; what it raises is a failure, what it returns is a report or becomes one."""
        if not (self.duty.effect or self.duty.reads or self.duty.usd):
            await context.keep()
            return await self._report(handoff, context, handoff.key)
        payload = self.card.accepts.dump(handoff.payload)

        async def do(key: str) -> Performed[JsonReport]:
            report = await self._report(handoff, context, key)
            if isinstance(report, Failed):
                raise EffectError(report.failure, self._price)
            return Performed(value=report, usage=self._price)

        effect: Effect[JsonReport] = Effect(
            kind="call",
            request={"worker": self.card.name, "payload": payload},
            do=do,
            encode=self._encoded,
            digest=digest_of(self.card.name.encode(), to_json(payload)),
            decode=self._decoded,
            worst=self._price,
            writes=self.duty.effect,
            on_unknown=self.duty.on_unknown,
            shape=self.card.returns,
            describe=f"{self.card.name}({to_json(payload).decode()[:500]})",
        )
        return await context.perform(effect)

    @property
    def _price(self) -> Usage:
        return Usage(calls=1, usd=self.duty.usd) if self.duty.usd else NOTHING_USED

    def _encoded(self, report: JsonReport) -> Json:
        if not isinstance(report, Done):
            return {"report": report.model_dump(mode="json")}
        return {"output": self.card.returns.dump(report.output), "confidence": report.confidence}

    def _decoded(self, recorded: Json) -> JsonReport:
        """A recorded report; a person who said that it was done may have given the bare output."""
        match recorded:
            case {"output": output, "confidence": confidence, **rest} if not rest:
                return Done(output=self.card.returns.read(output), confidence=confidence)
            case {"report": report, **rest} if not rest:
                return REPORT.validate_python(report)
            case _:
                return Done(output=self.card.returns.read(recorded))

    async def _report(self, handoff: Handoff[In], context: Context, key: str) -> JsonReport:
        arguments = self._arguments(handoff.payload, context, key)
        name = self.card.name
        try:
            with anyio.fail_after(self.duty.seconds):
                result = await invoked(self.function, arguments)
        except EchelonError:
            raise
        except TimeoutError as error:
            return Failed(failure=self._timed_out(error))
        except Exception as error:
            message = f"{name} raised {type(error).__name__}: {str(error)[:300]}"
            passing = isinstance(error, self.duty.retry_on) and not self.duty.effect
            return Failed(failure=Failure(kind="tool_failed", message=message, retryable=passing))
        return result if _is_report(result) else Done(output=result)

    def _timed_out(self, error: TimeoutError) -> Failure:
        limit = self.duty.seconds
        said = f"{self.card.name} " + (f"timed out: {error}" if limit is None else f"did not end in {limit:g} s")
        if self.duty.effect:
            return Failure(kind="in_doubt", message=f"{said}; nobody knows whether it was done")
        return Failure(kind="tool_timeout", message=said, retryable=isinstance(error, self.duty.retry_on))

    def _arguments(self, payload: In, context: Context, key: str) -> dict[str, Any]:
        arguments: dict[str, Any]
        if self._whole:
            arguments = {self._given[0]: payload}
        else:
            arguments = {name: getattr(payload, name) for name in type(cast("BaseModel", payload)).model_fields}
        for name, hint in self._hints.items():
            if hint is Context:
                arguments[name] = context
            elif hint is Key:
                arguments[name] = Key(key)
        return arguments


def _is_report(result: object) -> TypeIs[JsonReport]:
    return isinstance(result, Done | Failed | Skipped | Waiting)


def _output_of(annotation: Any) -> Any:
    """The type of the output: of `Done[X]`, `Report[X]` and `Done[X] | Failed`, X."""
    if get_origin(annotation) is Report or annotation is Report:
        return (*get_args(annotation), object)[0]
    if get_origin(annotation) in (Union, UnionType):
        kinds = get_args(annotation)
        outputs = tuple(_output_of(one) for one in kinds if one not in (Failed, Skipped, Waiting))
        return annotation if outputs == kinds else cast("Any", Union[outputs])  # noqa: UP007 - known only now
    if isinstance(annotation, type) and issubclass(annotation, Done):
        return (annotation.__pydantic_generic_metadata__["args"] or (object,))[0]
    return cast("Any", annotation)


class Duties(TypedDict, total=False):
    """The fields of `Duty`, and a name in place of the function's."""

    effect: bool
    reads: bool
    on_unknown: OnUnknown
    seconds: float
    usd: float
    retry_on: tuple[type[Exception], ...]
    clearance: frozenset[str]
    labels: frozenset[str]
    version: str


class Making(Protocol):
    """Makes a function a worker."""

    @overload
    def __call__(self, function: Callable[[In], Awaitable[Report[Out]]], /) -> Function[In, Out]: ...
    @overload
    def __call__(self, function: Callable[[In], Awaitable[Out]], /) -> Function[In, Out]: ...
    @overload
    def __call__(self, function: Callable[[In], Report[Out]], /) -> Function[In, Out]: ...
    @overload
    def __call__(self, function: Callable[[In], Out], /) -> Function[In, Out]: ...
    @overload
    def __call__(self, function: Callable[..., Awaitable[Report[Out]]], /) -> Function[Any, Out]: ...
    @overload
    def __call__(self, function: Callable[..., Awaitable[Out]], /) -> Function[Any, Out]: ...
    @overload
    def __call__(self, function: Callable[..., Report[Out]], /) -> Function[Any, Out]: ...
    @overload
    def __call__(self, function: Callable[..., Out], /) -> Function[Any, Out]: ...


@overload
def worker(function: Callable[[In], Awaitable[Report[Out]]], /) -> Function[In, Out]: ...
@overload
def worker(function: Callable[[In], Awaitable[Out]], /) -> Function[In, Out]: ...
@overload
def worker(function: Callable[[In], Report[Out]], /) -> Function[In, Out]: ...
@overload
def worker(function: Callable[[In], Out], /) -> Function[In, Out]: ...
@overload
def worker(function: Callable[..., Awaitable[Report[Out]]], /) -> Function[Any, Out]: ...
@overload
def worker(function: Callable[..., Awaitable[Out]], /) -> Function[Any, Out]: ...
@overload
def worker(function: Callable[..., Report[Out]], /) -> Function[Any, Out]: ...
@overload
def worker(function: Callable[..., Out], /) -> Function[Any, Out]: ...
@overload
def worker(*, name: str = "", **duties: Unpack[Duties]) -> Making: ...
def worker(function: Callable[..., Any] | None = None, /, *, name: str = "", **duties: Unpack[Duties]) -> Any:
    """Make a typed function a worker; as it is, or with the duties of `Duty`, e.g. `@worker(effect=True)`.

    With one parameter, that parameter is the whole payload; with several, the payload is an object with a field for
    each. A parameter annotated `Context` receives the place it works at, one annotated `Key` its idempotency key. It
    may return its output, or a report (`Done(output=..., confidence=...)`, `Skipped(...)`) where it has more to say.
    Sync functions run in a thread.

    Raises:
        UsageError: an annotation is missing.

    Example:
        >>> @worker
        ... async def double(number: int) -> int:
        ...     '''Doubles a number.'''
        ...     return 2 * number
        >>> double.card.name, double.card.description
        ('double', 'Doubles a number.')
    """

    def make(function: Callable[..., Any], /) -> Function[Any, Any]:
        made: Function[Any, Any] = Function(function, duty=Duty(**duties), name=name)
        _ = made.card  # a missing annotation is an error where the function is written, not where it first works
        return made

    return make if function is None else make(function)
