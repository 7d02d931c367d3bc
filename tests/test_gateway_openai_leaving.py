"""A client that leaves at the worst moment leaves no run behind."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette

from echelon.protocols.gateway.openai.routes import routes
from echelon.protocols.gateway.openai.settings import Settings
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal

from .openai_bench import Gate, teams

Message = MutableMapping[str, Any]
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """What the server runs on."""
    return "asyncio"


def scope() -> Message:
    return {
        "type": "http", "method": "POST", "path": "/v1/chat/completions", "raw_path": b"/v1/chat/completions",
        "root_path": "", "query_string": b"", "headers": [(b"content-type", b"application/json")],
        "state": {"principal": "ada"},
    }  # fmt: skip


def leaving(body: bytes, left: anyio.Event) -> Callable[[], Awaitable[Message]]:
    """Say everything, and then that nobody listens any more as soon as `left` is set."""
    said = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if said:
            return said.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    return receive


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_client_that_leaves_while_a_frame_is_sent_calls_its_run_off(at: int) -> None:
    """The head is frame 1, the first chunk frame 2; what comes after would wait at the gate."""
    left, sent = anyio.Event(), 0

    async def send(message: Message) -> None:
        nonlocal sent
        sent += 1
        if sent >= at:
            left.set()
            await anyio.wait_all_tasks_blocked()  # as a socket that takes its time
            raise OSError("the client is gone")

    body = json.dumps({"model": "gate", "messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
    async with Host(teams(Gate()), MemoryJournal(), limits=Limits(drain=0.0, listen=None)) as host:
        app = Starlette(routes=routes(host, Settings(seconds=0.01)))
        with anyio.fail_after(10):
            await app(scope(), leaving(body, left), send)
            while [run.status for run in await host.find()] != ["cancelled"]:
                await anyio.lowlevel.checkpoint()
