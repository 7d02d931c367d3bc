"""Text that shows all of itself: what a reader would not see, or would see elsewhere than it stands, as escapes."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import cast

from .messages import Json

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories of characters that are not seen, that move others (Trojan Source, CVE-2021-42574), or that carry
text which only a model reads (the tags of U+E0000)."""
KEPT = frozenset("\n\t\u200c\u200d")
"""Line breaks and tabs, and the joiners, without which some scripts and emoji are written wrongly."""


def visible(text: str) -> str:
    r"""The text with escapes for what is hidden in it.

    Example:
        >>> print(visible("\x1b[2Jpay \u202e001"))
        \u001b[2Jpay \u202e001
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in KEPT or not _is_hidden(char) else _escaped(char) for char in text)


def visible_json(value: Json) -> Json:
    r"""The same of every text in a JSON value, keys among them.

    Example:
        >>> visible_json({"a\x07": ["b\x07", 1]})
        {'a\\u0007': ['b\\u0007', 1]}
    """
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [visible_json(each) for each in cast("Sequence[Json]", value)]
    if isinstance(value, dict):
        return {visible(key): visible_json(each) for key, each in cast("dict[str, Json]", value).items()}
    return value


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in HIDDEN


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
