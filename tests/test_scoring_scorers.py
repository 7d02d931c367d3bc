"""Scorers say yes, no, or that they cannot say; what cannot be judged never becomes a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon import Done, ScriptedModel
from echelon.evals.scenario import Ending, Expectation, Header, Reference, Scenario, Source
from echelon.evals.scorecard import Score
from echelon.evals.scoring.endings import together
from echelon.evals.scoring.judge import Judge
from echelon.evals.scoring.scorers import (
    AsRecorded,
    Attempt,
    Check,
    Expectations,
    Matches,
    Mentions,
    Scorer,
    equal,
    unmet,
)
from echelon.protocols.events import EffectFinished, Event, Parked, RunEnded
from echelon.protocols.messages import Failed, Failure, Json
from echelon.supervisor.runs import Entry

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def scenario(reference: Reference | None = None, **more: Any) -> Scenario:
    header = Header(id="one", worker="desk", input={"n": 1}, source=Source(kind="synthetic"))
    return Scenario(header=header, reference=reference or Reference(), **more)


def delivered(output: Json) -> list[Event]:
    return [RunEnded(report=Done(output=output))]


def broken() -> list[Event]:
    return [RunEnded(report=Failed(failure=Failure(kind="budget", message="spent")))]


def scored(scorer: Scorer, events: Sequence[Event], of: Scenario | None = None) -> Score:
    return anyio.run(scorer.score, Attempt(scenario=of or scenario(), events=events))


@pytest.mark.parametrize(
    ("op", "value", "found", "holds"),
    [
        ("eq", 3, 3.0, True), ("eq", True, 1, False), ("eq", "a", "b", False), ("ne", 3, 4, True),
        ("lt", 3, 2, True), ("lt", 3, 3, False), ("le", 3, 3, True), ("gt", 3, 4, True), ("ge", 3, 3, True),
        ("gt", 3, "4", False), ("in", [1, 2], 2, True), ("in", [1, 2], 3, False), ("contains", "ell", "hello", True),
        ("contains", 2, [1, 2], True), ("contains", 5, [1, 2], False), ("exists", None, 0, True),
        ("exists", None, None, False), ("absent", None, None, True), ("absent", None, 0, False), ("le", "b", "a", True),
    ],
)  # fmt: skip
def test_an_expectation_is_a_closed_comparison(op: Any, value: Json, found: Json, holds: bool) -> None:  # noqa: FBT001 - a table
    said = unmet(Expectation(at="/x", op=op, value=value), {"x": found})
    assert (said is None) == holds


def test_what_a_pointer_does_not_lead_to_is_said() -> None:
    assert unmet(Expectation(at="/a/0/b", op="eq", value=1), {"a": [{"b": 1}]}) is None
    assert (
        unmet(Expectation(at="/a/1/b", op="eq", value=1), {"a": [{"b": 1}]})
        == "/a/1/b: expected eq 1, found nothing there"
    )
    assert unmet(Expectation(at="/a~1b", op="eq", value=1), {"a/b": 1}) is None


def test_numbers_are_equal_up_to_a_tolerance() -> None:
    assert unmet(Expectation(op="eq", value=1.0, within=0.1), 1.05) is None
    assert unmet(Expectation(op="lt", value=1.0, within=0.1), 0.95) is not None
    assert unmet(Expectation(op="le", value=1.0, within=0.1), 1.05) is None


@given(JSON, JSON)
def test_equality_is_symmetric_and_holds_of_itself(left: Json, right: Json) -> None:
    assert equal(left, left)
    assert equal(left, right) == equal(right, left)


def test_expectations_judge_status_and_output() -> None:
    known = scenario(Reference(status="delivered", expect=(Expectation(at="/n", op="ge", value=2),)))
    assert scored(Expectations(), delivered({"n": 2}), known).success == "yes"
    assert scored(Expectations(), delivered({"n": 1}), known).evidence == "/n: expected ge 2, found 1"
    failed = scored(Expectations(), broken(), known)
    assert failed.success == "no"
    assert "expected status delivered, found failed" in failed.evidence


def test_a_scenario_without_expectations_is_unscored_not_right() -> None:
    assert scored(Expectations(), delivered(1)).success == "unscored"
    assert scored(Matches(), delivered(1)).success == "unscored"
    assert scored(AsRecorded(), delivered(1)).success == "unscored"


def test_a_run_that_waits_can_be_what_was_expected() -> None:
    known = scenario(Reference(status="waiting"))
    assert scored(Expectations(), [Parked(questions=("q",))], known).success == "yes"


def test_a_reference_output_is_matched_leaf_by_leaf() -> None:
    known = scenario(Reference(output={"a": 1, "b": [1, 2], "c": {}}))
    assert scored(Matches(), delivered({"a": 1, "b": [1, 2], "c": {}}), known).success == "yes"
    partly = scored(Matches(), delivered({"a": 1, "b": [1, 3], "c": {}}), known)
    assert (partly.success, partly.value, partly.evidence) == ("no", 0.75, "differs at /b/1")
    more = delivered({"a": 1, "b": [1, 2], "c": {}, "d": 4})
    assert scored(Matches(), more, known).evidence == "has more than the reference"
    assert scored(Matches(extra=True), more, known).success == "yes"


def test_texts_must_stand_in_some_answer_or_in_the_output() -> None:
    known = scenario(Reference(mentions=("42", "Euro")))
    reply = EffectFinished(path="", kind="model", n=0, digest="d", result={"text": "It costs 42."})
    assert scored(Mentions(), [reply, *delivered("in EURO")], known).success == "yes"
    partly = scored(Mentions(), delivered("in EURO"), known)
    assert (partly.success, partly.value, partly.evidence) == ("no", 0.5, "nobody said '42'")
    assert scored(Mentions(), delivered("42 Euro")).success == "unscored"


def test_what_was_said_of_the_recorded_run_holds_only_of_the_same_ending() -> None:
    entries = [Entry(1, 0.0, event) for event in delivered({"n": 1})]
    known = scenario(entries=entries, ending=Ending(success="yes", scorer="person"))
    assert scored(AsRecorded(), delivered({"n": 1}), known).success == "yes"
    assert scored(AsRecorded(), delivered({"n": 2}), known).success == "unscored"


@pytest.mark.parametrize(
    ("said", "success", "value"),
    [(True, "yes", None), (False, "no", None), (1.0, "yes", 1.0), (0.4, "no", 0.4), (None, "unscored", None),
     ((True, "why"), "yes", None), (7.0, "unscored", None), ("text", "unscored", None)],
)  # fmt: skip
def test_the_type_of_what_a_check_returns_is_its_meaning(said: Any, success: str, value: float | None) -> None:
    found = scored(Check(lambda _: said, name="mine"), delivered(1))
    assert (found.scorer, found.success, found.value) == ("mine", success, value)


def test_a_check_may_be_async_and_one_that_raises_leaves_the_run_unscored() -> None:
    async def later(attempt: Attempt) -> bool:
        await anyio.lowlevel.checkpoint()
        return equal(attempt.output, 1)

    def wrong(attempt: Attempt) -> bool:
        raise KeyError("total")

    assert scored(Check(later), delivered(1)).success == "yes"
    assert scored(Check(wrong), delivered(1)).evidence == "the check raised KeyError: 'total'"


@given(st.permutations(["yes", "no", "unscored"]), st.integers(0, 3))
def test_one_no_is_a_no_and_one_unscored_is_never_a_yes(order: list[Any], count: int) -> None:
    scores = [Score(scorer=f"{i}", success=success) for i, success in enumerate(order[:count])]
    found = together(scores)
    kinds = {score.success for score in scores}
    assert found == ("no" if "no" in kinds else "yes" if kinds == {"yes"} else "unscored")


OPINION = {"reason": "it names both", "right": True, "score": 1.0}


def test_a_model_judges_and_its_judgement_is_kept_for_those_who_have_no_model() -> None:
    judge = Judge("Name both.", models=[ScriptedModel([OPINION])])
    assert scored(judge, delivered("a and b")).evidence == "scripted: it names both"
    assert scored(judge, delivered("a and b")).success == "yes"  # not asked again: the script has one answer
    (kept,) = judge.fresh
    offline = Judge("Name both.", recorded={kept.key: kept})
    assert scored(offline, delivered("a and b")).success == "yes"
    assert scored(offline, delivered("a and c")).success == "unscored"
    assert scored(Judge("Name all.", recorded={kept.key: kept}), delivered("a and b")).success == "unscored"


def test_a_judge_that_gives_no_opinion_leaves_the_run_unscored() -> None:
    model = ScriptedModel(["not JSON", "still not"])
    found = scored(Judge("Name both.", models=[model]), delivered("a"))
    assert found.success == "unscored"
    assert "invalid_output" in found.evidence


def test_a_judge_asks_nobody_about_a_run_that_delivered_nothing() -> None:
    model = ScriptedModel([])
    assert scored(Judge("Name both.", models=[model]), broken()).success == "no"
    assert model.seen == []
