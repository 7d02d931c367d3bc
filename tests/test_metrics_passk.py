"""pass@k and pass^k: unbiased, ordered, undefined where tries are too few."""

from itertools import combinations
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.passk import pass_at_k, pass_hat_k
from echelon.protocols.errors import UsageError

tries = st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
tasks = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), tries, min_size=1, max_size=6)


@given(tries, st.integers(1, 8))
def test_both_are_what_drawing_k_tries_without_replacement_gives(task: tuple[int, int], k: int) -> None:
    n, c = task
    outcomes = [True] * c + [False] * (n - c)
    draws = list(combinations(outcomes, k))
    if not draws:
        assert pass_at_k([task], k) is None
        assert pass_hat_k([task], k) is None
        return
    assert pass_at_k([task], k) == pytest.approx(sum(any(draw) for draw in draws) / len(draws))
    assert pass_hat_k([task], k) == pytest.approx(sum(all(draw) for draw in draws) / len(draws))


@given(tasks)
def test_at_one_try_both_are_the_mean_success_rate(table: dict[str, tuple[int, int]]) -> None:
    rate = fsum(c / n for n, c in table.values()) / len(table)
    assert pass_at_k(table, 1) == pytest.approx(rate)
    assert pass_hat_k(table, 1) == pytest.approx(rate)


@given(tasks, st.integers(1, 7))
def test_more_tries_help_one_of_them_and_hurt_all_of_them(table: dict[str, tuple[int, int]], k: int) -> None:
    figures = [measure(table, n) for measure in (pass_at_k, pass_hat_k) for n in (k, k + 1)]
    once, more, all_of_few, all_of_more = figures
    if more is None or once is None or all_of_few is None or all_of_more is None:
        assert min(n for n, _ in table.values()) <= k
        return
    assert 0 <= all_of_more <= all_of_few + 1e-12 <= once + 2e-12 <= more + 3e-12 <= 1 + 4e-12


@given(tasks, st.integers(1, 8))
def test_neither_names_nor_order_matter(table: dict[str, tuple[int, int]], k: int) -> None:
    mixed = sorted(table.values(), reverse=True)
    assert pass_hat_k(mixed, k) == pass_hat_k(table, k)
    assert pass_at_k({f"renamed {i}": task for i, task in enumerate(mixed)}, k) == pass_at_k(table, k)


def test_one_task_with_too_few_tries_leaves_the_mean_undefined() -> None:
    """To drop it would change what the figure is about."""
    assert pass_at_k({"long": (4, 4), "short": (1, 1)}, 2) is None
    assert pass_hat_k({"long": (4, 4), "short": (1, 1)}, 2) is None
    assert pass_at_k({"untried": (0, 0)}, 1) is None


@pytest.mark.parametrize(("table", "k"), [([(2, 3)], 1), ([(2, -1)], 1), ([(2, 1)], 0)])
def test_impossible_counts_are_refused(table: list[tuple[int, int]], k: int) -> None:
    with pytest.raises(UsageError, match="expected"):
        pass_at_k(table, k)
