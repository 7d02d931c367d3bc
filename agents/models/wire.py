"""What the two APIs have in common: a wire turns requests into bodies and bodies into replies, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic_core import to_json

from ...protocols.conversation import ChatMessage, Head, Reply, ToolCall
from ...protocols.messages import Json
from .dialects import Dialect
from .strict import Enforced

Body = dict[str, Json]

Finish = Literal["stop", "tool_calls", "length", "content_filter"]


class Fold(Protocol):
    """Puts a streamed answer together from the data of its events, in order."""

    def feed(self, event: bytes) -> str:
        """Take the data of one event and give the text that it adds.

        Raises:
            EffectError: it is no event of an answer, or says that the answer failed.
        """
        ...

    def reply(self) -> Reply:
        """The whole answer, once the stream has ended.

        Raises:
            EffectError: the stream ended before the answer did.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One of OpenAI's APIs."""

    path: str
    opening: Callable[[str, Head, Dialect, Enforced | None], Body]
    """What stays the same from call to call, made once per prompt: model, head, dialect, shape of the answer."""
    body: Callable[[Body, Iterable[ChatMessage]], Body]
    """A whole request: an opening and the messages so far."""
    listening: Callable[[Body], Body]
    """The same request, to be answered by a stream."""
    read: Callable[[str, bytes], Reply]
    """A whole answer of a model; raises EffectError."""
    fold: Callable[[str], Fold]


def call_of(found: int, name: object, arguments: object, id: object) -> ToolCall:  # noqa: A002 - the wire's own word
    """A tool call as a server wrote it; some write the arguments as an object, and some give no id."""
    text = arguments if isinstance(arguments, str) else to_json({} if arguments is None else arguments).decode()
    return ToolCall.model_construct(id=str(id or f"call_{found}"), name=str(name or ""), arguments=text)
