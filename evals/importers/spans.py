"""Spans out of a file, whatever wraps them, and traces as trees.

A span stands in OTLP's JSON (`resourceSpans`, with log records of the same trace under `resourceLogs`), or for itself as
OpenTelemetry's SDKs and Phoenix print it (`context`, `parent_id`, `attributes`), alone, in an array, or under `data`.
Sources: opentelemetry-proto 1.x `trace.proto` and its JSON mapping; github.com/Arize-ai/openinference, `spec/traces.md`.

A trace is one tree. A span whose parent is not in the file is its root if no other is: the trace was cut out of a
larger one. A second root, an id that stands twice and a circle of parents are errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from ...protocols.errors import ScenarioError
from ...protocols.messages import Json
from .reading import Source, Spot

MOST_LEVELS: Final = 200
"""Of a trace."""
STATUS_ERROR: Final = frozenset({"error", "statuscode.error", "status_code_error", "2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event of a span, or a log record that belongs to it."""

    name: str
    attributes: Spot


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One operation of a trace."""

    trace: str
    id: str
    parent: str
    """"": none."""
    name: str
    attributes: Spot
    """An object by the attributes' names."""
    place: str
    began: float | None = None
    """Seconds since the epoch; None: the source does not say."""
    ended: float | None = None
    failed: bool = False
    message: str = ""
    """Of its status."""
    events: tuple[Happening, ...] = ()

    @property
    def under_way(self) -> bool:
        """Whether it began and has no end."""
        return self.began is not None and self.ended is None


@dataclass(frozen=True, slots=True)
class Node:
    """A span with the spans below it, in the order of the file."""

    span: Span
    below: tuple[Node, ...]


def spans_of(source: Source) -> list[Span]:
    """All spans of a file, with the log records that belong to them.

    Raises:
        ScenarioError: the file holds something that is no span, or breaks a rule of `reading`.
    """
    spans: list[Span] = []
    records: dict[tuple[str, str], list[Happening]] = {}
    for item in source.values():
        if item.has("resourceSpans") or item.has("resourceLogs"):
            spans += _otlp_spans(item)
            for key, record in _otlp_records(item):
                records.setdefault(key, []).append(record)
        elif item.has("data"):
            spans += [_flat(one) for one in item["data"].items()]
        else:
            spans.append(_flat(item))
    return [_told(span, records.get((span.trace, span.id), ())) for span in spans]


def _told(span: Span, records: Iterable[Happening]) -> Span:
    return replace(span, events=(*span.events, *records))


def trees_of(spans: Iterable[Span]) -> Iterator[Node]:
    """Each trace as a tree, in the order in which they first appear.

    Raises:
        ScenarioError: a trace is no tree, or has too many levels.
    """
    traces: dict[str, dict[str, Span]] = {}
    for span in spans:
        trace = traces.setdefault(span.trace, {})
        if span.id in trace:
            raise ScenarioError(span.place, f"expected every span once, found the id {span.id[:40]!r} twice")
        trace[span.id] = span
    for trace in traces.values():
        yield _tree(trace)


def _tree(trace: Mapping[str, Span]) -> Node:
    below: dict[str, list[Span]] = {}
    tops: list[Span] = []
    for span in trace.values():
        (below.setdefault(span.parent, []) if span.parent in trace else tops).append(span)
    if len(tops) > 1:
        strays = [span for span in tops if span.parent] or tops[1:]
        what = f"whose parent {strays[0].parent[:40]!r} is not in the trace" if strays[0].parent else "without a parent"
        raise ScenarioError(strays[0].place, f"expected one root, found another span {what}")
    reached = {span.id for span in tops}
    level = list(tops)
    for _ in range(MOST_LEVELS):
        level = [span for above in level for span in below.get(above.id, ())]
        reached.update(span.id for span in level)
    if level:
        raise ScenarioError(level[0].place, f"expected at most {MOST_LEVELS} levels of spans, found more")
    for span in trace.values():
        if span.id not in reached:
            raise ScenarioError(span.place, "expected a tree, found a span that is below itself")
    return _node(tops[0], below)


def _node(span: Span, below: Mapping[str, list[Span]]) -> Node:
    return Node(span, tuple(_node(one, below) for one in below.get(span.id, ())))


def _flat(item: Spot) -> Span:
    """A span that stands for itself.

    Raises:
        ScenarioError: it has no ids or no attributes.
    """
    context = item["context"] if item.has("context") else item
    trace, ident = _id(context, "trace_id", "traceId"), _id(context, "span_id", "spanId")
    status = item["status"] if item.has("status") else item
    kind = item["span_kind"].text("")
    attributes = dict(item["attributes"].fields())
    if kind:
        attributes.setdefault("openinference.span.kind", kind)
    code = status["status_code"].value if isinstance(status.value, dict) else status.value
    message = status["description"] if status.has("description") else item["status_message"]
    events = [
        Happening(name=event["name"].text(""), attributes=event["attributes"]) for event in item["events"].items()
    ]
    return Span(
        trace=trace,
        id=ident,
        parent=item["parent_id"].text(""),
        name=item["name"].text(""),
        attributes=Spot(attributes, item.file, f"{item.pointer}/attributes"),
        place=item.place,
        began=_moment(item["start_time"]),
        ended=_moment(item["end_time"]),
        failed=str(code).lower() in STATUS_ERROR,
        message=message.text(""),
        events=tuple(events),
    )


def _id(holder: Spot, *names: str) -> str:
    for name in names:
        if (text := holder[name].text("")) != "":
            return text
    raise holder[names[0]].wrong("the id of a trace and of a span")


def _moment(spot: Spot) -> float | None:
    """A time as ISO 8601 with its offset, or in seconds since the epoch."""
    if not isinstance(spot.value, str):
        return spot.number()
    try:
        moment = datetime.fromisoformat(spot.value)
        if moment.tzinfo is None:
            raise spot.wrong("a time with its offset from UTC")
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise spot.wrong("a time in ISO 8601") from None


def _otlp_spans(item: Spot) -> Iterator[Span]:
    for resource in item["resourceSpans"].items():
        for scope in resource["scopeSpans"].items():
            for span in scope["spans"].items():
                yield _otlp_span(span)


def _otlp_span(item: Spot) -> Span:
    began, ended = _nanos(item["startTimeUnixNano"]), _nanos(item["endTimeUnixNano"])
    events = [
        Happening(name=event["name"].text(""), attributes=attributes_of(event["attributes"]))
        for event in item["events"].items()
    ]
    return Span(
        trace=_id(item, "traceId"),
        id=_id(item, "spanId"),
        parent=item["parentSpanId"].text(""),
        name=item["name"].text(""),
        attributes=attributes_of(item["attributes"]),
        place=item.place,
        began=began,
        ended=None if began and not ended else ended,  # protobuf's 0 of a span that is not over
        failed=str(item["status"]["code"].value).lower() in STATUS_ERROR,
        message=item["status"]["message"].text(""),
        events=tuple(events),
    )


def _otlp_records(item: Spot) -> Iterator[tuple[tuple[str, str], Happening]]:
    for resource in item["resourceLogs"].items():
        for scope in resource["scopeLogs"].items():
            for record in scope["logRecords"].items():
                key = record["traceId"].text(""), record["spanId"].text("")
                yield key, Happening(
                    name=record["eventName"].text(""), attributes=attributes_of(record["attributes"])
                )  # fmt: skip


def _nanos(spot: Spot) -> float | None:
    """Nanoseconds since the epoch, as text or number, in seconds."""
    value = spot.value
    if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) <= 20:
        value = int(value)
    if value is None or (type(value) is int and value >= 0):
        return None if value is None else value / 10**9
    raise spot.wrong("nanoseconds since the epoch")


def attributes_of(listed: Spot) -> Spot:
    """OTLP's list of keys and typed values as an object.

    Raises:
        ScenarioError: a value is of no known type, or a key stands twice.
    """
    found: dict[str, Json] = {}
    for pair in listed.items():
        key = pair["key"].text()
        if key in found:
            raise ScenarioError(pair.place, f"expected every attribute once, found {key[:80]!r} twice")
        found[key] = _any_value(pair["value"])
    return Spot(found, listed.file, listed.pointer)


def _any_value(value: Spot) -> Json:
    fields = value.fields()
    if not fields:
        return None
    if len(fields) > 1:
        raise value.wrong("one typed value")
    kind = next(iter(fields))
    inner = value[kind]
    match kind:
        case "stringValue" | "boolValue" | "bytesValue":
            return inner.value
        case "doubleValue":
            return inner.number()
        case "intValue":
            return _whole(inner)
        case "arrayValue":
            return [_any_value(one) for one in inner["values"].items()]
        case "kvlistValue":
            return attributes_of(inner["values"]).value
        case _:
            raise value.wrong("a value of OTLP")


def _whole(spot: Spot) -> int:
    value = spot.value
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii() and len(value) <= 20:
        return int(value)
    if type(value) is int:
        return value
    raise spot.wrong("a whole number")


def otlp_attributes(attributes: Mapping[str, Json]) -> list[Json]:
    """Attributes as OTLP lists them: the way back; None is left out."""
    return [{"key": key, "value": _typed(value)} for key, value in attributes.items() if value is not None]


def _typed(value: Json) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [_typed(one) for one in cast("list[Json]", value)]}}
    return {"stringValue": str(value)}
