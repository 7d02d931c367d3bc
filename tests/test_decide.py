"""The supervisor's algorithm, driven by hand: planning, selecting, delegating, joining."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.events import Delegated, Ended, Expanded, PlanFailed, PlanRequested, Reported, StepSkipped
from echelon.protocols.messages import Budget, Done, Failed, Failure, Skipped
from echelon.protocols.plans import Fallback, Quorum, Repeat, Skip, Step
from echelon.protocols.shapes import Shape
from echelon.supervisor.decide import decide

from .builders import ByHand, card, charter, done, failed, fault, kinds, of_type, out_of, planned, step, waiting, when


def test_a_task_begins_with_a_question_to_the_planner() -> None:
    """Nothing is done before there is a plan."""
    hand = ByHand(charter())
    assert hand.said == [PlanRequested(n=1, reason="a task has come")]
    assert decide(hand.state) == ()


def test_a_refused_plan_goes_back_with_all_its_faults_twice_and_then_the_run_fails() -> None:
    """A proposal and two corrections; the failure says what was wrong last."""
    hand = ByHand(charter(replans=True))
    (again,) = hand.refuse(fault(message="no n"), fault(message="no m"))
    assert isinstance(again, PlanRequested)
    assert (again.n, len(again.faults), again.reason) == (2, 2, "2 faults in the last proposal")
    hand.refuse()
    hand.refuse(fault(message="still no n"))
    assert hand.failure.kind == "invalid_plan"
    assert hand.failure.message == "3 plans were refused, the last one: a/n: still no n"


def test_a_plan_that_delegates_nothing_is_nudged_once() -> None:
    """Where delegation is required, an answer without it is sent back once and then fails as what it is."""
    hand = ByHand(charter(replans=True))
    assert kinds(hand.refuse(fault("not_delegated"))) == ["plan_requested"]
    hand.refuse(fault("not_delegated"))
    assert hand.failure.kind == "not_delegated"


def test_a_planner_that_cannot_do_better_is_not_asked_again() -> None:
    """A fixed workflow with a fault fails at once."""
    hand = ByHand(charter(replans=False))
    hand.refuse()
    assert hand.failure.kind == "invalid_plan"


@pytest.mark.parametrize("report", [Skipped(reason="no idea"), failed("auth")])
def test_a_planner_without_a_proposal_ends_the_run(report: Skipped | Failed) -> None:
    """There is no second planner; a planner that skips is not asked for ever."""
    hand = ByHand(charter(replans=True))
    hand.tell(PlanFailed(n=1, report=report))
    assert hand.failure.kind == ("auth" if isinstance(report, Failed) else "defect")


def test_a_planner_that_waits_is_waited_for() -> None:
    """Nothing is to be done until the person has answered."""
    hand = ByHand(charter())
    assert hand.tell(PlanFailed(n=1, report=waiting())) == []
    assert hand.state.ended is None


def test_every_step_whose_sources_are_settled_is_handed_over_at_once() -> None:
    """Independent steps do not wait for each other; a join waits for all."""
    hand = planned(charter(), step("a"), step("b"), step("c", "ab"))
    assert hand.running == ["a", "b"]
    assert hand.finish("a") == []
    (joined,) = hand.finish("b")
    assert isinstance(joined, Delegated)
    assert joined.payload == {"a": "a", "b": "b"}
    hand.finish("c", 3)
    assert hand.output == 3


def test_a_fan_in_of_unequal_depth_runs_its_join_once() -> None:
    """A to Z, and B over B2 to Z: Z waits for the longer way."""
    hand = planned(charter(), step("a"), step("b"), step("b2", "b"), step("z", ["a", "b2"]))
    for name in ("a", "b", "b2", "z"):
        hand.finish(name)
    handed = [event.step for event in of_type(hand.events, Delegated)]
    assert handed == ["a", "b", "b2", "z"]


def test_after_orders_steps_between_which_nothing_flows() -> None:
    """A failed step that was only waited for does not stop the next one."""
    hand = planned(charter(), step("a", on_failure=Skip()), step("b", after=("a",)))
    assert hand.running == ["a"]
    assert [c.step for c in hand.report("a", failed()) if isinstance(c, Delegated)] == ["b"]


def test_no_more_steps_are_under_way_than_may_be() -> None:
    """`parallel` bounds what runs; the next begins when one ends."""
    hand = planned(charter(budget=Budget(parallel=2)), step("a"), step("b"), step("c"))
    assert hand.running == ["a", "b"]
    hand.finish("b")
    assert hand.running == ["a", "c"]


def test_a_step_whose_condition_does_not_hold_is_skipped_with_the_comparison_as_its_reason() -> None:
    """The reason says what was compared with what."""
    hand = planned(charter(), step("a"), step("b", "a", when=when("a", "gt", 5)), output=out_of("a"))
    (skipped, *_) = hand.finish("a", 3)
    assert skipped == StepSkipped(step="b", reason="a gt 5 does not hold", by_condition=True)
    assert hand.output == 3


def test_a_step_that_can_do_without_what_was_not_needed_gets_null() -> None:
    """Two ways to one end: whichever ran feeds the join."""
    ways = step("x", when=when("task", "eq", 1)), step("y", when=when("task", "ne", 1))
    hand = planned(charter(), *ways, step("z", "xy"), task=1)
    (handed,) = hand.finish("x")
    assert isinstance(handed, Delegated)
    assert handed.payload == {"x": "x", "y": None}


def test_a_step_that_cannot_do_without_it_is_skipped_too() -> None:
    """Null does not fit where the worker wants a number."""
    numbers = card("w", accepts=Shape(dict[str, int]))
    hand = planned(
        charter(numbers), step("x", when=when("task", "eq", 1)), step("z", "x"), output={"z": out_of("task")}
    )
    assert [c.step for c in of_type(hand.events, StepSkipped)] == ["x", "z"]
    assert hand.output == {"z": "task"}


def test_a_step_that_needs_a_skipped_output_is_skipped_with_that_reason() -> None:
    """The reasons chain, so that the cause can be read from the last one."""
    hand = planned(charter(), step("a", on_failure=Skip()), step("b", "a"), step("c", "b"), output=1)
    hand.report("a", failed("refused"))
    reasons = [c.reason for c in of_type(hand.events, StepSkipped)]
    assert reasons[0] == "it needs the output of 'a', which was skipped: refused: it was refused"
    assert reasons[1].startswith("it needs the output of 'b', which was skipped: it needs the output of 'a'")


def test_an_output_that_needs_a_lost_step_fails_and_names_the_cause() -> None:
    """What was finished is kept beside the reason."""
    hand = planned(charter(), step("a", on_failure=Skip()), step("b"), output={"x": out_of("a"), "y": out_of("b")})
    hand.report("a", failed())
    hand.finish("b", 7)
    assert hand.failure.kind == "upstream"
    assert "a: tool_failed" in hand.failure.message
    assert isinstance(hand.ended, Failed)
    assert hand.ended.partial == {"b": 7}


def test_an_output_of_the_wrong_shape_is_not_delivered() -> None:
    """The join is checked like any report."""
    hand = planned(charter(returns=Shape(int)), step("a"))
    hand.finish("a", "seven")
    assert hand.failure.kind == "invalid_output"
    assert hand.failure.message.startswith("boss must return expected int")


def test_for_each_runs_once_per_element_and_keeps_their_order() -> None:
    """The output lists the outputs in the order of the elements, whatever order they finish in."""
    hand = planned(
        charter(), step("each", for_each=out_of("task", "/list"), input=out_of("item")), task={"list": [5, 6]}
    )
    assert hand.running == ["each[0]", "each[1]"]
    hand.finish("each[1]", 60)
    hand.finish("each[0]", 50)
    assert hand.output == [50, 60]


def test_for_each_over_nothing_gives_nothing() -> None:
    """An empty list is no failure."""
    assert planned(charter(), step("each", for_each=out_of("task")), task=[]).output == []


@pytest.mark.parametrize(
    ("task", "said"),
    [("text", "expected a list at task, found str"), ({}, "for_each: pointer '/x' stops at ''")],
)
def test_for_each_over_no_list_is_an_invalid_input(task: object, said: str) -> None:
    """The failure says what stood there; `say` may differ by where the pointer stops."""
    at = "/x" if task == {} else ""
    hand = planned(charter(), step("each", for_each=out_of("task", at)), task=task)
    assert hand.failure.kind == "invalid_input"
    assert said in hand.failure.message


def test_for_each_over_what_was_not_needed_is_skipped() -> None:
    """There is no list to run over, and nobody failed."""
    steps = step("a", when=when("task", "eq", 1)), step("each", for_each=out_of("a"))
    hand = planned(charter(), *steps, output={})
    assert of_type(hand.events, StepSkipped)[1].reason == "it runs over the output of 'a', which was not needed"
    assert hand.output == {}


def test_elements_are_handed_over_with_null_for_what_was_not_needed() -> None:
    """Whether a step can do without an output is tried with its first element."""
    each = step("each", for_each=out_of("task"), input={"item": out_of("item"), "hint": out_of("a")})
    hand = planned(charter(), step("a", when=when("task", "eq", 1)), each, task=[7])
    assert of_type(hand.events, Delegated)[0].payload == {"item": 7, "hint": None}


def test_all_spreads_together_are_no_wider_than_the_budget() -> None:
    """Steps that run once count as one; a spread that would pass the limit fails before anything of it runs."""
    steps = [step(name, for_each=out_of("task")) for name in ("x", "y")]
    hand = planned(charter(budget=Budget(width=5)), *steps, task=[1, 2, 3])
    assert len(of_type(hand.events, Expanded)) == 1
    for i in range(3):
        hand.finish(f"x[{i}]")
    assert hand.failure.kind == "budget"
    assert hand.failure.message == "step 'y' of 3 would make 6 instances; at most 5 are allowed"


def test_repeat_feeds_its_output_back_until_the_condition_holds() -> None:
    """Each iteration has a place of its own and gets what the last one gave."""
    until = Repeat.model_validate({"until": when("previous", "ge", 3), "most": 5})
    hand = planned(charter(), step("p", input=out_of("previous"), repeat=until))
    for name, output in (("p", 1), ("p@2", 2), ("p@3", 3)):
        hand.finish(name, output)
    assert [event.payload for event in of_type(hand.events, Delegated)] == [None, 1, 2]
    assert hand.output == 3


def test_repeat_without_success_is_no_progress() -> None:
    """The bound is part of the plan."""
    until = Repeat.model_validate({"until": when("previous", "exists"), "most": 2})
    hand = planned(charter(), step("p", repeat=until))
    hand.report("p", done(None))
    hand.report("p@2", done(None))
    assert hand.failure.kind == "no_progress"
    assert hand.failure.message == "step 'p' did not meet its condition in 2 iterations"


def test_labels_of_all_sources_travel_with_the_payload() -> None:
    """Those of the task, of each source and of each element; the draft carries those of its own sources."""
    hand = ByHand(charter(), ["x"], frozenset({"secret"}))
    each = step("each", for_each=out_of("task"), input={"item": out_of("item"), "a": out_of("a")})
    hand.plan(step("a"), each)
    hand.report("a", done(1), frozenset({"web"}))
    (handed,) = [event for event in of_type(hand.events, Delegated) if event.step == "each[0]"]
    assert handed.labels == {"secret", "web"}
    hand.report("each[0]", done(2), handed.labels)
    assert hand.state.drafts[0].labels == {"secret", "web"}


def test_a_worker_is_not_given_data_that_it_is_not_cleared_for() -> None:
    """The handoff is never made; the denial names the labels."""
    hand = ByHand(charter(card("w", clearance=frozenset({"web"}))), 1, frozenset({"secret", "web"}))
    hand.plan(step("a", ["task"]))
    assert of_type(hand.events, Delegated) == []
    assert hand.failure.kind == "denied"
    assert hand.failure.message == "w is not cleared for data labelled secret"


def test_a_reference_that_leads_nowhere_fails_the_step_and_names_it() -> None:
    """Schemas allow what a value may leave out; the handoff finds out."""
    hand = planned(charter(), step("a"), step("b", input=out_of("a", "/x")))
    hand.finish("a", {})
    assert hand.failure.kind == "invalid_input"
    assert hand.failure.message.startswith("step 'b': pointer '/x' of 'a'")


def test_a_handoff_names_the_rivals_that_were_not_chosen() -> None:
    """Every choice has its rejected candidates beside it."""
    hand = planned(charter(rivals={"w": ("x",)}), step("a"))
    assert of_type(hand.events, Delegated)[0].rejected == ("x: the plan names w",)


def test_a_failure_of_the_plan_lets_finish_what_runs_and_lists_what_has_not_begun() -> None:
    """Siblings keep their results, and the end says what is missing."""
    hand = planned(charter(), step("a"), step("b"), step("c", "ab"))
    assert kinds(hand.report("a", failed())) == ["reacted"]
    assert hand.running == ["b"]
    skipped, ended = hand.finish("b", 2)
    assert skipped == StepSkipped(step="c", reason="the plan failed: tool_failed")
    assert isinstance(ended, Ended)
    assert ended.report == Failed(failure=Failure(kind="tool_failed", message="it was tool_failed"), partial={"b": 2})


def test_nothing_is_decided_after_the_end() -> None:
    """The end is the end."""
    hand = planned(charter(), step("a"))
    hand.finish("a")
    assert decide(hand.state) == ()


@st.composite
def plans(draw: st.DrawFn) -> list[Step]:
    """Draw an acyclic plan of up to seven steps with every way to fail, repeat and spread."""
    steps: list[Step] = []
    for i in range(draw(st.integers(1, 7))):
        needs = draw(st.sets(st.sampled_from([one.id for one in steps]))) if steps else set[str]()
        rules: dict[str, Any] = draw(
            st.sampled_from(
                [
                    {},
                    {"on_failure": Skip()},
                    {"on_failure": Fallback(worker="x")},
                    {"when": when("task", "eq", i)},
                    {"for_each": out_of("task", "/list"), "on_failure": Quorum(of=1)},
                    {"retries": 0},
                ]
            )
        )
        steps.append(step(f"s{i}", sorted(needs), **rules))
    return steps


def output_of(steps: list[Step], seed: int) -> tuple[Done[object] | Failed, list[str]]:
    """Drive a plan to its end in some order of completion; step `s1` always fails."""
    whole = {one.id: out_of(one.id) for one in steps if one.on_failure == step("x").on_failure and one.when is None}
    hand = planned(charter(), *steps, output=whole, task={"list": [1, 2]})
    while hand.state.ended is None:
        name = hand.running[seed % len(hand.running)]
        seed = seed * 31 + 7
        hand.report(name, failed() if name.startswith("s1") else done(name))
    return hand.ended, [f"{event.step}#{event.attempt}" for event in of_type(hand.events, Delegated)]


@given(plans(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_any_plan_ends_each_step_runs_at_most_once_and_order_changes_nothing(
    steps: list[Step], one: int, other: int
) -> None:
    """The outcome is a function of the plan and the reports, not of timing."""
    (ended, handed), (again, _) = output_of(steps, one), output_of(steps, other)
    assert len(handed) == len(set(handed))
    assert type(ended) is type(again)
    if isinstance(ended, Done):
        assert ended == again
    else:
        assert isinstance(again, Failed)
        assert ended.failure == again.failure


@given(st.integers(1, 30), st.integers(0, 2**30))
def test_every_step_is_handed_over_or_refused_with_a_reason(count: int, refused: int) -> None:
    """K steps give k Delegated or typed refusals; nothing gets lost."""
    steps = [step(f"s{i}", ["task"], worker="x" if refused >> i & 1 else "w", on_failure=Skip()) for i in range(count)]
    hand = ByHand(charter("w", card("x", clearance=frozenset())), 1, frozenset({"secret"}))
    hand.plan(*steps, output={})
    handed = {event.step for event in of_type(hand.events, Delegated)}
    denied = {event.step for event in of_type(hand.events, Reported)}
    assert handed | denied == {one.id for one in steps}
    assert handed & denied == set()


def test_who_depends_on_a_step_that_is_looked_at_waits_for_the_planner() -> None:
    """The planner must see that output before it can go on; what does not depend on it goes on meanwhile."""
    hand = planned(charter(replans=True), step("seen", look=True), step("next", ["seen"]), step("apart"))
    assert kinds(hand.finish("seen")) == ["plan_requested"]
    assert hand.running == ["apart"]
    hand.finish("apart")
    assert hand.running == []
    hand.plan(step("seen", look=True), step("next", ["seen"]), step("apart"))
    assert hand.running == ["next"]


def test_a_quorum_that_the_list_cannot_make_fails_before_it_begins() -> None:
    """Three of two is not to be had."""
    spread = step("lines", for_each=out_of("task"), on_failure=Quorum(of=3))
    hand = planned(charter(), spread, task=[1, 2])
    assert hand.failure.kind == "invalid_input"
    assert hand.failure.message == "step 'lines' has 2 elements, less than its quorum of 3"


@pytest.mark.parametrize("order", [["first", "second"], ["second", "first"]])
def test_of_two_failures_the_first_in_the_plan_is_told(order: list[str]) -> None:
    """Whoever fails sooner."""
    hand = planned(charter(), step("first"), step("second"))
    kinds_of = {"first": failed("refused"), "second": failed("tool_failed")}
    for name in order:
        hand.report(name, kinds_of[name])
    assert hand.failure.kind == "refused"
