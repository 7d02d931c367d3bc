"""Spans as values, and a trace of them as a tree.

A trace is one tree. A span whose parent is not in the file is its root if no other is: the trace was cut out of a
larger one. A second root, an id that stands twice and a circle of parents are errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ...protocols.errors import ScenarioError
from .reading import Spot

MOST_LEVELS: Final = 100
"""Of a trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event of a span, or a log record that belongs to it."""

    name: str
    attributes: Spot


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One operation of a trace."""

    trace: str
    id: str
    parent: str
    """"": none."""
    name: str
    attributes: Spot
    """An object by the attributes' names."""
    place: str
    began: float | None = None
    """Seconds since the epoch; None: the source does not say."""
    ended: float | None = None
    failed: bool = False
    message: str = ""
    """Of its status."""
    events: tuple[Happening, ...] = ()

    @property
    def under_way(self) -> bool:
        """Whether it began and has no end."""
        return self.began is not None and self.ended is None


@dataclass(frozen=True, slots=True)
class Node:
    """A span with the spans below it, in the order of the file."""

    span: Span
    below: tuple[Node, ...]


def trees_of(spans: Iterable[Span]) -> Iterator[Node]:
    """Each trace as a tree, in the order in which they first appear.

    Raises:
        ScenarioError: a trace is no tree, or has too many levels.
    """
    traces: dict[str, dict[str, Span]] = {}
    for span in spans:
        trace = traces.setdefault(span.trace, {})
        if span.id in trace:
            raise ScenarioError(span.place, f"expected every span once, found the id {span.id[:40]!r} twice")
        trace[span.id] = span
    for trace in traces.values():
        yield _tree(trace)


def _tree(trace: Mapping[str, Span]) -> Node:
    below: dict[str, list[Span]] = {}
    tops: list[Span] = []
    for span in trace.values():
        (below.setdefault(span.parent, []) if span.parent in trace else tops).append(span)
    if not tops:
        raise ScenarioError(next(iter(trace.values())).place, "expected a root, found spans that are below each other")
    if len(tops) > 1:
        strays = [span for span in tops if span.parent] or tops[1:]
        what = f"whose parent {strays[0].parent[:40]!r} is not in the trace" if strays[0].parent else "without a parent"
        raise ScenarioError(strays[0].place, f"expected one root, found another span {what}")
    reached = {span.id for span in tops}
    level = list(tops)
    for _ in range(MOST_LEVELS):
        level = [span for above in level for span in below.get(above.id, ())]
        reached.update(span.id for span in level)
    if level:
        raise ScenarioError(level[0].place, f"expected at most {MOST_LEVELS} levels of spans, found more")
    for span in trace.values():
        if span.id not in reached:
            raise ScenarioError(span.place, "expected a tree, found a span that is below itself")
    return _node(tops[0], below)


def _node(span: Span, below: Mapping[str, list[Span]]) -> Node:
    return Node(span, tuple(_node(one, below) for one in below.get(span.id, ())))
