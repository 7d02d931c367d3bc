"""Reading JSON Schema as pydantic writes it (draft 2020-12): its references, its alternatives, and it in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from pydantic_core import to_json

from ...protocols.messages import Json
from .references import is_list, is_object

Schema = Mapping[str, Json]

OPEN: Schema = {}
"""Anything fits; what is not typed is checked when it comes (gradual typing: Siek and Taha, 2006)."""
NEVER: Schema = {"not": {}}
"""Nothing fits."""

_SAYING = frozenset(
    {"$ref", "type", "enum", "const", "anyOf", "oneOf", "allOf", "not", "properties", "patternProperties"}
    | {"additionalProperties", "required", "items", "prefixItems"}
)
"""Keywords that say something about the type; a schema without any is open."""
_OBJECT = frozenset({"properties", "additionalProperties", "patternProperties", "required"})
"""Keywords that only an object has."""


def followed(schema: Json, defs: Schema) -> Schema:
    """The schema itself, where its `$ref` or its only `allOf` leads; a reference out of the document is open."""
    for _ in range(len(defs) + 8):
        if not is_object(schema):
            return NEVER if schema is False else OPEN
        parts = schema.get("allOf", ())
        if "$ref" in schema:
            schema = defs.get(str(schema["$ref"]).removeprefix("#/$defs/"), OPEN)
        elif len(parts) == 1 and "type" not in schema:
            schema = parts[0]
        else:
            return schema
    return OPEN


def says(schema: Schema) -> bool:
    """Whether the schema says anything about the type.

    Example:
        >>> says({"title": "Any", "default": None}), says({"enum": [1]})
        (False, True)
    """
    return not _SAYING.isdisjoint(schema)


def kind(schema: Schema) -> str:
    """The one type that the schema names, or that its keywords imply; "": it names none."""
    named = schema.get("type")
    if isinstance(named, str):
        return named
    if not _OBJECT.isdisjoint(schema):
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else ""


def ways(schema: Json, defs: Schema) -> list[Schema]:
    """The alternatives of a schema, none of them a union, in order; itself if it has none."""
    return [way for way, _ in tagged(schema, defs)]


def tagged(
    schema: Json, defs: Schema, tags: frozenset[str] = frozenset(), above: tuple[int, ...] = ()
) -> Iterator[tuple[Schema, frozenset[str]]]:
    """The alternatives of a schema, each with the fields by which readers tell it from the others.

    A reader needs those fields even where the alternative has a default for them. `above` are the ids of the unions
    around; one that holds itself adds nothing.
    """
    plain = followed(schema, defs)
    several: list[Json] | None = plain.get("anyOf") or plain.get("oneOf")
    named, told = plain.get("type"), plain.get("discriminator")
    if several is not None:
        tags = tags | {str(told.get("propertyName"))} if is_object(told) else tags
        for one in several if id(plain) not in above else ():
            yield from tagged(one, defs, tags, (*above, id(plain)))
    elif is_list(named):
        for one in named:
            yield {**plain, "type": one}, tags
    else:
        yield plain, tags


def extra(schema: Schema) -> Json:
    """Schema of the fields that an object schema does not name; False: it has no others.

    A model has none even if its schema allows them, since our readers forbid unknown fields.
    """
    if "properties" in schema:
        return False
    patterns = schema.get("patternProperties")
    if is_object(patterns) and patterns:
        values = list(patterns.values())
        return values[0] if len(values) == 1 else {"anyOf": values}
    return schema.get("additionalProperties", True)


def element(schema: Schema, index: int) -> Json:
    """Schema of one element of an array schema; False: there is none at that index."""
    first: list[Json] = schema.get("prefixItems", [])
    if index >= schema.get("maxItems", index + 1):
        return False
    return first[index] if index < len(first) else schema.get("items", True)


def known(wrong: str, names: Iterable[str]) -> str:
    """The names that would have been right, in brackets, and the one that is closest.

    Example:
        >>> known("totl", ["total", "date"]), known("x", [])
        ("(known: 'total', 'date'; did you mean 'total'?)", '(known: none)')
    """
    right = list(dict.fromkeys(names))
    shown = ", ".join(shortened(name) for name in right[:20]) + (", ..." if len(right) > 20 else "")
    close = difflib.get_close_matches(wrong[:64], right, n=1)
    return f"(known: {shown or 'none'}{f'; did you mean {shortened(close[0])}?' if close else ''})"


def shortened(value: Json) -> str:
    """A value as a message shows it, at most 60 characters."""
    said = repr(value) if isinstance(value, str) else to_json(value, serialize_unknown=True).decode()
    return said if len(said) <= 60 else said[:57] + "..."


def described(schema: Json, defs: Schema, depth: int = 0) -> str:
    """A schema in a few words.

    Example:
        >>> described({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, {})
        'string (date) or null'
    """
    found = list(dict.fromkeys(_described(way, defs, depth) for way in ways(schema, defs)))
    said = " or ".join(found[:6]) + (" or ..." if len(found) > 6 else "")
    return said if len(said) <= 120 else said[:117] + "..."


def _described(way: Schema, defs: Schema, depth: int) -> str:
    values = [way["const"]] if "const" in way else way.get("enum")
    if values is not None:
        shown = ", ".join(shortened(value) for value in values[:8]) + (", ..." if len(values) > 8 else "")
        return shown if len(values) == 1 else f"one of {shown}"
    named = kind(way)
    if named == "array" and depth < 2:
        return f"list of {described(way['items'], defs, depth + 1)}" if "items" in way else "list"
    if named == "object" and "properties" in way:
        return str(way.get("title", "object"))
    if named == "string" and "format" in way:
        return f"string ({way['format']})"
    return "nothing" if way == NEVER else {"array": "list"}.get(named, named) or "anything"
