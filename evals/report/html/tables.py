"""Tables with a caption, and heads that say what they are heads of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ....protocols.markup import Html, Inside, joined, tag
from ..figures import DASH

Columns = Sequence[tuple[str, str]]
"""Head and class of each column; the class `n` is a column of numbers."""


def table(caption: Inside, columns: Columns, rows: Iterable[Sequence[Inside]], class_: str | None = None) -> Html:
    """A table; the first cell of each row is its head. A column that says nothing in any row is left out."""
    told = list(rows)
    kept = [i for i in range(len(columns)) if i == 0 or any(cells[i] not in ("", DASH) for cells in told)]
    named = [columns[i] for i in kept]
    body = (row(named, [cells[i] for i in kept]) for cells in told)
    return tag("table", tag("caption", caption), head(named), tag("tbody", body), class_=class_)


def head(columns: Columns) -> Html:
    """The heads of the columns."""
    cells = (tag("th", name, scope="col", class_=kind or None) for name, kind in columns)
    return tag("thead", tag("tr", cells))


def row(columns: Columns, cells: Sequence[Inside], class_: str | None = None) -> Html:
    """One row under these columns."""
    first, *others = cells
    return tag(
        "tr",
        tag("th", first, scope="row", class_=columns[0][1] or None),
        (tag("td", cell, class_=kind or None) for cell, (_, kind) in zip(others, columns[1:], strict=True)),
        class_=class_,
    )


def section(name: str, title: str, lead: Inside, *inside: Inside) -> Html:
    """A part of the page under a heading of its own, with how to read it."""
    return tag(
        "section",
        tag("h2", title, id=f"{name}-head"),
        tag("p", lead, class_="lead") if lead else "",
        joined(*inside),
        id=name,
        aria_labelledby=f"{name}-head",
    )


def folded(summary: Inside, *inside: Inside) -> Html:
    """What few will want to see, behind a line that says what it is."""
    return tag("details", tag("summary", summary), joined(*inside), class_="more")


def wide(name: str, *inside: Inside) -> Html:
    """What may be wider than the page, in a frame that scrolls, with the keyboard too."""
    return tag("div", *inside, class_="wide", tabindex=0, role="region", aria_label=name)
