"""The gate: a change passes when too large a regression is excluded, not when none was noticed."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from echelon.evals.statistics.comparison import Compared, Contrast, Repeats, compare
from echelon.evals.statistics.gate import Rule, gate
from echelon.evals.statistics.intervals import Bootstrap, Interval
from echelon.protocols.errors import UsageError

ENOUGH = tuple(f"s{i}" for i in range(9))


def compared(
    low: float | None, high: float | None, *, evaluated: Sequence[str] = ENOUGH, unevaluable: Sequence[str] = ()
) -> Compared:
    """Compare success with this interval of the difference."""
    value = None if low is None or high is None else (low + high) / 2
    reason = "" if low is not None else "needs at least 2 clusters, found 1"
    interval = Interval(
        value=value, low=low, high=high, level=0.95, method="percentile", n=len(evaluated), reason=reason
    )
    contrast = Contrast(
        metric="success", baseline=0.75, candidate=0.7, difference=interval, test="", p=None, p_holm=None,
        detectable=None, evaluated=tuple(evaluated), unevaluable=tuple(unevaluable),
    )  # fmt: skip
    return Compared(contrasts=(contrast,), scenarios=(*evaluated, *unevaluable), left_out=())


def rule(**changes: Any) -> Rule:
    """Allow success to fall by .05."""
    return Rule.model_validate({"metric": "success", "margin": 0.05, "direction": "higher"} | changes)


@pytest.mark.parametrize(
    ("low", "high", "direction", "verdict", "ends"),
    [
        (-0.04, 0.02, "higher", "pass", "worse by at most 0.04, allowed 0.05"),
        (-0.05, 0.02, "higher", "pass", "worse by at most 0.05, allowed 0.05"),
        (0.01, 0.03, "higher", "pass", "worse by at most -0.01, allowed 0.05"),
        (-0.06, 0.20, "higher", "fail", "a larger regression is not excluded"),
        (-0.20, -0.06, "higher", "fail", "a larger regression is shown"),
        (-0.20, 0.04, "lower", "pass", "worse by at most 0.04, allowed 0.05"),
        (-0.20, 0.06, "lower", "fail", "a larger regression is not excluded"),
        (0.06, 0.20, "lower", "fail", "a larger regression is shown"),
        (None, None, "higher", "inconclusive", "no interval: needs at least 2 clusters, found 1"),
    ],
)  # fmt: skip
def test_the_bound_on_the_bad_side_decides(
    low: float | None, high: float | None, direction: str, verdict: str, ends: str
) -> None:
    found = gate([rule(direction=direction)], compared(low, high))
    assert found.verdict == found.rulings[0].verdict == verdict
    assert found.rulings[0].sentence.endswith(ends)


def test_the_sentence_says_what_bound_margin_and_found() -> None:
    assert gate([rule()], compared(-0.12, 0.02)).rulings[0].sentence == (
        "success: 0.75 became 0.7 (higher is better), difference -0.05 with a 95 % interval from -0.12 to +0.02 over 9 "
        "scenarios; worse by at most 0.12, allowed 0.05: a larger regression is not excluded"
    )


def test_a_change_that_was_hardly_tried_does_not_pass_for_lack_of_evidence() -> None:
    """Its p is far above .05, and its interval is as wide as its ignorance."""
    before = {f"s{i}": Repeats(task_hash="h", values={"success": [i % 2 == 0]}) for i in range(6)}
    after = {f"s{i}": Repeats(task_hash="h", values={"success": [i % 3 == 0]}) for i in range(6)}
    found = compare(before, after, Bootstrap(seed=1))
    assert found.contrasts[0].p is not None
    assert found.contrasts[0].p > 0.5
    assert gate([rule()], found).verdict == "fail"


def test_too_few_evaluated_scenarios_fail_whatever_the_interval_says() -> None:
    results = compared(0.1, 0.2, evaluated=ENOUGH, unevaluable=["lost"])
    assert gate([rule(min_coverage=0.9)], results).verdict == "pass"
    found = gate([rule()], results)
    assert found.verdict == "fail"
    assert found.rulings[0].sentence == (
        "success: 9 of 10 scenarios could be evaluated, expected a share of at least 1"
    )


def test_a_required_scenario_that_was_not_evaluated_fails_whatever_else() -> None:
    """Whether it is unevaluable or was never run."""
    results = compared(0.1, 0.2, unevaluable=["lost"])
    found = gate([rule(min_coverage=0.5, required={"s1", "lost", "gone"})], results)
    assert found.verdict == "fail"
    assert found.rulings[0].sentence == "success: required scenarios could not be evaluated: gone, lost"
    assert gate([rule(min_coverage=0.5, required={"s1"})], results).verdict == "pass"


def test_scenarios_that_were_left_out_are_told() -> None:
    results = compared(0.1, 0.2)
    some = Compared(contrasts=results.contrasts, scenarios=results.scenarios, left_out=("x", "y"))
    found = gate([rule()], some)
    assert found.rulings[0].sentence.endswith("; 2 scenarios that only one variant has were left out")


def test_one_failure_fails_and_one_doubt_leaves_doubt() -> None:
    results = compared(-0.1, 0.1)
    strict, loose = rule(), rule(margin=0.2)
    assert gate([loose, loose], results).verdict == "pass"
    found = gate([loose, strict], results)
    assert (found.verdict, [ruling.verdict for ruling in found.rulings]) == ("fail", ["pass", "fail"])
    assert gate([loose], compared(None, None)).verdict == "inconclusive"


def test_a_gate_without_rules_and_a_rule_about_nothing_are_refused() -> None:
    """A mistyped metric must not pass."""
    with pytest.raises(UsageError, match="at least one rule"):
        gate([], compared(0.1, 0.2))
    with pytest.raises(UsageError, match="rules about success, found sucess"):
        gate([rule(metric="sucess")], compared(0.1, 0.2))


@pytest.mark.parametrize(
    "changes", [{"margin": -0.1}, {"margin": float("inf")}, {"min_coverage": 1.1}, {"direction": "up"}, {"alpha": 0.05}]
)
def test_a_rule_from_a_file_is_checked(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**changes)


def test_a_rule_survives_its_file() -> None:
    one = rule(required={"b", "a"}, min_coverage=0.9)
    assert Rule.model_validate_json(one.model_dump_json()) == one


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_wider_margin_never_turns_a_pass_into_a_failure(low: float, width: float, margin: float, more: float) -> None:
    order = ["fail", "inconclusive", "pass"]
    results = compared(low, low + width)
    narrow, wide = (gate([rule(margin=allowed)], results).verdict for allowed in (margin, margin + more))
    assert order.index(narrow) <= order.index(wide)


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_both_directions_are_mirror_images(low: float, width: float, margin: float) -> None:
    high = low + width
    up = gate([rule(margin=margin)], compared(low, high)).verdict
    down = gate([rule(margin=margin, direction="lower")], compared(-high, -low)).verdict
    assert up == down
