"""A foreign run in our own journal's words, and a journal heard as work."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from echelon.evals.importers.gaps import Lacking
from echelon.evals.importers.hearing import hear
from echelon.evals.importers.telling import tell
from echelon.evals.importers.work import ModelCall, ToolRun, Work, in_order, last_word, named, opening_of, with_tools
from echelon.evals.scenario import Header, Scenario, Source
from echelon.protocols.conversation import (
    AssistantMessage,
    Head,
    Prompt,
    Reply,
    Request,
    ToolCall,
    ToolMessage,
    digest_of,
)
from echelon.protocols.conversation import UserMessage as User
from echelon.protocols.errors import ScenarioError
from echelon.protocols.events import Delegated, EffectFinished, EffectStarted, Reported, RunEnded, RunStarted
from echelon.protocols.messages import NOTHING_USED, Done, Failed, Failure, Usage, Waiting
from echelon.supervisor.runs import Entry
from echelon.supervisor.views.bill import bill
from echelon.supervisor.views.route import route

from .builders import of_type, question
from .foreign_runs import BEGAN, HEAD, call, recorded, scenario_of, touches, works

LOOK = ToolCall(id="c1", name="look", arguments='{"n": 1}')


def test_a_real_run_told_again_has_the_same_effects() -> None:
    """Place, number, digest, request, result and failure are byte for byte what our own journal wrote."""
    scenario = recorded()
    again = tell(hear(scenario), "nested")
    ours = [one.model_copy(update={"reserved": NOTHING_USED}) if one.type == "effect_started" else one
            for one in touches(scenario.entries)]  # fmt: skip
    assert len(ours) > 10
    assert touches(again) == ours
    assert {one.path for one in ours} == {
        "/judge#1", "/judge#2", "/desk#1/finder#1", "/desk#1/writer#1", "/teller#1",
    }  # fmt: skip


def test_a_real_run_told_again_has_the_same_handoffs_and_reports() -> None:
    """To the same workers with the same payloads and digests, and the same came of it for the same price."""
    scenario = recorded()
    real, again = [one.event for one in scenario.entries], [one.event for one in tell(hear(scenario), "nested")]

    def given_to(events: list[object]) -> list[tuple[object, ...]]:
        return [(e.path, e.step, e.attempt, e.worker, e.payload, e.digest) for e in of_type(events, Delegated)]

    def reports(events: list[object]) -> list[Reported]:
        return sorted(of_type(events, Reported), key=lambda one: (one.path, one.step, one.attempt))

    assert given_to([*again]) == given_to([*real])
    assert [one.report.type for one in reports([*again])] == [one.report.type for one in reports([*real])]
    assert [one.report.usage for one in reports([*again])] == [one.report.usage for one in reports([*real])]
    assert of_type(again, RunEnded)[0].report == of_type(real, RunEnded)[0].report
    assert bill(again).workers == bill(real).workers
    assert bill(again).models == bill(real).models
    assert [leg.path for leg in route(tell(hear(scenario), "nested"))] == [
        leg.path for leg in route(scenario.entries) if leg.role == "worker"
    ]


@settings(max_examples=80)
@given(works())
def test_what_is_heard_is_told_again_as_it_was(work: Work) -> None:
    """Telling and hearing are each other's way back."""
    scenario = scenario_of(work)
    assert tell(hear(scenario), "a") == scenario.entries


@settings(max_examples=40)
@given(works())
def test_every_journal_is_in_order_and_adds_up(work: Work) -> None:
    """From 1 without gaps, times never go back, every end has its start, the report has what the bill has."""
    entries = tell(work, "a")
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert isinstance(entries[0].event, RunStarted)
    begun: set[tuple[str, str, int]] = set()
    for entry in entries:
        if isinstance(entry.event, EffectStarted):
            place = (entry.event.path, entry.event.kind, entry.event.n)
            assert place not in begun
            begun.add(place)
        elif isinstance(entry.event, EffectFinished):
            assert (entry.event.path, entry.event.kind, entry.event.n) in begun
    if isinstance(last := entries[-1].event, RunEnded):
        assert last.report.usage == bill(entry.event for entry in entries).total


def test_a_call_that_goes_on_has_only_what_is_new_and_a_rolled_digest() -> None:
    """The head stands in the first request that has it, whatever place that is."""
    first, answer, more = User(text="a"), AssistantMessage(text="yes"), User(text="b")
    below = Work(kind="handoff", worker="w", step="w", acts=(call(first),))
    work = Work(kind="run", worker="w", acts=(call(first), call(first, answer, more), call(more), below))
    requests = [event.request for event in of_type([e.event for e in tell(work, "a")], EffectStarted)]
    assert [(one["first"], len(one["messages"])) for one in requests] == [(0, 1), (1, 2), (0, 1), (0, 1)]
    assert ["head" in one for one in requests] == [True, False, False, False]
    assert list(requests[0]) == ["model", "head_digest", "head", "first", "messages"]
    started = of_type([e.event for e in tell(work, "a")], EffectStarted)[1]
    request = Request.begin(Prompt.of(HEAD), first).then(answer, more)
    assert started.digest == digest_of(b"m", request.digest.encode())


def test_another_head_begins_another_conversation() -> None:
    """Instructions that change are sent again, and so are the messages."""
    first = User(text="a")
    work = Work(kind="run", worker="w", acts=(call(first), call(first, head=Head(instructions="Be long."))))
    requests = [event.request for event in of_type([e.event for e in tell(work, "a")], EffectStarted)]
    assert [("head" in one, one["first"], len(one["messages"])) for one in requests] == [(True, 0, 1), (True, 0, 1)]


def test_what_has_no_time_stands_where_the_act_before_it_stands() -> None:
    """Without any time all stand at 0; a beginning before the run's own is the run's."""
    run = ToolRun(name="look", arguments={}, answer="x")
    work = Work(kind="run", worker="w", acts=(call(User(text="a")), run), report=Done(output=1))
    assert {entry.at for entry in tell(work, "a")} == {0.0}
    timed = replace(call(User(text="a")), began=BEGAN, ended=BEGAN + 2)
    entries = tell(replace(work, acts=(timed, run), began=BEGAN + 1, ended=BEGAN + 1), "a")
    assert [entry.at - BEGAN for entry in entries] == [0.0, 0.0, 2.0, 2.0, 2.0, 2.0]


def test_what_is_not_over_has_no_end() -> None:
    """Neither a call nor a handoff nor the run."""
    under_way = ModelCall(model="m", head=HEAD, messages=(), answer=None)
    below = Work(kind="handoff", worker="w", step="w", acts=(under_way,))
    entries = tell(Work(kind="run", worker="w", acts=(below,)), "a/b" * 40)
    assert [entry.event.type for entry in entries] == ["run_started", "delegated", "effect_started"]
    started = entries[0].event
    assert isinstance(started, RunStarted)
    assert (started.run, started.definitions) == (("a-b" * 40)[:64], {})


def test_a_wait_is_no_end_and_what_came_after_it_is() -> None:
    """A handoff that waited and was taken up again is one piece of work."""
    delegated = Delegated(step="w", worker="w", attempt=1, payload=1, digest="d", reason="r")
    waits = Reported(step="w", attempt=1, report=Waiting(questions=(question(),)))
    done = Reported(step="w", attempt=1, report=Done(output=2, usage=Usage(calls=1)))
    refused = Reported(step="x", attempt=1, report=Failed(failure=Failure(kind="denied", message="no")))
    header = Header(id="a", worker="boss", input=1, source=Source(kind="recorded"))

    def heard(*events: Delegated | Reported) -> Work:
        entries = [Entry(seq, float(seq), event) for seq, event in enumerate(events, 1)]
        return hear(Scenario(header=header, entries=entries))

    (waiting,) = heard(delegated, waits).acts
    assert isinstance(waiting, Work)
    assert (waiting.report, waiting.ended) == (None, None)
    (over,) = heard(delegated, waits, delegated, done, refused).acts
    assert isinstance(over, Work)
    assert (over.report, over.began, over.ended) == (Done(output=2), 1.0, 4.0)


def test_only_models_and_tools_are_heard_and_what_was_begun_twice_is_heard_once() -> None:
    """A crash leaves a second start; an end without a start and effects of other kinds have no place elsewhere."""
    header = Header(id="a", worker="boss", input=1, source=Source(kind="recorded"))
    start = EffectStarted(path="/odd/x#1", kind="tool:look", n=0, digest="d", request={"name": "look", "arguments": {}})
    events: list[Any] = [
        start, start, EffectStarted(kind="call", n=0, digest="d"), EffectFinished(kind="call", n=0, digest="d"),
        EffectFinished(path="/odd/x#1", kind="tool:look", n=0, digest="d", result={"n": 1}),
    ]  # fmt: skip
    work = hear(Scenario(header=header, entries=[Entry(i, float(i), event) for i, event in enumerate(events)]))
    (odd,) = work.acts
    assert isinstance(odd, Work)
    (room,) = odd.acts
    assert isinstance(room, Work)
    assert (odd.step, odd.kind, room.segment, room.began, room.ended) == ("odd", "room", "x#1", 0.0, 4.0)
    assert room.acts == (ToolRun(name="look", arguments={}, answer='{"n":1}', began=0.0, ended=4.0),)


def test_a_scenario_without_a_journal_is_only_asked() -> None:
    """A task to be run has nothing to tell."""
    work = hear(Scenario(header=Header(id="a", worker="boss", input=1, source=Source(kind="synthetic"))))
    assert (work.worker, work.payload, work.acts, work.report) == ("boss", 1, (), None)


def test_a_request_that_is_none_of_ours_is_an_error_with_its_place() -> None:
    """A scenario may come from anywhere."""
    header = Header(id="a", worker="boss", input=1, source=Source(kind="recorded"))
    deep = Delegated(path="/a#1" * 101, step="b", worker="b", attempt=1, payload=1, digest="d", reason="")
    with pytest.raises(ScenarioError, match="a, event 3: expected what our journal writes, found a place below 100"):
        hear(Scenario(header=header, entries=[Entry(3, 0.0, deep)]))
    for request in ({"model": "m"}, {"model": "m", "head_digest": "d", "first": 0, "messages": [{"role": "x"}]}, None):
        event = EffectStarted(kind="model", n=0, digest="d", request=request)
        with pytest.raises(ScenarioError, match="a, event 7: expected what our journal writes"):
            hear(Scenario(header=header, entries=[Entry(7, 0.0, event)]))


def test_tools_ran_for_the_calls_that_a_later_message_answers() -> None:
    """In the order of the calls, once each; calls without ids are answered one after the other."""
    lacks: Lacking = Counter()
    asks = Reply(
        tool_calls=(LOOK, ToolCall(id="", name="see", arguments="x"), ToolCall(id="", name="see", arguments="y"))
    )
    said = AssistantMessage(tool_calls=asks.tool_calls)
    answers = (ToolMessage(call_id="", text="X"), ToolMessage(call_id="c1", text="1"))
    first = call(User(text="a"), gets=asks)
    second = call(User(text="a"), said, *answers)
    third = call(User(text="a"), said, *answers, User(text="b"), gets=Reply(tool_calls=(LOOK,)))
    acts = with_tools((first, second, third), (ToolMessage(call_id="c1", text="2"),), lacks)
    runs = [(act.name, act.arguments, act.answer) for act in acts if isinstance(act, ToolRun)]
    assert runs == [("look", {"n": 1}, "1"), ("see", "x", "X"), ("look", {"n": 1}, "2")]
    assert [type(act) for act in acts] == [ModelCall, ToolRun, ToolRun, ModelCall, ModelCall, ToolRun]
    assert lacks == {"tool_results": 1, "timings": 3}


def test_an_agent_is_asked_by_its_first_call_and_says_its_last_word_in_the_last() -> None:
    """One message is its text, several are messages; a wish to call tools is no last word."""
    lacks: Lacking = Counter()
    assert opening_of(call()) is None
    assert opening_of(call(User(text="a"))) == "a"
    assert opening_of(call(User(text="a"), User(text="b")))[1] == {"role": "user", "text": "b", "framework": 0}
    assert last_word(call(User(text="a")), lacks) == Done(output="yes")
    broken = Failure(kind="timeout", message="slow")
    assert last_word(replace(call(), answer=broken), lacks) == Failed(failure=broken)
    assert lacks == {}
    assert last_word(call(gets=Reply(tool_calls=(LOOK,))), lacks) is None
    assert dict(lacks) == {"output": 0}


def test_acts_are_put_in_order_and_handoffs_are_numbered() -> None:
    """What has no time keeps its place; a name that is taken gets a number."""
    late, untimed, early = (ToolRun(name=n, arguments={}, answer="") for n in ("late", "untimed", "early"))
    acts = in_order((replace(late, began=2.0), untimed, replace(early, began=1.0)))
    assert [act.name for act in acts if isinstance(act, ToolRun)] == ["early", "late", "untimed"]
    ours = Work(kind="handoff", worker="x", step="web")
    foreign = [Work(kind="handoff", worker=name) for name in ("web", "web", "7/ü")]
    assert [act.segment for act in named((ours, *foreign)) if isinstance(act, Work)] == [
        "web#1", "web@2#1", "web@3#1", "w-7#1",
    ]  # fmt: skip
