"""Recovery of a performance gap: on calls and on dollars, from chance to perfection."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.recovery import Reading, recovery, sweep
from echelon.evals.metrics.routers import Arm, Standing, Table
from echelon.protocols.errors import UsageError

WEAK, STRONG = Standing("weak", 0.5, 1.0), Standing("strong", 1.0, 3.0)

pairs = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 8), st.integers(0, 8), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


def table_of(rows: list[tuple[int, int, int, int, int]]) -> tuple[Table, dict[str, float]]:
    """Make a table of a weak and a strong model, and a router's scores."""
    arms = {
        f"q{i:02}": {"weak": Arm(weak / 4, cheap / 8), "strong": Arm(strong / 4, dear / 8)}
        for i, (weak, strong, cheap, dear, _) in enumerate(rows)
    }
    return Table(arms), {f"q{i:02}": float(row[4]) for i, row in enumerate(rows)}


@given(pairs)
def test_a_sweep_is_the_router_at_every_threshold(rows: list[tuple[int, int, int, int, int]]) -> None:
    table, scores = table_of(rows)
    readings = sweep(table, scores, "weak", "strong")
    assert len(readings) == 1 + len(set(scores.values()))
    for reading, threshold in zip(readings, [9.0, *sorted(set(scores.values()), reverse=True)], strict=True):
        choices = {query: "strong" if score >= threshold else "weak" for query, score in scores.items()}
        routed = table.routed(choices, "router")
        assert reading.calls == sum(choice == "strong" for choice in choices.values()) / len(choices)
        assert reading.quality == pytest.approx(routed.quality)
        assert reading.cost == pytest.approx(routed.cost)


def test_chance_recovers_half_of_the_gap() -> None:
    """On the straight line between the models."""
    line = [Reading(calls=x, cost=1 + 2 * x, quality=0.5 + x / 2) for x in (0.25, 0.5)]
    found = recovery(line, WEAK, STRONG, [0.25, 0.8])
    assert found.apgr_calls == pytest.approx(0.5)
    assert found.apgr_usd == pytest.approx(0.5)
    assert [one.calls for one in found.thresholds] == pytest.approx([0.25, 0.8])
    assert [one.usd for one in found.thresholds] == pytest.approx([1.5, 2.6])


def test_calls_are_not_money() -> None:
    """A fifth of the calls recovers everything, and costs nearly all: they are the long ones."""
    found = recovery([Reading(calls=0.2, cost=2.8, quality=1.0)], WEAK, STRONG, [1.0])
    assert found.apgr_calls == pytest.approx(0.9)
    assert found.apgr_usd == pytest.approx(0.55)
    assert found.thresholds[0].calls == pytest.approx(0.2)
    assert found.thresholds[0].usd == pytest.approx(2.8)


def test_a_random_router_recovers_about_half() -> None:
    """Over many queries, scores that know nothing come near the line."""
    chance = random.Random(5)
    rows = [(chance.randint(0, 1), chance.randint(1, 4), 1, 4, 0) for _ in range(4_000)]
    table, _ = table_of(rows)
    scores = {query: chance.random() for query in table.arms}
    found = recovery(sweep(table, scores, "weak", "strong"), table.single("weak"), table.single("strong"))
    assert found.apgr_calls == pytest.approx(0.5, abs=0.02)
    assert found.apgr_usd == pytest.approx(0.5, abs=0.02)


@given(pairs)
def test_knowing_the_gain_recovers_no_less_than_knowing_nothing(rows: list[tuple[int, int, int, int, int]]) -> None:
    table, _ = table_of(rows)
    gains = {query: row["strong"].quality - row["weak"].quality for query, row in table.arms.items()}
    weak, strong = table.single("weak"), table.single("strong")
    found = recovery(sweep(table, gains, "weak", "strong"), weak, strong)
    if found.apgr_calls is None:
        assert strong.quality <= weak.quality
    else:
        assert found.apgr_calls >= 0.5 - 1e-9


def test_without_a_gap_nothing_is_recovered() -> None:
    """As on two models of which the cheaper is the better."""
    found = recovery([Reading(calls=0.5, cost=2.0, quality=0.9)], STRONG, WEAK, [0.5])
    assert (found.apgr_calls, found.apgr_usd) == (None, None)
    assert (found.thresholds[0].calls, found.thresholds[0].usd) == (None, None)


@pytest.mark.parametrize("cost", [None, 1.0, 0.5])
def test_without_costs_or_a_dearer_model_only_calls_count(cost: float | None) -> None:
    found = recovery([Reading(calls=0.5, cost=cost, quality=1.0)], WEAK, Standing("strong", 1.0, cost), [0.5])
    assert found.apgr_calls == pytest.approx(0.75)
    assert found.apgr_usd is None
    assert found.thresholds[0].usd is None


def test_readings_beyond_both_models_are_left_out_of_the_dollars() -> None:
    found = recovery([Reading(calls=0.5, cost=9.0, quality=1.0)], WEAK, STRONG, [0.0])
    assert found.apgr_usd == pytest.approx(0.5)
    assert (found.thresholds[0].calls, found.thresholds[0].usd) == (0.0, 1.0)


def test_a_query_without_a_score_and_a_target_beyond_the_gap_are_refused() -> None:
    table, _ = table_of([(0, 4, 0, 1, 0)])
    with pytest.raises(UsageError, match="q00"):
        sweep(table, {}, "weak", "strong")
    with pytest.raises(UsageError, match=r"\[1\.5\]"):
        recovery([], WEAK, STRONG, [0.5, 1.5])
