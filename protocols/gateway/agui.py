"""AG-UI over HTTP, as a surface of the server: an AG-UI run of a team at `/ag-ui/TEAM`, told as server-sent events.

1. An input without `resume` begins a run, on all that was said in it; the same thread and run id is the same run. A
   task that is already JSON may stand in `forwardedProps.task`.
2. While the caller's last run in the thread waits for people, `resume` answers it: each open interrupt, and no other.
   What was abandoned is a no. An input without it is told the interrupts again; nothing else is begun.
3. A client that hangs up calls its run off, or leaves it running, as the server is told; one that waits stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ..conversation import Delta
from ..errors import AnswerError, EchelonError, MissingExtraError, ShapeError
from ..messages import Json, Question
from ..shapes import faults_of
from .agui_events import Telling, Wire
from .app import told
from .asgi import App, Receive, Refused, Scope, Send, header_of, note_run, principal_of, refuse
from .conversation import conversation_of
from .legs import Leg, legs_of
from .openai.following import follow
from .runs import Order, Runs, Seen, Standing
from .serving import Serving, Surface
from .sse import COMMENT, EventStream, Sink, frame

if TYPE_CHECKING:
    from ag_ui.core import ResumeEntry, RunAgentInput

SURFACE = "ag-ui"
PREFIX = "/ag-ui"
BEAT_SECONDS = 15.0
MOST_ID = 200
"""Characters of a client's ids."""
MOST_TRACE = 64
SAID = frozenset({"user", "assistant", "system", "developer"})
"""Roles of messages that say something."""


def surface(runs: Runs, serving: Serving) -> Surface:
    """The surface.

    Raises:
        MissingExtraError: the SDK is not installed.
    """
    try:
        import_module("ag_ui.core")
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtraError("AG-UI", "agui") from error
    routes = [Route(f"{PREFIX}/{team}", Endpoint(runs, serving, team)) for team in runs.teams]
    return Surface(name=SURFACE, routes=routes, prefix=PREFIX)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an AG-UI run begins in a run of ours."""

    run: str
    after: int = 0
    """Seq of the last event before it."""
    again: bool = False
    """Whether it tells open interrupts once more."""


class Endpoint:
    """Where the AG-UI runs of a team are begun."""

    def __init__(self, runs: Runs, serving: Serving, team: str) -> None:
        self._runs = runs
        self._serving = serving
        self._team = team

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin a run, or go on with one, and tell it."""
        if scope["method"] != "POST":
            await refuse(scope, send, Refused(status=405, message="Only POST is allowed here."))
            return
        from starlette.requests import Request

        given = read(await Request(scope, receive).body())
        place = await self._place(given, scope)
        note_run(scope, place.run)
        await self._told(given, place)(scope, receive, send)

    async def _place(self, given: RunAgentInput, scope: Scope) -> Place:
        thread, principal = f"{SURFACE}:{given.thread_id}", principal_of(scope)
        waiting = await self._waiting(thread, principal)
        if waiting is not None:
            last = (await self._runs.events(waiting.run))[-1].seq
            if not given.resume:
                return Place(waiting.run, last, again=True)
            await self._resume(waiting, given.resume)
            return Place(waiting.run, last)
        if given.resume:
            raise AnswerError("nothing is open in this thread")
        order = Order(
            team=self._team,
            task=task_in(given),
            principal=principal,
            surface=SURFACE,
            thread=thread,
            key=f"{thread}:{given.run_id}",
            trace=header_of(scope, "traceparent")[:MOST_TRACE],
            disconnect=self._serving.disconnect,
        )
        return Place(await self._runs.begin(order))

    async def _waiting(self, thread: str, principal: str) -> Standing | None:
        """The caller's last run in a thread, if it waits."""
        for one in await self._runs.find(thread=thread, principal=principal):
            if (one.surface, one.team) == (SURFACE, self._team):
                return one if one.status == "waiting" else None
        return None

    async def _resume(self, stands: Standing, entries: Sequence[ResumeEntry]) -> None:
        """Give the answers.

        Raises:
            AnswerError: they are not answers to each open interrupt, or one of them is not taken.
        """
        asked = {one.id: one for one in stands.questions}
        if sorted(entry.interrupt_id for entry in entries) != sorted(asked):
            raise AnswerError(f"`resume` answers each open interrupt once, and no other; open are {', '.join(asked)}")
        answers = [(entry.interrupt_id, *answer_in(entry, asked[entry.interrupt_id])) for entry in entries]
        for question, approved, value, note in answers:
            await self._runs.answer(
                stands.run, question, approved=approved, by=stands.principal, value=value, note=note
            )

    def _told(self, given: RunAgentInput, place: Place) -> App:
        telling = Telling(self._runs.teams[self._team], given.thread_id, given.run_id, place.run)

        async def produce(sink: Sink) -> None:
            async def tell(events: Sequence[Wire]) -> None:
                await sink.write(b"".join(frame(event) for event in events))

            async def hear(seen: Seen | Delta) -> None:
                await tell(telling.take(seen))

            try:
                if place.after:
                    telling.recall((await self._runs.events(place.run))[: place.after])
                await tell(telling.begin())
                if not place.again:
                    await follow(self._runs, place.run, place.after, hear)
                await tell(telling.end(await self._leg(place)))
            except EchelonError as error:
                refused = told(error)
                await tell(telling.broken(refused.message, refused.code or "broken"))

        return EventStream(produce=produce, beat=COMMENT, seconds=BEAT_SECONDS)

    async def _leg(self, place: Place) -> Leg:
        return legs_of(place.run, await self._runs.events(place.run))[-1]


def read(body: bytes) -> RunAgentInput:
    """The input of an AG-UI run.

    Raises:
        ShapeError: it is none.
    """
    from ag_ui.core import RunAgentInput

    try:
        given = RunAgentInput.model_validate_json(body)
    except ValidationError as error:
        raise ShapeError("a RunAgentInput", faults_of(error)) from error
    ids = (given.thread_id, given.run_id)
    if not all(0 < len(each) <= MOST_ID for each in ids):
        raise ShapeError("a RunAgentInput", (f"threadId and runId have 1 to {MOST_ID} characters",))
    return given


def task_in(given: RunAgentInput) -> Json:
    """The task of an input: what was said, or JSON beside it.

    Raises:
        ShapeError: nothing was said, or not as text.
    """
    props = given.forwarded_props
    if isinstance(props, dict) and "task" in props:
        return cast("dict[str, Json]", props)["task"]
    messages: list[Any] = [one.model_dump(mode="json", by_alias=True) for one in given.messages if one.role in SAID]
    return conversation_of(messages)


def answer_in(entry: ResumeEntry, question: Question) -> tuple[bool, Json, str]:
    """Whether it is a yes, the value, and a note.

    Raises:
        AnswerError: it is neither a yes nor a no.
    """
    if entry.status == "cancelled":
        return False, None, ""
    payload: Json = entry.payload
    if question.asks == "report":
        return True, payload, ""
    fields = cast("dict[str, Json]", payload) if isinstance(payload, dict) else {"approved": payload}
    if not isinstance(fields.get("approved"), bool):
        raise AnswerError(f"question {question.id}: expected a payload with `approved`, true or false")
    value = fields.get("value") if question.asks == "in_doubt" else None
    return fields["approved"], value, str(fields.get("note") or "")
