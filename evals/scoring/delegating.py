"""Who was given what: routing, delegation, and the plans behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ..metrics.delegation import (
    Delegation,
    Sent,
    missed_delegation_rate,
    ping_pong_rate,
    redundant_handoff_rate,
    unnecessary_delegation_rate,
)
from ..metrics.routing import (
    NONE,
    SELF,
    Choice,
    accuracy,
    by_class,
    constant_router,
    forbidden_rate,
    gold_accuracy,
    marginal_accuracy,
)
from ..scorecard import Measured, Metric, Routed
from ..statistics.intervals import Bootstrap
from .figure import Kind, Tasks, drawn_again, mean, plain


def choices_in(runs: Iterable[Measured]) -> list[Choice]:
    """The choices of runs as the metrics of routing take them; references that contradict themselves are left out."""
    return [_choice(one) for run in runs for one in run.routed]


def _choice(one: Routed) -> Choice:
    acceptable = frozenset((*one.acceptable, *filter(None, (one.gold,))))
    return Choice(
        one.chosen,
        acceptable,
        gold=one.gold,
        forbidden=frozenset(one.forbidden) - acceptable,
        candidates=frozenset(one.candidates),
    )


def routing(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """Whether work went to the right worker, beside what habit and chance would have got right."""
    chosen = {task: found for task, runs in tasks.items() if (found := choices_in(runs))}
    judged = {task: found for task, found in chosen.items() if any(one.acceptable for one in found)}
    if not judged:
        return

    def over(figure: Callable[[list[Choice]], float | None]) -> Callable[[Sequence[list[Choice]]], float | None]:
        return lambda drawn: figure([one for choices in drawn for one in choices])

    def constant(choices: list[Choice]) -> float | None:
        found = constant_router(choices)
        return None if found is None else found.accuracy

    every = [one for choices in chosen.values() for one in choices]
    classes = by_class(every)
    habit = constant_router(every)
    yield drawn_again(Kind("routing_accuracy", "routing", "share", "higher"), judged, over(accuracy), how)
    yield drawn_again(Kind("routing_gold", "routing", "share", "higher"), judged, over(gold_accuracy), how)
    absent = f"without support: {', '.join(classes.absent)}" if classes.absent else ""
    yield plain(Kind("routing_macro_f1", "routing", "share", "higher"), classes.macro_f1, len(judged), how, absent)
    if any(one.forbidden for one in every):
        yield drawn_again(Kind("routing_forbidden", "routing", "share", "lower"), chosen, over(forbidden_rate), how)
    always = f"always {habit.label}" if habit else ""
    yield plain(Kind("routing_constant", "routing", "share", "neither"), constant(every), len(judged), how, always)
    yield plain(Kind("routing_chance", "routing", "share", "neither"), marginal_accuracy(every), len(judged), how)


def delegation(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """Whether work was given away that should have stayed, kept that should have gone, or sent round in circles."""
    judged = {
        task: found
        for task, runs in tasks.items()
        if (found := [one for run in runs for one in run.routed if one.should_delegate is not None])
    }

    def rate(
        figure: Callable[[list[Delegation]], float | None],
    ) -> Callable[[Sequence[list[Routed]]], float | None]:
        return lambda drawn: figure([_delegation(one) for found in drawn for one in found])

    if judged:
        unnecessary, missed = rate(unnecessary_delegation_rate), rate(missed_delegation_rate)
        yield drawn_again(Kind("unnecessary_delegation", "delegation", "share", "lower"), judged, unnecessary, how)
        yield drawn_again(Kind("missed_delegation", "delegation", "share", "lower"), judged, missed, how)
    sent = {task: [sent for run in runs for sent in by_supervisor(run)] for task, runs in tasks.items()}
    sent = {task: found for task, found in sent.items() if found}
    if sent:
        redundant, circles = _over(redundant_handoff_rate), _over(ping_pong_rate)
        yield drawn_again(Kind("redundant_handoffs", "delegation", "share", "lower"), sent, redundant, how)
        yield drawn_again(Kind("ping_pong", "delegation", "share", "lower"), sent, circles, how)
    depths = {task: [float(run.depth) for run in runs] for task, runs in tasks.items()}
    yield mean(Kind("depth", "delegation", "count", "neither"), depths, how)


def by_supervisor(run: Measured) -> list[list[Sent]]:
    """The handoffs of a run that did not fail, by the supervisor that made them: what two give away is no circle."""
    found: dict[str, list[Sent]] = {}
    for one in run.handoffs:
        if not one.failed:
            found.setdefault(one.step.rpartition("/")[0], []).append(Sent(one.to, one.payload))
    return list(found.values())


def _delegation(one: Routed) -> Delegation:
    return Delegation(delegated=one.chosen not in (SELF, NONE), should_delegate=one.should_delegate)


Runs: TypeAlias = list[list[Sent]]


def _over(figure: Callable[[Runs], float | None]) -> Callable[[Sequence[Runs]], float | None]:
    return lambda drawn: figure([run for runs in drawn for run in runs])


def plan(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """How near plans are to their references."""
    fits = {task: [run.plan for run in runs if run.plan is not None] for task, runs in tasks.items()}
    fits = {task: found for task, found in fits.items() if found}
    if not fits:
        return
    nodes = {task: [one.node_f1 for one in found] for task, found in fits.items()}
    edges = {task: [one.edge_f1 for one in found if one.edge_f1 is not None] for task, found in fits.items()}
    edits = {task: [one.edit for one in found] for task, found in fits.items()}
    bound = "" if all(one.exact for found in fits.values() for one in found) else "an upper bound for large plans"
    yield mean(Kind("plan_node_f1", "plan", "share", "higher"), nodes, how)
    yield mean(Kind("plan_edge_f1", "plan", "share", "higher"), edges, how)
    yield mean(Kind("plan_edit_distance", "plan", "share", "lower"), edits, how, bound)


def trajectory(tasks: Tasks, how: Bootstrap) -> Iterator[Metric]:
    """How far tool calls agree with what was expected."""
    fits = {task: [run.trajectory for run in runs if run.trajectory is not None] for task, runs in tasks.items()}
    fits = {task: found for task, found in fits.items() if found}
    if not fits:
        return
    exact = {task: [float(one.exact) for one in found] for task, found in fits.items()}
    in_order = {task: [one.in_order for one in found] for task, found in fits.items()}
    any_order = {task: [one.any_order for one in found] for task, found in fits.items()}
    yield mean(Kind("trajectory_exact", "trajectory", "share", "higher"), exact, how)
    yield mean(Kind("trajectory_in_order", "trajectory", "share", "higher"), in_order, how)
    yield mean(Kind("trajectory_any_order", "trajectory", "share", "higher"), any_order, how)
