"""Routers beside their baselines: no router beats the oracle, and none is shown alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.routers import Arm, Standing, Table, arena_score, baselines, oracle, regret
from echelon.protocols.errors import UsageError

Rows = dict[str, dict[str, Arm]]

arms = st.builds(Arm, st.integers(0, 4).map(lambda n: n / 4), st.integers(0, 8).map(lambda n: n / 8))
tables = st.integers(1, 4).flatmap(
    lambda models: st.lists(st.lists(arms, min_size=models, max_size=models), min_size=1, max_size=6)
).map(lambda rows: {f"q{i}": {f"m{j}": arm for j, arm in enumerate(row)} for i, row in enumerate(rows)})  # fmt: skip
picks = st.lists(st.integers(0, 3), min_size=6, max_size=6)


def chosen(rows: Rows, numbers: list[int]) -> dict[str, str]:
    """Choose a model for every query by number."""
    return {query: f"m{number % len(row)}" for (query, row), number in zip(rows.items(), numbers, strict=False)}


@given(tables, picks)
def test_no_router_has_a_higher_quality_than_the_oracle(rows: Rows, numbers: list[int]) -> None:
    """Nor the same quality for less."""
    table = Table(rows)
    best, router = table.routed(oracle(table), "oracle"), table.routed(chosen(rows, numbers), "router")
    assert router.quality <= best.quality
    if router.quality == best.quality:
        assert router.cost is not None
        assert best.cost is not None
        assert best.cost <= router.cost + 1e-12


@given(tables, picks)
def test_what_needs_no_router_is_bounded_by_what_none_can_beat(rows: Rows, numbers: list[int]) -> None:
    table = Table(rows)
    router = table.routed(chosen(rows, numbers), "router")
    beside = baselines(table, router.cost)
    assert beside.cheapest is not None
    assert beside.cheapest.quality <= beside.best_single.quality <= beside.oracle.quality + 1e-12
    if beside.random is not None:
        assert beside.hull is not None
        assert beside.random.quality <= beside.hull.quality + 1e-9 <= beside.best_single.quality + 2e-9


@given(tables, picks)
def test_names_and_order_change_no_figure(rows: Rows, numbers: list[int]) -> None:
    renamed = {
        f"renamed {query}": {f"x{9 - int(model[1:])}": arm for model, arm in reversed(row.items())}
        for query, row in reversed(rows.items())
    }
    choices = chosen(rows, numbers)
    moved = {f"renamed {query}": f"x{9 - int(model[1:])}" for query, model in choices.items()}
    at = Table(rows).routed(choices, "router").cost
    one, other = baselines(Table(rows), at), baselines(Table(renamed), at)
    for before, after in ((one.best_single, other.best_single), (one.oracle, other.oracle), (one.hull, other.hull)):
        assert (before and (before.quality, before.cost)) == (after and (after.quality, after.cost))
    assert regret(Table(rows), choices, [0, 0.5, 2]) == regret(Table(renamed), moved, [0, 0.5, 2])


@given(tables, picks, st.lists(st.floats(0, 10), max_size=3))
def test_regret_is_never_negative_and_says_its_lambda(rows: Rows, numbers: list[int], lambdas: list[float]) -> None:
    curve = regret(Table(rows), chosen(rows, numbers), lambdas)
    assert [one.lam for one in curve] == lambdas
    for one in curve:
        assert one.regret >= 0
        assert one.regret >= max(one.gap_at_oracle, one.gap_at_best_single) - 1e-9
        if one.lam == 0:
            assert one.regret == pytest.approx(one.gap_at_oracle, abs=1e-12)


def test_regret_counts_money_at_its_lambda() -> None:
    """The dear model is .2 better for $1 more: worth it below .2 per dollar and not above."""
    table = Table({"q": {"dear": Arm(1.0, 1.0), "cheap": Arm(0.8, 0.0)}})
    curve = regret(table, {"q": "dear"}, [0.0, 0.1, 0.5])
    assert [one.regret for one in curve] == pytest.approx([0, 0, 0.3])
    assert [one.gap_at_oracle for one in curve] == pytest.approx([0, 0, 0])
    assert regret(table, {"q": "cheap"}, [0.5])[0].gap_at_oracle == pytest.approx(-0.3)


def test_the_oracle_takes_the_cheapest_of_the_best() -> None:
    table = Table({"q": {"a": Arm(1.0, 0.5), "b": Arm(1.0, 0.25), "c": Arm(0.5, 0.1)}, "r": {
        "a": Arm(0.0, 0.5), "b": Arm(0.0, 0.25), "c": Arm(0.0, 0.1)}})  # fmt: skip
    assert oracle(table) == {"q": "b", "r": "c"}


def test_of_two_equally_good_single_models_the_cheaper_is_the_best() -> None:
    table = Table({"q": {"a": Arm(1.0, 0.5), "b": Arm(1.0, 0.25)}})
    assert baselines(table, 0.3).best_single == Standing("b", 1.0, 0.25)


def test_chance_at_equal_cost_runs_from_the_cheapest_over_an_even_choice_to_the_dearest() -> None:
    table = Table({"q": {"a": Arm(0.5, 1.0), "b": Arm(0.25, 2.0), "c": Arm(0.75, 6.0)}})
    drawn = [baselines(table, cost).random for cost in (1.0, 2.0, 3.0, 6.0)]
    assert [one and one.quality for one in drawn] == [0.5, 0.5, 0.5, 0.75]
    halfway = baselines(table, 4.5).random
    assert halfway == Standing("random", 0.625, 4.5)
    assert baselines(table, 0.5).random is None
    assert baselines(table, 9.0).random == Standing("random", 0.75, 6.0)


def test_a_hull_does_not_spend_what_does_not_help() -> None:
    table = Table({"q": {"good": Arm(1.0, 1.0), "bad": Arm(0.0, 5.0)}})
    beside = baselines(table, 3.0)
    assert beside.hull == Standing("hull", 1.0, 1.0)
    assert beside.cheapest == beside.best_single
    assert baselines(table, 0.5).hull is None


def test_without_costs_there_are_only_the_figures_that_need_none() -> None:
    """0 would say that the models are free."""
    table = Table({"q": {"a": Arm(1.0), "b": Arm(0.5)}})
    beside = baselines(table, None)
    assert (beside.cheapest, beside.random, beside.hull) == (None, None, None)
    assert beside.best_single == Standing("a", 1.0, None)
    assert beside.oracle == Standing("oracle", 1.0, None)
    assert regret(table, {"q": "b"}, [0])[0].regret == 0.5
    with pytest.raises(UsageError, match="0 where arms have no cost"):
        regret(table, {"q": "b"}, [1])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "at least one query"),
        ({"q": {}}, "at least one query"),
        ({"q": {"a": Arm(1.0)}, "r": {"b": Arm(1.0)}}, "query 'q'.*'b'"),
        ({"q": {"a": Arm(1.0, 1.0), "b": Arm(1.0)}}, "costs for all arms or for none"),
    ],
)
def test_a_table_with_holes_is_refused(rows: Rows, message: str) -> None:
    """Means over different queries cannot be compared."""
    with pytest.raises(UsageError, match=message):
        Table(rows)


@pytest.mark.parametrize("choices", [{}, {"q": "c"}])
def test_a_choice_that_the_table_does_not_know_is_refused(choices: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="query 'q': expected one of a, b"):
        Table({"q": {"a": Arm(1.0), "b": Arm(0.5)}}).routed(choices, "router")


def test_a_negative_price_of_money_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 0"):
        regret(Table({"q": {"a": Arm(1.0, 1.0)}}), {"q": "a"}, [-1])


@given(st.floats(0.01, 1), st.floats(0.0044, 199))
def test_the_arena_score_rises_with_accuracy_and_falls_with_cost(accuracy: float, usd: float) -> None:
    score, dearer, worse = arena_score(accuracy, usd), arena_score(accuracy, usd * 1.01), arena_score(accuracy / 2, usd)
    assert score is not None
    assert dearer is not None
    assert worse is not None
    assert dearer < score
    assert worse < score <= 1 + 1e-9


def test_the_arena_score_weighs_accuracy_ten_times_as_much() -> None:
    """A harmonic mean: 1.1 / (1 / C * .1 + 1 / A) by hand."""
    usd = math.sqrt(200 * 0.0044)  # half-way between the bounds, on the scale of logarithms
    assert arena_score(0.8, usd) == pytest.approx(1.1 / (0.1 / 0.5 + 1 / 0.8))
    assert arena_score(0.8, 0.0) is None
