"""What was said to models and by them, out of any format: one neutral message, and what becomes of it here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic_core import to_json

from ...protocols.conversation import (
    AssistantMessage,
    ChatMessage,
    Head,
    Reply,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from ...protocols.messages import Json, Usage
from .gaps import Lacking, note
from .reading import Spot

Finish = Literal["stop", "tool_calls", "length", "content_filter"]

FINISHES: Final[dict[str, Finish]] = {
    "stop": "stop", "end_turn": "stop", "tool_calls": "tool_calls", "tool_call": "tool_calls",
    "tool_use": "tool_calls", "function_call": "tool_calls", "length": "length", "max_tokens": "length",
    "content_filter": "content_filter",
}  # fmt: skip
"""Why a model stopped, in the words of OpenAI, OpenTelemetry and Anthropic; another word is taken for `stop`."""

DEFAULT: Final = Head(instructions="")
"""What a head has where a source is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message in a conversation."""

    role: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    """Of a tool's result: of the call that it answers."""
    refusal: str | None = None
    finish: str = ""
    """Of a reply; "": it does not say."""


def conversation(said: Sequence[Said], lacks: Lacking) -> tuple[str, tuple[ChatMessage, ...]]:
    """The instructions and the messages: what the system says at the beginning is the instructions.

    A later word of the system, or of a role that we do not have, is taken for the user's; that is a gap.
    """
    leading: list[str] = []
    rest = list(said)
    while rest and rest[0].role in ("system", "developer"):
        leading.append(rest.pop(0).text)
    return "\n\n".join(leading), tuple(_message(one, lacks) for one in rest)


def _message(said: Said, lacks: Lacking) -> ChatMessage:
    match said.role:
        case "assistant":
            return AssistantMessage(text=said.text, tool_calls=said.calls)
        case "tool" | "function":
            lacks_id(said.call_id, lacks)
            return ToolMessage(call_id=said.call_id, text=said.text)
        case role:
            note(lacks, "content", role != "user")
            return UserMessage(text=said.text)


def lacks_id(call_id: str, lacks: Lacking) -> str:
    """The id, or "" and a gap."""
    note(lacks, "ids", not call_id)
    return call_id


def spoken(instructions: str, messages: Iterable[ChatMessage]) -> list[Said]:
    """A conversation as neutral messages: the way back."""
    said = [Said(role="system", text=instructions)] if instructions else []
    for message in messages:
        match message:
            case UserMessage():
                said.append(Said(role="user", text=message.text))
            case AssistantMessage():
                said.append(Said(role="assistant", text=message.text, calls=message.tool_calls))
            case ToolMessage():
                said.append(Said(role="tool", text=message.text, call_id=message.call_id))
    return said


def reply_of(said: Said, model: str, usage: Usage) -> Reply:
    """A model's reply; one that calls tools and does not say why it stopped stopped for that."""
    finish = FINISHES.get(said.finish, "stop")
    return Reply(
        text=said.text,
        tool_calls=said.calls,
        refusal=said.refusal,
        finish="tool_calls" if said.calls and finish == "stop" else finish,
        model=model,
        usage=usage,
    )


def answer_of(reply: Reply) -> Said:
    """A reply as a neutral message: the way back."""
    return Said(
        role="assistant", text=reply.text, calls=reply.tool_calls, refusal=reply.refusal, finish=reply.finish
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a format says of the tokens of one call; None: it does not say."""

    prompt: int | None = None
    """All input tokens; those that a cache served or took are among them."""
    output: int | None = None
    read: int | None = None
    written: int | None = None
    reasoning: int | None = None

    def usage(self, usd: float | None, lacks: Lacking) -> Usage:
        """The usage of one call, cached tokens apart; `usd` None: unknown.

        A source whose cached tokens are more than its input tokens counts them beside those, not among them.
        """
        note(lacks, "usage", self.prompt is None and self.output is None)
        note(lacks, "caching", self.read is None)
        note(lacks, "prices", usd is None)
        prompt, output = self.prompt or 0, self.output or 0
        read, written = self.read or 0, self.written or 0
        apart = read + written > prompt
        return Usage(
            calls=1,
            input=prompt if apart else prompt - read - written,
            cache_read=read,
            cache_write=written,
            output=output,
            reasoning=min(self.reasoning or 0, output),
            usd=round(usd or 0.0, 9),
        )

    @classmethod
    def of(cls, usage: Usage) -> Tokens:
        """The tokens of a usage: the way back."""
        prompt = usage.input + usage.cache_read + usage.cache_write
        return cls(
            prompt=prompt,
            output=usage.output,
            read=usage.cache_read,
            written=usage.cache_write,
            reasoning=usage.reasoning,
        )


def as_text(value: Json) -> str:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value).decode()


def call_of(name: Spot, arguments: Spot, call_id: Spot, lacks: Lacking) -> ToolCall:
    """A tool call; arguments that are no text are written as JSON, missing ones are "".

    Raises:
        ScenarioError: there is no name, or the id is no text.
    """
    text = "" if arguments.value is None else as_text(arguments.value)
    return ToolCall(id=lacks_id(call_id.text(""), lacks), name=name.text(), arguments=text)
