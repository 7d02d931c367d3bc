"""A CI summary in GitHub's Markdown: the verdict first, then figures, what changed, what failed, and why.

Words that a model, a tool or a file wrote are shown and never obeyed: every character that could begin a structure is
written as an entity, so that no text opens a table cell, a tag, a link, an image or code, and a zero-width space keeps
`@name`, `#1`, `:sign:` and addresses from becoming mentions and links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..scorecard import Comparison, Difference, Gate, Measured, Metric, Scorecard
from .figures import DASH, bare, change, full, interval, percent, share
from .order import arranged
from .summary import MODES, SIGNS, cautions, headline, name_of, reading, reason, state_of, verdict
from .text import excerpt, line, many

MOST_FAILING = 20
MOST_CHANGED = 20
WHY = 2_000
"""Characters of the reason that a folded failure shows."""

_STRUCTURE = re.compile(r"""[&<>|`*_\[\]!~\\"'$^{}]""")
_LINKING = re.compile(r"[@#:](?=\S)|www(?=\.)", re.IGNORECASE)
_BEGINNING = re.compile(r"^([-+=#]|\d+[.)])")
ZERO_WIDTH = "&#8203;"


def markdown(card: Scorecard) -> str:
    """The scorecard as a step summary; well below GitHub's limit of 1 MiB unless there are thousands of metrics."""
    told = arranged(card)
    parts = [
        [f"## {SIGNS[verdict(told)]} {escape(headline(told))}"],
        [_scope(told)],
        list(_notes(told)),
        list(_gate(told.gate)),
        list(_metrics(told.metrics)),
        list(_changes(told)),
        list(_failing(told)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Text on one line as Markdown shows it, at any place of a line, a table cell or a list.

    Example:
        >>> escape("a|b [x](http://y) @me")
        'a&#124;b &#91;x&#93;(http:&#8203;//y) @&#8203;me'
        >>> escape("1. <b>")
        '&#49;. &#60;b&#62;'
    """
    flat = _STRUCTURE.sub(lambda found: f"&#{ord(found[0])};", line(text))
    # The entities hold a `#` of their own: only what follows no `&` is a reference.
    flat = _LINKING.sub(lambda found: found[0] if _inside_entity(flat, found.start()) else found[0] + ZERO_WIDTH, flat)
    return _BEGINNING.sub(lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", flat)


def _inside_entity(text: str, at: int) -> bool:
    return text[at] == "#" and at > 0 and text[at - 1] == "&"


def fenced(text: str) -> list[str]:
    """Text as a block of code, its fence longer than any run of backticks inside.

    Example:
        >>> fenced("a ``` b")
        ['````text', 'a ``` b', '````']
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *text.split("\n"), fence]


def _scope(card: Scorecard) -> str:
    scenarios = len({one.scenario for one in card.measured})
    parts = [
        f"**{escape(card.suite)}**, {escape(card.variant)}",
        f"{card.mode} ({MODES[card.mode]})",
        f"{many(scenarios, 'scenario')} \N{MULTIPLICATION SIGN} {many(card.repeats, 'repeat')}",
        f"seed {card.seed}",
        *(["**scripted**"] if card.scripted else []),
    ]
    return " \N{MIDDLE DOT} ".join(parts)


def _notes(card: Scorecard) -> Iterator[str]:
    for note in cautions(card):
        yield f"> {escape(note)}  "


def _gate(gate: Gate | None) -> Iterator[str]:
    if gate is None:
        return
    yield "### Gate"
    yield ""
    for ruling in gate.rulings:
        named = "" if ruling.sentence.startswith(ruling.metric) else f"{ruling.metric}: "
        yield f"- {SIGNS[ruling.verdict]} **{ruling.verdict}** {escape(named + ruling.sentence)}"


def _metrics(metrics: Sequence[Metric]) -> Iterator[str]:
    if not metrics:
        return
    levels = {metric.level for metric in metrics}
    head = f"{percent(levels.pop())} interval" if len(levels) == 1 else "interval"
    yield "### Metrics"
    yield ""
    yield from _table(("family", "metric", "value", head, ">scenarios", "note"), map(_metric, metrics))


def _metric(metric: Metric) -> tuple[str, ...]:
    between = interval(metric.low, metric.high, metric.unit)
    shown = f"**{full(metric.value, metric.unit)}**" if metric.value is not None else DASH
    return metric.family, escape(metric.name), shown, between, f"{metric.n:,}", escape(metric.note)


def _changes(card: Scorecard) -> Iterator[str]:
    comparison = card.comparison
    if comparison is None:
        return
    yield f"### Against {escape(comparison.baseline)}"
    yield ""
    heads = ("metric", "baseline", "this", "difference", "interval", "p (Holm)", "detectable", ">scenarios", "reading")
    yield from _table(heads, map(_difference, comparison.differences))
    yield ""
    yield _changed(comparison)


def _difference(one: Difference) -> tuple[str, ...]:
    said = reading(one)
    return (
        escape(one.metric),
        full(one.baseline, one.unit),
        full(one.found, one.unit),
        change(one.difference, one.unit),
        interval(one.low, one.high, one.unit),
        share(one.p),
        bare(one.detectable, one.unit),
        f"{one.n:,}",
        f"**{said}**" if said in ("better", "worse") else said,
    )


def _changed(comparison: Comparison) -> str:
    if not comparison.changed:
        return "No scenario changed its success."
    names = ", ".join(escape(name) for name in comparison.changed[:MOST_CHANGED])
    more = len(comparison.changed) - MOST_CHANGED
    return f"{many(len(comparison.changed), 'scenario')} changed success: {names}" + (
        f" and {more:,} more" if more > 0 else ""
    )


def _failing(card: Scorecard) -> Iterator[str]:
    failing = [one for one in card.measured if state_of(one) in ("failed", "broken")]
    if not failing:
        return
    shown = f", the first {MOST_FAILING} shown" if len(failing) > MOST_FAILING else ""
    yield f"### Failing ({many(len(failing), 'run')}{shown})"
    for one in failing[:MOST_FAILING]:
        yield ""
        yield from _failure(one, card)


def _failure(one: Measured, card: Scorecard) -> Iterator[str]:
    why = reason(one)
    name, said = escape(name_of(one, card)), escape(line(why, 120))
    state = state_of(one)
    yield f"<details><summary>{SIGNS[state]} <b>{name}</b> {state}{': ' if said else ''}{said}</summary>"
    yield ""
    yield f"{full(one.usage.usd, 'usd')}, {full(one.seconds, 'seconds')}, {many(one.usage.calls, 'call')}"
    yield ""
    yield from fenced(excerpt(why, WHY) or "No scorer gave evidence.")
    yield ""
    yield "</details>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows whose cells are Markdown already; a head that begins with `>` is a column of numbers."""
    yield f"| {' | '.join(head.removeprefix('>') for head in heads)} |"
    yield f"|{'|'.join('---:' if head.startswith('>') else '---' for head in heads)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
