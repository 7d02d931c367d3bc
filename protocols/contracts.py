"""The protocols that hold the house together: Worker, Model, Planner, Reviewer, Journal, Inbox, Context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol

from pydantic_core import to_json
from typing_extensions import TypeVar

from .conversation import Delta, Reply, Request, digest_of
from .events import Delegated, Event, Happened
from .messages import NOTHING_USED, Answer, Budget, Handoff, In, Json, JsonReport, Out, Report, Usage, Verdict
from .once import once
from .plans import Brief, Change, Plan
from .prices import Price
from .shapes import Shape

T = TypeVar("T", default=Any)
InContra = TypeVar("InContra", contravariant=True, default=Any)
OutCo = TypeVar("OutCo", covariant=True, default=Any)

OnUnknown = Literal["ask", "retry", "fail"]
"""What to do about a write that was started and has no recorded end: ask a person, do it again, or fail."""


@dataclass(frozen=True, kw_only=True)
class Card(Generic[In, Out]):
    """What a planner, a supervisor and a person may know about a worker."""

    name: str
    description: str
    accepts: Shape[In]
    returns: Shape[Out]
    writes: bool = False
    """Whether its work may change the world."""
    clearance: frozenset[str] | None = None
    """Labels of data that it may be given; None: any."""
    labels: frozenset[str] = frozenset()
    """Labels that its output carries beside those of its input."""
    usd: float = 0.0
    """Declared price of one piece of its work, in USD; 0: none, or known only when the work is done."""
    depth: int = 0
    """Levels of supervisors at and below it; 0: it leads nobody."""

    @once
    def digest(self) -> str:
        """Digest of everything that matters to a run under way."""
        return digest_of(
            to_json(
                {
                    "name": self.name,
                    "accepts": self.accepts.input_schema,
                    "returns": self.returns.output_schema,
                    "writes": self.writes,
                    "clearance": None if self.clearance is None else sorted(self.clearance),
                    "labels": sorted(self.labels),
                }
            )
        )


class Worker(Protocol[In, Out]):
    """Turns a handoff into a report: an agent, a function, a person, a remote agent, a whole supervisor."""

    @property
    def card(self) -> Card[In, Out]:
        """Name, description, types and clearance."""
        ...

    @property
    def definition(self) -> Json:
        """What it is made of, as JSON, without its parts; a resumed run compares the digests."""
        ...

    @property
    def parts(self) -> Sequence[Worker]:
        """Workers inside it, in order: a supervisor's team, a cascade's tiers; empty for the others."""
        ...

    async def work(self, handoff: Handoff[In], context: Context) -> Report[Out]:
        """Do the work.

        Raises:
            Pause: it must wait for a person.
            EffectError: a touch of the world failed and the worker has no reaction of its own.
        """
        ...


class Model(Protocol):
    """Answers a request; one try, no retries of its own."""

    @property
    def name(self) -> str:
        """As the provider calls it."""
        ...

    @property
    def price(self) -> Price:
        """What its tokens cost.

        Raises:
            UsageError: no price is known and the user gave none.
        """
        ...

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Answer; with `listen`, each piece of text is passed to it as it arrives.

        Raises:
            EffectError: there is no whole answer; says why and what it cost.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed(Generic[T]):
    """What came of touching the world, and what it cost."""

    value: T
    usage: Usage = NOTHING_USED


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect(Generic[T]):
    """One touch of the world, as it is handed to the seam."""

    kind: str
    """`model`, `tool:NAME`, `call`, `time`, `random`."""
    request: Json
    """What is journalled of the request."""
    digest: str
    """Digest of the whole canonical request."""
    do: Callable[[str], Awaitable[Performed[T]]]
    """Does it, given the idempotency key; raises EffectError on failure."""
    encode: Callable[[T], Json] = _same
    decode: Callable[[Json], T] = _same
    keyed: bool = True
    """Whether `do` has a use for the key; what writes has one in any case."""
    writes: bool = False
    on_unknown: OnUnknown = "ask"
    worst: Usage = NOTHING_USED
    """The most it can cost."""
    reserves: bool = True
    """Whether the seam reserves the worst case; False: `do` reserves by itself, try by try."""
    n: int | None = None
    """Number among the effects of this kind at this place, from 0, for effects that are performed concurrently; None:
    the next one."""
    shape: Shape = Shape(object)
    """What a person who says that it was done may give as its result."""
    describe: str = ""
    """What a person is shown when asked whether it was done."""


class Context(Protocol):
    """Where in the tree a worker stands, and its only way to touch the world."""

    @property
    def run(self) -> str:
        """Id of the run."""
        ...

    @property
    def path(self) -> str:
        """Place in the tree, `/step#attempt/...`."""
        ...

    @property
    def trace(self) -> str:
        """W3C `traceparent` of whoever asked for the run; "": none."""
        ...

    @property
    def models(self) -> Sequence[Model]:
        """Models inherited from above, the first one first choice; empty: none."""
        ...

    @property
    def history(self) -> Sequence[Event]:
        """Events of this very place that the journal already holds, in order: a supervisor resumes from them."""
        ...

    @property
    def budget(self) -> Budget:
        """The limits that hold here: the narrowest of this place's and those above, field by field."""
        ...

    @property
    def spent(self) -> Usage:
        """What this place and all below it have spent so far."""
        ...

    async def perform(self, effect: Effect[T]) -> T:
        """Touch the world once: return the recorded result if the journal holds it, else do it and record it.

        Raises:
            EffectError: it failed, now or as recorded.
            Pause: a write was started before a crash, and a person must say whether it was done.
            DivergedError: the journal holds another request at this place.
        """
        ...

    async def reply(self, model: Model, request: Request) -> Reply:
        """Ask a model through the call layer: budget, deadline, retries, every attempt journalled.

        Raises:
            EffectError: there is no answer within the deadline, or the budget does not allow the call.
        """
        ...

    async def ask(
        self, of: str, prompt: str, subject: Json, asks: Literal["approval", "report"], answer: Shape
    ) -> Answer:
        """A person's answer to a question about `subject`.

        Raises:
            Pause: it has not come yet.
        """
        ...

    async def now(self) -> float:
        """Seconds since the epoch, as journalled: the same on resume and replay."""
        ...

    async def random(self) -> float:
        """A number in [0, 1), as journalled: the same on resume and replay."""
        ...

    async def recall(self, handoff: Delegated) -> JsonReport | None:
        """What came of a handoff to this place when the run was recorded; None: it is to be done.

        Raises:
            MissError: a replay that does nothing itself does not hold it.
        """
        ...

    def within(
        self,
        segment: str,
        *,
        budget: Budget | None = None,
        models: Sequence[Model] = (),
        labels: frozenset[str] = frozenset(),
    ) -> Context:
        """The context of a place below this one, e.g. `within("extract#1")`; no models: the same as here."""
        ...

    def emit(self, event: Happened) -> None:
        """Write an event of this place; it is durable before anything that the run acknowledges after it."""
        ...

    async def keep(self) -> None:
        """Make durable what has happened so far, before work that may take long and touches nothing.

        Effects and the ends of steps see to it by themselves.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a reviewer sees: the task, the output, and what each step gave."""

    task: Json
    output: Json
    value: Any
    """The output as an instance of what the supervisor returns."""
    steps: Mapping[str, Json]
    """Output of each finished step by its id, in plan order."""
    look_at: Mapping[str, str]
    """What to look at in particular, by step id."""
    earlier: tuple[str, ...] = ()
    """Findings of the round before."""
    labels: frozenset[str] = frozenset()


class Reviews(Protocol):
    """Judges a draft."""

    @property
    def definition(self) -> Json:
        """What it is made of, as JSON."""
        ...

    async def review(self, draft: Draft, context: Context) -> Report[Verdict]:
        """Judge the draft."""
        ...


class Planner(Protocol):
    """Turns a task into a plan."""

    @property
    def definition(self) -> Json:
        """What it is made of, as JSON."""
        ...

    @property
    def replans(self) -> bool:
        """Whether it can do better when asked again; a fixed workflow cannot."""
        ...

    async def plan(self, brief: Brief, team: Sequence[Card], returns: Shape, context: Context) -> Report[Plan | Change]:
        """Propose a plan, or a change to the one under way."""
        ...


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How patient the call layer is with a model."""

    deadline: float = 120.0
    """Seconds for one call with all its tries and waits."""
    patience: float = 60.0
    """Seconds for one try."""
    tries: int = 4
    backoff: float = 0.5
    """Seconds before the second try; doubles up to 8, less up to a quarter of jitter."""


Listener = Callable[[Event | Delta], None]
"""Told of every event as it is written, and of every piece of text as it arrives."""
