"""The list of scenarios: a line each, which opens; what asks for attention keeps its details and drawings longest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....protocols.markup import NOTHING, Html, joined, tag
from ...scorecard import Measured, Scorecard
from ..figures import bare, full
from ..order import by_scenario
from ..summary import STATES, State, state_of, worst
from ..text import many
from .detail import brief, complete, drawing
from .measures import anchor
from .signs import sign
from .tables import section

Key = tuple[str, int]
"""A scenario and its repeat."""
Graphs = Mapping[Key, str]
"""SVG texts of handoff graphs."""

DETAIL_BYTES, DRAWN_BYTES = 2_400_000, 1_200_000
"""What the details and the drawings of all runs may take of the page: with a line for each of 1,000, below 5 MB."""
MOST_DRAWN = 100
"""With more runs than that, only those that did not succeed are drawn."""
LEFT_OUT = tag("p", "Left out, so that the page stays small; the JSON report has it.", class_="dim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page shows of each run."""

    bodies: Mapping[Key, Html]
    shortened: int
    """Runs that have less than all their details."""
    undrawn: int
    """Graphs that were given and are left out."""


def shown(measured: Sequence[Measured], graphs: Graphs) -> Shown:
    """Divide the page among the runs: what asks for attention first comes first, then in the order of the list."""
    bodies: dict[Key, Html] = {}
    room, canvas, shortened, undrawn = DETAIL_BYTES, DRAWN_BYTES, 0, 0
    for one in sorted(measured, key=lambda one: STATES.index(state_of(one))):
        key, image = (one.scenario, one.repeat), NOTHING
        if key in graphs and (len(measured) <= MOST_DRAWN or state_of(one) != "succeeded"):
            image = drawing(graphs[key], one)
        if len(image) > canvas:
            image = NOTHING
        undrawn += key in graphs and not image
        body, short = _body(one, image, room + len(image))
        bodies[key] = body
        shortened, canvas, room = shortened + short, canvas - len(image), room - (_size(body) - len(image))
    return Shown(bodies=bodies, shortened=shortened, undrawn=undrawn)


def _body(one: Measured, image: Html, room: int) -> tuple[Html, bool]:
    """As much of a run as there is room for, and whether that is less than all."""
    whole = joined(complete(one, image))
    if _size(whole) <= room:
        return whole, False
    part = joined(brief(one), image)
    return part if _size(part) <= room else joined(LEFT_OUT, image), True


def _size(text: str) -> int:
    return len(text.encode())


def scenarios(card: Scorecard, graphs: Graphs) -> Html:
    """All scenarios in their order, with a filter by state."""
    found = by_scenario(card)
    if not found:
        return section("scenarios", "Scenarios", "No scenario was measured.")
    told = shown(card.measured, graphs)
    states: dict[str, State] = {name: worst(runs) for name, runs in found.items()}
    lines = (_scenario(name, runs, states[name], told) for name, runs in found.items())
    listed = tag("div", _filter(list(states.values())), _heads(), lines, class_="list")
    return section("scenarios", "Scenarios", " ".join(_lead(told)), listed)


def _lead(told: Shown) -> Iterator[str]:
    yield "Choose a line to open it. A scenario's state is that of its repeats which asks for attention most."
    left = [f"{many(told.shortened, 'run')} shown in short"] if told.shortened else []
    left += [f"{many(told.undrawn, 'graph')} left out"] if told.undrawn else []
    if left:
        yield f"So that the page stays small: {', '.join(left)}, of successes first."


def _heads() -> Html:
    names = (
        ("State", ""), ("Scenario", ""), ("Tags", ""), ("Succeeded", ""), ("USD per run", "n"), ("Seconds", "n"),
    )  # fmt: skip
    heads = (tag("span", name, class_=kind or None) for name, kind in names)
    return tag("div", heads, class_="line", aria_hidden="true")


def _filter(states: Sequence[State]) -> Html:
    """Works without a script: by a rule of the style sheet, a checked state hides the lines of the others."""
    there = [state for state in STATES if state in states]
    choices = [("all", f"all {len(states):,}"), *((state, f"{state} {states.count(state):,}") for state in there)]
    labels = (
        tag(
            "label",
            tag("input", type="radio", name="show", id=f"show-{name}", checked=name == "all"),
            "" if name == "all" else (sign(name), " "),
            text,
        )
        for name, text in choices
    )
    return tag("fieldset", tag("legend", "Show"), labels)


def _scenario(name: str, runs: Sequence[Measured], state: State, told: Shown) -> Html:
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
    bodies = [told.bodies[one.scenario, one.repeat] for one in runs]
    inside = bodies if len(runs) == 1 else [_repeat(one, body) for one, body in zip(runs, bodies, strict=True)]
    return tag("details", line, tag("div", inside, class_="body", id=anchor(name)), class_=state)


def _repeat(one: Measured, body: Html) -> Html:
    state = state_of(one)
    line = tag(
        "summary",
        tag("span", sign(state), " ", state, class_=state),
        tag("span", f"repeat {one.repeat + 1}"),
        tag("span", f"{full(one.usage.usd, 'usd')}, {full(one.seconds, 'seconds')}", class_="dim"),
    )
    return tag("details", line, tag("div", body), class_="repeat")
