"""How far the figures can be trusted: what they stand on, and how well stated confidence met what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from ....protocols.markup import NOTHING, Html, tag
from ...scorecard import Coverage, Reliability
from ..figures import bare, share
from .plots import reliability
from .tables import Columns, section, table, wide

GROUNDS = (
    ("exact", "exact", "recorded for exactly this payload"),
    ("off", "off-policy", "weighted by how likely the recorded choice was"),
    ("assumed", "assumed", "recorded for another payload and taken to be exchangeable"),
    ("missing", "unevaluable", "nothing recorded; left out and never made up"),
)
"""Class, name and meaning, the firmest first."""


def coverage(told: Coverage) -> Html:
    """On what the figures stand, as one bar and in numbers."""
    if not told.total:
        return NOTHING
    counts = (told.exact, told.off_policy, told.assumed, told.unevaluable)
    bar = tag(
        "div",
        (tag("span", style=f"flex:{n}", class_=kind) for n, (kind, _, _) in zip(counts, GROUNDS, strict=True) if n),
        class_="stack",
        aria_hidden="true",
    )
    columns: Columns = (("Ground", "k"), ("Decisions", "n v"), ("Share", "n"), ("Meaning", ""))
    rows = (
        (
            (tag("span", tag("span", class_=kind), class_="stack swatch", aria_hidden="true"), name),
            f"{n:,}",
            share(n / told.total),
            meaning,
        )
        for n, (kind, name, meaning) in zip(counts, GROUNDS, strict=True)
    )
    lead = "Every decision that the figures stand on, by how it is known what would have come of it."
    size = f"Effective sample size of the off-policy part: {bare(told.ess, 'count')}."
    listed = table("Decisions by what is known of them", columns, rows)
    return section(
        "coverage", "Coverage", lead, bar, listed, tag("p", size, class_="dim") if told.ess is not None else ""
    )


def calibration(bins: Sequence[Reliability]) -> Html:
    """The reliability diagram, with its bins as a table."""
    if not bins:
        return NOTHING
    lead = (
        "On the dashed line a worker is right as often as it says. Below the line it is overconfident, above it "
        "underconfident. The number at a dot is that of the answers in its bin; a larger dot holds more."
    )
    columns: Columns = (
        ("Confidence", "k"), ("Stated", "n"), ("Right", "n v"), ("Answers", "n"), ("Reading", "k"),
    )  # fmt: skip
    rows = ((f"{share(one.low)} to {share(one.high)}", *_found(one), f"{one.n:,}", _reading(one)) for one in bins)
    figure = tag("figure", reliability(bins), class_="drawing square")
    listed = wide("Bins of the reliability diagram", table("All bins, in numbers", columns, rows))
    return section("calibration", "Confidence", lead, tag("div", figure, listed, class_="pair"))


def _found(one: Reliability) -> tuple[str, str]:
    return (share(one.confidence), share(one.right)) if one.n else (share(None), share(None))


def _reading(one: Reliability) -> str:
    if not one.n:
        return "empty"
    gap = one.right - one.confidence
    return "as stated" if abs(gap) < 0.0005 else f"{share(abs(gap))} {'overconfident' if gap < 0 else 'underconfident'}"
