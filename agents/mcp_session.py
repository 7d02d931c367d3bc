"""Sessions with MCP servers: how a server is reached, and one session that is opened when it is first needed.

A session belongs to the task that opens it, so it is kept by a task of its own. One that breaks is opened anew for the
next call. Without a block around it, every call has a session of its own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import anyio
import anyio.abc
import httpx2
from pydantic import ValidationError

from ..protocols.errors import EchelonError, MissingExtraError, UsageError
from ..protocols.messages import Json
from .pins import Pin
from .reach import Reach, Reaching, check_url

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client import Transport

logger = logging.getLogger(__name__)

KEY = "echelon/idempotency-key"
"""Under which a call's `_meta` has its idempotency key."""
MOST_PAGES = 50
"""Of a server's list of tools."""
OPENING_SECONDS = 30.0


class UnreachableError(EchelonError):
    """A session could not be opened: nothing was asked for."""


class UnansweredError(EchelonError):
    """A call was sent, and what came of it is not known."""


class RefusedError(EchelonError):
    """The server says that a call failed; the words are its own."""


@dataclass(frozen=True)
class Program:
    """A server that is started as a process, and spoken with over its standard input and output.

    Args:
        command: a program; the words come from whoever writes this, never from a model.
        arguments: its arguments.
        env: environment variables beside a few harmless ones; no others of this process are passed on.
        cwd: where it is started; None: here.
    """

    command: str
    arguments: Sequence[str] = ()
    _: KW_ONLY
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: Path | None = None

    def transport(self) -> Transport:
        """The way to it."""
        from mcp import StdioServerParameters
        from mcp.client.stdio import stdio_client

        return stdio_client(
            StdioServerParameters(command=self.command, args=list(self.arguments), env=dict(self.env), cwd=self.cwd)
        )


@dataclass(frozen=True)
class Address:
    """A server that is spoken with over HTTP.

    Args:
        url: `https://...`; plain `http` is for this machine and, with `reach` private, for private networks.
        headers: sent with every request, `Authorization` for one.
        reach: which networks it may be in.

    Raises:
        UsageError: the URL may not be used.
    """

    url: str
    _: KW_ONLY
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    reach: Reach = "public"

    def __post_init__(self) -> None:
        check_url(self.url, self.reach)

    @asynccontextmanager
    async def transport(self) -> AsyncGenerator[Any]:
        """The way to it."""
        from mcp.client.streamable_http import streamable_http_client

        timeout = httpx2.Timeout(30.0, read=300.0)
        async with (
            httpx2.AsyncClient(transport=Reaching(self.reach), headers=dict(self.headers), timeout=timeout) as client,
            streamable_http_client(self.url, http_client=client) as streams,
        ):
            yield streams


class Server(Protocol):
    """Where a server is: a `Program`, an `Address`, or whatever else knows a way to one."""

    def transport(self) -> Any:
        """What the SDK's client connects to."""
        ...


class Check(Protocol):
    """Told what a server offers when a session is opened; raises if that will not do."""

    def __call__(self, found: Sequence[Pin], /) -> None:
        """Look at it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call of a tool."""

    tool: str
    arguments: Mapping[str, Json]
    writes: bool
    key: str = ""
    """Idempotency key; "": it has none."""
    seconds: float = 60.0


class Session:
    """Calls the tools of a server.

    Before what writes is called, what the server offers is looked at again; what only reads is called once more in a
    new session if the old one broke.

    Args:
        name: what the program calls the server.
        server: where it is.
        check: looks at what it offers, in every session before anything is called.
    """

    def __init__(self, name: str, server: Server, check: Check) -> None:
        self._name = name
        self._server = server
        self._check = check
        self._group: anyio.abc.TaskGroup | None = None
        self._lock = anyio.Lock()
        self._client: Client | None = None
        self._over = anyio.Event()

    async def __aenter__(self) -> Self:
        """Keep one session for all calls, from the first one on."""
        self._group = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the session."""
        group, self._group = self._group, None
        self._over.set()
        if group is not None:
            await group.__aexit__(None, None, None)  # an error of the block passes as it is: the group would wrap it

    async def open(self) -> None:
        """Open the session now; in a block only.

        Raises:
            UnreachableError: the server cannot be reached.
            UsageError: what it offers will not do.
        """
        await self._kept()

    async def call(self, request: Request) -> Any:
        """Call a tool; gives its result as the SDK reads it.

        Raises:
            UnreachableError: the server cannot be reached.
            UnansweredError: nobody knows what came of the call.
            RefusedError: the server refused the call.
            UsageError: what the server offers will not do.
        """
        if self._group is None:
            async with Session(self._name, self._server, self._check) as session:
                return await session.call(request)
        before = self._client
        client = await self._kept()
        if request.writes:
            known = client is before
            return await self._called(await self._looked_at(client, request) if known else client, request)
        try:
            return await self._called(client, request)
        except UnansweredError:
            if self._client is not None:
                raise
            return await self._called(await self._kept(), request)

    async def _kept(self) -> Client:
        async with self._lock:
            if self._client is None and self._group is not None:
                await self._group.start(self._keep)
            if self._client is None:
                raise UnreachableError(f"the session with MCP server {self._name!r} is closed")
            return self._client

    async def _looked_at(self, client: Client, request: Request) -> Client:
        """A session in which what the server offers was looked at right now."""
        from mcp import MCPError

        try:
            with anyio.fail_after(request.seconds):
                self._check(await offered(client))
        except (MCPError, TimeoutError):
            self._drop(client)
            return await self._kept()
        except UsageError:
            self._drop(client)
            raise
        return client

    def _drop(self, client: Client) -> None:
        """Have the next call open a session of its own."""
        if self._client is client:
            self._client = None
            self._over.set()

    async def _keep(self, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Hold a session open until it is over; a session that breaks ends nothing else."""
        over = self._over = anyio.Event()
        client: Client | None = None
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + OPENING_SECONDS) as opening:
                async with self._opened() as client:
                    opening.deadline = math.inf
                    self._client = client
                    task_status.started()
                    await over.wait()
        except Exception as error:
            if client is None:
                raise _reason(self._name, error) from error
            logger.warning("the session with MCP server %r broke: %s", self._name, type(_first(error)).__name__)
        finally:
            if client is not None:
                self._drop(client)
        if client is None:  # the scope was left at its deadline
            raise UnreachableError(f"MCP server {self._name!r} cannot be reached: it took too long")

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Client]:
        """A session in which what the server offers has been looked at."""
        try:
            from mcp import Client
        except ImportError as error:
            raise MissingExtraError("tools of MCP servers", "mcp") from error
        async with Client(self._server.transport(), cache=None) as client:
            self._check(await offered(client))
            yield client

    async def _called(self, client: Client, request: Request) -> Any:
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED, INTERNAL_ERROR, REQUEST_TIMEOUT

        meta: Any = {KEY: request.key} if request.key else None
        try:
            return await client.session.call_tool(
                request.tool, dict(request.arguments), request.seconds, meta=meta, allow_input_required=True
            )
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._drop(client)
            if error.code in (CONNECTION_CLOSED, INTERNAL_ERROR, REQUEST_TIMEOUT):
                why = "took too long" if error.code == REQUEST_TIMEOUT else "broke off"
                raise UnansweredError(f"the call {why}") from error
            raise RefusedError(error.message) from error
        except (RuntimeError, ValidationError) as error:  # so the SDK says that a result is not as it was promised
            raise UnansweredError("the answer is not of the shape that the server promised") from error


async def offered(client: Client) -> Sequence[Pin]:
    """The tools of a server, as it describes them.

    Raises:
        UsageError: its list does not end.
    """
    found: list[Pin] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += [
            Pin(name=tool.name, description=tool.description or "", parameters=tool.input_schema) for tool in page.tools
        ]
        if (cursor := page.next_cursor) is None:
            return found
    raise UsageError(f"the server's list of tools has more than {MOST_PAGES} pages")


def _reason(name: str, error: Exception) -> EchelonError:
    """Why a session could not be opened; never in the words of the network, which may hold a secret."""
    first = _first(error)
    if isinstance(first, UsageError):
        return first
    return UnreachableError(f"MCP server {name!r} cannot be reached: {type(first).__name__}")


def _first(error: Exception) -> Exception:
    """The error, or the first one of those that happened at once; what a program did wrong before all others."""
    if not isinstance(error, ExceptionGroup):
        return error
    inner = [_first(each) for each in cast("ExceptionGroup[Exception]", error).exceptions]
    return next((each for each in inner if isinstance(each, UsageError)), inner[0])
