"""What the references of a step may lead to, by schema, and whether it may be fed where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...protocols.errors import ShapeError
from ...protocols.messages import Json
from ...protocols.plans import SOURCES, Condition, Ref
from .assignable import misfit
from .parts import Part, schema_at
from .references import PointerError, reference, spots
from .schemas import OPEN, known
from .templates import Finding

LIST = Part({"type": "array"}, {})

WHERE = {
    "item": "'item' is there only in the input of a step with for_each",
    "previous": "'previous' is there only in the input and the condition of a step with repeat",
}


@dataclass(frozen=True, slots=True)
class Feeding:
    """The sources of one step, or of the output's template."""

    parts: Mapping[str, Part]
    """By name, the schema of what the source gives."""
    when: Condition | None = None
    """What holds whenever the references are resolved."""

    def feed(self, field: str, raw: Mapping[str, Json], target: Part) -> Iterator[Finding]:
        """What is wrong with the reference `raw` in a field of that schema; at most one finding."""
        try:
            ref = reference(raw)
        except ShapeError as error:
            yield Finding("invalid", field, str(error))
            return
        reached = self.reach(field, ref)
        if isinstance(reached, Finding):
            yield reached
            return
        part, gap = reached
        if gap:
            message = f"expected {target}, but {_who(ref)} may have nothing at {ref.at}: {gap}; {_advice(ref)}"
            yield Finding("type_mismatch", field, message)
        elif found := misfit(part, target):
            message = f"expected {found.expected}, {_who(ref)} gives {found.given}{_where(ref.at + found.at)}"
            yield Finding(found.kind, field, message)

    def reach(self, field: str, ref: Ref) -> tuple[Part, str] | Finding:
        """The schema of what a reference leads to, and where that may be missing; or why it leads nowhere."""
        part = self.parts.get(ref.source)
        if part is None:
            why = WHERE.get(ref.source) or f"there is no source {ref.source!r} {known(ref.source, self.parts)}"
            return Finding("unknown_source", field, why)
        try:
            reached = schema_at(part, ref.at)
        except PointerError as error:
            return Finding("bad_pointer", field, f"{_who(ref)} has nothing at {ref.at}: {error.why}")
        if self._is_sure(ref):
            return reached.part.present if self._is_given(ref) else reached.part, ""
        return reached.part, reached.gap

    def spread(self, over: Ref) -> Finding | Part:
        """The schema of one element of what a `for_each` goes over; or why there is none."""
        reached = self.reach("", over)
        if isinstance(reached, Finding):
            return Finding(reached.kind, "", f"for_each: {reached.message}")
        part, gap = reached
        if gap:
            return Finding("type_mismatch", "", f"for_each: {_who(over)} may have nothing at {over.at}: {gap}")
        found = misfit(part, LIST)
        if found:
            given = f"{_who(over)} gives {found.given}{_where(over.at)}"
            return Finding("type_mismatch", "", f"for_each: expected a list, {given}")
        return part.elements or Part(OPEN, {})

    def judge(self, condition: Condition, what: str) -> Iterator[Finding]:
        """What is wrong with a condition, all of it."""
        reached = self.reach("", condition.ref)
        if isinstance(reached, Finding):
            yield Finding("bad_condition", "", f"{what}: {reached.message}")
        value = condition.value
        if any(True for _ in spots(value)):
            yield Finding("bad_condition", "", f"{what}: a condition compares with a literal, not with a reference")
        elif condition.op == "in" and not isinstance(value, list | str):
            yield Finding("bad_condition", "", f"{what}: 'in' looks in a list or a string, found {_kind(value)}")
        elif condition.op in _ORDERED and (isinstance(value, bool) or not isinstance(value, int | float | str)):
            message = f"{what}: {condition.op!r} compares with a number or a string, found {_kind(value)}"
            yield Finding("bad_condition", "", message)

    def _is_sure(self, ref: Ref) -> bool:
        """Whether the condition of the step says that there is a value where the reference leads."""
        when = self.when
        if when is None or when.ref.source != ref.source:
            return False
        return when.ref.at == ref.at or when.ref.at.startswith(f"{ref.at}/")

    def _is_given(self, ref: Ref) -> bool:
        """Whether the condition says, too, that the value is not null."""
        when = self.when
        if when is None or when.ref.at != ref.at:
            return True  # something below it is there
        return when.op in ("exists", *_ORDERED) or (when.op == "eq" and when.value is not None)


_ORDERED: tuple[str, ...] = ("lt", "le", "gt", "ge")


def _who(ref: Ref) -> str:
    if ref.source == "task":
        return "the task"
    return repr(ref.source) if ref.source in SOURCES else f"step {ref.source!r}"


def _where(pointer: str) -> str:
    return f" at {pointer}" if pointer else ""


def _advice(ref: Ref) -> str:
    if ref.source == "previous":
        return "before the first iteration 'previous' is null, so feed the whole of it to a field that may be null"
    return "give the step a `when` with `exists` there, or feed what is always there"


def _kind(value: Json) -> str:
    return "null" if value is None else type(value).__name__
