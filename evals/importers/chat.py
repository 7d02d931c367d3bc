"""The JSON of OpenAI's Chat Completions as ours and back: requests, messages, answers, errors.

Others speak it too: tau-bench records its messages so, OpenInference its tools and parameters.
Source: the API reference, https://platform.openai.com/docs/api-reference/chat (fields as of openai-python 2 and 3).
"""

from __future__ import annotations

from typing import Final, Literal, cast, get_args

from pydantic_core import to_json

from ...protocols.conversation import Head, OutputCard, Reply, ToolCard
from ...protocols.messages import Failure, FailureKind, Json, Usage
from .gaps import Lacking, note
from .messages import DEFAULT, Said, Tokens, call_of, reply_of
from .reading import Spot

Effort = Literal["minimal", "low", "medium", "high"]

FAILURES: Final[dict[str, FailureKind]] = {
    "rate_limit_exceeded": "rate_limited", "insufficient_quota": "quota", "invalid_api_key": "auth",
    "context_length_exceeded": "context_too_long", "content_policy_violation": "content_filter",
    "invalid_request_error": "bad_request", "server_error": "overloaded",
}  # fmt: skip
"""OpenAI's codes and types of errors; ours are taken as they are, any other is `upstream`."""


def failure_kind(code: str, otherwise: FailureKind = "upstream") -> FailureKind:
    """What kind of failure a foreign code means.

    Example:
        >>> failure_kind("rate_limit_exceeded"), failure_kind("timeout"), failure_kind("ValueError", "tool_failed")
        ('rate_limited', 'timeout', 'tool_failed')
    """
    if code in get_args(FailureKind):
        return cast("FailureKind", code)
    return FAILURES.get(code, otherwise)


def said_of(message: Spot, lacks: Lacking) -> Said:
    """A message of a request or an answer.

    Raises:
        ScenarioError: it is no message.
    """
    calls = [
        call_of(call["function"]["name"], call["function"]["arguments"], call["id"], lacks)
        for call in message["tool_calls"].items()
    ]
    if (old := message["function_call"]).value is not None:
        calls.append(call_of(old["name"], old["arguments"], Spot(None, ""), lacks))
    return Said(
        role=message["role"].text(),
        text=text_of(message["content"], lacks),
        calls=tuple(calls),
        call_id=message["tool_call_id"].text(""),
        refusal=message["refusal"].text("") or None,
    )


def text_of(content: Spot, lacks: Lacking) -> str:
    """The text of a content: text, nothing, or a list of parts, of which only those with text are kept."""
    if not isinstance(content.value, list):
        return content.text("")
    texts: list[str] = []
    for part in content.items():
        if part["type"].text("") in ("text", "input_text", "output_text"):
            texts.append(part["text"].text())
        else:
            note(lacks, "content")
    return "".join(texts)


def said_json(said: Said) -> dict[str, Json]:
    """A message as the API has it: the way back."""
    if said.role == "tool":
        return {"role": "tool", "tool_call_id": said.call_id, "content": said.text}
    written: dict[str, Json] = {"role": said.role, "content": said.text}
    if said.role == "assistant" and said.calls:
        written["content"] = said.text or None
        written["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in said.calls
        ]
    if said.refusal:
        written["refusal"] = said.refusal
    return written


def tool_of(tool: Spot, lacks: Lacking) -> ToolCard | None:
    """A tool as it was offered; None, and a gap: it is no function."""
    function = tool["function"] if tool.has("function") else tool
    if tool["type"].text("function") != "function":
        note(lacks, "content")
        return None
    return ToolCard(
        name=function["name"].text(),
        description=function["description"].text(""),
        parameters=function["parameters"].fields(),
    )


def tool_json(card: ToolCard) -> dict[str, Json]:
    """A tool as the API has it: the way back."""
    function = {"name": card.name, "description": card.description, "parameters": card.parameters}
    return {"type": "function", "function": function}


def head_of(instructions: str, tools: tuple[ToolCard, ...], parameters: Spot, lacks: Lacking) -> Head:
    """What stays the same from call to call; `parameters` has the request's other fields.

    Raises:
        ScenarioError: a parameter is of another type than the API's.
    """
    limit = parameters["max_completion_tokens"].count() or parameters["max_tokens"].count()
    effort = parameters["reasoning_effort"].text("")
    wanted = parameters["response_format"]
    form, output = wanted["type"].text("text"), None
    if form == "json_schema":
        schema = wanted["json_schema"]
        output = OutputCard(
            name=schema["name"].text("output"),
            output_schema=schema["schema"].fields(),
            strict=schema["strict"].value is True,
        )
    unknown_effort = bool(effort) and effort not in get_args(Effort)
    note(lacks, "parameters", limit is None or unknown_effort or form == "json_object")
    return Head(
        instructions=instructions,
        tools=tools,
        output=output,
        max_output_tokens=limit or DEFAULT.max_output_tokens,
        temperature=parameters["temperature"].number(),
        effort=None if unknown_effort else cast("Effort | None", effort or None),
    )


def parameters_json(head: Head) -> dict[str, Json]:
    """The parameters of a request, those without a value left out: the way back."""
    written: dict[str, Json] = {}
    if head.max_output_tokens != DEFAULT.max_output_tokens:
        written["max_completion_tokens"] = head.max_output_tokens
    if head.temperature is not None:
        written["temperature"] = head.temperature
    if head.effort is not None:
        written["reasoning_effort"] = head.effort
    if head.output is not None:
        schema = {"name": head.output.name, "schema": head.output.output_schema, "strict": head.output.strict}
        written["response_format"] = {"type": "json_schema", "json_schema": schema}
    return written


def answer_of(completion: Spot, lacks: Lacking) -> Reply | Failure:
    """The reply of a chat completion, or the failure that it is; only its first choice is taken.

    Raises:
        ScenarioError: it is neither.
    """
    if (error := completion["error"]).value is not None:
        code = error["code"].value or error["type"].value or ""
        return Failure(
            kind=failure_kind(str(code)), message=error["message"].text("the provider gave no message")[:500]
        )
    choices = completion["choices"].items()
    if not choices:
        raise completion["choices"].wrong("a choice")
    note(lacks, "content", len(choices) - 1)
    said = said_of(choices[0]["message"], lacks)
    usage = usage_of(completion["usage"], lacks)
    finish = choices[0]["finish_reason"].text("")
    said = Said(role="assistant", text=said.text, calls=said.calls, refusal=said.refusal, finish=finish)
    return reply_of(said, completion["model"].text(""), usage)


def usage_of(usage: Spot, lacks: Lacking) -> Usage:
    """The usage of one call; a provider's own figure in USD, as OpenRouter gives it, is kept as reported.

    A provider that counts reasoning beside the output (its total tells) has it added to the output.
    """
    before, after = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    prompt, output = usage["prompt_tokens"].count(), usage["completion_tokens"].count()
    thought = after["reasoning_tokens"].count()
    if thought and usage["total_tokens"].count() == (prompt or 0) + (output or 0) + thought:
        output = (output or 0) + thought
    tokens = Tokens(
        prompt=prompt,
        output=output,
        read=before["cached_tokens"].count(),
        written=before["cache_write_tokens"].count(),
        reasoning=thought,
    )
    cost = usage["cost"].number()
    found = tokens.usage(None, lacks)
    return found if cost is None else found.model_copy(update={"usd_reported": round(max(0.0, cost), 9)})


def answer_json(answer: Reply | Failure, made: int) -> dict[str, Json]:
    """An answer as the API has it: the way back; `made` is when, in whole seconds since the epoch."""
    if isinstance(answer, Failure):
        return {"error": {"message": answer.message, "type": answer.kind, "code": answer.kind, "param": None}}
    said = Said(role="assistant", text=answer.text, calls=answer.tool_calls, refusal=answer.refusal)
    choice = {"index": 0, "message": said_json(said), "finish_reason": answer.finish, "logprobs": None}
    written: dict[str, Json] = {
        "object": "chat.completion", "created": made, "model": answer.model, "choices": [choice],
    }  # fmt: skip
    if answer.usage.tokens:
        written["usage"] = usage_json(answer.usage)
    return written


def usage_json(usage: Usage) -> dict[str, Json]:
    """A usage as the API has it: the way back."""
    tokens = Tokens.of(usage)
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.output,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": {"cached_tokens": tokens.read, "cache_write_tokens": tokens.written},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
        **({"cost": usage.usd_reported} if usage.usd_reported else {}),
    }


def line_of(value: Json) -> str:
    """A value as one line of JSON, with its newline."""
    return to_json(value).decode() + "\n"
