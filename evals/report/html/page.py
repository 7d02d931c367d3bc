"""The report as one file: it loads nothing, runs nothing, and shows whatever words it is given."""

from __future__ import annotations

from collections.abc import Iterator

from ....protocols.markup import Html, tag
from ...scorecard import Scorecard
from ..order import arranged
from ..summary import verdict
from .head import gate, header, notes
from .measures import comparison, metrics
from .money import waterfall
from .routing import confusion, plane
from .scenarios import Graphs, scenarios
from .signs import symbols
from .style import STYLE
from .trust import calibration, coverage

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy: even if something slipped through, no script would run and nothing would be loaded."""

NONE: Graphs = {}


def page(card: Scorecard, graphs: Graphs = NONE) -> str:
    """The report as an HTML page; equal scorecards and graphs give equal bytes.

    `graphs` are SVG texts by scenario and repeat, as `supervisor.views.svg.svg` makes them. They are shown as images
    and need not be trusted. Of a large suite those of runs that succeeded are left out, and the last details are short,
    so that a page of 1,000 scenarios stays below 5 MB; it says of how many.
    """
    told = arranged(card)
    parts = {name: part for name, part in _parts(told, graphs) if part}
    document = tag(
        "html",
        tag("head", _head(told)),
        tag(
            "body",
            symbols(),
            tag("a", "Skip to the results", href="#results", class_="skip"),
            header(told),
            tag("nav", tag("ul", (_entry(name) for name in parts)), aria_label="Contents") if parts else "",
            tag("main", notes(told), parts.values(), id="results"),
            _footer(told),
        ),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{document}\n"


def _head(card: Scorecard) -> Iterator[Html]:
    yield tag("meta", charset="utf-8")
    yield tag("meta", http_equiv="Content-Security-Policy", content=POLICY)
    yield tag("meta", name="viewport", content="width=device-width, initial-scale=1")
    yield tag("meta", name="color-scheme", content="light dark")
    yield tag("meta", name="referrer", content="no-referrer")
    said = verdict(card)
    yield tag("title", f"{card.suite}: {card.variant}" + ("" if said == "none" else f" ({said})"))
    yield tag("style", Html(STYLE))


def _parts(card: Scorecard, graphs: Graphs) -> Iterator[tuple[str, Html]]:
    yield "gate", gate(card.gate)
    yield "metrics", metrics(card.metrics)
    yield "comparison", comparison(card)
    yield "frontier", plane(card.points)
    yield "confusion", confusion(card.confusion)
    yield "calibration", calibration(card.reliability)
    yield "cost", waterfall(card.measured)
    yield "coverage", coverage(card.coverage)
    yield "scenarios", scenarios(card, graphs)


ENTRIES = {
    "gate": "Gate",
    "metrics": "Metrics",
    "comparison": "Against the baseline",
    "frontier": "Cost and quality",
    "confusion": "Who was chosen",
    "calibration": "Confidence",
    "cost": "Cost",
    "coverage": "Coverage",
    "scenarios": "Scenarios",
}


def _entry(name: str) -> Html:
    return tag("li", tag("a", ENTRIES[name], href=f"#{name}"))


def _footer(card: Scorecard) -> Html:
    said = f"Echelon scorecard, version {card.schema_version}. Suite digest {card.suite_digest}. "
    rest = "Made from the scorecard alone: equal scorecards give equal pages."
    return tag("footer", tag("p", said, rest))
