"""Whether work went to the right worker: bounded, blind to names and order, and undefined where nobody has judged."""

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.routing import (
    NONE,
    SELF,
    Choice,
    ClassScore,
    ConfusionMatrix,
    accuracy,
    by_class,
    confusion,
    constant_router,
    forbidden_rate,
    gold_accuracy,
    marginal_accuracy,
)
from echelon.protocols.errors import UsageError

sklearn_metrics: Any = import_module("sklearn.metrics")  # has no types

LABELS: tuple[str, ...] = ("billing", "search", "writer", SELF, NONE)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    """Draw any choice: judged or not, with one right label, several or none."""
    acceptable = draw(st.frozensets(st.sampled_from(LABELS), max_size=3))
    return Choice(
        draw(st.sampled_from(LABELS)),
        acceptable,
        gold=draw(st.sampled_from(["", *sorted(acceptable)])),
        forbidden=draw(st.frozensets(st.sampled_from(LABELS), max_size=2)) - acceptable,
        candidates=draw(st.frozensets(st.sampled_from(LABELS))),
    )


many = st.lists(choices(), max_size=30)


def exactly(right: str, chosen: str) -> Choice:
    """One choice with one right label."""
    return Choice(chosen, frozenset({right}))


HAND = [exactly("a", "a")] * 3 + [exactly("a", "b")] + [exactly("b", "b")] * 2 + [exactly("none", "a")] * 2


def test_figures_by_class_are_those_computed_by_hand() -> None:
    """Eight choices: a is right 4 times and chosen 5 times, 3 of them together; b 2, 3 and 2; none 2, 0 and 0."""
    found = by_class([*HAND, Choice("self"), Choice("b", frozenset({"a", "b"}))])
    assert found.scores == (
        ClassScore(label="a", precision=3 / 5, recall=3 / 4, f1=2 / 3, support=4),
        ClassScore(label="b", precision=2 / 3, recall=1.0, f1=4 / 5, support=2),
        ClassScore(label="none", precision=None, recall=0.0, f1=0.0, support=2),
    )
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert (found.absent, found.left_out) == (("self",), 2)


def test_the_matrix_has_rows_for_what_was_right_and_columns_for_what_was_chosen() -> None:
    """To stop is a class like any other."""
    assert confusion(HAND) == ConfusionMatrix(labels=("a", "b", "none"), counts=((3, 1, 0), (0, 2, 0), (2, 0, 0)))
    assert confusion([exactly(SELF, NONE)]) == ConfusionMatrix(labels=("none", "self"), counts=((0, 0), (1, 0)))


def test_baselines_are_those_computed_by_hand() -> None:
    """Right is a in 4 of 8, b in 2; chosen was a in 5 of 8, b in 3."""
    found = constant_router(HAND)
    assert found is not None
    assert (found.label, found.accuracy) == ("a", 0.5)
    assert marginal_accuracy(HAND) == pytest.approx((4 * 5 / 8 + 2 * 3 / 8 + 2 * 0) / 8)
    assert accuracy(HAND) == gold_accuracy(HAND) == 5 / 8


def test_one_of_several_that_would_do_is_right_and_need_not_be_the_best() -> None:
    """Set-valued accuracy and exact accuracy differ just there."""
    second = Choice("b", frozenset({"a", "b"}), gold="a", forbidden=frozenset({"c"}))
    assert (accuracy([second]), gold_accuracy([second]), forbidden_rate([second])) == (1.0, 0.0, 0.0)
    worst = replace(second, chosen="c")
    assert (accuracy([worst]), gold_accuracy([worst]), forbidden_rate([worst])) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("unjudged", [[], [Choice("a")], [Choice("a", candidates=frozenset({"a", "b"}))]])
def test_what_nobody_has_judged_is_undefined_and_not_zero(unjudged: list[Choice]) -> None:
    """None, the empty matrix, and nobody as the constant router."""
    metrics = (accuracy, gold_accuracy, forbidden_rate, constant_router, marginal_accuracy)
    assert [metric(unjudged) for metric in metrics] == [None] * 5
    assert by_class(unjudged).macro_f1 is None
    assert confusion(unjudged) == ConfusionMatrix(labels=(), counts=())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"chosen": ""}, "expected a worker, 'self' or 'none', found ''"),
        ({"chosen": "a", "acceptable": frozenset("ab"), "gold": "c"}, r"among \['a', 'b'\], found 'c'"),
        ({"chosen": "a", "acceptable": frozenset("ab"), "forbidden": frozenset("bc")}, r"found \['b'\]"),
    ],
)
def test_a_choice_that_contradicts_itself_is_refused(wrong: dict[str, Any], said: str) -> None:
    """A reference with such a fault would make every figure wrong in silence."""
    with pytest.raises(UsageError, match=said):
        Choice(**wrong)


def figures(told: Sequence[Choice]) -> list[float | None]:
    """All figures that are numbers."""
    constant = constant_router(told)
    return [
        accuracy(told),
        gold_accuracy(told),
        forbidden_rate(told),
        marginal_accuracy(told),
        by_class(told).macro_f1,
        None if constant is None else constant.accuracy,
    ]


@given(many)
def test_every_figure_is_a_share_or_undefined(told: list[Choice]) -> None:
    """Never negative, never above one."""
    assert all(figure is None or 0 <= figure <= 1 for figure in figures(told))


@given(many, st.permutations(LABELS), st.randoms(use_true_random=False))
def test_neither_names_nor_order_matter(told: list[Choice], names: list[str], chance: random.Random) -> None:
    """A figure is about who was right, not about what they are called."""
    renamed = dict(zip(LABELS, names, strict=True))

    def called(labels: frozenset[str]) -> frozenset[str]:
        return frozenset(renamed[label] for label in labels)

    other = [
        Choice(
            renamed[one.chosen],
            called(one.acceptable),
            gold=renamed.get(one.gold, ""),
            forbidden=called(one.forbidden),
            candidates=called(one.candidates),
        )
        for one in told
    ]
    chance.shuffle(other)
    assert figures(other) == pytest.approx(figures(told))
    assert sorted(renamed[label] for label in by_class(told).absent) == list(by_class(other).absent)


@given(many)
def test_figures_by_class_agree_with_their_definitions_and_with_scikit_learn(told: list[Choice]) -> None:
    """Counted by hand from pairs; scikit-learn's macro-F1 over the labels with support."""
    pairs = [(one.right, one.chosen) for one in told if one.right]
    found = by_class(told)
    for score in found.scores:
        hits = pairs.count((score.label, score.label))
        right, chosen = ([pair[side] for pair in pairs].count(score.label) for side in (0, 1))
        assert score.support == right > 0
        assert score.recall == pytest.approx(hits / right)
        assert score.precision == (pytest.approx(hits / chosen) if chosen else None)
        assert score.f1 == pytest.approx(2 * hits / (right + chosen))
    if pairs:
        right_labels, chosen_labels = zip(*pairs, strict=True)
        macro = sklearn_metrics.f1_score(right_labels, chosen_labels, labels=sorted(set(right_labels)), average="macro")
        assert found.macro_f1 == pytest.approx(macro)


@given(many)
def test_the_matrix_agrees_with_the_figures(told: list[Choice]) -> None:
    """Its diagonal is what was exactly right, its rows add up to the support."""
    matrix = confusion(told)
    assert list(matrix.labels) == sorted(matrix.labels)
    total = sum(map(sum, matrix.counts))
    diagonal = sum(row[i] for i, row in enumerate(matrix.counts))
    assert gold_accuracy(told) == (pytest.approx(diagonal / total) if total else None)
    support = {label: sum(row) for label, row in zip(matrix.labels, matrix.counts, strict=True) if sum(row)}
    assert support == {score.label: score.support for score in by_class(told).scores}


@given(many)
def test_no_constant_router_is_better_than_the_one_found(told: list[Choice]) -> None:
    """All of them tried."""
    found = constant_router(told)
    tried = [accuracy([replace(one, chosen=label) for one in told]) for label in LABELS]
    assert (None if found is None else found.accuracy) == max((one for one in tried if one is not None), default=None)


@given(many)
def test_the_random_baseline_is_the_mean_over_everything_that_could_be_drawn(told: list[Choice]) -> None:
    """Every choice answered with the label of every choice."""
    drawn = [accuracy([replace(one, chosen=other.chosen) for one in told]) for other in told]
    scored = [Fraction(one) for one in drawn if one is not None]
    assert marginal_accuracy(told) == (pytest.approx(float(sum(scored) / len(scored))) if scored else None)
