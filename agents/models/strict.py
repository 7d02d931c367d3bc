"""JSON Schema as OpenAI's strict mode takes it: every object closed, every property required.

The subset is that of https://developers.openai.com/api/docs/guides/structured-outputs ("Supported schemas"). What it
cannot say about a value (bounds, patterns, formats) is told in the description instead; the answer is validated by the
agent in any case.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import to_json

from ...protocols.conversation import OutputCard
from ...protocols.messages import Json
from .foreign import fields_of

Schema = dict[str, Json]

_UNSAYABLE = frozenset({
    "not", "if", "then", "else", "prefixItems", "contains", "patternProperties", "propertyNames", "dependentSchemas",
    "dependentRequired", "unevaluatedProperties", "unevaluatedItems",
})  # fmt: skip
_KEPT = frozenset({"type", "enum", "const", "description"})
_SILENT = frozenset({"title", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator", "$schema"})
_STRUCTURE = frozenset({
    "properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "allOf", "$ref", "$defs",
})  # fmt: skip


class _NotStrictError(Exception):
    """The schema says something that strict mode cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """An answer's shape as it is sent."""

    name: str
    schema: Schema
    strict: bool
    wrapped: bool
    """The root was no object, which servers refuse: the value is asked for as the property `value` of one."""


def enforced(card: OutputCard) -> Enforced:
    """The shape of an answer, strict if the card allows it and the schema can be made so.

    Example:
        >>> enforced(OutputCard(name="n", output_schema={"type": "integer"})).schema["properties"]
        {'value': {'type': 'integer'}}
    """
    schema, wrapped = _rooted(card.output_schema)
    strict = strict_schema(schema) if card.strict else None
    return Enforced(name=card.name, schema=strict or schema, strict=strict is not None, wrapped=wrapped)


def strict_schema(schema: Schema) -> Schema | None:
    """The schema with every object closed and every property required; None if strict mode cannot say it.

    It is never wider in structure than the original: a property that may be left out must now be given, and one that
    may not be null still may not. Free-form objects, tuples and untyped values cannot be said.

    Example:
        >>> strict_schema({"type": "object", "properties": {"n": {"type": "integer", "default": 0, "minimum": 0}}})
        ... # doctest: +NORMALIZE_WHITESPACE
        {'type': 'object', 'properties': {'n': {'type': 'integer', 'description': '(minimum: 0)'}},
         'required': ['n'], 'additionalProperties': False}
        >>> strict_schema({"type": "object", "additionalProperties": {"type": "integer"}}) is None
        True
    """
    try:
        made = _strict(schema)
    except _NotStrictError:
        return None
    return made if _is_finite(made) else None


def _rooted(schema: Schema) -> tuple[Schema, bool]:
    """The schema with an object at its root, and whether it had to be wrapped."""
    definitions = schema.get("$defs", {})
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    root: Schema = {**definitions[name], "$defs": definitions} if name in definitions else schema
    if root.get("type") == "object" and not {"anyOf", "oneOf", "allOf"} & root.keys():
        return root, False
    inner = {key: value for key, value in root.items() if key != "$defs"}
    outer: Schema = {
        "type": "object", "properties": {"value": inner}, "required": ["value"], "additionalProperties": False,
    }  # fmt: skip
    return (outer | {"$defs": definitions} if definitions else outer), True


def _strict(said: Json) -> Schema:
    schema = fields_of(said)
    if not schema or _UNSAYABLE & schema.keys():
        raise _NotStrictError
    if len(schema.get("allOf", ())) == 1:
        return _strict({key: value for key, value in schema.items() if key != "allOf"} | schema["allOf"][0])
    if "allOf" in schema:
        raise _NotStrictError
    made: Schema = {key: value for key, value in schema.items() if key in _KEPT}
    if told := _told(schema):
        made["description"] = f"{made.get('description', '')} ({told})".strip()
    if "$ref" in schema:
        return _reference(schema, made)
    _compose(schema, made)
    if "$defs" in schema:
        made["$defs"] = {name: _strict(one) for name, one in schema["$defs"].items()}
    if not {"type", "enum", "const", "anyOf"} & made.keys():  # an untyped value
        raise _NotStrictError
    return made


def _told(schema: Schema) -> str:
    """What strict mode does not enforce, in words."""
    rest = schema.keys() - _KEPT - _SILENT - _STRUCTURE
    return ", ".join(f"{key}: {_word(schema[key])}" for key in sorted(rest))


def _word(value: Json) -> str:
    return value if isinstance(value, str) else to_json(value).decode()


def _reference(schema: Schema, made: Schema) -> Schema:
    """A reference may have no neighbours, so that a description goes around it."""
    reference: Schema = {"$ref": schema["$ref"]}
    if "$defs" in schema:
        raise _NotStrictError  # a root that is a reference was resolved by _rooted
    return {"anyOf": [reference], "description": made["description"]} if "description" in made else reference


def _compose(schema: Schema, made: Schema) -> None:
    """Add what the value is made of: properties, items, alternatives."""
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if "object" in kinds or "properties" in schema:
        made["properties"] = {name: _strict(one) for name, one in _properties(schema).items()}
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    if "array" in kinds or "items" in schema:
        made["items"] = _strict(schema.get("items"))
    alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if alternatives:
        made["anyOf"] = [_strict(one) for one in alternatives]


def _properties(schema: Schema) -> Schema:
    """The properties of an object that may be closed; a mapping with free keys may not."""
    properties: Schema = schema.get("properties", {})
    more = schema.get("additionalProperties")
    if more is False or (more is None and "properties" in schema) or (more is True and properties):
        return properties
    raise _NotStrictError


def _is_finite(schema: Schema) -> bool:
    """Whether some value ends: requiring every property may make a recursive type endless."""
    definitions: Schema = schema.get("$defs", {})
    finite: set[str] = set()
    while True:
        more = {name for name, one in definitions.items() if name not in finite and _ends(one, finite)}
        if not more:
            return _ends(schema, finite)
        finite |= more


def _ends(schema: Schema, finite: set[str]) -> bool:
    if "$ref" in schema:
        return schema["$ref"].removeprefix("#/$defs/") in finite
    if "anyOf" in schema:
        return any(_ends(one, finite) for one in schema["anyOf"])
    return all(_ends(one, finite) for one in schema.get("properties", {}).values())
