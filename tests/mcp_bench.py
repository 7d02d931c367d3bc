"""Clients of MCP for the tests: people who answer forms, a model that can be held, a server on a loopback socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import httpx2
import uvicorn
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult

from echelon.agents.function import worker
from echelon.agents.person import Person
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Reply, Request
from echelon.protocols.gateway import keys
from echelon.protocols.gateway.app import application
from echelon.protocols.gateway.asgi import App, Receive, Scope, Send
from echelon.protocols.gateway.mcp.call import Patience
from echelon.protocols.gateway.mcp.server import Terms, server_of
from echelon.protocols.gateway.runs import Disconnect, Runs
from echelon.protocols.gateway.serving import Serving, hosts_of, origins_of
from echelon.protocols.messages import Approval
from echelon.protocols.prices import FREE, Price
from echelon.supervisor.host import Host
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, double
from .hosting import hosting, opened

T = TypeVar("T")

LEGACY, MODERN = "legacy", "2026-07-28"
ERAS = (LEGACY, MODERN)
SECRETS = ("the-first-key-of-this-server-0123",)
YES: Mapping[str, Any] = {"action": "accept", "content": {"answer": "yes"}}
NO: Mapping[str, Any] = {"action": "decline"}
GONE: Mapping[str, Any] = {"action": "cancel"}
BRIEF = Patience(asked=5.0, beat=5.0, look=0.01)


@dataclass
class User:
    """Somebody who sits at a client: answers its forms one after the other, and sees how things go."""

    answers: Sequence[Mapping[str, Any]] = ()
    forms: list[Any] = field(default_factory=list[Any])
    """What was asked: objects with a message and a schema."""
    lines: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """What was told meanwhile, with its number."""
    hold: Callable[[], Any] | None = None
    """Waited for before a form is answered; None: nothing."""

    async def fill_in(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        """Answer a form."""
        self.forms.append(params)
        if self.hold is not None:
            await self.hold()
        return ElicitResult.model_validate(self.answers[len(self.forms) - 1])

    async def hear(self, progress: float, total: float | None, message: str | None) -> None:
        """Be told how things go."""
        self.lines.append((progress, message or ""))

    def client(self, server: Any, era: str) -> Client:
        """Open a client; one without answers cannot ask its user."""
        asks = self.fill_in if self.answers else None
        return Client(server, mode=era, elicitation_callback=asks, cache=None)

    async def call(self, server: Any, era: str, tool: str, **arguments: Any) -> CallToolResult:
        """Call a tool in a session of its own."""
        async with self.client(server, era) as client:
            outcome = await settled(client.call_tool(tool, arguments, progress_callback=self.hear))
        return outcome()


async def settled(call: Awaitable[T]) -> Callable[[], T]:
    """What came of a call, for outside of the client's block, which would wrap an error in a group."""
    try:
        value = await call
    except MCPError as error:
        raised = error
    else:
        return lambda: value

    def fail() -> T:
        raise raised

    return fail


def terms(*, who: str = "ada", secrets: Sequence[str] = SECRETS, **more: Any) -> Terms:
    """Serve one principal."""
    whole: dict[str, Any] = {"patience": BRIEF} | more
    return Terms(whose=lambda _: who, secrets=secrets, **whole)


def server(runs: Runs, disconnect: Disconnect = "cancel", **more: Any) -> Server[Any]:
    """Serve a host in this process."""
    return server_of(runs, terms(disconnect=disconnect, **more))


def text(result: CallToolResult) -> str:
    """What a result says."""
    (part,) = result.content
    assert part.type == "text"
    return part.text


def run_of(result: CallToolResult) -> str:
    """The run that a result is about."""
    assert result.meta is not None
    return str(result.meta["echelon/run"])


class Held:
    """A model that answers when it is let; it knows how many of its calls are under way."""

    name = "held"
    price: Price = FREE

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.opened = anyio.Event()
        self.under_way = 0
        self.calls = 0

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Wait, and answer."""
        self.calls += 1
        self.under_way += 1
        self.begun.set()
        try:
            await self.opened.wait()
        finally:
            self.under_way -= 1
        return Reply(text="done at last")


@dataclass
class Site:
    """A server on a loopback socket."""

    url: str
    bearers: Mapping[str, str]
    """The keys, by principal."""
    lines: list[Mapping[str, Any]]
    """Of its access log."""

    @asynccontextmanager
    async def client(self, user: User, era: str, who: str = keys.OWNER) -> AsyncGenerator[Client]:
        """Open a client with somebody's key."""
        bearer = {"authorization": f"Bearer {self.bearers[who]}"}
        async with httpx2.AsyncClient(headers=bearer) as http:
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with user.client(transport, era) as client:
                yield client


def straight(app: App, key: str) -> App:
    """Let requests in as they are."""
    return app


def unlocked(app: App, key: str) -> App:
    """Let everybody in with this key: for clients that cannot send one."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        bearer = (b"authorization", f"Bearer {key}".encode())
        await app({**scope, "headers": [*scope.get("headers", ()), bearer]}, receive, send)

    return serve


@asynccontextmanager
async def site(
    runs: Runs, folder: Path, *others: str, door: Callable[[App, str], App] = straight
) -> AsyncGenerator[Site]:
    """Serve a host as `echelon serve` does, to its owner and others."""
    path = folder / "keys"
    keys.make(path)
    for name in others:
        with path.open("a") as lines:
            lines.write(f"{name}:{keys.fresh()}\n")
    known = keys.Keys(path)
    told: list[Mapping[str, Any]] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        hosts = hosts_of(listener.getsockname()[1])
        serving = Serving(keys=known, hosts=hosts, origins=origins_of(hosts), log=told.append)
        app = door(application(runs, serving), known.known[keys.OWNER])
        config = uvicorn.Config(app, lifespan="on", log_config=None, timeout_graceful_shutdown=1)
        serves = uvicorn.Server(config)
        async with anyio.create_task_group() as group:
            group.start_soon(serves.serve, [listener])
            while not serves.started:
                await anyio.lowlevel.checkpoint()
            yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", known.known, told)
            serves.should_exit = True


class Till:
    """A desk that doubles a number, asks whether that may be paid, and pays; it knows what it has paid."""

    def __init__(self) -> None:
        self.paid: list[int] = []

        @worker(effect=True)
        async def pay(number: Number, approval: Approval) -> str:
            """Pay."""
            self.paid.append(number.n)
            return f"paid {number.n}, said {approval.by}: {approval.note}"

        boss = Person("boss", "May this be paid?", accepts=Number, returns=Approval)
        flow = Workflow(Number, str)
        twice = flow.step(double, flow.task)
        flow.output(flow.step(pay, {"number": twice, "approval": flow.step(boss, twice)}))
        team: list[Worker[Any, Any]] = [double, boss, pay]
        self.desk: Worker[Any, Any] = Supervisor("desk", accepts=Number, returns=str, team=team, planner=flow)


@asynccontextmanager
async def kept(*teams: Worker[Any, Any], **limits: Any) -> AsyncGenerator[Host]:
    """Host teams in memory."""
    async with hosting(opened("memory", Path("nowhere")), *teams, **limits) as host:
        yield host


async def runs_of(host: Runs, status: Any = None) -> list[str]:
    """The runs of a host, the latest first."""
    return [stands.run for stands in await host.find(status=status)]
