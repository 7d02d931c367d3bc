"""Spans of a run: one tree, each ended once, nothing told that was not asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import anyio
import pytest
from hypothesis import given, settings

from echelon.agents.function import worker
from echelon.agents.person import Person
from echelon.evals.importers.work import Work
from echelon.protocols.conversation import Reply
from echelon.protocols.events import (
    Attempted,
    Cancelled,
    Claimed,
    Delegated,
    EffectFinished,
    EffectStarted,
    Event,
    Planned,
    PlanRequested,
    Recovered,
    Reported,
    Reviewed,
    ReviewRequested,
    Revising,
    RunEnded,
    RunStarted,
    StepSkipped,
)
from echelon.protocols.messages import Approval, Approve, Budget, Done, Failed, Failure, Json, Revise, Skipped, Usage
from echelon.protocols.plans import Plan
from echelon.protocols.tracing import Trace
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import Entry, answer, history, open_questions, resume, run
from echelon.supervisor.supervisor import Supervisor
from echelon.supervisor.views.spans import Span, Tracing, spans

from .builders import Number, step
from .foreign_runs import recorded, scenario_of, works

BEGUN = RunStarted(run="r", worker="desk", task="the task", definitions={}, budget=Budget(), tags={"thread": "t"})
BROKEN = Failure(kind="timeout", message="the secret took too long")


def happened(*events: Event) -> list[Entry]:
    """Events, one a second."""
    return [Entry(i + 1, float(i), event) for i, event in enumerate(events)]


def handed(name: str, attempt: int = 1, path: str = "") -> Delegated:
    """Hand a step over to the worker of its name."""
    return Delegated(path=path, step=name, worker=name, attempt=attempt, payload="p", digest="d", reason="ready")


def asks(path: str, n: int = 0, model: str = "m") -> EffectStarted:
    """Begin a model call."""
    request: Json = {"model": model, "head_digest": "h", "head": {"instructions": "Be."}, "first": 0, "messages": []}
    return EffectStarted(path=path, kind="model", n=n, digest="d", request=request, reserved=Usage(calls=1, usd=0.5))


def told(path: str, n: int = 0) -> EffectFinished:
    """End a model call."""
    reply = Reply(text="the reply", model="m-1", usage=Usage(calls=1, input=7, cache_read=3, output=2))
    usage = Usage(calls=2, input=17, cache_read=3, output=2, usd=0.25)
    return EffectFinished(path=path, kind="model", n=n, digest="d", result=reply.model_dump(mode="json"), usage=usage)


def by_place(entries: Sequence[Entry]) -> dict[str, Span]:
    """The spans of a run."""
    return {span.place: span for span in spans(entries)}


def test_nested_teams_are_one_tree_of_agents_models_and_tools() -> None:
    """Each span is at its place in the journal; a failed attempt and the next one are two."""
    found = by_place(recorded().entries)
    assert {place: (span.name, span.above, span.kind) for place, span in found.items() if "look_up" not in place} == {
        "": ("invoke_agent boss", None, "internal"),
        "/plan#1": ("plan boss", "", "internal"),
        "/judge#1": ("invoke_agent judge", "", "internal"),
        "/judge#1 model 0": ("chat model-of-judge", "/judge#1", "client"),
        "/judge#2": ("invoke_agent judge", "", "internal"),
        "/judge#2 model 0": ("chat model-of-judge", "/judge#2", "client"),
        "/desk#1": ("invoke_agent desk", "", "internal"),
        "/desk#1/plan#1": ("plan desk", "/desk#1", "internal"),
        "/desk#1/finder#1": ("invoke_agent finder", "/desk#1", "internal"),
        "/desk#1/finder#1 model 0": ("chat model-of-finder", "/desk#1/finder#1", "client"),
        "/desk#1/finder#1 model 1": ("chat model-of-finder", "/desk#1/finder#1", "client"),
        "/desk#1/finder#1 model 2": ("chat model-of-finder", "/desk#1/finder#1", "client"),
        "/desk#1/writer#1": ("invoke_agent writer", "/desk#1", "internal"),
        "/desk#1/writer#1 model 0": ("chat model-of-writer", "/desk#1/writer#1", "client"),
        "/teller#1": ("invoke_agent teller", "", "internal"),
        "/teller#1 model 0": ("chat model-of-teller", "/teller#1", "client"),
    }
    tool = found["/desk#1/finder#1 tool:look_up 1"]
    assert (tool.name, tool.failed, tool.attributes["error.type"]) == ("execute_tool look_up", True, "tool_failed")
    assert found["/judge#1"].attributes["error.type"] == "overloaded"
    assert [note.name for note in found[""].notes] == ["echelon.claimed", "echelon.reacted"]
    assert found["/desk#1"].attributes["echelon.step"] == "desk#1"


def test_a_model_call_tells_its_tokens_cached_ones_among_them_and_all_that_it_cost() -> None:
    """Tokens are those of the try that answered, the cost that of all tries."""
    tried = Attempted(path="", model="m", attempt=1, failure=BROKEN, elapsed=1.0, wait=None, reason="no")
    call = by_place(happened(BEGUN, asks(""), tried, told("")))[" model 0"]
    assert dict(call.attributes) == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 4_096, "gen_ai.output.type": "text", "echelon.path": "",
        "gen_ai.response.model": "m-1", "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_write.input_tokens": 0, "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 0, "echelon.usage.calls": 2, "echelon.usage.tokens": 22,
        "echelon.usage.usd": 0.25, "echelon.usage.usd_assumed": 0.0,
    }  # fmt: skip
    assert [(note.name, note.at, note.attributes["error.type"]) for note in call.notes] == [
        ("echelon.attempted", 2.0, "timeout")
    ]


def test_nothing_that_was_said_is_told_unless_it_is_asked_for() -> None:
    """No task, message, output, argument, reason, or words of a failure."""
    events: list[Event] = [
        BEGUN,
        handed("a"),
        asks("/a#1"),
        told("/a#1"),
        EffectStarted(path="/a#1", kind="tool:t", n=0, digest="d", request={"name": "t", "arguments": {"x": "the x"}}),
        EffectFinished(path="/a#1", kind="tool:t", n=0, digest="d", result="the result"),
        Recovered(path="/a#1", failure=BROKEN, reaction="repair", reason="the reason"),
        Reported(step="a", attempt=1, report=Failed(failure=BROKEN, partial="the part")),
        Revising(round=0, blamed=("a",), steps=("a",), findings=("the finding",), reason="the reason"),
        RunEnded(report=Done(output="the output")),
    ]
    quiet = repr(spans(happened(*events)))
    assert "the " not in quiet
    whole = spans(happened(*events), "content")
    for said in ("the task", "the reply", "the x", "the result", "the reason", "the output", "the secret", "Be."):
        assert said in repr(whole), said
    assert {span.place: span.error for span in whole if span.failed} == {"/a#1": "the secret took too long"}


def test_a_plan_and_a_review_are_spans_of_their_own_with_what_came_of_them() -> None:
    """How many steps, which verdict; an escalation is a review by a person."""
    revise = Revise(findings=("wrong",))
    found = by_place(
        happened(
            BEGUN,
            PlanRequested(n=1, reason="a task"),
            Planned(n=1, plan=Plan(steps=(step("a"), step("b")), output=None)),
            ReviewRequested(round=0),
            Reviewed(round=0, verdict=revise),
            ReviewRequested(round=1, by="eva"),
            Reviewed(round=1, verdict=Approve()),
        )
    )
    assert found["/plan#1"].attributes["gen_ai.plan.step.count"] == 2
    assert found["/plan#1"].attributes["gen_ai.operation.name"] == "plan"
    first, second = found["/review#1"], found["/escalation#2"]
    assert (first.attributes["echelon.verdict"], first.ended) == ("revise", 4.0)
    assert (second.attributes["echelon.verdict"], second.ended) == ("approve", 6.0)
    assert found["/escalation#2"].attributes["gen_ai.agent.name"] == "eva"


def test_what_is_under_way_when_its_whole_ends_was_cut_off_and_may_have_cost_all_it_could() -> None:
    """It ends with it; a place that no handoff led to ends with the last thing that ended there."""
    found = by_place(
        happened(BEGUN, handed("a"), asks("/a#1/tier#1"), told("/a#1/tier#1"), asks("/a#1"),
                 Reported(step="a", attempt=1, report=Failed(failure=BROKEN)))
    )  # fmt: skip
    cut = found["/a#1 model 0"]
    assert (cut.ended, cut.attributes["error.type"]) == (5.0, "cancelled")
    assert cut.attributes["echelon.usage.usd_assumed"] == 0.5
    tier = found["/a#1/tier#1"]
    assert (tier.name, tier.above, tier.began, tier.ended, tier.failed) == ("tier#1", "/a#1", 2.0, 3.0, False)
    assert found[""].ended is None


def test_a_call_that_a_crash_cut_off_begins_anew() -> None:
    """Its time is that of the call that ended."""
    call = by_place(happened(BEGUN, asks(""), Claimed(owner="me"), asks(""), told("")))[" model 0"]
    assert (call.began, call.ended) == (3.0, 4.0)


def test_a_run_that_was_called_off_and_is_taken_up_goes_on_in_its_spans() -> None:
    """What was cut off ends a second time, as what it came to; what had ended does not."""
    entries = happened(
        BEGUN, handed("a"), asks("/a#1"), Cancelled(reason="no"), Claimed(owner="me"), asks("/a#1"), told("/a#1"),
        Reported(step="a", attempt=1, report=Done(output=1)), RunEnded(report=Done(output=1)),
    )  # fmt: skip
    tracing = Tracing()
    ended = [span for entry in entries for span in tracing.take(entry.event, entry.at)]
    assert [(span.place, span.attributes.get("error.type"), span.ended) for span in ended] == [
        ("/a#1 model 0", "cancelled", 3.0), ("/a#1", "cancelled", 3.0), ("", "cancelled", 3.0),
        ("/a#1 model 0", None, 6.0), ("/a#1", None, 7.0), ("", None, 8.0),
    ]  # fmt: skip
    assert by_place(entries)["/a#1"].began == 1.0


def test_a_step_that_is_skipped_or_not_begun_is_told_as_such() -> None:
    """A skipped step has no span of its own, a worker that skipped has."""
    found = by_place(
        happened(BEGUN, StepSkipped(step="b", reason="not needed"), handed("a"),
                 Reported(step="a", attempt=1, report=Skipped(reason="nothing to do")),
                 Reported(step="c", attempt=1, report=Failed(failure=BROKEN)))
    )  # fmt: skip
    assert set(found) == {"", "/a#1"}
    assert (found["/a#1"].failed, found["/a#1"].attributes["error.type"]) == (True, "skipped")
    assert found[""].notes[0].attributes == {"echelon.step": "b"}


@worker
async def double(number: Number, approval: Approval) -> Number:
    """Double a number."""
    return Number(n=2 * number.n)


def waiting_team() -> Supervisor[Number, Number]:
    """Lead somebody who waits for a person."""
    eva = Person("eva", "May it be doubled?", accepts=Number, returns=Approval)
    flow = Workflow(Number, Number)
    flow.output(flow.step(double, {"number": flow.task, "approval": flow.step(eva, flow.task)}))
    return Supervisor("desk", accepts=Number, returns=Number, team=[eva, double], planner=flow)


def test_what_waits_for_people_is_not_over_and_ends_once() -> None:
    """Two processes, one span of the person and one of the run, from the first asking to the end."""

    async def go() -> tuple[list[Entry], list[Entry]]:
        store = MemoryJournal()
        await run(waiting_team(), Number(n=2), store=store, run_id="r")
        before = list(await history(store, "r"))
        (asked,) = open_questions([entry.event for entry in before])
        await answer(store, "r", asked.id, approved=True, by="eva")
        await resume(waiting_team(), "r", store=store)
        return before, list(await history(store, "r"))

    before, after = anyio.run(go)
    assert {place for place, span in by_place(before).items() if span.ended is None} == {"", "/eva#1"}
    found = by_place(after)
    assert all(span.ended is not None for span in found.values())
    assert [note.name for note in found["/eva#1"].notes] == ["echelon.asked", "echelon.answered"]
    assert [note.name for note in found[""].notes] == ["echelon.claimed", "echelon.parked", "echelon.claimed"]
    tracing = Tracing()
    ends = Counter(span.place for entry in after for span in tracing.take(entry.event, entry.at))
    assert set(ends.values()) == {1}


@settings(max_examples=40)
@given(works())
def test_spans_are_a_tree_that_ends_with_its_root(work: Work) -> None:
    """Every span is within one that is there and lasts as long; of a run that is over, nothing is under way."""
    entries = scenario_of(work).entries
    found = by_place(entries)
    for span in found.values():
        assert (span.above is None) == (span.place == "")
        if span.above is not None:
            whole = found[span.above]
            assert whole.began <= span.began
            assert whole.ended is None or (span.ended is not None and span.ended <= whole.ended)
    over = isinstance(entries[-1].event, RunEnded)
    assert over == (found[""].ended is not None)
    starts = {(e.event.path, e.event.kind, e.event.n) for e in entries if isinstance(e.event, EffectStarted)}
    assert {place for place in found if " " in place} == {f"{path} {kind} {n}" for path, kind, n in starts}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", True),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n", False),
        ("", False),
    ],
)
def test_a_traceparent_is_taken_only_if_it_is_valid(given: str, taken: bool) -> None:  # noqa: FBT001 - a parameter
    """As W3C Trace Context says; otherwise the run is a trace of its own."""
    trace = Trace.of("r", given)
    assert (trace.id == "0af7651916cd43dd8448eb211c80319c") is taken
    assert trace.parent == ("b7ad6b7169203331" if taken else "")


def test_ids_differ_by_run_and_place_and_are_the_same_every_time() -> None:
    """Known ones, so that no later version gives a run that is under way another trace."""
    trace = Trace.of("r")
    assert trace.traceparent("") == "00-23b19e5d9e33b9061ded2a5a1bc06e3b-fe1cd0dd531b8ee7-01"
    assert trace.traceparent("/a#1") == "00-23b19e5d9e33b9061ded2a5a1bc06e3b-f5300449077404c1-01"
    assert Trace.of("s").id != trace.id
    assert Trace.of("s").span("/a#1") != trace.span("/a#1")
