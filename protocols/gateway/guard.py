"""The guard at the door: nobody comes in without a key, from a page that is not ours, or with more than is taken.

In this order, for every request and every socket:

1. Host is one of ours, or 421: a name that an attacker points at this machine (DNS rebinding) gets nowhere.
2. Origin, if there is one, is one of ours, or 403. Prefixes do not count.
3. A bearer key, also on loopback, or a session's cookie, or 401. With a cookie, whatever changes something must name
   its Origin: another site's form has none of ours.
4. What is sent is JSON, or 415: a form or plain text needs no permission to be sent by another site's page. With a
   session, a form of our own pages is taken too.
5. There is room, or 429 with Retry-After.
6. The body keeps to its size, counted as it arrives, or 413, and to its time, or 408; the request to its own, or 504.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

import anyio

from . import session
from .asgi import (
    App,
    Event,
    Header,
    Receive,
    Refused,
    Scope,
    Send,
    Wording,
    again,
    answer,
    header_of,
    headers_of,
    plainly,
    refuse,
    state_of,
)
from .serving import Caps, Serving

OPEN = frozenset({"/healthz", "/readyz", "/login"})
"""Addresses that need no key."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
FORM = "application/x-www-form-urlencoded"
RETRY_SECONDS = 1

HARDENED: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all, a browser sends its own forms with `Origin: null`
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""On every answer that does not say otherwise itself."""

NO_ORIGIN = Refused(status=403, message="Requests from this page's origin are not taken.", code="forbidden_origin")
NO_HOST = Refused(status=421, message="This server does not go by that name.", code="misdirected_request")
NO_KEY = Refused(
    status=401,
    message="A valid key is needed: Authorization: Bearer KEY.",
    code="invalid_api_key",
    headers=(("www-authenticate", 'Bearer realm="echelon"'),),
)
NO_JSON = Refused(status=415, message="The body must be application/json.", code="unsupported_media_type")
NO_ROOM = again(
    Refused(status=429, message="Too many requests are under way.", code="rate_limit_exceeded"), RETRY_SECONDS
)


class Guard:
    """Lets those requests through to an application that may come in.

    Args:
        app: what it guards.
        serving: who may come in, and how much.
        wordings: shapes of errors by the beginning of an address; the first that fits.
        now: seconds since the epoch, for sessions.
    """

    def __init__(
        self,
        app: App,
        serving: Serving,
        wordings: Sequence[tuple[str, Wording]] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._serving = serving
        self._wordings = tuple(wordings)
        self._now = now
        self._active: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a socket, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        wording = next((wording for prefix, wording in self._wordings if is_below(scope["path"], prefix)), plainly)
        exchange = Exchange(scope, receive, send, self._serving.caps, wording, self._guest(scope))
        if (refused := self._at_the_door(scope)) is not None:
            await exchange.refuse(refused)
        elif scope["type"] == "http" and scope["method"] == "OPTIONS" and exchange.guest:
            await exchange.allow()
        else:
            await self._admit(scope, exchange)

    def _guest(self, scope: Scope) -> str:
        origin = header_of(scope, "origin")
        return origin if origin in self._serving.guests else ""

    def _at_the_door(self, scope: Scope) -> Refused | None:
        """Why a request does not come in; None: it does."""
        if header_of(scope, "host").lower() not in self._serving.hosts:
            return NO_HOST
        origins = headers_of(scope, "origin")
        if len(origins) > 1 or not self._serving.origins.issuperset(origins):
            return NO_ORIGIN
        method = scope.get("method", "GET")
        if method == "OPTIONS" and self._guest(scope):
            return None  # a browser asks whether it may ask; it has no key for that
        has_session = False
        if scope["path"] not in OPEN:
            principal, has_session = self._principal(scope)
            if not principal:
                return _to_login(scope) or NO_KEY
            if has_session and not origins and (method not in SAFE or scope["type"] == "websocket"):
                return NO_ORIGIN
            state_of(scope)["principal"] = principal
        if method not in SAFE and not _is_taken(scope, forms=has_session or scope["path"] in OPEN):
            return NO_JSON
        return None

    def _principal(self, scope: Scope) -> tuple[str, bool]:
        """Who asks, and whether by a session."""
        given = headers_of(scope, "authorization")
        if given:
            scheme, _, key = given[0].partition(" ")
            is_one = len(given) == 1 and scheme.lower() == "bearer"
            return (self._serving.keys.holder(key.strip()) if is_one else ""), False
        cookie = session.cookie_in(headers_of(scope, "cookie"))
        if not cookie or self._guest(scope):
            return "", False
        return session.holder(cookie, self._serving.keys.known, self._now()), True

    async def _admit(self, scope: Scope, exchange: Exchange) -> None:
        name, caps = str(state_of(scope).get("principal", "")), self._serving.caps
        if self._active.total() >= caps.requests or self._active[name] >= caps.requests_each:
            await exchange.refuse(NO_ROOM)
            return
        self._active[name] += 1
        try:
            if scope["type"] == "websocket":
                await self._app(scope, exchange.receive, exchange.send)
                return
            with anyio.move_on_after(caps.seconds) as limit:
                await self._app(scope, exchange.receive, exchange.send)
            if limit.cancelled_caught:
                message = f"The request was not done in {caps.seconds:g} seconds."
                headers = (("x-should-retry", "false"),)
                await exchange.refuse(Refused(status=504, message=message, code="timeout", headers=headers))
        finally:
            self._active[name] -= 1
            self._active += Counter()  # forget those who have left


ALLOWED_HEADERS = ", ".join(
    (
        "authorization", "content-type", "last-event-id", "mcp-method", "mcp-name", "mcp-protocol-version",
        "mcp-session-id", "a2a-version", "a2a-extensions",
    )
)  # fmt: skip
"""What pages of other origins that are allowed may send: the headers of the plugs."""


class Exchange:
    """One request and its answer, on their way through the guard."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, caps: Caps, wording: Wording, guest: str) -> None:
        self.guest = guest
        """The other site whose page asks; "": none."""
        self._scope = scope
        self._receive = receive
        self._send = send
        self._caps = caps
        self._wording = wording
        self._size = 0
        self._is_whole = scope["type"] == "websocket"
        self._deadline = anyio.current_time() + caps.body_seconds
        self._started = False
        self._refused = False

    async def receive(self) -> Event:
        """What the client sends; a body that is too long or too slow ends as if the client had hung up."""
        if self._refused:
            return {"type": "http.disconnect"}
        if self._is_whole:
            return await self._receive()
        with anyio.move_on_at(self._deadline):
            event = await self._receive()
            if event["type"] != "http.request":
                return event
            self._size += len(event.get("body", b""))
            self._is_whole = not event.get("more_body", False)
            if self._size <= self._caps.body:
                return event
            message = f"A request may have at most {self._caps.body} bytes."
            await self.refuse(Refused(status=413, message=message, code="request_too_large", headers=_CLOSE))
            return {"type": "http.disconnect"}
        message = f"The request's body was not there after {self._caps.body_seconds:g} seconds."
        await self.refuse(Refused(status=408, message=message, code="request_timeout", headers=_CLOSE))
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        """What the client is sent; nothing after it was refused."""
        if self._refused:
            return
        if event["type"] == "http.response.start":
            self._started = True
            event = {**event, "headers": [*event.get("headers", ()), *self._added(event)]}
        await self._send(event)

    async def refuse(self, refused: Refused) -> None:
        """Say why nothing comes of it; once an answer has begun, it breaks off."""
        if not self._started:
            await refuse(self._scope, self.send, refused, self._wording)
        self._refused = True

    async def allow(self) -> None:
        """Let another site's page send requests (Fetch Standard, 3.2.3: a CORS preflight)."""
        headers = [
            ("access-control-allow-methods", "GET, POST, DELETE"),
            ("access-control-allow-headers", ALLOWED_HEADERS),
            ("access-control-max-age", "600"),
        ]
        await answer(self.send, 204, b"", "text/plain", headers)

    def _added(self, event: Event) -> list[tuple[bytes, bytes]]:
        there = {name.lower() for name, _ in event.get("headers", ())}
        added = [(name.encode(), value.encode()) for name, value in HARDENED.items() if name.encode() not in there]
        if self.guest:
            added += [(b"access-control-allow-origin", self.guest.encode("latin-1")), (b"vary", b"origin")]
        return added


_CLOSE: tuple[Header, ...] = (("connection", "close"),)


def is_below(path: str, prefix: str) -> bool:
    """Whether an address is this one, or lies under it.

    Example:
        >>> is_below("/v1/models", "/v1"), is_below("/v10", "/v1")
        (True, False)
    """
    return path == prefix or path.startswith(f"{prefix}/")


def _is_taken(scope: Scope, *, forms: bool) -> bool:
    """Whether what is sent may be: JSON, nothing at all, or a form where forms are taken."""
    kind = header_of(scope, "content-type").partition(";")[0].strip().lower()
    if not headers_of(scope, "content-type"):
        return header_of(scope, "content-length") in ("", "0") and not headers_of(scope, "transfer-encoding")
    return kind == "application/json" or (forms and kind == FORM)


def _to_login(scope: Scope) -> Refused | None:
    """Where a person who opens a page without a session is sent; None: it is no person who asks for a page."""
    if scope.get("method") != "GET" or headers_of(scope, "authorization"):
        return None
    if not header_of(scope, "accept").startswith("text/html"):
        return None
    where = (("location", f"/login?next={quote(scope['path'], safe='/')}"),)
    return Refused(status=303, message="Log in first.", headers=where)
