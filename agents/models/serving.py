"""The server's side of OpenAI's APIs: body to request, reply to answer, reply to stream; without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic_core import to_json

from ...protocols.conversation import (
    AssistantMessage,
    ChatMessage,
    Head,
    OutputCard,
    Prompt,
    Reply,
    Request,
    ToolCall,
    ToolCard,
    ToolMessage,
    UserMessage,
)
from ...protocols.messages import NOTHING_USED, Json, Usage
from .foreign import fields_of, joined

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """One API as a server speaks it."""

    path: str
    request: Callable[[Json], Request]
    answer: Callable[[Reply, str], Json]
    """The whole answer, to a model's name."""
    events: Callable[[Reply, Json, list[str]], Iterator[bytes]]
    """The events of a stream, to the body of the request and the text in pieces; the first holds no text, and the
    last ones end it."""
    error: Callable[[Json], bytes]
    """An event that ends the stream with an error."""


def chat_request(body: Json) -> Request:
    """The request in a body of Chat Completions.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    messages = list(body["messages"])
    instructions = ""
    if messages and messages[0]["role"] in ("system", "developer"):
        instructions = joined(messages.pop(0)["content"])
    head = Head(
        instructions=instructions,
        tools=tuple(_tool(one["function"]) for one in body.get("tools") or ()),
        output=_card(fields_of(body.get("response_format")).get("json_schema")),
        max_output_tokens=body.get("max_completion_tokens") or body.get("max_tokens") or 4_096,
        temperature=body.get("temperature"),
        effort=body.get("reasoning_effort"),
    )
    return Request.begin(Prompt.of(head), *map(_chat_message, messages))


def _chat_message(said: Json) -> ChatMessage:
    text = joined(said.get("content"))
    if said["role"] == "tool":
        return ToolMessage(call_id=said["tool_call_id"], text=text)
    if said["role"] == "user":
        return UserMessage(text=text)
    calls = tuple(
        ToolCall(id=call["id"], name=call["function"]["name"], arguments=call["function"]["arguments"])
        for call in said.get("tool_calls") or ()
    )
    return AssistantMessage(text=text, tool_calls=calls)


def _tool(said: Json) -> ToolCard:
    return ToolCard(name=said["name"], description=said.get("description") or "", parameters=said.get("parameters", {}))


def _card(said: Json) -> OutputCard | None:
    if not said:
        return None
    return OutputCard(name=said["name"], output_schema=said["schema"], strict=said.get("strict") or False)


def responses_request(body: Json) -> Request:
    """The request in a body of Responses.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    items = body["input"]
    items = [{"role": "user", "content": items}] if isinstance(items, str) else list(items)
    instructions = [body.get("instructions") or ""]
    while items and items[0].get("role") in ("system", "developer"):
        instructions.append(joined(items.pop(0)["content"]))
    form = fields_of(fields_of(body.get("text")).get("format"))
    head = Head(
        instructions="\n\n".join(one for one in instructions if one),
        tools=tuple(_tool(one) for one in body.get("tools") or ()),
        output=_card(form) if form.get("type") == "json_schema" else None,
        max_output_tokens=body.get("max_output_tokens") or 4_096,
        temperature=body.get("temperature"),
        effort=fields_of(body.get("reasoning")).get("effort"),
    )
    return Request.begin(Prompt.of(head), *_messages(items))


def _messages(items: list[Json]) -> list[ChatMessage]:
    """Items as messages; function calls belong to the assistant's message before them."""
    messages: list[ChatMessage] = []
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call":
            call = ToolCall(id=item["call_id"], name=item["name"], arguments=item["arguments"])
            last = messages.pop() if messages and isinstance(messages[-1], AssistantMessage) else AssistantMessage()
            said = cast("AssistantMessage", last)
            messages.append(AssistantMessage(text=said.text, tool_calls=(*said.tool_calls, call)))
        elif kind == "function_call_output":
            messages.append(ToolMessage(call_id=item["call_id"], text=joined(item["output"])))
        elif kind == "message":
            text = joined(item["content"])
            messages.append(UserMessage(text=text) if item["role"] == "user" else AssistantMessage(text=text))
    return messages


def completion(reply: Reply, model: str) -> Json:
    """A whole answer of Chat Completions."""
    message: dict[str, Json] = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal}
    if reply.tool_calls:
        message["tool_calls"] = [_chat_call(call) for call in reply.tool_calls]
    choice = {"index": 0, "message": message, "finish_reason": reply.finish, "logprobs": None}
    return _chat("chat.completion", model) | {"choices": [choice], "usage": _chat_usage(reply.usage)}


def _chat(kind: str, model: str) -> dict[str, Json]:
    return {"id": "chatcmpl-1", "object": kind, "created": 0, "model": model}


def _chat_call(call: ToolCall) -> dict[str, Json]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _chat_usage(usage: Usage) -> Json:
    if usage is NOTHING_USED:
        return None
    read, written = usage.cache_read, usage.cache_write
    return {
        "prompt_tokens": usage.input + read + written,
        "completion_tokens": usage.output,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def completion_events(reply: Reply, body: Json, pieces: list[str]) -> Iterator[bytes]:
    """The chunks of a streamed completion; the usage comes only if it was asked for."""
    wants = bool(fields_of(body.get("stream_options")).get("include_usage"))
    base = _chat("chat.completion.chunk", body["model"]) | ({"usage": None} if wants else {})

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        return _event(base | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces:
        yield chunk({"content": piece})
    if reply.refusal:
        yield chunk({"refusal": reply.refusal})
    for index, call in enumerate(reply.tool_calls):
        begun = _chat_call(call) | {"index": index, "function": {"name": call.name, "arguments": ""}}
        yield chunk({"tool_calls": [begun]})
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": call.arguments}}]})
    yield chunk({}, reply.finish)
    if wants:
        yield _event(base | {"choices": [], "usage": _chat_usage(reply.usage)})
    yield DONE


def _event(value: Json, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + to_json(value) + b"\n\n"


def response(reply: Reply, model: str) -> Json:
    """A whole answer of Responses."""
    output: list[Json] = []
    if reply.text or reply.refusal:
        parts: list[Json] = [{"type": "output_text", "text": reply.text, "annotations": []}] if reply.text else []
        if reply.refusal:
            parts.append({"type": "refusal", "refusal": reply.refusal})
        output.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts})
    for call in reply.tool_calls:
        made = {"type": "function_call", "id": f"fc_{call.id}", "call_id": call.id, "status": "completed"}
        output.append(made | {"name": call.name, "arguments": call.arguments})
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    reason = reasons.get(reply.finish)
    return {
        "id": "resp_1", "object": "response", "created_at": 0, "model": model, "error": None, "output": output,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "usage": _responses_usage(reply.usage),
        "tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "metadata": {},
    }  # fmt: skip


def _responses_usage(usage: Usage) -> Json:
    if usage is NOTHING_USED:
        return None
    read, written = usage.cache_read, usage.cache_write
    return {
        "input_tokens": usage.input + read + written,
        "output_tokens": usage.output,
        "total_tokens": usage.tokens,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def response_events(reply: Reply, body: Json, pieces: list[str]) -> Iterator[bytes]:
    """The events of a streamed response."""
    whole = response(reply, body["model"])
    begun = whole | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    told: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": begun})]
    for index, item in enumerate(whole["output"]):
        place = {"item_id": item["id"], "output_index": index}
        told.append(("response.output_item.added", {"output_index": index, "item": item | {"content": []}}))
        if item["type"] == "message":
            told += _message_events(item, place, pieces)
        told.append(("response.output_item.done", {"output_index": index, "item": item}))
    last: Literal["response.completed", "response.incomplete"] = f"response.{whole['status']}"  # type: ignore[assignment] # one of two
    told.append((last, {"response": whole}))
    for number, (name, fields) in enumerate(told):
        yield _event({"type": name, "sequence_number": number} | fields, name)
    yield DONE


def _message_events(item: Json, place: Json, pieces: list[str]) -> list[tuple[str, dict[str, Any]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    for number, part in enumerate(item["content"]):
        here = place | {"content_index": number}
        told.append(("response.content_part.added", here | {"part": {"type": part["type"], "text": ""}}))
        if part["type"] == "output_text":
            told += [("response.output_text.delta", here | {"delta": piece}) for piece in pieces]
            told.append(("response.output_text.done", here | {"text": part["text"]}))
        else:
            told.append(("response.refusal.done", here | {"refusal": part["refusal"]}))
        told.append(("response.content_part.done", here | {"part": part}))
    return told


CHAT_SERVING = Serving(
    path="/v1/chat/completions", request=chat_request, answer=completion, events=completion_events,
    error=lambda error: _event({"error": error}),
)  # fmt: skip
RESPONSES_SERVING = Serving(
    path="/v1/responses", request=responses_request, answer=response, events=response_events,
    error=lambda error: _event(error | {"type": "error", "sequence_number": 1}, "error"),
)  # fmt: skip
