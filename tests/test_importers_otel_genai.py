"""OpenTelemetry's GenAI spans: what they mean, what they lack, and the way back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from echelon.evals.importers import otel_genai
from echelon.evals.importers.imported import About, Imported
from echelon.evals.scenario import Ending, Scenario
from echelon.protocols.conversation import Head, Reply
from echelon.protocols.errors import ScenarioError
from echelon.protocols.events import Delegated, EffectFailed, EffectFinished, EffectStarted, RunEnded, RunStarted
from echelon.protocols.messages import Done, Usage

from .builders import of_type
from .foreign_runs import again, plain, recorded, scenarios, touches

START = 1_760_000_000


def typed(value: Any) -> Any:
    """A value as OTLP types it."""
    kinds: dict[type, Callable[[Any], Any]] = {
        bool: lambda it: {"boolValue": it},
        int: lambda it: {"intValue": str(it)},
        float: lambda it: {"doubleValue": it},
        str: lambda it: {"stringValue": it},
        list: lambda it: {"arrayValue": {"values": [typed(one) for one in it]}},
        dict: lambda it: {"kvlistValue": {"values": listed(it)}},
    }
    return kinds[type(value)](value) if value is not None else {}


def listed(attributes: dict[str, Any]) -> list[Any]:
    """Attributes as OTLP lists them."""
    return [{"key": key, "value": typed(value)} for key, value in attributes.items()]


def span(ident: str, parent: str = "root", at: int = 0, events: Any = (), **attributes: Any) -> dict[str, Any]:
    """A span in the second `at`, a second long; `__` in the names of GenAI attributes are dots."""
    named = {f"gen_ai.{key.replace('__', '.')}": value for key, value in attributes.items()}
    return {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": ident, "parentSpanId": parent, "name": f"the {ident}",
        "startTimeUnixNano": str((START + at) * 10**9), "endTimeUnixNano": str((START + at + 1) * 10**9),
        "attributes": listed(named), "events": list(events),
    }  # fmt: skip


def agent(ident: str, parent: str = "root", at: int = 0, **attributes: Any) -> dict[str, Any]:
    """An agent's span."""
    return span(ident, parent, at, operation__name="invoke_agent", **attributes)


def exported(*spans: dict[str, Any]) -> dict[str, Any]:
    """Spans in OTLP."""
    scope = {"scope": {"name": "instrumentation"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [scope]}]}


def read(*spans: dict[str, Any], about: About = About(name="traces.json")) -> Imported:  # noqa: B008 - frozen
    """Read an export."""
    return otel_genai.read(io.BytesIO(json.dumps(exported(*spans)).encode()), about)


def events(scenario: Scenario) -> list[Any]:
    """What happened."""
    return [entry.event for entry in scenario.entries]


def said(role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    """A message; text is a part."""
    whole = [{"type": "text", "content": part} if isinstance(part, str) else part for part in parts]
    return {"role": role, "parts": whole} | more


CALL = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"n": 7}}
CHAT: dict[str, Any] = {
    "operation__name": "chat", "request__model": "gpt-4o", "response__model": "gpt-4o-2024",
    "request__max_tokens": 99, "request__temperature": 0.5, "request__reasoning__level": "low",
    "system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
    "input__messages": json.dumps([said("user", "Is 7 there?")]),
    "output__messages": json.dumps([said("assistant", CALL)]), "response__finish_reasons": ["tool_calls"],
    "tool__definitions": json.dumps([{"type": "function", "name": "look", "parameters": {"type": "object"}}]),
    "usage__input_tokens": 50, "usage__cache_read__input_tokens": 20, "usage__cache_write__input_tokens": 10,
    "usage__output_tokens": 9, "usage__reasoning__output_tokens": 4,
}  # fmt: skip


def test_a_trace_is_a_run_with_its_agents_calls_and_tools() -> None:
    """Workflows and plans only hold; what agents do lies at their places."""
    (scenario,) = read(
        agent("root", "remote", agent__name="desk", input__messages=json.dumps([said("user", "Is 7 there?")]),
              output__messages=json.dumps([said("assistant", "It is.")])),
        span("plan", at=1, operation__name="plan"),
        span("chat", "plan", 1, **CHAT),
        span("tool", at=2, operation__name="execute_tool", tool__name="look", tool__call__id="c1",
             tool__call__arguments={"n": 7}, tool__call__result={"there": True}),
        agent("sub", at=3, agent__name="Finder", input__messages=[said("user", "7?")]),
        span("deep", "sub", 3, **CHAT),
    ).scenarios  # fmt: skip
    assert (scenario.id, scenario.header.worker) == ("4bf92f3577b34da6a3ce929d0e0e4736", "desk")
    assert of_type(events(scenario), RunStarted)[0].task == "Is 7 there?"
    assert [(e.kind, e.path) for e in of_type(events(scenario), EffectStarted)] == [
        ("model", ""), ("tool:look", ""), ("model", "/Finder#1"),
    ]  # fmt: skip
    tool = of_type(events(scenario), EffectStarted)[1]
    assert tool.request == {"name": "look", "arguments": {"n": 7}}
    assert of_type(events(scenario), EffectFinished)[1].result == '{"there":true}'
    assert of_type(events(scenario), Delegated)[0].payload == "7?"
    report = of_type(events(scenario), RunEnded)[0].report
    assert isinstance(report, Done)
    assert (report.output, report.usage.calls) == ("It is.", 2)


def test_a_chat_span_is_a_call_with_its_request_and_usage() -> None:
    """Attributes may be JSON text or structured; what we know of the request is in its head."""
    imported = read(agent("root", ""), span("chat", **CHAT))
    started = of_type(events(imported.scenarios[0]), EffectStarted)[0]
    head = Head.model_validate(started.request["head"])
    assert (head.instructions, head.max_output_tokens, head.temperature, head.effort) == ("Be brief.", 99, 0.5, "low")
    assert (head.tools[0].name, head.tools[0].parameters) == ("look", {"type": "object"})
    reply = Reply.model_validate(of_type(events(imported.scenarios[0]), EffectFinished)[0].result)
    assert (reply.model, reply.finish, reply.tool_calls[0].arguments) == ("gpt-4o-2024", "tool_calls", '{"n":7}')
    assert reply.usage == Usage(calls=1, input=20, cache_read=20, cache_write=10, output=9, reasoning=4)
    structured = {key: json.loads(value) if str(value).startswith("[{") else value for key, value in CHAT.items()}
    structured["usage__cache_creation__input_tokens"] = structured.pop("usage__cache_write__input_tokens")
    other = read(agent("root", ""), span("chat", **structured))
    assert other.scenarios[0].entries == imported.scenarios[0].entries
    assert {one.gap: one.events for one in imported.gaps.missing}["tool_results"] == 1


def test_contents_may_stand_in_events_and_log_records() -> None:
    """`gen_ai.client.inference.operation.details` of the same span."""
    bare = {key: value for key, value in CHAT.items() if key not in ("input__messages", "output__messages")}
    asked = {"gen_ai.input.messages": [said("user", "Is 7 there?")]}
    gave = {"gen_ai.output.messages": [said("assistant", CALL)]}
    details = "gen_ai.client.inference.operation.details"
    chat = span("chat", events=[{"name": details, "attributes": listed(asked)}], **bare)
    record = {"traceId": chat["traceId"], "spanId": "chat", "eventName": details, "attributes": listed(gave)}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    lines = f"{json.dumps(exported(agent('root', ''), chat))}\n{json.dumps(logs)}"
    found = otel_genai.read(io.BytesIO(lines.encode()), About())
    assert found.scenarios[0].entries == read(agent("root", ""), span("chat", **CHAT)).scenarios[0].entries


def test_without_contents_there_are_calls_and_gaps() -> None:
    """Instrumentations keep contents to themselves unless they are told not to."""
    bare = {key: value for key, value in CHAT.items() if key.startswith(("operation", "request__model", "usage"))}
    imported = read(
        agent("root", ""), span("chat", **bare, output__type="json"),
        span("tool", at=1, operation__name="execute_tool"),
    )  # fmt: skip
    found = {one.gap: (one.scenarios, one.events) for one in imported.gaps.missing}
    for gap in ("messages", "replies", "instructions", "tools", "parameters", "output_schema", "tool_results", "input"):
        assert found[gap] == (1, 1), gap
    assert found["prices"] == (1, 1)
    assert not {"usage", "caching", "model", "timings", "handoffs"} & found.keys()
    assert [event.kind for event in of_type(events(imported.scenarios[0]), EffectStarted)] == ["model", "tool:the tool"]


def test_parts_become_messages() -> None:
    """Several results are several messages, old results are results, pictures and thoughts are gaps."""
    inputs = [
        said("system", "A"), said("system", "B"), said("user", "See", {"type": "uri", "uri": "x", "modality": "image"}),
        said("assistant", {"type": "reasoning", "content": "hm"}, "ok", CALL | {"arguments": "n=7"},
             CALL | {"id": None}),
        said("tool", {"type": "tool_call_response", "id": "c1", "response": "yes"},
             {"type": "tool_call_response", "id": "c2", "result": {"b": 1}}),
        said("assistant", {"type": "tool_call_response", "id": "c3", "response": None}, "built in"),
        said("narrator", "meanwhile"),
    ]  # fmt: skip
    outputs = [said("assistant", {"type": "refusal", "content": "No."}, finish_reason="content_filter")] * 2
    quiet: dict[str, Any] = {"operation__name": "chat", "input__messages": inputs, "output__messages": outputs}
    imported = read(agent("root", ""), span("chat", **quiet))
    started = of_type(events(imported.scenarios[0]), EffectStarted)[0]
    assert started.request["head"]["instructions"] == "A\n\nB"
    told = [(one["role"], one["text"], one.get("call_id", "")) for one in started.request["messages"]]
    assert told == [
        ("user", "See", ""), ("assistant", "ok", ""), ("tool", "yes", "c1"), ("tool", '{"b":1}', "c2"),
        ("assistant", "built in", ""), ("tool", "", "c3"), ("user", "meanwhile", ""),
    ]  # fmt: skip
    calls = started.request["messages"][1]["tool_calls"]
    assert [(one["id"], one["arguments"]) for one in calls] == [("c1", "n=7"), ("", '{"n":7}')]
    reply = Reply.model_validate(of_type(events(imported.scenarios[0]), EffectFinished)[0].result)
    assert (reply.refusal, reply.finish) == ("No.", "content_filter")
    found = {one.gap: one.events for one in imported.gaps.missing}
    assert (found["content"], found["ids"]) == (4, 1)


def test_an_agents_input_that_is_no_one_text_is_messages() -> None:
    """Data stays data; a conversation is our messages."""
    talk = [said("user", "a"), said("assistant", "b"), said("user", "c")]
    for given_, payload in (
        ([said("user", "a", "b")], "ab"),
        ([said("user", {"type": "data", "content": {"n": [1]}})], {"n": [1]}),
        ([said("user", {"type": "data", "content": "text"})], "text"),
        ([], None),
    ):
        (scenario,) = read(agent("root", "", input__messages=json.dumps(given_))).scenarios
        assert scenario.header.input == payload
    (scenario,) = read(agent("root", "", input__messages=talk)).scenarios
    assert [one["role"] for one in scenario.header.input] == ["user", "assistant", "user"]


def test_a_generation_that_broke_off_is_a_failure_though_its_span_is_not() -> None:
    """Finish reason `error`: what was said until then is no answer."""
    broken: dict[str, Any] = CHAT | {"response__finish_reasons": ["error"]}
    (scenario,) = read(agent("root", ""), span("chat", **broken)).scenarios
    (ended,) = of_type(events(scenario), EffectFailed)
    assert (ended.failure.kind, ended.usage.output) == ("upstream", 9)


def test_errors_and_verdicts() -> None:
    """`error.type` with the status's message; the evaluation of the root is the outcome."""
    chat: dict[str, Any] = span("chat", **CHAT) | {"status": {"code": 2, "message": "slow"}}
    chat["attributes"] += listed({"error.type": "rate_limited"})
    verdict = {
        "gen_ai.evaluation.name": "judge", "gen_ai.evaluation.score.label": "pass",
        "gen_ai.evaluation.score.value": 0.5, "gen_ai.evaluation.explanation": "kind",
    }  # fmt: skip
    root = agent("root", "") | {"events": [{"name": "gen_ai.evaluation.result", "attributes": listed(verdict)}]}
    (scenario,) = read(root, chat, agent("sub", at=1) | {"status": {"code": "STATUS_CODE_ERROR"}}).scenarios
    assert scenario.ending == Ending(success="yes", score=0.5, scorer="judge", evidence="kind")
    failure = of_type(events(scenario), EffectFailed)[0].failure
    assert (failure.kind, failure.message) == ("rate_limited", "slow")
    assert [e.worker for e in of_type(events(scenario), Delegated)] == ["the sub"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"input__messages": "hello"}, "input.messages: expected an array, found 'hello'"),
    ({"input__messages": [{"parts": []}]}, "input.messages/0/role: expected text"),
    ({"output__messages": [said("assistant", {"type": "tool_call"})]}, "messages/0/parts/0/name: expected text"),
    ({"usage__input_tokens": 1.5}, "usage.input_tokens: expected a number of tokens"),
    ({"tool__definitions": [{"type": "function"}]}, "definitions/0/name: expected text"),
    ({"request__temperature": "hot"}, "request.temperature: expected a number"),
]


@pytest.mark.parametrize(("attributes", "complaint"), WRONG)
def test_a_wrong_type_is_an_error_with_its_place(attributes: dict[str, Any], complaint: str) -> None:
    """The pointer leads to the attribute, and into it."""
    with pytest.raises(ScenarioError, match=f"traces.json:1 .*/spans/0/attributes/gen_ai.*{complaint}"):
        read(span("root", "", operation__name="chat", **attributes))


@settings(max_examples=60)
@given(scenario=scenarios())
def test_any_run_survives_being_written(scenario: Scenario) -> None:
    """Nothing is lost of what an import can have, but prices and response schemas."""
    (found,) = again(otel_genai.read, otel_genai.write, [scenario]).scenarios
    assert plain(found) == scenario


def test_a_real_run_of_nested_teams_keeps_its_handoffs_and_replies() -> None:
    """Where an answer had no schema, the digest of the request is the same too; written again, nothing changes."""
    scenario = recorded()
    imported = again(otel_genai.read, otel_genai.write, [scenario])
    (found,) = imported.scenarios

    def told(one: Scenario) -> list[tuple[str, str, int, Any]]:
        ends = [(e.path, e.kind, e.n, e.result) for e in of_type(touches(one.entries), EffectFinished)]
        return [(p, k, n, r["text"] if k == "model" else r) for p, k, n, r in ends]

    def digests(one: Scenario, path: str) -> list[str]:
        return [e.digest for e in of_type(touches(one.entries), EffectStarted) if e.path == path]

    assert told(found) == told(scenario)
    assert digests(found, "/judge#2") == digests(scenario, "/judge#2") != []
    assert digests(found, "/desk#1/finder#1") != digests(scenario, "/desk#1/finder#1")
    assert [(e.path, e.step, e.attempt, e.digest) for e in of_type(events(found), Delegated)] == [
        (e.path, e.step, e.attempt, e.digest) for e in of_type(events(scenario), Delegated)
    ]
    assert {one.gap: one.events for one in imported.gaps.missing}["output_schema"] == 4
    (twice,) = again(otel_genai.read, otel_genai.write, [found]).scenarios
    assert plain(twice) == plain(found)
