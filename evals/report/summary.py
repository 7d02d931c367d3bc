"""What every report says first: the verdict, how the runs came out, and what to know before believing a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from ..scorecard import Difference, Family, Measured, Metric, Mode, Scorecard, Unit
from .text import many, plain

State = Literal["failed", "broken", "unevaluable", "unscored", "succeeded"]
STATES: tuple[State, ...] = get_args(State)
"""What asks for attention first."""

SIGNS: Mapping[str, str] = {
    "failed": "\N{MULTIPLICATION X}",
    "broken": "!",
    "unevaluable": "?",
    "unscored": "\N{EN DASH}",
    "succeeded": "\N{CHECK MARK}",
    "fail": "\N{MULTIPLICATION X}",
    "inconclusive": "?",
    "pass": "\N{CHECK MARK}",
    "none": "\N{BULLET}",
}
"""One sign per state and per verdict, so that colour is never the only carrier."""

MODES: Mapping[Mode, str] = {
    "recorded": "scored as recorded; nothing was run",
    "strict": "replayed; every request had to be the recorded one",
    "structural": "replayed; requests had to be alike in structure",
    "decisions": "only decisions were made again; nothing was executed",
    "reroute": "routed again over recorded arms",
    "live": "run for real",
}

TELLING: Mapping[Family, Unit] = {"success": "share", "cost": "usd", "latency": "seconds", "routing": "share"}

Verdict = Literal["pass", "fail", "inconclusive", "none"]


def state_of(one: Measured) -> State:
    """How a run came out, in one word; a run that was scored, but by nobody who could tell, is unscored.

    Example:
        >>> state_of(Measured(scenario="a", task_hash="", state="scored", success="no"))
        'failed'
    """
    if one.state != "scored":
        return one.state
    return "succeeded" if one.success == "yes" else "failed" if one.success == "no" else "unscored"


def tally(measured: Iterable[Measured]) -> dict[State, int]:
    """How many runs are in each state; states without any are left out."""
    counted = Counter(state_of(one) for one in measured)
    return {state: counted[state] for state in STATES if counted[state]}


def worst(measured: Iterable[Measured]) -> State:
    """The state of a scenario: that of its repeats, of which there is at least one, which asks for attention most."""
    found: list[State] = [state_of(one) for one in measured]
    return min(found, key=STATES.index)


def verdict(card: Scorecard) -> Verdict:
    """What the gate says; `none`: there was no gate."""
    return "none" if card.gate is None else card.gate.verdict


def headline(card: Scorecard) -> str:
    """The result in one sentence, without the sign.

    Example:
        >>> headline(Scorecard(
        ...     suite="desk", suite_digest="", variant="v", mode="live", repeats=1, seed=0, scripted=False,
        ...     measured=(), metrics=(),
        ... ))
        'No gate: nothing was measured'
    """
    if card.gate is None:
        return f"No gate: {outcome(card)}"
    rulings = Counter[str](ruling.verdict for ruling in card.gate.rulings)
    said = ", ".join(
        f"{rulings[word]} {said}"
        for word, said in (("fail", "failed"), ("inconclusive", "inconclusive"), ("pass", "passed"))
        if rulings[word]
    )
    rules = f" ({many(len(card.gate.rulings), 'rule')}: {said})" if said else ""
    return f"Gate: {card.gate.verdict}{rules}; {outcome(card)}"


def outcome(card: Scorecard) -> str:
    """How many runs succeeded, of those that a scorer could judge."""
    counted = tally(card.measured)
    good, judged = counted.get("succeeded", 0), counted.get("succeeded", 0) + counted.get("failed", 0)
    if not card.measured:
        return "nothing was measured"
    if not judged:
        return f"none of {many(len(card.measured), 'run')} could be scored"
    return f"{good:,} of {many(judged, 'scored run')} succeeded"


def cautions(card: Scorecard) -> tuple[str, ...]:
    """What a reader must know before believing a figure: scripts, runs without a score, then the scorecard's notes."""
    counted = tally(card.measured)
    runs = many(len(card.measured), "run")
    left = sum(1 for one in card.measured if one.replayed is not None and one.replayed.divergence is not None)
    told: tuple[tuple[State, str], ...] = (
        ("unscored", "unscored: no scorer could say, and none counts as a failure"),
        ("unevaluable", "unevaluable: the replay asked for what was not recorded, and nothing was made up"),
        ("broken", "broken: they could not be run or replayed at all"),
    )
    said: list[str] = []
    if card.scripted:
        said.append("Scripted: answers came from a script and say nothing about a real model.")
    said += [f"{counted[state]:,} of {runs} {sentence}." for state, sentence in told if state in counted]
    if left:
        said.append(f"{left:,} of {runs} left the recording; the first divergence of each is shown with it.")
    return (*said, *card.notes)


def reason(one: Measured) -> str:
    """Why a run did not succeed: what the scorers that said no give as evidence, its state's why, or the divergence."""
    parts = [one.why] if plain(one.why).strip() else []
    parts += [f"{score.scorer}: {score.evidence or 'no'}" for score in one.scores if score.success == "no"]
    if one.replayed is not None and (left := one.replayed.divergence) is not None:
        at = f"{left.step or '/'} {left.field}".strip()
        parts.append(f"diverged at {at} ({left.what}): expected {left.expected}, found {left.found}")
    if not parts and one.status not in ("delivered", "unknown"):
        parts.append(f"the run ended {one.status}")
    return "\n".join(parts)


def name_of(one: Measured, card: Scorecard) -> str:
    """A run's name: the scenario's, with the repeat, counted from 1, where there is more than one."""
    return f"{one.scenario} [repeat {one.repeat + 1}]" if card.repeats > 1 else one.scenario


def reading(difference: Difference) -> str:
    """What a difference says: `better`, `worse`, `other`, `no clear change`, or `not comparable`.

    It is clear where the interval leaves zero out.

    Example:
        >>> told = {"metric": "m", "baseline": 0.5, "found": 0.4, "difference": -0.1, "p": None, "test": "", "n": 9}
        >>> reading(Difference(**told, low=-0.2, high=-0.01, detectable=None, better="higher"))
        'worse'
    """
    if difference.difference is None:
        return "not comparable"
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "no clear change"
    if difference.better == "neither":
        return "other"
    return "better" if (difference.difference > 0) == (difference.better == "higher") else "worse"


def telling(card: Scorecard) -> tuple[Metric, ...]:
    """At most four figures for the head of a report, of success, cost, latency and routing.

    Of each family the first one that is defined and in the family's own unit; if there is none such, the first one.
    """

    def place(metric: Metric) -> tuple[bool, bool]:
        return metric.value is None, metric.unit != TELLING[metric.family]

    families = ([metric for metric in card.metrics if metric.family == family] for family in TELLING)
    return tuple(min(metrics, key=place) for metrics in families if metrics)
