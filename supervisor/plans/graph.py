"""The plan as a graph: which step comes when, what depends on what, where it goes round in circles."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping

from ...protocols.errors import UsageError
from ...protocols.plans import Plan
from .references import sources_of

Needs = Mapping[str, Collection[str]]
"""Per step, in plan order, the steps that it depends on."""


def needs_of(plan: Plan) -> dict[str, frozenset[str]]:
    """Per step, in plan order, the steps that it depends on by data, `after`, `when` and `for_each`.

    Raises:
        ShapeError: a reference is malformed.
    """
    return {step.id: sources_of(step) for step in plan.steps}


def order(plan: Plan) -> tuple[str, ...]:
    """The steps, each after all that it depends on; ties by plan order.

    Raises:
        UsageError: the plan goes round in circles; a plan that was checked does not.

    Example:
        >>> steps = [{"id": "b", "worker": "w", "after": ["a"]}, {"id": "c", "worker": "w"}, {"id": "a", "worker": "w"}]
        >>> order(Plan.model_validate({"steps": steps, "output": None}))
        ('c', 'a', 'b')
    """
    found = settled(needs_of(plan))
    if len(found) < len({step.id for step in plan.steps}):
        raise UsageError("the plan goes round in circles; check it before it is ordered")
    return tuple(found)


def settled(needs: Needs) -> list[str]:
    """The steps in the order in which they can settle, ties by the order given; without those that never can.

    What is needed and is no step is taken to be there. The algorithm is Kahn's (1962, doi:10.1145/368996.369025).

    Example:
        >>> settled({"b": ["a"], "a": [], "c": ["d"], "d": ["c"], "e": ["d"]})
        ['a', 'b']
    """
    names = list(needs)
    place = {name: i for i, name in enumerate(names)}
    lacks = {name: {source for source in sources if source in place} for name, sources in needs.items()}
    feeds = _feeds(lacks)
    ready = [place[name] for name, sources in lacks.items() if not sources]
    found: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        found.append(name)
        for fed in feeds.get(name, ()):
            lacks[fed].discard(name)
            if not lacks[fed]:
                heapq.heappush(ready, place[fed])
    return found


def descendants(plan: Plan, ids: Iterable[str]) -> frozenset[str]:
    """All steps that depend on any of these, directly or not, by data or by `after`, `when` and `for_each`.

    One of `ids` is among them only if it depends on another.

    Raises:
        ShapeError: a reference is malformed.
    """
    feeds = _feeds(needs_of(plan))
    found: set[str] = set()
    left = list(ids)
    while left:
        fresh = [fed for fed in feeds.get(left.pop(), ()) if fed not in found]
        found.update(fresh)
        left.extend(fresh)
    return frozenset(found)


def _feeds(needs: Needs) -> dict[str, list[str]]:
    """Per source, the steps that depend on it, in plan order."""
    feeds: dict[str, list[str]] = {}
    for step, sources in needs.items():
        for source in sources:
            feeds.setdefault(source, []).append(step)
    return feeds


def cycles(needs: Needs) -> list[tuple[str, ...]]:
    """One cycle of each knot of steps that depend on each other: a shortest one through its first step in plan order.

    A cycle starts with that step, and each step in it is needed by the next one. Ordered by the first steps.

    Example:
        >>> cycles({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["d"], "e": ["a"]})
        [('a', 'b', 'c'), ('d',)]
    """
    import networkx  # costs 0.2 s; only plans that are refused pay for it

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(needs)
    graph.add_edges_from((source, step) for step, sources in needs.items() for source in sorted(sources))
    place = {step: i for i, step in enumerate(needs)}
    found: list[tuple[str, ...]] = []
    for knot in networkx.strongly_connected_components(graph):
        first = min(knot, key=lambda step: place.get(step, len(place)))
        paths = networkx.single_source_shortest_path(graph, first)
        rings = [tuple(paths[last]) for last in graph.predecessors(first) if last in knot]
        if rings:
            found.append(min(rings, key=len))
    return sorted(found, key=lambda ring: place[ring[0]])
