"""The gate says whether a change may be merged.

A rule allows a metric to become worse by a margin, and asks whether the results exclude that it became worse by more:
a non-inferiority test by the bound of the confidence interval. A large p is not asked for: it would let every change
pass that was tried on few enough scenarios.

1. A required scenario could not be evaluated: fail.
2. Fewer scenarios could be evaluated than stated: fail.
3. There is no interval: inconclusive.
4. The bound on the bad side crosses the margin: fail. The sentence tells whether a regression beyond the margin was
   shown (the other bound crosses it too) or only not excluded (more scenarios may help).
5. Otherwise: pass.

The gate fails if any rule fails, is inconclusive if any is, and passes if all pass.

Source: Piaggio et al. 2012, Reporting of Noninferiority and Equivalence Randomized Trials, doi:10.1001/jama.2012.87802.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from ...protocols.errors import UsageError
from ...protocols.messages import Message, Share
from ..scorecard import Gate, Ruling
from .comparison import Compared, Contrast


class Rule(Message):
    """How much worse a metric may become."""

    metric: str
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Allowed regression in the metric's own unit; at 0 any regression that is not excluded fails."""
    direction: Literal["higher", "lower"]
    """Which is better."""
    min_coverage: Share = 1.0
    """Least share of scenarios that must have been evaluated in both variants."""
    required: frozenset[str] = frozenset()
    """Scenarios each of which must have been evaluated in both variants."""


def gate(rules: Sequence[Rule], compared: Compared) -> Gate:
    """Judge a comparison by rules; rulings in the order of the rules.

    Raises:
        UsageError: there are no rules, or a rule is about a metric that was not compared.

    Example:
        >>> from .comparison import Repeats, compare
        >>> from .intervals import Bootstrap
        >>> same = {f"s{i}": Repeats(task_hash="h", values={"success": [i % 2]}) for i in range(8)}
        >>> rule = Rule(metric="success", margin=0.05, direction="higher")
        >>> gate([rule], compare(same, same, Bootstrap(seed=1))).verdict
        'pass'
    """
    contrasts = {one.metric: one for one in compared.contrasts}
    if not rules:
        raise UsageError("a gate: expected at least one rule, found none")
    if unknown := sorted({rule.metric for rule in rules} - contrasts.keys()):
        raise UsageError(f"a gate: expected rules about {', '.join(contrasts)}, found {', '.join(unknown)}")
    rulings = tuple(_ruling(rule, contrasts[rule.metric], len(compared.left_out)) for rule in rules)
    verdicts = {ruling.verdict for ruling in rulings}
    return Gate(
        verdict="fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass",
        rulings=rulings,
    )


Judged = tuple[Literal["pass", "fail", "inconclusive"], str]


def _ruling(rule: Rule, found: Contrast, left_out: int) -> Ruling:
    verdict, sentence = _judged(rule, found)
    note = f"; {left_out} scenarios that only one variant has were left out" if left_out else ""
    return Ruling(metric=rule.metric, verdict=verdict, sentence=f"{rule.metric}: {sentence}{note}")


def _judged(rule: Rule, found: Contrast) -> Judged:
    if missing := sorted(rule.required - set(found.evaluated)):
        return "fail", f"required scenarios could not be evaluated: {', '.join(missing)}"
    if found.coverage < rule.min_coverage:
        total = len(found.evaluated) + len(found.unevaluable)
        share = f"expected a share of at least {rule.min_coverage:g}"
        return "fail", f"{len(found.evaluated)} of {total} scenarios could be evaluated, {share}"
    low, high = found.difference.low, found.difference.high
    if low is None or high is None:
        return "inconclusive", f"the difference has no interval: {found.difference.reason}"
    # How much worse the metric became: at most and at least.
    worst, least = (-low, -high) if rule.direction == "higher" else (high, low)
    told = (
        f"{_figure(found.baseline)} became {_figure(found.candidate)} ({rule.direction} is better), difference "
        f"{_figure(found.difference.value)} with a {100 * found.difference.level:g} % interval from {low:+.4g} to "
        f"{high:+.4g} over {found.difference.n} scenarios; worse by at most {worst:.4g}, allowed {rule.margin:.4g}"
    )
    if worst <= rule.margin:
        return "pass", told
    return "fail", f"{told}: a larger regression is {'shown' if least > rule.margin else 'not excluded'}"


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
