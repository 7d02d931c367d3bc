"""What stands beside every figure of a router: routing that knows nothing, and routing that knows the outcome.

The table is made of arms: what came of each piece of work with each worker that was tried on the very same payload.
Only work that everyone was tried on is in it; how much is not is said, and nothing is put in its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..metrics import routers
from ..scenario import Arm, Scenario
from ..scorecard import Measured, Metric, Point, PointKind
from ..statistics.intervals import Bootstrap
from .figure import Kind, plain

Work: TypeAlias = tuple[str, str]
"""Step and digest of the payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Work that was tried with several workers or models, and who got it in the run."""

    table: routers.Table
    chosen: Mapping[str, str]
    """By piece of work; only what the run gave to somebody in the table."""
    left_out: int
    """Pieces of work that some worker was not tried on."""


def tried(scenarios: Iterable[Scenario], measured: Iterable[Measured]) -> Tried | None:
    """The table of arms of these scenarios; None: nothing was tried with two workers.

    Two trials of one worker on one piece of work are one arm, their mean.
    """
    rows: dict[Work, dict[str, list[Arm]]] = {}
    for scenario in scenarios:
        for arm in scenario.arms:
            if arm.success != "unscored":
                rows.setdefault((arm.step, arm.payload), {}).setdefault(_who(arm.agent, arm.model), []).append(arm)
    everyone = frozenset(who for row in rows.values() for who in row)
    whole = {work: row for work, row in rows.items() if row.keys() == everyone}
    if len(everyone) < 2 or not whole:
        return None
    given = {(one.step, one.payload): _who(one.to, one.model) for run in measured for one in run.handoffs}
    return Tried(
        table=routers.Table(
            {_key(work): {who: _mean(arms) for who, arms in row.items()} for work, row in whole.items()}
        ),
        chosen={_key(work): given[work] for work in whole if given.get(work) in everyone},
        left_out=len(rows) - len(whole),
    )


def _who(agent: str, model: str) -> str:
    return f"{agent} on {model}" if model else agent


def _key(work: Work) -> str:
    return f"{work[0]} {work[1]}"


def _mean(arms: Sequence[Arm]) -> routers.Arm:
    trials = sum(arm.n_trials for arm in arms)
    right = sum(arm.n_success if arm.n_success is not None else arm.n_trials * (arm.success == "yes") for arm in arms)
    return routers.Arm(right / trials, math.fsum(arm.usage.usd * arm.n_trials for arm in arms) / trials)


def points(found: Tried) -> tuple[Point, ...]:
    """This run, where it chose for all work in the table, beside the baselines, on the plane of cost and quality."""
    own = _own(found)
    beside = routers.baselines(found.table, None if own is None else own.cost)
    named: list[tuple[PointKind, routers.Standing | None]] = [
        ("this", own),
        ("cheapest", beside.cheapest),
        ("best_single", beside.best_single),
        ("random", beside.random),
        ("hull", beside.hull),
        ("oracle", beside.oracle),
        *(("single", one) for one in beside.singles),
    ]
    told = [
        Point(name=one.name, kind=kind, usd=one.cost or 0.0, quality=one.quality)
        for kind, one in named
        if one is not None
    ]
    if own is not None:
        told.insert(0, Point(name="this", kind="this", usd=own.cost or 0.0, quality=own.quality))
    return tuple(told)


def _own(found: Tried) -> routers.Standing | None:
    return found.table.routed(found.chosen, "this") if found.chosen.keys() == found.table.arms.keys() else None


def routing_figures(found: Tried, how: Bootstrap) -> Iterable[Metric]:
    """How far the run's routing lies behind the oracle, and before what needs no router."""
    own, n = _own(found), len(found.table.arms)
    left = f"{found.left_out} pieces of work were not tried by everyone" if found.left_out else ""
    kinds = {
        "router_quality": Kind("router_quality", "router", "share", "higher"),
        "gap_to_oracle": Kind("gap_to_oracle", "router", "share", "lower"),
        "gap_to_best_single": Kind("gap_to_best_single", "router", "share", "lower"),
        "arena_score": Kind("arena_score", "router", "score", "higher"),
    }
    if own is None:
        why = f"undefined: {n - len(found.chosen)} of {n} pieces of work went to somebody who was not tried on it"
        yield from (plain(kind, None, n, how, why) for kind in kinds.values())
        return
    (at_nothing,) = routers.regret(found.table, found.chosen, [0.0])
    values = {
        "router_quality": own.quality,
        "gap_to_oracle": at_nothing.gap_at_oracle,
        "gap_to_best_single": at_nothing.gap_at_best_single,
        "arena_score": routers.arena_score(own.quality, 1_000 * (own.cost or 0.0)),
    }
    for name, value in values.items():
        yield plain(kinds[name], value, n, how, left if value is not None else "undefined: it cost nothing")
