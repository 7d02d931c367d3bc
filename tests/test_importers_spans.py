"""Spans out of files, whatever wraps them, and traces as trees."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.importers.otlp import attributes_of, export_of
from echelon.evals.importers.reading import ForeignFile, Limits, Spot
from echelon.evals.importers.spans import Happening, Node, Span, trees_of
from echelon.evals.importers.traces import printed, spans_from
from echelon.protocols.errors import ScenarioError

from .foreign_runs import BEGAN, texts, words


def flat(ident: str, parent: str | None = None, trace: str = "t", **more: Any) -> dict[str, Any]:
    """A span that stands for itself."""
    return {"context": {"trace_id": trace, "span_id": ident}, "parent_id": parent, "name": ident} | more


def exported(*spans: dict[str, Any]) -> dict[str, Any]:
    """Spans in OTLP."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def spans(text: Any) -> list[Span]:
    """Read spans from text, or from JSON."""
    data = text if isinstance(text, str) else json.dumps(text)
    return spans_from(ForeignFile(io.BytesIO(data.encode()), "f", Limits()))


def shape(node: Node) -> Any:
    """The ids of a tree."""
    return {node.span.id: [shape(below) for below in node.below]}


def test_a_trace_is_a_tree_in_the_order_of_the_file() -> None:
    """Children may stand before their parents, traces may be mixed, a root may have a parent elsewhere."""
    told = [flat("c", "b"), flat("x", "remote", "u"), flat("b", "a"), flat("a"), flat("d", "a"), flat("y", "x", "u")]
    assert [shape(tree) for tree in trees_of(spans(told))] == [
        {"a": [{"b": [{"c": []}]}, {"d": []}]}, {"x": [{"y": []}]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ([flat("a"), flat("a")], "f /1: expected every span once, found the id 'a' twice"),
        ([flat("a"), flat("b", "gone")], "f /1: expected one root, found another span whose parent 'gone' is not"),
        ([flat("b", "gone"), flat("a")], "f /0: expected one root, found another span whose parent 'gone' is not"),
        ([flat("a"), flat("b")], "f /1: expected one root, found another span without a parent"),
        ([flat("a", "b"), flat("b", "a")], "f /0: expected a root, found spans that are below each other"),
        ([flat("r"), flat("a", "b"), flat("b", "a")], "f /1: expected a tree, found a span that is below itself"),
        ([flat("r"), flat("a", "a")], "f /1: expected a tree, found a span that is below itself"),
        ([flat(str(i), str(i - 1) if i else None) for i in range(300)], "f /100: expected at most 100 levels"),
    ],
)
def test_a_trace_that_is_no_tree_is_an_error(told: list[Any], complaint: str) -> None:
    """Circles, strangers, twins and towers."""
    with pytest.raises(ScenarioError, match=complaint):
        list(trees_of(spans(told)))


def test_spans_come_in_arrays_lines_pages_and_exports() -> None:
    """The same span, four times."""
    span = {"traceId": "t", "spanId": "a", "name": "a"}
    for text in ([flat("a")], json.dumps(flat("a")), {"data": [flat("a")], "next_cursor": None}, exported(span)):
        (found,) = spans(text)
        assert (found.trace, found.id, found.parent, found.name) == ("t", "a", "", "a")


def test_times_are_read_as_they_are_written() -> None:
    """ISO 8601 with any offset, nanoseconds as text or number; an end of 0 is none."""
    (one,) = spans(flat("a", start_time="2025-10-09T10:53:20.25+02:00", end_time="2025-10-09T08:53:21Z"))
    assert (one.began, one.ended) == (BEGAN + 0.25, BEGAN + 1)
    (two,) = spans(flat("a", start_time="2025-10-09T08:53:20+00:00", end_time=None))
    assert two.under_way
    otlp = {"traceId": "t", "spanId": "a", "startTimeUnixNano": "1760000000250000000", "endTimeUnixNano": 0}
    (three,) = spans(exported(otlp))
    assert (three.began, three.under_way) == (BEGAN + 0.25, True)
    (four,) = spans(flat("a"))
    assert (four.began, four.ended, four.under_way) == (None, None, False)


def test_log_records_belong_to_their_spans() -> None:
    """Contents may be kept apart from the trace, in the same file, before or after it."""
    record = {
        "traceId": "t", "spanId": "a", "eventName": "details",
        "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
    }  # fmt: skip
    span = {"traceId": "t", "spanId": "a", "name": "a", "events": [{"name": "own"}]}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, record | {"spanId": "other"}]}]}]}
    (found,) = spans(f"{json.dumps(logs)}\n{json.dumps(exported(span))}")
    assert [event.name for event in found.events] == ["own", "details"]
    assert found.events[1].attributes["k"].value == "v"


def test_otlp_values_are_typed() -> None:
    """Text, numbers, truth, bytes, lists, objects, nothing."""
    listed: list[Any] = [
        {"key": "s", "value": {"stringValue": "x"}}, {"key": "i", "value": {"intValue": "-7"}},
        {"key": "j", "value": {"intValue": 7}}, {"key": "d", "value": {"doubleValue": 0.5}},
        {"key": "b", "value": {"boolValue": True}}, {"key": "n", "value": {}},
        {"key": "l", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "y"}]}}},
        {"key": "o", "value": {"kvlistValue": {"values": [{"key": "p", "value": {"stringValue": "z"}}]}}},
    ]  # fmt: skip
    assert attributes_of(Spot(listed, "f")).value == {
        "s": "x", "i": -7, "j": 7, "d": 0.5, "b": True, "n": None, "l": [1, "y"], "o": {"p": "z"},
    }  # fmt: skip


NO_VALUES: list[tuple[list[Any], str]] = [
    ([{"key": "a"}, {"key": "a"}], "f /1: expected every attribute once, found 'a' twice"),
    ([{"value": {}}], "f /0/key: expected text, found nothing"),
    ([{"key": "a", "value": {"oddValue": 1}}], "f /0/value: expected a value of OTLP"),
    ([{"key": "a", "value": {"intValue": "1", "stringValue": "1"}}], "f /0/value: expected one typed value"),
    ([{"key": "a", "value": {"intValue": "1.5"}}], "f /0/value/intValue: expected a whole number"),
    ([{"key": "a", "value": {"doubleValue": "NaN"}}], "f /0/value/doubleValue: expected a number"),
    ([{"key": "a", "value": 1}], "f /0/value: expected an object"),
]


@pytest.mark.parametrize(("listed", "complaint"), NO_VALUES)
def test_what_is_no_otlp_value_is_an_error(listed: list[Any], complaint: str) -> None:
    """With the pointer of the value."""
    with pytest.raises(ScenarioError, match=complaint):
        attributes_of(Spot(listed, "f"))


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"name": "a"}, "f:1 /trace_id: expected the id of a trace and of a span"),
        (flat("a", start_time="yesterday"), "f:1 /start_time: expected a time in ISO 8601"),
        (flat("a", start_time="2025-10-09T10:00:00"), "f:1 /start_time: expected a time with its offset"),
        (flat("a", start_time=-1), "f:1 /start_time: expected seconds since the epoch"),
        (flat("a", attributes=[]), "f:1 /attributes: expected an object"),
        (exported({"traceId": "t"}), "/spans/0/spanId: expected text"),
        (exported({"traceId": "t", "spanId": "s", "startTimeUnixNano": "x"}), "Nano: expected nanoseconds"),
    ],
)  # fmt: skip
def test_what_is_no_span_is_an_error(told: Any, complaint: str) -> None:
    """With the pointer of the field."""
    with pytest.raises(ScenarioError, match=complaint):
        spans(told)


drawn = st.builds(
    Span, trace=words, id=words, parent=texts, name=texts, place=st.just(""), failed=st.booleans(), message=texts,
    attributes=st.dictionaries(words, texts | st.integers(-9, 9) | st.booleans() | st.lists(texts)).map(
        lambda fields: Spot(fields, "")
    ),
    began=st.none() | st.integers(1, 99).map(lambda ms: BEGAN + ms / 1_000),
    ended=st.none() | st.integers(1, 99).map(lambda ms: BEGAN + ms / 1_000),
    events=st.lists(
        st.builds(Happening, name=texts, attributes=st.just(Spot({"k": "v"}, ""))), max_size=1
    ).map(tuple),
)  # fmt: skip


@given(span=drawn)
def test_a_span_survives_being_written(span: Span) -> None:
    """In either wrapping, but for a message without a failure, which has no place in OTLP."""
    (one,) = spans(export_of([span]))
    (two,) = spans(printed(span))
    for found in (one, two):
        assert (found.trace, found.id, found.parent, found.name) == (span.trace, span.id, span.parent, span.name)
        assert (found.began, found.ended, found.failed) == (span.began, span.ended, span.failed)
        assert [event.name for event in found.events] == [event.name for event in span.events]
        assert found.message == span.message or not span.failed
    assert one.attributes.value == span.attributes.value
    assert {k: v for k, v in two.attributes.fields().items() if k != "openinference.span.kind"} == span.attributes.value
