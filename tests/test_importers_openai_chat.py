"""Logs of chat completions: forms of a line, conversations, answers and errors, and the way back."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echelon.evals.importers import chat, openai_chat
from echelon.evals.importers.gaps import Lacking
from echelon.evals.importers.imported import About, Imported
from echelon.evals.importers.reading import Spot
from echelon.evals.scenario import Scenario
from echelon.protocols.conversation import Head, Reply
from echelon.protocols.errors import ScenarioError
from echelon.protocols.events import EffectFailed, EffectFinished, EffectStarted, RunEnded, RunStarted
from echelon.protocols.messages import Done, Failure, Usage

from .builders import of_type
from .foreign_runs import again, heads, outputs, plain, recorded, scenarios, texts, touches, usages, words

USER = {"role": "user", "content": "Is 7 there?"}
CALLS = {
    "role": "assistant", "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"n": 7}'}}],
}  # fmt: skip
GIVES = {"role": "tool", "tool_call_id": "c1", "content": "yes"}
SAYS = {"role": "assistant", "content": "It is."}
TOOL = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}
USAGE = {
    "prompt_tokens": 50, "completion_tokens": 9, "total_tokens": 59, "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 4},
}  # fmt: skip


def answer(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A completion."""
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "r1", "object": "chat.completion", "created": 1_760_000_000, "model": "gpt-4o-mini-2024",
            "choices": [choice], "usage": USAGE} | more  # fmt: skip


def ask(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request."""
    return {"model": "gpt-4o-mini", "messages": [{"role": "system", "content": "Be brief."}, *messages]} | more


def read(*lines: Any, about: About = About(name="log.jsonl")) -> Imported:  # noqa: B008 - frozen
    """Read lines as a log."""
    return openai_chat.read(io.BytesIO("\n".join(map(json.dumps, lines)).encode()), about)


def effects(scenario: Scenario) -> list[tuple[str, int]]:
    """What was begun, in order."""
    events = [entry.event for entry in scenario.entries]
    return [(event.kind, event.n) for event in of_type(events, EffectStarted)]


TWO_CALLS = (
    {"request": ask(USER, tools=[TOOL], max_completion_tokens=99, temperature=0.5), "response": answer(CALLS)},
    {"request": ask(USER, CALLS, GIVES, tools=[TOOL], max_completion_tokens=99, temperature=0.5),
     "response": answer(SAYS, created=1_760_000_009)},
)  # fmt: skip


def test_calls_of_one_conversation_are_one_run_with_its_tools() -> None:
    """The second call is the first one, its reply, and more; the tool ran in between."""
    imported = read(*TWO_CALLS)
    (scenario,) = imported.scenarios
    assert effects(scenario) == [("model", 0), ("tool:look", 0), ("model", 1)]
    assert (scenario.id, scenario.header.input, scenario.header.clock) == ("r1", "Is 7 there?", 1_760_000_000.0)
    events = [entry.event for entry in scenario.entries]
    first, ran, second = of_type(events, EffectStarted)
    assert first.request["model"] == "gpt-4o-mini"
    assert Head.model_validate(first.request["head"]).max_output_tokens == 99
    assert (second.request["first"], len(second.request["messages"]), "head" in second.request) == (1, 2, False)
    assert ran.request == {"name": "look", "arguments": {"n": 7}}
    reply = Reply.model_validate(of_type(events, EffectFinished)[0].result)
    assert reply.usage == Usage(calls=1, input=30, cache_read=20, output=9, reasoning=4)
    assert (reply.model, reply.finish) == ("gpt-4o-mini-2024", "tool_calls")
    report = of_type(events, RunEnded)[0].report
    assert isinstance(report, Done)
    assert (report.output, report.usage.calls) == ("It is.", 2)
    found = {one.gap: one.events for one in imported.gaps.missing}
    assert not {"tools", "parameters", "usage", "caching", "instructions", "ids", "output"} & found.keys()
    assert (found["timings"], found["prices"]) == (3, 2)


def test_conversations_that_begin_alike_are_kept_apart() -> None:
    """Three begin with the same words; two go on, the one that failed is asked again in the same words."""
    failed = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}
    first, second = TWO_CALLS
    lines = (first, first, second, {**first, "response": failed}, first, second)
    runs = read(*(
        {**line, "response": {key: value for key, value in line["response"].items() if key != "id"}} for line in lines
    )).scenarios  # fmt: skip
    assert [effects(run) for run in runs] == [
        [("model", 0), ("tool:look", 0), ("model", 1)],
        [("model", 0), ("tool:look", 0), ("model", 1)],
        [("model", 0), ("model", 1)],
    ]
    assert [run.id for run in runs] == ["chat-1", "chat-2", "chat-3"]


def test_an_id_makes_a_conversation_of_calls_that_have_nothing_in_common() -> None:
    """In the line or in the metadata of the request or the response; the agent's name too."""
    one = {"request": ask(USER, metadata={"thread_id": "t/1", "agent": "clerk"}), "response": answer(SAYS)}
    two = {"request": ask({"role": "user", "content": "And 8?"}), "response": answer(SAYS), "conversation_id": "t/1"}
    three = {"request": ask(USER), "response": answer(SAYS, metadata={"session_id": 17})}
    runs = read(one, two, three).scenarios
    assert [(run.id, run.header.worker, len(effects(run))) for run in runs] == [("t-1", "clerk", 2), ("17", "agent", 1)]
    with pytest.raises(ScenarioError, match=r"log.jsonl:2: expected every run once, found a second .* 't-1'"):
        read(one, {"request": ask(USER), "response": answer(SAYS), "session_id": "t:1"})


def test_the_other_forms_of_a_line_say_less() -> None:
    """Messages beside a response, and stored completions with and without their messages."""
    short = {"messages": [USER], "response": answer(SAYS, id="a")}
    stored = answer(SAYS, id="b", input=[USER], tools=None, temperature=1.0, metadata={})
    bare = answer(SAYS, id="c", usage=None)
    imported = read(short, stored, bare, about=About(name="log.jsonl", model="unused", agent="bot"))
    assert [run.header.input for run in imported.scenarios] == ["Is 7 there?", "Is 7 there?", None]
    starts = [of_type([e.event for e in run.entries], EffectStarted)[0].request["model"] for run in imported.scenarios]
    assert starts == ["gpt-4o-mini-2024"] * 3
    found = {one.gap: one.scenarios for one in imported.gaps.missing}
    assert (found["tools"], found["parameters"], found["messages"], found["usage"]) == (2, 3, 1, 1)


def test_errors_are_failures_and_a_call_without_response_is_under_way() -> None:
    """OpenAI's codes are our kinds; what is unknown came from upstream."""

    def failing(code: str | None, kind: str = "x") -> dict[str, Any]:
        return {"request": ask(USER), "response": {"error": {"message": "no", "type": kind, "code": code}}}

    codes = [failing("insufficient_quota"), failing(None, "server_error"), failing("other"), failing("timeout")]
    kinds = [
        of_type([entry.event for entry in read(line).scenarios[0].entries], EffectFailed)[0].failure.kind
        for line in codes
    ]
    assert kinds == ["quota", "overloaded", "upstream", "timeout"]
    imported = read({"request": ask(USER), "response": None})
    assert [entry.event.type for entry in imported.scenarios[0].entries] == ["run_started", "effect_started"]
    assert {one.gap: one.events for one in imported.gaps.missing}["replies"] == 1


def test_what_we_have_no_place_for_is_a_gap() -> None:
    """Pictures, a second choice, a word of the system in the middle, a tool that is no function, a mere JSON mode."""
    picture: dict[str, Any] = {
        "role": "user",
        "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {}}],
    }
    late = {"role": "system", "content": "Now be long."}
    response = answer(SAYS)
    response["choices"] *= 2
    request = ask(picture, late, tools=[{"type": "custom", "custom": {}}], response_format={"type": "json_object"})
    imported = read({"request": request, "response": response})
    found = {one.gap: one.events for one in imported.gaps.missing}
    assert (found["content"], found["parameters"]) == (4, 1)
    started = of_type([entry.event for entry in imported.scenarios[0].entries], EffectStarted)[0]
    assert [message["text"] for message in started.request["messages"]] == ["See", "Now be long."]


def test_old_function_calls_and_their_results_are_tool_calls_without_ids() -> None:
    """As logs before 2023-11 have them."""
    wants = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    gives = {"role": "function", "name": "look", "content": "yes"}
    imported = read(
        {"request": ask(USER), "response": answer(wants)},
        {"request": ask(USER, wants, gives), "response": answer(SAYS)},
    )
    assert effects(imported.scenarios[0]) == [("model", 0), ("tool:look", 0), ("model", 1)]
    assert {one.gap: one.events for one in imported.gaps.missing}["ids"] == 3


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"prompt": "x"}, "log.jsonl:1: expected a request and a response, messages and a response, or a completion"),
        ({"request": ask(USER), "response": {}}, "/response/choices: expected a choice, found nothing"),
        ({"request": ask({"content": "x"}), "response": None}, "/request/messages/1/role: expected text"),
        ({"request": {"messages": "x"}, "response": None}, "/request/messages: expected an array, found 'x'"),
        (
            {"request": ask(USER), "response": answer(SAYS, usage={"prompt_tokens": -1})},
            "/response/usage/prompt_tokens",
        ),
        ({"request": ask(USER), "response": answer(SAYS, created=-5)}, "/response/created: expected seconds"),
        ({"request": ask(USER, temperature="hot"), "response": None}, "/request/temperature: expected a number"),
    ],
)
def test_what_is_no_call_is_an_error_with_its_place(line: Any, complaint: str) -> None:
    """The line, and the pointer into it."""
    with pytest.raises(ScenarioError, match=complaint):
        read(line)


@settings(max_examples=40)
@given(drawn=st.lists(scenarios(), max_size=2, unique_by=lambda one: one.id))
def test_what_was_read_survives_being_written(drawn: list[Scenario]) -> None:
    """Any runs, of which a log holds the model calls; from then on nothing changes."""
    once = again(openai_chat.read, openai_chat.write, drawn)
    twice = again(openai_chat.read, openai_chat.write, once.scenarios)
    assert [plain(one) for one in twice.scenarios] == [plain(one) for one in once.scenarios]
    for before, after in zip(
        [one for one in drawn if ("model", 0) in effects_anywhere(one)], once.scenarios, strict=True
    ):
        assert after.id == before.id
        assert results_of(before) == results_of(after)


def effects_anywhere(scenario: Scenario) -> set[tuple[str, int]]:
    """What was begun at any place."""
    return {(event.kind, event.n) for event in of_type([one.event for one in scenario.entries], EffectStarted)}


def results_of(scenario: Scenario) -> Counter[str]:
    """What models answered, wherever they stand."""
    ends = [event for event in touches(scenario.entries) if event.kind == "model"]
    return Counter(json.dumps(event.result) for event in of_type(ends, EffectFinished))


def test_a_real_run_of_ours_keeps_its_calls_and_loses_who_made_them() -> None:
    """Every request and reply is there, with its digest; handoffs are the gap."""
    scenario = recorded()
    imported = again(openai_chat.read, openai_chat.write, [scenario])
    (found,) = imported.scenarios
    assert (found.id, found.header.worker) == ("nested", "boss")

    def digests(one: Scenario) -> Counter[str]:
        started = [event for event in touches(one.entries) if event.kind == "model"]
        return Counter(event.digest for event in of_type(started, EffectStarted))

    assert digests(found) == digests(scenario)
    assert {event.path for event in touches(found.entries)} == {""}
    assert "handoffs" in {one.gap for one in imported.gaps.missing}


def silent() -> Lacking:
    """Count gaps that nobody looks at."""
    return Lacking()


@given(head=heads(), output=st.none() | outputs)
def test_a_head_goes_there_and_back(head: Head, output: Any) -> None:
    """Limits, temperature, effort, response schema and tools."""
    head = head.model_copy(update={"output": output})
    parameters = Spot(chat.parameters_json(head), "")
    tools = tuple(chat.tool_of(Spot(chat.tool_json(card), ""), silent()) for card in head.tools)
    assert chat.head_of(head.instructions, tools, parameters, silent()) == head  # type: ignore[arg-type] # none is None


@given(usage=usages, text=texts, refusal=st.none() | words, cost=st.integers(0, 9))
def test_an_answer_goes_there_and_back(usage: Usage, text: str, refusal: str | None, cost: int) -> None:
    """Text, refusal, tokens and the provider's own price; and failures."""
    usage = usage.model_copy(update={"usd_reported": cost / 100})
    reply = Reply(text=text, refusal=refusal, model="m", usage=usage)
    assert chat.answer_of(Spot(chat.answer_json(reply, 7), ""), silent()) == reply
    failure = Failure(kind="truncated", message="cut")
    assert chat.answer_of(Spot(chat.answer_json(failure, 7), ""), silent()) == failure


def test_reasoning_beside_the_output_is_added_to_it_and_cached_tokens_beside_the_input_are_not_taken_off() -> None:
    """Some servers count so; their totals tell."""
    beside = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 10,
              "completion_tokens_details": {"reasoning_tokens": 3},
              "prompt_tokens_details": {"cached_tokens": 9}}  # fmt: skip
    assert chat.usage_of(Spot(beside, ""), silent()) == Usage(
        calls=1, input=5, cache_read=9, output=5, reasoning=3
    )  # fmt: skip


def test_the_run_begins_with_the_first_call() -> None:
    """`started` and `ended` of a line are finer than `created`."""
    line = {"request": ask(USER), "response": answer(SAYS), "started": 1_760_000_000.25, "ended": 1_760_000_001.75}
    imported = read(line)
    times = [(entry.event.type, entry.at - 1_760_000_000) for entry in imported.scenarios[0].entries]
    assert times == [("run_started", 0.25), ("effect_started", 0.25), ("effect_finished", 1.75), ("run_ended", 1.75)]
    assert of_type([entry.event for entry in imported.scenarios[0].entries], RunStarted)[0].task == "Is 7 there?"
    assert "timings" not in {one.gap for one in imported.gaps.missing}
