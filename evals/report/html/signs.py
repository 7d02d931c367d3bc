"""Signs of states and verdicts: drawn, not written, since no font is sure to have them."""

from __future__ import annotations

from ....protocols.markup import Html, tag

PATHS = {
    "succeeded": "M-4 .3-1.2 3.2 4.2-3",
    "failed": "M-3.2-3.2 3.2 3.2M3.2-3.2-3.2 3.2",
    "unscored": "M-3.6 0H3.6",
    "unevaluable": "M-2.4-2.1C-2.2-5.2 3-5 2.6-1.9 2.3-.4 0-.5 0 1.4M0 4.3V4.4",
    "broken": "M0-4.4V1M0 4.2V4.3",
}
"""One per state, so that colour is never the only carrier."""

ALIKE = {"pass": "succeeded", "fail": "failed", "inconclusive": "unevaluable", "none": "unscored"}
"""A verdict has the sign of the state that it is like."""


def symbols() -> Html:
    """What the page's drawings refer to: the signs, and the hatching of a part of something."""
    disc = tag("circle", r=8)
    signs = (
        tag("symbol", disc, tag("path", d=path, class_="stroke"), id=f"sign-{name}", viewBox="-9 -9 18 18")
        for name, path in PATHS.items()
    )
    lines = tag("path", d="M-1 7 7-1M-4 4 4-4M2 10 10 2", class_="hatching")
    hatch = tag("pattern", lines, id="hatch", width=6, height=6, patternUnits="userSpaceOnUse")
    return tag("svg", signs, hatch, width=0, height=0, aria_hidden="true", class_="hidden")


def sign(name: str) -> Html:
    """The sign of a state or a verdict, in its colour; the word stands beside it."""
    use = tag("use", href=f"#sign-{ALIKE.get(name, name)}")
    return tag("svg", use, class_=f"sign {name}", aria_hidden="true")
