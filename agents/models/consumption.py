"""Tokens as a server counts them, and what is assumed where it does not."""

from __future__ import annotations

from math import isfinite
from typing import Any

from ...protocols.conversation import Reply, Request
from ...protocols.messages import NOTHING_USED, Usage
from ...protocols.prices import Price
from .foreign import fields_of

MOST_TOKENS = 10**9
"""Of one call; a count above it is an error of the server."""
BYTES_PER_TOKEN = 4
"""Rule of thumb for English text, for answers whose usage the server does not say."""
OVERHEAD_TOKENS = 64
"""Tokens that a provider may add of its own to a request, measured generously."""


def tokens_in(size: int) -> int:
    """Tokens that a text of so many bytes has, roughly; 0 only for an empty one.

    Example:
        >>> tokens_in(0), tokens_in(1), tokens_in(9)
        (0, 1, 3)
    """
    return -(-size // BYTES_PER_TOKEN)


def usage_of(said: object) -> Usage:
    """The tokens of one answer, in the words of either OpenAI API or of servers like it; fields are made disjoint.

    A count that is missing, negative, no number or absurd is 0. A provider that counts reasoning beside the output
    (its total tells) has it added to the output.

    Example:
        >>> usage_of({"prompt_tokens": 10, "completion_tokens": -3, "prompt_tokens_details": {"cached_tokens": 4}})
        ... # doctest: +ELLIPSIS
        Usage(calls=0, input=6, cache_read=4, cache_write=0, output=0, ...)
    """
    fields = fields_of(said)
    if not fields:
        return NOTHING_USED
    given = _count(fields, "prompt_tokens") or _count(fields, "input_tokens")
    output = _count(fields, "completion_tokens") or _count(fields, "output_tokens")
    before = fields_of(fields.get("prompt_tokens_details") or fields.get("input_tokens_details"))
    after = fields_of(fields.get("completion_tokens_details") or fields.get("output_tokens_details"))
    read = min(given, _count(before, "cached_tokens"))
    written = min(given - read, _count(before, "cache_write_tokens"))
    thought = _count(after, "reasoning_tokens")
    if thought and _count(fields, "total_tokens") == given + output + thought:
        output += thought
    return Usage.model_construct(
        calls=0,
        input=given - read - written,
        cache_read=read,
        cache_write=written,
        output=output,
        reasoning=min(thought, output),
        usd=0.0,
        usd_reported=_usd(fields.get("cost")),
        usd_assumed=0.0,
    )


def _count(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else 0


def _usd(value: object) -> float:
    return float(value) if isinstance(value, int | float) and isfinite(value) and value >= 0 else 0.0


def priced(usage: Usage, reply: Reply, request: Request, price: Price) -> Usage:
    """The usage of a whole answer with its price; what the server did not count is estimated and marked as assumed."""
    changes: dict[str, Any] = {}
    if not usage.input + usage.cache_read + usage.cache_write:
        changes["input"] = tokens_in(request.size)
    if not usage.output and (said := size_of(reply)):
        changes["output"] = tokens_in(said)
    whole = usage.model_copy(update=changes) if changes else usage
    usd = price.usd(whole)
    return whole.model_copy(update={"usd": usd, "usd_assumed": usd if changes else 0.0})


def size_of(reply: Reply) -> int:
    """Bytes of all that the model said."""
    calls = sum(len(call.name) + len(call.arguments.encode()) for call in reply.tool_calls)
    return len(reply.text.encode()) + len((reply.refusal or "").encode()) + calls


def worst_case(request: Request, price: Price) -> Usage:
    """The most that a lost call can have cost, all of it assumed: no token is shorter than a byte."""
    bound = Usage(input=request.size + OVERHEAD_TOKENS, output=request.prompt.head.max_output_tokens)
    usd = price.usd(bound)
    return bound.model_copy(update={"usd": usd, "usd_assumed": usd})
