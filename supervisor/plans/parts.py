"""The schemas of what a shape reads and writes, as documents in which a pointer leads to a part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ...protocols.messages import Json
from ...protocols.shapes import Shape
from .references import INDEX, PointerError, escaped, tokens
from .schemas import OPEN, Schema, described, element, extra, kind, known, says, shortened, ways


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A JSON Schema inside a document: the schema, and the definitions that its `$ref`s lead to.

    Two are equal if they are the very same objects, which a shape keeps: what is found out about a part is kept, too,
    since a team plans again and again with the same few types.
    """

    schema: Json
    defs: Schema

    @classmethod
    def of(cls, document: Schema) -> Part:
        """The whole of a document."""
        return cls(document, document.get("$defs", OPEN))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self.schema is other.schema and self.defs is other.defs

    def __hash__(self) -> int:
        return hash((id(self.schema), id(self.defs)))

    def __str__(self) -> str:
        return described(self.schema, self.defs)

    @property
    def listed(self) -> Part:
        """A list of these."""
        return _listed(self)

    @property
    def nullable(self) -> Part:
        """One of these or null."""
        return _nullable(self)

    @property
    def present(self) -> Part:
        """One of these that is not null."""
        return _present(self)

    @property
    def elements(self) -> Part | None:
        """What a list of this schema holds; None: it is no list.

        Where only some of the alternatives are lists, the elements of those.
        """
        return _elements(self)


@lru_cache(maxsize=1024)
def _listed(part: Part) -> Part:
    return Part({"type": "array", "items": part.schema}, part.defs)


@lru_cache(maxsize=1024)
def _nullable(part: Part) -> Part:
    return Part({"anyOf": [part.schema, {"type": "null"}]}, part.defs)


@lru_cache(maxsize=1024)
def _present(part: Part) -> Part:
    choices = ways(part.schema, part.defs)
    given = [way for way in choices if way.get("type") != "null"]
    return part if len(given) in (0, len(choices)) else Part({"anyOf": given}, part.defs)


@lru_cache(maxsize=1024)
def _elements(part: Part) -> Part | None:
    lists = [way for way in ways(part.schema, part.defs) if not says(way) or kind(way) == "array"]
    found = [one for way in lists for one in _of_list(way)] or [OPEN]
    return Part(found[0] if len(found) == 1 else {"anyOf": found}, part.defs) if lists else None


def _of_list(way: Schema) -> list[Json]:
    """Schemas of the elements that have a place of their own, and of the others if there can be any."""
    first: list[Json] = way.get("prefixItems", [])
    return [*first, way.get("items", OPEN)] if element(way, len(first)) is not False else first


def written(shape: Shape) -> Part:
    """Schema of what a value of the shape is in JSON."""
    return Part.of(shape.output_schema)


def readable(shape: Shape) -> Part:
    """Schema of what the shape reads."""
    return Part.of(shape.input_schema)


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a pointer leads in a schema."""

    part: Part
    gap: str
    """Where the value may be missing, in words; "": it is always there."""


@lru_cache(maxsize=4096)
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
        echelon.supervisor.plans.references.PointerError: pointer '/b' stops at '': there is no 'b' (known: 'a')
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
            raise PointerError(pointer, passed, f"there is no {shortened(token)} {known(token, names)}")
        for way, found in inside:
            if found is False:
                gaps.append(f"{described(way, whole.defs)} has no {shortened(token)}")
            elif "properties" in way and token in way["properties"] and token not in way.get("required", ()):
                gaps.append(f"{shortened(token)} may be left out")
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
