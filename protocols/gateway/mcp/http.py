"""MCP over streamable HTTP, as a surface of the server, at `/mcp`.

The guard at the door has checked host, origin, key and size before a request comes here. A session of the older era
belongs to the principal who opened it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from ...errors import MissingExtraError
from ..asgi import App, Receive, Refused, Scope, Send, principal_of
from ..runs import Runs
from ..serving import Serving, Surface
from .server import Terms, server_of

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

PATH = "/mcp"
MOST_SESSIONS = 1_000
"""Of the older era, open at once; each ends after half an hour without a request."""
INVALID_REQUEST = -32600
"""JSON-RPC 2.0, 5.1."""


def surface(runs: Runs, serving: Serving, terms: Terms | None = None) -> Surface:
    """The surface; `terms` None: as the serving says.

    Raises:
        MissingExtraError: the SDK is not installed.
        UsageError: two teams come to the same tool name.
    """
    try:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtraError("the MCP server", "mcp") from error
    server = server_of(runs, terms or terms_of(serving))
    manager = StreamableHTTPSessionManager(server, max_request_body_size=serving.caps.body, max_sessions=MOST_SESSIONS)
    endpoint = Owned(manager.handle_request)
    return Surface(name="mcp", routes=[Route(PATH, endpoint)], prefix=PATH, wording=as_json_rpc, running=manager.run)


def terms_of(serving: Serving) -> Terms:
    """What clients over HTTP are dealt with by: who they are says the guard."""
    return Terms(whose=sender, secrets=list(serving.keys.known.values()), disconnect=serving.disconnect)


def sender(context: ServerRequestContext[Any, Any]) -> str:
    """Who sent a request."""
    return "" if context.request is None else principal_of(context.request.scope)


def as_json_rpc(refused: Refused) -> bytes:
    """The body of an error that has nothing to do with a JSON-RPC request of its own.

    Example:
        >>> as_json_rpc(Refused(status=401, message="A valid key is needed."))
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"A valid key is needed."}}'
    """
    return to_json({"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": refused.message}})


class Owned:
    """Tells the SDK who asks, so that nobody goes on with another's session."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
        from mcp.server.auth.provider import AccessToken

        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=principal_of(scope), scopes=[]))
        await self._app(scope, receive, send)
