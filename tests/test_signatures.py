"""Types in a line, as a planner reads them."""

from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from echelon.protocols.messages import Json
from echelon.protocols.shapes import Shape
from echelon.protocols.signatures import signature


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


def test_a_type_that_holds_itself_ends() -> None:
    """After a few levels its name stands for it."""
    line = signature(Shape(Tree).input_schema)
    assert line.startswith("{left?: {left?: ")
    assert "left?: Tree | null" in line
    assert len(line) < 200
