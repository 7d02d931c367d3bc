"""The way in for a person with a browser: a key is exchanged for a session, and stays in no address.

`/login?key=...` is what a server prints at its first start; it sends the browser on to an address without the key.
`/login` shows a form; `/logout` ends the session.
"""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from . import session
from .asgi import Receive, Refused, Scope, Send, answer, refuse
from .serving import Serving

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Echelon: log in</title></head>
<body><main><h1>Echelon</h1>{}
<form method="post" action="/login"><input type="hidden" name="next" value="{}">
<p><label for="key">Key</label> <input id="key" name="key" type="password" autocomplete="current-password" required
autofocus> <button>Log in</button></p></form>
<p>The key stands in the server's key file.</p></main></body></html>"""

POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
MOST = 8 * 1024
"""Bytes of the form."""


def routes(serving: Serving) -> Sequence[BaseRoute]:
    """Where a person logs in and out."""
    from starlette.routing import Route

    return [Route("/login", _Login(serving)), Route("/logout", _Logout())]


class _Login:
    """The form, and the exchange."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the form, or open a session."""
        given = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=10)
        if scope["method"] == "POST":
            given = parse_qs(await _body(receive), max_num_fields=10)
        elif scope["method"] not in ("GET", "HEAD"):
            await refuse(scope, send, Refused(status=405, message="Only GET and POST are allowed here."))
            return
        key, onward = given.get("key", [""])[0].strip(), local(given.get("next", ["/"])[0])
        name = self._serving.keys.holder(key) if key else ""
        if not name:
            said = "<p role=alert>That is no key of this server.</p>" if key else ""
            page = PAGE.format(said, html.escape(onward, quote=True)).encode()
            headers = [("content-security-policy", POLICY)]
            await answer(send, 401 if key else 200, page, "text/html; charset=utf-8", headers)
            return
        cookie = session.opened(name, self._serving.keys.known[name], time.time())
        await _sent_on(send, onward, session.as_header(cookie, secure=scope.get("scheme") == "https"))


class _Logout:
    """The end of a session."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End it; only a page of ours may ask for that."""
        if scope["method"] != "POST":
            await refuse(scope, send, Refused(status=405, message="Only POST is allowed here."))
            return
        await _sent_on(send, "/login", session.as_header("", secure=scope.get("scheme") == "https"))


def local(address: str) -> str:
    r"""An address on this server, or the first page if it is none.

    Example:
        >>> local("/runs/1"), local("//evil.example"), local("/\\evil.example"), local("https://evil.example")
        ('/runs/1', '/', '/', '/')
    """
    fits = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if fits and address.isascii() and " " not in address else "/"


async def _sent_on(send: Send, address: str, cookie: str) -> None:
    await answer(send, 303, b"", "text/plain", [("location", address), ("set-cookie", cookie)])


async def _body(receive: Receive) -> str:
    body, more = b"", True
    while more and len(body) <= MOST:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    return body[:MOST].decode("latin-1")
