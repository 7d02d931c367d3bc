"""Known values against JSON Schema: which values a schema lists, and whether a scalar is one that it describes."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from operator import ge, gt, le, lt

from ...protocols.errors import ShapeError
from ...protocols.messages import Json
from ...protocols.shapes import Shape
from .schemas import Schema, kind

FORMATS: Mapping[str, Shape] = {
    "date": Shape(datetime.date),
    "date-time": Shape(datetime.datetime),
    "time": Shape(datetime.time),
    "duration": Shape(datetime.timedelta),
    "uuid": Shape(uuid.UUID),
}
"""How text of a format is read, for values that are known; a shape compiles on first use."""

BOUNDS = {"minimum": ge, "maximum": le, "exclusiveMinimum": gt, "exclusiveMaximum": lt}
"""Keywords that limit a number, each with what a number that keeps to it is."""


LISTED: Mapping[str, Sequence[Json]] = {"null": [None], "boolean": [True, False]}
"""Types that have few enough values to list them."""

KINDS: Mapping[object, str] = {
    bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object", type(None): "null",
}  # fmt: skip


def known_values(schema: Schema) -> Sequence[Json] | None:
    """The values that the schema lists; None: it lists none."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        values: Sequence[Json] = schema["enum"]
        return values
    return LISTED.get(kind(schema))


def kind_of(value: object) -> str:
    """The JSON Schema type of a value; a float is a number even where it is whole, since strict readers say so.

    Example:
        >>> [kind_of(value) for value in (None, True, 1, 1.0, "", [], {})]
        ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']
    """
    return KINDS.get(type(value), "")


def is_of(value: Json, target: Schema) -> bool:
    """Whether a scalar is of the type, within its bounds and of its format; patterns are left to the reader.

    Example:
        >>> is_of(3, {"type": "number", "minimum": 4}), is_of("2024-02-30", {"type": "string", "format": "date"})
        (False, False)
    """
    one, other = kind_of(value), kind(target)
    if other and one != other and (one, other) != ("integer", "number"):
        return False
    if one == "string":
        return target.get("minLength", 0) <= len(value) <= target.get("maxLength", len(value)) and _reads(value, target)
    if one in ("integer", "number"):
        return all(keeps(value, target[bound]) for bound, keeps in BOUNDS.items() if bound in target)
    return True


def _reads(value: str, target: Schema) -> bool:
    shape = FORMATS.get(target.get("format", ""))
    try:
        return shape is None or shape.read(value) is not None
    except ShapeError:
        return False
