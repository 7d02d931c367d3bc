"""What MCP writes of teams and questions: names, schemas, forms, and what the answers to forms say."""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, cast

import pytest
from hypothesis import given as always
from hypothesis import strategies as st
from mcp.shared.tool_name_validation import validate_tool_name
from pydantic import BaseModel, Field

from echelon.protocols.errors import AnswerError
from echelon.protocols.gateway.mcp.form import Form, Given, form_of, given
from echelon.protocols.gateway.mcp.offer import Offer
from echelon.protocols.messages import Json, Question
from echelon.protocols.shapes import Shape
from echelon.protocols.visible import HIDDEN, KEPT, visible

from .builders import card

Asks = Literal["approval", "report", "in_doubt"]


def question(asks: Asks, of: Any = object, **more: Any) -> Question:
    """Ask for a value of a type."""
    whole: dict[str, Any] = {"prompt": "How many?", "subject": None, "labels": frozenset[str]()} | more
    return Question(
        id="q1", path="/a#1", asks=asks, of="eva", digest="d", answer_schema=Shape(of).input_schema, **whole
    )


def form(asked: Question, complaint: str = "") -> Form:
    """The form that asks it."""
    found = form_of(asked, "run-1", complaint)
    assert found is not None
    return found


def fields(of: Any) -> Mapping[str, Any]:
    """The fields that ask for a report of a type."""
    return cast("Mapping[str, Any]", form(question("report", of)).schema["properties"])


def accepted(content: Json) -> Json:
    """A form that was sent off."""
    return {"action": "accept", "content": content}


# Names and schemas


@always(st.text(min_size=1, max_size=200))
def test_a_tool_has_a_name_that_every_host_takes(team: str) -> None:
    """MCP's rule (SEP-986), and the 64 characters of the model APIs behind hosts."""
    name = Offer(team, card("team")).name
    assert validate_tool_name(name).is_valid
    assert len(name) <= 64


class Leaf(BaseModel):
    """The end of a tree."""

    n: int


class Tree(BaseModel):
    """A type that holds itself."""

    inner: Tree | Leaf | None = None


@pytest.mark.parametrize("of", [int, str, Tree, Tree | Leaf, list[Leaf], dict[str, Leaf], Any, Leaf | None])
def test_arguments_and_results_are_objects_whose_references_lead_somewhere(of: Any) -> None:
    """At the root, where the older era wants it; and definitions move with what refers to them."""
    offer = Offer("team", card("team", accepts=Shape(of), returns=Shape(of)))
    for schema in (offer.accepts, offer.returns):
        assert schema["type"] == "object"
        for ref in references(schema):
            assert ref.removeprefix("#/$defs/") in schema["$defs"]


def references(value: Json) -> list[str]:
    """All references in a schema."""
    return re.findall(r'"\$ref": "([^"]*)"', json.dumps(value))


def test_the_same_arguments_are_the_same_in_any_order() -> None:
    """A client may write them as it likes."""
    offer = Offer("team", card("team"))
    assert offer.thread({"a": {"b": 1, "c": [{"d": 2, "e": 3}]}, "f": 4}) == offer.thread(
        {"f": 4, "a": {"c": [{"e": 3, "d": 2}], "b": 1}}
    )
    assert offer.thread({"a": 1}) != offer.thread({"a": "1"})


# Forms


class Flat(BaseModel):
    """What a form can ask for."""

    name: Annotated[str, Field(min_length=1, max_length=9, description="who")]
    age: Annotated[int, Field(ge=0, le=150)]
    height: float | None = None
    member: bool = True
    level: Literal["low", "high"] = "low"
    since: datetime.date
    price: Decimal
    tags: list[Literal["a", "b"]] = Field(default_factory=list[Literal["a", "b"]])


def test_a_flat_report_is_a_field_each() -> None:
    """With the limits that MCP knows; what may be left out is not required."""
    asked = form(question("report", Flat)).schema
    assert asked["required"] == ["name", "age", "since", "price"]
    told = {
        name: {key: value for key, value in field.items() if key != "title"} for name, field in fields(Flat).items()
    }
    assert told == {
        "name": {"type": "string", "minLength": 1, "maxLength": 9, "description": "who"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "height": {"type": "number"},
        "member": {"type": "boolean", "default": True},
        "level": {"type": "string", "enum": ["low", "high"], "default": "low"},
        "since": {"type": "string", "format": "date"},
        "price": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
    }


def test_its_answer_is_a_value_of_the_type() -> None:
    """Numbers of JSON are whole if they look so; fields that were left empty are left out."""
    content = {"name": "Eva", "age": 40.0, "height": None, "since": "2026-01-31", "price": "12.50", "level": ""}
    said = given(question("report", Flat), accepted(content))
    assert said is not None
    flat = Shape(Flat).read(said.value)
    assert (flat.age, flat.price, flat.height, flat.level) == (40, Decimal("12.50"), None, "low")


class Titled(BaseModel):
    """Choices with titles, one or several."""

    one: Annotated[str, Field(json_schema_extra={"oneOf": [{"const": "a", "title": "The first"}]})]
    some: Annotated[
        list[str],
        Field(json_schema_extra={"items": {"anyOf": [{"const": "a", "title": "A", "more": 1}]}, "minItems": 1}),
    ]


def test_choices_keep_their_titles() -> None:
    """SEP-1330."""
    assert fields(Titled)["one"]["oneOf"] == [{"const": "a", "title": "The first"}]
    assert fields(Titled)["some"]["items"] == {"anyOf": [{"const": "a", "title": "A"}]}
    assert fields(Titled)["some"]["minItems"] == 1


@pytest.mark.parametrize(
    ("of", "kind"), [(int, "integer"), (str, "string"), (bool, "boolean"), (Literal["a", "b"], "string")]
)
def test_a_single_value_is_one_field(of: Any, kind: str) -> None:
    """Called `answer`."""
    assert fields(of)["answer"]["type"] == kind


@pytest.mark.parametrize(
    ("of", "said", "value"),
    [
        (Tree, '{"inner": {"n": 1}}', {"inner": {"n": 1}}),
        (list[int], "[1, 2]", [1, 2]),
        (Leaf | list[Leaf], '{"n": 1}', {"n": 1}),
        (dict[str, int], '{"a": 1}', {"a": 1}),
    ],
)
def test_any_other_value_is_text_that_is_read_as_json(of: Any, said: str, value: Json) -> None:
    """The form shows its shape."""
    asked = question("report", of)
    assert "As JSON of this shape:" in form(asked).message
    assert given(asked, accepted({"answer": said})) == Given(approved=True, value=value)


def test_a_form_shows_who_is_asked_what_about_what() -> None:
    """And what is known of the data, and what was wrong with the last answer."""
    asked = question("approval", subject={"to": "Bob", "cents": 1}, labels=frozenset({"untrusted:web", "eu"}))
    assert form(asked, "expected yes or no").message.split("\n\n") == [
        "That was not taken: expected yes or no.",
        "eva is asked: How many?",
        '{\n  "to": "Bob",\n  "cents": 1\n}',
        "The data carries the labels eu, untrusted:web.",
        "(question q1 of run run-1)",
    ]


def test_a_user_is_asked_without_ceremony() -> None:
    """The intake asks whoever sits there."""
    asked = question("report", str).model_copy(update={"of": "user"})
    assert form(asked).message.startswith("How many?")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (accepted({"answer": "yes", "note": "ok"}), Given(approved=True, note="ok")),
        (accepted({"answer": "no", "note": "too much"}), Given(approved=False, note="too much")),
        ({"action": "decline"}, Given(approved=False)),
        ({"action": "decline", "content": {"answer": "yes"}}, Given(approved=False)),
        ({"action": "cancel"}, None),
        ({"action": "cancel", "content": {"answer": "yes"}}, None),
    ],
)
def test_only_a_chosen_yes_is_a_yes(reply: Json, said: Given | None) -> None:
    """Whatever else the client sends along."""
    assert given(question("approval"), reply) == said


@pytest.mark.parametrize(
    "reply",
    [
        accepted({}),
        accepted({"answer": True}),
        accepted({"answer": "YES"}),
        accepted(None),
        {},
        None,
        {"action": "yes"},
    ],
)
def test_what_is_neither_is_asked_again(reply: Json) -> None:
    """An answer that can be read in two ways is none."""
    with pytest.raises(AnswerError, match="expected yes or no"):
        given(question("approval"), reply)


def test_an_empty_report_is_asked_again() -> None:
    """There is nothing to take for the value."""
    with pytest.raises(AnswerError, match="'answer' is empty"):
        given(question("report", Tree), accepted({}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"answer": "yes"}, Given(approved=True)),
        ({"answer": "yes", "result": '{"n": 3}'}, Given(approved=True, value={"n": 3})),
        ({"answer": "no", "result": '{"n": 3}'}, Given(approved=False)),
    ],
)
def test_what_was_in_doubt_may_have_a_result(content: Json, said: Given) -> None:
    """If it was done."""
    assert given(question("in_doubt", Leaf), accepted(content)) == said


Kinds = st.sampled_from(
    [int, float, bool, str, Decimal, datetime.date, Literal["a", "b"], int | None, Leaf, list[Leaf]]
)


@always(st.lists(Kinds, max_size=6))
def test_every_form_is_flat(kinds: list[Any]) -> None:
    """Objects of texts, numbers, booleans and choices, whatever is asked for."""
    model = cast(
        "type[BaseModel]", type("Asked", (BaseModel,), {"__annotations__": {f"f{i}": k for i, k in enumerate(kinds)}})
    )
    schema = form(question("report", model)).schema
    assert schema["type"] == "object"
    for field in cast("Mapping[str, Any]", schema["properties"]).values():
        assert field["type"] in ("string", "integer", "number", "boolean", "array")
        assert "properties" not in field
        assert "$ref" not in field


# Hidden characters


@always(st.text())
def test_nothing_is_hidden_in_visible_text(text: str) -> None:
    """What is shown is the same twice, and holds nothing that a reader would not see."""
    shown = visible(text)
    assert visible(shown) == shown
    assert [char for char in shown if unicodedata.category(char) in HIDDEN and char not in KEPT] == []


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\ufeff", "\x1b", "\U000e0041", "\u2028", "\u00ad", "\x00"])
def test_what_would_not_be_seen_is_written_out(hidden: str) -> None:
    """Turned, invisible, or for terminals and models alone."""
    assert hidden not in visible(f"a{hidden}b")
    assert visible(f"a{hidden}b").startswith("a\\")
