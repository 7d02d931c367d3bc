"""Tasks of A2A agents elsewhere: sent, answered and read with the official SDK, to addresses that may be reached.

What comes back is a `Snapshot`: plain values, of a bounded size, for the journal. Credentials go to the agent's own
address only, whatever its card says.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ..protocols.a2a import USAGE, WORKING, Wire, parsed, wire_of
from ..protocols.errors import EchelonError, MissingExtraError, UsageError
from ..protocols.messages import Json, Message, Usage
from .mcp_session import Address, RefusedError, UnansweredError, UnreachableError
from .reach import Reaching, check_url

if TYPE_CHECKING:
    import httpx
    from a2a.client import Client
    from a2a.types import a2a_pb2 as pb

SECONDS = 30.0
"""Of one request."""
REPLIED = "MESSAGE"
"""State of a task that is none: the agent answered at once."""


class Snapshot(Message):
    """A task as it stood."""

    id: str = ""
    context: str = ""
    state: str
    """As the protocol names it, or `MESSAGE`."""
    parts: tuple[Json, ...] = ()
    """Of its artifacts, if it has any; else of what its status says."""
    usage: Usage | None = None
    """What it has cost, as the agent says; None: it does not say."""


class Peer:
    """An agent elsewhere.

    Args:
        address: where it is; its card is at `/.well-known/agent-card.json` below.
        card: its card, as JSON; None: it is read when it is first needed.
    """

    def __init__(self, address: Address, card: Wire | None) -> None:
        self._address = address
        self._card: pb.AgentCard | None = None
        self._given = card

    async def send(self, message: Wire, trace: str) -> Snapshot:
        """Send a message; a task is not waited for.

        Raises:
            UnreachableError: nothing was sent.
            UnansweredError: nobody knows what came of it.
            RefusedError: the agent refused it.
            UsageError: it may not be reached.
        """
        from a2a.types.a2a_pb2 import SendMessageRequest

        whole_request = {"message": dict(message), "configuration": {"returnImmediately": True}}
        request = parsed(whole_request, SendMessageRequest)
        async with self._client(trace) as client:
            async for response in client.send_message(request):
                if response.HasField("task"):
                    return snapshot_of(response.task)
                return Snapshot(state=REPLIED, parts=_parts(response.message.parts))
        raise UnansweredError("the answer is empty")

    async def read(self, task: str, trace: str) -> Snapshot:
        """A task as it stands.

        Raises:
            UnreachableError, UnansweredError: it cannot be read now.
            RefusedError: the agent does not show it.
        """
        from a2a.types.a2a_pb2 import GetTaskRequest

        async with self._client(trace) as client:
            return snapshot_of(await client.get_task(GetTaskRequest(id=task, history_length=0)))

    @asynccontextmanager
    async def _client(self, trace: str) -> AsyncGenerator[Client]:
        try:
            import httpx
            from a2a.client import ClientConfig, ClientFactory
        except ImportError as error:
            raise MissingExtraError("remote agents", "a2a") from error
        headers = {**self._address.headers, "traceparent": trace, "accept-encoding": "identity"}
        transport = cast("httpx.AsyncBaseTransport", bridge(Reaching(self._address.reach)))
        try:
            async with httpx.AsyncClient(transport=transport, headers=headers, timeout=SECONDS) as http:
                card = await self._read_card(http)
                yield ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
        except EchelonError:
            raise
        except Exception as error:  # whatever the SDK makes of an answer
            raise _reason(error) from error

    async def _read_card(self, http: httpx.AsyncClient) -> pb.AgentCard:
        """The card, with the one address in it that is where the program says that the agent is."""
        from a2a.client import A2ACardResolver
        from a2a.client.card_resolver import parse_agent_card
        from a2a.utils.errors import A2AError

        if self._card is None:
            try:
                if self._given is None:
                    card = await A2ACardResolver(http, self._address.url.rstrip("/")).get_agent_card()
                else:
                    card = parse_agent_card(dict(self._given))
            except A2AError as error:
                reason = _reason(error)
                if isinstance(reason, RefusedError | UsageError):
                    raise reason from error
                raise UnreachableError(f"its card cannot be read: {reason}") from error
            near = [one for one in card.supported_interfaces if self._is_near(one)]
            if not near:
                raise UsageError("its card names no JSON-RPC address where the program has it")
            del card.supported_interfaces[:]
            card.supported_interfaces.extend(near)
            self._card = card
        return self._card

    def _is_near(self, interface: pb.AgentInterface) -> bool:
        if interface.protocol_binding != "JSONRPC":
            return False
        here = check_url(self._address.url, self._address.reach)
        try:
            there = check_url(interface.url, self._address.reach)
        except UsageError:
            return False
        return (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port)


def snapshot_of(task: pb.Task) -> Snapshot:
    """A task as plain values."""
    from a2a.types.a2a_pb2 import TaskState

    parts = [part for artifact in task.artifacts for part in artifact.parts] or list(task.status.message.parts)
    told = wire_of(task.metadata).get(USAGE)
    try:
        usage = None if told is None else Usage.model_validate(told)
    except ValidationError:
        usage = None
    name = TaskState.Name(task.status.state)
    return Snapshot(
        id=task.id,
        context=task.context_id,
        state=WORKING if name == "TASK_STATE_UNSPECIFIED" else name,
        parts=_parts(parts),
        usage=usage,
    )


def _parts(parts: Sequence[pb.Part] | Any) -> tuple[Json, ...]:

    return tuple(wire_of(part) for part in parts)


def _reason(error: Exception) -> EchelonError:
    """Why a request came to nothing; never in the words of the network, which may hold a secret."""
    import httpx
    from a2a.client.errors import A2AClientError, A2AClientTimeoutError

    cause = error.__cause__
    if isinstance(cause, httpx.TransportError) and isinstance(cause.__cause__, UsageError):
        return cause.__cause__
    if isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout):
        return UnreachableError("it cannot be reached")
    if isinstance(error, A2AClientTimeoutError):
        return UnansweredError("it took too long")
    if isinstance(cause, httpx.HTTPStatusError) and cause.response.status_code < 500:
        return RefusedError(f"it answered with HTTP status {cause.response.status_code}")
    if isinstance(error, A2AClientError) or not hasattr(error, "message"):
        return UnansweredError("the answer cannot be read")
    return RefusedError(str(error))


def bridge(reaching: Reaching) -> object:
    """A transport for the SDK's HTTP client, which sends through ours: one that checks where it sends."""
    import httpx
    import httpx2

    class Bridge(httpx.AsyncBaseTransport):
        """Sends a request of one client library as the other's."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            """Send a request.

            Raises:
                ConnectError: it was not sent; its cause says why, if the program is to blame.
                TransportError: it was, perhaps.
            """
            body = await request.aread()
            sent = httpx2.Request(
                request.method, str(request.url), headers=request.headers.raw, content=body, extensions=_limits(request)
            )
            try:
                got = await reaching.handle_async_request(sent)
                content = b"".join([piece async for piece in cast("httpx2.AsyncByteStream", got.stream)])
                await got.aclose()
            except (httpx2.ConnectError, httpx2.ConnectTimeout, UsageError) as error:
                raise httpx.ConnectError(type(error).__name__) from error
            except httpx2.TimeoutException as error:
                raise httpx.ReadTimeout(type(error).__name__) from error
            except (httpx2.TransportError, httpx2.StreamError) as error:
                raise httpx.ReadError(type(error).__name__) from error
            if "content-encoding" in got.headers:  # nobody asked for it, and a small answer could become a large one
                raise httpx.ReadError("the answer is compressed")
            return httpx.Response(got.status_code, headers=_undone(got.headers.raw), content=content)

        async def aclose(self) -> None:
            """Close the connections."""
            await reaching.aclose()

    return Bridge()


def _limits(request: httpx.Request) -> Mapping[str, Any]:
    """The request's time limits."""
    return {"timeout": request.extensions.get("timeout", {})}


def _undone(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in (b"content-length", b"transfer-encoding")]
