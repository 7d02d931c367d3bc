"""One run in full: what was scored and why, where work went, what the reviewer said, where a replay left, the bill."""

from __future__ import annotations

import base64
import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ....protocols.markup import NOTHING, Html, Inside, joined, tag
from ....protocols.messages import Usage
from ...scorecard import Divergence, Given, Judged, Measured, Routed, Score, Spent, Sure
from ..figures import DASH, bare, full, share
from ..text import excerpt, line, many
from .tables import Columns, folded, table

EVIDENCE, SIDE = 1_500, 2_000
"""Characters of a scorer's evidence and of each side of a divergence; the JSON report has them whole."""
MOST_ROWS = 40
"""Of one table of one run."""


def brief(one: Measured) -> Iterator[Html]:
    """What a run is known by, and its scores."""
    if one.why:
        yield tag("p", excerpt(one.why, EVIDENCE), class_="said")
    yield tag("dl", _facts(one), class_="facts")
    if one.scores:
        columns: Columns = (("Scorer", ""), ("Success", "k"), ("Value", "n"), ("Evidence", ""))
        yield table("Scores", columns, map(_score, one.scores))


def complete(one: Measured, image: Html) -> Iterator[Html]:
    """Everything that is known of a run, with the drawing of its handoffs; what it has nothing of is left out."""
    yield from brief(one)
    if one.replayed is not None and one.replayed.divergence is not None:
        yield _divergence(one.replayed.divergence)
    yield image
    yield from _routed(one.routed)
    yield tag("div", _small(one), class_="beside")
    if one.handoffs:
        yield _handoffs(one.handoffs)


def _small(one: Measured) -> Iterator[Html]:
    """Tables that fit beside one another."""
    if one.judged:
        columns: Columns = (("Review", "k"), ("Verdict", ""), ("Should", "k"), ("Reading", "k"), ("USD", "n"))
        yield table("Reviewer", columns, map(_judged, one.judged))
    if one.sure:
        yield table("Confidence", (("Step", ""), ("Stated", "n"), ("Was", "k")), map(_sure, one.sure[:MOST_ROWS]))
    yield _bill("Bill by worker", one.workers)
    yield _bill("Bill by model", one.models)


def _facts(one: Measured) -> Iterator[Html]:
    told: dict[str, Inside] = {
        "Run": one.status,
        "Cost": f"{full(one.usage.usd, 'usd')} ({full(one.usd_uncached, 'usd')} uncached)",
        "Time": full(one.seconds, "seconds"),
        "Depth": str(one.depth),
        "Task": tag("code", line(one.task_hash)[:12], title=one.task_hash),
    }
    if one.again.usd:
        told["Again"] = full(one.again.usd, "usd")
    if one.plan is not None:
        bound = "" if one.plan.exact else "at most "
        fits = f"node F1 {share(one.plan.node_f1)}, edge F1 {share(one.plan.edge_f1)}"
        told["Plan"] = f"{fits}, edit distance {bound}{share(one.plan.edit)}"
    if (met := one.replayed) is not None:
        told["Replay"] = f"{met.matched} matched, {met.tolerated} tolerated, {met.missed} missed, {met.unused} unused"
    if (known := one.coverage).total:
        firm = f"{known.exact} exact, {known.off_policy} off-policy"
        told["Decisions"] = f"{firm}, {known.assumed} assumed, {known.unevaluable} unevaluable"
    for name, value in told.items():
        yield tag("div", tag("dt", name), tag("dd", value))


def _score(one: Score) -> Sequence[Inside]:
    evidence = tag("p", excerpt(one.evidence, EVIDENCE), class_="said") if one.evidence else ""
    return one.scorer, one.success, share(one.value), evidence


def _routed(told: Sequence[Routed]) -> Iterator[Html]:
    """The choices that somebody has judged, and folded those that nobody has."""
    judged = [one for one in told if one.acceptable or one.forbidden or one.should_delegate is not None]
    others = [one for one in told if one not in judged]
    columns: Columns = (
        ("Step", ""), ("Chosen", ""), ("Acceptable", ""), ("Reading", "k"), ("Candidates", ""), ("Propensity", "n"),
    )  # fmt: skip
    if judged:
        yield joined(table("Routing", columns, map(_choice, judged[:MOST_ROWS])), _more(judged))
    if others:
        summary = f"{many(len(others), 'choice')} of a worker that nobody has judged"
        yield folded(summary, table("Choices not judged", columns, map(_choice, others[:MOST_ROWS])), _more(others))


def _choice(one: Routed) -> Sequence[Inside]:
    step = one.step or "/"
    return step, one.chosen, _acceptable(one), _right(one), ", ".join(one.candidates), share(one.propensity)


def _acceptable(one: Routed) -> Html:
    parts = [
        joined(", " if i else "", tag("b", name) if name == one.gold else name) for i, name in enumerate(one.acceptable)
    ]
    said = [f"never {', '.join(one.forbidden)}"] if one.forbidden else []
    if one.should_delegate is not None:
        said.append("should delegate" if one.should_delegate else "should not delegate")
    return joined(parts, (tag("small", words) for words in said))


def _right(one: Routed) -> Html:
    if one.chosen in one.forbidden:
        return tag("span", "forbidden", class_="bad")
    if not one.acceptable:
        return tag("span", "not judged", class_="dim")
    if one.chosen not in one.acceptable:
        return tag("span", "wrong", class_="bad")
    best = not one.gold or one.chosen == one.gold
    return tag("span", "right" if best else "acceptable, not the best", class_="good")


def _judged(one: Judged) -> Sequence[Inside]:
    should = {True: "accept", False: "not accept", None: DASH}[one.should_accept]
    if one.should_accept is None:
        said: Inside = tag("span", "not judged", class_="dim")
    elif one.verdict in ("abstain", "unparseable"):
        said = tag("span", "no verdict", class_="dim")
    elif (one.verdict == "accept") == one.should_accept:
        said = tag("span", "right", class_="good")
    else:
        said = tag("span", "false accept" if one.verdict == "accept" else "false reject", class_="bad")
    return str(one.round + 1), one.verdict, should, said, bare(one.usage.usd, "usd")


def _sure(one: Sure) -> Sequence[Inside]:
    kinds = {True: ("right", "good"), False: ("wrong", "bad"), None: ("not judged", "dim")}
    said, kind = kinds[one.right]
    return one.step or "/", share(one.confidence), tag("span", said, class_=kind)


def _handoffs(told: Sequence[Given]) -> Html:
    times = Counter((one.to, one.payload) for one in told)
    failed = sum(one.failed for one in told)
    repeated = sum(count - 1 for count in times.values())

    def rows() -> Iterator[Sequence[Inside]]:
        for i, one in enumerate(told[:MOST_ROWS], 1):
            words = (("failed", one.failed), ("repeated", times[one.to, one.payload] > 1))
            said = ", ".join(word for word, holds in words if holds)
            payload = tag("code", line(one.payload)[:12], title=one.payload)
            yield str(i), one.to, payload, tag("span", said, class_="bad") if said else ""

    columns: Columns = (("No.", "k"), ("To", ""), ("Payload", "k"), ("Reading", "k"))
    summary = f"{many(len(told), 'handoff')}, {failed:,} failed, {repeated:,} repeated"
    return folded(summary, table("Handoffs", columns, rows()), _more(told))


def _divergence(told: Divergence) -> Html:
    where = f"{told.step or '/'} {told.field}".strip()
    return tag(
        "div",
        tag("h3", f"Diverged at {where} ({told.what})"),
        tag("div", tag("h3", "Expected"), tag("pre", excerpt(told.expected, SIDE) or DASH)),
        tag("div", tag("h3", "Found"), tag("pre", excerpt(told.found, SIDE) or DASH)),
        class_="sides",
    )


def _bill(caption: str, told: Sequence[Spent]) -> Html:
    if not told:
        return NOTHING
    columns: Columns = (("Name", ""), ("Calls", "n"), ("Tokens", "n"), ("Cached", "n"), ("USD", "n v"))
    return joined(table(caption, columns, ((one.name, *_used(one.usage)) for one in told[:MOST_ROWS])), _more(told))


def _used(usage: Usage) -> Iterable[str]:
    return f"{usage.calls:,}", f"{usage.tokens:,}", f"{usage.cache_read:,}", bare(usage.usd, "usd")


def _more(told: Sequence[object]) -> Html:
    return tag("p", f"and {len(told) - MOST_ROWS:,} more", class_="dim") if len(told) > MOST_ROWS else NOTHING


_DESCRIPTION = re.compile(r"<desc[^>]*>(.*?)</desc>", re.DOTALL)


def drawing(graph: str, one: Measured) -> Html:
    """A drawing as an image: whatever it contains, an image runs no script, loads nothing and follows no link."""
    found = _DESCRIPTION.search(graph)
    told = html.unescape(found[1]) if found else ""
    source = "data:image/svg+xml;base64," + base64.b64encode(graph.encode("utf-8", "replace")).decode("ascii")
    image = tag("img", src=source, alt=line(f"Handoff graph of {one.scenario}: {told}", 1_000), loading="lazy")
    return tag("figure", tag("figcaption", "Handoff graph"), image, class_="graph")
