"""Whether one JSON Schema may feed another, by example."""

from __future__ import annotations

import datetime
import enum
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, cast

import pytest
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, computed_field
from pydantic import Json as JsonText
from typing_extensions import TypedDict

from echelon.protocols.shapes import Shape
from echelon.supervisor.plans.assignable import Misfit, literal_misfit, misfit
from echelon.supervisor.plans.parts import Part, readable, written


class Address(BaseModel):
    """A plain record."""

    street: str
    zip: str | None = None


class Customer(BaseModel):
    """A record in a record."""

    name: str
    address: Address


class Cat(BaseModel):
    """One kind of pet."""

    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    """Another kind of pet."""

    kind: Literal["dog"] = "dog"
    tricks: list[str] = Field(default_factory=list)


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Tree(BaseModel):
    """A recursive type."""

    value: int
    branches: list[Tree] = []


class Bush(BaseModel):
    """The same shape, wider."""

    value: float
    branches: tuple[Bush, ...] = ()


class Thorns(BaseModel):
    """The same shape with other values."""

    value: str
    branches: list[Thorns] = []


class Chain(BaseModel):
    """A type that ends by null."""

    value: int
    next: Chain | None = None


class Loose(TypedDict):
    """A field may be left out, and is then not there."""

    street: str
    zip: NotRequired[str]


class Color(enum.Enum):
    """Text that is listed."""

    RED = "red"
    GREEN = "green"


class Numbers(enum.Enum):
    """Values that are no text."""

    PAIR = (1, 2)
    NONE = None


class Counted(BaseModel):
    """It writes more than it reads."""

    n: int

    @computed_field
    def twice(self) -> int:
        """Written, but not read."""
        return 2 * self.n


class Open(BaseModel):
    """It would take other fields, were it not for our readers."""

    model_config = ConfigDict(extra="allow")
    n: int


class Sparse(BaseModel):
    """A field is left out when it is 0."""

    n: int = Field(default=0, exclude_if=lambda n: n == 0)


Unhashed = Annotated[str, {"a": "metadata that has no hash"}]
Keyed = dict[Annotated[str, Field(pattern="^x")], int]


def between(source: Any, target: Any) -> Misfit | None:
    """Compare what one type writes with what another reads."""
    return misfit(written(Shape(source)), readable(Shape(target)))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (int, float),
        (int, Decimal),
        (Decimal, Decimal),
        (Decimal, str),
        (datetime.date, str),
        (str, bytes),
        (str, str | None),
        (Literal["a"], Literal["a", "b"]),
        (Literal["a"], str),
        (Literal[1], float),
        (Literal["2024-02-29"], datetime.date),
        (bool, Literal[True, False]),
        (None, int | None),
        (Color, str),
        (Color, Literal["red", "green", "blue"]),
        (Numbers, tuple[int, int] | None),
        (Numbers, Numbers),
        (int | str, str | float),
        (list[int], list[float]),
        (tuple[int, str], list[int | str]),
        (tuple[int, ...], list[int]),
        (tuple[()], list[int]),
        (dict[str, int], dict[str, float | None]),
        (dict[Color, int], dict[str, int]),
        (dict[Literal["a"], int], dict[Literal["a", "b"], int]),
        (Address, dict[str, str | None]),
        (Customer, Customer),
        (Address, Loose | Address),
        (Loose, Address),
        (Cat, Pet),
        (Pet, Cat | Dog),
        (Pet, Pet),
        (Tree, Tree),
        (Tree, Bush),
        (Chain, Chain),
        (Open, Open),
        (Any, int),
        (int, Any),
        (list[Any], list[int]),
        (dict[str, Any], dict[str, int]),
        (JsonText[int], int),
        (Annotated[str, Field(pattern="^a")], str),
        (str, Annotated[str, Field(pattern="^a", max_length=3)]),
        (Annotated[int, WithJsonSchema({"type": ["integer", "null"]})], int | None),
        (Annotated[int, WithJsonSchema({"not": {}})], str),
    ],
)
def test_what_is_written_by_one_type_may_be_read_by_a_wider_one(source: Any, target: Any) -> None:
    """Wider, or the same, or untyped."""
    assert between(source, target) is None


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (str, int, "expected integer, given string"),
        (float, int, "expected integer, given number"),
        (bool, int, "expected integer, given boolean"),
        (int, bool, "expected boolean, given integer"),
        (str, datetime.date, "expected string (date), given string"),
        (datetime.datetime, datetime.date, "expected string (date), given string (date-time)"),
        (str, Literal["a"], "expected 'a', given string"),
        (Literal["a", "c"], Literal["a", "b"], "expected one of 'a', 'b', given 'c'"),
        (Literal["soon"], datetime.date, "expected string (date), given 'soon'"),
        (Literal[True], int, "expected integer, given true"),
        (Literal[-1], Annotated[int, Field(ge=0)], "expected integer, given -1"),
        (int | None, int, "expected integer, given null"),
        (int | str, int | None, "expected integer or null, given string"),
        (list[str], list[int], "expected integer, given string at /*"),
        (list[int], tuple[int, int], "expected list, given list of integer"),
        (tuple[int, str], tuple[int, int], "expected integer, given string at /1"),
        (list[int], tuple[()], "expected list, given list of integer"),
        (dict[str, str], dict[str, int], "expected integer, given string at /*"),
        (dict[str, int], dict[Color, int], "expected one of 'red', 'green', given string at /*"),
        (Address, dict[Literal["street"], str | None], "expected 'street', given 'zip' at /zip"),
        (dict[str, str], Address, "expected an object with 'street', given one without it"),
        (dict[str, str], Sparse, "expected an object without other fields (known: 'n'), given one of any fields"),
        (Loose, Customer, "expected an object with 'name', given one without it"),
        (Sparse, Open, "expected an object with 'n', given one that may lack it"),
        (Customer, Address, "expected an object with 'street', given one without it"),
        (Counted, Open, "expected an object without other fields (known: 'n'), given one with 'twice'"),
        (Pet, Cat, "expected 'cat', given 'dog' at /kind"),
        (Loose, Pet, "expected an object with the tag 'kind', given one without it"),
        (Customer, Customer | None, None),
        (Tree, Thorns, "expected string, given integer at /value"),
        (list[Tree], list[Tree | None] | int, None),
        (int, JsonText[int], "expected string, given integer"),
        (str, JsonText[int], "expected string, given string"),
        (Unhashed, datetime.date, "expected string (date), given string"),
        (Keyed, dict[str, str], "expected string, given integer at /*"),
        (int, Annotated[int, WithJsonSchema({"not": {}})], "expected nothing, given integer"),
    ],
)
def test_what_a_narrower_type_would_refuse_is_said_with_its_place(source: Any, target: Any, said: str | None) -> None:
    """None where it fits after all."""
    found = between(source, target)
    assert (None if found is None else str(found)) == said


def test_the_alternative_with_the_same_tag_is_the_one_that_was_meant() -> None:
    """An error is said of that one, not of all."""

    class Kitten(BaseModel):
        kind: Literal["cat"] = "cat"
        lives: str = "nine"

    assert str(between(Kitten, Pet)) == "expected integer, given string at /lives"


def test_a_recursive_type_that_differs_deep_down_does_not_fit() -> None:
    """The pair under way is taken to fit only while nothing speaks against it."""

    class Leaf(BaseModel):
        tip: int

    class Twig(BaseModel):
        more: list[Twig] = []
        leaf: Leaf

    class Stem(BaseModel):
        more: list[Stem] = []
        leaf: Address

    Twig.model_rebuild()
    Stem.model_rebuild()
    found = between(Twig, Twig | Stem), between(Twig, Stem)
    assert (found[0], found[1] and found[1].at) == (None, "/leaf")


def test_hand_written_schemas_are_understood() -> None:
    """Type lists, intersections and missing types are draft 2020-12, though pydantic writes few of them."""
    text, number, anything = (Part.of(schema) for schema in ({"type": "string"}, {"type": "integer"}, {}))
    both = Part.of({"allOf": [{"type": "integer"}, {"enum": [1, 2]}]})
    record = Part.of({"properties": {"a": {"type": "integer"}}, "required": ["a"]})
    assert misfit(both, number) is None
    assert misfit(both, text) is not None
    assert misfit(number, both) is not None
    assert literal_misfit(1, both) is None
    assert literal_misfit(3, both) is not None
    assert misfit(Part.of({"$ref": "https://example.org/other"}), text) is None
    assert misfit(Part.of({"allOf": [{"type": "string"}]}), text) is None
    assert misfit(Part.of({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}), text) is None
    assert (
        misfit(Part.of({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, text.schema]}}}), text)
        is None
    )
    assert misfit(Part.of({"patternProperties": {"^a": {"type": "integer"}, "^b": text.schema}}), text) is not None
    assert (
        literal_misfit({"a": None}, Part.of({"patternProperties": {"^a": number.schema, "^b": text.schema}}))
        is not None
    )
    assert misfit(record, anything) is None
    assert misfit(record, text) is not None
    assert misfit(Part.of({"items": {"type": "integer"}}), Part.of({"prefixItems": [{"type": "integer"}]})) is None
    assert misfit(number, Part.of(cast("Any", {"allOf": [{"minimum": 1}, {"maximum": 3}]}))) is None


@pytest.mark.parametrize(
    ("value", "target", "fits"),
    [
        (1, int, True),
        (1.0, int, False),
        (True, int, False),
        (1, float, True),
        ("x", Annotated[str, Field(max_length=1)], True),
        ("xx", Annotated[str, Field(max_length=1)], False),
        (0, Annotated[int, Field(gt=0)], False),
        ("2024-02-30", datetime.date, False),
        ([1, "a"], tuple[int, str], True),
        ([1], tuple[int, str], False),
        ({"street": "x"}, Address, True),
        ({"street": "x", "no": 1}, Address, False),
        ({}, Address, False),
        (None, int | None, True),
        (b"raw", str, False),
    ],
)
def test_a_known_value_is_checked_itself(value: Any, target: Any, fits: bool) -> None:  # noqa: FBT001 - a column
    """With its bounds and its format."""
    assert (literal_misfit(value, readable(Shape(target))) is None) == fits
