"""Whether one JSON Schema may feed another: by example, and against what pydantic really reads."""

from __future__ import annotations

import datetime
import enum
import itertools
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, cast

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, computed_field, create_model
from pydantic import Json as JsonText
from typing_extensions import TypedDict

from echelon.protocols.shapes import Shape
from echelon.supervisor.assignable import Misfit, literal_misfit, misfit
from echelon.supervisor.parts import Part, readable, written


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


# What follows builds pairs of types, and compares the verdict with what pydantic does with real values.
#
# Left out are constraints of values, which schemas do not tell: text is always the text of a decimal number, since
# pydantic reads "12.50" but not "soon" as a Decimal and says "string" of both; dates never meet Decimals for the same
# reason; and no source is untyped.


class Grade(enum.Enum):
    """Listed text, every one a decimal."""

    ONE = "1"
    HALF = "2.50"


Kind = tuple[Any, st.SearchStrategy[Any]]
"""A type, and values of it."""
Spec = tuple[Any, ...]
"""A type as data: what it is, and its parts."""

TEXT = st.sampled_from(["1", "2.50", "-3"])
SCALARS: dict[str, Kind] = {
    "int": (int, st.integers(-9, 9)),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "str": (str, TEXT),
    "bool": (bool, st.booleans()),
    "none": (None, st.none()),
    "literal": (Literal["1", "2.50"], st.sampled_from(["1", "2.50"])),
    "mixed": (Literal["1", 7, None], st.sampled_from(["1", 7, None])),
    "grade": (Grade, st.sampled_from(Grade)),
    "decimal": (Decimal, st.decimals(-9, 9, places=2)),
    "date": (datetime.date, st.dates()),
    "time": (datetime.datetime, st.datetimes(timezones=st.just(datetime.UTC))),
    "any": (Any, st.just(3)),
}
MONEY = [name for name in SCALARS if name not in ("date", "time", "any")]
DATES = [name for name in SCALARS if name not in ("decimal", "any")]
WIDER = {"int": "float", "literal": "str", "grade": "str", "decimal": "str", "date": "str", "time": "str"}
COUNT = itertools.count()


def nullable(of: Any) -> Any:
    """The type or null."""
    return of if of in (None, Any) else of | None


def record_of(form: str, fields: tuple[tuple[str, Spec, bool], ...]) -> Kind:
    """A model or a TypedDict; of a model, an optional field has a default, of a TypedDict it may be left out."""
    made = {name: kind_of(spec) for name, spec, _ in fields}
    optional = {name for name, _, is_optional in fields if is_optional}
    if form == "dict":
        keys: dict[str, Any] = {name: NotRequired[of] if name in optional else of for name, (of, _) in made.items()}
        given = {name: values for name, (_, values) in made.items()}
        always = {name: values for name, values in given.items() if name not in optional}
        sometimes = {name: values for name, values in given.items() if name in optional}
        loose: Any = TypedDict(f"D{next(COUNT)}", keys)  # type: ignore[misc] # made while the test runs
        return loose, st.fixed_dictionaries(always, optional=sometimes)
    spec: dict[str, Any] = {n: (nullable(of), None) if n in optional else (of, ...) for n, (of, _) in made.items()}
    if form != "model":
        spec["tag"] = (Literal[form], form)
    model = create_model(f"M{next(COUNT)}", **spec)
    each = {name: st.none() | values if name in optional else values for name, (_, values) in made.items()}
    return model, st.builds(model, **each)


def kind_of(spec: Spec) -> Kind:
    """The type that a spec stands for."""
    match spec:
        case ("list", inner):
            of, values = kind_of(inner)
            return list[of], st.lists(values, max_size=3)  # type: ignore[valid-type] # made while the test runs
        case ("tuple", *inner):
            kinds = [kind_of(one) for one in inner]
            return tuple[tuple(of for of, _ in kinds)], st.tuples(*(values for _, values in kinds))  # type: ignore[misc]
        case ("map", inner):
            of, values = kind_of(inner)
            return dict[str, of], st.dictionaries(TEXT, values, max_size=3)  # type: ignore[valid-type]
        case ("optional", inner):
            of, values = kind_of(inner)
            return nullable(of), st.none() | values
        case ("either", *inner):
            (one, some), (other, more) = [kind_of(each) for each in inner]
            return (nullable(other) if one is None else one | other), some | more
        case ("tagged", one, other):
            first, second = record_of("one", one), record_of("other", other)
            return Annotated[first[0] | second[0], Field(discriminator="tag")], first[1] | second[1]
        case (("model" | "dict" | "one") as form, fields):
            return record_of(form, fields)
        case _:
            return SCALARS[spec[0]]


def fields_of(inner: st.SearchStrategy[Spec]) -> st.SearchStrategy[tuple[tuple[str, Spec, bool], ...]]:
    field = st.tuples(st.sampled_from("abc"), inner, st.booleans())
    return st.lists(field, max_size=3, unique_by=lambda one: one[0]).map(tuple)


def nested(inner: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    return st.one_of(
        st.tuples(st.sampled_from(["list", "map", "optional"]), inner),
        st.tuples(st.sampled_from(["tuple", "either"]), inner, inner),
        st.tuples(st.sampled_from(["model", "dict", "one"]), fields_of(inner)),
        st.tuples(st.just("tagged"), fields_of(inner), fields_of(inner)),
    )


def specs(scalars: list[str]) -> st.SearchStrategy[Spec]:
    return st.recursive(st.sampled_from(scalars).map(lambda name: (name,)), nested, max_leaves=6)


def widened_fields(draw: st.DrawFn, fields: tuple[tuple[str, Spec, bool], ...], form: str) -> tuple[Any, ...]:
    """The same fields, wider; of a TypedDict an optional one stays so, since it may be missing."""
    # a model's optional field is written as null, so it must stay nullable
    return tuple(
        (name, widened(draw, spec), may or (form != "dict" and draw(st.booleans()))) for name, spec, may in fields
    )


def widened(draw: st.DrawFn, spec: Spec) -> Spec:
    """A type that reads all that the first one writes."""
    how = draw(st.sampled_from(["same", "any", "optional", "deep", "deep", "deep"]))
    if how == "optional":
        return ("optional", widened(draw, spec))
    if how != "deep":
        return spec if how == "same" else ("any",)
    match spec:
        case (("list" | "map" | "optional") as what, inner):
            return (what, widened(draw, inner))
        case ("tuple", one, other):
            return ("list", one) if one == other else ("tuple", widened(draw, one), widened(draw, other))
        case ("either", one, other):
            return ("either", widened(draw, one), widened(draw, other))
        case ("tagged", one, other):
            return ("tagged", widened_fields(draw, one, "one"), widened_fields(draw, other, "other"))
        case (("model" | "dict" | "one") as form, fields):
            return (form, widened_fields(draw, fields, form))
        case _:
            return (WIDER.get(spec[0], spec[0]),)


def changed(draw: st.DrawFn, spec: Spec, scalars: list[str]) -> Spec:
    """A type with something else somewhere in it."""
    match spec:
        case (("list" | "map" | "optional") as what, inner) if draw(st.booleans()):
            return (what, changed(draw, inner, scalars))
        case (("model" | "dict" | "one") as form, fields) if fields and draw(st.booleans()):
            (name, inner, may), *others = fields
            return (form, ((name, changed(draw, inner, scalars), draw(st.booleans()) or may), *others))
        case _:
            return draw(specs(scalars))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Spec, Spec]:
    """Two types: the second wider, a little different, or another one."""
    scalars = draw(st.sampled_from([MONEY, DATES]))
    one = draw(specs(scalars))
    if draw(st.integers(0, 2)):
        return one, changed(draw, one, [*scalars, "any"])
    return one, widened(draw, one)


@st.composite
def widenings(draw: st.DrawFn) -> tuple[Spec, Spec]:
    """Two types, the second wider."""
    one = draw(specs(draw(st.sampled_from([MONEY, DATES]))))
    return one, widened(draw, one)


@settings(max_examples=150)
@given(pairs(), st.data())
def test_what_fits_by_its_schema_is_read_by_pydantic(pair: tuple[Spec, Spec], data: st.DataObject) -> None:
    """Soundness: no value of the source is refused by a target that was said to fit."""
    (source, values), (target, _) = kind_of(pair[0]), kind_of(pair[1])
    found = between(source, target)
    event("fits" if found is None else "does not fit")
    if found is None:
        writer, reader = Shape(source), Shape(target)
        for value in data.draw(st.lists(values, min_size=1, max_size=3)):
            reader.read(writer.dump(value))


@settings(max_examples=100)
@given(widenings())
def test_a_wider_type_always_fits(pair: tuple[Spec, Spec]) -> None:
    """No false alarm where each part is the same, wider, optional or untyped."""
    assert between(kind_of(pair[0])[0], kind_of(pair[1])[0]) is None


@given(specs([*MONEY, *DATES, "any"]))
def test_every_type_reads_what_it_writes(spec: Spec) -> None:
    """A worker may be fed with what its twin returns."""
    of, _ = kind_of(spec)
    assert between(of, of) is None
