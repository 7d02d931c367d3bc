"""OpenInference spans: what they mean, what they lack, and the way back."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings

from echelon.evals.importers import openinference
from echelon.evals.importers.imported import About, Imported
from echelon.evals.importers.otlp import export_of
from echelon.evals.importers.reading import Spot
from echelon.evals.importers.vocabulary import spans_of
from echelon.evals.scenario import Ending, Scenario
from echelon.protocols.conversation import Head, Reply
from echelon.protocols.errors import ScenarioError
from echelon.protocols.events import Delegated, EffectFailed, EffectFinished, EffectStarted, Reported, RunEnded
from echelon.protocols.messages import NOTHING_USED, Done, Failed, Usage

from .builders import of_type
from .foreign_runs import again, plain, recorded, scenarios, touches


def span(ident: str, kind: str, parent: str | None = "root", at: int = 0, **attributes: Any) -> dict[str, Any]:
    """A span of the trace, in the second `at`, a second long; `__` in names of attributes are dots."""
    return {
        "name": f"the {ident}", "context": {"trace_id": "t-1", "span_id": ident}, "parent_id": parent,
        "start_time": f"2025-10-09T08:53:{20 + at:02}+00:00", "end_time": f"2025-10-09T08:53:{21 + at:02}+00:00",
        "status_code": "OK", "status_message": "",
        "attributes": {"openinference.span.kind": kind}
        | {key.replace("__", "."): value for key, value in attributes.items()},
    }  # fmt: skip


def read(*spans: dict[str, Any], about: About = About(name="spans.jsonl", licence="CC0")) -> Imported:  # noqa: B008 - frozen
    """Read spans, one a line."""
    return openinference.read(io.BytesIO("\n".join(map(json.dumps, spans)).encode()), about)


def events(scenario: Scenario) -> list[Any]:
    """What happened."""
    return [entry.event for entry in scenario.entries]


LLM: dict[str, Any] = {
    "llm.model_name": "gpt-4o", "llm.response.model_name": "gpt-4o-2024",
    "llm.invocation_parameters": '{"temperature": 0.5, "max_tokens": 99, "top_p": 1}',
    "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": "Be brief.",
    "llm.input_messages.1.message.role": "user", "llm.input_messages.1.message.content": "Is 7 there?",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "look",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"n": 7}',
    "llm.tools.0.tool.json_schema": '{"type": "function", "function": {"name": "look", "parameters": {"a": 1}}}',
    "llm.tools.1.tool.name": "see", "llm.tools.1.tool.json_schema": '{"type": "object"}',
    "llm.token_count.prompt": 50, "llm.token_count.completion": 9,
    "llm.token_count.prompt_details.cache_read": 20, "llm.token_count.prompt_details.cache_write": 10,
    "llm.token_count.completion_details.reasoning": 4, "llm.cost.total": 0.003,
}  # fmt: skip


def test_a_trace_is_a_run_with_its_agents_calls_and_tools() -> None:
    """Chains only hold; what agents do lies at their places; order is that of time, not of the file."""
    imported = read(
        span("tool", "TOOL", "chain", 3, tool__name="look", input__value='{"n": 7}', output__value="yes"),
        span("root", "AGENT", None, 0, agent__name="Help desk", input__value='{"n": 7}',
             input__mime_type="application/json", output__value="It is.", tag__tags=["a", "b"]),
        span("chain", "CHAIN", "root", 1),
        span("llm", "LLM", "chain", 2, **LLM),
        span("two", "AGENT", "root", 5, agent__name="Finder", output__value="7"),
        span("one", "AGENT", "root", 4, agent__name="Finder", input__value="x", output__value="8"),
        span("deep", "LLM", "one", 5, **LLM),
    )  # fmt: skip
    (scenario,) = imported.scenarios
    assert (scenario.id, scenario.header.worker, scenario.header.input) == ("t-1", "Help desk", {"n": 7})
    assert (scenario.header.tags, scenario.header.clock) == (("a", "b"), 1_760_000_000.0)
    assert scenario.header.source.model_dump(exclude={"sha256"}) == {
        "kind": "imported", "origin": "spans.jsonl", "scripted": False, "licence": "CC0", "importer": "openinference/1",
    }  # fmt: skip
    told = [(e.event.type, e.event.path, e.at - scenario.header.clock) for e in scenario.entries]
    assert told == [
        ("run_started", "", 0), ("effect_started", "", 2), ("effect_finished", "", 3), ("effect_started", "", 3),
        ("effect_finished", "", 4), ("delegated", "", 4), ("effect_started", "/Finder#1", 5), ("reported", "", 5),
        ("delegated", "", 5), ("effect_finished", "/Finder#1", 6), ("reported", "", 6), ("run_ended", "", 6),
    ]  # fmt: skip
    assert [(e.step, e.worker, e.payload) for e in of_type(events(scenario), Delegated)] == [
        ("Finder", "Finder", "x"), ("Finder@2", "Finder", None),
    ]  # fmt: skip


def test_a_model_span_is_a_call_with_its_request_and_usage() -> None:
    """The system's word is the instructions, cached tokens stand apart, the cost is the price."""
    (scenario,) = read(span("root", "AGENT", None, agent__name="a"), span("llm", "LLM", **LLM)).scenarios
    started, ended = of_type(events(scenario), EffectStarted)[0], of_type(events(scenario), EffectFinished)[0]
    head = Head.model_validate(started.request["head"])
    assert (head.instructions, head.max_output_tokens, head.temperature) == ("Be brief.", 99, 0.5)
    assert [(card.name, card.parameters) for card in head.tools] == [
        ("look", {"a": 1}),
        ("see", {"type": "object"}),
    ]
    assert started.request["model"] == "gpt-4o"
    assert [message["text"] for message in started.request["messages"]] == ["Is 7 there?"]
    reply = Reply.model_validate(ended.result)
    assert (reply.model, reply.finish, reply.tool_calls[0].arguments) == ("gpt-4o-2024", "tool_calls", '{"n": 7}')
    assert reply.usage == ended.usage == Usage(
        calls=1, input=20, cache_read=20, cache_write=10, output=9, reasoning=4, usd=0.003
    )  # fmt: skip
    assert of_type(events(scenario), RunEnded)[0].report.usage == reply.usage


def test_attributes_may_be_nested_and_messages_in_parts() -> None:
    """As older exports and frames have them; a picture is a gap, a refusal is one."""
    said = [
        {"message.role": "user", "message.contents": [
            {"message_content.type": "text", "message_content.text": "See"}, {"message_content.type": "image"}]},
        {"message": {"role": "assistant", "content": "", "tool_calls": [
            {"tool_call": {"function": {"name": "look", "arguments": {"n": 7}}}}]}},
    ]  # fmt: skip
    refusal = {"message.contents": [{"message_content.type": "refusal", "message_content.text": "No."}]}
    llm: dict[str, Any] = {
        "llm.input_messages": said,
        "llm": {"model_name": "m", "output_messages": [refusal, refusal]},
        "llm.x.y": 1,
    }
    imported = read(span("root", "LLM", None, **llm))
    (scenario,) = imported.scenarios
    started = of_type(events(scenario), EffectStarted)[0]
    assert started.request["messages"][0]["text"] == "See"
    assert started.request["messages"][1]["tool_calls"] == [{"id": "", "name": "look", "arguments": '{"n":7}'}]
    assert Reply.model_validate(of_type(events(scenario), EffectFinished)[0].result).refusal == "No."
    found = {one.gap: one.events for one in imported.gaps.missing}
    assert (found["content"], found["ids"], found["usage"], found["tools"], found["instructions"]) == (2, 1, 1, 1, 1)


def test_a_value_in_the_way_of_fields_stays_and_the_fields_are_left_out() -> None:
    """Names may contradict each other."""
    assert openinference.nested(Spot({"a": 1, "a.b": 2}, "")).value == {"a": 1}
    assert openinference.nested(Spot({"a.b": 2, "a": {"c": 3}}, "")).value == {"a": {"b": 2, "c": 3}}
    wide = {"a.10": "z", "a.9": "y", "a.x": "?", "a.٣": "?"}
    assert [one.value for one in openinference.listed(openinference.nested(Spot(wide, ""))["a"])] == ["y", "z"]


def test_what_failed_has_the_exception_and_what_has_no_end_is_not_over() -> None:
    """By `error.type` or by the event; the run goes on or does not."""
    raised = {"name": "exception", "attributes": {"exception.type": "ValueError", "exception.message": "bad"}}
    imported = read(
        span("root", "AGENT", None, agent__name="a") | {"end_time": None},
        span("llm", "LLM", at=1, **LLM, error__type="timeout") | {"status_code": "ERROR", "status_message": "slow"},
        span("tool", "TOOL", at=2, tool__name="look", input__value="{}") | {"status_code": "ERROR", "events": [raised]},
        span("sub", "AGENT", at=3, agent__name="b") | {"status_code": "ERROR"},
        span("open", "TOOL", at=4, tool__name="look", input__value="{}") | {"end_time": None},
    )
    (scenario,) = imported.scenarios
    failed = [(e.failure.kind, e.failure.message) for e in of_type(events(scenario), EffectFailed)]
    assert failed == [("timeout", "slow"), ("tool_failed", "bad")]
    (reported,) = of_type(events(scenario), Reported)
    assert isinstance(reported.report, Failed)
    assert reported.report.failure.message == "the source does not say why"
    assert [event.type for event in events(scenario)][-1] == "effect_started"
    assert of_type(events(scenario), RunEnded) == []
    assert "timings" not in {one.gap for one in imported.gaps.missing}


def test_tool_runs_are_read_from_messages_where_no_span_tells_of_them() -> None:
    """Instrumented clients record nothing else; where tools have spans, these are believed."""
    second: dict[str, Any] = {key: value for key, value in LLM.items() if "output_messages" not in key} | {
        "llm.input_messages.2.message.role": "assistant",
        "llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1",
        "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "look",
        "llm.input_messages.3.message.role": "tool", "llm.input_messages.3.message.tool_call_id": "c1",
        "llm.input_messages.3.message.content": "yes", "llm.output_messages.0.message.content": "It is.",
    }  # fmt: skip
    spans = [span("root", "CHAIN", None), span("one", "LLM", at=1, **LLM), span("two", "LLM", at=2, **second)]
    (scenario,) = read(*spans).scenarios
    kinds = [event.kind for event in of_type(events(scenario), EffectStarted)]
    assert (kinds, scenario.header.worker) == (["model", "tool:look", "model"], "the root")
    (told,) = read(*spans, span("tool", "TOOL", at=3, tool__name="see", input__value="x")).scenarios
    assert [event.kind for event in of_type(events(told), EffectStarted)] == ["model", "model", "tool:see"]


def test_a_model_span_below_a_model_span_is_the_same_call() -> None:
    """Two instrumentations saw it; what tools and agents did below it is kept."""
    (scenario,) = read(
        span("root", "LLM", None, **LLM), span("inner", "LLM", "root", **LLM),
        span("tool", "TOOL", "inner", 1, tool__name="look", input__value="{}", output__value="x"),
    ).scenarios  # fmt: skip
    assert [event.kind for event in of_type(events(scenario), EffectStarted)] == ["model", "tool:look"]
    assert (scenario.header.worker, scenario.header.input) == ("agent", "Is 7 there?")


def test_a_lone_tool_is_a_run_that_nobody_asked_for() -> None:
    """Nothing is made up about who did."""
    imported = read(span("root", "TOOL", None, tool__name="look", input__value="{}", output__value="x"))
    assert imported.scenarios[0].header.input is None
    assert "input" in {one.gap for one in imported.gaps.missing}


def test_the_deepest_trace_that_is_read_can_be_told_and_written() -> None:
    """Agents within agents, and chains within chains, up to the limit."""
    for kind in ("AGENT", "CHAIN"):
        tower = [span(str(i), kind, str(i - 1) if i else None, agent__name="a") for i in range(99)]
        (scenario,) = read(*tower, span("llm", "LLM", "98", **LLM)).scenarios
        (started,) = of_type(events(scenario), EffectStarted)
        assert started.path.count("/") == (98 if kind == "AGENT" else 0)
        assert plain(again(openinference.read, openinference.write, [scenario]).scenarios[0]) == plain(scenario)


def test_an_answer_may_be_the_output_of_the_span() -> None:
    """Plain text is what the model said; a raw response is nobody's words."""
    quiet = {key: value for key, value in LLM.items() if "output_messages" not in key}
    raw = {"output.value": "{}", "output.mime_type": "application/json"}
    for output, text, gap in (({"output.value": "It is."}, "It is.", 0), (raw, "", 1), ({}, "", 1)):
        attributes: dict[str, Any] = quiet | output
        imported = read(span("root", "LLM", None, **attributes))
        reply = Reply.model_validate(of_type(events(imported.scenarios[0]), EffectFinished)[0].result)
        assert reply.text == text
        assert sum(one.events for one in imported.gaps.missing if one.gap == "replies") == gap
        assert "handoffs" in {one.gap for one in imported.gaps.missing}


def test_a_text_that_stands_twice_in_a_message_is_said_once() -> None:
    """Some write content and contents."""
    twice: dict[str, Any] = {
        "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "Hi",
        "llm.input_messages.0.message.contents.0.message_content.text": "Hi",
    }  # fmt: skip
    (scenario,) = read(span("root", "LLM", None, **twice)).scenarios
    assert scenario.header.input == "Hi"


def test_one_verdict_is_the_outcome_and_two_are_none() -> None:
    """A score that is no share is no score; other evaluations are not about success."""
    verdict: dict[str, Any] = {"evaluations.0.evaluation.name": "judge", "evaluations.0.evaluation.label": "fail",
               "evaluations.0.evaluation.score": 4, "evaluations.0.evaluation.explanation": "rude",
               "annotations.0.annotation.name": "tone", "annotations.0.annotation.label": "calm"}  # fmt: skip
    (scenario,) = read(span("root", "AGENT", None, **verdict)).scenarios
    assert scenario.ending == Ending(success="no", scorer="judge", evidence="rude")
    two: dict[str, Any] = verdict | {"annotations.0.annotation.label": "pass"}
    imported = read(span("root", "AGENT", None, **two))
    assert imported.scenarios[0].ending == Ending()
    assert "outcome" in {one.gap for one in imported.gaps.missing}


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({"llm.token_count.prompt": -1}, "/attributes/llm/token_count/prompt: expected a number of tokens"),
        ({"llm.input_messages.0.message.content": 7}, "/llm/input_messages/0/message/content: expected text, found 7"),
        ({"llm.output_messages.0.message.tool_calls.0.tool_call.id": "x"}, "tool_call/function/name: expected text"),
        ({"llm.cost.total": "free"}, "/llm/cost/total: expected a number"),
    ],
)
def test_a_wrong_type_is_an_error_with_its_place(attributes: dict[str, Any], complaint: str) -> None:
    """The pointer is that of the nested attributes."""
    with pytest.raises(ScenarioError, match=f"spans.jsonl:1 .*{complaint}"):
        read(span("root", "LLM", None, **attributes))


def test_a_step_of_ours_stands_once_below_its_place() -> None:
    """Two works at one place would be one; what is no step of ours is not taken for one."""
    one = span("a", "AGENT", echelon__step="x#1")
    with pytest.raises(ScenarioError, match=r"spans.jsonl:1: expected every echelon\.step once"):
        read(span("root", "AGENT", None), one, span("b", "AGENT", echelon__step="x#1"))
    stranger = span("b", "AGENT", agent__name="../x", echelon__step="../x#1")
    (scenario,) = read(span("root", "AGENT", None), stranger).scenarios
    assert of_type(events(scenario), Delegated)[0].step == "x"


@settings(max_examples=60)
@given(scenario=scenarios(tags=("a", "b")))
def test_any_run_survives_being_written(scenario: Scenario) -> None:
    """Printed or in OTLP: nothing is lost of what an import can have."""
    imported = again(openinference.read, openinference.write, [scenario])
    assert plain(imported.scenarios[0]) == scenario
    otlp = json.dumps(export_of(spans_of(scenario, openinference.WORDS))).encode()
    assert plain(openinference.read(io.BytesIO(otlp), About()).scenarios[0]) == scenario


def test_a_real_run_of_nested_teams_keeps_every_effect_and_handoff() -> None:
    """Requests and replies with their digests and costs, at their places; written again, nothing changes."""
    scenario = recorded()
    imported = again(openinference.read, openinference.write, [scenario])
    (found,) = imported.scenarios
    ours = [one.model_copy(update={"reserved": NOTHING_USED}) if one.type == "effect_started" else one
            for one in touches(scenario.entries)]  # fmt: skip
    assert [timeless(one) for one in touches(found.entries)] == [timeless(one) for one in ours]
    handoffs = [(e.path, e.step, e.attempt, e.worker, e.digest) for e in of_type(events(found), Delegated)]
    assert handoffs == [(e.path, e.step, e.attempt, e.worker, e.digest) for e in of_type(events(scenario), Delegated)]
    report = of_type(events(found), RunEnded)[0].report
    assert isinstance(report, Done)
    assert (report.output, report.usage) == ("told", of_type(events(scenario), RunEnded)[0].report.usage)
    (twice,) = again(openinference.read, openinference.write, [found]).scenarios
    assert plain(twice) == plain(found)
    assert {"retries", "plans", "framework"} <= {one.gap for one in imported.gaps.missing}
    assert not {"usage", "messages", "replies", "timings", "output_schema"} & {one.gap for one in imported.gaps.missing}


def timeless(event: Any) -> Any:
    """The event without what a failure says of trying again, which no span holds."""
    if not isinstance(event, EffectFailed):
        return event
    return event.model_copy(update={"failure": event.failure.model_copy(update={"retryable": False})})
