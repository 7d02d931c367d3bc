"""How a command speaks: plain lines and tables, with colours on a terminal; what runs say is shown, never obeyed."""

from __future__ import annotations

import json
import os
import re
import sys
import time
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

from pydantic_core import to_jsonable_python

from ..protocols.messages import Json, Usage

_ESCAPES = re.compile(
    "\x1b(?:"
    r"[\[\x9b][0-?]*[ -/]*[@-~]"  # CSI: colours, the cursor
    "|[\\]PX^_].*?(?:\x07|\x1b\\\\|$)"  # OSC and other strings: titles, links, the clipboard
    r"|[ -/]*[0-~])?"  # the others
    "|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the reading direction: a text that holds them may look like another."""

STYLES = {
    "delivered": "green",
    "done": "green",
    "ok": "green",
    "approve": "green",
    "failed": "red",
    "refused": "red",
    "damaged": "red",
    "bad": "red",
    "cancelled": "yellow",
    "waiting": "yellow",
    "missing": "yellow",
    "running": "cyan",
}
"""Of a word that stands alone in a table cell or begins a line."""


def clean(text: str) -> str:
    r"""Text that a terminal shows and does not obey; line breaks and tabs stay.

    Example:
        >>> clean("\x1b[31mred\x1b[0m \x07bell")
        'red bell'
    """
    bare = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return "".join(char for char in bare if char in "\n\t" or not _hidden(char))


def _hidden(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs") or char in _TURNING


def one_line(text: str, most: int | None = None) -> str:
    r"""Text as one line, cut at `most` characters; None: not cut.

    Example:
        >>> one_line("a\n b" + 9 * "c", most=6)
        'a bcc…'
    """
    flat = " ".join(clean(text).split())
    return flat if most is None or len(flat) <= most else flat[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def as_json(value: object) -> str:
    """A value as JSON text in ASCII, so that no terminal and no locale can do anything to it."""
    return json.dumps(to_jsonable_python(value, inf_nan_mode="strings"), indent=2, ensure_ascii=True)


def pretty(value: Json) -> str:
    """A JSON value for people, over several lines."""
    return clean(json.dumps(to_jsonable_python(value, inf_nan_mode="strings"), indent=2, ensure_ascii=False))


def brief(value: Json, most: int = 100) -> str:
    """A JSON value on one line."""
    text = json.dumps(to_jsonable_python(value, inf_nan_mode="strings"), ensure_ascii=False)
    return one_line(text, most)


def money(usd: float) -> str:
    """USD with as many digits as the sum needs.

    Example:
        >>> money(0), money(0.00125), money(12)
        ('$0', '$0.001250', '$12.00')
    """
    return "$0" if usd == 0 else f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}" if usd >= 0.01 else f"${usd:.6f}"


def spent(usage: Usage) -> str:
    """What was spent, on one line.

    Example:
        >>> spent(Usage(calls=1, input=20, usd=0.5))
        '$0.5000, 1 call, 20 tokens'
    """
    return f"{money(usage.usd)}, {many(usage.calls, 'call')}, {many(usage.tokens, 'token')}"


def many(count: int, thing: str) -> str:
    """A number of things."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def took(seconds: float | None) -> str:
    """A duration; "" where there is none.

    Example:
        >>> took(0.25), took(75), took(7384), took(None)
        ('0.2 s', '1 min 15 s', '2 h 3 min', '')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(at: float) -> str:
    """A point in time, in this machine's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


class Screen:
    """Where a command writes: its result to `out`, problems and progress to `err`."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    def say(self, text: str = "", *, style: str = "") -> None:
        """Write a line of the result, or several."""
        shown = clean(text)
        if (console := console_on(self.out)) is not None:
            console.print(shown, style=style or None, markup=False, highlight=False, emoji=False, soft_wrap=True)
        else:
            print(shown, file=self.out)

    def json(self, value: object) -> None:
        """Write the result as one JSON document."""
        print(as_json(value), file=self.out)

    def complain(self, text: str) -> None:
        """Write one line on what went wrong."""
        print(f"echelon: {one_line(text)}", file=self.err)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write rows under headings; a column without any text is left out."""
        kept = [i for i in range(len(columns)) if any(row[i] for row in rows)]
        heads = [columns[i] for i in kept]
        cells = [[one_line(row[i]) for i in kept] for row in rows]
        console = console_on(self.out)
        if console is None:
            _plain(self.out, heads, cells)
        elif kept:
            _rich(console, heads, cells)


def _plain(out: TextIO, heads: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    widths = [max(len(text) for text in column) for column in zip(heads, *cells, strict=True)]
    for row in [heads, *cells] if heads else []:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        print(line.rstrip(), file=out)


def _rich(console: Any, heads: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, head in enumerate(heads):
        table.add_column(Text(head), overflow="fold", no_wrap=i == 0)
    for row in cells:
        table.add_row(*(Text(text, style=STYLES.get(text, "")) for text in row))
    console.print(table)


def console_on(stream: TextIO) -> Any:
    """A rich console on a terminal; None where the stream is none, or rich is not installed.

    rich itself honours NO_COLOR and TERM=dumb.
    """
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=stream)
