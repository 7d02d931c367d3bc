"""A model whose answers are written beforehand: the test double of every model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import anyio
from pydantic import BaseModel
from pydantic_core import to_json

from ...protocols.conversation import Reply, Request, ToolCall
from ...protocols.errors import EffectError, UsageError
from ...protocols.messages import Failure, Json, Usage
from ...protocols.prices import FREE, Price
from .consumption import size_of, tokens_in


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """An answer that is tool calls: pairs of a tool's name and its arguments, in order.

    Example:
        >>> reply_of(ToolCalls(("look_up", {"id": 7})), number=2).tool_calls
        (ToolCall(id='call_2_0', name='look_up', arguments='{"id":7}'),)
    """

    calls: tuple[tuple[str, Json], ...]

    def __init__(self, *calls: tuple[str, Json]) -> None:
        object.__setattr__(self, "calls", calls)


Said: TypeAlias = Reply | str | Failure | ToolCalls | BaseModel | Mapping[str, Json] | Sequence[Json]
"""One answer: a whole reply, text, a failure to raise, tool calls, or a value that is said as JSON."""

Script: TypeAlias = Callable[[Request], Said] | Sequence[Said]
"""A function of the request, or a queue of answers, one per call."""


def reply_of(said: Said, *, number: int = 0) -> Reply:
    """The reply that an answer of a script is, without usage.

    Args:
        said: The answer.
        number: Makes the ids of tool calls unique in a conversation: the messages before it, say.

    Raises:
        EffectError: the answer is a failure.

    Example:
        >>> reply_of({"total": 3}).text
        '{"total":3}'
    """
    if isinstance(said, Reply):
        return said
    if isinstance(said, Failure):
        raise EffectError(said, Usage(calls=1))
    if isinstance(said, str):
        return Reply(text=said)
    if isinstance(said, ToolCalls):
        calls = tuple(
            ToolCall(id=f"call_{number}_{place}", name=name, arguments=to_json(arguments).decode())
            for place, (name, arguments) in enumerate(said.calls)
        )
        return Reply(tool_calls=calls, finish="tool_calls")
    return Reply(text=to_json(said).decode())


def counted(reply: Reply, request: Request, name: str, price: Price) -> Reply:
    """The reply with a usage made of sizes, 4 bytes a token, where the script gave none."""
    if reply.usage.tokens:
        return reply if reply.usage.calls else reply.model_copy(update={"usage": reply.usage + Usage(calls=1)})
    usage = Usage(calls=1, input=tokens_in(request.size), output=tokens_in(size_of(reply)))
    usage = usage.model_copy(update={"usd": price.usd(usage)})
    return reply.model_copy(update={"usage": usage, "model": reply.model or name})


def words(text: str) -> list[str]:
    """The text in pieces as a model would stream it; joined they are the text.

    Example:
        >>> words("To be, or")
        ['To ', 'be, ', 'or']
    """
    return re.findall(r"\s*\S+\s?|\s+", text)


class ScriptedModel:
    """Answers from a script; the same calls get the same answers, tokens and prices.

    Example:
        >>> import anyio
        >>> from echelon.protocols.conversation import Head, Prompt, UserMessage
        >>> model = ScriptedModel(["Hello."])
        >>> request = Request.begin(Prompt.of(Head(instructions="Greet.")), UserMessage(text="Hi"))
        >>> anyio.run(model.reply, request).text
        'Hello.'
    """

    def __init__(self, script: Script, *, name: str = "scripted", price: Price = FREE, seconds: float = 0.0) -> None:
        """Take the script.

        Args:
            script: A function of the request, or a queue: each call takes the next answer, in the order of the calls.
            name: As a provider would call it.
            price: What its tokens cost.
            seconds: How long an answer takes, on the event loop's clock.
        """
        self._script = script
        self._name = name
        self._price = price
        self._seconds = seconds
        self.seen: list[Request] = []
        """All requests, in the order of their arrival."""

    def __repr__(self) -> str:
        return f"ScriptedModel(name={self._name!r})"

    @property
    def name(self) -> str:
        """As a provider would call it."""
        return self._name

    @property
    def price(self) -> Price:
        """What its tokens cost."""
        return self._price

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Answer from the script; with `listen`, the text is passed to it word by word first.

        Raises:
            EffectError: the script says so.
            UsageError: the queue is used up.
        """
        self.seen.append(request)
        said = self._next(request)
        await anyio.sleep(self._seconds)
        reply = counted(reply_of(said, number=len(request.messages)), request, self._name, self._price)
        if listen is not None:
            for piece in words(reply.text):
                listen(piece)
        return reply

    def _next(self, request: Request) -> Said:
        if callable(self._script):
            return self._script(request)
        turn = len(self.seen)
        if turn > len(self._script):
            last = request.messages[-1].text[:200] if request.messages else ""
            raise UsageError(
                f"model {self._name!r}: the script has {len(self._script)} answers, "
                f"and this is call {turn}; it ends with {last!r}"
            )
        return self._script[turn - 1]
