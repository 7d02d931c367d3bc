"""Reading JSON Schema as pydantic writes it (draft 2020-12): follow its references, look inside, say it in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json
from pydantic_core.core_schema import DataclassField, ModelField, TypedDictField

from ..protocols.messages import Json
from ..protocols.shapes import Shape
from .references import INDEX, PointerError, escaped, is_list, is_object, tokens

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


@dataclass(frozen=True, slots=True)
class Part:
    """A JSON Schema inside a document: the schema, and the definitions that its `$ref`s lead to."""

    schema: Json
    defs: Schema

    @classmethod
    def of(cls, document: Schema) -> Part:
        """The whole of a document."""
        return cls(document, document.get("$defs", {}))

    @property
    def listed(self) -> Part:
        """A list of these."""
        return Part({"type": "array", "items": self.schema}, self.defs)

    @property
    def nullable(self) -> Part:
        """One of these or null."""
        return Part({"anyOf": [self.schema, {"type": "null"}]}, self.defs)

    @property
    def elements(self) -> Part | None:
        """What a list of this schema holds; None: it is no list.

        Where only some of the alternatives are lists, the elements of those.
        """
        lists = [way for way in ways(self.schema, self.defs) if not says(way) or kind(way) == "array"]
        found = [element for way in lists for element in (*way.get("prefixItems", ()), way.get("items", OPEN))]
        return Part(found[0] if len(found) == 1 else {"anyOf": found}, self.defs) if lists else None

    def __str__(self) -> str:
        return described(self.schema, self.defs)


class Written(GenerateJsonSchema):
    """Schema of what is written: a field with a default is always there, unless `exclude_if` leaves it out."""

    def field_is_required(self, field: ModelField | DataclassField | TypedDictField, total: bool) -> bool:  # noqa: FBT001 - pydantic's signature
        """Whether the field is there in everything that is written."""
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)


def written(shape: Shape) -> Part:
    """Schema of what a value of the shape is in JSON."""
    try:
        return _written(shape)
    except TypeError:  # a type with metadata that has no hash; the schema is then made each time
        return Part.of(shape.adapter.json_schema(mode="serialization", schema_generator=Written))


@lru_cache(maxsize=1024)
def _written(shape: Shape) -> Part:
    return Part.of(shape.adapter.json_schema(mode="serialization", schema_generator=Written))


def readable(shape: Shape) -> Part:
    """Schema of what the shape reads."""
    return Part.of(shape.input_schema)


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


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a pointer leads in a schema."""

    part: Part
    gap: str
    """Where the value may be missing, in words; "": it is always there."""


def schema_at(whole: Part, pointer: str) -> Reached:
    """The schema of what a JSON Pointer leads to.

    Elements of lists and of maps count as there, since no schema knows; a run finds out.

    Raises:
        PointerError: it leads nowhere in any alternative; the message names the known fields.

    Example:
        >>> whole = Part.of({"anyOf": [{"properties": {"a": {"type": "integer"}}}, {"type": "null"}]})
        >>> str(schema_at(whole, "/a").part), schema_at(whole, "/a").gap
        ('integer', "'a' may be left out; and null has no 'a'")
        >>> schema_at(whole, "/b")
        Traceback (most recent call last):
        ...
        echelon.supervisor.references.PointerError: pointer '/b' stops at '': there is no 'b' (known: 'a')
    """
    current: list[Json] = [whole.schema]
    gaps: list[str] = []
    passed = ""
    for token in tokens(pointer):
        alternatives = [way for schema in current for way in ways(schema, whole.defs)]
        inside = [(way, _inside(way, token)) for way in alternatives]
        current = [found for _, found in inside if found is not False]
        if not current:
            names = [name for way in alternatives for name in way.get("properties", ())]
            raise PointerError(pointer, passed, f"there is no {_cut(token)} {known(token, names)}")
        for way, found in inside:
            if found is False:
                gaps.append(f"{described(way, whole.defs)} has no {_cut(token)}")
            elif "properties" in way and token in way["properties"] and token not in way.get("required", ()):
                gaps.append(f"{_cut(token)} may be left out")
        passed += f"/{escaped(token)}"
    schema = current[0] if len(current) == 1 else {"anyOf": current}
    return Reached(Part(schema, whole.defs), "; and ".join(dict.fromkeys(gaps)))


def _inside(way: Schema, token: str) -> Json:
    """Schema of what stands under one key or index; False: nothing can."""
    if not says(way):
        return OPEN
    named = kind(way)
    if named == "object":
        fields: Schema = way.get("properties", {})
        return fields[token] if token in fields else way.get("additionalProperties", extra(way))
    if named == "array" and INDEX.fullmatch(token):
        return element(way, int(token))
    return False


def known(wrong: str, names: Iterable[str]) -> str:
    """The names that would have been right, in brackets, and the one that is closest.

    Example:
        >>> known("totl", ["total", "date"]), known("x", [])
        ("(known: 'total', 'date'; did you mean 'total'?)", '(known: none)')
    """
    right = list(dict.fromkeys(names))
    shown = ", ".join(_cut(name) for name in right[:20]) + (", ..." if len(right) > 20 else "")
    close = difflib.get_close_matches(wrong[:64], right, n=1)
    return f"(known: {shown or 'none'}{f'; did you mean {_cut(close[0])}?' if close else ''})"


def _cut(value: Json) -> str:
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
        shown = ", ".join(_cut(value) for value in values[:8]) + (", ..." if len(values) > 8 else "")
        return shown if len(values) == 1 else f"one of {shown}"
    named = kind(way)
    if named == "array" and depth < 2:
        return f"list of {described(way['items'], defs, depth + 1)}" if "items" in way else "list"
    if named == "object" and "properties" in way:
        return str(way.get("title", "object"))
    if named == "string" and "format" in way:
        return f"string ({way['format']})"
    return "nothing" if way == NEVER else {"array": "list"}.get(named, named) or "anything"
