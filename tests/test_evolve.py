"""What has happened, folded into what is known: resuming, replanning, reviewing, by hand."""

from dataclasses import replace

from echelon.protocols.events import (
    Claimed,
    Delegated,
    Ended,
    Planned,
    PlanRequested,
    Reacted,
    Reported,
    ReviewFailed,
    ReviewRequested,
    Revising,
    StepSkipped,
)
from echelon.protocols.messages import (
    Approve,
    Budget,
    Done,
    Escalate,
    Failed,
    Reject,
    Revise,
    Skipped,
)
from echelon.protocols.plans import Quorum, Skip
from echelon.supervisor.decide import decide
from echelon.supervisor.evolve import evolve, resumed, unchanged
from echelon.supervisor.state import State, but, instance

from .builders import (
    ByHand,
    charter,
    done,
    failed,
    fault,
    kinds,
    of_type,
    out_of,
    plan_of,
    planned,
    step,
    waiting,
)

REVIEWED = charter(reviewed=True)
ESCALATING = charter(reviewed=True, escalates_to="eva")


def refold(hand: ByHand) -> State:
    """Fold the events again from nothing, as a resumed drive does."""
    state = State(charter=hand.state.charter, task=hand.state.task, labels=hand.state.labels)
    for event in hand.events:
        state = evolve(state, event)
    return state


def test_events_of_others_change_nothing() -> None:
    """A journal holds more than a supervisor's events."""
    state = ByHand(charter()).state
    assert evolve(state, Claimed(owner="me")) is state


def test_changed_fields_leave_the_value_itself_alone() -> None:
    """`but` is `dataclasses.replace` without the constructor."""
    state = ByHand(charter()).state
    assert but(state, round=3) == replace(state, round=3)
    assert state.round == 0
    assert instance("lines[3]@2") == "lines[3]"


def test_a_fold_over_the_events_gives_the_state_again() -> None:
    """There is no second store of truth."""
    hand = planned(REVIEWED, step("a"), step("b", "a"))
    hand.finish("a")
    hand.finish("b")
    hand.review(Revise(findings=("x",), blamed=("b",)))
    assert refold(hand) == hand.state


def test_what_was_under_way_at_a_crash_is_handed_over_again_at_the_same_attempt() -> None:
    """The attempt is part of the place, so that the journal's answers are found."""
    hand = planned(charter(), step("a"), step("b"))
    hand.report("b", waiting())
    commands = decide(resumed(refold(hand)))
    assert [(c.step, c.attempt, c.reason) for c in commands if isinstance(c, Delegated)] == [
        ("a", 1, "taken up again"),
        ("b", 1, "taken up again"),
    ]


def test_what_ran_beside_a_failure_is_taken_up_again_before_the_end() -> None:
    """A write may be in doubt: a doomed run finishes what it began, a skipped step its other elements."""
    hand = planned(charter(), step("a"), step("b"))
    hand.report("a", failed())
    assert [c.step for c in decide(resumed(refold(hand))) if isinstance(c, Delegated)] == ["b"]
    each = planned(charter(), step("each", for_each=out_of("task"), on_failure=Skip()), output=1, task=[1, 2])
    each.report("each[0]", failed())
    assert [c.step for c in decide(resumed(refold(each))) if isinstance(c, Delegated)] == ["each[1]"]


def test_a_planner_that_was_being_asked_is_asked_the_same_again() -> None:
    """The same number, and the same told: its answer may be in the journal under exactly that request."""
    hand = planned(charter(replans=True), step("a", look=True), step("b"))
    (asked,) = hand.finish("a")
    told = hand.state.told
    hand.finish("b")
    state = resumed(refold(hand))
    (again,) = decide(state)
    assert again == asked
    assert evolve(state, again).told == told
    assert told.results.keys() == {"a"}


def test_a_person_who_was_asked_for_a_verdict_is_asked_the_same_again() -> None:
    """The reason is part of the question; another reason would be another question."""
    hand = planned(ESCALATING, step("a"))
    hand.finish("a")
    (asked,) = hand.review(Escalate(reason="too much money"))
    hand.tell(ReviewFailed(round=0, report=waiting()))
    assert decide(resumed(refold(hand))) == (asked,)
    assert asked == ReviewRequested(round=0, by="eva", reason="too much money")


def test_a_new_plan_keeps_what_unchanged_steps_gave_and_considers_skipped_ones_again() -> None:
    """Only what changed, and what depends on it, is done again."""
    before = [step("a"), step("b", "a"), step("c", on_failure=Skip()), step("d", "c")]
    hand = planned(charter(replans=True), *before, step("look", "b", look=True), output=1)
    hand.report("c", failed("denied"))
    for name in ("a", "b", "look"):
        hand.finish(name)
    hand.plan(before[0], step("b", "a", worker="x"), step("c", worker="x"), before[3], step("e", "b"), output=1)
    assert hand.state.results.keys() == {"a"}
    assert hand.running == ["b", "c"]
    assert hand.state.attempts["b"] == 2


def test_a_step_is_unchanged_only_if_what_it_depends_on_is() -> None:
    """Its input would be another one."""
    before = plan_of(step("a"), step("b", "a"), step("c"))
    after = plan_of(step("a", worker="x"), step("b", "a"), step("c"))
    assert unchanged(before, after) == {"c"}
    assert unchanged(None, after) == frozenset()


def test_a_step_marked_look_has_the_planner_asked_again() -> None:
    """Its output is what the planner has to see; without rounds left it goes on as planned."""
    hand = planned(charter(replans=True, budget=Budget(rounds=1)), step("a", look=True))
    (asked,) = hand.finish("a")
    assert asked == PlanRequested(n=2, reason="step 'a' was marked to be looked at")
    hand.plan(step("a", look=True), step("b", "a", look=True))
    hand.finish("b", 5)
    assert hand.output == 5


def test_what_comes_up_while_the_planner_is_asked_is_asked_afterwards() -> None:
    """Its answer cannot know of it; both rounds count."""
    hand = planned(charter(replans=True), step("a", look=True), step("b"), step("c"))
    hand.finish("a")
    hand.report("b", failed())
    assert hand.state.meanwhile == "step 'b' failed for good: tool_failed: it was tool_failed"
    hand.tell(Planned(n=2, plan=hand.state.plan or plan_of()))
    assert hand.said == [PlanRequested(n=3, reason="step 'b' failed for good: tool_failed: it was tool_failed")]
    hand.report("c", failed())
    assert hand.state.failure is not None, "two rounds, and both are taken"


def test_what_needs_a_failed_step_is_not_skipped_while_the_planner_may_mend_it() -> None:
    """Only when the planner has left it as it is."""
    hand = planned(charter(replans=True, budget=Budget(rounds=1)), step("a"), step("b", "a"))
    hand.report("a", failed())
    assert of_type(hand.events, StepSkipped) == []
    hand.plan(step("a"), step("b", "a"))
    assert [event.step for event in of_type(hand.events, StepSkipped)] == ["b"]


def test_a_refused_change_is_asked_again_with_what_came_up_meanwhile() -> None:
    """The brief of the next proposal tells it already."""
    hand = planned(charter(replans=True), step("a", look=True), step("b"))
    hand.finish("a")
    hand.report("b", failed())
    (asked,) = hand.refuse(fault())
    assert isinstance(asked, PlanRequested)
    assert hand.state.told.results.keys() == {"a", "b"}
    assert hand.state.meanwhile == ""


def test_a_failed_step_is_replanned_once_its_other_elements_are_over() -> None:
    """Until then a change could not replace it."""
    hand = planned(charter(replans=True), step("each", for_each=out_of("task")), task=[1, 2])
    assert kinds(hand.report("each[0]", failed())) == ["reacted"]
    assert kinds(hand.finish("each[1]")) == ["plan_requested"]
    assert hand.state.results["each"].status == "failed"


def test_elements_that_end_after_their_step_was_skipped_do_not_bring_it_back() -> None:
    """What needed it has been skipped already; the order of completion must not matter."""
    each = step("each", for_each=out_of("task"), on_failure=Skip())
    for order in ((0, 1), (1, 0)):
        hand = planned(charter(), each, output=7, task=[1, 2])
        for i in order:
            hand.report(f"each[{i}]", failed() if i == 0 else done(1))
        assert hand.state.results["each"].status == "skipped"
        assert hand.output == 7


def test_an_element_that_fails_after_its_step_is_over_is_not_reacted_to() -> None:
    """One failure of a step is replanned once."""
    hand = planned(charter(replans=True), step("each", for_each=out_of("task")), task=[1, 2])
    hand.report("each[0]", failed())
    assert kinds(hand.report("each[1]", failed())) == ["plan_requested"]
    assert len(of_type(hand.events, Reacted)) == 1


def test_a_worker_that_skips_its_step_has_it_skipped() -> None:
    """What needs it is skipped with the worker's reason; of a spread only that element is left out."""
    hand = planned(charter(), step("a"), step("b", "a"), output=1)
    hand.report("a", Skipped(reason="nothing to do"))
    assert of_type(hand.events, StepSkipped)[0].reason.endswith("which was skipped: nothing to do")
    each = planned(charter(), step("each", for_each=out_of("task")), task=[1, 2])
    each.report("each[0]", Skipped(reason="nothing to do"))
    each.finish("each[1]", 20)
    assert each.output == [20]


def test_elements_dropped_for_a_quorum_leave_no_gap() -> None:
    """The output lists those that succeeded, in order."""
    hand = planned(charter(), step("each", for_each=out_of("task"), on_failure=Quorum(of=2)), task=[1, 2, 3])
    hand.finish("each[2]", 30)
    hand.report("each[0]", failed())
    hand.finish("each[1]", 20)
    assert hand.output == [20, 30]


def test_work_that_is_to_be_tried_again_has_not_failed_yet() -> None:
    """It counts for a quorum as long as it can succeed."""
    state = planned(charter(), step("a")).state
    for reaction in ("retry", "fallback"):
        told = evolve(state, Reported(step="a", attempt=1, report=failed(passing=True)))
        told = evolve(
            told, Reacted.model_validate({"step": "a", "attempt": 1, "reaction": reaction, "reason": "once more"})
        )
        assert told.works["a"].report is None


def test_an_approved_draft_is_delivered() -> None:
    """With the verdict and its reason."""
    hand = planned(REVIEWED, step("a"))
    assert kinds(hand.finish("a", 1)) == ["joined", "review_requested"]
    (ended,) = hand.review(Approve(reason="fine"))
    assert ended == Ended(report=Done(output=1), verdict=Approve(reason="fine"), reason="fine")


def test_a_rejected_draft_fails_and_is_kept() -> None:
    """Nothing is delivered past a gate."""
    hand = planned(REVIEWED, step("a"))
    hand.finish("a", 1)
    hand.review(Reject(reason="wrong firm"))
    assert hand.failure.kind == "rejected"
    assert hand.failure.message == "the reviewer of boss did not approve: wrong firm"
    assert isinstance(hand.ended, Failed)
    assert hand.ended.partial == 1


def test_only_blamed_steps_and_what_depends_on_them_run_again_with_the_findings() -> None:
    """A surgical revision: the others keep their results, attempts are counted."""
    hand = planned(REVIEWED, step("a"), step("b"), step("c", "b"), step("d", "c"), output=[out_of("a"), out_of("d")])
    for name in "abcd":
        hand.finish(name)
    said = hand.review(Revise(findings=("c is short",), blamed=("c", "nobody")))
    assert said[0] == Revising(round=1, blamed=("c",), steps=("c", "d"), findings=("c is short",), reason="1 findings")
    assert [(c.step, c.attempt, c.findings) for c in said if isinstance(c, Delegated)] == [("c", 2, ("c is short",))]
    (handed,) = hand.finish("c", "longer")
    assert isinstance(handed, Delegated)
    assert (handed.step, handed.attempt, handed.findings) == ("d", 2, ())


def test_without_blame_every_step_that_feeds_the_output_runs_again() -> None:
    """And if the output refers to none, all steps."""
    hand = planned(REVIEWED, step("a"), step("b"), output=out_of("b"))
    hand.finish("a")
    hand.finish("b")
    assert of_type(hand.review(Revise(findings=("x",))), Revising)[0].steps == ("b",)
    literal = planned(REVIEWED, step("a"), output=1)
    literal.finish("a")
    assert of_type(literal.review(Revise(findings=("x",))), Revising)[0].steps == ("a",)


def test_a_revision_that_improves_nothing_is_the_last() -> None:
    """As many findings as before: the best draft, the earliest of equals, is kept."""
    hand = planned(REVIEWED, step("a"))
    hand.finish("a", "first")
    hand.review(Revise(findings=("x",)))
    hand.finish("a", "second")
    hand.review(Revise(findings=("y",)))
    assert hand.failure.message.endswith("the last revision improved nothing: y (there is nobody to escalate to)")
    assert isinstance(hand.ended, Failed)
    assert hand.ended.partial == "first"


def test_rounds_of_revision_are_bounded() -> None:
    """Even if each round is better than the last."""
    hand = planned(charter(reviewed=True, budget=Budget(rounds=1)), step("a"))
    hand.finish("a")
    hand.review(Revise(findings=("x", "y")))
    hand.finish("a", "better")
    hand.review(Revise(findings=("x",)))
    assert "1 revisions were not enough: x" in hand.failure.message
    assert isinstance(hand.ended, Failed)
    assert hand.ended.partial == "better"


def test_a_draft_without_steps_cannot_be_revised() -> None:
    """There is nobody to send it back to."""
    hand = ByHand(REVIEWED)
    hand.plan(output=5)
    hand.review(Revise(findings=("x",)))
    assert "there is no step to run again: x" in hand.failure.message


def test_a_person_decides_about_the_best_draft() -> None:
    """Approved, it is delivered; the person's no is the last word."""
    for verdict, output in ((Approve(), "first"), (Reject(reason="no"), None)):
        hand = planned(ESCALATING, step("a"))
        hand.finish("a", "first")
        hand.review(Revise(findings=("x",)))
        hand.finish("a", "second")
        (asked,) = hand.review(Revise(findings=("x", "y")))
        assert asked == ReviewRequested(round=1, by="eva", reason="the last revision improved nothing: x; y")
        hand.review(verdict)
        assert (hand.output if output else hand.failure.kind) == (output or "rejected")


def test_a_person_has_the_last_word() -> None:
    """Whatever a person says but yes, nobody is asked after them."""
    hand = planned(ESCALATING, step("a"))
    hand.finish("a")
    hand.review(Escalate(reason="odd"))
    hand.review(Escalate(reason="not me"))
    assert hand.failure.message.endswith("not me (eva has the last word)")


def test_a_reviewer_that_fails_hands_the_verdict_to_a_person() -> None:
    """A person decides where the reviewer does not; if there is none, what was not judged is not delivered."""
    hand = planned(ESCALATING, step("a"))
    hand.finish("a", 1)
    (asked,) = hand.tell(ReviewFailed(round=0, report=failed("refused")))
    assert asked == ReviewRequested(round=0, by="eva", reason="the reviewer gave no verdict: refused: it was refused")
    hand.review(Approve())
    assert hand.output == 1
    alone = planned(REVIEWED, step("a"))
    alone.finish("a", 1)
    alone.tell(ReviewFailed(round=0, report=Skipped(reason="away")))
    assert (alone.failure.kind, alone.failure.message) == ("defect", "the reviewer gave no answer: away")


def test_a_person_is_not_shown_a_draft_that_they_are_not_cleared_for() -> None:
    """A handoff to a person is a handoff."""
    hand = ByHand(charter(reviewed=True, escalates_to="eva", escalation=frozenset({"web"})), 1, frozenset({"secret"}))
    hand.plan(step("a"))
    hand.finish("a")
    hand.review(Escalate(reason="odd"))
    assert hand.failure.message.endswith("odd (eva is not cleared for data labelled secret)")


def test_a_draft_outlives_a_revision_that_fails() -> None:
    """The best so far is what a failure leaves behind."""
    hand = planned(REVIEWED, step("a"))
    hand.finish("a", "first")
    hand.review(Revise(findings=("x",)))
    hand.report("a", failed())
    assert isinstance(hand.ended, Failed)
    assert hand.ended.partial == "first"
