"""On what runs stand: nothing is imputed, chance is weighed and not chosen by, and intervals hold what is true."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echelon.evals.scorecard import Coverage, Measured, Routed
from echelon.evals.statistics.intervals import Bootstrap, bootstrap_ratio
from echelon.evals.statistics.offpolicy import off_policy
from echelon.evals.suites.comparing import READINGS
from echelon.evals.whatif.coverage import of_decisions, of_runs
from echelon.evals.whatif.evaluate import FIRM
from echelon.evals.whatif.figures import Figures, figures
from echelon.evals.whatif.standing import Draw, Standing, standing, standings
from echelon.evals.whatif.weighing import Means, Reward, records, values
from echelon.protocols.messages import Usage

Target = Callable[[int], dict[str, float]]


@dataclass(frozen=True)
class World:
    """Runs of which it is known what each worker would have come to, logged by a router that explores."""

    before: dict[str, Measured]
    after: dict[str, Measured]
    right: dict[str, dict[str, bool]]
    target: Target

    def truth(self, metric: str, stands: Mapping[str, Standing]) -> float:
        """Mean difference that the change really makes, over the runs that stand on something."""
        names = [name for name, one in stands.items() if one.way in FIRM]
        gains = [self._now(metric, name) - (READINGS[metric][2](self.before[name]) or 0.0) for name in names]
        return math.fsum(gains) / len(gains)

    def _now(self, metric: str, name: str) -> float:
        worth = {"success": {who: float(ok) for who, ok in self.right[name].items()}, "usd": COST}[metric]
        return math.fsum(p * worth[who] for who, p in self.target(int(name)).items())


COST = {"quick": 1.0, "careful": 3.0}
CHANCE = {"quick": {"quick": 0.8, "careful": 0.95}, "careful": {"quick": 0.2, "careful": 0.6}}
"""Of an easy task, which is the quick one's at first, and of a hard one, which is the careful one's."""


def world(seed: int, n: int, target: Target, *, explore: float = 0.6, armed: float = 0.0, hard: float = 0.25) -> World:
    """Log `n` runs, a share of them of hard tasks; of another share arms are known, so that they have no target."""
    rng = random.Random(seed)
    before: dict[str, Measured] = {}
    after: dict[str, Measured] = {}
    right: dict[str, dict[str, bool]] = {}
    for i in range(n):
        name, wanted, first = f"{i:04}", target(i), "careful" if rng.random() < hard else "quick"
        mu = {who: explore / 2 + (1 - explore) * (who == first) for who in COST}
        right[name] = {who: rng.random() < CHANCE[first][who] for who in COST}
        who = "careful" if rng.random() < mu["careful"] else "quick"
        choice = Routed(step="/routed", chosen=who, candidates=tuple(COST), propensity=mu[who], target=mu)
        before[name] = ended(name, who, right[name][who], choice)
        if rng.random() < armed:
            new = next(other for other, p in wanted.items() if p == 1)
            after[name] = ended(name, new, right[name][new], choice.model_copy(update={"target": {}, "chosen": new}))
        elif wanted.get(who):
            after[name] = ended(name, who, right[name][who], choice.model_copy(update={"target": wanted}))
        else:
            after[name] = lost(name, choice.model_copy(update={"target": wanted}))
    return World(before, after, right, target)


def ended(name: str, who: str, ok: object, *routed: Routed, **more: Any) -> Measured:
    """A run that came to its end."""
    whole: dict[str, Any] = {
        "scenario": name, "task_hash": f"task {name}", "state": "scored", "status": "delivered",
        "success": "yes" if ok else "no", "usage": Usage(calls=1, input=10, usd=COST.get(who, 1.0)), "seconds": 1.0,
        "routed": routed, "coverage": Coverage(exact=1),
    }  # fmt: skip
    return Measured.model_validate(whole | more)


def lost(name: str, *routed: Routed, why: str = "nobody knows") -> Measured:
    """A run that could not go on."""
    coverage = Coverage(unevaluable=1)
    return Measured(
        scenario=name, task_hash=f"task {name}", state="unevaluable", why=why, routed=routed, coverage=coverage
    )


def careful(_: int) -> dict[str, float]:
    """Everything goes to the careful one."""
    return {"careful": 1.0}


def parted(i: int) -> dict[str, float]:
    """Every other task goes to the careful one."""
    return {"careful": 1.0} if i % 2 else {"quick": 1.0}


def mixed(_: int) -> dict[str, float]:
    """Most goes to the careful one, at random."""
    return {"careful": 0.8, "quick": 0.2}


def interval(made: World, metric: str, seed: int = 0) -> tuple[float, float, dict[str, Standing]]:
    """Bounds of the difference, and on what it stands."""
    stands = standings(made.before, made.after)
    found = figures(metric, stands, made.before, made.after, FIRM)
    gains = {name: (found.after[name] - found.before[name], 1) for name in found.before}
    bounds = bootstrap_ratio(gains, Bootstrap(seed=seed, resamples=200))
    return bounds.low or 0.0, bounds.high or 0.0, stands


@pytest.mark.parametrize(("target", "armed"), [(careful, 0.0), (parted, 0.0), (mixed, 0.0), (parted, 0.4)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(target: Target, armed: float) -> None:
    """In 60 worlds of 120 runs, at level .95; what is known exactly and what is weighed taken together.

    Who took those runs alone whose choice agrees would be wrong by .07 where all go to the careful one: hard tasks
    were likelier to go there.
    """
    held = 0
    errors: list[float] = []
    for seed in range(60):
        made = world(seed, 120, target, armed=armed)
        low, high, stands = interval(made, "success", seed)
        truth = made.truth("success", stands)
        held += low <= truth <= high
        errors.append((low + high) / 2 - truth)
    assert held >= 52
    assert abs(math.fsum(errors) / len(errors)) < 0.03


def test_costs_are_weighed_as_successes_are() -> None:
    made = world(1, 150, mixed)
    low, high, stands = interval(made, "usd")
    assert low <= made.truth("usd", stands) <= high
    assert high - low < 0.5
    assert of_runs(stands).off_policy == 150


def test_runs_whose_choice_happens_to_agree_are_weighed_like_the_others() -> None:
    """Taken by themselves they would be a choice among tasks by chance: where it is likelier to agree."""
    stands = standings(*sides(world(3, 200, parted, hard=0.0)))
    assert {one.way for one in stands.values()} == {"off_policy"}
    weights = [one.weight for one in stands.values()]
    assert sorted({round(weight, 6) for weight in weights}) == pytest.approx([0.0, 1 / 0.7, 1 / 0.3])
    assert math.fsum(weights) / len(weights) == pytest.approx(1.0, abs=0.25)


def sides(made: World) -> tuple[dict[str, Measured], dict[str, Measured]]:
    """What was measured before and after."""
    return made.before, made.after


def test_what_is_known_of_everybody_is_exact_whoever_was_drawn() -> None:
    stands = standings(*sides(world(4, 300, careful, armed=0.5)))
    assert 100 < of_runs(stands).exact < 200
    assert of_runs(stands).exact + of_runs(stands).off_policy == 300


def test_what_too_few_runs_show_is_not_known() -> None:
    """Nine runs of the careful one say too little, and none says nothing; the runs of the quick one still stand."""
    made = world(5, 60, parted, explore=0.2, hard=0.0)
    shown = [name for name, one in made.before.items() if one.routed[0].chosen == "careful" and int(name) % 2]
    assert 0 < len(shown) < 10
    stands = standings(*sides(made))
    gone = {name for name, one in stands.items() if one.way == "unevaluable"}
    assert gone == {name for name in stands if int(name) % 2}
    assert {stands[name].why for name in gone} == {
        f"/routed: too few runs were given to careful: effective sample size {len(shown)}.0, expected 10"
    }
    for name in shown:
        del made.before[name], made.after[name]
    stands = standings(*sides(made))
    whys = {one.why for one in stands.values() if one.way == "unevaluable"}
    assert whys == {"/routed: no run was given to careful, and no arm is known"}


def test_where_the_change_reaches_further_than_the_choice_no_run_is_taken_for_granted() -> None:
    """A run of the chosen one that cannot be told to its end makes all that would choose so unknown, drawn or not."""
    made = world(6, 200, parted)
    name = next(name for name, one in made.after.items() if one.state == "scored" and int(name) % 2)
    made.after[name] = lost(name, *made.after[name].routed, why="its prompt is another one")
    stands = standings(*sides(made))
    assert {one.way for name, one in stands.items() if int(name) % 2} == {"unevaluable"}
    assert {one.way for name, one in stands.items() if not int(name) % 2} == {"off_policy"}
    assert stands[name].why == (
        "/routed: a run that careful was given cannot be told to its end: its prompt is another one"
    )


def test_nobody_is_weighed_who_could_not_have_been_drawn() -> None:
    made = world(7, 40, lambda _: {"expert": 1.0})
    stands = standings(*sides(made))
    assert {one.why for one in stands.values()} == {"/routed: expert could not have been drawn when it was recorded"}
    assert of_runs(stands) == Coverage(unevaluable=40)
    found = figures("success", stands, *sides(made), FIRM)
    assert (found.before, found.after, found.log) == ({}, {}, ())


def test_a_router_that_is_not_changed_leaves_its_runs_exact() -> None:
    made = world(8, 30, lambda _: {"quick": 0.7, "careful": 0.3}, hard=0.0)
    assert of_runs(standings(*sides(made))) == Coverage(exact=30)


CHOICE = Routed(
    step="/routed",
    chosen="quick",
    candidates=("quick", "careful"),
    propensity=0.5,
    target={"quick": 0.5, "careful": 0.5},
)


@pytest.mark.parametrize(
    ("before", "after", "way", "why"),
    [
        (ended("a", "quick", 1), ended("a", "quick", 1), "exact", ""),
        (ended("a", "quick", 1), lost("a"), "unevaluable", "nobody knows"),
        (lost("a"), ended("a", "quick", 1), "unevaluable", "the team as it is does not replay it: nobody knows"),
        (
            ended("a", "quick", 1, coverage=Coverage(assumed=1)), ended("a", "quick", 1), "unevaluable",
            "the team as it is does not replay it: it went on only by taking work of one step to be exchangeable",
        ),
        (
            ended("a", "quick", 1), ended("a", "quick", 1, coverage=Coverage(exact=3, assumed=1)), "assumed",
            "it went on only by taking work of one step to be exchangeable",
        ),
        (
            ended("a", "quick", 1, CHOICE),
            ended("a", "quick", 1, CHOICE.model_copy(update={"target": {"quick": 1.0}}), coverage=Coverage(assumed=1)),
            "off_policy", "it went on only by taking work of one step to be exchangeable",
        ),
        (
            ended("a", "quick", 1, CHOICE),
            lost("a", CHOICE.model_copy(update={"chosen": "careful", "target": {"careful": 1.0}})),
            "off_policy", "",
        ),
        (
            ended("a", "quick", 1, CHOICE.model_copy(update={"target": {}, "candidates": ("quick",)})),
            lost("a", CHOICE.model_copy(update={"target": {"careful": 1.0}})),
            "unevaluable", "/routed: careful could not have been drawn when it was recorded",
        ),
    ],
)  # fmt: skip
def test_a_run_stands_on_the_worst_that_it_needs(before: Measured, after: Measured, way: str, why: str) -> None:
    found = standing(before, after)
    assert (found.way, found.why) == (way, why)


def test_several_draws_in_one_run_are_weighed_together() -> None:
    """Their chances are multiplied; what would have been chosen otherwise stands up to where it differs."""
    draws = (
        Draw(step="/a", chosen="x", propensity=0.5, target={"x": 0.8, "y": 0.2}),
        Draw(step="/b", chosen="u", propensity=0.25, target={"u": 0.5, "v": 0.5}),
    )
    found = Standing(way="off_policy", draws=draws)
    assert (found.action, found.propensity) == ("x > u", 0.125)
    assert found.weight == pytest.approx(3.2)
    assert found.target == pytest.approx({"y": 0.2, "x > v": 0.4, "x > u": 0.4})
    assert math.fsum(found.target.values()) == pytest.approx(1.0)


def test_a_figure_that_nobody_knows_is_left_out_and_not_nothing() -> None:
    before = {name: ended(name, "quick", 1) for name in "ab"}
    after = {"a": ended("a", "quick", 1, usage=Usage(), unknown=("usd", "usage", "seconds")), "b": before["b"]}
    stands = standings(before, after)
    known = {metric: sorted(figures(metric, stands, before, after, FIRM).after) for metric in READINGS}
    assert known == {
        "success": ["a", "b"], "routing": [], "usd": ["b"], "usd_uncached": ["b"], "calls": ["b"], "tokens": ["b"],
        "seconds": ["b"],
    }  # fmt: skip


def test_a_step_that_is_gone_takes_no_time() -> None:
    """While a recording without times says nothing of any."""
    before, after = {"a": ended("a", "quick", 1)}, {"a": ended("a", "quick", 1, seconds=0.0)}
    stands = standings(before, after)
    assert figures("seconds", stands, before, after, FIRM).after == {"a": 0.0}
    assert figures("seconds", stands, after, before, FIRM) == Figures(before={}, after={})


def test_a_figure_that_is_unknown_of_one_weighed_run_is_unknown_of_all() -> None:
    """Of those that are drawn at random, none can be left out for what was drawn in it."""
    made = world(9, 150, mixed)
    name = next(iter(made.after))
    made.after[name] = made.after[name].model_copy(update={"unknown": ("usd",)})
    stands = standings(*sides(made))
    assert figures("usd", stands, *sides(made), FIRM).after == {}
    assert len(figures("success", stands, *sides(made), FIRM).after) == 150


def test_the_four_numbers_add_up() -> None:
    """To all runs, and to all decisions: a choice that is weighed is no longer missed, assumed or exact."""
    made = world(10, 100, parted, armed=0.3)
    made.after["0001"] = ended("0001", "quick", 1, coverage=Coverage(exact=2, assumed=2))
    made.after["0002"] = lost("0002")
    made.before["0003"] = lost("0003", why="moved on")
    stands = standings(*sides(made))
    runs, decisions = of_runs(stands), of_decisions(stands, made.after)
    assert (runs.total, runs.assumed) == (100, 1)
    assert decisions.total == sum(one.coverage.total for one in made.after.values())
    assert decisions.off_policy == runs.off_policy
    assert decisions.assumed == 2
    assert runs.ess == decisions.ess
    assert of_runs({}).ess is None


LOGS = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.floats(0, 1), st.floats(0.1, 0.9), st.floats(0, 1)), min_size=2
)


@settings(max_examples=40, deadline=None)
@given(LOGS)
def test_the_mean_of_the_values_is_the_doubly_robust_estimate(
    rows: list[tuple[int, bool, float, float, float]],
) -> None:
    """So that comparisons and gates, which take a value of each run, say the same as the estimate."""
    weighed: dict[str, Standing] = {}
    rewards: dict[str, Reward] = {}
    for i, (_, quick, reward, propensity, likely) in enumerate(rows):
        who = "quick" if quick else "careful"
        target = {"quick": likely, "careful": 1 - likely}
        draw = Draw(step="/routed", chosen=who, propensity=propensity, target=target)
        weighed[f"{i}"] = Standing(way="off_policy", draws=(draw,))
        rewards[f"{i}"] = Reward(recorded=0.5, now=reward if target[who] else None)
    log = records(weighed, rewards, {f"{i}": f"task {row[0]}" for i, row in enumerate(rows)})
    found = off_policy(log, Bootstrap(seed=0, resamples=100), Means(log))
    assert found.dr is not None
    assert math.fsum(values(log, Means(log))) / len(log) == pytest.approx(found.dr.value)


@given(LOGS)
def test_a_prediction_never_knows_the_task_that_it_is_for(rows: list[tuple[int, bool, float, float, float]]) -> None:
    """Whatever came of a task, what is predicted for it is the same."""

    def predicted(reward: float) -> float:
        weighed = {f"{i}": Standing(way="off_policy", draws=(Draw(
            step="/routed", chosen="quick" if row[1] else "careful", propensity=row[3], target={"quick": 1.0}
        ),)) for i, row in enumerate(rows)}  # fmt: skip
        rewards = {f"{i}": Reward(recorded=row[2] if row[0] else reward, now=None) for i, row in enumerate(rows)}
        return Means(records(weighed, rewards, {f"{i}": f"task {row[0]}" for i, row in enumerate(rows)}))(
            "task 0", "quick"
        )

    assert predicted(0.0) == pytest.approx(predicted(1.0))
