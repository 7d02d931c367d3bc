"""A drawing as Mermaid text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .drawing import SIGNS, Box, Drawing, EdgeKind

ARROWS: dict[EdgeKind, str] = {"data": "-->", "condition": "-.->", "order": "-.-"}
COLOURS = {
    "planned": "#8b949e",
    "running": "#3b82f6",
    "done": "#2da44e",
    "failed": "#e5484d",
    "waiting": "#d29922",
    "skipped": "#8b949e",
}
"""Of borders only: Mermaid picks the page's own background and text colour, light or dark."""


def mermaid(drawing: Drawing) -> str:
    """The drawing as a Mermaid flowchart; every word in it is data, whatever it says.

    Example:
        >>> print(mermaid(Drawing(title="x", boxes=(Box(key="a", title='say "hi"'),))), end="")
        flowchart LR
            n0["say #34;hi#34;"]
    """
    lines = ["flowchart LR", *_body(drawing, "n", "    ")]
    lines += [
        f"    classDef {status} stroke:{colour},stroke-width:2px" + (",stroke-dasharray:4 3" if dashed else "")
        for status, colour in COLOURS.items()
        for dashed in [status in ("planned", "skipped")]
        if any(f":::{status}" in line or line.strip().endswith(f" {status}") for line in lines)
    ]
    return "\n".join(lines) + "\n"


def _body(drawing: Drawing, prefix: str, indent: str) -> Iterator[str]:
    ids = {box.key: f"{prefix}{i}" for i, box in enumerate(drawing.boxes)}
    for box in drawing.boxes:
        yield from _box(box, ids[box.key], indent)
    for edge in drawing.edges:
        yield f"{indent}{ids[edge.source]} {ARROWS[edge.kind]} {ids[edge.target]}"


def _box(box: Box, name: str, indent: str) -> Iterator[str]:
    sign = f"{SIGNS[box.status]} " if box.status else ""
    words = [sign + escape(box.title), *(escape(text) for text in (box.subtitle, *box.notes, _cells(box)) if text)]
    label = "<br/>".join(words)
    mark = f":::{box.status}" if box.status else ""
    if box.inside is None:
        opening, closing = ('(["', '"])') if box.pill else ('["', '"]')
        yield f"{indent}{name}{opening}{label}{closing}{mark}"
        return
    heading = " \N{MIDDLE DOT} ".join(words)  # of a title with more than one line, Mermaid shows the first
    yield f'{indent}subgraph {name}["{heading}"]'
    yield from _body(box.inside, f"{name}_", indent + "    ")
    yield f"{indent}end"
    if box.status:
        yield f"{indent}class {name} {box.status}"


def _cells(box: Box) -> str:
    counts = Counter(cell.status for cell in box.cells)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"instances: {told}" if box.cells else ""


PLAIN = frozenset(" .,:()/=$@_-")
LONGEST = 200
"""Characters of one label; the rest is cut."""


def escape(text: str) -> str:
    """Text as Mermaid shows it and does not read it: what could be markup becomes an entity code.

    A first character that is no letter becomes one too, since "1. " and "- " would make a list of the label.

    Example:
        >>> escape('a "b" <i>')
        'a #34;b#34; #60;i#62;'
        >>> escape("1. x")
        '#49;. x'
    """
    flat = " ".join(text.replace("\\", "\N{REVERSE SOLIDUS OPERATOR}").split())  # it breaks lines at a written "\\n"
    cut = flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return "".join(_char(char, first=not i) for i, char in enumerate(cut) if char.isprintable())


def _char(char: str, *, first: bool) -> str:
    plain = char.isalpha() or (not first and (char.isdigit() or char in PLAIN or not char.isascii()))
    return char if plain else f"#{ord(char)};"
