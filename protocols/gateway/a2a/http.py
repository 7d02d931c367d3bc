"""A2A over HTTP, as a surface of the server: each team's tasks at `/a2a/TEAM`, in JSON-RPC, and its card beside them.

The card of the first team also stands where clients look for the one of a whole server. The guard at the door has
checked host, origin, key and size before a request comes here; cards need a key like everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from ...a2a import parsed
from ...errors import MissingExtraError
from ..asgi import Receive, Scope, Send, answer, as_body, header_of
from ..mcp.http import as_json_rpc
from ..runs import Runs
from ..serving import Serving, Surface
from .card import card_of
from .tasks import SCOPE, Tasks

if TYPE_CHECKING:
    from a2a.server.context import ServerCallContext
    from a2a.server.request_handlers import RequestHandler
    from a2a.server.routes.common import ServerCallContextBuilder
    from starlette.requests import Request
    from starlette.routing import BaseRoute

PREFIX = "/a2a"
CARD = "/.well-known/agent-card.json"
"""A2A 1.0, 8.2."""


def surface(runs: Runs, serving: Serving, look: float = 2.0) -> Surface:
    """The surface; `look` as of `Tasks`.

    Raises:
        MissingExtraError: the SDK is not installed.
    """
    try:
        from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtraError("the A2A server", "a2a") from error
    calls = cast("ServerCallContextBuilder", Calls())
    routes: list[BaseRoute] = []
    for team in runs.teams:
        tasks = cast("RequestHandler", Tasks(runs, team, look))
        routes += create_jsonrpc_routes(tasks, f"{PREFIX}/{team}", calls, enable_v0_3_compat=True)
        routes.append(Route(f"{PREFIX}/{team}{CARD}", CardPage(runs, team)))
    if runs.teams:
        routes.append(Route(CARD, CardPage(runs, next(iter(runs.teams)))))
    return Surface(name="a2a", routes=routes, prefix=PREFIX, wording=as_json_rpc)


class CardPage:
    """Where a team's card is; it names the host by which it was asked for, which the guard has checked."""

    def __init__(self, runs: Runs, team: str) -> None:
        self._runs = runs
        self._team = team

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the card, with the fields of earlier versions beside those of this one."""
        from a2a.server.request_handlers.response_helpers import agent_card_to_dict
        from a2a.types.a2a_pb2 import AgentCard

        url = f"{scope.get('scheme', 'http')}://{header_of(scope, 'host')}{PREFIX}/{quote(self._team)}"
        card = card_of(self._team, self._runs.teams[self._team], url)
        whole = agent_card_to_dict(parsed(card, AgentCard))
        await answer(send, 200, as_body(whole), "application/json")


class Calls:
    """Says who calls: a `ServerCallContextBuilder`."""

    def build(self, request: Request) -> ServerCallContext:
        """The context of a call: its headers, for the version, and its scope, for the principal."""
        from a2a.extensions.common import HTTP_EXTENSION_HEADER, get_requested_extensions
        from a2a.server.context import ServerCallContext

        state: dict[str, Any] = {"headers": dict(request.headers), SCOPE: request.scope}
        asked = get_requested_extensions(request.headers.getlist(HTTP_EXTENSION_HEADER))
        return ServerCallContext(state=state, requested_extensions=asked)
