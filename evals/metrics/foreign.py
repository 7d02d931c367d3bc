"""What scikit-learn computes for us, behind types, since it has none of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from ..statistics.extra import needs


class ClassFigures(NamedTuple):
    """What scikit-learn says of one class."""

    precision: float | None
    """None: it was never chosen."""
    recall: float | None
    """None: it was never right."""
    f1: float | None
    """None: neither."""
    support: int


def class_figures(right: Sequence[str], chosen: Sequence[str], labels: Sequence[str]) -> list[ClassFigures]:
    """Figures of each label, in the order of `labels`; none if there are no labels."""
    if not labels:
        return []
    columns = _metrics("figures by class").precision_recall_fscore_support(
        list(right), list(chosen), labels=list(labels), zero_division=math.nan
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [ClassFigures(_defined(p), _defined(r), _defined(f), int(support)) for p, r, f, support in rows]


def confusion_counts(right: Sequence[str], chosen: Sequence[str], labels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """How often each label was right (rows) and each was chosen (columns), in the order of `labels`."""
    if len(labels) < 2:  # scikit-learn warns of a single label, though it was named
        return ((len(right),),) if labels else ()
    counts = _metrics("a confusion matrix").confusion_matrix(list(right), list(chosen), labels=list(labels))
    return tuple(map(tuple, counts.tolist()))


def cohen_kappa(one: Sequence[bool], other: Sequence[bool]) -> float | None:
    """Agreement of two raters who say yes or no, beyond chance; None: both say one and the same of everything."""
    if len({*one, *other}) < 2:
        return None
    return float(_metrics("Cohen's kappa").cohen_kappa_score(list(one), list(other)))


def brier_score(right: Sequence[bool], confidence: Sequence[float]) -> float:
    """Mean squared difference of at least one confidence and what came."""
    return float(_metrics("the Brier score").brier_score_loss(list(right), list(confidence), pos_label=True))


def _metrics(feature: str) -> Any:
    """scikit-learn's metrics; imported by name, since a type checker can say nothing of them.

    Raises:
        MissingExtraError: it is not installed.
    """
    with needs(feature):
        return import_module("sklearn.metrics")


def _defined(figure: float) -> float | None:
    return None if math.isnan(figure) else figure
