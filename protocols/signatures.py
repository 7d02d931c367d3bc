"""JSON Schema as a short signature: what a model needs of a type, in a tenth of the tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from pydantic_core import to_json

from .messages import Json

Schema = Mapping[str, Any]
MOST_LEVELS = 6
WORTH_A_NAME = 2
"""Times."""
LEAST_LENGTH = 32
"""Characters: a shorter type is as clear as its name."""


def signature(schema: Schema) -> str:
    """A type as one line.

    `?` marks a field that may be left out; a description follows its field in parentheses.

    Example:
        >>> signature({"type": "object", "properties": {"n": {"type": "integer"}, "tags": {"type": "array",
        ...            "items": {"type": "string"}}}, "required": ["n"]})
        '{n: integer, tags?: [string]}'
    """
    return _type(schema, schema.get("$defs", {}), 0, {})


def signatures(schemas: Sequence[Schema]) -> tuple[list[str], list[str]]:
    """Types as one line each, and the definitions of the object types that stand in them more than once.

    Example:
        >>> point = {"title": "Point", "type": "object", "properties": {"x": {"type": "number"},
        ...          "y": {"type": "number"}, "name": {"type": "string"}}}
        >>> signatures([point, {"type": "array", "items": point}])
        (['Point', '[Point]'], ['Point = {x?: number, y?: number, name?: string}'])
    """
    titles: dict[str, str] = {}
    lines: list[str] = [_type(schema, schema.get("$defs", {}), 0, titles) for schema in schemas]
    defined: dict[str, str] = {}
    for text in sorted(titles, key=len, reverse=True):
        texts: list[str] = [*lines, *defined.values()]
        times = sum(line.count(text) for line in texts)
        if times < WORTH_A_NAME or len(text) < LEAST_LENGTH:
            continue
        name = next(name for name in _names(titles[text]) if name not in defined)
        lines = [line.replace(text, name) for line in lines]
        defined = {known: said.replace(text, name) for known, said in defined.items()} | {name: text}
    return lines, [f"{name} = {text}" for name, text in defined.items()]


def _names(title: str) -> Iterator[str]:
    """The title, and others for types that share it: what is read may differ from what is written."""
    yield title
    yield from (f"{title}{n}" for n in count(2))


def _type(schema: Schema, definitions: Schema, level: int, titles: dict[str, str]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _type(definitions.get(name, {}), definitions, level + 1, titles) if level < MOST_LEVELS else name
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " | ".join(_literal(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(_type(member, definitions, level, titles) for member in schema[union])
    match schema.get("type"):
        case "array":
            return f"[{_type(schema.get('items', {}), definitions, level, titles)}]"
        case "object":
            return _object(schema, definitions, level, titles)
        case None:
            return "any"
        case kind:
            return f"{kind} {schema['format']}" if "format" in schema else str(kind)


def _object(schema: Schema, definitions: Schema, level: int, titles: dict[str, str]) -> str:
    if "properties" not in schema:
        values = schema.get("additionalProperties")
        return (
            f"{{any name: {_type(values, definitions, level, titles)}}}"
            if values is not None and not isinstance(values, bool)
            else "object"
        )
    required = set(schema.get("required", ()))
    fields = (
        f"{name}{'' if name in required else '?'}: {_type(field, definitions, level, titles)}{_said(field)}"
        for name, field in schema["properties"].items()
    )
    text = "{" + ", ".join(fields) + "}"
    titles[text] = "".join(c for c in str(schema.get("title", "Type")) if c.isalnum() or c == "_") or "Type"
    return text


def _said(field: Schema) -> str:
    return f" ({' '.join(field['description'].split())})" if field.get("description") else ""


def _literal(value: Json) -> str:
    return to_json(value).decode()
