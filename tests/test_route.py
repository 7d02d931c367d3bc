"""The route: who did what, in canonical order, with what result."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.events import (
    Cancelled,
    Delegated,
    EffectFinished,
    EffectStarted,
    Event,
    PlanFailed,
    Planned,
    PlanRefused,
    PlanRequested,
    Reacted,
    Reported,
    Reviewed,
    ReviewFailed,
    ReviewRequested,
    StepSkipped,
)
from echelon.protocols.messages import (
    Approve,
    Done,
    Escalate,
    Failed,
    Failure,
    JsonReport,
    Question,
    Reject,
    Revise,
    Skipped,
    Usage,
    Waiting,
)
from echelon.protocols.plans import Fault, Plan
from echelon.supervisor.log import Entry
from echelon.supervisor.views.route import Leg, route

QUESTION = Question(
    id="q1", path="/a#1", asks="approval", of="boss", prompt="ok?", subject=1, digest="d", answer_schema={}
)


def entries(*events: Event) -> list[Entry]:
    """Events a second apart."""
    return [Entry(seq, float(seq), event) for seq, event in enumerate(events, 1)]


def delegated(step: str, attempt: int = 1, path: str = "") -> Delegated:
    """Hand a step to its worker."""
    return Delegated(
        path=path, step=step, worker="reader", attempt=attempt, payload={}, digest="d", reason="its inputs are there"
    )


def reported(step: str, report: JsonReport, attempt: int = 1, path: str = "") -> Reported:
    """Come back from a step."""
    return Reported(path=path, step=step, attempt=attempt, report=report)


def legs(*events: Event) -> Sequence[Leg]:
    """The route of these events."""
    return route(entries(*events))


def test_a_leg_says_who_did_what_and_how_long_it_took() -> None:
    """From the handoff to the report."""
    (leg,) = legs(delegated("a"), reported("a", Done(output=1)))
    assert (leg.path, leg.worker, leg.status, leg.seconds) == ("/a#1", "reader", "done", 1.0)
    assert leg.reason == "its inputs are there"


def test_attempts_and_instances_stand_in_the_order_of_their_numbers() -> None:
    """The tenth comes after the second."""
    events = [delegated(f"lines[{i}]") for i in (10, 2, 0)] + [delegated("a", 2), delegated("a", 1)]
    assert [leg.path for leg in legs(*events)] == ["/a#1", "/a#2", "/lines[0]#1", "/lines[2]#1", "/lines[10]#1"]


def test_a_failure_is_told_with_the_reaction_to_it() -> None:
    """Why, and what then."""
    failure = Failed(failure=Failure(kind="timeout", message="slow"))
    again = Reacted(step="a", attempt=1, reaction="retry", reason="it may pass")
    (first, second) = legs(delegated("a"), reported("a", failure), again, delegated("a", 2))
    assert (first.status, first.reason, first.reaction) == ("failed", "timeout: slow", "retry")
    assert (second.status, second.ended) == ("running", None)


def test_a_step_that_waits_has_no_end_until_somebody_answers() -> None:
    """The days until then are part of it."""
    asked = (delegated("a"), reported("a", Waiting(questions=(QUESTION,))))
    (leg,) = legs(*asked)
    assert (leg.status, leg.ended, leg.reason) == ("waiting", None, "waits for boss (q1)")
    (leg,) = legs(*asked, delegated("a"), reported("a", Done(output=1)))
    assert (leg.status, leg.started, leg.seconds) == ("done", 1.0, 3.0)


def test_steps_that_were_not_run_are_told_with_the_reason() -> None:
    """By the supervisor, by the worker, or since they could not be handed over."""
    denied = Failed(failure=Failure(kind="denied", message="not cleared"))
    skipped, refused, declined = legs(
        StepSkipped(step="a", reason="not needed"),
        reported("b", denied),
        delegated("c"),
        reported("c", Skipped(reason="nothing to do")),
    )
    assert (skipped.path, skipped.attempt, skipped.status, skipped.reason) == ("/a", 0, "skipped", "not needed")
    assert (refused.worker, refused.status) == ("", "failed")
    assert (declined.status, declined.reason) == ("skipped", "nothing to do")


def test_planner_and_reviewer_are_on_the_route() -> None:
    """Their places are beside the steps."""
    plan = Plan(steps=(), output=None)
    fault = Fault(kind="cycle", step="a", field="/x", message="needs itself")
    found = legs(
        PlanRequested(n=1, reason="a task has come"),
        PlanRefused(n=1, faults=(fault,)),
        PlanRequested(n=2, reason="faults"),
        Planned(n=2, plan=plan, reason="shorter"),
        PlanRequested(n=3, reason="look"),
        PlanFailed(n=3, report=Failed(failure=Failure(kind="refused", message="no"))),
        ReviewRequested(round=0),
        Reviewed(round=0, verdict=Revise(findings=("sum is wrong",))),
        ReviewRequested(round=1),
        Reviewed(round=1, verdict=Escalate(reason="unsure")),
        ReviewRequested(round=1, by="boss"),
        Reviewed(round=1, verdict=Reject(reason="no")),
        ReviewRequested(round=2),
        ReviewFailed(round=2, report=Waiting(questions=(QUESTION,))),
        ReviewRequested(round=3),
        Reviewed(round=3, verdict=Approve()),
    )
    told = {leg.path: (leg.role, leg.worker, leg.status, leg.reason) for leg in found}
    assert told == {
        "/plan#1": ("planner", "planner", "refused", "a/x: needs itself"),
        "/plan#2": ("planner", "planner", "done", "shorter"),
        "/plan#3": ("planner", "planner", "failed", "refused: no"),
        "/review#1": ("reviewer", "reviewer", "refused", "to be revised: sum is wrong"),
        "/review#2": ("reviewer", "reviewer", "refused", "escalate: unsure"),
        "/escalation#2": ("reviewer", "boss", "refused", "reject: no"),
        "/review#3": ("reviewer", "reviewer", "waiting", "waits for boss (q1)"),
        "/review#4": ("reviewer", "reviewer", "done", "approved"),
    }


def test_what_ran_when_the_run_was_called_off_was_cancelled() -> None:
    """And what was over stays over."""
    done, cut = legs(delegated("a"), reported("a", Done(output=1)), delegated("b"), Cancelled(reason="ctrl-c"))
    assert (done.status, cut.status, cut.reason) == ("done", "cancelled", "ctrl-c")


def test_a_leg_costs_what_its_place_and_all_below_it_cost() -> None:
    """A team costs what its people cost."""
    spent = Usage(calls=1, usd=0.5)
    team, member = legs(
        delegated("team"),
        delegated("a", path="/team#1"),
        EffectStarted(path="/team#1/a#1", kind="model", n=0, digest="d"),
        EffectFinished(path="/team#1/a#1", kind="model", n=0, digest="d", usage=spent),
    )
    assert (team.usage, member.usage) == (spent, spent)


@given(order=st.permutations(range(6)))
def test_the_route_is_the_same_whoever_came_back_first(order: list[int]) -> None:
    """All but the times: the order of arrival is timing."""
    begun = [delegated(f"lines[{i}]") for i in range(6)]
    ends = [reported(f"lines[{i}]", Done(output=i)) for i in order]
    found = legs(*begun, *ends)
    assert [(leg.path, leg.status) for leg in found] == [(f"/lines[{i}]#1", "done") for i in range(6)]
