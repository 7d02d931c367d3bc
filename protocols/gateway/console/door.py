"""A visit to the console: what was asked and by whom, the forms that come back, and the answers as ASGI applications.

A form is taken if it holds the token of the session that it was shown to. The guard has already seen to it that the
session's cookie came from our own page, by SameSite and Origin; the token holds where either is missing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from ...errors import EchelonError, UnknownRunError
from ...markup import Html
from .. import session
from ..asgi import App, Header, Receive, Scope, Send, answer, headers_of, note_run, principal_of
from ..keys import Keys
from ..runs import Runs, Standing

MOST_BODY = 1024 * 1024
"""Bytes of a form."""
MOST_FIELDS = 5_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: nothing is loaded from elsewhere, and nothing within a page runs."""
TOKEN = "token"
_PURPOSE = b"echelon form 1"


class VisitError(EchelonError):
    """A visit is turned away; the message is for who visits."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request."""

    scope: Scope
    receive: Receive
    keys: Keys

    @property
    def principal(self) -> str:
        """Who asks, as authenticated."""
        return principal_of(self.scope)

    @property
    def path(self) -> str:
        """The address, without its query."""
        return str(self.scope["path"])

    @property
    def token(self) -> str:
        """What a form of this session must hold."""
        key = self.keys.known.get(self.principal, "")
        cookie = session.cookie_in(headers_of(self.scope, "cookie"))
        return hmac.new(key.encode(), b"%s %s" % (_PURPOSE, cookie.encode()), hashlib.sha256).hexdigest()

    def place(self, name: str) -> str:
        """A part of the path."""
        return str(self.scope["path_params"][name])

    def query(self, name: str) -> str:
        """A field of the query; "": there is none."""
        return dict(_pairs(self.scope.get("query_string", b""))).get(name, "")

    async def form(self) -> Sequence[tuple[str, str]]:
        """The fields of the form that was sent, in order.

        Raises:
            VisitError: it is too large, broke off, or was not shown to this session.
        """
        body, more = b"", True
        while more:
            event = await self.receive()
            if event["type"] == "http.disconnect":
                raise VisitError(400, "The request broke off.")
            body += event.get("body", b"")
            more = event.get("more_body", False)
            if len(body) > MOST_BODY:
                raise VisitError(413, f"A form may have at most {MOST_BODY:,} bytes.")
        pairs = _pairs(body)
        given = dict(pairs).get(TOKEN, "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise VisitError(403, "This form was made for another session. Reload the page and send it again.")
        return pairs

    async def run(self, runs: Runs) -> Standing:
        """The run that the path names.

        Raises:
            UnknownRunError: there is none, or it is another principal's.
        """
        run = self.place("run")
        stands = await runs.standing(run)
        if stands.principal != self.principal:
            raise UnknownRunError(run)
        note_run(self.scope, run)
        return stands

    async def waiting(self, runs: Runs) -> int:
        """How many questions wait in the visitor's inbox."""
        return sum(len(stands.questions) for stands in await runs.find(principal=self.principal, status="waiting"))


Endpoint: TypeAlias = Callable[[Visit], Awaitable[App]]


def _pairs(raw: bytes) -> Sequence[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise VisitError(413, f"A form may have at most {MOST_FIELDS:,} fields.") from error


def shown(page: Html, status: int = 200) -> App:
    """A page."""
    return sent(f"<!DOCTYPE html>\n{page}\n".encode(), "text/html; charset=utf-8", status=status)


def sent(body: bytes, kind: str, *, status: int = 200, policy: str = POLICY, headers: Sequence[Header] = ()) -> App:
    """Anything."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, status, body, kind, [("content-security-policy", policy), *headers])

    return respond


def sent_on(address: str) -> App:
    """To another page of ours, by GET."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 303, b"", "text/plain", [("location", address)])

    return respond


@dataclass(frozen=True, slots=True)
class Resource:
    """An ASGI application for one path, by method."""

    methods: Mapping[str, Endpoint]
    keys: Keys
    trouble: Callable[[Visit, EchelonError], App]
    """What a visitor is shown who is turned away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; a defect is left to the server."""
        visit = Visit(scope, receive, self.keys)
        endpoint = self.methods.get("GET" if scope["method"] == "HEAD" else scope["method"])
        try:
            if endpoint is None:
                raise VisitError(405, f"Only {' and '.join(self.methods)} are allowed here.")
            response = await endpoint(visit)
        except EchelonError as error:
            response = self.trouble(visit, error)
        await response(scope, receive, send)
