"""A JSON Schema as a tree of fields that a form can have; what no form can have is a box for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from ...messages import Json

Kind = Literal["object", "list", "choice", "yes_no", "whole", "number", "text", "json"]
DEEPEST = 6
"""Levels of a form; what lies below is a box for JSON, as is a schema that leads back to itself."""
MOST_FIELDS = 60
"""Of an object that still becomes a form."""

_PLAIN: Mapping[str, Kind] = {"boolean": "yes_no", "integer": "whole", "number": "number", "string": "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A place in a form."""

    kind: Kind
    title: str = ""
    note: str = ""
    """What the schema says of it, in words; "": nothing."""
    form: str = ""
    """The `format` of a text: `date`, `email`, ...; "": none."""
    required: bool = True
    """Whether it must be there; otherwise an empty one is left out."""
    nullable: bool = False
    default: Json = None
    choices: tuple[Json, ...] = ()
    fields: tuple[tuple[str, Field], ...] = ()
    """Of an object, by name."""
    item: Field | None = None
    """Of a list."""
    least: float | None = None
    most: float | None = None
    """Bounds of a number."""
    short: bool = False
    """Whether a text is one line."""


def field_of(schema: Json) -> Field:
    """The field for values of a schema, its `$defs` among it.

    Example:
        >>> field_of({"type": "array", "items": {"type": "integer"}}).item.kind
        'whole'
        >>> field_of({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}).nullable
        True
        >>> field_of({}).kind
        'json'
    """
    document = members(schema)
    return _field(document, members(document.get("$defs")), 0)


def _field(schema: Mapping[str, Json], defs: Mapping[str, Json], depth: int) -> Field:
    """The field for a schema, its reference followed and null set apart."""
    schema, nullable = _present(_led(schema, defs), defs)
    bare = _bare(schema, defs, depth) if depth <= DEEPEST else Field(kind="json")
    return replace(
        bare,
        title=str(schema.get("title", "")),
        note=str(schema.get("description", "")),
        nullable=nullable,
        default=schema.get("default"),
    )


def _bare(schema: Mapping[str, Json], defs: Mapping[str, Json], depth: int) -> Field:
    choices = _choices(schema)
    if choices is not None:
        return Field(kind="choice", choices=choices)
    kind = schema.get("type")
    if kind == "object" and 0 < len(members(schema.get("properties"))) <= MOST_FIELDS:
        return _of_object(schema, defs, depth)
    if kind == "array" and isinstance(schema.get("items"), dict) and "prefixItems" not in schema:
        return Field(kind="list", item=_field(members(schema["items"]), defs, depth + 1))
    if _is_decimal(schema):
        return Field(kind="text", short=True, form="decimal")
    if not isinstance(kind, str) or kind not in _PLAIN:
        return Field(kind="json")
    return Field(
        kind=_PLAIN[kind],
        form=str(schema.get("format", "")),
        least=_number(schema.get("minimum")),
        most=_number(schema.get("maximum")),
        short="format" in schema or "pattern" in schema or (_number(schema.get("maxLength")) or 1_000) <= 120,
    )


def _of_object(schema: Mapping[str, Json], defs: Mapping[str, Json], depth: int) -> Field:
    required = elements(schema.get("required"))
    fields: list[tuple[str, Field]] = []
    for name, one in members(schema["properties"]).items():
        field = _field(members(one), defs, depth + 1)
        fields.append((name, replace(field, required=name in required)))
    if schema.get("additionalProperties") not in (None, False):
        return Field(kind="json")
    return Field(kind="object", fields=tuple(fields))


def _led(schema: Mapping[str, Json], defs: Mapping[str, Json]) -> Mapping[str, Json]:
    """The schema that a reference leads to, with what stands beside the reference; a circle leads nowhere."""
    seen: set[str] = set()
    while isinstance(ref := schema.get("$ref"), str):
        if ref in seen:
            return {}
        seen.add(ref)
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        schema = {**members(defs.get(ref.rpartition("/")[2])), **beside}
    return schema


def _present(schema: Mapping[str, Json], defs: Mapping[str, Json]) -> tuple[Mapping[str, Json], bool]:
    """The schema without null, and whether null was among its alternatives."""
    ways = schema.get("anyOf")
    if not isinstance(ways, list):
        return schema, False
    given = [_led(members(way), defs) for way in elements(ways)]
    kept = [way for way in given if way.get("type") != "null"]
    outer = {name: value for name, value in schema.items() if name != "anyOf"}
    if len(kept) == 1:
        return {**kept[0], **outer}, len(kept) < len(given)
    return {**outer, "anyOf": kept}, len(kept) < len(given)


def _choices(schema: Mapping[str, Json]) -> tuple[Json, ...] | None:
    if "const" in schema:
        return (schema["const"],)
    told = schema.get("enum")
    return tuple(elements(told)) or None


def _is_decimal(schema: Mapping[str, Json]) -> bool:
    """Whether a value is a number or its digits as text, as Pydantic describes a Decimal."""
    return sorted(str(members(way).get("type")) for way in elements(schema.get("anyOf"))) == ["number", "string"]


def members(value: Json) -> dict[str, Json]:
    """The fields of a JSON object; of anything else, none."""
    return cast("dict[str, Json]", value) if isinstance(value, dict) else dict[str, Json]()


def elements(value: Json) -> Sequence[Json]:
    """The elements of a JSON list; of anything else, none."""
    return cast("Sequence[Json]", value) if isinstance(value, list) else ()


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
