"""Forms made from JSON Schemas: what they hold comes back as it was, and what does not fit is named."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field as Rule
from pydantic import TypeAdapter

from echelon.protocols.gateway.console.filled import Faults, less, more, read
from echelon.protocols.gateway.console.forms import form, fresh, trouble
from echelon.protocols.gateway.console.schemas import DEEPEST, Field, field_of
from echelon.protocols.markup import area, tag
from echelon.protocols.messages import Json, Message
from echelon.protocols.shapes import Shape

from .markup import parsed


class Part(Message):
    """A part, which may have parts."""

    name: str = Rule(max_length=40)
    parts: tuple[Part, ...] = ()


class Line(Message):
    """A line of an order."""

    item: str
    count: int
    price: float | None
    colour: Literal["red", "green", 3]


class Place(Message):
    """Where to; all but the city has a default."""

    city: str
    zone: Literal["near", "far"] = "near"
    quick: bool = True
    count: int | None = None


class Shipped(Message):
    """Something that may have a place."""

    title: str
    to: Place | None


class Order(Message):
    """Something of every kind."""

    title: str
    due: dt.date
    at: dt.time | None = None
    sum: Decimal
    lines: list[Line]
    first: Line | None = None
    sure: bool
    perhaps: bool | None
    anything: Json
    by_name: dict[str, int]
    tags: tuple[str, ...] = ()
    only: Literal["one"] = "one"
    either: int | list[int]


ORDER = field_of(Shape(Order).input_schema)


class _Browser(HTMLParser):
    """What a browser would send of a form."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sent: list[tuple[str, str]] = []
        self._area = self._select = ""
        self._first = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field."""
        has = {name: value or "" for name, value in attrs}
        if tag == "input" and (has["type"] != "checkbox" or "checked" in has):
            self.sent.append((has["name"], has["value"]))
        elif tag == "textarea":
            self._area, self._first = has["name"], True
            self.sent.append((has["name"], ""))
        elif tag == "select":
            self._select = has["name"]
            self._first = True
        elif tag == "option":
            if self._first:
                self.sent.append((self._select, has["value"]))
            elif "selected" in has:
                self.sent[-1] = (self._select, has["value"])
            self._first = False

    def handle_data(self, data: str) -> None:
        """Take what stands in a box; the first line break is dropped, the others are sent as two characters."""
        if self._area:
            text = data.removeprefix("\n") if self._first else data
            self._first = False
            name, known = self.sent[-1]
            self.sent[-1] = (name, known + text.replace("\n", "\r\n"))

    def handle_endtag(self, tag: str) -> None:
        """Leave a box."""
        if tag == "textarea":
            self._area = ""


def sent_by(html: str) -> list[tuple[str, str]]:
    """The pairs that a browser sends if nothing is changed."""
    browser = _Browser()
    browser.feed(html)
    browser.close()
    return browser.sent


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=30)
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
LINES = st.builds(
    Line, item=TEXT, count=st.integers(), price=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    colour=st.sampled_from(["red", "green", 3]),
)  # fmt: skip
ORDERS = st.builds(
    Order, title=TEXT, due=st.dates(), at=st.none() | st.times(), sum=st.decimals(-9, 9, places=3),
    lines=st.lists(LINES, max_size=3), first=st.none() | LINES, sure=st.booleans(), perhaps=st.none() | st.booleans(),
    anything=JSON, by_name=st.dictionaries(TEXT, st.integers(), max_size=2), tags=st.lists(TEXT, max_size=3).map(tuple),
    either=st.integers() | st.lists(st.integers(), max_size=2),
)  # fmt: skip


@given(ORDERS)
@settings(max_examples=60)
def test_what_a_form_holds_comes_back(order: Order) -> None:
    """Whatever the value, and whatever its words; the form is well-formed."""
    value = Shape(Order).dump(order)
    shown = form(ORDER, value)
    parsed(shown)
    back, faults = read(ORDER, sent_by(shown))
    assert faults == {}
    assert Shape(Order).read(back) == order


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (bool, "yes_no"),
        (int, "whole"),
        (float, "number"),
        (str, "text"),
        (Decimal, "text"),
        (Literal["a", "b"], "choice"),
        (list[int], "list"),
        (Line, "object"),
        (dict[str, int], "json"),
        (int | list[str], "json"),
        (tuple[int, str], "json"),
        (Any, "json"),
    ],
)
def test_each_type_has_its_kind_of_field(kind: Any, expected: str) -> None:
    """What no form can have is a box for JSON."""
    assert field_of(TypeAdapter(kind).json_schema()).kind == expected


def test_a_type_that_holds_itself_ends_in_a_box_for_json() -> None:
    """The form is not endless."""
    field, levels = field_of(Shape(Part).input_schema), 0
    while (parts := dict(field.fields)["parts"]).item is not None and parts.item.kind == "object":
        field, levels = parts.item, levels + 1
    assert 1 < levels <= DEEPEST
    assert "json" in (parts.kind, parts.item and parts.item.kind)


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        (Field(kind="whole"), "1.5", "expected a whole number"),
        (Field(kind="whole"), "", "a value is needed here"),
        (Field(kind="number"), "inf", "expected a number"),
        (Field(kind="number"), "1e999", "expected a number"),
        (Field(kind="choice", choices=("a",)), '"b"', "expected one of the choices"),
        (Field(kind="json"), "{", "expected JSON"),
        (Field(kind="json"), "NaN", "expected JSON"),
    ],
)
def test_what_does_not_fit_is_named_and_kept(field: Field, text: str, expected: str) -> None:
    """What was typed is shown again beside what was expected, and the head of the page leads there."""
    value, faults = read(field, [("v", text)])
    assert faults["v"].startswith(expected)
    again = parsed(form(field, value, faults))
    fields = [one for one in again.elements if one.attributes.get("name") == "v"]
    assert [one.attributes["aria-invalid"] for one in fields] == ["true"]
    assert field.kind == "choice" or text in again.text() or text == fields[0].attributes.get("value")
    assert "#v" in [one.attributes["href"] for one in parsed(trouble(faults)).all("a")]


def test_a_list_of_an_absurd_length_is_cut() -> None:
    """A form that lies about it costs nothing."""
    field = Field(kind="list", item=Field(kind="text"))
    for told, length in (("9999", 200), ("99999999999", 0), ("-1", 0), ("x", 0)):
        assert len(read(field, [("v#", told)])[0]) == length


def test_elements_are_added_and_taken_away_where_they_are_named() -> None:
    """Names that lead nowhere change nothing that is there."""
    value = {"a": [{"b/c": [1, 2]}]}
    assert more(value, "v/a/0/b~1c") == {"a": [{"b/c": [1, 2, None]}]}
    assert less(value, "v/a/0/b~1c/0") == {"a": [{"b/c": [2]}]}
    assert less(value, "v/a/9") == value
    assert less(value, "v/a/x") == value


def test_an_empty_form_holds_the_defaults() -> None:
    """And one element of each list that must be there."""
    assert fresh(ORDER)["lines"] == [None]
    assert fresh(ORDER)["only"] == "one"
    assert fresh(ORDER)["first"] is None


def test_markup_escapes_everything_that_it_did_not_make() -> None:
    """In elements and in attributes; names of boxes come back as they were."""
    made = tag("a", "<b>", [tag("i", "&")], title='"\u202e', href="#x")
    assert made == '<a title="&quot;\\u202e" href="#x">&lt;b&gt;<i>&amp;</i></a>'
    assert area("</textarea><script>") == "<textarea>\n&lt;/textarea&gt;&lt;script&gt;</textarea>"


def test_no_fault_shows_nothing() -> None:
    """A page without trouble has no alert."""
    assert trouble(Faults()) == ""


def test_a_part_that_may_be_left_empty_asks_for_nothing() -> None:
    """A browser would not send the form otherwise; defaults in it do not count as something."""
    field = field_of(Shape(Shipped).input_schema)
    shown = form(field, fresh(field))
    needed = [one.attributes["name"] for one in parsed(shown).elements if "required" in one.attributes]
    assert needed == ["v/title"]
    pairs = [(name, "a" if name == "v/title" else text) for name, text in sent_by(shown)]
    assert read(field, pairs) == ({"title": "a", "to": None}, {})
    given = [(name, "b" if name == "v/to/city" else text) for name, text in pairs]
    assert read(field, given)[0]["to"] == {"city": "b", "zone": "near", "quick": True}


def test_the_first_field_of_what_was_added_has_the_focus() -> None:
    """One field, whatever the part is made of."""
    value = {"lines": [None, None]}
    focused = [
        one.attributes["name"]
        for one in parsed(form(ORDER, value, focus="v/lines/1")).elements
        if "autofocus" in one.attributes
    ]
    assert focused == ["v/lines/1/item"]
