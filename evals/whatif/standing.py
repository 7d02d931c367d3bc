"""On what each run stands in the answer: exact, off-policy, assumed, or unevaluable; nothing is put in a gap's place.

1. A run that the team as it is does not replay cannot be evaluated: nobody could tell what the change did.
2. A run in which a router had drawn who got a step, and the changed team would have drawn otherwise, is weighed by how
   likely its choice has become (off-policy), whether its own choice is still the one or not: to take only those whose
   choice happens to agree would be to choose among tasks by chance. What was tried as an arm too is exact instead.
3. What the changed team would choose must have been possible when the run was recorded, and enough runs must show it,
   whole; otherwise every run that would choose so cannot be evaluated, whatever was drawn in it.
4. A run that could not go on cannot be evaluated; one that went on only on work taken to be exchangeable is assumed.
5. Any other run is exact.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from ..scorecard import Measured, Routed
from ..scoring.places import general
from ..statistics.offpolicy import effective_sample_size

Way: TypeAlias = Literal["exact", "off_policy", "assumed", "unevaluable"]

FEWEST: Final = 10.0
"""Effective sample size of a choice's runs under which they say too little for an interval to be believed: of 60 and
200 runs in 400 trials each, intervals at level .95 held the truth in .90 to .98 from 10 on, and in .75 to .95 below."""

ASSUMES: Final = "it went on only by taking work of one step to be exchangeable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One choice that was left to chance, and would now be made otherwise."""

    step: str
    chosen: str
    propensity: float
    target: Mapping[str, float]
    """How likely each worker has become."""

    @property
    def likely(self) -> float:
        """How likely the choice that was made has become."""
        return self.target.get(self.chosen, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the answer has of one run."""

    way: Way
    why: str = ""
    """Why it cannot be evaluated; of one that is weighed, why its own choice shows nothing; "": it does."""
    draws: tuple[Draw, ...] = ()
    """Of a run that is weighed; in the order in which they were made."""

    @property
    def propensity(self) -> float:
        """How likely the choices of the run were, in (0, 1]."""
        return math.prod(draw.propensity for draw in self.draws)

    @property
    def weight(self) -> float:
        """How much likelier they have become, as a factor >= 0."""
        return math.prod(draw.likely for draw in self.draws) / self.propensity

    @property
    def action(self) -> str:
        """The choices that were made, as one."""
        return " > ".join(draw.chosen for draw in self.draws)

    @property
    def target(self) -> dict[str, float]:
        """How likely each choice has become; where there are several, up to the first that differs."""
        found: dict[str, float] = {}
        before, so_far = "", 1.0
        for draw in self.draws:
            found |= {f"{before}{who}": so_far * p for who, p in draw.target.items() if who != draw.chosen}
            before, so_far = f"{before}{draw.chosen} > ", so_far * draw.likely
        return {**found, self.action: so_far}


def standings(before: Mapping[str, Measured], after: Mapping[str, Measured]) -> dict[str, Standing]:
    """On what each run stands, by scenario.

    Args:
        before: by scenario, as replayed by the team as it is.
        after: as replayed by the changed team.
    """
    found = {name: standing(before[name], after[name]) for name in sorted(after)}
    while gaps := _gaps({name: one for name, one in found.items() if one.way == "off_policy"}):
        found |= {name: replace(found[name], way="unevaluable", why=why) for name, why in gaps.items()}
    return found


def standing(before: Measured, after: Measured) -> Standing:
    """On what one run stands, before it is known what the others show."""
    if before.state in ("broken", "unevaluable") or before.coverage.assumed:
        return Standing(way="unevaluable", why=f"the team as it is does not replay it: {before.why or ASSUMES}")
    lost = after.why if after.state in ("broken", "unevaluable") else ASSUMES if after.coverage.assumed else ""
    draws, odd = _draws(before, after)
    if odd:
        return Standing(way="unevaluable", why=odd)
    if draws:
        return Standing(way="off_policy", why=lost if all(draw.likely for draw in draws) else "", draws=draws)
    if not lost:
        return Standing(way="exact")
    return Standing(way="unevaluable" if after.state in ("broken", "unevaluable") else "assumed", why=lost)


def _draws(before: Measured, after: Measured) -> tuple[tuple[Draw, ...], str]:
    """What was drawn and would now be made otherwise; and why that cannot be weighed, if it cannot."""
    now = {one.step: one.target for one in after.routed if one.target}
    found: list[Draw] = []
    for one in before.routed:
        target = now.get(one.step)
        if target is None or one.propensity is None or _is_as_before(one, target):
            continue
        possible = one.target or dict.fromkeys(one.candidates, 1.0)
        if new := sorted(who for who, p in target.items() if p and not possible.get(who)):
            return (), f"{one.step}: {', '.join(new)} could not have been drawn when it was recorded"
        found.append(Draw(step=one.step, chosen=one.chosen, propensity=one.propensity, target=target))
    return tuple(found), ""


def _is_as_before(one: Routed, target: Mapping[str, float]) -> bool:
    """Whether each worker is as likely as when the run was recorded."""
    workers = one.target.keys() | target.keys()
    return all(math.isclose(one.target.get(who, 0.0), target.get(who, 0.0), abs_tol=1e-9) for who in workers)


Shown: TypeAlias = tuple[str, str]
"""Step in general, and worker."""


def _gaps(weighed: Mapping[str, Standing]) -> dict[str, str]:
    """Weighed runs that would choose what too few runs show, or what some run that chose it cannot show; and why."""
    shown: defaultdict[Shown, list[float]] = defaultdict(list)
    lost: dict[Shown, str] = {}
    for one in weighed.values():
        for key in _chosen(one) if one.weight else ():
            shown[key].append(one.weight)
            if one.why:
                lost[key] = one.why
    found = {name: next(_faults(one, shown, lost), "") for name, one in weighed.items()}
    return {name: why for name, why in found.items() if why}


def _chosen(one: Standing) -> list[Shown]:
    return [(general(draw.step), draw.chosen) for draw in one.draws]


def _faults(one: Standing, shown: Mapping[Shown, Sequence[float]], lost: Mapping[Shown, str]) -> Iterator[str]:
    """Why what the changed team would choose in this run is not known."""
    for step, who in ((general(draw.step), who) for draw in one.draws for who, p in draw.target.items() if p):
        ess = effective_sample_size(shown.get((step, who), ()))
        if (step, who) in lost:
            yield f"{step}: a run that {who} was given cannot be told to its end: {lost[step, who]}"
        elif ess is None:
            yield f"{step}: no run was given to {who}, and no arm is known"
        elif ess < FEWEST:
            yield f"{step}: too few runs were given to {who}: effective sample size {ess:.1f}, expected {FEWEST:g}"
