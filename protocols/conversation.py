"""What is said to a model and what it answers, whatever the wire."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import to_json

from .messages import NOTHING_USED, Count, Json, Message, Usage


class UserMessage(Message):
    """Text from the side that asks."""

    role: Literal["user"] = "user"
    text: str
    framework: Count = 0
    """Characters of `text` that the framework wrote; not sent."""


class ToolCall(Message):
    """The model's wish to run a tool; `arguments` is the JSON text as the model wrote it, unchecked."""

    id: str
    name: str
    arguments: str


class AssistantMessage(Message):
    """What the model said: text, tool calls, or both."""

    role: Literal["assistant"] = "assistant"
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


class ToolMessage(Message):
    """The result of one tool call, as JSON text or plain text."""

    role: Literal["tool"] = "tool"
    call_id: str
    text: str


ChatMessage = Annotated[UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class ToolCard(Message):
    """A tool as the model sees it; `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: dict[str, Json]


class OutputCard(Message):
    """The shape that the answer must have; `strict`: the server may be asked to enforce it."""

    name: str
    output_schema: dict[str, Json]
    strict: bool = True


class Head(Message):
    """What stays the same from call to call: compiled once per definition, so that the server's cache can hit."""

    instructions: str
    framework: Count = 0
    """Characters of `instructions` that the framework wrote; not sent."""
    tools: tuple[ToolCard, ...] = ()
    output: OutputCard | None = None
    """None: plain text."""
    max_output_tokens: Annotated[int, Field(ge=1)] = 4_096
    temperature: float | None = None
    effort: Literal["minimal", "low", "medium", "high"] | None = None
    """How hard a reasoning model thinks; None: the provider's default."""


def digest_of(*parts: bytes) -> str:
    """SHA-256 over the parts, each preceded by its length, in hexadecimal.

    Example:
        >>> digest_of(b"ab", b"c") == digest_of(b"a", b"bc")
        False
    """
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(b"%d:" % len(part))
        hasher.update(part)
    return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A head with its JSON and digest, made once per definition."""

    head: Head
    json: bytes
    digest: str

    @classmethod
    def of(cls, head: Head) -> Prompt:
        """Compile a head."""
        text = to_json(head)
        return cls(head, text, digest_of(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One model call: the compiled head and the messages so far.

    `digest` covers both; it is rolled from message to message, so that a long history is not hashed again.
    """

    prompt: Prompt
    messages: tuple[ChatMessage, ...]
    digest: str
    size: int = field(default=0)
    """Bytes of head and messages as JSON: an upper bound of the input tokens, since no token is shorter than a byte."""
    new: int = 0
    """Index of the first message that the journal has not seen in an earlier call of this conversation."""

    @classmethod
    def begin(cls, prompt: Prompt, *messages: ChatMessage) -> Request:
        """The first request of a conversation."""
        empty = cls(prompt=prompt, messages=(), digest=prompt.digest, size=len(prompt.json))
        return empty.then(*messages)

    def then(self, *messages: ChatMessage) -> Request:
        """The same conversation with more messages at its end."""
        digest, size = self.digest, self.size
        for message in messages:
            text = to_json(message)
            digest = digest_of(digest.encode(), text)
            size += len(text) + 16
        return Request(
            prompt=self.prompt, messages=self.messages + messages, digest=digest, size=size, new=len(self.messages)
        )


class Reply(Message):
    """A whole answer: it is only made from a reply that reached its end.

    `finish` says why the model stopped; `length`, `content_filter` and a `refusal` are failures that the caller must
    treat as such: the text may then be half an answer.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    finish: Literal["stop", "tool_calls", "length", "content_filter"] = "stop"
    model: str = ""
    """The model that answered, by its own account."""
    usage: Usage = NOTHING_USED


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text of a reply under way: shown to whoever listens, never journalled."""

    path: str
    text: str
