"""Runs as OpenTelemetry sees them: spans and metrics, exported while a run is driven.

A span is exported when it ends. Its ids are derived from the run and the place, so that every process that drives a run
goes on in the same trace, and a listener that knows what happened before exports only what ends from then on:

- A run that was parked, answered and taken up exports every span once; one that waits is exported when it has ended.
- After `kill -9`, what had not left the process (up to `OTEL_BSP_SCHEDULE_DELAY`, 5 s) is missing. `send` exports a run
  from its journal, again with the same ids. A model call or tool run whose end had been exported but was not durable
  yet is done again, and exported again under the same id.
- A run that was called off and is taken up exports the spans that were cut off a second time.

Metrics count what ends while this process listens; what the journal already held is never counted again.
Source of names and buckets: github.com/open-telemetry/semantic-conventions-genai, `docs/gen-ai/gen-ai-metrics.md`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

from ..protocols.contracts import Clock, Listener
from ..protocols.conversation import Delta
from ..protocols.errors import MissingExtraError
from ..protocols.events import EffectFailed, EffectFinished, Event, Parked, RunStarted
from ..protocols.messages import Usage
from ..protocols.tracing import Trace
from .clock import SystemClock
from .log import Entry
from .views import semconv as words
from .views.semconv import Attributes, Capture
from .views.spans import Span, Tracing

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import SpanContext

SCOPE: Final = "echelon"
SECONDS: Final = tuple(0.01 * 2**i for i in range(14))
AGENT_SECONDS: Final = tuple(0.1 * 2**i for i in range(13))
TOKENS: Final = tuple(4**i for i in range(14))
CLOCK: Final = SystemClock()


class Telemetry:
    """Exports spans and metrics of any number of runs.

    Args:
        spans: takes spans that have ended; None: nobody does.
        meters: makes the instruments; None: the global one, which does nothing unless it was set.
        resource: what this process is; None: as the environment says (`OTEL_SERVICE_NAME`).
        capture: whether messages, tasks and outputs are exported too.
        clock: tells when something happens.

    Raises:
        MissingExtraError: OpenTelemetry's SDK is not installed.
    """

    def __init__(
        self,
        spans: SpanProcessor | None = None,
        meters: MeterProvider | None = None,
        resource: Resource | None = None,
        *,
        capture: Capture = "nothing",
        clock: Clock = CLOCK,
    ) -> None:
        try:
            from opentelemetry import metrics
            from opentelemetry.sdk.resources import Resource
        except ImportError as error:
            raise MissingExtraError("telemetry", "otel") from error
        self._spans = spans
        self._meters = meters
        self._resource = resource or Resource.create()
        self._capture: Capture = capture
        self._clock = clock
        self._instruments = Instruments(meters or metrics.get_meter_provider())

    @classmethod
    def otlp(cls, *, capture: Capture = "nothing") -> Self:
        """Export by OTLP over HTTP to where `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin say.

        Raises:
            MissingExtraError: OpenTelemetry's SDK or its exporter is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise MissingExtraError("telemetry", "otel") from error
        resource = Resource.create()
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        meters = MeterProvider([reader], resource)
        return cls(BatchSpanProcessor(OTLPSpanExporter()), meters, resource, capture=capture)

    def listener(self, past: Sequence[Entry] = ()) -> Listener:
        """Listens to one drive of one run; it never raises: after a fault it warns, and exports no more of this run.

        Args:
            past: what the journal held when the drive began; none of it is exported again.
        """
        following = _Following(self, Tracing(self._capture))

        def listen(seen: Event | Delta) -> None:
            if isinstance(seen, Delta) or following.broken:
                return
            try:
                following.take(seen, self._clock.now())
            except Exception as error:
                following.broken = True
                warnings.warn(f"no more of this run is exported: {error!r}", stacklevel=2)

        for entry in past:
            following.recall(entry)
        return listen

    def send(self, entries: Sequence[Entry]) -> int:
        """Export the spans of a run that have ended, from its journal; no metrics. How many there were."""
        following = _Following(self, Tracing(self._capture))
        return sum(self.export(following.trace, span) for entry in entries for span in following.recall(entry))

    def export(self, trace: Trace, span: Span) -> int:
        """Export a span that has ended; 1, or 0 if nobody takes spans."""
        if self._spans is None:
            return 0
        from opentelemetry.attributes import BoundedAttributes
        from opentelemetry.sdk import trace as sdk
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.status import Status, StatusCode

        limits = sdk.SpanLimits()  # as the environment says: `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`
        attributes = BoundedAttributes(
            limits.max_span_attributes, dict(span.attributes), max_value_len=limits.max_span_attribute_length
        )
        above = trace.parent if span.above is None else trace.span(span.above)
        self._spans.on_end(
            sdk.ReadableSpan(
                name=span.name,
                context=_context(trace, trace.span(span.place)),
                parent=_context(trace, above, is_remote=span.above is None) if above else None,
                resource=self._resource,
                attributes=attributes,
                events=[sdk.Event(note.name, dict(note.attributes), _nanos(note.at)) for note in span.notes],
                kind=SpanKind.CLIENT if span.kind == "client" else SpanKind.INTERNAL,
                status=Status(StatusCode.ERROR, span.error or None) if span.failed else Status(),
                start_time=_nanos(span.began),
                end_time=None if span.ended is None else _nanos(span.ended),
                instrumentation_scope=InstrumentationScope(SCOPE),
            )
        )
        return 1

    def measure(self, event: Event, ended: Sequence[Span]) -> None:
        """Count what an event says, and the spans that ended with it."""
        self._instruments.measure(event, ended)

    def close(self) -> None:
        """Export what is left, and close what was given."""
        if self._spans is not None:
            self._spans.shutdown()
        from opentelemetry.sdk.metrics import MeterProvider

        if isinstance(self._meters, MeterProvider):
            self._meters.shutdown()


class _Following:
    """One drive of one run, event by event."""

    def __init__(self, telemetry: Telemetry, tracing: Tracing) -> None:
        self.trace = Trace.of("")
        self.broken = False
        self._telemetry = telemetry
        self._tracing = tracing

    def recall(self, entry: Entry) -> Sequence[Span]:
        """Go on by an event of the past; the spans that ended with it."""
        return self._go_on(entry.event, entry.at)

    def take(self, event: Event, at: float) -> None:
        """Go on by an event that happens, and export what ends."""
        ended = self._go_on(event, at)
        for span in ended:
            self._telemetry.export(self.trace, span)
        self._telemetry.measure(event, ended)

    def _go_on(self, event: Event, at: float) -> Sequence[Span]:
        if isinstance(event, RunStarted):
            self.trace = Trace.of(event.run, event.tags.get("trace", ""))
        return self._tracing.take(event, at)


class Instruments:
    """Histograms and counters of runs."""

    def __init__(self, meters: MeterProvider) -> None:
        meter = meters.get_meter(SCOPE)

        def seconds(name: str, told: str, buckets: Sequence[float]) -> Histogram:
            return meter.create_histogram(name, "s", told, explicit_bucket_boundaries_advisory=buckets)

        self._durations = {
            "chat": seconds("gen_ai.client.operation.duration", "GenAI operation duration.", SECONDS),
            "invoke_agent": seconds("gen_ai.invoke_agent.duration", "Work of one agent.", AGENT_SECONDS),
            "execute_tool": seconds("gen_ai.execute_tool.duration", "Run of one tool.", SECONDS),
        }
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self._runs = meter.create_counter("echelon.runs", "{run}", "Runs that began, wait, or ended.")
        self._usd = meter.create_counter("echelon.usage.usd", "{USD}", "Cost of what was done, failed tries included.")

    def measure(self, event: Event, ended: Sequence[Span]) -> None:
        """Count an event, and the spans that ended with it."""
        for span in ended:
            self._last(span)
        match event:
            case RunStarted():
                self._runs.add(1, {"echelon.status": "running"})
            case Parked():
                self._runs.add(1, {"echelon.status": "waiting"})
            case EffectFinished() | EffectFailed():
                self._charge(event.kind, event.usage, ended[-1].attributes if ended else {})
            case _:
                pass

    def _last(self, span: Span) -> None:
        """How long it took."""
        attributes = span.attributes
        histogram = self._durations.get(str(attributes.get(words.OPERATION)))
        if histogram is not None and span.ended is not None:
            histogram.record(max(0.0, span.ended - span.began), _of(attributes, words.ERROR))
        if span.above is None:
            error = attributes.get(words.ERROR)
            status = "done" if error is None else "cancelled" if error == "cancelled" else "failed"
            self._runs.add(1, {"echelon.status": status})

    def _charge(self, kind: str, usage: Usage, attributes: Attributes) -> None:
        """What it cost; tokens of failed tries are billed too."""
        told = _of(attributes)
        if usage.usd:
            self._usd.add(usage.usd, {**told, "echelon.kind": kind})
        if kind == "model" and usage.tokens:
            taken = usage.input + usage.cache_read + usage.cache_write
            self._tokens.record(taken, {**told, "gen_ai.token.type": "input"})
            self._tokens.record(usage.output, {**told, "gen_ai.token.type": "output"})


_DIMENSIONS: Final = (
    words.OPERATION,
    words.PROVIDER,
    words.REQUEST_MODEL,
    words.RESPONSE_MODEL,
    words.AGENT,
    words.TOOL,
)


def _of(attributes: Attributes, *more: str) -> dict[str, str]:
    """The few attributes by which metrics are told apart."""
    return {name: str(attributes[name]) for name in (*_DIMENSIONS, *more) if name in attributes}


def _context(trace: Trace, span: str, *, is_remote: bool = False) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace.id, 16), int(span, 16), is_remote, flags)


def _nanos(seconds: float) -> int:
    return round(seconds * 1_000_000_000)
