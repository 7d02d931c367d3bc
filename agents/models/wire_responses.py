"""OpenAI's Responses: request to body, answer to reply, stream to reply; nothing is stored at the server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from ...protocols.conversation import AssistantMessage, ChatMessage, Head, Reply, UserMessage
from ...protocols.errors import EffectError
from ...protocols.messages import NOTHING_USED, Json
from ...protocols.shapes import faults_of
from .consumption import usage_of
from .dialects import Dialect, schema_in_words
from .failures import failure_of_error, invalid_envelope, lost
from .foreign import fields_of, joined
from .strict import Enforced
from .wire import Body, Finish, Wire, call_of


def opening(model: str, head: Head, dialect: Dialect, shape: Enforced | None) -> Body:
    """Model, instructions, tools and the shape of the answer."""
    body: Body = {"model": model, "input": [], "max_output_tokens": head.max_output_tokens, "store": False}
    if head.instructions:
        body["instructions"] = head.instructions
    if shape is not None and dialect.structured != "strict":
        # json_object wants the word JSON in the input: the instructions do not count.
        body["input"] = [{"role": "system", "content": schema_in_words(shape)}]
    if head.tools:
        # Left out, `strict` is true here, unlike in Chat Completions, and most schemas are refused.
        body["tools"] = [
            {
                "type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters,
                "strict": False,
            }
            for tool in head.tools
        ]  # fmt: skip
    if shape is not None and dialect.structured != "prompt":
        body["text"] = {"format": _format(shape) if dialect.structured == "strict" else {"type": "json_object"}}
    if head.temperature is not None:
        body["temperature"] = head.temperature
    if head.effort is not None:
        body["reasoning"] = {"effort": head.effort}
    return body


def _format(shape: Enforced) -> Json:
    return {"type": "json_schema", "name": shape.name, "schema": shape.schema, "strict": shape.strict}


def body(opened: Body, messages: Iterable[ChatMessage]) -> Body:
    """A whole request."""
    return opened | {"input": [*opened["input"], *(item for message in messages for item in _items(message))]}


def _items(message: ChatMessage) -> Iterator[Json]:
    if isinstance(message, UserMessage):
        yield {"role": "user", "content": message.text}
    elif not isinstance(message, AssistantMessage):
        yield {"type": "function_call_output", "call_id": message.call_id, "output": message.text}
    else:
        if message.text or not message.tool_calls:
            yield {"role": "assistant", "content": message.text}
        for call in message.tool_calls:
            yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def listening(whole: Body) -> Body:
    """The request, to be answered by a stream; its last event holds the whole answer."""
    return whole | {"stream": True}


class _Item(TypedDict, total=False):
    type: str
    content: str | list[Any] | None
    call_id: str | None
    id: str | None
    name: str | None
    arguments: Any


class _Response(TypedDict, total=False):
    """An answer; what we do not use is ignored, so that servers may add to it."""

    status: str | None
    incomplete_details: dict[str, Any] | None
    error: Any
    output: list[_Item] | None
    model: str | None
    usage: Any


class _Event(TypedDict, total=False):
    type: str
    delta: Any
    item: _Item | None
    response: _Response | None
    error: Any
    code: Any
    message: Any


_RESPONSE: TypeAdapter[_Response] = TypeAdapter(_Response)
_EVENT: TypeAdapter[_Event] = TypeAdapter(_Event)
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def read(model: str, data: bytes) -> Reply:
    """The reply in a whole answer.

    Raises:
        EffectError: it is no response, or a failed one.
    """
    try:
        found = _RESPONSE.validate_json(data)
    except ValidationError as error:
        raise invalid_envelope(model, data, _fault(data, error)) from None
    return _reply(model, found)


def _fault(data: bytes, error: ValidationError) -> str:
    return "" if data.lstrip()[:1] == b"<" else "; ".join(faults_of(error)[:2])


def _reply(model: str, found: _Response) -> Reply:
    usage, status = usage_of(found.get("usage")), found.get("status") or "completed"
    known = usage if usage.tokens else None
    if error := found.get("error"):
        raise EffectError(failure_of_error(model, error), known or NOTHING_USED)
    output = found.get("output")
    if output is None or status not in ("completed", "incomplete"):
        what = "no output" if output is None else f"status {status!r}"
        raise EffectError(lost(model, f"expected a whole response, found one with {what}"), known)
    calls = tuple(
        call_of(number, item.get("name"), item.get("arguments"), item.get("call_id") or item.get("id"))
        for number, item in enumerate(item for item in output if item.get("type") == "function_call")
    )
    parts = [part for item in output if item.get("type", "message") == "message" for part in _parts(item)]
    refusal = "".join(str(part.get("refusal") or "") for part in parts if part.get("type") == "refusal")
    return Reply.model_construct(
        text=joined([part for part in parts if part.get("type") != "refusal"]),
        tool_calls=calls,
        refusal=refusal or None,
        finish=_finish(found, status, bool(calls)),
        model=found.get("model") or "",
        usage=usage,
    )


def _parts(item: _Item) -> list[dict[str, Any]]:
    content = item.get("content")
    if isinstance(content, str):
        return [{"type": "output_text", "text": content}]
    return [fields_of(part) for part in content or ()]


def _finish(found: _Response, status: str, called: bool) -> Finish:  # noqa: FBT001 - two facts of one answer
    if status == "incomplete":
        reason = (found.get("incomplete_details") or {}).get("reason")
        return "content_filter" if reason == "content_filter" else "length"
    return "tool_calls" if called else "stop"


@dataclass(slots=True)
class ResponsesFold:
    """Puts a streamed response together; it is whole once the event has come that holds all of it."""

    model: str
    items: list[_Item] = field(default_factory=list[_Item])
    """Finished items: some servers leave the output of the last event empty."""
    whole: _Response | None = None

    def feed(self, event: bytes) -> str:
        """Take the data of one event and give the text that it adds.

        Raises:
            EffectError: it is no event of a response, or an error.
        """
        if event.strip() == b"[DONE]":
            return ""
        try:
            found = _EVENT.validate_json(event)
        except ValidationError as error:
            raise invalid_envelope(self.model, event, _fault(event, error)) from None
        kind = found.get("type", "")
        if kind == "error" or (not kind and found.get("error")):
            raise EffectError(failure_of_error(self.model, found.get("error") or dict(found)))
        if kind == "response.output_text.delta":
            delta = found.get("delta")
            return delta if isinstance(delta, str) else ""
        if kind == "response.output_item.done" and (item := found.get("item")):
            self.items.append(item)
        elif kind in _ENDS:
            self.whole = found.get("response") or {"output": None}
        return ""

    def reply(self) -> Reply:
        """The whole answer.

        Raises:
            EffectError: the stream ended without its last event, or that says that the response failed.
        """
        if self.whole is None:
            raise EffectError(lost(self.model, "stream cut: it ended without response.completed"))
        if not self.whole.get("output") and self.items:
            self.whole["output"] = self.items
        return _reply(self.model, self.whole)


RESPONSES = Wire(
    path="/responses", opening=opening, body=body, listening=listening, read=read, fold=ResponsesFold
)  # fmt: skip
