"""JSON Lines that nobody vouches for: no line is read beyond a limit, and each is one strict JSON value."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import IO, Any, AnyStr, Final

from pydantic_core import from_json

from .messages import Json

MAX_DEPTH: Final = 200
"""Nested lists and objects; pydantic's parser refuses more."""


class UnfitError(ValueError):
    """Something is not what it has to be; whoever knows the file and the line makes an error of it that says so."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")


def split(file: IO[AnyStr], most: int) -> Iterator[AnyStr]:
    """The lines of a file with their newlines.

    Of a line that is longer than `most`, only so much is read as shows that it is: a file without newlines costs no
    memory.
    """
    while line := file.readline(most + 2):
        yield line


def parse(line: str | bytes, *, most: int) -> Json:
    """The value of one line.

    Args:
        line: with or without its newline; bytes are UTF-8.
        most: characters, of bytes: bytes.

    Raises:
        UnfitError: it is longer; is no JSON (RFC 8259), or JSON with a field twice, a number that is not finite, a
            surrogate without its partner, or too many levels. The message never quotes the line.

    Example:
        >>> parse('{"a": 1, "a": 2}', most=100)
        Traceback (most recent call last):
        ...
        echelon.protocols.jsonl.UnfitError: expected every field once, found one twice
    """
    text = _text(line, most)
    try:
        # Refuses what Python's parser lets through: depth, half surrogates, NaN.
        from_json(text, allow_inf_nan=False, cache_strings="none")
        return _DECODER.decode(text)
    except UnfitError:
        raise
    except ValueError as error:
        raise _unfit(str(error)) from error


def _text(line: str | bytes, most: int) -> str:
    newline, unit = ("\n", "characters") if isinstance(line, str) else (b"\n", "bytes")
    if len(line) - line.endswith(newline) > most:  # type: ignore[arg-type] # of the same type as the line
        raise UnfitError(f"at most {most} {unit}", "more")
    try:
        text = line if isinstance(line, str) else line.decode()
        text.encode()
    except UnicodeError as error:
        raise UnfitError("text in UTF-8", "other bytes or half a surrogate pair") from error
    if text.startswith("\ufeff"):
        raise UnfitError("JSON", "a byte order mark")
    return text


def _unfit(said: str) -> UnfitError:
    """What the parser said, in our words."""
    if "recursion limit" in said:
        return UnfitError(f"at most {MAX_DEPTH} levels", "more")
    return UnfitError("one JSON value", f"none: {said.replace('at line 1 column', 'at column')}")


def _single(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise UnfitError("every field once", "one twice")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise UnfitError("a finite number", "a larger one")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_single, parse_float=_finite)
