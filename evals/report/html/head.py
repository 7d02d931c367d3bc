"""The head of the page: what was scored, the verdict, how the runs came out, and the notes."""

from __future__ import annotations

from collections.abc import Iterator

from ....protocols.markup import NOTHING, Html, joined, tag
from ...scorecard import Gate, Metric, Scorecard
from ..figures import full, interval, percent
from ..summary import MODES, STATES, State, cautions, headline, tally, telling, verdict
from ..text import many
from .signs import sign
from .tables import section, table


def header(card: Scorecard) -> Html:
    """What a reader sees first."""
    said = verdict(card)
    scripted = tag("span", "scripted", class_="badge", title="answers came from a script, not from a model")
    return tag(
        "header",
        tag("p", "Echelon evaluation", class_="eyebrow"),
        tag("h1", card.suite, " ", scripted if card.scripted else ""),
        tag("p", card.variant, class_="variant"),
        tag("p", sign(said), tag("b", headline(card)), class_=f"verdict {said}"),
        tag("dl", _facts(card), class_="facts"),
        _outcomes(card),
        _figures(telling(card)),
    )


def _facts(card: Scorecard) -> Iterator[Html]:
    scenarios = len({one.scenario for one in card.measured})
    told = {
        "Mode": f"{card.mode}: {MODES[card.mode]}",
        "Scenarios": f"{scenarios:,}",
        "Repeats": f"{card.repeats:,}",
        "Seed": str(card.seed),
        "Suite digest": tag("code", card.suite_digest[:12], title=card.suite_digest),
    }
    for name, value in told.items():
        yield tag("div", tag("dt", name), tag("dd", value))


def _outcomes(card: Scorecard) -> Html:
    counted = tally(card.measured)
    if not counted:
        return NOTHING
    order: list[State] = [state for state in reversed(STATES) if state in counted]
    bar = tag(
        "div",
        (tag("span", style=f"flex:{counted[state]}", class_=state) for state in order),
        class_="stack",
        aria_hidden="true",
    )
    legend = (
        tag("li", sign(state), " ", tag("b", f"{counted[state]:,}"), f" {state}", class_=state) for state in order
    )
    return joined(bar, tag("ul", legend, class_="legend", aria_label=f"Of {many(len(card.measured), 'run')}"))


def _figures(metrics: tuple[Metric, ...]) -> Html:
    if not metrics:
        return NOTHING
    return tag("dl", (_figure(metric) for metric in metrics), class_="figures")


def _figure(metric: Metric) -> Html:
    between = interval(metric.low, metric.high, metric.unit)
    under = f"{percent(metric.level)} interval {between}" if metric.low is not None else metric.note
    return tag(
        "div",
        tag("dt", metric.name),
        tag("dd", full(metric.value, metric.unit)),
        tag("dd", under, class_="dim"),
    )


def notes(card: Scorecard) -> Html:
    """What to know before believing a figure."""
    told = cautions(card)
    if not told:
        return NOTHING
    items = (tag("li", note) for note in told)
    return tag("aside", tag("h2", "Before you believe a figure"), tag("ul", items), class_="notes", aria_label="Notes")


def gate(told: Gate | None) -> Html:
    """What each rule says."""
    if told is None:
        return NOTHING
    columns = (("Verdict", "k"), ("Metric", "t"), ("Sentence", "whole"))
    rows = (((sign(ruling.verdict), f" {ruling.verdict}"), ruling.metric, ruling.sentence) for ruling in told.rulings)
    lead = (
        "A rule fails where the interval crosses what it allows; it is inconclusive where too little is known to say."
    )
    return section("gate", "Gate", lead, table("The rules of the gate", columns, rows, "fold plain"))
