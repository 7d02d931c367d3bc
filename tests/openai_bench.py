"""A server that speaks OpenAI's APIs, on a loopback socket in a thread of its own, and the teams that it serves."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx2
import openai
import uvicorn
from starlette.applications import Starlette

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Reply, Request
from echelon.protocols.gateway.asgi import App, Receive, Scope, Send, state_of
from echelon.protocols.gateway.openai.routes import routes
from echelon.protocols.gateway.openai.settings import Settings
from echelon.protocols.messages import Approval, Done, Failed, Failure, FailureKind, Message, Reject, Usage
from echelon.protocols.prices import FREE, Price
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor

PATIENCE = 5.0
"""Seconds that anything here is waited for, unless it is known not to come."""
SPENT = Usage(calls=1, input=10, cache_read=5, output=4, reasoning=3)
"""What each model call of the desk costs."""


class Gate:
    """A model that says a word, and the rest when it is let; it knows how many of its calls are under way."""

    name = "gate"
    price: Price = FREE

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._changed = threading.Condition()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.calls = 0

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Say the first word, and wait."""
        if listen is not None:
            listen("First, ")
        await self.hold()
        return Reply(text="First, the gate.", usage=SPENT)

    async def hold(self) -> None:
        """Wait until it is let."""
        mine = (asyncio.get_running_loop(), asyncio.Event())
        self._count(lambda: self._waiting.add(mine), 1)
        try:
            await mine[1].wait()
        finally:
            self._count(lambda: self._waiting.discard(mine), 0)

    def _count(self, change: Callable[[], object], calls: int) -> None:
        with self._changed:
            self.calls += calls
            change()
            self._changed.notify_all()

    def open(self) -> None:
        """Let those through who wait."""
        with self._changed:
            for loop, event in self._waiting:
                loop.call_soon_threadsafe(event.set)

    def until(self, under_way: int) -> bool:
        """Wait until so many calls are under way; False: they never were."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiting) == under_way, self._patience)


class Numbers(Message):
    """Some numbers."""

    numbers: list[int]


class Total(Message):
    """Their sum."""

    total: int
    count: int


@worker
async def adder(task: Numbers) -> Total:
    """Add numbers."""
    return Total(total=sum(task.numbers), count=len(task.numbers))


@worker
async def fails(kind: str) -> Done[str] | Failed:
    """Fail in the way that is asked for."""
    secret = "the password is swordfish"
    return Failed(failure=Failure(kind=cast("FailureKind", kind), message=secret))


def says(name: str, text: str) -> Agent[str, str]:
    """Hire an agent that always says the same."""
    return Agent(
        name, "Say it.", accepts=str, returns=str, models=[ScriptedModel(lambda _: Reply(text=text, usage=SPENT))]
    )


def last_said(request: Request) -> str:
    """Repeat what was said."""
    return request.messages[-1].text


def desk(name: str = "desk", reviewer: Reviewer | None = None) -> Supervisor[str, str]:
    """Lead a reader and a writer."""
    team = [says("reader", "what was read"), says("writer", "What was written.")]
    flow: Workflow[str, str] = Workflow(str, str)
    flow.output(flow.step(team[1], flow.step(team[0], flow.task)))
    return Supervisor(name, accepts=str, returns=str, team=team, planner=flow, reviewer=reviewer)


def teams(gate: Gate) -> dict[str, Worker[Any, Any]]:
    """All that are served."""
    wrong = Reviewer(checks=[lambda draft: Reject(reason="the total is wrong")])
    return {
        "echo": says("echo", "You are welcome."),
        "desk": desk(),
        "rejects": desk("rejects", wrong),
        "adder": adder,
        "asks": Person("boss", "May this be paid?", accepts=str, returns=Approval),
        "counts": Person("eva", "How many?", accepts=str, returns=Total),
        "parrot": Agent("parrot", "Repeat.", accepts=str, returns=str, models=[ScriptedModel(last_said)]),
        "fails": fails,
        "gate": Agent("gate", "Wait.", accepts=str, returns=str, models=[gate]),
    }


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A server to be checked."""

    url: str
    """Up to and with `/v1`."""
    gate: Gate
    """The model of the team `gate`."""
    begun: Callable[[], int]
    """How many runs were begun so far."""
    http: httpx2.Client
    """Shared by the clients of this server: to make one takes longer than most checks."""

    @contextmanager
    def client(self, key: str = "ada", **options: Any) -> Generator[openai.OpenAI]:
        """Open the SDK's client."""
        whole: dict[str, Any] = {"max_retries": 0, "timeout": self.http.timeout} | options
        yield openai.OpenAI(base_url=self.url, api_key=key, http_client=self.http, **whole)

    def asynchronous(self) -> openai.AsyncOpenAI:
        """Open the SDK's other client."""
        return openai.AsyncOpenAI(base_url=self.url, api_key="ada", max_retries=0, timeout=self.http.timeout)

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> httpx2.Response:
        """Send a request as it is."""
        whole = {"authorization": "Bearer ada"} | dict(headers or {})
        return self.http.request(method, self.url + path, headers=whole, **options)


class Keyed:
    """Takes the bearer key for the name of whoever asks."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say who asks."""
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode()
            state_of(scope)["principal"] = given.removeprefix("Bearer ")
        await self._app(scope, receive, send)


@contextmanager
def listening(app: App) -> Generator[str]:
    """Serve an application in a thread; its address, up to and with `/v1`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        config = uvicorn.Config(app, log_level="critical", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def serving(
    settings: Settings | None = None, store: MemoryJournal | None = None, *, most: int = 32
) -> Generator[Bench]:
    """Serve the teams with the real surface over a real host, which drives at most so many runs at once."""
    gate = Gate()
    host = Host(teams(gate), store or MemoryJournal(), limits=Limits(runs=most, drain=0.0, listen=None))

    @asynccontextmanager
    async def living(app: Starlette) -> AsyncGenerator[None]:
        async with host:
            yield

    application = Starlette(routes=routes(host, settings or Settings()), lifespan=living)
    with listening(Keyed(application)) as url, httpx2.Client(timeout=PATIENCE) as http:
        yield Bench(url=url, gate=gate, begun=lambda: host.tally.turned.get("running", 0), http=http)
