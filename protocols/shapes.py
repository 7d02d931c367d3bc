"""A type as a border: read from JSON strictly, written to JSON, described by JSON Schema."""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json
from pydantic_core.core_schema import DataclassField, ModelField, TypedDictField
from typing_extensions import TypeVar

from .errors import ShapeError
from .messages import Json
from .once import once

T = TypeVar("T", default=Any)


@dataclass(frozen=True)
class Shape(Generic[T]):
    """A Python type as workers accept and return it; compiled once, on first use.

    JSON is read in strict mode: unknown fields are errors even where the type would ignore them, and a string is
    never taken for a number.

    Example:
        >>> Shape(int).read(3)
        3
        >>> Shape(int).read("3")
        Traceback (most recent call last):
        ...
        echelon.protocols.errors.ShapeError: expected int: input should be a valid integer, found '3'
    """

    of: type[T] = field()

    @once
    def name(self) -> str:
        """The type's name, fit for a wire: letters, digits, `_` and `-`."""
        plain = name_of(self.of)
        return "".join(c if c.isalnum() or c in "_-" else "_" for c in plain).strip("_")[:64] or "value"

    @once
    def adapter(self) -> TypeAdapter[T]:
        """Pydantic's validator and serializer."""
        return TypeAdapter(self.of)

    @once
    def input_schema(self) -> dict[str, Json]:
        """JSON Schema of what may be read."""
        return self.adapter.json_schema(mode="validation")

    @once
    def output_schema(self) -> dict[str, Json]:
        """JSON Schema of what is written: fields with a default are always there."""
        return self.adapter.json_schema(mode="serialization", schema_generator=Written)

    @once
    def is_text(self) -> bool:
        """Whether the type is plain text, which a model may say without JSON."""
        return self.of is str

    def read_json(self, text: str | bytes) -> T:
        """Read a value from JSON text.

        Raises:
            ShapeError: the text is no JSON, or not of this shape; the message names every field.
        """
        try:
            return self.adapter.validate_json(text, strict=True, extra="forbid")
        except ValidationError as error:
            raise ShapeError(name_of(self.of), faults_of(error)) from error

    def read(self, value: Json) -> T:
        """Read a value from JSON that is already parsed.

        Raises:
            ShapeError: the value is not of this shape.
        """
        return self.read_json(to_json(value))

    def check(self, value: object) -> T:
        """Take a value that a Python function made: an instance of the type, or JSON for it.

        Raises:
            ShapeError: it is neither.
        """
        if type(value) is self.of and isinstance(value, BaseModel):
            return cast("T", value)
        try:
            return self.adapter.validate_python(value, strict=True, extra="forbid")
        except ValidationError as error:
            if isinstance(value, dict | list):
                return self.read(value)
            raise ShapeError(name_of(self.of), faults_of(error)) from error

    def dump(self, value: T) -> Json:
        """The value as JSON.

        Raises:
            ShapeError: the value holds something that JSON cannot.
        """
        try:
            return self.adapter.dump_python(value, mode="json", by_alias=True)
        except (ValueError, TypeError) as error:
            raise ShapeError(name_of(self.of), (f"cannot be written as JSON: {error}",)) from error


class Written(GenerateJsonSchema):
    """Schema of what is written: a field with a default is always there, unless `exclude_if` leaves it out."""

    def field_is_required(self, field: ModelField | DataclassField | TypedDictField, total: bool) -> bool:  # noqa: FBT001 - pydantic's signature
        """Whether the field is there in everything that is written."""
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)


def name_of(kind: object) -> str:
    """A type as a reader would write it.

    Example:
        >>> name_of(list[int]), name_of(str | None)
        ('list[int]', 'str | None')
    """
    if get_origin(kind) in (Literal, types.UnionType) or not isinstance(kind, type) or get_args(kind):
        return str(kind).replace("typing.", "")
    return kind.__name__


def faults_of(error: ValidationError) -> tuple[str, ...]:
    """One sentence per fault: where, what was expected, what was found (cut at 80 characters)."""
    faults: list[str] = []
    for fault in error.errors(include_url=False, include_context=False):
        where = "/" + "/".join(str(part) for part in fault["loc"]) + ": " if fault["loc"] else ""
        found = repr(fault["input"])
        message = fault["msg"][:1].lower() + fault["msg"][1:]
        shown = found if len(found) <= 80 else found[:77] + "..."
        missing = fault["type"] == "missing"
        faults.append(f"{where}{message}" if missing else f"{where}{message}, found {shown}")
    return tuple(faults)
