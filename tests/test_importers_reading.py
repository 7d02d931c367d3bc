"""Foreign JSON: bounded, one value at a time, with a place for every complaint."""

import hashlib
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.importers.reading import ForeignFile, Limits, Spot, parsed
from echelon.protocols.errors import ScenarioError

SMALL = Limits(file=4_000, item=300, items=5, depth=6)


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time, and counts what was taken."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self._most = most
        self.taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most so many bytes."""
        wanted = self._most if size is None or size < 0 else min(size, self._most)
        data = super().read(wanted)
        self.taken += len(data)
        return data


def values(data: bytes, limits: Limits = SMALL) -> list[Any]:
    """Read all values."""
    return [spot.value for spot in ForeignFile(io.BytesIO(data), "f", limits).values()]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=4)


@given(listed=objects, most=st.integers(1, 40), ascii_only=st.booleans())
def test_the_same_values_come_however_the_file_is_cut(listed: list[Any], most: int, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    """An array and lines of JSON; pieces end in the middle of letters, words, escapes and numbers."""
    for text in (
        json.dumps(listed, ensure_ascii=ascii_only, indent=1),
        "\n".join(json.dumps(one, ensure_ascii=ascii_only) for one in listed) or "[]",
    ):
        data = text.encode()
        source = ForeignFile(Dripping(data, most), "f", Limits())
        assert [spot.value for spot in source.values()] == listed
        assert source.sha256 == hashlib.sha256(data).hexdigest()


def test_an_empty_file_has_no_values() -> None:
    """No lines, and an array of nothing."""
    assert values(b" \n ") == values(b"") == values(b" [ ] \n") == []


def test_every_value_has_its_place() -> None:
    """An element by its pointer, a line by its number; below it RFC 6901 with its escapes."""
    (first, second) = ForeignFile(io.BytesIO(b'[{"a": 1}, {"b/c": [{"~": 2}]}]'), "f.json", SMALL).values()
    assert first["a"].place == "f.json /0/a"
    assert second["b/c"][0]["~"].place == "f.json /1/b~1c/0/~0"
    lines = list(ForeignFile(io.BytesIO(b'\xef\xbb\xbf{"a": 1}\n\n{"a":\n2} {"a": 3}'), "f.jsonl", SMALL).values())
    assert [line.place for line in lines] == ["f.jsonl:1", "f.jsonl:3", "f.jsonl:4"]
    assert [line["a"].value for line in lines] == [1, 2, 3]


HOSTILE = {
    "a number": (b"7", "f:1: expected an object, found '7'"),
    "an array of numbers": (b"[1]", "f:1: expected an object"),
    "a field twice": (b'{"a": 1}\n{"b": {"c": 1, "c": 2}}', "f:2: expected every field once"),
    "no number": (b'{"a": NaN}', "f:1: expected a finite number, found NaN"),
    "infinity": (b'{"a": -Infinity}', "f:1: expected a finite number, found -Infinity"),
    "a number too large": (b'{"a": 1e999}', "f:1: expected a finite number, found 1e999"),
    "a number too long": (b'{"a": ' + b"1" * 5_000 + b"}", "f:1: Exceeds the limit"),
    "bytes that are no text": (b'{"a": 1}\n{"b": "\xff"}', "f:2: expected UTF-8, found other bytes"),
    "text cut in a letter": ('{"a": "é'.encode()[:-1], "f:1: expected UTF-8"),
    "half a surrogate pair": (b'{"a": ["\\ud800"]}', "f:1: expected text in Unicode"),
    "half a pair in a name": (b'{"\\udc00": 1}', "f:1: expected text in Unicode"),
    "too many levels": (b'{"a": [[[[[[1]]]]]]}', "f:1: expected at most 6 levels"),
    "very many levels": (b'{"a": ' + b"[" * 200_000, "f:1: it is nested too deeply"),
    "too long an item": (b'{"a": "' + b"x" * 400 + b'"}', "f:1: expected at most 300 characters"),
    "an item without an end": (b'{"a": "' + b"x" * 400, "f:1: expected at most 300 characters"),
    "too many items": (b"{}\n" * 6, "f:6: expected at most 5 items"),
    "an array without an end": (b'[{"a": 1}', "f:1: the array has no end"),
    "an array without commas": (b'[{"a": 1} {"a": 2}]', "f:1: expected ',' or ']', found '{'"),
    "something after the array": (b'[{"a": 1}]\n{}', "f:2: expected the end of the file"),
    "an object without an end": (b'{"a":\n1', "f:2: expected JSON"),
    "a fault in the third line": (b'{\n"a": 1,\n"b" 2}', "f:3: expected JSON"),
    "JavaScript": (b"{a: alert(1)}", "f:1: expected JSON"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_an_error_with_its_place(case: str) -> None:
    """Nothing is guessed, skipped or mended."""
    data, complaint = HOSTILE[case]
    limits = Limits(file=1_000_000, item=300, items=5, depth=6) if len(data) > 1_000 else SMALL
    limits = Limits(item=10_000) if case == "a number too long" else limits
    limits = Limits() if case == "very many levels" else limits
    with pytest.raises(ScenarioError, match=complaint.replace("[", r"\[").replace("'{'", r"'\{'")):
        values(data, limits)


def test_no_more_of_a_file_is_read_than_is_allowed() -> None:
    """One byte too many is an error, before the rest is asked for."""
    file = Dripping(b'{"a": 1}\n' * 1_000, 100)
    with pytest.raises(ScenarioError, match="expected at most 4000 bytes"):
        list(ForeignFile(file, "f", Limits(file=4_000)).values())
    assert file.taken <= 4_100


def test_a_fault_is_found_without_reading_on() -> None:
    """Broken JSON at the beginning of a large file costs no more than a piece of it."""
    file = Dripping(b'{"a" 1}' + b" " * 100_000, 1_000)
    with pytest.raises(ScenarioError, match="f:1: expected JSON"):
        list(ForeignFile(file, "f", Limits()).values())
    assert file.taken == 1_000


@pytest.mark.parametrize("value", ["x", -1, 1.5, True, [], {}, 10**13, "1e3", "٣"])
def test_a_number_of_tokens_is_whole_and_not_negative(value: Any) -> None:
    """Text of digits is one too; anything else is an error with its pointer."""
    with pytest.raises(ScenarioError, match=r"f:1 /n: expected a number of tokens, found"):
        Spot({"n": value}, "f:1")["n"].count()


def test_a_number_of_tokens_may_be_written_in_several_ways() -> None:
    """Protobuf writes 64 bits as text, JavaScript knows only floats."""
    assert [Spot(value, "f").count() for value in (0, "17", 17.0, 10**12, None)] == [0, 17, 17, 10**12, None]


def test_what_is_missing_is_none_at_any_depth() -> None:
    """Who needs it says so."""
    nothing = Spot({"a": "text"}, "f:1")["a"]["b"][3]["c"]
    assert (nothing.value, nothing.count(), nothing.number(), nothing.items(), nothing.fields()) == (
        None, None, None, [], {},
    )  # fmt: skip
    assert nothing.text("") == ""
    with pytest.raises(ScenarioError, match=r"f:1 /a/b/3/c: expected text, found nothing"):
        nothing.text()
    with pytest.raises(ScenarioError, match=r"f:1 /a: expected an array, found 'text'"):
        Spot({"a": "text"}, "f:1")["a"].items()
    with pytest.raises(ScenarioError, match=r"f:1 /a: expected an object, found an array"):
        Spot({"a": []}, "f:1")["a"].fields()
    with pytest.raises(ScenarioError, match="expected a number, found True"):
        Spot(True, "f:1").number()
    with pytest.raises(ScenarioError, match="expected seconds since the epoch"):
        Spot(1e12, "f:1").moment()


def test_json_inside_text_is_held_to_the_same_rules() -> None:
    """A value in a string may be as hostile as the file around it."""
    here = Spot(None, "f:1", "/a")
    assert parsed('{"b": [1]}', here, SMALL) == {"b": [1]}
    for text in ('{"b": 1, "b": 2}', '["\\ud800"]', "[" * 7 + "]" * 7, "{", '{"b": NaN}'):
        with pytest.raises(ScenarioError, match="f:1 /a: expected"):
            parsed(text, here, SMALL)
