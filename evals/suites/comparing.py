"""This scorecard beside a baseline's: what differs, how surely, and whether the gate lets it pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ...protocols.errors import UsageError
from ..scorecard import Better, Comparison, Difference, Measured, Scorecard, Unit
from ..scoring.outcomes import is_known
from ..statistics.comparison import Compared, Contrast, Repeats, compare
from ..statistics.gate import Rule, gate
from ..statistics.intervals import Bootstrap

Reading = Callable[[Measured], float | None]


def _success(one: Measured) -> float | None:
    return None if one.success == "unscored" else float(one.success == "yes")


def _routed(one: Measured) -> float | None:
    judged = [choice for choice in one.routed if choice.acceptable]
    return sum(choice.chosen in choice.acceptable for choice in judged) / len(judged) if judged else None


READINGS: Final[Mapping[str, tuple[Better, Unit, Reading]]] = {
    "success": ("higher", "share", _success),
    "routing": ("higher", "share", _routed),
    "usd": ("lower", "usd", lambda one: one.usage.usd if is_known(one) else None),
    "usd_uncached": ("lower", "usd", lambda one: one.usd_uncached if is_known(one) else None),
    "calls": ("lower", "count", lambda one: float(one.usage.calls)),
    "tokens": ("lower", "count", lambda one: float(one.usage.tokens) if is_known(one) else None),
    "seconds": ("lower", "seconds", lambda one: one.seconds or None),
}
"""What is compared, by scenario: which way is better, its unit, and how it is read; None: unknown of this run."""


def compared(card: Scorecard, baseline: Scorecard) -> Compared:
    """Compare two scorecards of the same tasks, for every reading that either has.

    Raises:
        UsageError: they are of other scenarios, or of other tasks under the same ids.
    """
    how = Bootstrap(seed=card.seed, resamples=2_000)
    return compare(_repeats(baseline.measured), _repeats(card.measured), how, binary=("success",))


def _repeats(measured: Sequence[Measured]) -> dict[str, Repeats]:
    found: dict[str, dict[str, list[float | None]]] = {}
    hashes: dict[str, str] = {}
    for one in measured:
        values = found.setdefault(one.scenario, {name: [] for name in READINGS})
        hashes[one.scenario] = one.task_hash
        known = one.state in ("scored", "unscored")
        for name, (_, _, read) in READINGS.items():
            values[name].append(read(one) if known else None)
    return {name: Repeats(task_hash=hashes[name], values=values) for name, values in found.items()}


def comparison(card: Scorecard, baseline: Scorecard, found: Compared) -> Comparison:
    """The comparison as a report shows it; readings that no scenario has are left out."""
    before, after = (_successes(one) for one in (baseline, card))
    return Comparison(
        baseline=baseline.variant,
        differences=differences(found),
        changed=tuple(name for name in sorted(before) if before[name] != after.get(name)),
    )


def differences(found: Compared) -> tuple[Difference, ...]:
    """What differs, as a report shows it, in the order of the readings; those that no scenario has are left out."""
    return tuple(_difference(one) for one in _in_order(found.contrasts) if one.evaluated)


def _in_order(contrasts: Sequence[Contrast]) -> list[Contrast]:
    return sorted(contrasts, key=lambda one: list(READINGS).index(one.metric))


def _difference(one: Contrast) -> Difference:
    return Difference(
        metric=one.metric,
        unit=READINGS[one.metric][1],
        baseline=one.baseline,
        found=one.candidate,
        difference=one.difference.value,
        low=one.difference.low,
        high=one.difference.high,
        p=one.p_holm,
        test=one.test or one.difference.reason,
        detectable=one.detectable,
        n=len(one.evaluated),
        better=READINGS[one.metric][0],
    )


def _successes(card: Scorecard) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in card.measured:
        found.setdefault(one.scenario, []).append(one.success)
    return found


def held_against(card: Scorecard, baseline: Scorecard, rules: Sequence[Rule] = ()) -> Scorecard:
    """The scorecard with its comparison and, if there are rules, the gate's verdict.

    Raises:
        UsageError: they cannot be compared, or a rule is about no reading.
    """
    found = compared(card, baseline)
    return card.model_copy(
        update={
            "comparison": comparison(card, baseline, found),
            "gate": gate(rules, found) if rules else None,
        }
    )


def rule_of(text: str) -> Rule:
    """A rule as a command line says it: `success:0.02`, `usd:0.001`, `success:0.02:0.9` with the least coverage.

    Raises:
        UsageError: it is none.

    Example:
        >>> rule_of("success:0.02").direction
        'higher'
    """
    name, *numbers = text.split(":")
    if name not in READINGS or not 1 <= len(numbers) <= 2:
        raise UsageError(f"a gate's rule: expected METRIC:MARGIN[:COVERAGE] with {', '.join(READINGS)}, found {text!r}")
    direction = READINGS[name][0]
    try:
        margin, *coverage = map(float, numbers)
        return Rule.model_validate(
            {"metric": name, "margin": margin, "direction": direction, "min_coverage": coverage[0] if coverage else 1.0}
        )
    except ValueError as error:
        raise UsageError(f"a gate's rule: expected numbers in range after {name!r}, found {text!r}") from error
