"""Foreign JSON, read without trust: bounded, one value at a time, every value with its place.

1. A file is a JSON array, whose elements are read one by one, or any number of JSON objects one after the other: JSON
   Lines, or a single document.
2. Bytes that are no UTF-8, a field that stands twice, a number that is not finite, text that cannot be written again
   (half a surrogate pair), and anything larger, deeper or more than `Limits` allow are errors.
3. What is read is data: nothing in it is run, opened or looked up.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, cast

from ...protocols.errors import ScenarioError
from ...protocols.messages import Json

PIECE = 1 << 20
"""Bytes read at once, at first."""
LONGEST_TOKEN = 16
"""Characters of a word or an escape of JSON, which may be cut off at the end of a piece; numbers are read on anyway."""
MOST_TOKENS = 10**12
LAST_MOMENT = 253_402_300_799
"""The last second of the year 9999."""
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a file is read before it is refused."""

    file: int = 1 << 28
    """Bytes."""
    item: int = 1 << 26
    """Characters of one element or line."""
    items: int = 1_000_000
    depth: int = 64
    """Of arrays and objects within one item."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A value in a foreign file, with its place; what is not there is None, at any depth."""

    value: Json
    file: str
    """Name of the file; of JSON Lines with the number of the line."""
    pointer: str = ""
    """JSON Pointer (RFC 6901) into the file or line."""

    def __getitem__(self, key: str | int) -> Spot:
        """A field, or an element."""
        found: Json = None
        if isinstance(key, str):
            found = object_of(self.value).get(key)
        elif 0 <= key < len(listed := array_of(self.value)):
            found = listed[key]
        return Spot(found, self.file, f"{self.pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")

    @property
    def place(self) -> str:
        """For an error."""
        return f"{self.file} {self.pointer}".rstrip()

    def wrong(self, expected: str) -> ScenarioError:
        """Another value was expected here."""
        return ScenarioError(self.place, f"expected {expected}, found {_shown(self.value)}")

    def has(self, *keys: str) -> bool:
        """Whether it is an object with all of these fields."""
        return all(key in object_of(self.value) for key in keys)

    def text(self, default: str | None = None) -> str:
        """The text.

        Raises:
            ScenarioError: it is something else, or missing and there is no default.
        """
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def fields(self) -> dict[str, Json]:
        """The fields of the object; of None, none.

        Raises:
            ScenarioError: it is something else.
        """
        fields = object_of(self.value)
        if self.value is None or isinstance(self.value, dict):
            return fields
        raise self.wrong("an object")

    def items(self) -> list[Spot]:
        """The elements of the array; of None, none.

        Raises:
            ScenarioError: it is something else.
        """
        elements = [self[i] for i in range(len(array_of(self.value)))]
        if self.value is None or isinstance(self.value, list):
            return elements
        raise self.wrong("an array")

    def count(self) -> int | None:
        """A number of tokens, which some write as text; None: it is missing.

        Raises:
            ScenarioError: it is no whole number from 0 to 10^12.
        """
        value = self.value
        if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) <= 13:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None or (type(value) is int and 0 <= value <= MOST_TOKENS):
            return value
        raise self.wrong("a number of tokens")

    def number(self) -> float | None:
        """The number; None: it is missing.

        Raises:
            ScenarioError: it is something else, or too large for a float.
        """
        value = self.value
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
            return float(value)
        raise self.wrong("a number")

    def moment(self) -> float | None:
        """A time in seconds since the epoch; None: it is missing.

        Raises:
            ScenarioError: it is no number, or not within the years 1970 to 9999.
        """
        at = self.number()
        if at is not None and not 0 <= at <= LAST_MOMENT:
            raise self.wrong("seconds since the epoch")
        return at


def object_of(value: Json) -> dict[str, Json]:
    """The fields of a JSON object; none of anything else."""
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def array_of(value: Json) -> Sequence[Json]:
    """The elements of a JSON array; none of anything else."""
    return cast("Sequence[Json]", value) if isinstance(value, list) else ()


def _shown(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str | int | float):
        return repr(value)[:80]
    return "an object" if isinstance(value, dict) else "an array"


class _RefusedError(ValueError):
    """The JSON is well-formed so far, and more of it would not make it better."""


def _single(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _RefusedError("expected every field once, found one twice")
    return value


def _no_constant(constant: str) -> NoReturn:
    raise _RefusedError(f"expected a finite number, found {constant}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _RefusedError(f"expected a finite number, found {text[:40]}")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_single, parse_constant=_no_constant, parse_float=_finite)


def _checked(value: Json, depth: int) -> Json:
    """The value, if it is not too deep and all its text can be written again."""
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        node, level = stack.pop()
        if isinstance(node, str):
            if not node.isascii():
                node.encode()
            continue
        if not isinstance(node, dict | list):
            continue
        if level > depth:
            raise _RefusedError(f"expected at most {depth} levels of arrays and objects, found more")
        stack.extend((part, level + 1) for part in array_of(node))
        stack.extend((part, level + 1) for pair in object_of(node).items() for part in pair)
    return value


def parsed(text: str, place: Spot, limits: Limits) -> Json:
    """The JSON value that a text inside a file is.

    Raises:
        ScenarioError: it is none, or one that `Limits` or the rules of this module forbid.
    """
    try:
        return _checked(_DECODER.decode(text), limits.depth)
    except UnicodeEncodeError:
        raise ScenarioError(place.place, "expected text in Unicode, found half a surrogate pair") from None
    except (ValueError, RecursionError) as error:
        raise ScenarioError(place.place, f"expected JSON: {_why(error)}") from None


def json_or_text(text: str) -> Json:
    """The JSON value that a text is, and the text itself if it is none.

    Example:
        >>> json_or_text('{"a": 1}'), json_or_text("a: 1"), json_or_text('{"a": NaN}')
        ({'a': 1}, 'a: 1', '{"a": NaN}')
    """
    try:
        return parsed(text, Spot(None, ""), Limits())
    except ScenarioError:
        return text


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"{error.msg} (column {error.colno})" if isinstance(error, json.JSONDecodeError) else str(error)


class ForeignFile:
    """A file as its values, read on as they are asked for."""

    def __init__(self, file: BinaryIO, name: str, limits: Limits) -> None:
        """Read nothing yet; `name` is what errors call the file."""
        self._file = file
        self.name = name or "file"
        self.limits = limits
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._hash = hashlib.sha256()
        self._size = 0
        self._text, self._at, self._line = "", 0, 1
        self._over = False

    @property
    def sha256(self) -> str:
        """Of all bytes read so far: of the whole file once its values have been read."""
        return self._hash.hexdigest()

    def values(self) -> Iterator[Spot]:
        """Every element of the array, or every object, in order; an empty file has none.

        Raises:
            ScenarioError: the file is none of both, or breaks a rule of this module.
        """
        found = self._elements() if self._peek() == "[" else self._objects()
        for number, spot in enumerate(found, 1):
            if number > self.limits.items:
                raise ScenarioError(spot.place, f"expected at most {self.limits.items} items, found more")
            yield spot

    def _objects(self) -> Iterator[Spot]:
        while self._peek():
            here = f"{self.name}:{self._line}"
            yield Spot(self._object(), here)

    def _elements(self) -> Iterator[Spot]:
        self._advance(self._at + 1)
        index, after = 0, self._peek()
        if after == "]":
            self._advance(self._at + 1)
        while after != "]":
            yield Spot(self._object(), self.name, f"/{index}")
            index, after = index + 1, self._peek()
            if after not in (",", "]"):
                raise self._error(f"expected ',' or ']', found {after!r}" if after else "the array has no end")
            self._advance(self._at + 1)
        if rest := self._peek():
            raise self._error(f"expected the end of the file, found {rest!r}")

    def _object(self) -> Json:
        """The object that begins here."""
        if (opening := self._peek()) != "{":
            raise self._error(f"expected an object, found {opening!r}" if opening else "expected an object")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if end - self._at > self.limits.item:
                    raise _RefusedError(f"expected at most {self.limits.item} characters, found more")
                _checked(value, self.limits.depth)
            except json.JSONDecodeError as error:
                self._read_on(error)
            except UnicodeEncodeError:
                raise self._error("expected text in Unicode, found half a surrogate pair") from None
            except (ValueError, RecursionError) as error:
                raise self._error(_why(error)) from None
            else:
                self._advance(end)
                return value

    def _read_on(self, error: json.JSONDecodeError) -> None:
        """The object may only be cut off: read as much again as there is of it, so that nothing is parsed often.

        Raises:
            ScenarioError: more of it would not help, or there may be no more.
        """
        cut_off = error.msg.startswith("Unterminated") or error.pos > len(self._text) - LONGEST_TOKEN
        if self._over or not cut_off:
            raise self._error(f"expected JSON: {error.msg}", error.pos) from None
        if len(self._text) - self._at > self.limits.item:
            raise self._error(f"expected at most {self.limits.item} characters, found more") from None
        self._read(max(PIECE, len(self._text) - self._at))

    def _peek(self) -> str:
        """The next character that is no white space; "": there is none."""
        while True:
            blank = _SPACE.match(self._text, self._at)
            self._advance(blank.end() if blank else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if self._over:
                return ""
            self._read(PIECE)

    def _advance(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _read(self, size: int) -> None:
        """Read on; what has been advanced over is forgotten."""
        data = self._file.read(size)
        self._over = not data
        self._size += len(data)
        if self._size > self.limits.file:
            raise ScenarioError(self.name, f"expected at most {self.limits.file} bytes, found more")
        self._hash.update(data)
        try:
            more = self._decoder.decode(data, final=self._over)
        except UnicodeDecodeError as error:
            line = self._line + self._text.count("\n", self._at) + data.count(b"\n", 0, error.start)
            raise ScenarioError(f"{self.name}:{line}", f"expected UTF-8, found other bytes ({error.reason})") from None
        self._text, self._at = self._text[self._at :] + more, 0

    def _error(self, what: str, at: int | None = None) -> ScenarioError:
        line = self._line + (self._text.count("\n", self._at, at) if at is not None else 0)
        return ScenarioError(f"{self.name}:{line}", what)
