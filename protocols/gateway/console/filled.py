"""What was filled into a form as JSON: what cannot be read stays as it was typed, and says what was expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

from pydantic_core import from_json, to_json

from ...messages import Json
from .schemas import Field, elements, members

ROOT = "v"
"""Name of the whole value in a form; a part's is that and its JSON Pointer (RFC 6901): `v/lines/0/amount`."""
COUNT = "#"
"""Behind a list's name: how many elements it has."""
MOST_ITEMS = 200


class Typed(str):
    """Text that was typed where it does not fit."""

    __slots__ = ()


class _Missing:
    """Nothing was given, and nothing has to be."""


MISSING = _Missing()
Given = Mapping[str, str]
Faults = dict[str, str]
"""What is wrong, by the name of the field."""


def below(name: str, part: str) -> str:
    """The name of a part.

    Example:
        >>> below("v", "a/b")
        'v/a~1b'
    """
    return f"{name}/{part.replace('~', '~0').replace('/', '~1')}"


def read(field: Field, pairs: Sequence[tuple[str, str]]) -> tuple[Json, Faults]:
    """The value that was filled in, and what is wrong with it.

    Example:
        >>> read(Field(kind="list", item=Field(kind="whole")), [("v#", "2"), ("v/0", "7"), ("v/1", "x")])
        ([7, 'x'], {'v/1': 'expected a whole number'})
    """
    faults: Faults = {}
    value = _read(field, ROOT, dict(pairs), faults)
    return (None if isinstance(value, _Missing) else value), faults


def _read(field: Field, name: str, given: Given, faults: Faults) -> Json | _Missing:
    match field.kind:
        case "object":
            return _object(field, name, given, faults)
        case "list":
            return _list(field, name, given, faults)
        case "yes_no" if not _asks(field):
            return name in given
        case _:
            return _plain(field, name, given.get(name, "").replace("\r\n", "\n"), faults)


def _asks(field: Field) -> bool:
    """Whether there are three answers: yes, no, none."""
    return field.nullable or (not field.required and field.default is None)


def _object(field: Field, name: str, given: Given, faults: Faults) -> Json | _Missing:
    if (field.nullable or not field.required) and not _is_touched(field, name, given):
        return _absent(field)
    parts = {key: _read(one, below(name, key), given, faults) for key, one in field.fields}
    return {key: value for key, value in parts.items() if not isinstance(value, _Missing)}


def _is_touched(field: Field, name: str, given: Given) -> bool:
    """Whether anything stands in a field that an empty form would not hold."""
    text = given.get(name, "").strip()
    match field.kind:
        case "object":
            return any(_is_touched(one, below(name, key), given) for key, one in field.fields)
        case "list":
            item = field.item or Field(kind="json")
            return any(_is_touched(item, f"{name}/{i}", given) for i in range(_count(name, given)))
        case "yes_no" if not _asks(field):
            return (name in given) != (field.default is True)
        case "text":
            return text not in ("", field.default)
        case _:
            return len(field.choices) != 1 and text not in ("", json_of(field.default))


def _count(name: str, given: Given) -> int:
    """How many elements a form says that a list has."""
    told = given.get(f"{name}{COUNT}", "0")
    return min(int(told), MOST_ITEMS) if re.fullmatch(r"[0-9]{1,4}", told) else 0


def _list(field: Field, name: str, given: Given, faults: Faults) -> Json | _Missing:
    count = _count(name, given)
    if not count and (field.nullable or not field.required):
        return _absent(field)
    item = field.item or Field(kind="json")
    values = (_read(item, f"{name}/{i}", given, faults) for i in range(count))
    return [None if isinstance(value, _Missing) else value for value in values]


def _absent(field: Field) -> Json | _Missing:
    return None if field.required else MISSING


def _plain(field: Field, name: str, text: str, faults: Faults) -> Json | _Missing:
    is_text = field.kind == "text"
    if not text.strip() and not (is_text and (text or (field.required and not field.nullable) or field.default)):
        if field.nullable or not field.required:
            return _absent(field)
        if field.kind == "json":
            return None  # whether that will do, the type says
        if not is_text:
            faults[name] = "a value is needed here"
            return Typed(text)
    match field.kind:
        case "text":
            return text
        case "whole":
            return (
                int(text)
                if re.fullmatch(r"\s*[+-]?[0-9]{1,4000}\s*", text)
                else _wrong(name, text, faults, "a whole number")
            )
        case "number":
            return _number(name, text, faults)
        case "json":
            return _json(name, text, faults)
        case _:
            known = {json_of(choice): choice for choice in (field.choices or (True, False))}
            return known[text] if text in known else _wrong(name, text, faults, "one of the choices")


def _number(name: str, text: str, faults: Faults) -> Json:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        return _wrong(name, text, faults, "a number")
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,15}", text.strip()) else value


def _json(name: str, text: str, faults: Faults) -> Json:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        return _wrong(name, text, faults, f"JSON ({error})")


def _wrong(name: str, text: str, faults: Faults, expected: str) -> Typed:
    faults[name] = f"expected {expected}"
    return Typed(text)


def json_of(value: Json) -> str:
    """JSON on one line: a choice as a form names it."""
    return to_json(value).decode()


def more(value: Json, name: str) -> Json:
    """The value with one more element at the end of the list of this name.

    Example:
        >>> more({"a": [1]}, "v/a")
        {'a': [1, None]}
    """
    return _changed(value, _tokens(name), lambda at: [*elements(at), None])


def less(value: Json, name: str) -> Json:
    """The value without the element of this name.

    Example:
        >>> less({"a": [1, 2]}, "v/a/0")
        {'a': [2]}
    """
    above, _, last = name.rpartition("/")
    index = int(last) if last.isdecimal() and len(last) < 5 else -1
    return _changed(value, _tokens(above), lambda at: [each for i, each in enumerate(elements(at)) if i != index])


def _tokens(name: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in name.split("/")[1:]]


def _changed(value: Json, tokens: list[str], change: Callable[[Json], Json]) -> Json:
    if not tokens:
        return change(value)
    first, *others = tokens
    if isinstance(value, list):
        listed = elements(value)
        return [_changed(one, others, change) if f"{i}" == first else one for i, one in enumerate(listed)]
    known = members(value)
    return {**known, first: _changed(known.get(first), others, change)}
