"""Foreign JSON, read without trust: what is not there is empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ...protocols.messages import Json


def fields_of(value: object) -> dict[str, Json]:
    """The fields of a JSON object; none of anything else.

    Example:
        >>> fields_of("oops")
        {}
    """
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def joined(content: str | Sequence[Json] | None) -> str:
    """The text of a content, which is text, a list of parts, or nothing.

    Example:
        >>> joined([{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}])
        'ab'
    """
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in map(fields_of, content or ()))
