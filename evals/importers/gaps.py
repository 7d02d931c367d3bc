"""What an imported recording does not hold, and what cannot be replayed or scored for the lack of it.

Nothing is invented on import: where the source is silent, the scenario has an empty value and the import a gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal, get_args

from ...protocols.messages import Count, Message
from ..scorecard import Family, Mode

Gap = Literal[
    "input", "instructions", "messages", "tools", "parameters", "output_schema", "model", "replies", "content",
    "ids", "tool_results", "output", "usage", "caching", "prices", "timings", "retries", "handoffs", "decisions",
    "plans", "reviews", "confidence", "outcome", "references", "definitions", "effects", "labels", "tags", "framework",
]  # fmt: skip
"""What may be lacking (closed set); `NEEDS` says what each is."""

Lacking = Counter[Gap]
"""The gaps of one scenario, each with how many of its events have it; 0: the scenario as a whole."""


def note(lacks: Lacking, gap: Gap, events: int = 1) -> None:
    """Count events that have a gap; none is no gap."""
    if events:
        lacks[gap] += events


@dataclass(frozen=True, slots=True)
class Need:
    """Something that replay and scoring need, and what is ruled out without it."""

    what: str
    modes: tuple[Mode, ...] = ()
    families: tuple[Family, ...] = ()


NEEDS: Final[Mapping[Gap, Need]] = {
    "input": Need("what the agent was asked", ("strict", "structural", "live")),
    "instructions": Need("what a model was told before the messages", ("strict",)),
    "messages": Need("what a model was told", ("strict", "structural")),
    "tools": Need("names and schemas of the tools that a model was offered", ("strict",)),
    "parameters": Need("limit of output tokens, temperature, effort", ("strict",)),
    "output_schema": Need("the schema that an answer had to fit", ("strict",)),
    "model": Need("which model was asked", ("strict",), ("cost", "router")),
    "replies": Need("what a model answered", ("strict", "structural")),
    "content": Need("parts that are no text, roles of other systems, further candidates", ("strict",)),
    "ids": Need("ids of tool calls", ("strict",)),
    "tool_results": Need("what tools were given and what they gave back", ("strict", "structural"), ("trajectory",)),
    "output": Need("what the agent came to", (), ("success", "calibration")),
    "usage": Need("tokens", (), ("cost", "router")),
    "caching": Need("which input tokens a cache served", (), ("cost",)),
    "prices": Need("what a call cost in USD", (), ("cost", "router")),
    "timings": Need("when something began and ended", (), ("latency",)),
    "retries": Need("tries before the last one, what was reserved, whether a failure may pass", (), ("cost",)),
    "handoffs": Need("who gave work to whom", ("decisions", "reroute"), ("routing", "delegation", "router")),
    "decisions": Need("candidates, reasons and propensities of choices", ("decisions",), ("router",)),
    "plans": Need("the plan that the work followed", (), ("plan",)),
    "reviews": Need("verdicts, and the findings that went back with work", (), ("reviewer",)),
    "confidence": Need("how sure a worker was, and what it had when it failed", (), ("calibration",)),
    "outcome": Need("whether the run succeeded", (), ("success", "cost")),
    "references": Need("how the run should have gone", (), ("routing", "delegation", "plan", "trajectory")),
    "definitions": Need("the team and the digests of its definitions"),
    "effects": Need("times read, numbers drawn, functions called: a replay that asks for one misses it"),
    "labels": Need("labels of data"),
    "tags": Need("by what scenarios are grouped"),
    "framework": Need("which part of a prompt the framework wrote, which is in the digest of our own requests"),
}


class Missing(Message):
    """One gap of an import."""

    gap: Gap
    what: str
    scenarios: Count
    """Scenarios that have it."""
    events: Count
    """Events that have it, over all scenarios; 0: it is the scenarios as a whole that do."""
    modes: tuple[Mode, ...]
    """Replay modes that are ruled out for the scenarios that have it."""
    families: tuple[Family, ...]
    """Families of metrics that are ruled out for them, or stand on less."""


HEADINGS: Final = ("gap", "scenarios", "events", "rules out modes", "rules out metrics", "what is lacking")


class Gaps(Message):
    """What one import lacks, in the order of `Gap`; printed, it is a table.

    Example:
        >>> print(gaps_of("log/1", [Counter(usage=3, outcome=0), Counter(outcome=0)], events=9))
        gap      scenarios  events  rules out modes  rules out metrics  what is lacking
        usage            1       3  -                cost, router       tokens
        outcome          2       -  -                success, cost      whether the run succeeded
    """

    importer: str
    """Name and version."""
    scenarios: Count
    events: Count
    """All events of all scenarios."""
    missing: tuple[Missing, ...]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The table without its headings, one row per gap, with the columns of `HEADINGS`."""
        return tuple(
            (
                one.gap, str(one.scenarios), str(one.events or "-"), ", ".join(one.modes) or "-",
                ", ".join(one.families) or "-", one.what,
            )
            for one in self.missing
        )  # fmt: skip

    def ruled_out(self) -> Mapping[Mode | Family, tuple[Gap, ...]]:
        """Each mode and family that some gap rules out for some scenario, with those gaps; others are not in it."""
        against: dict[Mode | Family, list[Gap]] = {}
        for one in self.missing:
            for affected in chain(one.modes, one.families):
                against.setdefault(affected, []).append(one.gap)
        return {affected: tuple(gaps) for affected, gaps in against.items()}

    def __str__(self) -> str:
        """The table as text, numbers to the right."""
        if not self.missing:
            return "nothing is lacking"
        table = (HEADINGS, *self.rows())
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join("  ".join(_cells(row, widths)).rstrip() for row in table)


def _cells(row: tuple[str, ...], widths: list[int]) -> Iterable[str]:
    for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.rjust(width) if i in (1, 2) else cell.ljust(width)


def gaps_of(importer: str, lacking: Iterable[Lacking], *, events: int) -> Gaps:
    """Add up what the scenarios of one import lack; `events` is how many they have together."""
    each = list(lacking)
    found = [(gap, [lacks[gap] for lacks in each if gap in lacks]) for gap in get_args(Gap)]
    missing = [
        Missing(
            gap=gap, what=NEEDS[gap].what, scenarios=len(counts), events=sum(counts), modes=NEEDS[gap].modes,
            families=NEEDS[gap].families,
        )
        for gap, counts in found
        if counts
    ]  # fmt: skip
    return Gaps(importer=importer, scenarios=len(each), events=events, missing=tuple(missing))
