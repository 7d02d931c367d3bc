"""Why a step got its input and its worker."""

from typing import Any

import pytest

from echelon.protocols.errors import UsageError
from echelon.protocols.events import (
    Delegated,
    Event,
    Expanded,
    Planned,
    Reacted,
    Reported,
    Reviewed,
    Revising,
    StepSkipped,
)
from echelon.protocols.messages import Approve, Done, Failed, Failure, Json, JsonReport, Revise
from echelon.protocols.plans import Plan, Ref, Step
from echelon.supervisor.views.explain import Origin, explain, steps


def ref(source: str, at: str = "") -> dict[str, Json]:
    """A reference as it stands in a template."""
    return {"$from": source, "at": at}


def planned(*made: Step, path: str = "", reason: str = "") -> Planned:
    """A plan that held."""
    return Planned(path=path, n=1, plan=Plan(steps=made, output=None, reason=reason))


def delegated(step: str, payload: Json, path: str = "", worker: str = "reader", **more: Any) -> Delegated:
    """A handoff."""
    attempt = more.pop("attempt", 1)
    return Delegated.model_validate(
        {"path": path, "step": step, "worker": worker, "attempt": attempt, "payload": payload, "digest": "d"}
        | {"reason": "its inputs are there"}
        | more
    )


def reported(step: str, report: JsonReport, path: str = "", attempt: int = 1) -> Reported:
    """A report."""
    return Reported(path=path, step=step, attempt=attempt, report=report)


READ = Step(id="read", worker="reader", input={"file": ref("task", "/file")})
POST = Step(
    id="post",
    worker="poster",
    input={"sum": ref("read", "/total"), "to": {"a/b": ["ledger", ref("task", "/who")]}, "tags": []},
)


def test_each_field_of_the_input_says_where_its_value_came_from() -> None:
    """From the task, from another step and its worker, or from the plan itself."""
    payload: dict[str, Json] = {"sum": 3, "to": {"a/b": ["ledger", "me"]}, "tags": []}
    events: list[Event] = [
        planned(READ, POST, reason="read, then post"),
        delegated("read", {"file": "x.pdf"}),
        reported("read", Done(output={"total": 3})),
        delegated("post", payload, worker="poster", labels=["secret"], rejected=["mailer: the plan names poster"]),
    ]
    found = explain(events, "post")
    (made,) = found.tries
    assert found.plan_reason == "read, then post"
    assert made.origins == (
        Origin(field="/sum", source="read", at="/total", worker="reader", value=3),
        Origin(field="/to/a~1b/0", source=None, value="ledger"),
        Origin(field="/to/a~1b/1", source="task", at="/who", value="me"),
        Origin(field="/tags", source=None, value=[]),
    )
    assert (made.worker, made.labels, made.rejected) == ("poster", ("secret",), ("mailer: the plan names poster",))
    assert made.report is None


def test_an_input_that_is_one_reference_has_one_origin() -> None:
    """The whole input is the field "" ."""
    whole = Step(id="read", worker="reader", input=ref("task"))
    (made,) = explain([planned(whole), delegated("read", {"a": 1})], "read").tries
    assert made.origins == (Origin(field="", source="task", value={"a": 1}),)


def test_attempts_are_told_with_what_was_done_about_each() -> None:
    """A failure, its reaction, and the fallback worker that came after."""
    failure = Failed(failure=Failure(kind="timeout", message="slow"))
    events: list[Event] = [
        planned(READ),
        delegated("read", {"file": "x"}),
        reported("read", failure),
        Reacted(step="read", attempt=1, reaction="fallback", worker="scanner", reason="reader failed"),
        delegated("read", {"file": "x"}, worker="scanner", attempt=2, reason="reader failed"),
        reported("read", Done(output=1), attempt=2),
    ]
    first, second = explain(events, "read").tries
    assert (first.report, first.reaction) == (failure, "fallback: reader failed")
    assert (second.worker, second.reason, second.report) == ("scanner", "reader failed", Done(output=1))
    assert [made.path for made in explain(events, "read#2").tries] == ["/read#2"]


def test_the_plan_that_held_at_the_time_is_the_one_that_explains() -> None:
    """A later plan does not change where a value came from."""
    later = READ.model_copy(update={"input": {"file": ref("item", "/other")}})
    events: list[Event] = [planned(READ), delegated("read", {"file": "x"}), planned(later)]
    found = explain(events, "read")
    assert found.tries[0].origins[0].source == "task"
    assert found.template == later


def test_instances_are_told_together_or_one_by_one() -> None:
    """A fan-out by its id, one element by its index."""
    each = Step(id="lines", worker="reader", input=ref("item"), for_each=Ref.model_validate(ref("task", "/lines")))
    events: list[Event] = [
        planned(each),
        Expanded(step="lines", items=("a", "b")),
        delegated("lines[0]", "a"),
        delegated("lines[1]", "b"),
        delegated("lines[1]@2", "b"),
    ]
    found = explain(events, "lines")
    assert (found.instances, len(found.tries)) == (2, 3)
    assert [made.path for made in explain(events, "lines[1]").tries] == ["/lines[1]#1", "/lines[1]@2#1"]
    assert [made.path for made in explain(events, "lines[1]@2").tries] == ["/lines[1]@2#1"]


def test_reviews_say_why_a_step_ran_again() -> None:
    """The verdict, and whether the step was blamed or stands behind one that was."""
    events: list[Event] = [
        planned(READ, POST),
        Reviewed(round=0, verdict=Revise(findings=("the sum is wrong",), blamed=("read",))),
        Revising(
            round=1,
            blamed=("read",),
            steps=("read", "post"),
            findings=("the sum is wrong",),
            reason="the reviewer said so",
        ),
        Reviewed(round=1, verdict=Approve()),
    ]
    assert explain(events, "post").reviews == (
        "round 0: revise: the sum is wrong",
        "runs again in round 1 (depends on a blamed step): the reviewer said so",
        "round 1: approve",
    )
    assert "(blamed)" in explain(events, "read").reviews[1]


def test_a_step_that_was_skipped_says_why() -> None:
    """It has no attempts."""
    found = explain([planned(READ), StepSkipped(step="read", reason="not an invoice")], "read")
    assert (found.skipped, found.tries) == (("not an invoice",), ())


def test_a_step_that_could_not_be_handed_over_says_why() -> None:
    """There is a report and nobody who gave it."""
    denied = Failed(failure=Failure(kind="denied", message="not cleared"))
    (made,) = explain([planned(READ), reported("read", denied)], "read").tries
    assert (made.worker, made.report) == ("", denied)


TEAM = Step(id="research", worker="team", input={})


def test_steps_of_a_team_are_named_by_the_way_to_them() -> None:
    """The last attempt of the team, unless another one is named."""
    events: list[Event] = [
        planned(TEAM),
        planned(READ, path="/research#1"),
        delegated("read", {"file": "1"}, path="/research#1"),
        planned(READ, path="/research#2"),
        delegated("read", {"file": "2"}, path="/research#2"),
    ]
    assert steps(events) == ("research", "research/read")
    for name in ("read", "research/read", "/research#2/read#1", "/research/read/"):
        assert [made.path for made in explain(events, name).tries] == ["/research#2/read#1"]
    assert [made.path for made in explain(events, "/research#1/read").tries] == ["/research#1/read#1"]
    assert explain(events, "read").step == "research/read"


def test_the_roots_step_is_meant_where_a_team_has_one_of_that_name() -> None:
    """A short name means the nearest."""
    events: list[Event] = [planned(TEAM, READ), planned(READ, path="/research#1")]
    assert explain(events, "read").step == "read"


@pytest.mark.parametrize("name", ["nix", "read/x", "other/read", "", "/", "lines[0]"])
def test_an_unknown_step_is_answered_with_the_known_ones(name: str) -> None:
    """One clear line."""
    with pytest.raises(UsageError, match="the steps are: read, post"):
        explain([planned(READ, POST)], name)


@pytest.mark.parametrize("name", ["read[", "read[1]", "read#2", "read@2"])
def test_an_unknown_instance_is_answered_with_the_known_ones(name: str) -> None:
    """The step is known, and what there is of it."""
    with pytest.raises(UsageError, match="there is: read#1"):
        explain([planned(READ), delegated("read", {})], name)


def test_a_name_that_two_teams_use_is_answered_with_both() -> None:
    """Nobody guesses."""
    events: list[Event] = [planned(READ, path="/a#1"), planned(READ, path="/b#1")]
    with pytest.raises(UsageError, match="the steps are: a/read, b/read"):
        explain(events, "read")


def test_a_run_without_a_plan_has_no_steps() -> None:
    """The message says so."""
    with pytest.raises(UsageError, match="none: no plan held"):
        explain([], "read")
