"""How near a plan is to a reference: the right workers, in the right order, and the edits in between.

A plan is seen as a graph: steps are nodes labelled by their workers, and an edge leads from each step to those that
must wait for it, unless that follows from other edges. What ids the steps have, and in which order they stand, is
nothing. Both plans of a comparison should be reduced (`reduced`); `graph_of` gives them so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...protocols.errors import UsageError
from ...protocols.messages import Json
from ...protocols.plans import Plan, Step
from .alignment import Gains, Graph, highest_gain

_Value = dict[str, Json] | list[Json] | str | float | None

UNIT_COSTS = Gains(same=2, other=1, edge=2)
"""What is saved by pairing instead of deleting and inserting, where each edit costs 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How near a plan is to a reference; every share in [0, 1]."""

    node_f1: float | None
    """2 * (steps paired with one of the same worker) / (steps of both); None: neither has steps."""
    edge_f1: float | None
    """2 * (edges kept between paired steps) / (edges of both); None: neither has edges."""
    edits: int
    """Steps and edges to insert and delete, and steps to give to another worker; 0: the same plan."""
    edit: float | None
    """`edits` / (steps and edges of both); None: both are empty."""
    exact: bool
    """False: a plan has more than 12 steps; `edge_f1` is a lower bound, `edits` and `edit` are upper bounds."""


def graph_of(plan: Plan) -> Graph:
    """The plan as a reduced graph, with an edge for each reference of a step to another one and for each `after`.

    References count in the input, in `when` and in `for_each`; to what is no step of the plan they are passed over. A
    step that fans out or repeats is one node.

    Raises:
        UsageError: two steps share an id, or the plan goes round in circles.

    Example:
        >>> steps = [{"id": "a", "worker": "w"}, {"id": "b", "worker": "v", "input": {"x": {"$from": "a"}}}]
        >>> graph_of(Plan.model_validate({"steps": steps, "output": None}))
        Graph(labels={'a': 'w', 'b': 'v'}, edges=frozenset({('a', 'b')}))
    """
    labels = {step.id: step.worker for step in plan.steps}
    if len(labels) < len(plan.steps):
        twice = sorted(name for name, times in Counter(step.id for step in plan.steps).items() if times > 1)
        raise UsageError(f"a plan: expected one step per id, found several of {twice}")
    edges = {(source, step.id) for step in plan.steps for source in _sources(step) if source in labels}
    return reduced(Graph(labels, frozenset(edges)))


def reduced(graph: Graph) -> Graph:
    """The graph without the edges that follow from others: its transitive reduction.

    Raises:
        UsageError: the graph goes round in circles.

    Source: Aho, Garey and Ullman 1972, The transitive reduction of a directed graph, doi:10.1137/0201008.

    Example:
        >>> triangle = Graph({"a": "x", "b": "y", "c": "z"}, frozenset({("a", "b"), ("b", "c"), ("a", "c")}))
        >>> sorted(reduced(triangle).edges)
        [('a', 'b'), ('b', 'c')]
    """
    import networkx

    drawn: networkx.DiGraph[str] = networkx.DiGraph(list(graph.edges))
    if not networkx.is_directed_acyclic_graph(drawn):
        raise UsageError("the plan goes round in circles: it cannot be compared")
    return Graph(graph.labels, frozenset(networkx.transitive_reduction(drawn).edges))


def fit(found: Graph, reference: Graph) -> Fit:
    """Compare a plan with one reference; exact figures are the same either way round and under any ids.

    Steps are assigned to steps, each to at most one: for the two F1 so that as many as can be have the same worker,
    and among these so that most edges are kept; for the edits so that there are fewest.

    Raises:
        MissingExtraError: scipy is not installed.

    Source: node and edge F1 as in TaskBench (Shen et al. 2023, arXiv:2311.18760), with an assignment since workers
    repeat; graph edit distance with unit costs, Sanfeliu and Fu 1983, doi:10.1109/TSMC.1983.6313167.

    Example:
        >>> draft = Graph({"1": "search", "2": "write"}, frozenset({("1", "2")}))
        >>> fit(draft, Graph({"s": "search", "w": "write"}))
        Fit(node_f1=1.0, edge_f1=0.0, edits=1, edit=0.2, exact=True)
    """
    same = (Counter(found.labels.values()) & Counter(reference.labels.values())).total()
    first = min(len(found.edges), len(reference.edges)) + 1
    gained, best = highest_gain(found, reference, Gains(same=first, other=0, edge=1))
    saved, least = highest_gain(found, reference, UNIT_COSTS)
    both = found.size + reference.size
    return Fit(
        node_f1=_share(2 * same, len(found.labels) + len(reference.labels)),
        edge_f1=_share(2 * (gained - first * same), len(found.edges) + len(reference.edges)),
        edits=both - saved,
        edit=_share(both - saved, both),
        exact=best and least,
    )


def best_fit(found: Graph, references: Iterable[Graph]) -> Fit | None:
    """The fit to the reference that the plan is nearest to: by node F1, then edge F1, then the share of edits.

    An F1 that is undefined counts as 1: where neither has edges, they agree on them. The order of the references does
    not matter. None: there are none.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    return max((fit(found, reference) for reference in references), key=_nearness, default=None)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _nearness(one: Fit) -> tuple[float, ...]:
    """All there is in a fit, so that equally near ones are equal."""
    f1s = (1.0 if f1 is None else f1 for f1 in (one.node_f1, one.edge_f1))
    return (*f1s, -(one.edit or 0.0), -one.edits, one.exact)


def _sources(step: Step) -> Iterator[str]:
    """What the step waits for, in any order; a source may come several times."""
    yield from step.after
    if step.when is not None:
        yield step.when.ref.source
    if step.for_each is not None:
        yield step.for_each.source
    left: list[_Value] = [step.input]  # a list and no recursion: a model wrote it, as deep as it liked
    while left:
        match left.pop():
            case dict() as fields:
                if isinstance(source := fields.get("$from"), str):
                    yield source
                left.extend(fields.values())
            case list() as elements:
                left.extend(elements)
            case _:
                pass
