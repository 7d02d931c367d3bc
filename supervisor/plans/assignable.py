"""Whether every value that one JSON Schema describes may be fed to another; conservative, and gradual where untyped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from ...protocols.messages import Json
from .literals import is_of, known_values
from .parts import Part
from .references import escaped, is_list, is_object, same
from .schemas import NEVER, Schema, described, element, extra, followed, kind, known, says, tagged, ways

FREE = frozenset({"binary", "password", "path"})
"""Formats that any text has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """Why some value of the source cannot be fed to the target."""

    kind: Literal["type_mismatch", "missing_field", "unknown_field"] = "type_mismatch"
    at: str = ""
    """Where in the value, as a JSON Pointer; `*` stands for any element or key."""
    expected: str
    given: str

    def __str__(self) -> str:
        return f"expected {self.expected}, given {self.given}" + (f" at {self.at}" if self.at else "")

    def below(self, token: str) -> Misfit:
        """The same misfit, seen from one level up."""
        return replace(self, at=f"/{token}{self.at}")


@lru_cache(maxsize=4096)
def misfit(source: Part, target: Part) -> Misfit | None:
    """Why not every value of the source fits the target; None: as far as the schemas tell, every value does.

    Both are read as JSON Schema (draft 2020-12) in the form that pydantic writes:

    1. A schema that says nothing fits both ways, and so does anything below it.
    2. Every alternative of the source must fit; of the target, some one alternative must take the whole source.
       A target with a discriminator takes only objects that always have the tag.
    3. A value that is known (`const`, `enum`) is checked itself, its bounds and format included.
    4. An integer is a number; true is not; text with a format is text, but text has no format.
    5. What the target requires must always be there, and fields that it does not name do not fit: readers forbid them.
    6. Bounds, lengths and patterns of values that are not known are left to the run; a tuple's length is not.

    Recursive types are compared as infinite trees: a pair that is met again while it is compared is taken to fit
    (Amadio and Cardelli, 1993, doi:10.1145/155183.155231).

    Example:
        >>> text, number = Part.of({"type": "string"}), Part.of({"type": "integer"})
        >>> str(misfit(text, number)), misfit(number, Part.of({"type": "number"}))
        ('expected integer, given string', None)
    """
    return _Comparison(source.defs, target.defs).compare(source.schema, target.schema)


def literal_misfit(value: Json, target: Part) -> Misfit | None:
    """Why this very value does not fit the target; None: as far as the schema tells, it does.

    Example:
        >>> str(literal_misfit("soon", Part.of({"type": "string", "format": "date"})))
        "expected string (date), given 'soon'"
    """
    return _Comparison({}, target.defs).literal(value, target.schema)


@dataclass(slots=True)
class _Comparison:
    """One comparison under way; both sides' definitions, and what has been found out."""

    sources: Schema
    targets: Schema
    fit: dict[tuple[int, int], tuple[Schema, Schema]] = field(
        default_factory=dict[tuple[int, int], tuple[Schema, Schema]]
    )
    """Pairs that fit, or are taken to while they are compared; held so that no id is used twice."""
    unfit: dict[tuple[int, int], tuple[Misfit, Schema, Schema]] = field(
        default_factory=dict[tuple[int, int], tuple[Misfit, Schema, Schema]]
    )

    def compare(self, source: Json, target: Json) -> Misfit | None:
        one, other = followed(source, self.sources), followed(target, self.targets)
        if not says(one) or not says(other):
            return None
        pair = (id(one), id(other))
        if pair in self.fit:
            return None
        if pair in self.unfit:
            return self.unfit[pair][0]
        before = len(self.fit)
        self.fit[pair] = (one, other)
        found = self._every_way(one, other)
        if found is not None:
            while len(self.fit) > before:  # what was proved meanwhile may rest on this pair
                self.fit.popitem()
            self.unfit[pair] = (found, one, other)
        return found

    def literal(self, value: Json, target: Json) -> Misfit | None:
        choices = list(ways(target, self.targets))
        if is_object(value) and all(known_values(way) is None for way in choices):
            fields = {name: {"const": part} for name, part in value.items()}
            return self._one_way({"type": "object", "properties": fields, "required": list(fields)}, target)
        found = [self._literal(value, way) for way in choices]
        if not all(found):
            return None
        return found[0] if len(found) == 1 else self._mismatch(target, {"const": value})

    def _mismatch(self, target: Json, source: Schema) -> Misfit:
        return Misfit(expected=described(target, self.targets), given=described(source, self.sources))

    def _every_way(self, source: Schema, target: Schema) -> Misfit | None:
        for way in ways(source, self.sources):
            parts: Sequence[Json] = way.get("allOf", ())
            found = [self.compare(part, target) for part in parts] or [self._one_way(way, target)]
            if all(found):
                return found[0]
        return None

    def _one_way(self, source: Schema, target: Schema) -> Misfit | None:
        """Fit a source that is no union into a target that may be one."""
        if source == NEVER or not says(source):
            return None
        values = known_values(source)
        if values is not None:
            found = next((found for value in values if (found := self.literal(value, target))), None)
            listed = "const" in source or "enum" in source
            return found if found is None or listed else self._mismatch(target, source)
        choices = list(tagged(target, self.targets))
        tried = [_untagged(source, choice, tags) or self._typed(source, choice) for choice, tags in choices]
        if not all(tried):
            return None
        alike = {tried[i] for i, (choice, tags) in enumerate(choices) if self._is_alike(source, choice, tags)}
        return alike.pop() if len(alike) == 1 else self._mismatch(target, source)

    def _is_alike(self, source: Schema, choice: Schema, tags: frozenset[str]) -> bool:
        """Whether the choice is of the same type, with the same tags if it has any: the one that was meant."""
        if kind(choice) != kind(source):
            return False
        one, other = source.get("properties", {}), choice.get("properties", {})
        return not any(tag in one and tag in other and self.compare(one[tag], other[tag]) for tag in tags)

    def _typed(self, source: Schema, target: Schema) -> Misfit | None:
        """Fit a source into a target, neither of them a union or a known value."""
        parts: Sequence[Json] = target.get("allOf", ())
        for part in parts:
            if found := self.compare(source, part):
                return found
        one, other = kind(source), kind(target)
        if not says(target) or not one or (parts and not other):
            return None
        if known_values(target) is not None or (one != other and (one, other) != ("integer", "number")):
            return self._mismatch(target, source)
        if one == "object":
            return self._object(source, target)
        if one == "array":
            return self._array(source, target)
        return self._mismatch(target, source) if one == "string" and not _formatted(source, target) else None

    def _object(self, source: Schema, target: Schema) -> Misfit | None:
        given: Schema = source.get("properties", {})
        for name in target.get("required", ()):
            if name not in source.get("required", ()):
                return Misfit(
                    kind="missing_field", expected=f"an object with {name!r}", given=_lacking(source, name)
                )  # fmt: skip
        fields: Schema = target.get("properties", {})
        others = extra(target)
        for name, schema in given.items():
            takes = fields.get(name, others)
            if takes is False:
                return Misfit(kind="unknown_field", expected=_only(name, fields), given=f"one with {name!r}")
            found = self.compare(schema, takes) or self._named({"const": name}, target)
            if found:
                return found.below(escaped(name))
        more = extra(source)
        return self._map(source, target, more) if more is not False else None

    def _map(self, source: Schema, target: Schema, values: Json) -> Misfit | None:
        """Fit the fields that the source does not name."""
        if "properties" in target:
            return Misfit(kind="unknown_field", expected=_only("", target["properties"]), given="one of any fields")
        found = self._named(source.get("propertyNames", {"type": "string"}), target)
        found = found or self.compare(values, extra(target))
        return found.below("*") if found else None

    def _named(self, names: Schema, target: Schema) -> Misfit | None:
        """Fit the names of fields into what the target says of them."""
        return self.compare(names, target["propertyNames"]) if "propertyNames" in target else None

    def _array(self, source: Schema, target: Schema) -> Misfit | None:
        least, most = source.get("minItems", 0), source.get("maxItems")
        ceiling = target.get("maxItems") if "prefixItems" in target or "items" not in target else None
        floor = target.get("minItems", 0) if "prefixItems" in target else 0
        if least < floor or (ceiling is not None and (most is None or most > ceiling)):
            return self._mismatch(target, source)
        first = max(len(source.get("prefixItems", ())), len(target.get("prefixItems", ())))
        reach = first + 1 if most is None else min(first + 1, most)
        for index in range(reach):
            if found := self.compare(element(source, index), element(target, index)):
                return found.below(str(index) if index < first else "*")
        return None

    def _literal(self, value: Json, target: Schema) -> Misfit | None:
        """Fit a known value into a target that is no union."""
        choices = known_values(target)
        if choices is not None:
            fits = any(same(value, choice) for choice in choices)
        elif is_list(value):
            each = [{"const": part} for part in value]
            return self._typed(
                {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}, target
            )
        else:
            parts: Sequence[Json] = target.get("allOf", ())
            fits = is_of(value, target) and not any(self.literal(value, part) for part in parts)
        return None if fits else self._mismatch(target, {"const": value})


def _formatted(source: Schema, target: Schema) -> bool:
    """Whether text of the source has the format that the target asks for."""
    wanted = target.get("format", "")
    if target.get("contentMediaType") != source.get("contentMediaType") and "contentMediaType" in target:
        return False
    has = str(source.get("format", ""))
    return not wanted or wanted in FREE or has == wanted or (wanted == "uuid" and has.startswith("uuid"))


def _untagged(source: Schema, choice: Schema, tags: frozenset[str]) -> Misfit | None:
    """Why a reader could not tell that the source is of this choice."""
    if kind(source) == kind(choice) == "object":
        for tag in sorted(tags.difference(source.get("required", ()))):
            return Misfit(kind="missing_field", expected=f"an object with the tag {tag!r}", given=_lacking(source, tag))
    return None


def _lacking(source: Schema, name: str) -> str:
    return "one that may lack it" if name in source.get("properties", ()) else "one without it"


def _only(name: str, fields: Schema) -> str:
    return f"an object without other fields {known(name, fields)}"
