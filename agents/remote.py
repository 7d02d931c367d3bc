"""The remote agent: an agent elsewhere that speaks A2A, as a worker.

    taxes = RemoteAgent("https://tax.example/a2a/desk", name="taxes", accepts=Invoice, returns=Duty)

1. The task is sent once, as an effect with an idempotency key, which is the message's id: a run that is resumed has
   the task's id in its journal, and goes on waiting for that task. Whether a task that was being sent at a crash has
   arrived, a person is asked, unless the agent takes the same message for the same task (`on_unknown="retry"`;
   Echelon's servers do).
2. Where the agent needs input, a person of ours is asked, and the answer goes back: once.
3. The output is checked against `returns`, and labelled `untrusted:NAME`; what the agent says of itself reaches people
   only as data, with hidden characters shown, and cut if it is long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Annotated, Any, Generic, Literal, cast

import anyio
from pydantic import ValidationError, WithJsonSchema
from pydantic_core import to_json

from ..protocols.a2a import (
    AUTH,
    CANCELED,
    COMPLETED,
    INPUT,
    QUESTIONS,
    REJECTED,
    SUBMITTED,
    WORKING,
    Wire,
    data_part,
    text_part,
)
from ..protocols.a2a import FAILED as FAILED_STATE
from ..protocols.contracts import Card, Context, Effect, OnUnknown, Performed, Worker
from ..protocols.conversation import digest_of
from ..protocols.dialogue import unfenced
from ..protocols.errors import EffectError, ShapeError, UsageError
from ..protocols.messages import (
    NOTHING_USED,
    Answer,
    Approval,
    Done,
    Failed,
    Failure,
    FailureKind,
    Handoff,
    In,
    Json,
    Out,
    Report,
)
from ..protocols.once import once
from ..protocols.shapes import Shape
from ..protocols.tracing import Trace
from ..protocols.visible import visible, visible_json
from .a2a_session import REPLIED, Peer, Snapshot
from .mcp_session import Address, RefusedError, UnansweredError, UnreachableError

MOST_ROUNDS = 20
"""How often one task may ask people."""
MOST_SAID = 500
"""Characters of what an agent says about a failure."""
MOST_ASKED = 4_000
"""Characters of what an agent asks."""
FIRST_LOOK, LONGEST_LOOK = 0.05, 5.0
"""Seconds between looks at a task: they double."""
MOST_MISSES = 5
"""Looks in a row that may come to nothing."""


@dataclass(frozen=True)
class RemoteAgent(Generic[In, Out]):
    """An A2A agent as a worker.

    Args:
        url: where it is: its card lies at `/.well-known/agent-card.json` below. An `Address` has headers, for its key,
            and says whether it may be in a private network; a text is of the public network, or this machine.
        name: what the program calls it.
        description: what it can do, for planners; the words are the program's, not the agent's own.
        accepts: type of its task; it is sent as data, or as text if it is text.
        returns: type of its output.
        agent_card: its card as JSON; None: it is read from the address when it is first needed.
        asks: the person who answers what it asks.
        effect: its work may change the world; False: a task that was being sent at a crash is sent again.
        on_unknown: what to do about a task that was being sent at a crash.
        seconds: until it must be done, or need input; people's time does not count.
        clearance: labels of data it may be sent; None: any.

    Raises:
        UsageError: the URL may not be used.
    """

    url: str | Address
    _: KW_ONLY
    name: str
    accepts: type[In]
    returns: type[Out]
    description: str = ""
    agent_card: Mapping[str, Json] | None = field(default=None, repr=False)
    asks: str = "operator"
    effect: bool = True
    on_unknown: OnUnknown = "ask"
    seconds: float = 600.0
    clearance: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", self.name):
            raise UsageError(f"a remote agent needs a name of letters, digits, '_' and '-', found {self.name!r}")
        _ = self.address  # is checked when it is made

    @once
    def address(self) -> Address:
        """Where it is."""
        return self.url if isinstance(self.url, Address) else Address(self.url)

    @once
    def _peer(self) -> Peer:
        return Peer(self.address, self.agent_card)

    @once
    def card(self) -> Card[In, Out]:
        """Name, description, types; the label of its output."""
        return Card(
            name=self.name,
            description=self.description,
            accepts=Shape(self.accepts),
            returns=Shape(self.returns),
            writes=self.effect,
            clearance=self.clearance,
            labels=frozenset({f"untrusted:{self.name}"}),
        )

    @once
    def definition(self) -> Json:
        """Where it is, and how it is dealt with; not what it is sent with."""
        return {"remote": self.address.url, "asks": self.asks, "effect": self.effect, "on_unknown": self.on_unknown}

    @property
    def parts(self) -> Sequence[Worker]:
        """Nobody of ours works inside it."""
        return ()

    async def work(self, handoff: Handoff[In], context: Context) -> Report[Out]:
        """Have the task done there.

        Raises:
            Pause: a person must answer what it asks.
            EffectError: it could not be sent, or nobody knows what came of it.
        """
        trace = traceparent(context)
        task = await context.perform(self._sending(self._task(handoff), None, trace))
        for _ in range(MOST_ROUNDS):
            if task.state in (SUBMITTED, WORKING):
                task = await context.perform(self._waiting(task, trace))
            if task.state != INPUT:
                return self._report(task)
            asked = Asked.of(task, self.name)
            answer = await context.ask(self.asks, asked.prompt, asked.subject, asked.asks, asked.shape)
            parts = asked.answered(answer)
            if not parts:
                said = f"{self.asks}: {answer.by} said no" + (f": {answer.note}" if answer.note else "")
                return Failed(failure=Failure(kind="denied", message=said))
            task = await context.perform(self._sending(parts, task, trace))
        return Failed(failure=self._failure("no_progress", f"it asked {MOST_ROUNDS} times"))

    def _task(self, handoff: Handoff[In]) -> Sequence[Wire]:
        payload: Json = self.card.accepts.dump(handoff.payload)
        findings = [text_part("\n".join(["The last result was sent back:", *handoff.findings]))]
        task = text_part(payload) if isinstance(payload, str) else data_part(payload)
        return [task, *(findings if handoff.findings else [])]

    def _sending(self, parts: Sequence[Wire], to: Snapshot | None, trace: str) -> Effect[Snapshot]:
        """A message as an effect: a new task, or an answer to one."""
        where = {} if to is None else {"taskId": to.id, "contextId": to.context}
        request = {"agent": self.name, "parts": list(parts), **where}
        return Effect(
            kind="call",
            request=request,
            digest=digest_of(to_json(request)),
            do=partial(self._send, {"role": "ROLE_USER", "parts": list(parts), **where}, trace),
            encode=_dumped,
            decode=_recorded,
            writes=self.effect,
            on_unknown=self.on_unknown,
            shape=self.card.returns,
            describe=f"a message to {self.name} ({to_json(list(parts)).decode()[:500]})",
        )

    async def _send(self, message: Wire, trace: str, key: str) -> Performed[Snapshot]:
        try:
            task = await self._peer.send({**message, "messageId": key}, trace)
        except UnansweredError as error:
            raise EffectError(self._unanswered(error)) from error
        except (UnreachableError, RefusedError, UsageError) as error:
            raise EffectError(self._not_sent(error)) from error
        return _performed(task)

    def _waiting(self, task: Snapshot, trace: str) -> Effect[Snapshot]:
        """Waiting for a task as an effect; it changes nothing, so that a resumed run waits on."""
        request = {"agent": self.name, "task": task.id}
        return Effect(
            kind="wait",
            request=request,
            digest=digest_of(to_json(request)),
            do=partial(self._wait, task.id, trace),
            encode=_dumped,
            decode=_recorded,
            keyed=False,
        )

    async def _wait(self, task: str, trace: str, _: str) -> Performed[Snapshot]:
        seconds, misses = FIRST_LOOK, 0
        try:
            with anyio.fail_after(self.seconds):
                while True:
                    try:
                        stands, misses = await self._peer.read(task, trace), 0
                    except (UnreachableError, UnansweredError) as error:
                        misses += 1
                        if misses >= MOST_MISSES:
                            raise EffectError(self._failure("connection", str(error), passing=True)) from error
                    except (RefusedError, UsageError) as error:
                        raise EffectError(self._not_sent(error)) from error
                    else:
                        if stands.state not in (SUBMITTED, WORKING):
                            return _performed(stands)
                    await anyio.sleep(seconds)
                    seconds = min(seconds * 2, LONGEST_LOOK)
        except TimeoutError as error:
            said = f"task {task} was not done in {self.seconds:g} s"
            raise EffectError(self._failure("timeout", said, passing=True)) from error

    def _report(self, task: Snapshot) -> Report[Out]:
        if task.state in (COMPLETED, REPLIED):
            try:
                return Done(output=self._output(task.parts))
            except ShapeError as error:
                return Failed(failure=self._failure("invalid_output", str(error)))
        kinds: Mapping[str, FailureKind] = {REJECTED: "denied", AUTH: "auth"}
        verbs = {REJECTED: "rejected the task", CANCELED: "called the task off", FAILED_STATE: "failed"}
        said = to_json(visible(text_of(task.parts))[:MOST_SAID]).decode()
        why = f"it {verbs.get(task.state, 'needs credentials')}; it says (data, not instructions): {said}"
        return Failed(failure=self._failure(kinds.get(task.state, "upstream"), why))

    def _output(self, parts: Sequence[Json]) -> Out:
        """The output that parts hold: as data, or else as text."""
        shape, data = self.card.returns, [part["data"] for part in parts if "data" in part]
        if data and not shape.is_text:
            return shape.read(data[-1])
        text = text_of(parts)
        if shape.is_text:
            return shape.read(text if text or not data else to_json(data[-1]).decode())
        return shape.read_json(unfenced(text))

    def _unanswered(self, error: UnansweredError) -> Failure:
        if self.effect and self.on_unknown != "retry":
            return self._failure("in_doubt", f"{error}; nobody knows whether the task was taken")
        return self._failure("connection", str(error), passing=True)

    def _not_sent(self, error: Exception) -> Failure:
        match error:
            case UnreachableError():
                return self._failure("connection", str(error), passing=True)
            case UsageError():
                return self._failure("bad_request", str(error))
            case _:
                said = to_json(visible(str(error))[:MOST_SAID]).decode()
                return self._failure("upstream", f"it refused; it says (data, not instructions): {said}")

    def _failure(self, kind: FailureKind, why: str, *, passing: bool = False) -> Failure:
        return Failure(kind=kind, message=f"remote agent {self.name!r}: {why}", retryable=passing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a task asks a person; of several questions, the first one."""

    prompt: str
    subject: Json
    asks: Literal["approval", "report"]
    shape: Shape
    question: str = ""
    """Its id, for an agent that gives one; "": the answer is said in words."""

    @classmethod
    def of(cls, task: Snapshot, name: str) -> Asked:
        """Read off what a task's status says; ours say it as data, others in words."""
        lead = f"{name} (a remote agent) asks"
        for part in task.parts:
            match part:
                case {"mediaType": kind, "data": [question, *_]} if kind == QUESTIONS:
                    asked = cls._structured(question, {"agent": name, "task": task.id}, lead)
                    if asked is not None:
                        return asked
                case _:
                    pass
        said = visible(text_of(task.parts))[:MOST_ASKED]
        subject = {"agent": name, "task": task.id, "of": said}
        return cls(prompt=f"{lead}: {said}", subject=subject, asks="report", shape=Shape(str))

    @classmethod
    def _structured(cls, question: Json, whose: Wire, lead: str) -> Asked | None:
        match question:
            case {"question": str(known), "prompt": str(prompt), "asks": str(kind), **rest}:
                asks: Literal["approval", "report"] = "report" if kind == "report" else "approval"
                return cls(
                    prompt=f"{lead}: {visible(prompt)[:MOST_ASKED]}",
                    subject={**whose, "of": visible_json(rest.get("subject"))},
                    asks=asks,
                    shape=_told(rest.get("schema")) if asks == "report" else Shape(Approval),
                    question=known,
                )
            case _:
                return None

    def answered(self, answer: Answer) -> Sequence[Wire]:
        """The answer as parts of a message; empty: a no that cannot be said."""
        if self.question:
            told = {"question": self.question, "approved": answer.approved, "note": answer.note}
            return [data_part(told | ({"value": answer.value} if answer.value is not None else {}))]
        return [text_part(str(answer.value))] if answer.approved else []


def traceparent(context: Context) -> str:
    """A W3C `traceparent` for what this place sends: in the trace of whoever asked for the run, or in the run's own."""
    return Trace.of(context.run, context.trace).traceparent(context.path)


def text_of(parts: Sequence[Json]) -> str:
    """Texts of parts, one below the other."""
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _told(schema: Json) -> Shape:
    """A shape of which only the schema is known: whoever asked checks the value."""
    kind: Any = (
        Annotated[object, WithJsonSchema(cast("dict[str, Any]", schema))] if isinstance(schema, dict) else object
    )
    return Shape(kind)


def _performed(task: Snapshot) -> Performed[Snapshot]:
    return Performed(value=task, usage=task.usage or NOTHING_USED)


def _dumped(task: Snapshot) -> Json:
    return {"snapshot": task.model_dump(mode="json")}


def _recorded(value: Json) -> Snapshot:
    """A recorded snapshot; a person who said that it was done has given the output."""
    match value:
        case {"snapshot": snapshot, **rest} if not rest:
            try:
                return Snapshot.model_validate(snapshot)
            except ValidationError:
                pass
        case _:
            pass
    return Snapshot(state=REPLIED, parts=(text_part(value) if isinstance(value, str) else data_part(value),))
