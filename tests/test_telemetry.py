"""OpenTelemetry: spans exported once whoever drives, and read back as the run that they tell of."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import anyio
import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped] # protobuf ships none
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from echelon.evals.importers import otel_genai
from echelon.evals.importers.hearing import hear
from echelon.evals.importers.imported import About
from echelon.evals.importers.work import Act, ModelCall, ToolRun, Work
from echelon.protocols.contracts import Calls
from echelon.protocols.conversation import Reply
from echelon.protocols.events import RunStarted
from echelon.protocols.messages import Json, Usage
from echelon.protocols.tracing import Trace
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.runs import Entry, Settings, answer, history, open_questions, resume, run
from echelon.supervisor.telemetry import Telemetry
from echelon.supervisor.views.bill import bill
from echelon.supervisor.views.semconv import Capture

from .builders import Number
from .foreign_runs import nested_teams, recorded
from .test_spans import waiting_team

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Backend:
    """What an observability backend has got."""

    def __init__(self, capture: Capture = "nothing") -> None:
        self.spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider([self._reader])
        self.telemetry = Telemetry(SimpleSpanProcessor(self.spans), self._meters, capture=capture)

    @property
    def got(self) -> Sequence[ReadableSpan]:
        """Spans in the order in which they came."""
        return self.spans.get_finished_spans()

    @property
    def ids(self) -> Counter[str]:
        """How often each span came, by its id."""
        return Counter(ident(span) for span in self.got)

    @property
    def runs(self) -> dict[str, int]:
        """How many runs came to stand how."""
        return {point.attributes["echelon.status"]: point.value for point in self.points("echelon.runs")}

    def points(self, name: str) -> list[Any]:
        """Data points of a metric; []: there are none."""
        data = self._reader.get_metrics_data()
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


def ident(span: ReadableSpan) -> str:
    """A span's id."""
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def test_a_run_is_exported_live_as_one_trace_below_whoever_ordered_it() -> None:
    """Nested teams too; the ids are those that the places have."""
    backend = Backend()
    entries = driven(backend, PARENT)
    trace = Trace.of("nested", PARENT)
    spans = {ident(span): span for span in backend.got}
    assert len(spans) == len(backend.got) == 19
    assert {span.context.trace_id for span in backend.got if span.context} == {int(trace.id, 16)}
    root = spans[trace.span("")]
    assert root.parent is not None
    assert (root.parent.span_id, root.parent.is_remote) == (int(trace.parent, 16), True)
    deep = spans[trace.span("/desk#1/finder#1 model 2")]
    assert deep.parent is not None
    assert f"{deep.parent.span_id:016x}" == trace.span("/desk#1/finder#1")
    assert (deep.name, deep.kind, deep.status.status_code) == (
        "chat model-of-finder",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    failed = spans[trace.span("/judge#1")]
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, None)
    again = Backend()
    assert again.telemetry.send(entries) == 19
    assert again.ids == backend.ids


def driven(backend: Backend, traceparent: str = "") -> Sequence[Entry]:
    """Drive the nested teams; what happened."""

    async def go() -> Sequence[Entry]:
        rules = Settings(tags={"trace": traceparent}, calls=Calls(tries=1))
        listen = backend.telemetry.listener()
        return (await run(nested_teams(), Number(n=7), run_id="nested", listen=listen, settings=rules)).entries

    return anyio.run(go)


def test_a_run_whose_orderer_keeps_no_trace_is_not_kept_either() -> None:
    """But it is counted."""
    backend = Backend()
    driven(backend, PARENT[:-1] + "0")
    assert backend.got == ()
    assert backend.points("gen_ai.client.token.usage")


def test_metrics_add_up_to_the_bill() -> None:
    """Tokens and cost of all models, failed tries included; runs by how they stand."""
    backend = Backend()
    whole = bill(entry.event for entry in driven(backend))
    tokens = backend.points("gen_ai.client.token.usage")
    by_type = Counter[str]()
    for point in tokens:
        by_type[point.attributes["gen_ai.token.type"]] += point.sum
    total = whole.total
    assert by_type == {"input": total.input + total.cache_read + total.cache_write, "output": total.output}
    assert tokens[0].explicit_bounds[:4] == (1, 4, 16, 64)
    costs = backend.points("echelon.usage.usd")
    usd = {point.attributes["gen_ai.request.model"]: round(point.value, 9) for point in costs}
    assert usd == {line.name: line.usage.usd for line in whole.models if line.usage.usd}
    durations = backend.points("gen_ai.client.operation.duration")
    assert sum(point.count for point in durations) == 7
    assert [point.count for point in durations if point.attributes.get("error.type") == "overloaded"] == [1]
    assert backend.runs == {"running": 1, "done": 1}
    assert sum(point.count for point in backend.points("gen_ai.execute_tool.duration")) == 3
    assert sum(point.count for point in backend.points("gen_ai.invoke_agent.duration")) == 7


@settings(max_examples=60)
@given(st.lists(st.integers(0, 200), max_size=3))
def test_wherever_processes_end_every_span_is_exported_once(ends: list[int]) -> None:
    """Each listener knows what the journal held when its drive began."""
    entries = RECORDED.entries
    backend = Backend()
    bounds = [0, *sorted(min(end, len(entries)) for end in ends), len(entries)]
    for begin, end in pairwise(bounds):
        listen = backend.telemetry.listener(entries[:begin])
        for entry in entries[begin:end]:
            listen(entry.event)
    whole = Backend()
    whole.telemetry.send(entries)
    assert backend.ids == whole.ids
    assert set(backend.ids.values()) == {1}


RECORDED = recorded()


def test_a_run_that_waited_for_a_person_is_exported_once_in_one_trace() -> None:
    """By two listeners, as in two processes."""
    backend = Backend()

    async def go() -> None:
        store = MemoryJournal()
        await run(waiting_team(), Number(n=2), store=store, run_id="r", listen=backend.telemetry.listener())
        assert [span.name for span in backend.got] == ["plan desk"]
        before = await history(store, "r")
        (asked,) = open_questions([entry.event for entry in before])
        await answer(store, "r", asked.id, approved=True, by="eva")
        await resume(waiting_team(), "r", store=store, listen=backend.telemetry.listener(before))

    anyio.run(go)
    assert [span.name for span in backend.got] == [
        "plan desk",
        "invoke_agent eva",
        "invoke_agent double",
        "invoke_agent desk",
    ]
    assert {span.context.trace_id for span in backend.got if span.context} == {int(Trace.of("r").id, 16)}
    assert backend.runs == {"running": 1, "waiting": 1, "done": 1}


class Broken(SimpleSpanProcessor):
    """A backend's end that raises."""

    def on_end(self, span: ReadableSpan) -> None:
        """Raise."""
        raise RuntimeError("no more")


def test_a_fault_of_the_export_does_not_touch_the_run() -> None:
    """It is said once."""
    listen = Telemetry(Broken(InMemorySpanExporter())).listener()

    def told() -> None:
        for entry in RECORDED.entries:
            listen(entry.event)

    with pytest.warns(UserWarning, match="no more of this run is exported") as warned:
        told()
    assert len(warned) == 1


def otlp(spans: Sequence[ReadableSpan]) -> bytes:
    """Spans as a collector writes them to a file: OTLP's JSON, ids in hexadecimal."""
    export: dict[str, Any] = MessageToDict(encode_spans(spans))
    for resource in export["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    return json.dumps(export).encode()


def acts(work: Work, path: str = "") -> dict[tuple[str, int], Act]:
    """Model calls and tool runs by their place and number there."""
    found: dict[tuple[str, int], Act] = {}
    number = 0
    for act in work.acts:
        if isinstance(act, Work):
            found |= acts(act, f"{path}/{act.segment}")
        else:
            found[path, number] = told(act)
            number += 1
    return found


def told(act: ModelCall | ToolRun) -> Act:
    """The act without what the conventions have no place for: prices, the schema of an answer, exact times."""
    if isinstance(act, ToolRun):
        return replace(act, began=None, ended=None)
    head = act.head.model_copy(update={"output": None, "framework": 0})
    messages = tuple(
        message.model_copy(update={"framework": 0}) if message.role == "user" else message for message in act.messages
    )
    answer = act.answer
    if isinstance(answer, Reply):
        answer = answer.model_copy(update={"usage": free(answer.usage)})
    elif answer is not None:
        answer = answer.model_copy(update={"retryable": False})
    return replace(
        act, head=head, messages=messages, answer=answer, usage=free(act.usage), began=None, ended=None
    )  # fmt: skip


def free(usage: Usage) -> Usage:
    """Usage without money and counts of tries."""
    return usage.model_copy(update={"usd": 0.0, "usd_assumed": 0.0, "usd_reported": 0.0, "calls": 1})


def test_what_is_exported_is_read_back_as_the_same_calls_with_the_same_usage() -> None:
    """Places, models, messages, replies, tokens, tools, arguments, results and failures."""
    backend = Backend("content")
    backend.telemetry.send(RECORDED.entries)
    (scenario,) = otel_genai.read(io.BytesIO(otlp(backend.got)), About(name="traces.json")).scenarios
    ours, theirs = acts(hear(RECORDED)), acts(hear(scenario))
    assert len(ours) == 10
    assert theirs == ours
    first = scenario.entries[0].event
    assert isinstance(first, RunStarted)
    assert (first.worker, first.task) == ("boss", {"n": 7})


@contextmanager
def collector() -> Generator[tuple[str, list[str]]]:
    """A collector that takes anything: its address, and the paths that were posted to."""
    paths: list[str] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Json) -> None:  # noqa: A002 - the name that it overrides
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_and_metrics_leave_by_otlp_when_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """To where the environment says."""
    with collector() as (url, paths):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        telemetry = Telemetry.otlp()
        listen = telemetry.listener()
        for entry in RECORDED.entries:
            listen(entry.event)
        telemetry.close()
    assert set(paths) == {"/v1/traces", "/v1/metrics"}
