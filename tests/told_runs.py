"""Runs that are told and not driven: whatever is listed happens, so that every byte about it is known."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from echelon.protocols.contracts import Card
from echelon.protocols.conversation import Delta
from echelon.protocols.errors import AnswerError, JournalError, UnknownRunError
from echelon.protocols.events import Answered, Cancelled, Claimed, EffectStarted, Event, RunEnded, RunStarted
from echelon.protocols.gateway.asgi import App, Send
from echelon.protocols.gateway.asgi import Event as Message
from echelon.protocols.gateway.runs import Order, Seen, Standing, Tally
from echelon.protocols.messages import Answer, Budget, Done, Failed, Failure, FailureKind, Json
from echelon.protocols.shapes import Shape
from echelon.protocols.storage import RunStatus
from echelon.supervisor.answers import open_questions
from echelon.supervisor.log import status_after
from echelon.supervisor.standing import tags_of

RUN = "run-7"
BEGAN = 1_700_000_000.0
"""When everything happens."""

Happening = Event | Delta | float | JournalError
"""An event, a piece of text, seconds in which nothing happens, or the end of whoever watches."""

SPEAKS = EffectStarted(kind="model", n=0, digest="d", request={"model": "m", "head_digest": "h", "head": {"tools": []}})
"""The root asks a model that has no tools."""


def done(output: Json) -> RunEnded:
    """End well."""
    return RunEnded(report=Done(output=output))


def failed(kind: FailureKind) -> RunEnded:
    """End badly."""
    return RunEnded(report=Failed(failure=Failure(kind=kind, message="the password is swordfish")))


@dataclass
class Told:
    """Tells the one run of one team; what follows an answer comes after it."""

    happens: Sequence[Happening]
    follows: Sequence[Happening] = ()
    returns: type[Any] = str
    orders: list[Order] = field(default_factory=list[Order])
    log: list[str] = field(default_factory=list[str])
    """Who came to watch and left, in order."""
    past: list[Seen] = field(default_factory=list[Seen])

    def __post_init__(self) -> None:
        self._left = list(self.happens)
        self._woken = False

    @property
    def teams(self) -> Mapping[str, Card]:
        """The one."""
        return {"desk": Card(name="desk", description="", accepts=Shape(str), returns=Shape(self.returns))}

    @property
    def tally(self) -> Tally:
        """Nothing to tell."""
        return Tally()

    async def begin(self, order: Order) -> str:
        """Begin the run."""
        self.orders.append(order)
        tags = tags_of(order)
        started = RunStarted(run=RUN, worker="desk", task="", definitions={}, budget=Budget(), tags=tags)
        self._happened(started)
        self._happened(Claimed(owner="me"))
        return RUN

    def _happened(self, event: Event) -> Seen:
        self._woken = False
        seen = Seen(len(self.past) + 1, BEGAN, event)
        self.past.append(seen)
        return seen

    @asynccontextmanager
    async def watch(self, run_id: str, *, after: int = 0) -> AsyncGenerator[AsyncIterator[Seen | Delta]]:
        """Tell what has happened, and let the rest happen."""
        self.log.append("came")
        async with aclosing(self._told(after)) as told:
            try:
                yield told
            finally:
                self.log.append("left")

    async def _told(self, after: int) -> AsyncGenerator[Seen | Delta]:
        for seen in list(self.past):
            if seen.seq > after:
                yield seen
        while self._left:
            match self._left.pop(0):
                case JournalError() as error:
                    raise error
                case int() | float() as seconds:
                    await anyio.sleep(seconds)
                case Delta() as delta:
                    yield delta
                case event:
                    yield self._happened(event)

    async def standing(self, run_id: str) -> Standing:
        """How the run stands."""
        if run_id != RUN or not self.past:
            raise UnknownRunError(run_id)
        events = [seen.event for seen in self.past]
        last, order = events[-1], self.orders[0]
        status = "running" if self._woken else status_after(last)
        return Standing(
            run=RUN, team="desk", status=status, principal=order.principal, surface=order.surface,
            thread=order.thread, started=BEGAN, updated=BEGAN, report=None,
            questions=tuple(open_questions(events)) if status == "waiting" else (),
        )  # fmt: skip

    async def find(
        self, *, thread: str = "", principal: str = "", status: RunStatus | None = None
    ) -> Sequence[Standing]:
        """The run, if it is the one."""
        if not self.past:
            return []
        stands = await self.standing(RUN)
        fits = thread in ("", stands.thread) and principal in ("", stands.principal)
        return [stands] if fits and status in (None, stands.status) else []

    async def events(self, run_id: str) -> Sequence[Seen]:
        """What has happened."""
        if run_id != RUN or not self.past:
            raise UnknownRunError(run_id)
        return list(self.past)

    async def answer(
        self, run_id: str, question_id: str, *, approved: bool, by: str, value: Json = None, note: str = ""
    ) -> Answer:
        """Take the answer, and let happen what follows."""
        if question_id not in [question.id for question in open_questions([seen.event for seen in self.past])]:
            raise AnswerError("nobody asks that")
        given = Answer(question=question_id, digest="d", approved=approved, by=by, value=value, note=note)
        self._left = [Claimed(owner="me"), Answered(answer=given), *self.follows]
        self._woken = True
        return given

    async def cancel(self, run_id: str, *, reason: str) -> None:
        """Call it off."""
        self._happened(Cancelled(reason=reason))

    async def audit(self, *, principal: str = "") -> Mapping[str, str]:
        """Nothing is written anywhere that could be damaged."""
        return {RUN: ""}


@dataclass
class Asked:
    """One request to an application, without a socket in between, and what came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    frames: list[bytes] = field(default_factory=list[bytes])
    """Pieces of the body that were sent one by one; empty ones are left out."""

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.frames)

    async def __call__(self, message: Message) -> None:
        """Take a piece of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message.get("body"):
            self.frames.append(message["body"])


@dataclass(frozen=True, kw_only=True)
class Client:
    """How long a client is there, and whether it sends all of its request."""

    stays: float = 1e9
    """Seconds."""
    whole: bool = True


PATIENT = Client()


async def ask(
    app: App,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    client: Client = PATIENT,
    into: Asked | None = None,
) -> Asked:
    """Send a request as `ada`."""
    address, _, query = path.partition("?")
    given = {"content-type": "application/json"} | dict(headers or {})
    scope = {
        "type": "http", "method": method, "path": address, "raw_path": address.encode(), "root_path": "",
        "query_string": query.encode(), "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "state": {"principal": "ada"},
    }  # fmt: skip
    sent = [{"type": "http.request", "body": body, "more_body": not client.whole}]

    async def receive() -> Message:
        if sent:
            return sent.pop()
        await anyio.sleep(client.stays)
        return {"type": "http.disconnect"}

    answer = into or Asked()
    send: Send = answer
    await app(scope, receive, send)
    return answer
