"""A template against the schema of what it becomes: every field that does not fit, without any value being there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ...protocols.messages import Json
from ...protocols.plans import FaultKind
from .assignable import literal_misfit
from .literals import kind_of, known_values
from .parts import Part
from .references import escaped, is_list, is_object, same
from .schemas import OPEN, Schema, described, element, extra, followed, kind, known, says, tagged


@dataclass(frozen=True, slots=True)
class Finding:
    """One field that does not fit."""

    kind: FaultKind
    field: str
    """JSON Pointer in the template."""
    message: str


Feed = Callable[[str, Mapping[str, Json], Part], Iterator[Finding]]
"""Says what is wrong with a reference: its field, the object with `$from`, the schema of the field."""


def findings(template: Json, target: Part, feed: Feed) -> list[Finding]:
    """All that does not fit, in document order; what is missing in an object comes after what is there.

    Of the alternatives of a union, the findings are those of the one that its literals name; else of the one with the
    fewest faults at its own level, then in all, the first of equals.
    """
    return list(_Fitting(target.defs, feed).fit(template, target.schema, ""))


@dataclass(slots=True)
class _Fitting:
    defs: Schema
    feed: Feed
    tried: dict[tuple[str, int], tuple[list[Finding], Schema]] = field(
        default_factory=dict[tuple[str, int], tuple[list[Finding], Schema]]
    )
    """By field and alternative, so that unions in unions do not multiply; the schema is held, so its id is its own."""

    def fit(self, template: Json, target: Json, at: str) -> Iterator[Finding]:
        if is_object(template):
            if "$from" in template:
                return self.feed(at, template, Part(target, self.defs))
            return self._composed(template, target, at)
        if is_list(template):
            return self._composed(template, target, at)
        return self._scalar(template, target, at)

    def _scalar(self, template: Json, target: Json, at: str) -> Iterator[Finding]:
        found = literal_misfit(template, Part(target, self.defs))
        if found is not None:
            yield Finding(found.kind, at + found.at, f"expected {found.expected}, found {found.given}")

    def _composed(self, template: Json, target: Json, at: str) -> Iterator[Finding]:
        """Fit an object or a list."""
        plain = followed(target, self.defs)
        if not says(plain) or "allOf" in plain:  # the reader checks what pydantic hardly ever writes
            return self._inside(template, OPEN, at)
        choices = [(way, tags) for way, tags in tagged(plain, self.defs) if _is_plausible(template, way)]
        likely = [(way, tags) for way, tags in choices if self._is_named(template, way)] or choices
        if not likely:
            return self._wrong(template, plain, at)
        if len(likely) == 1:
            return self._way(template, *likely[0], at)
        tried = [self._tried(template, way, tags, at) for way, tags in likely]
        best = min(tried, key=lambda found: (_level(found, at), len(found)))
        return iter(best)

    def _wrong(self, template: Json, target: Schema, at: str) -> Iterator[Finding]:
        what = "an object" if is_object(template) else "a list"
        yield Finding("type_mismatch", at, f"expected {described(target, self.defs)}, found {what}")
        yield from self._inside(template, OPEN, at)

    def _is_named(self, template: Json, way: Schema) -> bool:
        """Whether no literal says that another alternative was meant."""
        fields: Schema = way.get("properties", {})
        if not is_object(template):
            return True
        for name, value in template.items():
            listed = known_values(followed(fields[name], self.defs)) if name in fields else None
            if listed is not None and isinstance(value, str) and not any(same(value, one) for one in listed):
                return False
        return True

    def _tried(self, template: Json, way: Schema, tags: frozenset[str], at: str) -> list[Finding]:
        key = (at, id(way))
        if key not in self.tried:
            self.tried[key] = (list(self._way(template, way, tags, at)), way)
        return self.tried[key][0]

    def _way(self, template: Json, way: Schema, tags: frozenset[str], at: str) -> Iterator[Finding]:
        if not is_object(template):
            return self._inside(template, way, at)
        lacking = [name for name in (*way.get("required", ()), *sorted(tags)) if name not in template]
        return self._fields(template, way, list(dict.fromkeys(lacking)), at)

    def _fields(self, template: Mapping[str, Json], way: Schema, lacking: list[str], at: str) -> Iterator[Finding]:
        yield from self._inside(template, way, at)
        for name in lacking:
            yield Finding("missing_field", f"{at}/{escaped(name)}", f"required field {name!r} is missing")

    def _inside(self, template: Json, way: Schema, at: str) -> Iterator[Finding]:
        """Fit what an object or a list holds into one alternative."""
        if is_object(template):
            fields: Schema = way.get("properties", {})
            others = extra(way)
            for name, value in template.items():
                yield from self._field(f"{at}/{escaped(name)}", name, value, fields.get(name, others), way)
        elif is_list(template):
            yield from self._size(template, way, at)
            for i, value in enumerate(template):
                schema = element(way, i)
                yield from self.fit(value, OPEN if schema is False else schema, f"{at}/{i}")

    def _size(self, template: list[Json], way: Schema, at: str) -> Iterator[Finding]:
        least, most = way.get("minItems", 0), way.get("maxItems")
        if len(template) < least:
            yield Finding("type_mismatch", at, f"expected a list of {least} elements or more, found {len(template)}")
        elif most is not None and len(template) > most:
            yield Finding("type_mismatch", at, f"expected a list of at most {most} elements, found {len(template)}")

    def _field(self, at: str, name: str, value: Json, schema: Json, way: Schema) -> Iterator[Finding]:
        if schema is False:
            yield Finding("unknown_field", at, f"unknown field {name!r} {known(name, way.get('properties', ()))}")
            schema = OPEN
        if "propertyNames" in way and (found := literal_misfit(name, Part(way["propertyNames"], self.defs))):
            yield Finding("unknown_field", at, f"expected a key that is {found.expected}, found {name!r}")
        yield from self.fit(value, schema, at)


def _level(found: list[Finding], at: str) -> int:
    """How many of the findings are about the object itself or its fields, and not about what is deeper inside."""
    return sum(each.field.count("/") <= at.count("/") + 1 for each in found)


def _is_plausible(template: Json, way: Schema) -> bool:
    return not says(way) or (kind(way) in ("", kind_of(template)) and known_values(way) is None)
