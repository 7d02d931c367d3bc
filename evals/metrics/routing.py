"""Whether work went to the right worker, and how much of that chance or habit would have got right too.

A choice is one look at one piece of work: who was chosen, and who would have been right. To answer directly and to
stop are choices like any other, `SELF` and `NONE`. A choice that nobody has judged counts nowhere but in the habit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final

from ...protocols.errors import UsageError
from .foreign import class_figures, confusion_counts
from .means import mean

SELF: Final = "self"
"""The supervisor does it itself: it answers directly."""

NONE: Final = "none"
"""Nobody does it: it stops, or the task is out of scope."""

NOBODY: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a worker, beside what would have been right.

    Raises:
        UsageError: nobody is named as chosen, or what is said to be right contradicts itself.
    """

    chosen: str
    """A worker, `SELF` or `NONE`."""
    acceptable: frozenset[str] = NOBODY
    """Whoever would have been right; empty: nobody has judged."""
    _: KW_ONLY
    gold: str = ""
    """The best of them; "": none is better than the others."""
    forbidden: frozenset[str] = NOBODY
    candidates: frozenset[str] = NOBODY
    """Who could have been chosen; empty: not recorded."""

    def __post_init__(self) -> None:
        if not self.chosen:
            raise UsageError(f"a choice: expected a worker, {SELF!r} or {NONE!r}, found ''")
        if self.gold and self.gold not in self.acceptable:
            raise UsageError(f"a choice: expected the gold one among {sorted(self.acceptable)}, found {self.gold!r}")
        if both := self.acceptable & self.forbidden:
            raise UsageError(f"a choice: expected nobody both acceptable and forbidden, found {sorted(both)}")

    @property
    def right(self) -> str:
        """The one right label: the gold one, or else the only acceptable one; "" where there is no such one."""
        return self.gold or (next(iter(self.acceptable)) if len(self.acceptable) == 1 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """How well one label was recognised, over the choices where it was the right one."""

    label: str
    precision: float | None
    """Share of the choices of this label that were right, in [0, 1]; None: it was never chosen."""
    recall: float
    """Share of the choices where it was right that chose it, in [0, 1]."""
    f1: float
    """2 TP / (2 TP + FP + FN), in [0, 1]; 0 where it was never chosen."""
    support: int
    """How often it was right, >= 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByClass:
    """Figures by class over the choices that have one right label."""

    macro_f1: float | None
    """Mean of `f1` over `scores`, each class alike, in [0, 1]; None: no class has support."""
    scores: tuple[ClassScore, ...]
    """Of the classes with support, sorted by label."""
    absent: tuple[str, ...]
    """Labels that were chosen, could have been, or were acceptable, and have no support; sorted; not in the mean."""
    left_out: int
    """Choices without one right label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionMatrix:
    """`counts[i][j]`: how often `labels[i]` was right and `labels[j]` was chosen; labels sorted."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantRouter:
    """The router that always chooses the same, and its accuracy."""

    label: str
    accuracy: float


def accuracy(choices: Iterable[Choice]) -> float | None:
    """Tell how often somebody acceptable was chosen: the mean of 1[chosen in acceptable] over judged choices.

    In [0, 1]; None: nobody has judged any.

    Source: TwinRouterBench, RowPass (github.com/CommonstackAI/TwinRouterBench).

    Example:
        >>> accuracy([Choice("a", frozenset("ab")), Choice("c", frozenset("ab"))]), accuracy([Choice("a")])
        (0.5, None)
    """
    return mean(choice.chosen in choice.acceptable for choice in choices if choice.acceptable)


def gold_accuracy(choices: Iterable[Choice]) -> float | None:
    """Tell how often exactly the right one was chosen, over choices that have one right label (`Choice.right`).

    In [0, 1]; None: there are none.

    Source: TwinRouterBench, RowExact.
    """
    return mean(choice.chosen == choice.right for choice in choices if choice.right)


def forbidden_rate(choices: Iterable[Choice]) -> float | None:
    """Tell how often somebody forbidden was chosen, over choices where somebody was; ours.

    In [0, 1]; None: there are none.

    Example:
        >>> forbidden_rate([Choice("a", forbidden=frozenset("a")), Choice("b")])
        1.0
    """
    return mean(choice.chosen in choice.forbidden for choice in choices if choice.forbidden)


def by_class(choices: Sequence[Choice]) -> ByClass:
    """Precision, recall and F1 of each class with support, and macro-F1 over these classes only.

    A class without support has no recall, and counting its F1 as 0 would punish a router for what was never asked.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Source: van Rijsbergen 1979, Information Retrieval, chapter 7; scikit-learn's precision_recall_fscore_support.

    Example:
        >>> found = by_class([Choice("a", frozenset("a")), Choice("c", frozenset("b"))])
        >>> found.macro_f1, [score.precision for score in found.scores], found.absent
        (0.5, [1.0, None], ('c',))
    """
    told = [choice for choice in choices if choice.right]
    right, chosen = [choice.right for choice in told], [choice.chosen for choice in told]
    known = {label for one in choices for label in (one.chosen, one.right, *one.candidates, *one.acceptable) if label}
    labels = sorted(set(right))
    scores = tuple(
        # A class with support has a recall and an F1.
        ClassScore(label=label, precision=of.precision, recall=of.recall or 0.0, f1=of.f1 or 0.0, support=of.support)
        for label, of in zip(labels, class_figures(right, chosen, labels), strict=True)
    )
    return ByClass(
        macro_f1=mean(score.f1 for score in scores),
        scores=scores,
        absent=tuple(sorted(known - set(labels))),
        left_out=len(choices) - len(told),
    )


def confusion(choices: Iterable[Choice]) -> ConfusionMatrix:
    """What was chosen where each label was right, over choices that have one right label; without any, it is empty.

    `SELF` and `NONE` are labels like any other: a row of `NONE` is what became of work that was out of scope.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Example:
        >>> confusion([Choice("a", frozenset("a")), Choice("a", frozenset({NONE}))])
        ConfusionMatrix(labels=('a', 'none'), counts=((1, 0), (1, 0)))
    """
    told = [choice for choice in choices if choice.right]
    right, chosen = [choice.right for choice in told], [choice.chosen for choice in told]
    labels = tuple(sorted({*right, *chosen}))
    return ConfusionMatrix(labels=labels, counts=confusion_counts(right, chosen, labels))


def constant_router(choices: Iterable[Choice]) -> ConstantRouter | None:
    """Of all routers that always choose the same, the one with the highest `accuracy`; ties by label.

    It is chosen in hindsight, so that it bounds every constant router. A router that is no better has learnt nothing.
    None: nobody has judged any choice.

    Source: the majority baseline of classification, over sets.

    Example:
        >>> constant_router([Choice("a", frozenset("ab")), Choice("a", frozenset("b"))])
        ConstantRouter(label='b', accuracy=1.0)
    """
    judged = [choice.acceptable for choice in choices if choice.acceptable]
    often = Counter(label for acceptable in judged for label in acceptable)
    if not often:
        return None
    label = min(often, key=lambda label: (-often[label], label))
    return ConstantRouter(label=label, accuracy=often[label] / len(judged))


def marginal_accuracy(choices: Sequence[Choice]) -> float | None:
    """Expect of a router that draws from what was chosen, blind to the work: its `accuracy`, exactly, without drawing.

    The mean, over judged choices, of the sum of p(label) over the acceptable ones, where p is the share of all the
    choices, judged or not, that chose that label. In [0, 1]; None: nobody has judged any choice.

    Source: the random baseline at the logged marginal; ours.

    Example:
        >>> marginal_accuracy([Choice("a", frozenset("a")), Choice("b", frozenset("b"))])
        0.5
    """
    often = Counter(choice.chosen for choice in choices)
    hits = [sum(often[label] for label in choice.acceptable) for choice in choices if choice.acceptable]
    return sum(hits) / (len(hits) * len(choices)) if hits else None
