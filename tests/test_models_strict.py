"""A schema made strict: closed, complete, and never wider in structure than the type it came from."""

from enum import Enum
from typing import Annotated, Any, Literal, NotRequired

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, create_model
from typing_extensions import TypedDict

from echelon.agents.models.strict import enforced, strict_schema
from echelon.protocols.conversation import OutputCard
from echelon.protocols.messages import Json


class Colour(Enum):
    """Some values."""

    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    """A type that contains itself."""

    name: str
    children: list["Node"] = []
    next: "Node | None" = None


class Endless(TypedDict):
    """A type that would never end if all of its fields were required."""

    name: str
    child: NotRequired["Endless"]


class Cat(BaseModel):
    """One of two."""

    kind: Literal["cat"] = "cat"
    lives: int = Field(default=9, ge=0, description="How many are left.")


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"] = "dog"
    weight: float


class Owner(BaseModel):
    """Has a discriminated pet."""

    title: str = Field(pattern="^[A-Z]", max_length=20)
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


def made(name: str, kinds: list[tuple[Any, bool]]) -> type[BaseModel]:
    """Make a model of field types, each with whether the field must be given."""
    fields: dict[str, Any] = {
        f"field{n}": (kind, ...) if needed else (kind | None, None) for n, (kind, needed) in enumerate(kinds)
    }
    return create_model(name, **fields)


def wrapped_in_list(kind: Any) -> Any:
    """Make the type of a list of a type."""
    return list.__class_getitem__(kind)


LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [str, int, float, bool, Colour, Literal["a", "b"], Node, Cat, str | None, int | float]
)
TYPES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(wrapped_in_list),
        inner.map(lambda one: one | None),
        st.lists(st.tuples(inner, st.booleans()), max_size=3).map(lambda kinds: made("Part", kinds)),
    ),
    max_leaves=6,
)
MODELS = st.lists(st.tuples(TYPES, st.booleans()), max_size=4).map(lambda kinds: made("Whole", kinds))


def every(schema: Json) -> list[dict[str, Json]]:
    """List all schemas inside a strict one."""
    found = [schema]
    for inner in ("properties", "$defs"):
        for one in schema.get(inner, {}).values():
            found += every(one)
    for one in [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]:
        found += every(one)
    return found


@given(MODELS)
def test_any_model_becomes_closed_and_complete(model: type[BaseModel]) -> None:
    """Every object names all of its properties as required and allows no other; no other keyword is left."""
    strict = strict_schema(model.model_json_schema())
    assert strict is not None
    for one in every(strict):
        assert one.keys() <= {
            "type", "enum", "const", "description", "$ref", "$defs", "anyOf", "items", "properties", "required",
            "additionalProperties",
        }  # fmt: skip
        if one.get("type") == "object":
            assert one["additionalProperties"] is False
            assert one["required"] == list(one["properties"])


@given(MODELS)
def test_making_strict_twice_changes_nothing(model: type[BaseModel]) -> None:
    """What is strict stays as it is."""
    strict = strict_schema(model.model_json_schema())
    assert strict is not None
    assert strict_schema(strict) == strict


@given(MODELS, st.data())
def test_what_a_strict_schema_allows_the_model_accepts(model: type[BaseModel], data: st.DataObject) -> None:
    """A value drawn from the strict schema is valid for the type: requiring more never allows more."""
    strict = strict_schema(model.model_json_schema())
    assert strict is not None
    model.model_validate(data.draw(values(strict, strict.get("$defs", {}))))


def values(schema: Json, definitions: Json, depth: int = 0) -> st.SearchStrategy[Json]:
    """Draw values of a strict schema."""
    if "$ref" in schema:
        return values(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions, depth + 1)
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        options: list[Json] = schema["anyOf"] if depth < 3 else [schema["anyOf"][-1]]
        return st.one_of([values(one, definitions, depth) for one in options])
    if schema["type"] == "object":
        drawn = {name: values(one, definitions, depth) for name, one in schema["properties"].items()}
        return st.fixed_dictionaries(drawn)
    if schema["type"] == "array":
        return st.just([]) if depth >= 3 else st.lists(values(schema["items"], definitions, depth + 1), max_size=2)
    simple: dict[str, st.SearchStrategy[Json]] = {
        "string": st.text(max_size=3), "integer": st.integers(0, 9), "number": st.floats(0, 9),
        "boolean": st.booleans(), "null": st.none(),
    }  # fmt: skip
    return simple[schema["type"]]


@pytest.mark.parametrize(
    "kind",
    [dict[str, int], dict, tuple[int, str], Any, list[Any], Endless],
    ids=["mapping", "object", "tuple", "anything", "list of anything", "endless"],
)
def test_what_strict_mode_cannot_say_is_not_made_strict(kind: Any) -> None:
    """Free keys, places, untyped values and types without an end: the schema is sent as it is, unenforced."""
    schema = {"type": "object", "properties": {"field": TypeAdapter(kind).json_schema()}, "required": ["field"]}
    found = TypeAdapter(kind).json_schema()
    if "$defs" in found:
        schema = found
    assert strict_schema(schema) is None
    card = enforced(OutputCard(name="thing", output_schema=schema))
    assert card.strict is False


def test_bounds_are_told_where_they_cannot_be_enforced() -> None:
    """A pattern or a minimum moves into the description; a property may be called `title`."""
    strict = strict_schema(Owner.model_json_schema())
    assert strict is not None
    assert strict["properties"]["title"] == {"type": "string", "description": "(maxLength: 20, pattern: ^[A-Z])"}
    assert strict["$defs"]["Cat"]["properties"]["lives"] == {
        "type": "integer",
        "description": "How many are left. (minimum: 0)",
    }
    assert [one["$ref"] for one in strict["properties"]["pet"]["anyOf"]] == ["#/$defs/Cat", "#/$defs/Dog"]


def test_a_recursive_root_is_resolved_and_not_wrapped() -> None:
    """Servers want an object at the root, not a reference to one."""
    card = enforced(OutputCard(name="Node", output_schema=Node.model_json_schema()))
    assert card.strict
    assert not card.wrapped
    assert card.schema["properties"]["children"] == {"type": "array", "items": {"$ref": "#/$defs/Node"}}


@pytest.mark.parametrize("kind", [int, list[Node], Cat | Dog, str | None])
def test_a_root_that_is_no_object_is_asked_for_inside_one(kind: Any) -> None:
    """The definitions stay at the root, where references find them."""
    card = enforced(OutputCard(name="value", output_schema=TypeAdapter(kind).json_schema()))
    assert card.strict
    assert card.wrapped
    assert card.schema["required"] == ["value"]
    assert "$defs" not in card.schema["properties"]["value"]


def test_a_card_that_does_not_want_strictness_keeps_its_schema() -> None:
    """`strict=False` is the definition's word."""
    schema = Cat.model_json_schema()
    card = enforced(OutputCard(name="Cat", output_schema=schema, strict=False))
    assert (card.schema, card.strict) == (schema, False)


def test_a_description_goes_around_a_reference() -> None:
    """A reference may have no neighbours in strict mode."""
    schema = {
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/At", "description": "Where.", "default": None}},
        "$defs": {"At": {"type": "string"}},
    }
    strict = strict_schema(schema)
    assert strict is not None
    assert strict["properties"]["at"] == {"anyOf": [{"$ref": "#/$defs/At"}], "description": "Where."}


def test_several_schemas_at_once_cannot_be_made_strict_but_one_can() -> None:
    """`allOf` with one schema is that schema."""
    whole: dict[str, Json] = {"type": "object", "properties": {"a": {"allOf": [{"type": "string"}]}}}
    assert strict_schema(whole) is not None
    whole["properties"] = {"a": {"allOf": [{"type": "string"}, {"minLength": 1}]}}
    assert strict_schema(whole) is None
