"""The console's addresses: `routes` for any starlette application, `surface` for Echelon's own server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import (
    AnswerError,
    BusyError,
    EchelonError,
    JournalError,
    MissingExtraError,
    ShapeError,
    UnknownRunError,
)
from ...markup import tag
from ..asgi import App
from ..keys import Keys
from ..runs import Runs
from ..serving import Serving, Surface
from .audit import Audit
from .door import Endpoint, Resource, Visit, VisitError, sent, shown
from .frame import ASSETS, framed
from .inbox import Inbox
from .listing import Listing
from .live import PACE, Live
from .page import Page
from .reports import Reports
from .start import Start

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

A_DAY = (("cache-control", "private, max-age=86400, immutable"),)


def routes(
    runs: Runs,
    keys: Keys,
    reports: Path | None = None,
    *,
    now: Callable[[], float] = time.time,
    pace: float = PACE,
) -> list[BaseRoute]:
    """The pages, behind a guard that says who asks.

    Args:
        runs: what is shown.
        keys: whose sessions the tokens of forms belong to.
        reports: folder of eval reports as HTML; None: none are shown.
        now: seconds since the epoch.
        pace: seconds between two looks at a run that goes on.

    Raises:
        MissingExtraError: starlette is not installed.
    """
    try:
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtraError("the console", "serve") from error
    page, live, inbox, start = Page(runs, now), Live(runs, now, pace), Inbox(runs, now), Start(runs)
    evals = Reports(runs, reports, now)
    one = "/runs/{run}"
    resources: Mapping[str, Mapping[str, Endpoint]] = {
        "/": {"GET": Listing(runs, now).show},
        "/start": {"GET": start.show, "POST": start.take},
        "/inbox": {"GET": inbox.show},
        "/audit": {"GET": Audit(runs).show},
        "/evals": {"GET": evals.show},
        "/evals/{name}": {"GET": evals.open},
        one: {"GET": page.show},
        f"{one}/live": {"GET": live.stream},
        f"{one}/plan.svg": {"GET": page.picture},
        f"{one}/events": {"GET": page.events},
        f"{one}/export.json": {"GET": page.export},
        f"{one}/why": {"GET": page.why},
        f"{one}/cancel": {"POST": page.cancel},
        f"{one}/answer/{{question}}": {"POST": inbox.take},
        **{address: {"GET": _file(body, kind)} for address, (body, kind) in ASSETS.items()},
    }
    return [Route(path, Resource(methods, keys, trouble)) for path, methods in resources.items()]


def surface(runs: Runs, serving: Serving) -> Surface:
    """The surface as Echelon's server mounts it.

    Raises:
        MissingExtraError: starlette is not installed.
    """
    return Surface(name="console", routes=routes(runs, serving.keys, serving.reports))


def _file(body: bytes, kind: str) -> Endpoint:
    async def get(visit: Visit) -> App:
        return sent(body, kind, headers=A_DAY)

    return get


def trouble(visit: Visit, error: EchelonError) -> App:
    """The page for who is turned away; it says nothing of our internals."""
    match error:
        case VisitError():
            status, said = error.status, str(error)
        case UnknownRunError():
            status, said = 404, "There is no such run."
        case ShapeError() | AnswerError():
            status, said = 422, f"This could not be taken: {error}."
        case BusyError():
            status, said = 503, "The journal is busy. Try again in a moment."
        case JournalError():
            status, said = 503, "The journal of this run cannot be read now. Audit says what is wrong with it."
        case _:
            raise error
    page = framed(
        "Not this way",
        visit.principal,
        tag("h1", "Not this way"),
        tag("p", said, role="alert"),
        tag("p", tag("a", "To the runs", href="/")),
    )
    return shown(page, status)
