"""ASGI as values: its types, what a request says of itself, and a whole answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from pydantic_core import to_json

from ..messages import Json

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Header: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request that is not served, and what its sender is told: no exception of ours, no prompt, no secret."""

    status: int
    message: str
    code: str = ""
    """For programs; "": what the status says."""
    headers: Sequence[Header] = ()


Wording: TypeAlias = Callable[[Refused], bytes]
"""The JSON body of an error, in the shape of a surface."""


def plainly(refused: Refused) -> bytes:
    """The body of an error where no surface has a shape of its own.

    Example:
        >>> plainly(Refused(status=404, message="There is no such address."))
        b'{"error":{"message":"There is no such address.","code":"404"}}'
    """
    return to_json({"error": {"message": refused.message, "code": refused.code or str(refused.status)}})


def state_of(scope: Scope) -> dict[str, Any]:
    """What is known of a request beside its scope: `request`, `principal`, `run`; whoever knows it writes it here."""
    return cast("dict[str, Any]", scope.setdefault("state", {}))


def principal_of(scope: Scope) -> str:
    """Who asks, as authenticated by the guard; "": nobody in particular, which only open paths ever see."""
    return str(state_of(scope).get("principal", ""))


def note_run(scope: Scope, run: str) -> None:
    """Say which run a request is about, for the log."""
    state_of(scope)["run"] = run


def headers_of(scope: Scope, name: str) -> list[str]:
    """All headers of this lower-case name, in order.

    Example:
        >>> headers_of({"headers": [(b"Host", b"a"), (b"host", b"b")]}, "host")
        ['a', 'b']
    """
    wanted = name.encode("latin-1")
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key.lower() == wanted]


def header_of(scope: Scope, name: str) -> str:
    """The header of this lower-case name; "": there is none, or more than one."""
    found = headers_of(scope, name)
    return found[0] if len(found) == 1 else ""


async def answer(send: Send, status: int, body: bytes, kind: str, headers: Sequence[Header] = ()) -> None:
    """Send a whole answer."""
    said = [("content-type", kind), ("content-length", str(len(body))), *headers]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def refuse(scope: Scope, send: Send, refused: Refused, wording: Wording = plainly) -> None:
    """Send an error; a socket is closed before it is accepted."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    await answer(send, refused.status, wording(refused), "application/json", refused.headers)


def again(refused: Refused, seconds: int) -> Refused:
    """The same, for a client that may try again after so many seconds."""
    return replace(refused, headers=(*refused.headers, ("retry-after", str(seconds))))


def as_body(value: Json) -> bytes:
    """A value as the body of an answer."""
    return to_json(value, inf_nan_mode="null")
