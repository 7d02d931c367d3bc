"""A supervisor at work: what is done at once, what fails alone, and what no worker can break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
import trio
import trio.testing

from echelon.agents.function import worker
from echelon.protocols.contracts import Card, Context, Worker
from echelon.protocols.errors import DivergedError, JournalError
from echelon.protocols.events import Delegated, PlanFailed, PlanRefused, Reported, ReviewFailed
from echelon.protocols.messages import (
    Approve,
    Done,
    Failed,
    Handoff,
    Json,
    Message,
    Report,
    Revise,
    Skipped,
    Usage,
    Verdict,
)
from echelon.protocols.plans import Brief, Change, Plan, Skip, Step
from echelon.protocols.shapes import Shape
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.planners.workflow import Workflow, fixed
from echelon.supervisor.runs import run
from echelon.supervisor.supervisor import Supervisor

from .builders import Judge, Number, Scripted, Text, add, double, failed, of_type, out_of, plan_of, say, step

pytestmark = pytest.mark.anyio


@worker
async def breaks(number: Number) -> Number:
    """Break."""
    raise ValueError(f"{number.n} is too much")


class Raw:
    """A worker that does whatever it is told to, errors included."""

    def __init__(self, name: str, result: object) -> None:
        self.card: Card[Any, Any] = Card(name=name, description=name, accepts=Shape(Number), returns=Shape(Number))
        self.definition: Json = name
        self.parts: Sequence[Worker] = ()
        self._result = result

    async def work(self, handoff: Handoff[Any], context: Context) -> Any:
        """Give or raise the result."""
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def team(*members: Worker, planner: Any, returns: type[Any] = object, **rules: Any) -> Supervisor[Number, Any]:
    """Put a team together that is given a number."""
    return Supervisor("boss", accepts=Number, returns=returns, team=members, planner=planner, **rules)


def both(*members: Worker, on_failure: Any = None) -> Supervisor[Number, Any]:
    """Give the task to each of them at once; deliver what each gave."""
    names = [member.card.name for member in members]
    rules = {} if on_failure is None else {"on_failure": on_failure}
    steps = [step(name, worker=name, input=out_of("task"), **rules) for name in names]
    return team(*members, planner=fixed(plan_of(*steps, output={name: out_of(name) for name in names})))


def last_reports(outcome: Outcome[Any]) -> dict[str, Report[Any]]:
    """The last report on each step."""
    return {event.step: event.report for event in of_type(outcome.events, Reported)}


async def test_data_flows_by_reference_and_is_typed_at_every_step() -> None:
    """What one returns is read as what the next one accepts."""
    flow = Workflow(Number, Text)
    twice = flow.step(double, flow.task)
    total = flow.step(add, {"left": twice["n"], "right": 1})
    flow.output(flow.step(say, total))
    outcome = await run(team(double, add, say, planner=flow, returns=Text), Number(n=20))
    assert outcome.output == Text(text="it is 41")


async def test_a_defect_in_one_of_two_parallel_workers_leaves_the_other_its_result() -> None:
    """Siblings go on, and what was finished is delivered with the failure."""
    outcome = await run(both(breaks, double), Number(n=4))
    assert outcome.failure is not None
    assert outcome.failure.kind == "tool_failed"
    assert outcome.failure.message == "breaks raised ValueError: 4 is too much"
    assert outcome.partial == {"double": {"n": 8}}


async def test_the_bill_holds_what_failed_beside_what_did_not() -> None:
    """By worker, and as a whole; spending survives failures."""

    @worker(usd=0.5)
    async def dear(number: Number) -> Number:
        """Fail for money."""
        raise ValueError(f"{number.n} is too much")

    @worker(usd=0.25)
    async def cheap(number: Number) -> Number:
        """Succeed for less."""
        return number

    outcome = await run(both(dear, cheap), Number(n=4))
    assert outcome.partial == {"cheap": {"n": 4}}
    assert {line.name: line.usage.usd for line in outcome.bill.workers} == {"dear": 0.5, "cheap": 0.25}
    assert outcome.usage == outcome.bill.total == Usage(calls=2, usd=0.75)
    assert last_reports(outcome)["dear"].usage == Usage(calls=1, usd=0.5)


@pytest.mark.parametrize(
    ("result", "kind", "said"),
    [
        (ZeroDivisionError("no"), "defect", "ZeroDivisionError: no"),
        (None, "defect", "expected a report, found NoneType"),
        ({"n": 1}, "defect", "expected a report, found dict"),
        (Done(output="seven"), "invalid_output", "odd must return expected Number"),
        (Done(output={"n": 1, "m": 2}), "invalid_output", "/m: extra inputs are not permitted"),
        (Done(output={"n": "1"}), "invalid_output", "/n: input should be a valid integer, found '1'"),
    ],
)
async def test_whatever_a_worker_gives_is_checked_where_it_gives_it(result: object, kind: str, said: str) -> None:
    """No later step, and no sibling, meets it."""
    outcome = await run(both(Raw("odd", result), double), Number(n=4))
    assert outcome.failure is not None
    assert outcome.failure.kind == kind
    assert said in outcome.failure.message
    assert outcome.partial == {"double": {"n": 8}}


async def test_a_type_whose_validator_breaks_is_a_defect_of_its_worker() -> None:
    """Not of the run."""

    class Brittle(Message):
        n: int

        def model_post_init(self, _: object) -> None:
            raise KeyError("broken")

    odd = Raw("odd", Done(output={"n": 1}))
    odd.card = Card(name="odd", description="", accepts=Shape(Number), returns=Shape(Brittle))
    outcome = await run(both(odd, double), Number(n=4))
    assert outcome.failure is not None
    assert outcome.failure.message == "odd's output could not be checked: KeyError('broken')"


async def test_a_worker_that_skips_is_skipped_with_its_reason() -> None:
    """And so is what needs it; the output says what is missing."""
    outcome = await run(both(Raw("idle", Skipped(reason="a holiday")), double), Number(n=4))
    assert outcome.failure is not None
    assert outcome.failure.kind == "upstream"
    assert "(idle: a holiday)" in outcome.failure.message


async def test_less_confidence_than_the_step_wants_counts_as_failed() -> None:
    """So does none at all; the output is kept as partial."""
    sure, unsure = Raw("sure", Done(output=Number(n=1), confidence=0.9)), Raw("unsure", Done(output=Number(n=1)))
    names = ("sure", "unsure")
    steps = [step(name, worker=name, input=out_of("task"), confidence=0.8, on_failure=Skip()) for name in names]
    plan = plan_of(*steps, output=[out_of(name) for name in names])
    outcome = await run(team(sure, unsure, planner=fixed(plan)), Number(n=4))
    assert outcome.partial == {"sure": {"n": 1}}
    report = last_reports(outcome)["unsure"]
    assert isinstance(report, Failed)
    assert report.failure.message == "unsure is None sure of its output; the step wants 0.8"
    assert report.partial == {"n": 1}


async def test_a_payload_that_a_worker_does_not_accept_never_reaches_it() -> None:
    """Where schemas leave it open, the handoff finds out."""

    @worker
    async def anything(number: Number) -> object:
        """Give anything."""
        return {"n": f"{number.n}"}

    steps = (
        step("anything", worker="anything", input=out_of("task")),
        step("double", worker="double", input=out_of("anything")),
    )
    outcome = await run(team(anything, double, planner=fixed(plan_of(*steps))), Number(n=4))
    assert outcome.failure is not None
    assert outcome.failure.kind == "invalid_input"
    assert outcome.failure.message == "double accepts expected Number: /n: input should be a valid integer, found '4'"


async def test_a_plan_that_feeds_text_into_a_number_never_runs() -> None:
    """The field is named, and no worker is asked."""
    steps = (
        step("say", worker="say", input=out_of("task")),
        step("double", worker="double", input={"n": out_of("say", "/text")}),
    )
    outcome = await run(team(say, double, planner=fixed(plan_of(*steps))), Number(n=4))
    assert outcome.failure is not None
    assert outcome.failure.kind == "invalid_plan"
    (refused,) = of_type(outcome.events, PlanRefused)
    assert [(fault.kind, fault.step, fault.field) for fault in refused.faults] == [("type_mismatch", "double", "/n")]
    assert of_type(outcome.events, Delegated) == []


@pytest.mark.parametrize("name", ["plan", "review"])
async def test_a_step_may_not_stand_where_the_planner_or_the_reviewer_stands(name: str) -> None:
    """Their calls would be taken for its own."""
    named = step(name, worker="double", input=out_of("task"))
    outcome = await run(team(double, planner=fixed(plan_of(named))), Number(n=4))
    (refused,) = of_type(outcome.events, PlanRefused)
    assert refused.faults[0].kind == "reserved_name"


async def test_a_planner_that_proposes_something_else_is_a_defect() -> None:
    """Nothing runs, and nothing hangs."""
    outcome = await run(team(double, planner=Scripted([Done(output="a plan")])), Number(n=4))
    assert outcome.failure is not None
    assert outcome.failure.message == "the planner must propose a Plan or a Change, found str"
    assert len(of_type(outcome.events, PlanFailed)) == 1


async def test_a_reviewer_that_gives_something_else_is_a_defect() -> None:
    """What was not judged is not delivered."""
    plan = plan_of(step("double", worker="double", input=out_of("task")))
    outcome = await run(team(double, planner=fixed(plan), reviewer=Judge([Done(output="fine")])), Number(n=4))
    assert outcome.failure is not None
    assert outcome.failure.message == "the reviewer must give a verdict, found str"
    assert len(of_type(outcome.events, ReviewFailed)) == 1


def doubling(name: str, *, source: str = "task", **rules: Any) -> Step:
    """Double a number."""
    return step(name, worker="double", input=out_of(source), **rules)


async def test_a_planner_is_told_what_became_of_its_steps_and_may_change_the_rest() -> None:
    """The output only of a step that it wanted to see; finished steps keep their results."""
    first = plan_of(doubling("a", look=True), doubling("b"), output=[out_of("a"), out_of("b")])
    change = Change(put=(doubling("c", source="a"),), output=[out_of("a"), out_of("b"), out_of("c")], reason="more")
    planner = Scripted([Done(output=first), Done(output=change)])
    outcome = await run(team(double, planner=planner), Number(n=1))
    assert outcome.output == [{"n": 2}, {"n": 2}, {"n": 4}]
    (told,) = [one for one in planner.briefs[1].settled if one.step == "a"]
    assert (told.status, told.detail) == ("done", {"n": 2})
    assert all(one.detail is None for one in planner.briefs[1].settled if one.step == "b")
    assert [event.attempt for event in of_type(outcome.events, Delegated)] == [1, 1, 1]


async def test_a_failure_is_told_to_the_planner_who_finds_another_way() -> None:
    """The failed step is replaced; its sibling is not done again."""
    first = plan_of(doubling("a"), step("b", worker="breaks", input=out_of("task")), output=[out_of("a"), out_of("b")])
    planner = Scripted([Done(output=first), Done(output=Change(put=(doubling("b"),)))])
    outcome = await run(team(double, breaks, planner=planner), Number(n=1))
    assert outcome.output == [{"n": 2}, {"n": 2}]
    assert [one.status for one in planner.briefs[1].settled] == ["done", "failed"]
    assert planner.briefs[1].reason == "step 'b' failed for good: tool_failed: breaks raised ValueError: 1 is too much"
    assert [(event.step, event.attempt) for event in of_type(outcome.events, Delegated)] == [
        ("a", 1),
        ("b", 1),
        ("b", 2),
    ]


async def test_a_new_plan_must_hold_what_has_begun() -> None:
    """What is under way is not broken off; the planner is told so."""
    goes_on = anyio.Event()

    @worker
    async def slow(number: Number) -> Number:
        """Wait until the planner has been refused."""
        await goes_on.wait()
        return number

    @dataclass(frozen=True)
    class Watching(Scripted):
        async def plan(self, brief: Brief, team: Sequence[Card], returns: Shape, context: Context) -> Any:
            if brief.faults:
                goes_on.set()
            return await super().plan(brief, team, returns, context)

    steps = doubling("a", look=True), step("b", worker="slow", input=out_of("task"))
    whole = [out_of("a"), out_of("b")]
    other = Plan(steps=(steps[0], step("c", worker="slow", input=out_of("task"))), output=[out_of("a"), out_of("c")])
    planner = Watching([Done(output=plan_of(*steps, output=whole)), Done(output=other), Done(output=Change())])
    outcome = await run(team(double, slow, planner=planner), Number(n=1))
    assert outcome.output == [{"n": 2}, {"n": 1}]
    (refused,) = of_type(outcome.events, PlanRefused)
    assert [(fault.kind, fault.step) for fault in refused.faults] == [("begun_step", "b")]


async def test_a_reviewer_sees_the_task_the_draft_and_what_each_step_gave() -> None:
    """And in the next round what it found before."""
    plan = plan_of(doubling("a"), doubling("b", source="a", review="is it even?"))
    verdicts: list[Report[Verdict]] = [Done(output=Revise(findings=("odd",), blamed=("b",))), Done(output=Approve())]
    judge = Judge(verdicts)
    outcome = await run(team(double, planner=fixed(plan), returns=Number, reviewer=judge), Number(n=1))
    assert outcome.output == Number(n=4)
    assert outcome.verdict == Approve()
    first, second = judge.drafts
    assert (first.task, first.output, first.value) == ({"n": 1}, {"n": 4}, Number(n=4))
    assert (first.steps, first.look_at, first.earlier) == ({"a": {"n": 2}, "b": {"n": 4}}, {"b": "is it even?"}, ())
    assert second.earlier == ("odd",)


async def test_a_handoff_has_a_key_of_its_own_place_and_run() -> None:
    """Two steps with the same payload, or two runs of the same task, are two pieces of work; a retry is not."""
    keys: list[str] = []

    class Keyed(Raw):
        async def work(self, handoff: Handoff[Any], context: Context) -> Any:
            keys.append(handoff.key)
            return failed("overloaded", passing=True) if len(keys) % 3 == 1 else Done(output=Number(n=1))

    keyed = Keyed("keyed", None)
    steps = (
        step("a", worker="keyed", input=out_of("task")),
        step("b", worker="keyed", input=out_of("task"), after=("a",)),
    )
    boss = team(keyed, planner=fixed(plan_of(*steps, output=[out_of("a"), out_of("b")])))
    await run(boss, Number(n=1))
    await run(boss, Number(n=1))
    assert keys[0] == keys[1]
    assert len({keys[0], keys[2], keys[3], keys[5]}) == 4


def test_independent_workers_overlap_fully() -> None:
    """Eight that take 50 ms each take 50 ms together; nothing waits for a generation of steps."""

    async def work() -> float:
        @worker
        async def slow(number: Number) -> Number:
            """Take a while."""
            await anyio.sleep(0.05 * number.n)
            return number

        quick = [step(f"q{i}", worker="slow", input={"n": 1}) for i in range(8)]
        # a chain of two beside one that takes as long as both: the chain does not wait for it
        chain = step("late", worker="slow", input={"n": 2}), step("next", worker="slow", input=out_of("q0"))
        steps = (*quick, *chain)
        boss = team(slow, planner=fixed(plan_of(*steps, output=[out_of(one.id) for one in steps])))
        begun = trio.current_time()
        outcome = await run(boss, Number(n=1))
        assert outcome.status == "delivered"
        return trio.current_time() - begun

    assert trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0)) == pytest.approx(0.1)


async def test_a_journal_that_breaks_ends_the_run_at_once() -> None:
    """No supervisor takes it for a failure of a worker."""

    class Full(MemoryJournal):
        async def append(self, records: Any, status: Any) -> None:
            if any(b"effect_started" in record.body for record in records):
                raise OSError("no space left on device")
            await super().append(records, status)

    @worker(effect=True)
    async def pay(number: Number) -> Number:
        """Pay."""
        raise AssertionError("it was paid without a trace")

    with pytest.raises(JournalError, match=r"run 'full' cannot be written: OSError\('no space left on device'\)"):
        await run(both(pay, double), Number(n=1), store=Full(), run_id="full")


async def test_a_divergence_below_ends_the_run_and_is_no_failure_of_a_worker() -> None:
    """What was recorded cannot be matched any more; siblings are called off."""
    store = MemoryJournal()
    lost = Raw("lost", DivergedError("/lost#1", "model", 0, "1" * 64, "2" * 64))

    @worker
    async def slow(number: Number) -> Number:
        """Never end."""
        await anyio.sleep_forever()
        return number

    inner = both(lost, slow)
    flow = Workflow(Number, object)
    flow.output(flow.step(inner, flow.task))
    with pytest.raises(DivergedError, match="/lost#1 model 0: the journal holds request 111111111111"):
        await run(
            Supervisor("top", accepts=Number, returns=object, team=[inner], planner=flow), Number(n=1), store=store
        )
    assert (await store.runs())[0].status == "running"
