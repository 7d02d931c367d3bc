"""The OpenAPI document of a server: what it takes and gives, by the models that read and check it.

    document(operations, serving)

Each surface names its operations (`Surface.operations`); bodies and answers are pydantic models, and their schemas are
what these models say. Everything that the guard refuses is in it too, since a client meets that first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from ..messages import Json, Message
from .metrics import KIND
from .serving import Caps, Serving
from .session import COOKIE

JSON = "application/json"
EVENTS = "text/event-stream"
PLACES = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that is sent beside the body."""

    name: str
    place: Literal["path", "query", "header"]
    told: str
    schema: Mapping[str, Json] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of an address."""

    method: str
    path: str
    """With its variables in braces."""
    name: str
    """Of the operation, for generated clients; letters and digits."""
    summary: str
    gives: Any = None
    """The type of an answer's body; None: it never has one, or its type is no JSON."""
    kind: str = JSON
    """Media type of an answer."""
    streams: Any = None
    """The type of an event's data, where an answer may come as a stream; None: it does not."""
    takes: Any = None
    """The type of the body; None: there is none."""
    parameters: Sequence[Parameter] = ()
    refuses: Sequence[int] = ()
    """Statuses of errors, beside those that the guard gives."""
    error: Any = None
    """The type of an error's body; None: `Trouble`."""
    leads_to: Sequence[str] = ()
    """Names of operations that take the `id` of the answer as their first parameter."""
    is_open: bool = False
    """Whether it needs no key."""


class Fault(Message):
    """What is wrong."""

    message: str
    code: str
    """For programs."""


class Trouble(Message):
    """An error where no protocol has a shape of its own."""

    error: Fault


class Health(Message):
    """The server runs."""

    status: Literal["ok"]


class Readiness(Message):
    """Whether it takes new runs, and which protocols it speaks."""

    status: Literal["ready", "shutting down"]
    surfaces: dict[str, str]
    """Each is `on`, or off for lack of an extra."""


OWN = (
    Operation(method="GET", path="/healthz", name="healthz", summary="The server runs.", gives=Health, is_open=True),
    Operation(
        method="GET", path="/readyz", name="readyz", summary="The server takes new runs; 503: not any more.",
        gives=Readiness, is_open=True,
    ),
    Operation(
        method="GET", path="/metrics", name="metrics", summary="Meters, as Prometheus reads them.",
        kind=KIND.partition(";")[0],
    ),
    Operation(method="GET", path="/openapi.json", name="openapi", summary="This document.", gives=dict[str, Any]),
)  # fmt: skip
"""What every server has, whatever it speaks."""

TOLD: Mapping[int, str] = {
    400: "The request asks for what cannot be.",
    401: "There is no key, or not a valid one.",
    403: "The Origin is none of ours.",
    404: "There is no such thing, or it is somebody else's: the two look the same.",
    405: "This can never be done here.",
    408: "The body was not there in time.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    421: "The Host is none of ours.",
    422: "The task does not fit the team.",
    429: "Too much is under way; Retry-After says when to try again.",
    500: "A defect, here or in the team.",
    502: "Something that the team depends on failed.",
    503: "The server is shutting down, its journal cannot be used, or a model that the team needs is not there.",
    504: "It was not done in time.",
}


def document(operations: Iterable[Operation], serving: Serving) -> dict[str, Json]:
    """The document (OpenAPI Specification 3.1.1).

    Args:
        operations: in the order in which they are shown.
        serving: whose limits are stated.
    """
    shown = {one.name: one for one in (*OWN, *operations)}
    types = {of for one in shown.values() for of in (one.gives, one.streams, one.takes, one.error or Trouble) if of}
    named = sorted(types, key=repr)
    found, whole = TypeAdapter.json_schemas(
        [(place, "validation", TypeAdapter(of)) for place, of in enumerate(named)], ref_template=PLACES
    )
    schemas = {of: found[place, "validation"] for place, of in enumerate(named)}
    paths: dict[str, dict[str, Json]] = {}
    for one in shown.values():
        links = {name: _link(shown[name]) for name in one.leads_to}
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas, links)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Echelon", "version": "1", "description": _limits(serving.caps)},
        "paths": paths,
        "security": [{"key": []}, {"session": []}],
        "components": {
            "schemas": whole.get("$defs", {}),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key of the server's key file."},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": COOKIE,
                    "description": "What /login gives a browser; whatever changes something must name its Origin too.",
                },
            },
        },
    }  # fmt: skip


def _limits(caps: Caps) -> str:
    return (
        f"Teams of agents behind the protocols of chat assistants. A request may have {caps.body} bytes, and has"
        f" {caps.body_seconds:g} seconds to send them and {caps.seconds:g} to be answered, its stream included;"
        f" {caps.requests} may be under way at once, {caps.requests_each} of one key. Every answer has an"
        " x-request-id, which the server's log has too. Whoever may retry an error of status 429 is told when by"
        " retry-after; whoever must not retry one, since a run has begun, by x-should-retry: false."
    )


def _operation(one: Operation, schemas: Mapping[Any, Json], links: Mapping[str, Json]) -> dict[str, Json]:
    content: dict[str, Json] = {one.kind: {"schema": schemas[one.gives] if one.gives is not None else {}}}
    if one.streams is not None:  # 3.1 cannot say of what a stream consists; `itemSchema` comes with 3.2
        content[EVENTS] = {"schema": {}, "x-events": schemas[one.streams]}
    refused = {
        str(status): {"description": TOLD[status], "content": {JSON: {"schema": schemas[one.error or Trouble]}}}
        for status in sorted({*_at_the_door(one), *one.refuses})
    }
    done: dict[str, Json] = {"description": "Done.", "content": content} | ({"links": links} if links else {})
    answers = refused if 405 in one.refuses else {"200": done, **refused}
    if one.gives is Readiness:
        answers["503"] = {"description": TOLD[503], "content": content}
    told: dict[str, Json] = {"operationId": one.name, "summary": one.summary, "responses": answers}
    if one.is_open:
        told["security"] = []
    if one.parameters:
        told["parameters"] = [_parameter(parameter) for parameter in one.parameters]
    if one.takes is not None:
        told["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas[one.takes]}}}
    return told


def _link(to: Operation) -> Json:
    return {"operationId": to.name, "parameters": {to.parameters[0].name: "$response.body#/id"}}


def _at_the_door(one: Operation) -> Sequence[int]:
    """What the guard refuses with, whatever lies behind it."""
    keyless = () if one.is_open else (401,)
    unfit = (408, 413, 415) if one.method == "POST" else ()
    return (*keyless, 403, *unfit, 421, 429, 500, 504)


def _parameter(one: Parameter) -> dict[str, Json]:
    required = one.place == "path"
    return {"name": one.name, "in": one.place, "required": required, "description": one.told, "schema": one.schema}
