"""The MCP server: lists the teams as tools and takes their calls, whatever the transport and the era.

Up to MCP 2025-11-25 a client opens a session, and is asked within the call; since 2026-07-28 every request stands for
itself, and a client is asked by way of the next one. What a client carries from one to the next is the run's id, sealed
with keys that are derived from the server's key file: it holds after a restart, and with another worker.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import ValidationError

from ...errors import MissingExtraError
from ...messages import Json
from ..asgi import header_of, note_run
from ..runs import Disconnect, Runs
from .call import Calls, Earlier, Patience
from .form import Form
from .offer import Offer, offers_of

if TYPE_CHECKING:
    from mcp.server import Server
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.types import CallToolRequestParams, ListToolsResult, PaginatedRequestParams

    Context: TypeAlias = ServerRequestContext[Any, Any]

logger = logging.getLogger(__name__)

NAME = "echelon"
INSTRUCTIONS = """\
Each tool gives a task to a team of agents and people, and returns what they come to. It may take minutes. Where a \
person has to answer first, the user is asked; if this client cannot ask, the result says so: tell the user, and call \
the tool again with the same arguments once they have answered. Never answer for them."""
PURPOSE = b"echelon mcp request state 1"
DAYS = 24 * 3_600.0
MOST_TRACE = 64
"""Characters; version 00 of a `traceparent` has 55."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the server deals with its clients."""

    whose: Callable[[Context], str]
    """Who sent a request, as authenticated."""
    secrets: Sequence[str] = field(repr=False)
    """Keys of those who may ask, the first of which seals."""
    disconnect: Disconnect = "cancel"
    """What becomes of a run whose call is cancelled."""
    patience: Patience = Patience()
    state_seconds: float = 7 * DAYS
    """How long a client may take to come back with an answer."""


def server_of(runs: Runs, terms: Terms) -> Server[Any]:
    """A server for the teams of a host.

    Raises:
        MissingExtraError: the SDK is not installed.
        UsageError: two teams come to the same tool name.
    """
    try:
        from mcp.server import Server
        from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
        from mcp.types import CallToolRequestParams, PaginatedRequestParams
    except ImportError as error:
        raise MissingExtraError("the MCP server", "mcp") from error

    offers = offers_of(runs.teams)
    handlers = Handlers(offers, Calls(runs, terms.patience, terms.disconnect, time.time), terms)
    schemas = {name: offer.accepts for name, offer in offers.items()}
    server: Server[Any] = Server(NAME, version=_version(), instructions=INSTRUCTIONS, get_tool_input_schema=schemas.get)
    security = RequestStateSecurity(
        keys=[seal_of(secret) for secret in terms.secrets], ttl=terms.state_seconds, bind_principal=terms.whose
    )
    server.middleware.append(quiet)
    server.middleware.append(RequestStateBoundary(security, default_audience=NAME))
    server.add_request_handler("tools/list", PaginatedRequestParams, handlers.list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, handlers.call_tool)
    return server


def seal_of(secret: str) -> bytes:
    """A key for sealing, from a key for asking; the one does not tell the other."""
    return hmac.new(secret.encode(), PURPOSE, hashlib.sha256).digest()


async def quiet(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Tell a client no more of a defect than that there is one.

    The SDK sends the words of an exception to clients of the older era.
    """
    from mcp.shared.exceptions import MCPError
    from mcp.types import INTERNAL_ERROR

    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):
        raise
    except Exception as error:
        logger.exception("a request for %s broke off", ctx.method, exc_info=error)
        raise MCPError(INTERNAL_ERROR, "The server could not go on with this request.") from None


class Handlers:
    """What is done with requests."""

    def __init__(self, offers: Mapping[str, Offer], calls: Calls, terms: Terms) -> None:
        self._offers = offers
        self._calls = calls
        self._terms = terms

    async def list_tools(self, context: Context, params: PaginatedRequestParams) -> ListToolsResult:
        """The teams as tools, always in the same order."""
        from mcp.types import ListToolsResult

        return ListToolsResult.model_validate({"tools": [offer.tool for offer in self._offers.values()]})

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> dict[str, Json]:
        """What a call is answered with.

        Raises:
            MCPError: there is no such tool.
        """
        from mcp.shared.exceptions import MCPError
        from mcp.types import INVALID_PARAMS

        offer = self._offers.get(params.name)
        if offer is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name[:200]}")
        replies: Mapping[str, Json] = (context.params or {}).get("inputResponses") or {}
        earlier = Earlier(run=params.request_state or "", replies=replies)
        client = Client(context, self._terms.whose(context))
        return await self._calls.take(offer, params.arguments or {}, client, earlier)


class Client:
    """The client that sent a request: a `Caller`."""

    def __init__(self, context: Context, principal: str) -> None:
        self.principal = principal
        self._context = context

    @property
    def trace(self) -> str:
        """W3C `traceparent`, from the request itself (SEP-414) or its header; "": none."""
        given = (self._context.meta or {}).get("traceparent")
        request = self._context.request
        return (
            given[:64] if isinstance(given, str) else "" if request is None else header_of(request.scope, "traceparent")
        )

    @property
    def asks(self) -> Literal["now", "again", "never"]:
        """How its user can be asked."""
        from mcp.types.version import MODERN_PROTOCOL_VERSIONS

        capabilities = self._context.session.client_capabilities
        can = None if capabilities is None else capabilities.elicitation
        if can is None or (can.form is None and can.url is not None):  # `{}` means forms, as it did before 2025-11-25
            return "never"
        if self._context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return "again"
        return "now" if self._context.session.can_send_request else "never"

    async def tell(self, number: int, line: str) -> None:
        """Report progress, if the client wants to hear of it."""
        await self._context.session.report_progress(number, None, line)

    async def ask(self, form: Form) -> Json:
        """Elicit an answer."""
        from mcp.shared.exceptions import MCPError

        try:
            shown = await self._context.session.elicit_form(form.message, dict(form.schema), self._context.request_id)
        except (MCPError, ValidationError) as error:
            logger.warning("a client did not show a form: %s", type(error).__name__)
            return {"action": "cancel"}
        return shown.model_dump(mode="json", by_alias=True)

    def note(self, run: str) -> None:
        """Put the run into the access log's line."""
        if self._context.request is not None:
            note_run(self._context.request.scope, run)


def _version() -> str:
    try:
        return importlib.metadata.version("echelon")
    except importlib.metadata.PackageNotFoundError:
        return ""
