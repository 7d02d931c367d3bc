"""Words, figures and signs of the console: times, sums, states, and JSON as a reader likes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from pydantic_core import to_json

from ...markup import NOTHING, Html, Inside, joined, tag
from ...messages import Json, Usage

PATHS = {
    "running": "M-2.6-4.2 4.2 0-2.6 4.2z",
    "done": "M-4 .3-1.2 3.2 4.2-3",
    "failed": "M-3.2-3.2 3.2 3.2M3.2-3.2-3.2 3.2",
    "waiting": "M-2-3.4V3.4M2-3.4V3.4",
    "skipped": "M-3.6 0H3.6",
}
"""One sign per state, so that colour is never the only carrier; drawn, since no font is sure to have them."""
ALIKE = {"cancelled": "skipped", "refused": "failed"}
MINUTE, HOUR, DAY = 60, 3_600, 86_400
MOST_TERMS = 24
"""Fields of an object that is shown as a list of terms."""
EXCERPT = 1_500
"""Characters of a value that are shown where it is one of many."""


def symbols() -> Html:
    """What `sign` refers to; once in a page."""
    disc = tag("circle", r=8)
    drawn = (
        tag("symbol", disc, tag("path", d=path, class_="stroke"), id=f"sign-{name}", viewBox="-9 -9 18 18")
        for name, path in PATHS.items()
    )
    return tag("svg", drawn, width=0, height=0, aria_hidden="true", class_="defs")


def sign(state: str) -> Html:
    """The sign of a state in its colour; the word stands beside it."""
    use = tag("use", href=f"#sign-{ALIKE.get(state, state)}")
    return tag("svg", use, class_=f"sign {state}", aria_hidden="true")


def state(name: str) -> Html:
    """A state with its sign."""
    return tag("span", sign(name), " ", name, class_=f"state {name}")


def usd(amount: float) -> str:
    """A sum with as many digits as it needs.

    Example:
        >>> usd(12.5), usd(0.0123), usd(0)
        ('$12.50', '$0.0123', '$0')
    """
    return "$0" if not amount else f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


def cost(usage: Usage) -> str:
    """What work cost: money, or tokens where they cost nothing; "": nothing.

    Example:
        >>> cost(Usage(input=1200)), cost(Usage())
        ('1,200 tokens', '')
    """
    return usd(usage.usd) if usage.usd else f"{usage.tokens:,} tokens" if usage.tokens else ""


def lasting(seconds: float) -> str:
    """How long.

    Example:
        >>> [lasting(s) for s in (0.0004, 0.25, 7.26, 95, 7300, 200_000)]
        ['0 ms', '250 ms', '7.3 s', '1 min 35 s', '2 h 1 min', '2 d 7 h']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit, name, below, smaller in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", 1, "s")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // below} {smaller}"
    raise AssertionError(whole)


def moment(at: float) -> Html:
    """A point in time, in UTC."""
    when = datetime.fromtimestamp(at, UTC)
    return tag(
        "time", when.strftime("%Y-%m-%d %H:%M:%S"), datetime=when.isoformat(timespec="milliseconds"), title="UTC"
    )


def since(at: float, began: float) -> Html:
    """How long after the beginning of its run."""
    when = datetime.fromtimestamp(at, UTC)
    said = f"+{lasting(max(0.0, at - began))}"
    return tag("time", said, datetime=when.isoformat(timespec="milliseconds"), title=f"{when:%Y-%m-%d %H:%M:%S} UTC")


def ago(at: float, now: float) -> Html:
    """How long ago."""
    when = datetime.fromtimestamp(at, UTC)
    seconds = max(0.0, now - at)
    said = (
        "just now" if seconds < 1 else f"{lasting(int(seconds))} ago" if seconds >= MINUTE else f"{seconds:.0f} s ago"
    )
    return tag("time", said, datetime=when.isoformat(timespec="seconds"), title=f"{when:%Y-%m-%d %H:%M:%S} UTC")


def pretty(value: Json) -> str:
    """JSON over several lines; text as it is."""
    return value if isinstance(value, str) else to_json(value, indent=2, inf_nan_mode="constants").decode()


def shown(value: Json, most: int | None = None) -> Html:
    """A value as a reader likes it: text as text, an object of plain values as a list of terms, the rest as JSON.

    `most`: characters, after which it is cut and says so; None: all of it.
    """
    if most is None or len(text := pretty(value)) <= most:
        flat = _flat(value)
        return block(pretty(value)) if flat is None else terms(flat, "facts value")
    return joined(
        block(text[:most] + "\N{HORIZONTAL ELLIPSIS}"), tag("p", f"cut: {len(text):,} characters in all", class_="dim")
    )


def block(text: str) -> Html:
    """Text with its line breaks, in a frame that the keyboard can scroll."""
    return tag("pre", text, tabindex=0)


def _flat(value: Json) -> Mapping[str, Inside] | None:
    """An object whose values each fit in a line; None: it is none."""
    fields = cast("dict[str, Json]", value) if isinstance(value, dict) else dict[str, Json]()
    if not fields or len(fields) > MOST_TERMS or any(isinstance(each, dict | list) for each in fields.values()):
        return None
    return {name: each if isinstance(each, str) else to_json(each).decode() for name, each in fields.items()}


def terms(pairs: Mapping[str, Inside], kind: str = "facts") -> Html:
    """A list of terms and what they are; those that are nothing are left out."""
    told = [(name, one) for name, one in pairs.items() if one not in ("", NOTHING)]
    return tag("dl", (tag("div", tag("dt", name), tag("dd", one)) for name, one in told), class_=kind)


def labels(names: Sequence[str] | frozenset[str]) -> Html:
    """Labels of data."""
    return joined(tag("span", name, class_="tag") for name in sorted(names))


def many(count: int, thing: str) -> str:
    """A number of things.

    Example:
        >>> many(1, "run"), many(1200, "run")
        ('1 run', '1,200 runs')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
