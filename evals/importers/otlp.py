"""Spans in OTLP's JSON: `resourceSpans`, and log records of the same trace under `resourceLogs`.

Source: opentelemetry-proto 1.x, `trace.proto`, `logs.proto` and `common.proto`, in the JSON mapping that the OTLP
specification states: ids in hexadecimal, 64-bit numbers as text or number, field names in camel case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final

from ...protocols.errors import ScenarioError
from ...protocols.messages import Json
from .reading import Spot, array_of
from .spans import Happening, Span

FAILED: Final = ("2", "status_code_error", "error", "statuscode.error")
"""How status codes say that an operation failed, in small letters: OTLP's, its name, and those of SDKs."""


def spans_in(item: Spot) -> Iterator[Span]:
    """The spans of one export.

    Raises:
        ScenarioError: something in it is no span.
    """
    for resource in item["resourceSpans"].items():
        for scope in resource["scopeSpans"].items():
            for span in scope["spans"].items():
                yield _span(span)


def _span(item: Spot) -> Span:
    began, ended = _nanos(item["startTimeUnixNano"]), _nanos(item["endTimeUnixNano"])
    events = [
        Happening(name=event["name"].text(""), attributes=attributes_of(event["attributes"]))
        for event in item["events"].items()
    ]
    return Span(
        trace=item["traceId"].text(),
        id=item["spanId"].text(),
        parent=item["parentSpanId"].text(""),
        name=item["name"].text(""),
        attributes=attributes_of(item["attributes"]),
        place=item.place,
        began=began,
        ended=None if began and not ended else ended,  # protobuf's 0 of a span that is not over
        failed=str(item["status"]["code"].value).lower() in FAILED,
        message=item["status"]["message"].text(""),
        events=tuple(events),
    )


def records_in(item: Spot) -> Iterator[tuple[tuple[str, str], Happening]]:
    """The log records of one export, each with the ids of its trace and its span.

    Raises:
        ScenarioError: something in it is no log record.
    """
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


def export_of(spans: Iterable[Span]) -> Json:
    """Spans as one export: the way back."""
    scope: Json = {"scope": {"name": "echelon"}, "spans": [_written(span) for span in spans]}
    return {"resourceSpans": [{"scopeSpans": [scope]}]}


def _written(span: Span) -> Json:
    written: dict[str, Json] = {"traceId": span.trace, "spanId": span.id}
    if span.parent:
        written["parentSpanId"] = span.parent
    written |= {"name": span.name, "kind": 1}
    for name, at in (("startTimeUnixNano", span.began), ("endTimeUnixNano", span.ended)):
        if at is not None:
            written[name] = str(round(Fraction(at) * 10**9))
    written["attributes"] = _listed(span.attributes.fields())
    if span.events:
        written["events"] = [
            {"name": event.name, "attributes": _listed(event.attributes.fields())} for event in span.events
        ]
    if span.failed:
        written["status"] = {"code": 2, "message": span.message}
    return written


def _listed(attributes: Mapping[str, Json]) -> list[Json]:
    return [{"key": key, "value": _typed(value)} for key, value in attributes.items() if value is not None]


def _typed(value: Json) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        values: list[Json] = [_typed(one) for one in array_of(value)]
        return {"arrayValue": {"values": values}}
    return {"stringValue": str(value)}
