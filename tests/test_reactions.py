"""What a supervisor does about a step that failed: every line of the table, by hand."""

from typing import get_args

import pytest

from echelon.protocols.events import Delegated, PlanRequested, Reacted
from echelon.protocols.messages import Budget, FailureKind
from echelon.protocols.plans import Fallback, Quorum, Skip
from echelon.supervisor.reactions import NO_PLAN_HELPS, NOBODY_ELSE_CAN_MEND, react
from echelon.supervisor.state import Work

from .builders import charter, failed, kinds, of_type, out_of, planned, step

KINDS: tuple[FailureKind, ...] = get_args(FailureKind)


def test_a_failure_that_may_pass_is_tried_again_as_often_as_the_step_allows() -> None:
    """Each try is an attempt of its own, with the failure as its reason."""
    hand = planned(charter(), step("a", retries=2))
    for _ in range(3):
        hand.report("a", failed("overloaded", passing=True))
    assert [event.attempt for event in of_type(hand.events, Delegated)] == [1, 2, 3]
    assert of_type(hand.events, Reacted)[0].reason == "it may pass (try 1 of 3): overloaded: it was overloaded"
    assert hand.failure.kind == "overloaded"


def test_a_failure_that_does_not_pass_is_not_tried_again() -> None:
    """Retries are for failures that say so."""
    hand = planned(charter(), step("a", retries=5))
    hand.report("a", failed())
    assert len(of_type(hand.events, Delegated)) == 1


def test_another_worker_does_the_step_and_has_tries_of_its_own() -> None:
    """The attempt is counted on, since the place is the step's; the fallback has no fallback."""
    hand = planned(charter(), step("a", on_failure=Fallback(worker="x")))
    hand.report("a", failed("refused"))
    hand.report("a", failed("overloaded", passing=True))
    hand.report("a", failed("overloaded", passing=True))
    assert [(event.worker, event.attempt) for event in of_type(hand.events, Delegated)] == [
        ("w", 1),
        ("x", 2),
        ("x", 3),
    ]
    assert [event.reaction for event in of_type(hand.events, Reacted)] == ["fallback", "retry", "fail"]
    assert hand.failure.kind == "overloaded"


def test_a_quorum_drops_elements_while_enough_can_still_succeed() -> None:
    """The one too many fails the plan."""
    hand = planned(charter(), step("each", for_each=out_of("task"), on_failure=Quorum(of=2)), task=[1, 2, 3])
    hand.report("each[0]", failed())
    hand.report("each[1]", failed())
    hand.finish("each[2]")
    reacted = of_type(hand.events, Reacted)
    assert [event.reaction for event in reacted] == ["drop", "fail"]
    assert reacted[0].reason == "2 instances can still make the quorum of 2: tool_failed: it was tool_failed"


def test_a_step_may_be_skipped() -> None:
    """The rest goes on."""
    hand = planned(charter(), step("a", on_failure=Skip()), output=1)
    hand.report("a", failed())
    assert hand.output == 1
    assert of_type(hand.events, Reacted)[0].reaction == "skip"


def test_a_planner_that_can_do_better_is_asked_at_most_so_many_times() -> None:
    """Each round needs a plan that fails for good."""
    hand = planned(charter(replans=True, budget=Budget(rounds=2)), step("a"))
    for name in ("b", "c"):
        hand.report(hand.running[0], failed())
        assert isinstance(hand.said[-1], PlanRequested)
        hand.plan(step(name, worker="x", input=name))
    hand.report("c", failed())
    assert hand.failure.kind == "tool_failed"


def test_the_same_work_that_failed_for_good_is_not_handed_over_again() -> None:
    """A new plan with the old payload for the old worker makes no progress."""
    hand = planned(charter(replans=True, budget=Budget(rounds=1)), step("a", input=1))
    hand.report("a", failed())
    hand.plan(step("b", input=1))
    assert len(of_type(hand.events, Delegated)) == 1
    assert hand.failure.kind == "no_progress"
    assert hand.failure.message == "w has already failed for good on exactly this payload"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_failure_has_its_reaction(kind: FailureKind) -> None:
    """No fallback where nobody else can mend it, no other plan where none helps; all else goes on."""
    work, failure = Work(step="a", name="a", worker="w"), failed(kind).failure
    with_fallback = step("a", on_failure=Fallback(worker="x"))
    state = planned(charter(replans=True), step("a")).state
    expected = "fail" if kind in NOBODY_ELSE_CAN_MEND else "fallback"
    assert react(state, work, with_fallback, failure).reaction == expected
    assert react(state, work, step("a"), failure).reaction == ("fail" if kind in NO_PLAN_HELPS else "replan")


def test_a_fixed_plan_fails_where_another_would_be_asked_for() -> None:
    """There is nobody to ask."""
    hand = planned(charter(replans=False), step("a"))
    assert kinds(hand.report("a", failed())) == ["reacted", "ended"]
