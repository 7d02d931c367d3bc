"""A path of the API: its methods, its request body, and every refusal in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, ValidationError

from ...errors import EchelonError
from ...messages import Json
from ..asgi import App, Header, Receive, Scope, Send, answer, as_body, header_of, principal_of
from .errors import RefusedError, broken, invalid, refused_by, sentence

M = TypeVar("M", bound=BaseModel)

MOST_BODY = 4 * 1024 * 1024
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request."""

    scope: Scope
    receive: Receive

    @property
    def principal(self) -> str:
        """Who asks, as authenticated."""
        return principal_of(self.scope)

    def header(self, name: str) -> str:
        """The header of this lower-case name; "": there is none, or more than one."""
        return header_of(self.scope, name)

    def place(self, name: str) -> str:
        """A part of the path."""
        return str(self.scope["path_params"][name])

    def query(self, name: str) -> str:
        """A field of the query; "": there is none.

        Raises:
            RefusedError: there are too many.
        """
        try:
            found = parse_qs(self.scope.get("query_string", b"").decode("latin-1"), max_num_fields=100)
        except ValueError as error:
            raise invalid("The query has too many fields.") from error
        return str(found.get(name, [""])[0])

    async def body(self) -> bytes:
        """The body, which must be JSON.

        Raises:
            RefusedError: it says that it is something else, or it is too large.
        """
        kind = self.header("content-type").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusedError(415, f"Expected a body of type application/json, found {kind[:100] or 'none'!r}.")
        return await self._body()

    async def _body(self) -> bytes:
        """The whole body, counted as it arrives: a length that is announced may be wrong, or missing."""
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise invalid("The request broke off.")
            pieces.append(message.get("body", b""))
            size, more = size + len(pieces[-1]), message.get("more_body", False)
            if size > MOST_BODY:
                raise RefusedError(413, f"A request may have at most {MOST_BODY} bytes.")
        return b"".join(pieces)


def read(model: type[M], body: bytes) -> M:
    """A body as a request.

    Raises:
        RefusedError: it is no JSON, or not such a request; says which field is wrong.
    """
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise invalid(*_complaint(error)) from error


def _complaint(error: ValidationError) -> tuple[str, str | None]:
    """What is wrong with a request, and where: the first fault, as OpenAI says it."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ""
    for part in fault["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    said = fault["msg"].removeprefix("Value error, ")
    return (f"{where}: {said}." if where else sentence(said)), where or None


Endpoint: TypeAlias = Callable[[Call], Awaitable[App]]
"""Takes a request, gives the response as an ASGI application."""


@dataclass(frozen=True, slots=True)
class Resource:
    """An ASGI application for one path."""

    methods: Mapping[str, Endpoint]
    otherwise: Endpoint | None = None
    """For every other method; None: they are not allowed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with an error if need be; a defect is told as one, and then raised for the server's log."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        try:
            endpoint = self.methods.get(method) or self.otherwise or self._refused
            response = await endpoint(Call(scope, receive))
        except EchelonError as error:
            response = refusal(refused_by(error))
        except Exception:
            await refusal(broken())(scope, receive, send)
            raise
        await response(scope, receive, send)

    async def _refused(self, call: Call) -> App:
        allowed = ", ".join(sorted(self.methods))
        message = f"{call.scope['method'][:20]} is not allowed here; {allowed} is."
        return refusal(RefusedError(405, message, headers=[("allow", allowed)]))


async def nowhere(call: Call) -> App:
    """The answer where there is nothing."""
    message = "There is no such address; there are /v1/models, /v1/chat/completions and /v1/responses."
    return refusal(RefusedError(404, message))


def whole(value: Json, *headers: Header) -> App:
    """A whole answer."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, as_body(value), "application/json", headers)

    return respond


def refusal(error: RefusedError) -> App:
    """An error."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, error.status, error.body, "application/json", error.headers)

    return respond


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to a client that has hung up."""
