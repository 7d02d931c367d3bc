"""The scorecard as JSON: what is written is read back as it was, and nothing else is read."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.report.as_json import MOST_BYTES, dumps, loads
from echelon.evals.report.order import arranged
from echelon.evals.scorecard import Confusion, Measured, Metric, Scorecard
from echelon.protocols.errors import ShapeError

from .scorecards import HOSTILE, empty, rich, undefined


@pytest.mark.parametrize("make", [rich, undefined, empty])
def test_what_is_written_is_read_back(make: Callable[[], Scorecard]) -> None:
    """Every field, and again the same bytes."""
    card = make()
    text = dumps(card)
    assert loads(text) == loads(text.encode()) == arranged(card)
    assert dumps(loads(text)) == text
    assert text.endswith("}\n")


@given(value=st.none() | st.floats(allow_nan=False), low=st.floats(allow_nan=False))
def test_any_figure_survives_to_twelve_digits_and_then_stays(value: float | None, low: float) -> None:
    """Infinities are the strings that the format documents; after one trip nothing changes any more."""
    metric = Metric(name="m", family="cost", value=value, low=low, n=1, unit="usd", better="lower")
    text = dumps(empty(metrics=(metric,)))
    (back,) = loads(text).metrics
    assert (back.value is None) == (value is None)
    assert value is None or back.value == value or math.isclose(back.value or 0.0, value, rel_tol=1e-11)
    assert dumps(loads(text)) == text


def test_an_infinite_figure_is_a_string_and_what_is_undefined_is_null() -> None:
    """JSON has neither infinities nor a word for undefined."""
    values = {one["name"]: one["value"] for one in json.loads(dumps(rich()))["metrics"]}
    assert values["cost per caught error"] == "Infinity"
    assert values["pass^4"] is None


@given(order=st.permutations(range(5)))
def test_sums_that_differ_by_the_order_of_addition_are_written_alike(order: list[int]) -> None:
    """The last digits of a float are no finding."""
    parts = (0.1, 0.2, 0.3, 1e-9, 0.7)
    total = sum(parts[i] for i in order)
    metric = Metric(name="m", family="cost", value=total, n=1, unit="usd", better="lower")
    assert '"value": 1.300000001\n' in dumps(empty(metrics=(metric,)))


@pytest.mark.parametrize("text", HOSTILE)
def test_the_file_is_plain_ascii_whatever_it_holds(text: str) -> None:
    """No terminal that prints it obeys it, and the text is read back to the character."""
    written = dumps(empty(variant=text))
    assert written.replace("\n", "").isprintable()
    assert written.isascii()
    assert loads(written).variant == text


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """The document without one field."""
    return {key: value for key, value in document.items() if key not in path}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"schema_version": 2}, "/schema_version: input should be 1, found 2"),
        ({"suite": None}, "/suite: input should be a valid string"),
        ({"surprise": 1}, "/surprise: extra inputs are not permitted"),
        ({"repeats": 0}, "/repeats: input should be greater than or equal to 1"),
        ({"metrics": [{"name": "m"}]}, "/metrics/0/family: field required"),
        ({"confusion": {"labels": ["a"], "counts": [[1, 2]]}}, "one row and one column per label"),
    ],
)
def test_a_fault_is_named_with_its_place(changed: dict[str, Any], fault: str) -> None:
    """Where, what was expected, what was found."""
    document = json.loads(dumps(empty())) | changed
    with pytest.raises(ShapeError, match="a scorecard as `--json` writes it") as caught:
        loads(json.dumps(document))
    assert fault in str(caught.value)


def test_another_version_is_named_alone() -> None:
    """A newer file has fields that an older reader does not know; they are not the point."""
    document = json.loads(dumps(empty())) | {"schema_version": 2, "new": 1, "newer": 2}
    with pytest.raises(ShapeError) as caught:
        loads(json.dumps(document))
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"suite": NaN}', "\ud800", b"\xff\xfe"])
def test_what_is_no_scorecard_is_refused_in_one_sentence(text: str | bytes) -> None:
    """Whatever the file holds, the reader fails with our error and quotes little of it."""
    with pytest.raises(ShapeError) as caught:
        loads(text)
    assert len(str(caught.value)) < 2_000


def test_a_file_that_is_too_large_is_not_read() -> None:
    """The limit is checked before anything is parsed."""
    with pytest.raises(ShapeError, match=f"at most {MOST_BYTES:,} bytes, found {MOST_BYTES + 1:,}"):
        loads(b" " * (MOST_BYTES + 1))


def test_many_faults_are_counted_and_not_all_listed() -> None:
    """A message is read by a person."""
    document = json.loads(dumps(empty())) | {f"field{i}": i for i in range(50)}
    with pytest.raises(ShapeError, match="and 42 more faults"):
        loads(json.dumps(document))


def test_a_figure_is_never_nan_and_a_repeat_is_never_measured_twice() -> None:
    """What no report could show is refused where it is made."""
    with pytest.raises(ValueError, match="greater than or equal to -inf"):
        Metric(name="m", family="cost", value=math.nan, n=1, unit="usd", better="lower")
    run = Measured(scenario="a", task_hash="", state="broken")
    with pytest.raises(ValueError, match=r"each repeat of a scenario once, found \('a', 0\) 2 times"):
        empty(measured=(run, run))
    with pytest.raises(ValueError, match="one row and one column per label"):
        Confusion(labels=("a", "b"), counts=((1, 2),))
