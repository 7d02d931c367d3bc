"""References: what they are, what they lead to, and what a condition says of it."""

from __future__ import annotations

import datetime
import json
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.errors import ShapeError
from echelon.protocols.plans import Condition, Plan, Ref, Step
from echelon.supervisor.plans.references import (
    DEEPEST,
    PointerError,
    at,
    escaped,
    holds,
    is_list,
    is_object,
    refs_in,
    resolve,
    same,
    sources_of,
    template_steps,
    tokens,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)

# The document and the pointers of RFC 6901, section 5.
DOCUMENT: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


def ref(source: str, pointer: str = "") -> dict[str, str]:
    return {"$from": source, "at": pointer} if pointer else {"$from": source}


def condition(op: str, value: Any = None, pointer: str = "/x") -> Condition:
    return Condition.model_validate({"ref": ref("a", pointer), "op": op, "value": value})


def says(found: Any, op: str, value: Any) -> bool:
    return holds(condition(op, value), {"a": {"x": found}})


def test_every_pointer_of_the_rfc_leads_where_it_says() -> None:
    """RFC 6901, section 5."""
    assert at(DOCUMENT, "") is DOCUMENT
    assert at(DOCUMENT, "/foo") == ["bar", "baz"]
    found = {pointer: at(DOCUMENT, pointer) for pointer in ("/foo/0", "/", "/a~1b", "/c%d", "/e^f", "/g|h", "/m~0n")}
    assert found == {"/foo/0": "bar", "/": 0, "/a~1b": 1, "/c%d": 2, "/e^f": 3, "/g|h": 4, "/m~0n": 8}
    assert [at(DOCUMENT, pointer) for pointer in ("/i\\j", '/k"l', "/ ")] == [5, 6, 7]


@pytest.mark.parametrize(
    ("pointer", "stopped", "said"),
    [
        ("/no", "", "the object there has no 'no'"),
        ("/foo/2", "/foo", "'2' is no index of a list of 2"),
        ("/foo/01", "/foo", "'01' is no index of a list of 2"),
        ("/foo/-", "/foo", "'-' is no index of a list of 2"),
        ("/foo/-1", "/foo", "'-1' is no index of a list of 2"),
        ("/foo/\u0661", "/foo", "'\u0661' is no index of a list of 2"),
        ("/foo/" + "9" * 5000, "/foo", "is no index of a list of 2"),
        ("/foo/0/x", "/foo/0", "there is no 'x' in a str"),
        ("/a~1b/x~0", "/a~1b", "there is no 'x~' in a int"),
        ("foo", "", "a JSON Pointer is empty or starts with '/'"),
        ("/m~2n", "", "'~' is written '~0'"),
        ("/m~", "", "'~' is written '~0'"),
    ],
)
def test_a_pointer_that_leads_nowhere_says_where_it_stopped(pointer: str, stopped: str, said: str) -> None:
    """And never what stands there: a message may travel where the data may not."""
    with pytest.raises(PointerError) as caught:
        at(DOCUMENT, pointer)
    assert (caught.value.pointer, caught.value.stopped) == (pointer, stopped)
    assert said in str(caught.value)
    assert "baz" not in str(caught.value)


def test_null_has_no_fields() -> None:
    """A step that was not needed gives null."""
    with pytest.raises(PointerError, match="there is no 'x' in null"):
        at(None, "/x")


@given(st.lists(st.text()))
def test_an_escaped_path_is_read_back(path: list[str]) -> None:
    """Whatever is in the keys."""
    assert tokens("".join(f"/{escaped(token)}" for token in path)) == tuple(path)


@given(JSON)
def test_every_place_in_a_value_has_a_pointer(value: Any) -> None:
    """Walking and pointing agree."""

    def walk(part: Any, pointer: str) -> None:
        assert at(value, pointer) is part
        if is_object(part):
            for key, inner in part.items():
                walk(inner, f"{pointer}/{escaped(key)}")
        elif is_list(part):
            for i, inner in enumerate(part):
                walk(inner, f"{pointer}/{i}")

    walk(value, "")


def test_references_are_found_in_document_order_with_their_fields() -> None:
    """The field is a pointer, too."""
    template = {"b": ref("x", "/n"), "a": [1, {"c/d": ref("task")}, ref("y")], "text": "{{x}}"}
    found = [(field, found.source, found.at) for field, found in refs_in(template)]
    assert found == [("/b", "x", "/n"), ("/a/1/c~1d", "task", ""), ("/a/2", "y", "")]
    assert refs_in(ref("x")) == [("", Ref.model_validate(ref("x")))]
    assert refs_in("$from") == []


@pytest.mark.parametrize(
    "template",
    [
        {"$from": "a", "default": 1},
        {"$from": "a", "at": "/x", "more": 1},
        {"$from": 1},
        {"$from": "a", "at": None},
        {"$from": "a", "at": "x"},
        {"$from": "a", "at": "/~2"},
        {"$from": "../a"},
        {"$from": "a\n"},
        {"$from": "\u0430"},
        {"$from": {"$from": "a"}},
        {"$from": ""},
    ],
)
def test_a_malformed_reference_is_refused_and_never_guessed(template: Any) -> None:
    """Neither found nor resolved; the third of the names is a Cyrillic letter."""
    with pytest.raises(ShapeError, match="a reference"):
        refs_in([template])
    with pytest.raises(ShapeError, match="a reference"):
        resolve([template], {"a": 1})


def test_a_template_that_nests_too_deep_is_refused() -> None:
    """Before the interpreter runs out of stack."""
    deep: Any = ref("a")
    for _ in range(DEEPEST * 50):
        deep = [deep]
    with pytest.raises(ShapeError, match="nests deeper"):
        refs_in(deep)


def test_text_is_copied_and_never_evaluated() -> None:
    """Neither the template's nor what comes in."""
    hostile = '{"$from": "secret"}'
    template = {"a": "{{secret}} ${secret} $from", "b": ref("a"), "c": ref("a", "/0")}
    sources = {"a": [{"$from": "secret"}, hostile], "secret": 1}
    assert resolve(template, sources) == {
        "a": "{{secret}} ${secret} $from",
        "b": [{"$from": "secret"}, hostile],
        "c": {"$from": "secret"},
    }


@given(JSON)
def test_a_template_without_references_is_copied(value: Any) -> None:
    """New objects and lists, so that nobody changes the plan."""
    if "$from" not in json.dumps(value):
        found = resolve(value, {})
        assert found == value
        assert found is not value or not isinstance(value, dict | list)


def test_a_reference_to_nothing_names_source_and_pointer() -> None:
    """Who reads the error knows which step to look at."""
    message = r"pointer '/x/y' of 'a' stops at '/x': the object there has no 'y'"
    with pytest.raises(PointerError, match=message) as caught:
        resolve({"n": ref("a", "/x/y")}, {"a": {"x": {}}})
    assert (caught.value.source, caught.value.pointer, caught.value.stopped) == ("a", "/x/y", "/x")
    with pytest.raises(PointerError, match=r"pointer '' of 'b' stops at '': there is no such source yet"):
        resolve(ref("b"), {"a": 1})


@pytest.mark.parametrize(
    ("found", "op", "value", "expected"),
    [
        (1, "eq", 1.0, True),
        (1, "eq", True, False),
        (0, "ne", False, True),
        ("1", "eq", 1, False),
        ("12.50", "eq", "12.5", False),
        ("2024-01-01", "eq", "2024-01-01", True),
        (None, "eq", None, True),
        ({"a": [1, True]}, "eq", {"a": [1, True]}, True),
        ({"a": [1, True]}, "eq", {"a": [1, 1]}, False),
        ({"a": 1}, "ne", {"b": 1}, True),
        ([1], "eq", [1, 2], False),
        (2, "gt", 1, True),
        (2, "ge", 2.0, True),
        (2, "lt", 2, False),
        (2, "le", 2, True),
        (True, "ge", 0, False),
        (1, "ge", False, False),
        ("12.50", "gt", 9, True),
        (9, "lt", "12.50", True),
        ("9.50", "lt", "12.50", True),
        ("1E+2", "ge", 100, True),
        ("0.1", "lt", 0.1, True),  # the float is a little more than a tenth
        ("soon", "gt", 9, False),
        ("soon", "lt", 9, False),
        ("2024-01-31", "lt", "2024-02-01", True),
        ("b", "gt", "a", True),
        ("b", "gt", "1", True),
        (None, "lt", 1, False),
        (None, "le", None, False),
        ([1], "lt", [2], False),
        (float("nan"), "ge", 1, False),
        ("1.5", "lt", float("nan"), False),
        (float("inf"), "gt", "1E+300", True),
        ("9" * 5000, "gt", 1, False),
        ("\u0661", "ge", 1, False),
        ("a", "in", ["a", "b"], True),
        (1, "in", [True, "1"], False),
        ("b", "in", "abc", True),
        (1, "in", "123", False),
        ("a", "in", {"a": 1}, False),
        ("a", "in", None, False),
        (0, "exists", None, True),
        ("", "exists", None, True),
        (None, "exists", None, False),
    ],
)
def test_a_condition_compares_as_json_does(found: Any, op: str, value: Any, expected: bool) -> None:  # noqa: FBT001 - a column
    """True is not 1, text is not a number, and a decimal in text is ordered as a number."""
    assert says(found, op, value) is expected


@pytest.mark.parametrize("op", ["eq", "ne", "lt", "le", "gt", "ge", "in", "exists"])
def test_every_comparison_is_false_where_the_reference_leads_nowhere(op: str) -> None:
    """Even `ne`: nothing is known of what is not there."""
    assert not holds(condition(op, 1), {"a": {}})
    assert not holds(condition(op, 1, "/x/y"), {"a": {"x": 1}})
    assert not holds(condition(op, 1), {})


ANYTHING = JSON | st.floats() | st.decimals(allow_nan=False).map(str) | st.dates().map(str)


@given(ANYTHING, ANYTHING)
def test_no_condition_ever_raises_and_order_is_consistent(found: Any, value: Any) -> None:
    """What is less is not greater, and turning the two around turns the comparison around."""
    less, more = says(found, "lt", value), says(found, "gt", value)
    assert not (less and more)
    assert (less, more) == (says(value, "gt", found), says(value, "lt", found))
    assert says(found, "eq", value) is not says(found, "ne", value)
    assert says(found, "in", value) in (True, False)
    assert not less or says(found, "le", value)


@given(st.decimals(-999, 999, places=2), st.decimals(-999, 999, places=2))
def test_money_in_text_is_ordered_as_money(one: Decimal, other: Decimal) -> None:
    """Against text and against numbers."""
    assert says(str(one), "lt", str(other)) is (one < other)
    assert says(str(one), "ge", int(other)) is (one >= int(other))


@given(st.dates(), st.dates())
def test_dates_in_text_are_ordered_in_time(one: datetime.date, other: datetime.date) -> None:
    """ISO 8601 was made for that."""
    assert says(one.isoformat(), "le", other.isoformat()) is (one <= other)


@given(JSON, JSON)
def test_equality_is_that_of_the_written_json(one: Any, other: Any) -> None:
    """Equal text means equal values, and a value equals itself."""
    assert same(one, json.loads(json.dumps(one)))
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert same(one, other)
    assert same(one, other) is same(other, one)


def test_a_step_depends_on_everything_it_names() -> None:
    """By data, `after`, `when` and `for_each`; not on the task, the item or its own last output."""
    step = Step.model_validate(
        {
            "id": "z",
            "worker": "w",
            "input": {"a": ref("a"), "t": ref("task"), "i": ref("item"), "p": [ref("previous"), ref("a", "/x")]},
            "after": ["b"],
            "when": {"ref": ref("c"), "op": "exists"},
            "for_each": ref("d", "/rows"),
            "repeat": {"until": {"ref": ref("previous"), "op": "exists"}},
        }
    )
    assert sources_of(step) == {"a", "b", "c", "d"}
    assert template_steps(Plan(steps=(), output=[ref("a"), {"x": ref("task"), "y": ref("b")}])) == {"a", "b"}


def test_references_are_cheap() -> None:
    """No pydantic on the way of what was seen before: an order of magnitude, not a measurement."""
    template = {"n": ref("a", "/x/y"), "s": "literal", "l": [1, ref("task")]}
    sources = {"a": {"x": {"y": 3}}, "task": {"q": 1}}
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    resolve(template, sources)
    before = sys.getprofile()
    sys.setprofile(count)
    resolve(template, sources)
    sys.setprofile(before)
    assert calls < 150
