"""Traces out of a file, whatever wraps their spans.

Spans stand in OTLP's JSON, or for themselves as OpenTelemetry's SDKs and Phoenix print them (`context`, `parent_id`,
`attributes`): one object after the other, in an array, or under `data`.
Source: github.com/Arize-ai/openinference, `spec/traces.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ...protocols.messages import Json
from .otlp import FAILED, records_in, spans_in
from .reading import ForeignFile, Spot
from .spans import Happening, Span

_EPOCH = datetime.fromtimestamp(0, UTC)
_SECOND = timedelta(seconds=1)


def spans_from(source: ForeignFile) -> list[Span]:
    """All spans of a file, with the log records that belong to them.

    Raises:
        ScenarioError: the file holds something that is no span, or breaks a rule of `reading`.
    """
    spans: list[Span] = []
    records: dict[tuple[str, str], list[Happening]] = {}
    for item in source.values():
        if item.has("resourceSpans") or item.has("resourceLogs"):
            spans += spans_in(item)
            for key, record in records_in(item):
                records.setdefault(key, []).append(record)
        elif item.has("data"):
            spans += [_flat(one) for one in item["data"].items()]
        else:
            spans.append(_flat(item))
    return [_told(span, records.get((span.trace, span.id), ())) for span in spans]


def _told(span: Span, records: Iterable[Happening]) -> Span:
    return replace(span, events=(*span.events, *records))


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
        failed=str(code).lower() in FAILED,
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
        return spot.moment()
    try:
        moment = datetime.fromisoformat(spot.value)
    except ValueError:
        raise spot.wrong("a time in ISO 8601") from None
    if moment.tzinfo is None:
        raise spot.wrong("a time with its offset from UTC")
    return (moment - _EPOCH) / _SECOND


def printed(span: Span) -> Json:
    """A span that stands for itself: the way back."""
    events = [{"name": event.name, "attributes": event.attributes.value} for event in span.events]
    return {
        "name": span.name,
        "context": {"trace_id": span.trace, "span_id": span.id},
        "span_kind": span.attributes["openinference.span.kind"].text("UNKNOWN"),
        "parent_id": span.parent or None,
        "start_time": _iso(span.began),
        "end_time": _iso(span.ended),
        "status_code": "ERROR" if span.failed else "OK",
        "status_message": span.message,
        "attributes": {key: value for key, value in span.attributes.fields().items() if value is not None},
        "events": events,
    }


def _iso(at: float | None) -> str | None:
    """To the microsecond."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
