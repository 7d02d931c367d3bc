"""Every request is told of once, when it is over: in a line of the log, and in the meters.

A line has the time, an id that the client is told too, who asked, the route, the status, how long it took, and the run
that it was about. It has no header, no query, no body, and no address beyond its route.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ..messages import Json
from .asgi import App, Event, Receive, Scope, Send, state_of
from .metrics import Meter

HUNG_UP = 499
"""Status, in logs and meters, of a request whose client hung up before it was answered."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Log = Callable[[Mapping[str, Json]], None]


class Access:
    """Tells of the requests of an application.

    Args:
        app: whose.
        meter: counts them.
        log: told of each.
        route_of: the route of a request that was served; not its address.
    """

    def __init__(self, app: App, meter: Meter, log: Log, route_of: Callable[[Scope], str]) -> None:
        self._app = app
        self._meter = meter
        self._log = log
        self._route_of = route_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and tell of it; a defect is told as status 500, and raised."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = state_of(scope)
        told["request"] = secrets.token_hex(8)
        status, began = HUNG_UP, time.perf_counter()
        self._meter.active += 1

        async def sent(event: Event) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                event = {**event, "headers": [*event.get("headers", ()), (b"x-request-id", told["request"].encode())]}
            await send(event)

        try:
            await self._app(scope, receive, sent)
        except Exception:
            status = 500
            raise
        finally:
            self._meter.active -= 1
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        told, method = state_of(scope), scope["method"] if scope["method"] in METHODS else "other"
        route = self._route_of(scope)
        self._meter.count(route, method, status, seconds)
        line: dict[str, Json] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": told.get("request", ""),
            "principal": told.get("principal", ""),
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1_000, 1),
            "run": told.get("run", ""),
        }
        self._log(line)
