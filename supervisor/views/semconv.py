"""What is said of model calls, tools and agents, by OpenTelemetry's semantic conventions for generative AI.

Source: github.com/open-telemetry/semantic-conventions-genai (status: development), `docs/gen-ai/gen-ai-spans.md`,
`gen-ai-agent-spans.md` and the schemas of messages under `model/gen-ai`. Names that begin with `echelon.` are ours.

By default nothing is said that a person, a model or a document said: no task, message, output, reason or failure's
words. `content` adds them, as JSON text, since many backends have no structured attributes.
`gen_ai.usage.input_tokens` counts all input tokens, cached ones among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast

from pydantic_core import from_json, to_json

from ...protocols.conversation import ChatMessage, Head, Reply, ToolCall, ToolMessage
from ...protocols.messages import Failure, Json, Usage

Value: TypeAlias = str | bool | int | float | tuple[str, ...]
Attributes: TypeAlias = Mapping[str, Value]
Capture = Literal["nothing", "content"]
"""Of what was said."""

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
AGENT: Final = "gen_ai.agent.name"
TOOL: Final = "gen_ai.tool.name"
ERROR: Final = "error.type"
RUN: Final = "echelon.run"
PATH: Final = "echelon.path"
STEP: Final = "echelon.step"
"""The last part of the path: step and attempt."""
VERDICT: Final = "echelon.verdict"

OPENAI: Final = "openai"
"""Of `gen_ai.provider.name`: the wire that is spoken, "may differ from the actual upstream provider"."""


def asked(model: str, head: Head) -> dict[str, Value]:
    """A model call that begins."""
    told: dict[str, Value | None] = {
        OPERATION: "chat",
        PROVIDER: OPENAI,
        REQUEST_MODEL: model,
        "gen_ai.request.max_tokens": head.max_output_tokens,
        "gen_ai.request.temperature": head.temperature,
        "gen_ai.request.reasoning.level": head.effort,
        "gen_ai.output.type": "text" if head.output is None else "json",
    }
    return known(told)


def said(head: Head, messages: Sequence[ChatMessage]) -> dict[str, Value]:
    """The contents of a model call that begins."""
    told: dict[str, Value] = {"gen_ai.input.messages": _text([_message(message) for message in messages])}
    if head.instructions:
        told["gen_ai.system_instructions"] = _text([{"type": "text", "content": head.instructions}])
    if head.tools:
        cards: list[Json] = [{"type": "function"} | card.model_dump(mode="json") for card in head.tools]
        told["gen_ai.tool.definitions"] = _text(cards)
    return told


def replied(reply: Reply) -> dict[str, Value]:
    """A model call that was answered; usage is that of the try that answered."""
    told: dict[str, Value | None] = {
        RESPONSE_MODEL: reply.model or None,
        "gen_ai.response.finish_reasons": (reply.finish,),
    }
    return known(told) | tokens(reply.usage)


def tokens(usage: Usage) -> dict[str, Value]:
    """The tokens of one call; {}: nobody counted them.

    Example:
        >>> tokens(Usage(input=10, cache_read=5, output=2))["gen_ai.usage.input_tokens"]
        15
    """
    if not usage.tokens:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input + usage.cache_read + usage.cache_write,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }


def spent(usage: Usage) -> dict[str, Value]:
    """What a place and all below it cost, failed tries and what was only assumed included."""
    return {
        "echelon.usage.calls": usage.calls,
        "echelon.usage.tokens": usage.tokens,
        "echelon.usage.usd": usage.usd,
        "echelon.usage.usd_assumed": usage.usd_assumed,
    }


def answered(reply: Reply) -> dict[str, Value]:
    """The contents of a reply."""
    spoken: list[Json] = [{"type": "text", "content": reply.text}] if reply.text or not reply.tool_calls else []
    refused: list[Json] = [{"type": "refusal", "content": reply.refusal}] if reply.refusal else []
    parts = spoken + [_call(call) for call in reply.tool_calls] + refused
    whole: Json = {"role": "assistant", "parts": parts, "finish_reason": reply.finish}
    return {"gen_ai.output.messages": _text([whole])}


def agent(name: str, operation: str = "invoke_agent") -> dict[str, Value]:
    """A worker that is given work."""
    return known({OPERATION: operation or None, AGENT: name or None})


def given(payload: Json) -> dict[str, Value]:
    """What a worker was asked."""
    return {} if payload is None else {"gen_ai.input.messages": _content("user", payload)}


def gave(output: Json) -> dict[str, Value]:
    """What a worker came to."""
    return {} if output is None else {"gen_ai.output.messages": _content("assistant", output)}


def tool(name: str) -> dict[str, Value]:
    """A tool that runs."""
    return {OPERATION: "execute_tool", TOOL: name, "gen_ai.tool.type": "function"}


def arguments(value: Json) -> dict[str, Value]:
    """What a tool was given."""
    return {"gen_ai.tool.call.arguments": _plain(value)}


def result(value: Json) -> dict[str, Value]:
    """What a tool returned."""
    return {"gen_ai.tool.call.result": _plain(value)}


def failed(failure: Failure) -> dict[str, Value]:
    """An operation that ended badly."""
    return {ERROR: failure.kind}


def known(told: Mapping[str, Value | None]) -> dict[str, Value]:
    """What is known of it."""
    return {name: value for name, value in told.items() if value is not None}


def _message(message: ChatMessage) -> Json:
    if isinstance(message, ToolMessage):
        part: Json = {"type": "tool_call_response", "id": message.call_id, "response": message.text}
        return {"role": "tool", "parts": [part]}
    calls = message.tool_calls if message.role == "assistant" else ()
    parts: list[Json] = [{"type": "text", "content": message.text}] if message.text or not calls else []
    return {"role": message.role, "parts": parts + [_call(call) for call in calls]}


def _call(call: ToolCall) -> Json:
    return {"type": "tool_call", "id": call.id, "name": call.name, "arguments": _arguments(call.arguments)}


def _arguments(text: str) -> Json:
    """Arguments as an object if that loses nothing of how the model wrote them; else the text."""
    try:
        value: object = from_json(text)
    except ValueError:
        return text
    return cast("Json", value) if isinstance(value, dict) and to_json(value).decode() == text else text


def _content(role: str, value: Json) -> str:
    kind = "text" if isinstance(value, str) else "data"
    return _text([{"role": role, "parts": [{"type": kind, "content": value}]}])


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else _text(value)


def _text(value: Json) -> str:
    return to_json(value).decode()
