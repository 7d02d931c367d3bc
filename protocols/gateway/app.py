"""The server as one ASGI application: the surfaces behind the guard, health, meters, and the way in for a browser.

    application(runs, serving)

Each surface is mounted if what it needs is installed; `/readyz` says which are on, and which extras the others need.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import cache
from typing import TYPE_CHECKING, cast

from ..errors import (
    AnswerError,
    BusyError,
    EchelonError,
    JournalError,
    MissingExtraError,
    ShapeError,
    UnknownRunError,
    UsageError,
)
from ..messages import Json
from . import login
from .access import Access
from .asgi import App, Event, Receive, Refused, Scope, Send, Wording, again, answer, as_body, plainly, refuse
from .guard import Guard, is_below
from .metrics import KIND, Meter
from .runs import Runs
from .serving import Serving, Surface
from .surfaces import mounted

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2
BROKEN = Refused(
    status=500, message="The server could not go on with this request.", headers=(("x-should-retry", "false"),)
)


def application(runs: Runs, serving: Serving) -> App:
    """The server.

    Raises:
        MissingExtraError: what every server needs is not installed.
    """
    try:
        from starlette.routing import Route, Router
    except ImportError as error:
        raise MissingExtraError("serving", "serve") from error
    surfaces, missing = mounted(runs, serving)
    meter = Meter()

    def ready() -> tuple[int, bytes, str]:
        on = {surface.name: "on" for surface in surfaces}
        off = {name: f"off: needs echelon[{extra}]" for name, extra in missing.items()}
        is_ready = runs.tally.limit > 0
        told: Json = {"status": "ready" if is_ready else "shutting down", "surfaces": {**on, **off}}
        return (200 if is_ready else 503), as_body(told), "application/json"

    @cache
    def described() -> bytes:
        from .openapi import document  # its models are built for this alone

        return as_body(document((one for surface in surfaces for one in surface.operations()), serving))

    routes: list[BaseRoute] = [
        Route("/healthz", Page(lambda: (200, b'{"status":"ok"}', "application/json"))),
        Route("/readyz", Page(ready)),
        Route("/metrics", Page(lambda: (200, meter.text(runs.tally).encode(), KIND))),
        Route("/openapi.json", Page(lambda: (200, described(), "application/json"))),
        *login.routes(serving),
        *(route for surface in surfaces for route in surface.routes),
    ]
    wordings = [(surface.prefix, surface.wording) for surface in surfaces if surface.prefix]
    router = cast("App", Router(routes, redirect_slashes=False))
    served = Guard(Errors(router, wordings), serving, wordings)
    return Access(Lifespan(served, surfaces), meter, serving.log, Routes(routes).of)


class Page:
    """An address that may only be read; `make` gives status, body and type."""

    def __init__(self, make: Callable[[], tuple[int, bytes, str]]) -> None:
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["method"] not in ("GET", "HEAD"):
            await refuse(
                scope, send, Refused(status=405, message="Only GET is allowed here.", headers=(("allow", "GET"),))
            )
            return
        status, body, kind = self._make()
        await answer(send, status, body, kind)


class Errors:
    """Tells every error of an application in the shape of its surface, and none of its internals."""

    def __init__(self, app: App, wordings: Sequence[tuple[str, Wording]]) -> None:
        self._app = app
        self._wordings = wordings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or say why not; a defect is logged by its place."""
        from starlette.exceptions import HTTPException
        from starlette.requests import ClientDisconnect

        scope["app"] = self  # starlette raises an error for a missing route if there is an app, else it answers itself
        started = False

        async def sent(event: Event) -> None:
            nonlocal started
            started = started or event["type"] in ("http.response.start", "websocket.accept")
            await send(event)

        try:
            await self._app(scope, receive, sent)
        except ClientDisconnect:
            return
        except HTTPException as error:
            headers = tuple((error.headers or {}).items())
            refused = Refused(status=error.status_code, message=f"{error.detail}.", headers=headers)
        except EchelonError as error:
            refused = told(error)
        except Exception as error:
            logger.exception("a request to %s broke off", scope["path"], exc_info=error)
            refused = BROKEN
        else:
            return
        if not started:
            wording = next((wording for prefix, wording in self._wordings if is_below(scope["path"], prefix)), plainly)
            await refuse(scope, send, refused, wording)


def told(error: EchelonError) -> Refused:
    """What a client is told of an error of ours.

    Example:
        >>> told(UnknownRunError("run-1")).status, told(ShapeError("Task", ["/n: field required"])).message
        (404, 'The task does not fit: expected Task: /n: field required.')
    """
    match error:
        case ShapeError():
            return Refused(status=422, message=f"The task does not fit: {error}.", code="invalid_task")
        case AnswerError():
            return Refused(status=409, message=f"The answer is not taken: {error}.", code="not_open")
        case UnknownRunError():
            return Refused(status=404, message="There is no such run.", code="not_found")
        case BusyError():
            message = "As many runs are under way as are allowed; try again later."
            return again(Refused(status=429, message=message, code="rate_limit_exceeded"), RETRY_SECONDS)
        case JournalError():
            return Refused(status=503, message="The journal cannot be read or written now.", code="journal")
        case UsageError():
            return Refused(status=404, message="This server has no such team.", code="unknown_team")
        case _:
            return BROKEN


class Lifespan:
    """Enters what surfaces need before the server takes requests, and leaves it when it ends (ASGI, lifespan 2.0)."""

    def __init__(self, app: App, surfaces: Sequence[Surface]) -> None:
        self._app = app
        self._surfaces = surfaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or live with the server."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        async with AsyncExitStack() as stack:
            for surface in self._surfaces:
                if surface.running is not None:
                    await stack.enter_async_context(surface.running())
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


class Routes:
    """Names the route of a request: few of them, whatever addresses are asked for."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        from starlette.routing import Mount, Route, WebSocketRoute

        self._paths = {id(route.endpoint): route.path for route in routes if isinstance(route, Route | WebSocketRoute)}
        self._mounts = [route.path for route in routes if isinstance(route, Mount)]

    def of(self, scope: Scope) -> str:
        """The route that served a request; "": none did."""
        found = self._paths.get(id(scope.get("endpoint")))
        if found is not None:
            return found
        return next((path for path in self._mounts if path and is_below(scope["path"], path)), "")
