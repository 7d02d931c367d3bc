"""The server as one ASGI application: the surfaces behind the guard, health, meters, and the way in for a browser.

    application(runs, serving)

Each surface is mounted if what it needs is installed; `/readyz` says which are on, and why the others are not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, cast

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
from . import login
from .access import Access
from .asgi import App, Event, Receive, Refused, Scope, Send, Wording, again, answer, as_body, plainly, refuse
from .guard import Guard
from .metrics import KIND, Meter
from .runs import Runs
from .serving import Serving, Surface
from .surfaces import mounted

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2
NOWHERE = Refused(status=404, message="There is no such address.", code="not_found")
BROKEN = Refused(
    status=500, message="The server could not go on with this request.", headers=(("x-should-retry", "false"),)
)


def application(runs: Runs, serving: Serving) -> App:
    """The server.

    Raises:
        MissingExtraError: starlette is not installed.
    """
    try:
        from starlette.routing import Route, Router
    except ImportError as error:
        raise MissingExtraError("serving", "serve") from error
    surfaces, missing = mounted(runs, serving)
    meter, status = Meter(), Status(runs, surfaces, missing)
    routes: list[BaseRoute] = [
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/readyz", status.__call__, methods=["GET"]),
        Route("/metrics", Metrics(meter, runs).__call__, methods=["GET"]),
        *login.routes(serving),
        *(route for surface in surfaces for route in surface.routes),
    ]
    wordings = [(surface.prefix, surface.wording) for surface in surfaces if surface.prefix]
    router = Router(routes, redirect_slashes=False)
    served = Guard(Errors(cast("App", router), wordings), serving, wordings)
    return Access(Lifespan(served, surfaces), meter, serving.log, _Routes(routes).of)
