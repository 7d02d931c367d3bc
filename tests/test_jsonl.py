"""JSON Lines that nobody vouches for."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.jsonl import MAX_DEPTH, UnfitError, parse, split
from echelon.protocols.messages import Json

VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_json_writes_is_read_unchanged(value: Json) -> None:
    """As text and as bytes, with and without a newline."""
    text = json.dumps(value, ensure_ascii=False)
    for line in (text, text + "\n", text.encode(), text.encode() + b"\n"):
        assert parse(line, most=1_000_000) == value


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("", "one JSON value"),
        ("{", "one JSON value"),
        ("{} {}", "one JSON value"),
        ("[01]", "one JSON value"),
        ("\ufeff{}", "a byte order mark"),
        (b"\xef\xbb\xbf{}", "a byte order mark"),
        (b'"\xff"', "text in UTF-8"),
        ("[NaN]", "one JSON value"),
        ("[-Infinity]", "one JSON value"),
        ("[1e999]", "a finite number"),
        ("9" * 5_000, "one JSON value"),
        ('{"a":1,"a":1}', "every field once"),
        ('{"b":{"a":1,"a":2}}', "every field once"),
        (r'"\ud800"', "one JSON value"),
        ('"\ud800"', "half a surrogate"),
        ("[" * 100_000, "levels"),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "levels"),
        ('{"a":' * 10_000, "levels"),
        ("[0,0]" + " " * 100_000, "at most 100000 characters"),
        (b"[0,0]" + b" " * 100_000, "at most 100000 bytes"),
    ],
    ids=range(20),
)
def test_what_is_no_strict_json_is_refused(line: str | bytes, what: str) -> None:
    """With one short sentence, and nothing of the line in it."""
    with pytest.raises(UnfitError, match=what) as caught:
        parse(line, most=100_000)
    assert len(str(caught.value)) < 200


def test_levels_up_to_the_limit_are_read() -> None:
    """The limit is where it says."""
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH, most=1_000)


def test_no_line_is_read_beyond_what_shows_that_it_is_too_long() -> None:
    """A file without newlines costs no memory; one with lines is read whole."""
    text = io.StringIO("x" * 10_000)
    assert len(next(split(text, 100))) == 102
    assert text.tell() == 102
    assert list(split(io.BytesIO(b"a\nbc\n\nd"), 100)) == [b"a\n", b"bc\n", b"\n", b"d"]
