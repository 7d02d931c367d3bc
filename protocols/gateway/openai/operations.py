"""What OpenAI's APIs take and give here, for the OpenAPI document: by the routes there are and the models there are.

A request's model reads what the team can use and no more of it; where its fields are read further on (a message, an
item of the input) or are taken at only one value, the bodies here say what is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, TypeAdapter, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from ...messages import Json
from ..openapi import Operation, Parameter
from ..threads import HEADERS
from .replies import Chunk, Completion, Event, ItemList, ModelList, ModelObject, Refusal, Response
from .requests import Approval, ChatRequest, Foreign, Named, ResponseRequest
from .requests import Item as InputItem
from .resource import Resource

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


@dataclass(frozen=True, slots=True)
class ShownAs:
    """Marks a field whose JSON is of another type than what it is read as."""

    of: Any

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the other type."""
        return handler(TypeAdapter(self.of).core_schema)


class TextPart(Foreign):
    """A part of a message that is text."""

    type: Literal["text", "input_text", "output_text"]
    text: str


class File(Foreign):
    """A text file that lies in the message, as a data URL."""

    filename: str
    file_data: str


class FilePart(Foreign):
    """A part of a chat's message that is a file."""

    type: Literal["file"]
    file: File


class InputFilePart(File):
    """A part of a response's input that is a file."""

    type: Literal["input_file"]


Content = str | tuple[TextPart | FilePart | InputFilePart, ...] | None


class ChatMessage(Foreign):
    """A message of a chat; what a client's own tools said is left out."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None


class ChatBody(ChatRequest):
    """A request to Chat Completions; fields that only tune a model are ignored: the models are the team's."""

    messages: Annotated[
        tuple[dict[str, Json], ...],
        Field(min_length=1),
        ShownAs(Annotated[tuple[ChatMessage, ...], Field(min_length=1)]),
    ]
    n: Annotated[int | None, ShownAs(Literal[1] | None)] = None
    tool_choice: Literal["auto", "none"] | None = None
    function_call: Literal["auto", "none"] | None = None
    modalities: Annotated[tuple[str, ...] | None, ShownAs(tuple[Literal["text"]] | None)] = None
    audio: None = None
    logprobs: Annotated[bool | None, ShownAs(Literal[False] | None)] = None
    top_logprobs: Annotated[int | None, ShownAs(Literal[0] | None)] = None


class MessageItem(Foreign):
    """A message in a response's input."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Content = None


class ApprovalItem(Approval):
    """An answer to a request for approval."""

    type: Literal["mcp_approval_response"]


class ResponseBody(ResponseRequest):
    """A request to Responses; fields that only tune a model are ignored: the models are the team's."""

    input: Annotated[
        tuple[InputItem, ...], ShownAs(str | Annotated[tuple[MessageItem | ApprovalItem, ...], Field(min_length=1)])
    ]
    conversation: Annotated[Named | None, ShownAs(str | Named | None)] = None
    tool_choice: Literal["auto", "none"] | None = None
    prompt: None = None
    top_logprobs: Annotated[int | None, ShownAs(Literal[0] | None)] = None


RUN = (404, 422, 400, 502, 503)
"""Beside what the guard gives, what a request may be refused with that has a team work."""
KEPT = (404, 503)

THREAD = tuple(Parameter(name, "header", "Names the conversation; the first one counts.") for name in HEADERS)
RETRIED = Parameter("idempotency-key", "header", "The same body with the same key is the same run, however often.")
TRACE = Parameter("traceparent", "header", "W3C trace context of whoever asks.")
NUMBER: Mapping[str, Json] = {"type": "string", "pattern": "^[0-9]{0,9}$"}

_OF: Mapping[tuple[str, str], Operation] = {
    (one.method, one.path): one
    for one in (
        Operation(method="GET", path="/v1/models", name="listModels", summary="", gives=ModelList),
        Operation(
            method="GET", path="/v1/models/{model}", name="getModel", summary="", gives=ModelObject, refuses=(404,)
        ),
        Operation(
            method="POST", path="/v1/chat/completions", name="createChatCompletion", summary="",
            takes=ChatBody, gives=Completion, streams=Chunk, refuses=RUN, parameters=(*THREAD, RETRIED, TRACE),
        ),
        Operation(
            method="POST", path="/v1/responses", name="createResponse", summary="",
            takes=ResponseBody, gives=Response, streams=Event, refuses=RUN, parameters=(*THREAD, RETRIED, TRACE),
            leads_to=("getResponse", "deleteResponse", "cancelResponse", "listInputItems"),
        ),
        Operation(
            method="GET", path="/v1/responses/{response}", name="getResponse", summary="",
            gives=Response, streams=Event, refuses=(400, *KEPT),
            parameters=(
                Parameter("stream", "query", "`true` or `1`: as events, of a response in the background."),
                Parameter("starting_after", "query", "Number of the last event that is not needed.", NUMBER),
            ),
        ),
        Operation(
            method="DELETE", path="/v1/responses/{response}", name="deleteResponse", summary="",
            refuses=(405, *KEPT),
        ),
        Operation(
            method="POST", path="/v1/responses/{response}/cancel", name="cancelResponse", summary="",
            gives=Response, refuses=KEPT,
        ),
        Operation(
            method="GET", path="/v1/responses/{response}/input_items", name="listInputItems", summary="",
            gives=ItemList, refuses=(400, *KEPT),
            parameters=(
                Parameter("order", "query", "`asc`: the first item first; otherwise the last."),
                Parameter("after", "query", "Id of the last item that is not needed."),
                Parameter("limit", "query", "Items of a page, at most 100.", NUMBER),
            ),
        ),
    )
}  # fmt: skip
_VARIABLE = re.compile(r"{(\w+)(?::\w+)?}")


def of(routes: Iterable[BaseRoute], models: Sequence[str] = ()) -> Sequence[Operation]:
    """The operations of these routes, told by the docstrings of whoever serves them.

    Args:
        routes: those of no API of OpenAI are left out.
        models: what may be named as a model; empty: anything.

    Raises:
        KeyError: one is not described here.
    """
    from starlette.routing import Route

    found: list[Operation] = []
    for route in routes:
        if isinstance(route, Route) and isinstance(route.endpoint, Resource):
            path = _VARIABLE.sub(r"{\1}", route.path)
            variables = [Parameter(name, "path", f"Id of the {name}.") for name in _VARIABLE.findall(route.path)]
            for method, endpoint in route.endpoint.methods.items():
                known = _OF[method, path]
                told = (endpoint.__doc__ or "").partition("\n")[0]
                parameters = (*variables, *known.parameters)
                takes = known.takes and _naming(known.takes, models)
                found.append(replace(known, summary=told, parameters=parameters, takes=takes, error=Refusal))
    return found


def _naming(body: type[Foreign], models: Sequence[str]) -> type[Foreign]:
    """The body of a request that names one of these models."""
    if not models:
        return body
    named: Any = Literal[tuple(models)]  # known only now
    return create_model(body.__name__, __base__=body, __doc__=body.__doc__, model=(named, ...))
