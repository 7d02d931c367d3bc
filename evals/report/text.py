"""Words that others wrote, made fit to be shown: no control characters, nothing that turns the reading around."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?", re.DOTALL)
"""What a terminal obeys: colours and the cursor; titles and links; the rest."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"  # control characters, halves of characters, none at all
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # what turns the reading direction: such a text looks like another
)

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def plain(text: str) -> str:
    r"""Text without escapes, control characters and halves of characters; line breaks and tabs stay.

    Example:
        >>> plain("\x1b[31mred\x1b[0m\r\n\x07bell\u202e")
        'red\nbell'
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub("", _ESCAPES.sub("", text))


def line(text: str, most: int | None = None) -> str:
    r"""Text as one line, cut at `most` characters; None: not cut.

    Example:
        >>> line("a\n b" + 9 * "c", most=6)
        'a bcc…'
    """
    flat = " ".join(plain(text).split())
    return flat if most is None or len(flat) <= most else flat[: most - 1] + ELLIPSIS


def excerpt(text: str, most: int) -> str:
    """The beginning of a text, its lines kept; where it was cut, it says how much is missing.

    Example:
        >>> excerpt("abcdef", 4)
        'abcd… (2 more characters)'
    """
    bare = plain(text).strip("\n")
    return bare if len(bare) <= most else f"{bare[:most]}{ELLIPSIS} ({len(bare) - most:,} more characters)"


def many(count: int, thing: str) -> str:
    """A number of things.

    Example:
        >>> many(1, "run"), many(1200, "run")
        ('1 run', '1,200 runs')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
