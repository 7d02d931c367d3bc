"""The list of scenarios: a line each, which opens; what failed keeps its details and drawings longest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...scorecard import Measured, Scorecard
from ..figures import bare, full
from ..order import by_scenario
from ..summary import STATES, State, state_of, worst
from ..text import many
from .detail import brief, drawing, full_detail
from .markup import Html, tag
from .measures import anchor
from .signs import sign
from .tables import section

Graphs = Mapping[tuple[str, int], str]
"""SVG text of the handoff graph of a scenario's repeat."""

MOST_IN_FULL = 1_000
"""Runs with all details; of further ones the list has the scores only."""
MOST_DRAWN = 100
"""Up to so many runs all graphs are shown, beyond it only those of runs that did not succeed."""
GRAPH_BYTES, ALL_GRAPH_BYTES = 300_000, 2_000_000
"""Of one graph, and of all together, as SVG text; the page carries them a third longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Which runs the page shows how fully."""

    full: frozenset[tuple[str, int]]
    drawn: frozenset[tuple[str, int]]
    undrawn: int
    """Graphs that were given and are left out."""


def room(card: Scorecard, graphs: Graphs) -> Room:
    """Divide the page among the runs; what asks for attention first comes first, then in the list's order."""
    order = sorted(card.measured, key=lambda one: STATES.index(state_of(one)))
    keys = [(one.scenario, one.repeat) for one in order]
    asking = {(one.scenario, one.repeat) for one in order if state_of(one) != "succeeded"}
    drawn: set[tuple[str, int]] = set()
    left = ALL_GRAPH_BYTES
    for key in keys:
        size = len(graphs.get(key, "").encode("utf-8", "replace"))
        wanted = key in asking or len(keys) <= MOST_DRAWN
        if wanted and 0 < size <= min(GRAPH_BYTES, left):
            drawn.add(key)
            left -= size
    undrawn = sum(1 for key in keys if key in graphs) - len(drawn)
    return Room(full=frozenset(keys[:MOST_IN_FULL]), drawn=frozenset(drawn), undrawn=undrawn)


def scenarios(card: Scorecard, graphs: Graphs) -> Html:
    """All scenarios in their order, with a filter by state."""
    found = by_scenario(card)
    if not found:
        return section("scenarios", "Scenarios", "No scenario was measured.")
    space = room(card, graphs)
    states = {name: worst(runs) for name, runs in found.items()}
    heads = ("State", "Scenario", "Tags", "Succeeded", "USD per run", "Seconds", "")
    lines = (_scenario(name, runs, states[name], graphs, space) for name, runs in found.items())
    listed = tag(
        "div",
        _filter(list(states.values())),
        tag(
            "div",
            (tag("span", name, class_="n" if i > 3 else None) for i, name in enumerate(heads)),
            class_="line",
            aria_hidden="true",
        ),
        lines,
        class_="list",
    )
    return section("scenarios", "Scenarios", " ".join(_lead(card, space)), tag("style", _rules()), listed)


def _lead(card: Scorecard, space: Room) -> Iterator[str]:
    yield "Choose a line to open it. A scenario's state is that of its repeats which asks for attention most."
    if len(card.measured) > len(space.full):
        yield f"Beyond {many(len(space.full), 'run')} only scores are shown, so that the page stays small."
    if space.undrawn:
        yield f"{many(space.undrawn, 'graph')} left out for the same reason, of runs that succeeded first."


def _filter(states: Sequence[State]) -> Html:
    there = [state for state in STATES if state in states]
    choices = [("all", f"all {len(states):,}"), *((state, f"{state} {states.count(state):,}") for state in there)]
    labels = (
        tag(
            "label",
            tag("input", type="radio", name="show", id=f"show-{name}", checked=name == "all"),
            "" if name == "all" else sign(name),
            " ",
            text,
        )
        for name, text in choices
    )
    return tag("fieldset", tag("legend", "Show"), labels)


def _rules() -> Html:
    """The filter works without a script: a checked state hides the lines of the others."""
    return Html("".join(f".list:has(#show-{state}:checked)>details:not(.{state}){{display:none}}" for state in STATES))


def _scenario(name: str, runs: Sequence[Measured], state: State, graphs: Graphs, space: Room) -> Html:
    won = sum(state_of(one) == "succeeded" for one in runs)
    tags = sorted({word for one in runs for word in one.tags})
    line = tag(
        "summary",
        tag("span", sign(state), " ", state),
        tag("span", name, class_="id"),
        tag("span", (tag("span", word, class_="tag") for word in tags), class_="tags"),
        tag("span", f"{won} of {len(runs)}", class_="won"),
        tag("span", bare(sum(one.usage.usd for one in runs) / len(runs), "usd"), class_="n usd"),
        tag("span", bare(sum(one.seconds for one in runs) / len(runs), "seconds"), class_="n took"),
        class_="line",
    )
    inside = _run(runs[0], graphs, space) if len(runs) == 1 else (_repeat(one, graphs, space) for one in runs)
    return tag("details", line, tag("div", inside, class_="body", id=anchor(name)), class_=state)


def _repeat(one: Measured, graphs: Graphs, space: Room) -> Html:
    state = state_of(one)
    said = f"{full(one.usage.usd, 'usd')}, {full(one.seconds, 'seconds')}"
    line = tag(
        "summary",
        tag("span", sign(state), " ", state, class_=state),
        tag("span", f"repeat {one.repeat + 1}"),
        tag("span", said, class_="dim"),
    )
    return tag("details", line, tag("div", _run(one, graphs, space), class_="inside"), class_="repeat")


def _run(one: Measured, graphs: Graphs, space: Room) -> Iterator[Html]:
    key = (one.scenario, one.repeat)
    graph = graphs.get(key) if key in space.drawn else None
    if key in space.full:
        yield from full_detail(one, graph)
    else:
        yield from brief(one)
        if graph is not None:
            yield drawing(graph, one)
