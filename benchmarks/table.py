"""The table: ratios first, milliseconds small beside them, each bar with whether it is met."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec

from .bars import Row

HEADS = ("", "what", "echelon", "bar", "", "medians")


def environment() -> str:
    """Versions and cores, in one line."""
    packages = (f"{name} {version(name)}" for name in ("openai", "httpx2", "pydantic", "anyio"))
    return f"Python {platform.python_version()}, {', '.join(packages)}; {os.cpu_count()} cores"


def show(rows: Sequence[Row]) -> None:
    """Print the table, with rich where it is installed."""
    if find_spec("rich") is None:
        show_plain(rows)
    else:
        _rich(rows)


def figure(value: float | None) -> str:
    """A figure with three significant digits, or a dash.

    Example:
        >>> figure(0.70419), figure(1234.5), figure(0.0007), figure(None)
        ('0.704', '1,234', '0.0007', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4f}" if abs(value) < 0.01 else f"{value:.3g}"


def _cells(row: Row) -> tuple[str, ...]:
    value = f"{figure(row.value)} {row.unit}" if row.unit != "x" else f"{figure(row.value)}x"
    bar = "" if row.limit is None else f"{row.sense} {row.limit:g}{'x' if row.unit == 'x' else f' {row.unit}'}"
    met = {True: "met", False: "MISSED", None: ""}[row.met]
    small = "  ".join(f"{name} {figure(value)}" for name, value in row.small)
    if row.at_speed is not None:
        small += f"  at the bar's speed {figure(row.at_speed)}"
    return row.work.upper(), row.what, value, bar, met, small


def show_plain(rows: Sequence[Row]) -> None:
    """Print the table without rich."""
    lines = [HEADS, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _rich(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for head, style in zip(HEADS, ("bold", "", "bold", "dim", "", "dim"), strict=True):
        table.add_column(head, style=style, justify="right" if head == "echelon" else "left")
    for row in rows:
        cells = list(_cells(row))
        cells[4] = {True: "[green]met[/]", False: "[bold red]MISSED[/]", None: ""}[row.met]
        table.add_row(*cells)
    Console(width=None if os.isatty(1) else 170).print(table)
