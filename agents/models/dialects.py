"""What a server understands, and what we learn of it when it says no."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic_core import from_json, to_json

from ...protocols.dialogue import unfenced
from ...protocols.messages import Failure
from .strict import Enforced

Structured = Literal["strict", "json", "prompt"]
"""How the shape of an answer is asked for: by schema, as any JSON with the schema in words, or in words only."""

Limit = Literal["max_completion_tokens", "max_tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a server wants to be spoken to."""

    structured: Structured = "strict"
    limit: Limit = "max_completion_tokens"
    """Chat only: OpenAI refuses the old name for its newer models, most other servers know only the old one."""


def dialect_at(host: str, structured: Structured) -> Dialect:
    """The dialect to begin with at a host.

    Example:
        >>> dialect_at("api.openai.com", "strict").limit, dialect_at("127.0.0.1", "strict").limit
        ('max_completion_tokens', 'max_tokens')
    """
    new = host.endswith(("openai.com", "azure.com"))
    return Dialect(structured=structured, limit="max_completion_tokens" if new else "max_tokens")


_WEAKER: dict[Structured, Structured] = {"strict": "json", "json": "prompt"}
_SHAPE_WORDS = ("response_format", "json_schema", "json_object", "text.format", "structured output", "guided")
_UNKNOWN_WORDS = ("unsupported", "not supported", "unknown", "unrecognized", "extra", "not permitted", "unexpected")


def learnt(dialect: Dialect, failure: Failure, *, shaped: bool) -> Dialect | None:
    """The dialect to try next after a refused request; None if the refusal is not about the dialect.

    Args:
        dialect: The one that was refused.
        failure: Why.
        shaped: Whether the request asked for a shape.

    Example:
        >>> no = Failure(kind="bad_request", message="response_format json_schema is not supported")
        >>> learnt(Dialect(), no, shaped=True).structured
        'json'
    """
    said = failure.message.lower()
    if failure.kind != "bad_request":
        return None
    if dialect.limit in said and any(word in said for word in _UNKNOWN_WORDS):
        other: Limit = "max_tokens" if dialect.limit == "max_completion_tokens" else "max_completion_tokens"
        return replace(dialect, limit=other)
    if shaped and dialect.structured in _WEAKER and any(word in said for word in _SHAPE_WORDS):
        return replace(dialect, structured=_WEAKER[dialect.structured])
    return None


def is_about_one_schema(failure: Failure) -> bool:
    """Whether the server knows schemas and refused only this one: nothing is learnt about the server then."""
    said = failure.message.lower()
    return "invalid schema" in said or "invalid_json_schema" in said


def schema_in_words(shape: Enforced) -> str:
    """The instruction that takes the place of an enforced schema; it has the word JSON, which json_object requires."""
    return f"Answer with one JSON value of this JSON Schema and nothing else:\n{to_json(shape.schema).decode()}"


def unwrapped(text: str) -> str:
    """The value inside the object that it was asked for in; the text itself if it is no such object.

    Example:
        >>> unwrapped('{"value": [1, 2]}')
        '[1,2]'
    """
    try:
        outer = from_json(unfenced(text))
    except ValueError:
        return text
    return to_json(outer["value"]).decode() if isinstance(outer, dict) and outer.keys() == {"value"} else text
