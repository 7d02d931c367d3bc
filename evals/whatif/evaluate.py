"""What a change would have cost, broken and mended: two measurements of the same runs, before it and after, compared.

The unit is the task: runs of one task are drawn again together. A figure that stands on weighed runs has an interval
and no test, since the values of single runs say nothing there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..scenario import Scenario
from ..scorecard import Comparison, Difference, Measured, Mode, Scorecard
from ..scoring.summary import Scored, scorecard, suite_digest
from ..statistics.comparison import Compared, Contrast, Repeats, compare
from ..statistics.gate import Rule, gate
from ..statistics.intervals import Bootstrap, Interval
from ..statistics.offpolicy import off_policy
from ..suites.comparing import READINGS, differences
from .changes import Change, is_about_money_only, told
from .coverage import of_decisions, of_runs
from .figures import Figures, figures
from .known import check
from .moves import changed_run
from .notes import notes
from .result import Bounds, Estimate, Gap, Weighed, WhatIf
from .standing import Standing, Way, standings
from .weighing import Means

FIRM: Final[frozenset[Way]] = frozenset(("exact", "off_policy"))
ALL: Final[frozenset[Way]] = frozenset(("exact", "off_policy", "assumed"))
ESTIMATED: Final = ("success", "usd", "seconds")
"""Metrics of which all three estimates are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What is asked."""

    suite: str
    changes: Sequence[Change]
    team: str = "as recorded"
    """What the team as it is is called."""
    rules: Sequence[Rule] = ()
    """Of the gate; empty: there is none."""
    taken: Collection[Way] = FIRM
    """What the figures and the gate may stand on: `FIRM`, or `ALL` with what is assumed."""
    seed: int = 0
    resamples: int = 2_000
    """Of every interval."""

    @property
    def variant(self) -> str:
        """The changes in the words of the command line."""
        return ", ".join(map(told, self.changes))

    @property
    def mode(self) -> Mode:
        """How runs are asked: as they are, where only prices are others; else routed again."""
        return "recorded" if is_about_money_only(self.changes) else "reroute"

    @property
    def how(self) -> Bootstrap:
        """How intervals are made."""
        return Bootstrap(seed=self.seed, resamples=self.resamples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of asking."""

    inquiry: Inquiry
    whatif: WhatIf
    measured: Sequence[Measured]
    """The runs of the changed team as a scorecard may hold them: those with an end that is known run by run, and the
    others without one."""

    def card(self, scenarios: Sequence[Scenario]) -> Scorecard:
        """The changed team as a scorecard, for reports; its own metrics stand on single runs alone.

        Raises:
            MissingExtraError: numpy, scipy or scikit-learn is not installed.
        """
        asked, told = self.inquiry, self.whatif
        scored = Scored(
            suite=asked.suite, variant=asked.variant, mode=asked.mode, seed=asked.seed, resamples=asked.resamples
        )
        ends = [run for run in told.changed if run.after is not None]
        otherwise = tuple(run.scenario for run in ends if run.after and run.after.success != run.before.success)
        return scorecard(scored, scenarios, self.measured).model_copy(
            update={
                "comparison": Comparison(baseline=asked.team, differences=told.differences, changed=otherwise),
                "gate": told.gate,
                "coverage": told.decisions,
                "notes": told.notes,
            }
        )


def evaluate(
    inquiry: Inquiry, scenarios: Sequence[Scenario], before: Sequence[Measured], after: Sequence[Measured]
) -> Answer:
    """Answer; the same measurements give the same answer, in whatever order they come.

    Args:
        inquiry: what is asked.
        scenarios: that were asked; their events are not needed.
        before: each measured once, as the team as it is replays it.
        after: as the changed team does.

    Raises:
        UsageError: there is no recorded run, or a change is about a step or a model that no run knows.
        MissingExtraError: numpy, scipy or scikit-learn is not installed.
    """
    check(inquiry.changes, before)
    old, new = ({one.scenario: one for one in measured} for measured in (before, after))
    stands = standings(old, new)
    found = {metric: figures(metric, stands, old, new, inquiry.taken) for metric in READINGS}
    compared = _compared(inquiry, found, old)
    runs = (changed_run(one, old[name], new[name]) for name, one in stands.items())
    whatif = WhatIf(
        suite=inquiry.suite,
        suite_digest=suite_digest(scenarios),
        changes=tuple(inquiry.changes),
        seed=inquiry.seed,
        scripted=any(one.header.source.scripted for one in scenarios),
        runs=of_runs(stands),
        decisions=of_decisions(stands, new),
        includes_assumed="assumed" in inquiry.taken,
        differences=differences(compared),
        with_assumed=_with_assumed(inquiry, stands, old, new),
        weighed=_weighed(inquiry, stands, found),
        changed=tuple(run for run in runs if run is not None),
        unevaluable=tuple(Gap(scenario=name, why=one.why) for name, one in stands.items() if one.way == "unevaluable"),
        gate=gate(inquiry.rules, compared) if inquiry.rules else None,
        notes=tuple(notes(inquiry.changes, stands, old, new)),
    )
    return Answer(inquiry=inquiry, whatif=whatif, measured=_shown(inquiry, stands, new))


def _compared(inquiry: Inquiry, found: Mapping[str, Figures], before: Mapping[str, Measured]) -> Compared:
    """All metrics, scenario by scenario."""

    def side(of: Callable[[Figures], Mapping[str, float]]) -> dict[str, Repeats]:
        return {
            name: Repeats(
                task_hash=one.task_hash,
                values={metric: [of(figure).get(name)] for metric, figure in found.items()},
                cluster=one.task_hash,
            )
            for name, one in before.items()
        }

    compared = compare(side(lambda one: one.before), side(lambda one: one.after), inquiry.how)
    contrasts = (_untested(one) if found[one.metric].log else one for one in compared.contrasts)
    return replace(compared, contrasts=tuple(contrasts))


def _untested(one: Contrast) -> Contrast:
    return replace(one, test="", p=None, p_holm=None, detectable=None)


def _with_assumed(
    inquiry: Inquiry, stands: Mapping[str, Standing], before: Mapping[str, Measured], after: Mapping[str, Measured]
) -> tuple[Difference, ...]:
    """The differences with assumed runs too, where there are any and they are not in it anyway."""
    if "assumed" in inquiry.taken or all(one.way != "assumed" for one in stands.values()):
        return ()
    found = {metric: figures(metric, stands, before, after, ALL) for metric in READINGS}
    return differences(_compared(inquiry, found, before))


def _weighed(inquiry: Inquiry, stands: Mapping[str, Standing], found: Mapping[str, Figures]) -> Weighed | None:
    """The runs that were weighed, with all estimates; None: there are none."""
    runs = sum(one.way == "off_policy" for one in stands.values())
    logs = {metric: found[metric] for metric in ESTIMATED if found[metric].log}
    whole = {metric: off_policy(one.log, inquiry.how, Means(one.log)) for metric, one in logs.items()}
    if not runs:
        return None
    first = next(iter(whole.values()), None)
    estimates = (
        Estimate(
            metric=metric,
            unit=READINGS[metric][1],
            recorded=logs[metric].recorded,
            ips=_bounds(one.ips),
            snips=_bounds(one.snips),
            dr=_bounds(one.dr),
            n=one.n,
        )
        for metric, one in whole.items()
    )
    return Weighed(
        runs=runs,
        ess=of_runs(stands).ess,
        unsupported=None if first is None else first.unsupported,
        mean_weight=None if first is None else first.mean_weight,
        estimates=tuple(estimates),
    )


def _bounds(one: Interval | None) -> Bounds:
    return (
        Bounds(value=None, low=None, high=None) if one is None else Bounds(value=one.value, low=one.low, high=one.high)
    )


def _shown(inquiry: Inquiry, stands: Mapping[str, Standing], after: Mapping[str, Measured]) -> list[Measured]:
    """The runs as a scorecard may hold them: those of which it is known, one by one, how they end; the others bare."""
    alone = frozenset(inquiry.taken) - {"off_policy"}
    return [one if stands[name].way in alone else _bare(one, stands[name]) for name, one in sorted(after.items())]


def _bare(one: Measured, stands: Standing) -> Measured:
    """A run of which no more is known than why."""
    weighed = "weighed together with others: of this run alone it is not known"
    return Measured(
        scenario=one.scenario,
        task_hash=one.task_hash,
        tags=one.tags,
        state="broken" if one.state == "broken" else "unevaluable",
        why=weighed if stands.way == "off_policy" else stands.why,
        replayed=one.replayed,
    )
