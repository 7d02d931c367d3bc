"""Where two JSON values begin to differ, and how to show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff

from pydantic_core import to_json

from ...protocols.messages import Json
from ..scenarios.plain import is_list, is_object

MOST = 400
"""Characters that are shown of a value."""
BEFORE = 120
"""Of these, characters that are shown before the difference."""
MOST_LINES = 12
"""Lines that are shown of a difference in a text."""


class Absent:
    """Stands where there is no value."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place at which two values differ."""

    at: str
    """JSON Pointer (RFC 6901); "" is the whole."""
    expected: Json | Absent
    found: Json | Absent

    def shown(self) -> tuple[str, str]:
        """Both as JSON, cut around the difference; "" is nothing."""
        expected, found = (("" if one is ABSENT else to_json(one).decode()) for one in (self.expected, self.found))
        pairs = enumerate(zip(expected, found, strict=False))
        same = next((i for i, (before, after) in pairs if before != after), min(len(expected), len(found)))
        return _cut(expected, same), _cut(found, same)

    @property
    def told(self) -> str:
        """The difference in words, and of a text as lines that went and came."""
        expected, found = (text or "nothing" for text in self.shown())
        words = f"{self.at or 'it'}: expected {expected}, found {found}"
        return f"{words}\n{self.diff}" if self.diff else words

    @property
    def diff(self) -> str:
        """Of two texts of several lines, a short unified diff; "" of anything else."""
        if not (isinstance(self.expected, str) and isinstance(self.found, str)):
            return ""
        before, after = self.expected.splitlines(), self.found.splitlines()
        if len(before) < 2 and len(after) < 2:
            return ""
        lines = [_cut(line, 0) for line in unified_diff(before, after, n=1, lineterm="")][2:]
        more = [f"({len(lines) - MOST_LINES} more lines)"] if len(lines) > MOST_LINES else []
        return "\n".join([*lines[:MOST_LINES], *more])


def difference(expected: Json, found: Json, at: str = "") -> Difference | None:
    """The first difference, depth first in the order of `expected`; None: they are the same.

    Example:
        >>> difference({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3]})
        Difference(at='/b/1', expected=2, found=3)
        >>> difference([1], [1, True])
        Difference(at='/1', expected=nothing, found=True)
        >>> difference(1, True)
        Difference(at='', expected=1, found=True)
    """
    if is_object(expected) and is_object(found):
        return _of_objects(expected, found, at)
    if is_list(expected) and is_list(found):
        return _of_objects(_numbered(expected), _numbered(found), at)
    same: bool = expected == found and isinstance(expected, bool) == isinstance(found, bool)
    return None if same else Difference(at, expected, found)


def _numbered(items: list[Json]) -> dict[str, Json]:
    return {str(i): item for i, item in enumerate(items)}


def _of_objects(expected: Mapping[str, Json], found: Mapping[str, Json], at: str) -> Difference | None:
    for key in [*expected, *(key for key in found if key not in expected)]:
        here = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
        before, after = expected.get(key, ABSENT), found.get(key, ABSENT)
        alone = before is ABSENT or after is ABSENT
        first = Difference(here, before, after) if alone else difference(before, after, here)
        if first is not None:
            return first
    return None


def _cut(text: str, at: int) -> str:
    """At most `MOST` characters around this one."""
    if len(text) <= MOST:
        return text
    start = max(0, min(at - BEFORE, len(text) - MOST + 1))
    front = "…" if start else ""
    end = start + MOST - len(front)
    return front + (text[start:end] if end >= len(text) else f"{text[start : end - 1]}…")
