"""A whole server on a loopback socket, in the loop of its test, whose host can be ended and begun anew on one store."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import uvicorn

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Reply, Request
from echelon.protocols.errors import EffectError
from echelon.protocols.gateway.app import application
from echelon.protocols.gateway.keys import Keys
from echelon.protocols.gateway.serving import Serving, hosts_of, origins_of
from echelon.protocols.messages import Approval, Failure, Message, Usage
from echelon.protocols.prices import FREE, Price
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor

from .hosting import Place

PATIENCE = 20.0
"""Seconds, longer than anything here takes on a busy machine, if it ends at all."""
KEYS = {"ada": "a" * 32, "bob": "b" * 32}
"""Of those who may ask."""


class Unsignalled(uvicorn.Server):
    """Leaves signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


@dataclass(frozen=True)
class Plug:
    """A server to be asked."""

    url: str
    host: Host

    def headers(self, who: str = "ada") -> dict[str, str]:
        """Say who asks."""
        return {"authorization": f"Bearer {KEYS[who]}"}


@asynccontextmanager
async def plugged(place: Place, folder: Path, *teams: Worker[Any, Any]) -> AsyncGenerator[Plug]:
    """Serve these teams."""
    path = folder / "keys"
    if not path.exists():
        path.touch(0o600)
        path.write_text("".join(f"{name}:{key}\n" for name, key in KEYS.items()))
    served = {team.card.name: team for team in teams}
    async with place() as store, Host(served, store, limits=Limits(drain=0.0, listen=None)) as host:

        def app(port: int) -> Any:
            hosts = hosts_of(port)
            return application(host, Serving(keys=Keys(path), hosts=hosts, origins=origins_of(hosts)))

        async with listening(app) as url:
            with anyio.fail_after(PATIENCE):
                yield Plug(url, host)


@asynccontextmanager
async def listening(make: Callable[[int], Any]) -> AsyncGenerator[str]:
    """Serve the application that is made for a port; its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        config = uvicorn.Config(make(port), log_config=None, ws="none", timeout_graceful_shutdown=1)
        server = Unsignalled(config)
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            yield f"http://127.0.0.1:{port}"
            server.should_exit = True


class Waiting:
    """A model that says a word, and the rest when it is let; it knows how many of its calls are under way."""

    name = "waiting"
    price: Price = FREE

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.opened = anyio.Event()
        self.left = anyio.Event()
        self.under_way = 0

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Say the first word, and wait."""
        self.under_way += 1
        try:
            if listen is not None:
                listen("First, ")
            self.begun.set()
            await self.opened.wait()
        finally:
            self.under_way -= 1
            self.left.set()
        return Reply(text="First, the gate.", usage=Usage(calls=1, input=10, output=4))

    @property
    def agent(self) -> Agent[str, str]:
        """The agent whose model this is."""
        return Agent("gate", "Wait.", accepts=str, returns=str, models=[self])


class Payment(Message):
    """What is to be paid."""

    iban: str
    cents: int


def desk(paid: list[Payment]) -> Supervisor[Payment, str]:
    """Lead a person who says yes or no, and a function that pays."""

    @worker(effect=True)
    async def pay(payment: Payment, approval: Approval) -> str:
        """Pays."""
        paid.append(payment)
        return f"paid {payment.cents}"

    cfo: Person[Payment, Approval] = Person("cfo", "May this be paid?", accepts=Payment, returns=Approval)
    flow: Workflow[Payment, str] = Workflow(Payment, str)
    flow.output(flow.step(pay, {"payment": flow.task, "approval": flow.step(cfo, flow.task)}))
    return Supervisor("desk", accepts=Payment, returns=str, team=[cfo, pay], planner=flow)


@worker
async def fails(text: str) -> str:
    """Fails."""
    raise EffectError(Failure(kind="tool_failed", message=f"the password is swordfish, {text}"))


def echo() -> Agent[str, str]:
    """Hire an agent that says back what it was asked."""
    return Agent("echo", "Say it.", accepts=str, returns=str, models=[ScriptedModel(_said_back)])


def _said_back(request: Request) -> Reply:
    message = request.messages[-1]
    return Reply(text=f"I heard: {getattr(message, 'text', '')}", usage=Usage(calls=1, input=10, output=4))
