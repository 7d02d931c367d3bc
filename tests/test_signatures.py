"""Types in a line, as a planner reads them."""

from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from echelon.protocols.messages import Json
from echelon.protocols.shapes import Shape
from echelon.protocols.signatures import signature, signatures


class Line(BaseModel):
    """A line of an invoice."""

    net: float = Field(description="without\n   tax")
    kind: Literal["goods", "work"]
    tags: dict[str, int] = {}


class Tree(BaseModel):
    """A type that holds itself."""

    left: "Tree | None" = None


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (int, "integer"),
        (object, "any"),
        (date, "string date"),
        (str | None, "string | null"),
        (list[float], "[number]"),
        (dict[str, list[int]], "{any name: [integer]}"),
        (dict[str, object], "object"),
        (dict, "object"),
        (Literal["x"], '"x"'),
        (Literal['say "x"', 1, True, None], r'"say \"x\"" | 1 | true | null'),
        (Annotated[int, Field(ge=0)], "integer"),
        (list[Line], '[{net: number (without tax), kind: "goods" | "work", tags?: {any name: integer}}]'),
    ],
)
def test_a_type_is_one_line(kind: type[object], line: str) -> None:
    """`?` marks what may be left out; a description stands behind its field, on the same line."""
    assert signature(Shape(kind).input_schema) == line


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "integer | null"),
        ({"$ref": "#/$defs/Nowhere"}, "any"),
        ({"type": "array"}, "[any]"),
        ({"type": "object", "properties": {}}, "{}"),
    ],
)
def test_schemas_of_others_are_read_too(schema: dict[str, Json], line: str) -> None:
    """Remote agents bring their own."""
    assert signature(schema) == line


class Basket(BaseModel):
    """Lines, one of them the first."""

    first: Line
    others: list[Line]


def test_a_type_that_stands_in_many_lines_is_said_once() -> None:
    """A long one, under its name; what is read and what is written of it may differ, and are then two."""
    line = signature(Shape(Line).input_schema)
    written = signature(Shape(Line).output_schema)
    assert line != written
    shape = Shape(Basket)
    lines, named = signatures([shape.input_schema, shape.output_schema, Shape(int).input_schema])
    assert lines == ["{first: Line, others: [Line]}", "{first: Line2, others: [Line2]}", "integer"]
    assert sorted(named) == [f"Line = {line}", f"Line2 = {written}"]


def test_a_type_that_stands_once_or_is_short_is_said_where_it_stands() -> None:
    """A name would save nothing."""
    schema = Shape(list[Line]).input_schema
    assert signatures([schema]) == ([signature(schema)], [])
    short = {"title": "N", "type": "object", "properties": {"n": {"type": "integer"}}}
    assert signatures([short, short]) == (["{n?: integer}", "{n?: integer}"], [])


def test_a_type_that_holds_itself_ends() -> None:
    """After a few levels its name stands for it."""
    line = signature(Shape(Tree).input_schema)
    assert line.startswith("{left?: {left?: ")
    assert "left?: Tree | null" in line
    assert len(line) < 200
