"""A place in the tree, and the one seam at which the world is touched.

`perform` looks the effect up by its place: `(run, path, kind, n)`, never by time.

- The journal holds its end: that is the result; nothing is done.
- It holds another request there: the code between is not deterministic, or the definition changed: an error.
- It holds a start and no end, and the effect writes: nobody knows whether it was done. A person says, or it is done
  again with the same idempotency key because its author declared that safe, or it fails.
- A write with the same idempotency key has ended in an earlier attempt at this step: its result holds; done once.
- The run is a replay: the recording says what came of it; nothing is done.
- Else: reserve, write the start (durable first, if it writes or costs), do it, settle, write the end. The end of a
  write is durable at once, that of anything else before the next effect, before a function that touches nothing, and
  where a branch of the work stops; until then a crash finds it under way.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Literal

import anyio
from pydantic_core import to_json, to_jsonable_python
from typing_extensions import TypeVar

from ..protocols.contracts import Calls, Clock, Effect, Model, Performed
from ..protocols.conversation import Reply, Request, digest_of
from ..protocols.errors import DivergedError, EffectError, Pause, ShapeError
from ..protocols.events import (
    AnswerRefused,
    Asked,
    Delegated,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    Happened,
    RunStarted,
)
from ..protocols.messages import NOTHING_USED, Answer, Budget, Failure, Json, JsonReport, Question, Usage
from ..protocols.recording import Recording
from ..protocols.shapes import Shape
from .calls import Cooling, Line, call, worst_case
from .ledger import Account, Hold, narrower
from .log import Log, in_doubt, stable

T = TypeVar("T", default=Any)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all places of one drive share."""

    log: Log
    clock: Clock
    calls: Calls
    recording: Recording | None = None
    cooling: Cooling = field(default_factory=Cooling)


class Place:
    """Where a worker stands: implements `Context`."""

    __slots__ = ("_counts", "_desk", "account", "budget", "labels", "models", "path")

    def __init__(
        self, desk: Desk, path: str, budget: Budget, account: Account, models: Sequence[Model], labels: frozenset[str]
    ) -> None:
        self._desk = desk
        self._counts: defaultdict[str, int] = defaultdict(int)
        self.path = path
        self.budget = budget
        self.account = account
        self.models = models
        self.labels = labels

    @property
    def run(self) -> str:
        """Id of the run."""
        return self._desk.log.run

    @property
    def trace(self) -> str:
        """W3C `traceparent` of whoever asked for the run."""
        first = self._desk.log.entries[0].event
        return first.tags.get("trace", "") if isinstance(first, RunStarted) else ""

    @property
    def history(self) -> Sequence[Event]:
        """Events of this very place, in order."""
        return self._desk.log.by_path.get(self.path, ())

    @property
    def spent(self) -> Usage:
        """What this place and all below it have spent."""
        return self.account.spent

    def emit(self, event: Happened) -> None:
        """Write an event of this place."""
        self._desk.log.write(event)

    async def keep(self) -> None:
        """Make durable what has happened so far."""
        await self._desk.log.keep()

    def within(
        self,
        segment: str,
        *,
        budget: Budget | None = None,
        models: Sequence[Model] = (),
        labels: frozenset[str] = frozenset(),
    ) -> Place:
        """The context of a place below; with an empty segment, this place under a narrower budget."""
        path = f"{self.path}/{segment}" if segment else self.path
        limits = self.budget if budget is None else narrower(self.budget, budget)
        own = budget if budget is not None else UNLIMITED
        account = Account(path, own, self.account, self._desk.log.spent.get(path, NOTHING_USED))
        return Place(self._desk, path, limits, account, models or self.models, self.labels | labels)

    async def perform(self, effect: Effect[T]) -> T:
        """Touch the world once; the module's docstring has the rules."""
        n = self._counts[effect.kind] if effect.n is None else effect.n
        self._counts[effect.kind] = n + 1
        log, place = self._desk.log, (self.path, effect.kind, n)
        key = self._key(effect, n) if effect.keyed or effect.writes else ""
        started = log.started.get(place)
        if started is not None:
            if started.digest != effect.digest:
                raise DivergedError(self.path, effect.kind, n, started.digest, effect.digest)
            if (ended := log.ended.get(place)) is not None:
                return _recorded(effect, ended)
        if effect.writes:
            if (earlier := log.writes.get(key)) is not None:
                return effect.decode(earlier.result)
            if started is not None and (known := self._unknown(effect, n, key)) is not None:
                return _recorded(effect, known)
        if (recording := self._desk.recording) is not None:
            return await self._recall(recording, effect, n, key)
        return await self._do(effect, n, key)

    def _key(self, effect: Effect[T], n: int) -> str:
        """Idempotency key: the same for every attempt at this place with this request."""
        which = f"{effect.kind} {n} {effect.digest}"
        return digest_of(self.run.encode(), stable(self.path).encode(), which.encode())

    async def _recall(self, recording: Recording, effect: Effect[T], n: int, key: str) -> T:
        """Write down what the recording says; what it cost is booked as if it had been done."""
        hold = await self._hold(effect)
        booked = effect.worst if effect.reserves else in_doubt(effect.worst)  # of what is called off before its end
        try:
            self._start(effect, n, key)
            found = await recording.recall(self.path, effect, n, self._relive)
            booked = found.usage
        finally:
            if hold is not None:
                hold.settle(booked)
            else:
                self.account.charge(booked)
        ended = found.model_copy(update={"path": self.path, "n": n, "digest": effect.digest})
        self.emit(ended)
        return _recorded(effect, ended)

    async def _hold(self, effect: Effect[T]) -> Hold | None:
        """Set aside the most that an effect can cost; None: it costs nothing, or `do` sees to it."""
        if not effect.reserves or effect.worst is NOTHING_USED:
            return None
        return await self.account.reserve(effect.worst)

    def _relive(self, event: Happened) -> None:
        """Write down what happened inside a recorded effect; what it cost is charged here, as nobody else will."""
        if isinstance(event, EffectFinished | EffectFailed):
            self.account.charge(event.usage)
        self.emit(event)

    async def recall(self, handoff: Delegated) -> JsonReport | None:
        """What came of a handoff when the run was recorded; None: it is to be done."""
        recording = self._desk.recording
        if recording is None or (report := await recording.report(self.path, handoff)) is None:
            return None
        self.account.charge(report.usage)
        return report

    async def _do(self, effect: Effect[T], n: int, key: str) -> T:
        log = self._desk.log
        hold = await self._hold(effect)
        booked = effect.worst
        try:
            self._start(effect, n, key)
            if effect.writes or effect.worst is not NOTHING_USED or log.owes:
                await log.flush()
            with anyio.CancelScope(shield=True) if effect.writes else nullcontext():
                performed = await effect.do(key)
            booked = performed.usage
        except EffectError as error:
            booked = error.usage or NOTHING_USED
            self._fail(effect, n, error.failure, booked)
            if effect.writes:
                await log.flush()
            raise
        finally:
            if hold is not None:
                hold.settle(booked)
            elif effect.reserves:
                self.account.charge(booked)
        log.write(
            EffectFinished(
                path=self.path,
                kind=effect.kind,
                n=n,
                digest=effect.digest,
                result=effect.encode(performed.value),
                usage=performed.usage,
            )
        )
        if effect.writes:
            await log.flush()
        return performed.value

    def _start(self, effect: Effect[T], n: int, key: str) -> None:
        self.emit(
            EffectStarted(
                path=self.path,
                kind=effect.kind,
                n=n,
                digest=effect.digest,
                request=effect.request,
                key=key if effect.writes else "",
                writes=effect.writes,
                reserved=effect.worst,
            )
        )

    def _fail(self, effect: Effect[T], n: int, failure: Failure, usage: Usage) -> EffectFailed:
        failed = EffectFailed(path=self.path, kind=effect.kind, n=n, digest=effect.digest, failure=failure, usage=usage)
        self.emit(failed)
        return failed

    def _unknown(self, effect: Effect[T], n: int, key: str) -> EffectFinished | EffectFailed | None:
        """What is to be taken for the end of a write that has none; None: do it again."""
        if effect.on_unknown == "retry":
            return None
        if effect.on_unknown == "fail":
            message = f"{effect.kind} at {self.path} was started before a crash; nobody knows whether it was done"
            return self._fail(effect, n, Failure(kind="in_doubt", message=message), in_doubt(effect.worst))
        prompt = f"{effect.describe or effect.kind} was started before a crash. Was it done?"
        subject = {"effect": effect.kind, "request": effect.request, "key": key}
        # Each start is a question of its own: "it was not done" says nothing about a start after that answer.
        which = f"{effect.kind} start {self._desk.log.starts[key]}"
        answer = self._answer(which, n, "in_doubt", "operator", prompt, subject, effect.shape)
        if not answer.approved:
            return None
        done = EffectFinished(
            path=self.path, kind=effect.kind, n=n, digest=effect.digest, result=answer.value,
            usage=in_doubt(effect.worst),
        )  # fmt: skip
        self.emit(done)
        return done

    async def reply(self, model: Model, request: Request) -> Reply:
        """Ask a model through the call layer."""
        log = self._desk.log
        listen = None if log.listen is None else partial(log.delta, self.path)
        line = Line(
            path=self.path,
            account=self.account,
            calls=self._desk.calls,
            cooling=self._desk.cooling,
            emit=self.emit,
            flush=log.flush,
            listen=listen,
        )

        worst = worst_case(model, request)

        async def do(_: str) -> Performed[Reply]:
            return await call(line, model, request, worst)

        effect = Effect(
            kind="model",
            request=self._journalled(model, request),
            do=do,
            encode=to_jsonable_python,
            digest=digest_of(model.name.encode(), request.digest.encode()),
            decode=Reply.model_validate,
            worst=worst,
            keyed=False,
            reserves=False,
            describe=f"a call of {model.name}",
        )
        return await self.perform(effect)

    def _journalled(self, model: Model, request: Request) -> Json:
        """What the journal keeps of a request: the head once per run, and only the messages it has not seen."""
        kept: dict[str, Json] = {"model": model.name, "head_digest": request.prompt.digest}
        if request.prompt.digest not in self._desk.log.heads:
            self._desk.log.heads.add(request.prompt.digest)
            kept["head"] = to_jsonable_python(request.prompt.head)
        kept["first"] = request.new
        kept["messages"] = to_jsonable_python(request.messages[request.new :])
        return kept

    async def ask(
        self, of: str, prompt: str, subject: Json, asks: Literal["approval", "report"], answer: Shape
    ) -> Answer:
        """A person's answer, or Pause."""
        n = self._counts["ask"]
        self._counts["ask"] += 1
        return self._answer("ask", n, asks, of, prompt, subject, answer)

    def _answer(
        self,
        kind: str,
        n: int,
        asks: Literal["approval", "report", "in_doubt"],
        of: str,
        prompt: str,
        subject: Json,
        shape: Shape,
    ) -> Answer:
        """The answer that the journal holds to exactly this question; else ask it, once, and pause."""
        log = self._desk.log
        digest = digest_of(to_json(subject))
        for generation in count():
            seed = f"{stable(self.path)} {kind} {n} {digest} {generation}"
            question_id = digest_of(self.run.encode(), seed.encode())[:12]
            answer = log.answers.get(question_id)
            if answer is not None and (fault := _fault(answer, asks, digest, shape)):
                self.emit(AnswerRefused(path=self.path, answer=answer, reason=fault))
            elif answer is not None:
                return answer
            if question_id not in log.refused:
                question = log.questions.get(question_id) or Question(
                    id=question_id,
                    path=self.path,
                    asks=asks,
                    of=of,
                    prompt=prompt,
                    subject=subject,
                    digest=digest,
                    answer_schema=shape.input_schema,
                    labels=self.labels,
                )
                if question_id not in log.questions:
                    self.emit(Asked(path=self.path, question=question))
                raise Pause((question,))
        raise RuntimeError("count() does not end")  # for the type checkers

    async def now(self) -> float:
        """Seconds since the epoch, as journalled."""
        return await self._read("time", self._desk.clock.now)

    async def random(self) -> float:
        """A number in [0, 1), as journalled."""
        return await self._read("random", random.random)

    async def _read(self, kind: str, source: Callable[[], float]) -> float:
        async def do(_: str) -> Performed[float]:
            return Performed(value=source())

        return await self.perform(Effect(kind=kind, request=None, digest=kind, do=do))


UNLIMITED = Budget(calls=None)


def _recorded(effect: Effect[T], ended: EffectFinished | EffectFailed) -> T:
    if isinstance(ended, EffectFailed):
        raise EffectError(ended.failure, ended.usage)
    return effect.decode(ended.result)


def _fault(answer: Answer, asks: str, digest: str, shape: Shape) -> str | None:
    """Why an answer cannot be taken; None: it can."""
    if answer.digest != digest:
        return "it answers another subject than the one asked about"
    if asks == "approval" or not answer.approved:
        return None
    try:
        shape.read(answer.value)
    except ShapeError as error:
        return str(error)
    return None
