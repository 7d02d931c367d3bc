"""JSON Schema as a short signature: what a model needs of a type, in a tenth of the tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from .messages import Json

Schema = Mapping[str, Any]
MOST_LEVELS = 6


def signature(schema: Schema) -> str:
    """A type as one line.

    `?` marks a field that may be left out; a description follows its field in parentheses.

    Example:
        >>> signature({"type": "object", "properties": {"n": {"type": "integer"}, "tags": {"type": "array",
        ...            "items": {"type": "string"}}}, "required": ["n"]})
        '{n: integer, tags?: [string]}'
    """
    return _type(schema, schema.get("$defs", {}), 0)


def _type(schema: Schema, definitions: Schema, level: int) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _type(definitions.get(name, {}), definitions, level + 1) if level < MOST_LEVELS else name
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " | ".join(_literal(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(_type(member, definitions, level) for member in schema[union])
    match schema.get("type"):
        case "array":
            return f"[{_type(schema.get('items', {}), definitions, level)}]"
        case "object":
            return _object(schema, definitions, level)
        case None:
            return "any"
        case kind:
            return f"{kind} {schema['format']}" if "format" in schema else str(kind)


def _object(schema: Schema, definitions: Schema, level: int) -> str:
    if "properties" not in schema:
        values = schema.get("additionalProperties")
        return (
            f"{{any name: {_type(values, definitions, level)}}}"
            if values is not None and not isinstance(values, bool)
            else "object"
        )
    required = set(schema.get("required", ()))
    fields = (
        f"{name}{'' if name in required else '?'}: {_type(field, definitions, level)}{_said(field)}"
        for name, field in schema["properties"].items()
    )
    return "{" + ", ".join(fields) + "}"


def _said(field: Schema) -> str:
    return f" ({' '.join(field['description'].split())})" if field.get("description") else ""


def _literal(value: Json) -> str:
    return to_json(value).decode()
