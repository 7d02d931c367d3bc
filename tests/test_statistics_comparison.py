"""Comparisons: the same tasks or none, scenarios as units, and nothing imputed."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echelon.evals.statistics.comparison import Contrast, Repeats, compare
from echelon.evals.statistics.intervals import Bootstrap
from echelon.protocols.errors import UsageError

HOW = Bootstrap(seed=5, resamples=500)


def variant(metrics: Mapping[str, Sequence[Sequence[float | None]]], prefix: str = "s") -> dict[str, Repeats]:
    """Give the repeats of each scenario, by metric."""
    count = max(len(rows) for rows in metrics.values())
    return {
        f"{prefix}{i:02}": Repeats(
            task_hash=f"task {i}", values={metric: rows[i] for metric, rows in metrics.items() if i < len(rows)}
        )
        for i in range(count)
    }


def only(baseline: Mapping[str, Repeats], candidate: Mapping[str, Repeats]) -> Contrast:
    """Compare in the one metric that there is."""
    (found,) = compare(baseline, candidate, HOW).contrasts
    return found


def test_single_answers_of_yes_or_no_are_tested_by_mcnemar() -> None:
    before = variant({"success": [[True]] * 2 + [[False]] * 10})
    after = variant({"success": [[False]] * 1 + [[True]] * 8 + [[False]] * 3})
    found = only(before, after)
    assert found.test == "McNemar, exact"
    assert found.p == found.p_holm == pytest.approx(2 * (1 + 8) / 2**8)
    assert (found.baseline, found.candidate) == pytest.approx((2 / 12, 8 / 12))
    assert found.difference.value == pytest.approx(0.5)
    assert found.difference.n == 12
    assert found.detectable is not None


def test_repeats_of_a_scenario_are_one_pair() -> None:
    """Four repeats of six scenarios are six differences: their smallest p is 2 / 2^6."""
    before = variant({"success": [[0, 0, 0, 1]] * 6})
    after = variant({"success": [[1, 1, 0, 1]] * 6})
    found = only(before, after)
    assert (found.test, found.p) == ("sign-flip, exact", 2 / 2**6)
    assert found.difference.value == pytest.approx(0.5)


def test_costs_are_permuted_and_many_scenarios_are_sampled() -> None:
    before = variant({"usd": [[1.0 + i] for i in range(30)]})
    after = variant({"usd": [[1.5 + i * 1.01] for i in range(30)]})
    found = only(before, after)
    assert found.test == "sign-flip, Monte Carlo"
    assert found.p == 1 / 10_000
    assert found.difference.low is not None
    assert 0.5 < found.difference.low < 0.645
    assert found.detectable is not None
    assert found.detectable < 0.1


def test_every_metric_is_adjusted_for_all_that_were_tested() -> None:
    rows = [[0.0]] * 8
    before = variant({"better": rows, "same": rows, "unscored": [[None]] * 8})
    after = variant({"better": [[1.0]] * 8, "same": rows, "unscored": rows})
    found = {one.metric: one for one in compare(before, after, HOW).contrasts}
    assert list(found) == ["better", "same", "unscored"]
    assert found["better"].p == 2 / 2**8
    assert found["better"].p_holm == 2 * 2 / 2**8
    assert found["same"].p_holm == 1.0
    assert (found["unscored"].test, found["unscored"].p, found["unscored"].p_holm) == ("", None, None)
    assert (found["unscored"].baseline, found["unscored"].difference.value) == (None, None)
    assert found["unscored"].coverage == 0


def test_an_unscored_repeat_takes_its_scenario_out_and_names_it() -> None:
    """A mean over the scored repeats would count failures less where they are harder to score."""
    before = variant({"score": [[0.5, 0.5], [0.25, 0.75], [1.0, None], []]})
    after = variant({"score": [[0.5, 1.0], [0.5, float("nan")], [1.0, 1.0], [1.0]]})
    found = only(before, after)
    assert found.evaluated == ("s00",)
    assert found.unevaluable == ("s01", "s02", "s03")
    assert found.coverage == 0.25
    assert (found.difference.value, found.difference.low) == (0.25, None)


def test_a_metric_that_one_variant_lacks_is_unevaluable_there() -> None:
    before = variant({"score": [[0.5], [0.5]], "extra": [[1.0]]})
    after = variant({"score": [[0.5], [0.5]]})
    found = {one.metric: one for one in compare(before, after, HOW).contrasts}
    assert found["extra"].unevaluable == ("s00", "s01")


def test_a_changed_task_is_refused_by_name() -> None:
    before = variant({"score": [[0.5]] * 14})
    after = before | {name: Repeats(task_hash="other", values={"score": [0.5]}) for name in ("s03", "s07")}
    with pytest.raises(UsageError, match=r"other task hashes for: 's03', 's07'$"):
        compare(before, after, HOW)
    with pytest.raises(UsageError, match=r"'s09' and 4 more$"):
        compare(before, {name: Repeats(task_hash="other", values={}) for name in before}, HOW)


def test_other_scenarios_are_refused_unless_only_common_ones_are_asked_for() -> None:
    before = variant({"score": [[0.5], [0.25], [0.75]]})
    after = {name: before[name] for name in ("s01", "s02")} | variant({"score": [[0.5]]}, prefix="new")
    with pytest.raises(UsageError, match=r"found only in one: 'new00', 's00'$"):
        compare(before, after, HOW)
    found = compare(before, after, HOW, scenarios="common")
    assert (found.scenarios, found.left_out) == (("s01", "s02"), ("new00", "s00"))
    assert found.contrasts[0].evaluated == ("s01", "s02")
    with pytest.raises(UsageError, match="in both variants, found none"):
        compare(before, variant({"score": [[0.5]]}, prefix="new"), HOW, scenarios="common")


tables = st.lists(
    st.tuples(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.lists(st.integers(0, 4), min_size=1, max_size=3)),
    min_size=2,
    max_size=8,
)


@settings(max_examples=30)
@given(tables)
def test_swapping_the_variants_only_turns_the_sign(rows: list[tuple[list[int], list[int]]]) -> None:
    one = variant({"score": [[value / 4 for value in before] for before, _ in rows]})
    two = variant({"score": [[value / 4 for value in after] for _, after in rows]})
    there, back = only(one, two), only(two, one)
    assert (there.p, there.test) == (back.p, back.test)
    assert there.detectable == pytest.approx(back.detectable)
    assert there.difference.value == pytest.approx(-(back.difference.value or 0))
    assert there.difference.low == pytest.approx(-(back.difference.high or 0))
    assert there.difference.low is not None
    assert there.difference.high is not None
    assert there.difference.low - 1e-9 <= (there.difference.value or 0) <= there.difference.high + 1e-9


@settings(max_examples=30)
@given(tables)
def test_neither_the_order_of_scenarios_nor_of_repeats_matters(rows: list[tuple[list[int], list[int]]]) -> None:
    one = variant({"score": [[value / 4 for value in before] for before, _ in rows]})
    two = variant({"score": [[value / 4 for value in after] for _, after in rows]})
    mixed = {
        name: Repeats(task_hash=told.task_hash, values={"score": list(told.values["score"])[::-1]})
        for name, told in reversed(two.items())
    }
    assert compare(dict(reversed(one.items())), mixed, HOW) == compare(one, two, HOW)
