"""The org chart: who leads whom, as a graph and as digests of definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic_core import to_json

from ..protocols.contracts import Worker
from ..protocols.conversation import digest_of

if TYPE_CHECKING:
    import networkx


def members(worker: Worker, above: str = "") -> Iterator[tuple[str, Worker]]:
    """The worker and all below it, each with its path of names, e.g. `desk/finder`; depth first, in team order."""
    path = f"{above}/{worker.card.name}" if above else worker.card.name
    yield path, worker
    for part in worker.parts:
        yield from members(part, path)


def definitions(worker: Worker) -> dict[str, str]:
    """Digest of each definition in the tree: types, instructions, tools, models, policy; not of function bodies."""
    return {
        path: digest_of(member.card.digest.encode(), to_json(member.definition)) for path, member in members(worker)
    }


def changed(before: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    """Paths whose definition is not what it was, with what became of them, sorted.

    Example:
        >>> changed({"a": "1", "b": "1"}, {"a": "2", "c": "1"})
        ('a (changed)', 'b (gone)', 'c (new)')
    """
    paths = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    return tuple(f"{p} ({'new' if p not in before else 'gone' if p not in now else 'changed'})" for p in paths)


def chart(worker: Worker) -> networkx.DiGraph[str]:
    """The hierarchy as a graph: an edge leads from a supervisor to each member of its team."""
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for path, member in members(worker):
        graph.add_node(path, card=member.card)
        if "/" in path:
            graph.add_edge(path.rpartition("/")[0], path)
    return graph
