"""The OpenAI surface over runs that are told, in virtual time and without a socket."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
import trio.testing
from starlette.routing import Router

from echelon.protocols.gateway.asgi import App
from echelon.protocols.gateway.openai.routes import routes
from echelon.protocols.gateway.openai.settings import Settings

from .told_runs import BEGAN, Asked, Told, ask

T = TypeVar("T")

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"


def served(runs: Told, settings: Settings | None = None) -> App:
    """Serve these runs, at the time at which everything happens."""
    return Router(routes(runs, settings or Settings(), lambda: BEGAN))


def at_once(work: Callable[[], Awaitable[T]]) -> T:
    """Do something in virtual time."""
    result: T = trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))
    return result


def chat(runs: Told, settings: Settings | None = None, **fields: Any) -> Asked:
    """Send a chat, and give back what was sent."""
    body = {"model": "desk", "messages": [{"role": "user", "content": "Hi"}]} | fields
    return at_once(lambda: ask(served(runs, settings), "POST", CHAT, json.dumps(body).encode()))


def respond(runs: Told, settings: Settings | None = None, **fields: Any) -> Asked:
    """Create a response, and give back what was sent."""
    body = {"model": "desk", "input": "Hi"} | fields
    return at_once(lambda: ask(served(runs, settings), "POST", RESPONSES, json.dumps(body).encode()))


def read(answer: Asked) -> Any:
    """Read a body."""
    return json.loads(answer.body)
