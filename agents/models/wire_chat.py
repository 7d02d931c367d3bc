"""OpenAI's Chat Completions: request to body, answer to reply, stream to reply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from ...protocols.conversation import AssistantMessage, ChatMessage, Head, Reply, ToolCall, UserMessage
from ...protocols.errors import EffectError
from ...protocols.messages import NOTHING_USED, Json, Usage
from ...protocols.shapes import faults_of
from .consumption import usage_of
from .dialects import Dialect, schema_in_words
from .failures import failure_of_error, invalid_envelope, lost
from .foreign import joined
from .strict import Enforced
from .wire import Body, Finish, Wire, call_of


def opening(model: str, head: Head, dialect: Dialect, shape: Enforced | None) -> Body:
    """Model, instructions, tools and the shape of the answer."""
    body: Body = {"model": model, "messages": [], dialect.limit: head.max_output_tokens}
    instructions = head.instructions
    if shape is not None and dialect.structured != "strict":
        instructions = f"{instructions}\n\n{schema_in_words(shape)}".strip()
    if instructions:
        body["messages"] = [{"role": "system", "content": instructions}]
    if head.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in head.tools
        ]
    if shape is not None and dialect.structured != "prompt":
        body["response_format"] = _format(shape) if dialect.structured == "strict" else {"type": "json_object"}
    if head.temperature is not None:
        body["temperature"] = head.temperature
    if head.effort is not None:
        body["reasoning_effort"] = head.effort
    return body


def _format(shape: Enforced) -> Json:
    schema = {"name": shape.name, "schema": shape.schema, "strict": shape.strict}
    return {"type": "json_schema", "json_schema": schema}


def body(opened: Body, messages: Iterable[ChatMessage]) -> Body:
    """A whole request."""
    return opened | {"messages": [*opened["messages"], *map(_message, messages)]}


def _message(message: ChatMessage) -> Json:
    if isinstance(message, UserMessage):
        return {"role": "user", "content": message.text}
    if not isinstance(message, AssistantMessage):
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    if not message.tool_calls:
        return {"role": "assistant", "content": message.text}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    return {"role": "assistant", "content": message.text or None, "tool_calls": calls}


def listening(whole: Body) -> Body:
    """The request, to be answered by a stream whose last event tells the usage."""
    return whole | {"stream": True, "stream_options": {"include_usage": True}}


class _Function(TypedDict, total=False):
    name: str | None
    arguments: Any


class _Call(TypedDict, total=False):
    index: int | None
    id: str | None
    function: _Function | None


class _Said(TypedDict, total=False):
    content: str | list[Any] | None
    refusal: str | None
    tool_calls: list[_Call] | None


class _Choice(TypedDict, total=False):
    message: _Said | None
    delta: _Said | None
    finish_reason: str | None


class _Completion(TypedDict, total=False):
    """A completion or a chunk of one; what we do not use is ignored, so that servers may add to it."""

    choices: list[_Choice] | None
    model: str | None
    usage: Any
    error: Any


_COMPLETION: TypeAdapter[_Completion] = TypeAdapter(_Completion)
_FINISH: dict[str, Finish] = {
    "length": "length", "max_tokens": "length", "content_filter": "content_filter", "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}  # fmt: skip


def _parsed(model: str, data: bytes) -> _Completion:
    try:
        found = _COMPLETION.validate_json(data)
    except ValidationError as error:
        raise invalid_envelope(model, data, _fault(data, error)) from None
    if complaint := found.get("error"):
        raise EffectError(failure_of_error(model, complaint), None if found.get("choices") else NOTHING_USED)
    return found


def _fault(data: bytes, error: ValidationError) -> str:
    return "" if data.lstrip()[:1] == b"<" else "; ".join(faults_of(error)[:2])


def read(model: str, data: bytes) -> Reply:
    """The reply in a whole answer.

    Raises:
        EffectError: it is no chat completion, or an error.
    """
    found = _parsed(model, data)
    choices = found.get("choices")
    said = choices[0].get("message") if choices else None
    if not choices or said is None:
        raise EffectError(lost(model, "expected a chat completion, found one without a message"), _usage_or_none(found))
    calls = tuple(_whole_call(number, call) for number, call in enumerate(said.get("tool_calls") or ()))
    finish = choices[0].get("finish_reason") or "stop"
    return _reply(model, finish, _Parts(joined(said.get("content")), said.get("refusal"), calls), found)


def _usage_or_none(found: _Completion) -> Usage | None:
    usage = usage_of(found.get("usage"))
    return usage if usage.tokens else None


def _whole_call(number: int, call: _Call) -> ToolCall:
    function = call.get("function") or {}
    return call_of(number, function.get("name"), function.get("arguments"), call.get("id"))


@dataclass(frozen=True, slots=True)
class _Parts:
    text: str
    refusal: str | None
    calls: tuple[ToolCall, ...]


def _reply(model: str, reason: str, said: _Parts, found: _Completion) -> Reply:
    if reason == "error":
        raise EffectError(lost(model, "the provider ended the answer with an error"), _usage_or_none(found))
    finish = _FINISH.get(reason, "stop")
    if said.calls and finish == "stop":
        finish = "tool_calls"
    return Reply.model_construct(
        text=said.text,
        tool_calls=said.calls,
        refusal=said.refusal or None,
        finish=finish,
        model=found.get("model") or "",
        usage=usage_of(found.get("usage")),
    )


@dataclass(slots=True)
class _CallUnderWay:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class ChatFold:
    """Puts a streamed completion together; it is whole once a finish reason has come."""

    model: str
    texts: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])
    calls: list[_CallUnderWay] = field(default_factory=list[_CallUnderWay])
    places: dict[int, _CallUnderWay] = field(default_factory=dict[int, _CallUnderWay])
    finish: str = ""
    last: _Completion = field(default_factory=lambda: _Completion())

    def feed(self, event: bytes) -> str:
        """Take the data of one event and give the text that it adds.

        Raises:
            EffectError: it is no chunk, or an error.
        """
        if event.strip() == b"[DONE]":
            return ""
        found = _parsed(self.model, event)
        if found.get("usage"):
            self.last["usage"] = found.get("usage")
        if name := found.get("model"):
            self.last["model"] = name
        choices = found.get("choices")
        if not choices:
            return ""
        self.finish = choices[0].get("finish_reason") or self.finish
        return self._take(choices[0].get("delta") or choices[0].get("message") or {})

    def _take(self, said: _Said) -> str:
        text = joined(said.get("content"))
        if text:
            self.texts.append(text)
        if refusal := said.get("refusal"):
            self.refusals.append(refusal)
        for piece in said.get("tool_calls") or ():
            self._take_call(piece)
        return text

    def _take_call(self, piece: _Call) -> None:
        """Add a piece of a call; one without an index goes on with the last, a new id begins another at any index."""
        index, id_ = piece.get("index"), piece.get("id") or ""
        call = self.calls[-1] if index is None and self.calls else self.places.get(-1 if index is None else index)
        if call is None or (id_ and call.id and id_ != call.id):
            call = _CallUnderWay()
            self.calls.append(call)
        if index is not None:
            self.places[index] = call
        function = piece.get("function") or {}
        call.id = call.id or id_
        call.name = call.name or function.get("name") or ""
        arguments = function.get("arguments")
        if arguments is not None:
            call.arguments.append(call_of(0, "", arguments, "").arguments)

    def reply(self) -> Reply:
        """The whole answer.

        Raises:
            EffectError: the stream ended without a finish reason.
        """
        if not self.finish:
            raise EffectError(lost(self.model, "stream cut: it ended without a finish reason"))
        calls = tuple(
            call_of(number, call.name, "".join(call.arguments) or None, call.id)
            for number, call in enumerate(self.calls)
        )
        parts = _Parts("".join(self.texts), "".join(self.refusals) or None, calls)
        return _reply(self.model, self.finish, parts, self.last)


CHAT = Wire(
    path="/chat/completions", opening=opening, body=body, listening=listening, read=read, fold=ChatFold
)  # fmt: skip
