"""How numbers are written, the same in every report: shares as .420, money with enough digits, and ∞ in words.

A column whose head names the unit takes `bare`; a sentence takes `full`. Minus is U+2212, None is a dash.
"""

from __future__ import annotations

import math

from ..scorecard import Unit

DASH = "\N{EM DASH}"
MINUS = "\N{MINUS SIGN}"
INFINITE = "\N{INFINITY} (infinite)"

UNITS: dict[Unit, str] = {
    "share": "share",
    "usd": "USD",
    "usd_per_1k": "USD per 1,000",
    "seconds": "seconds",
    "count": "count",
    "score": "score",
}
"""For heads."""

LEAST, MOST = {"usd": 2, "seconds": 0}, {"usd": 9, "seconds": 3}
"""Digits after the point that money and time never go below or above; between them, three that count are shown."""


def bare(value: float | None, unit: Unit) -> str:
    """A number without its unit; None is a dash.

    Example:
        >>> [bare(value, "usd") for value in (0, 0.00125, 12, 1234.5, math.inf, None)]
        ['0', '0.00125', '12.00', '1,234.50', '∞ (infinite)', '—']
        >>> [bare(value, "seconds") for value in (0.0421, 3.4219, 75, 7384)], bare(40, "count"), bare(2.5, "count")
        (['0.042', '3.42', '75.0', '7,384'], '40', '2.50')
    """
    if value is None:
        return DASH
    if math.isinf(value):
        return INFINITE if value > 0 else MINUS + INFINITE
    return (MINUS if value < 0 else "") + _size(abs(value), unit)


def full(value: float | None, unit: Unit) -> str:
    """A number with its unit.

    Example:
        >>> full(0.42, "share"), full(0.0125, "usd"), full(3.4, "seconds"), full(math.inf, "usd"), full(None, "usd")
        ('.420', '$0.0125', '3.40 s', '∞ (infinite)', '—')
    """
    shown = bare(value, unit)
    if value is None or math.isinf(value):
        return shown
    sign, size = (MINUS, shown[1:]) if value < 0 else ("", shown)
    match unit:
        case "usd":
            return f"{sign}${size}"
        case "usd_per_1k":
            return f"{sign}${size} per 1,000"
        case "seconds":
            return f"{shown} s"
        case "share" | "count" | "score":
            return shown


def change(value: float | None, unit: Unit) -> str:
    """A difference, always with its sign.

    Example:
        >>> change(0.031, "share"), change(0.0, "share"), change(-0.0004, "usd") == MINUS + "0.000400"
        ('+.031', '.000', True)
    """
    shown = bare(value, unit)
    return f"+{shown}" if value is not None and value > 0 else shown


def interval(low: float | None, high: float | None, unit: Unit) -> str:
    """An interval without its unit; a dash where there is none.

    Example:
        >>> interval(0.3, 0.54, "share"), interval(None, None, "share")
        ('.300 to .540', '—')
    """
    return DASH if low is None or high is None else f"{bare(low, unit)} to {bare(high, unit)}"


def share(value: float | None) -> str:
    """A share, probability or quality in [0, 1].

    Example:
        >>> share(0.42), share(1), share(0.00001), share(0.99999), share(None)
        ('.420', '1.000', '<.001', '>.999', '—')
    """
    return bare(value, "share")


def usd(value: float) -> str:
    """Money in a sentence.

    Example:
        >>> usd(0.5)
        '$0.500'
    """
    return full(value, "usd")


def percent(value: float) -> str:
    """A level of confidence.

    Example:
        >>> percent(0.95), percent(0.999)
        ('95 %', '99.9 %')
    """
    return f"{100 * value:.4g} %"


def _size(value: float, unit: Unit) -> str:
    match unit:
        case "share":
            return _share(value)
        case "usd" | "usd_per_1k":
            return _significant(value, LEAST["usd"], MOST["usd"])
        case "seconds":
            return _significant(value, LEAST["seconds"], MOST["seconds"])
        case "count":
            return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
        case "score":
            return _share(value) if value <= 1 else _significant(value, 1, 3)


def _share(value: float) -> str:
    if 0 < value < 0.0005:
        return "<.001"
    if 0.9995 <= value < 1:
        return ">.999"
    return f"{value:.3f}".removeprefix("0")


def _significant(value: float, least: int, most: int) -> str:
    """Three digits that count, within limits for those after the point."""
    if value == 0:
        return "0"
    smallest = 10.0**-most
    if value < smallest / 2:
        return f"<{smallest:.{most}f}"
    return f"{value:,.{min(most, max(least, 2 - math.floor(math.log10(value))))}f}"
