"""How near a plan is to a reference: by hand, by brute force, and blind to ids and order."""

import random
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echelon.evals.metrics.alignment import EXACT_NODES, Graph
from echelon.evals.metrics.plans import Fit, best_fit, fit, graph_of, reduced
from echelon.protocols.errors import UsageError
from echelon.protocols.plans import Plan


def plan(*steps: dict[str, Any]) -> Plan:
    """A plan of steps given as JSON; each step's worker is called like the step unless it says otherwise."""
    return Plan.model_validate({"steps": [{"worker": step["id"], **step} for step in steps], "output": None})


def chain(*workers: str) -> Graph:
    """Steps one after the other, each with an id of its own."""
    ids = [f"{i}" for i in range(len(workers))]
    return Graph(dict(zip(ids, workers, strict=True)), frozenset(pairwise(ids)))


@st.composite
def graphs(draw: st.DrawFn, most: int = 4) -> Graph:
    """Draw any small plan, reduced."""
    size = draw(st.integers(0, most))
    labels = {str(i): draw(st.sampled_from("xy")) for i in range(size)}
    pairs = [(str(i), str(j)) for i in range(size) for j in range(i + 1, size)]
    return reduced(Graph(labels, frozenset(pair for pair in pairs if draw(st.booleans()))))


def test_edges_are_references_wherever_they_stand_and_after() -> None:
    """In the input at any depth, in `when`, in `for_each`, in `after`; not to the task and not to what is no step."""
    graph = graph_of(
        plan(
            {"id": "a", "input": {"$from": "task", "at": "/x"}},
            {"id": "b", "input": {"deep": [1, {"er": {"$from": "a"}}]}},
            {"id": "c", "when": {"ref": {"$from": "a"}, "op": "exists"}},
            {"id": "d", "for_each": {"$from": "a"}, "input": {"$from": "item"}},
            {"id": "e", "after": ["b", "c", "d"], "input": {"$from": "gone"}},
        )
    )
    assert graph.labels == {name: name for name in "abcde"}
    assert graph.edges == {("a", "b"), ("a", "c"), ("a", "d"), ("b", "e"), ("c", "e"), ("d", "e")}


def test_an_edge_that_follows_from_others_is_left_out() -> None:
    """That c reads a's output says nothing new about the order once it must wait for b."""
    graph = graph_of(
        plan({"id": "a"}, {"id": "b", "after": ["a"]}, {"id": "c", "input": {"$from": "a"}, "after": ["b"]})
    )
    assert graph.edges == {("a", "b"), ("b", "c")}


def test_a_template_may_nest_as_deep_as_it_likes() -> None:
    """A model wrote it; what reads it does not run out of stack."""
    value: Any = {"$from": "a"}
    for _ in range(5_000):
        value = [value]
    deep = Plan.model_construct(
        steps=(*plan({"id": "a"}).steps, plan({"id": "b"}).steps[0].model_copy(update={"input": value})), output=None
    )
    assert graph_of(deep).edges == {("a", "b")}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([{"id": "a", "after": ["b"]}, {"id": "b", "after": ["a"]}], "goes round in circles"),
        ([{"id": "a", "after": ["a"]}], "goes round in circles"),
        ([{"id": "a"}, {"id": "b"}, {"id": "a"}], r"several of \['a'\]"),
    ],
)
def test_what_is_no_plan_is_refused(steps: list[dict[str, Any]], said: str) -> None:
    """A plan that was checked is neither."""
    with pytest.raises(UsageError, match=said):
        graph_of(plan(*steps))


def test_figures_are_those_computed_by_hand() -> None:
    """One worker replaced: two of three steps and no edge left of a chain; one edit of ten nodes and edges."""
    replaced = fit(chain("search", "check", "write"), chain("search", "rank", "write"))
    assert replaced == Fit(node_f1=2 / 3, edge_f1=0.0, edits=1, edit=0.1, exact=True)
    # The middle left out: 4 of 5 steps and no edge; "write" becomes "rank", and a step and an edge come.
    shorter = fit(chain("search", "write"), chain("search", "rank", "write"))
    assert shorter == Fit(node_f1=0.8, edge_f1=0.0, edits=3, edit=3 / 8, exact=True)
    # The end left out: the edge between what is there is kept.
    ended = fit(chain("search", "rank"), chain("search", "rank", "write"))
    assert ended == Fit(node_f1=0.8, edge_f1=2 / 3, edits=2, edit=0.25, exact=True)


def test_steps_of_one_worker_are_paired_so_that_edges_are_kept() -> None:
    """Two chains side by side, under crossed ids: an assignment that looks at workers alone may tear them."""
    one = Graph({"a": "x", "b": "x", "c": "y", "d": "y"}, frozenset({("a", "c"), ("b", "d")}))
    crossed = Graph({"a": "x", "b": "x", "c": "y", "d": "y"}, frozenset({("a", "d"), ("b", "c")}))
    found = fit(one, crossed)
    assert (found.node_f1, found.edge_f1, found.edits) == (1.0, 1.0, 0)


def test_what_has_no_parts_is_undefined() -> None:
    """Two empty plans have nothing to compare; two single steps have no edges."""
    empty = fit(Graph({}), Graph({}))
    assert (empty.node_f1, empty.edge_f1, empty.edits, empty.edit) == (None, None, 0, None)
    single = fit(chain("x"), chain("y"))
    assert (single.node_f1, single.edge_f1, single.edits, single.edit) == (0.0, None, 1, 0.5)
    assert fit(chain("x", "x"), Graph({})).edit == 1.0
    assert best_fit(chain("x"), []) is None


def by_brute_force(one: Graph, other: Graph) -> tuple[int, int]:
    """The most steps that can be paired with one of the same worker, and the most edges kept among such pairings."""
    fewer, more = sorted((one, other), key=lambda graph: len(graph.labels))
    best = (0, 0)
    for chosen in permutations(more.labels, len(fewer.labels)):
        pairs = {u: v for u, v in zip(fewer.labels, chosen, strict=True) if fewer.labels[u] == more.labels[v]}
        kept = sum(u in pairs and v in pairs and (pairs[u], pairs[v]) in more.edges for u, v in fewer.edges)
        best = max(best, (len(pairs), kept))
    return best


@settings(max_examples=80)
@given(graphs(), graphs())
def test_both_f1_agree_with_all_assignments_tried(one: Graph, other: Graph) -> None:
    """First the most pairs, then the most edges."""
    nodes, edges = by_brute_force(one, other)
    found = fit(one, other)
    both_nodes, both_edges = len(one.labels) + len(other.labels), len(one.edges) + len(other.edges)
    assert found.node_f1 == (2 * nodes / both_nodes if both_nodes else None)
    assert found.edge_f1 == (2 * edges / both_edges if both_edges else None)


@settings(max_examples=60)
@given(graphs(5), graphs(5), st.randoms(use_true_random=False))
def test_figures_are_shares_symmetric_and_blind_to_ids_and_order(
    one: Graph, other: Graph, chance: random.Random
) -> None:
    """And a plan is as near to itself as can be, under whatever ids."""
    names = list(one.labels)
    ids = [f"n{i}" for i in range(len(names))]
    chance.shuffle(ids)
    renamed = dict(zip(names, ids, strict=True))
    chance.shuffle(names)
    again = Graph(
        {renamed[name]: one.labels[name] for name in names}, frozenset((renamed[u], renamed[v]) for u, v in one.edges)
    )
    found = fit(one, other)
    assert found == fit(other, again)
    assert all(figure is None or 0 <= figure <= 1 for figure in (found.node_f1, found.edge_f1, found.edit))
    same = fit(one, again)
    assert {same.node_f1, same.edge_f1} <= {None, 1.0}
    assert same.edits == 0


@settings(max_examples=15)
@given(graphs(), st.lists(graphs(), min_size=1, max_size=3))
def test_the_best_fit_is_that_to_the_nearest_reference_in_whatever_order(one: Graph, references: list[Graph]) -> None:
    """No reference is nearer by the steps."""
    found = best_fit(one, references)
    assert found is not None
    assert found == best_fit(one, references[::-1])
    scores = [fit(one, reference).node_f1 for reference in references]
    assert found.node_f1 is None or found.node_f1 == max(score for score in scores if score is not None)
    assert best_fit(one, [*references, one]) == fit(one, one)


def test_of_references_that_agree_on_the_steps_the_order_decides() -> None:
    """Side by side is not one after the other."""
    sideways = Graph({"a": "x", "b": "y"})
    found = best_fit(sideways, [chain("x", "y"), sideways])
    assert found is not None
    assert (found.edge_f1, found.edits) == (None, 0)


def test_beyond_twelve_steps_the_edits_are_a_bound_and_say_so() -> None:
    """A step at the end is still found to be one step and one edge too many."""
    long = [f"w{i % 5}" for i in range(EXACT_NODES + 3)]
    found = fit(chain(*long), chain(*long, "end"))
    assert (found.exact, found.edits) == (False, 2)
    assert fit(chain(*long), chain(*long)).edits == 0
    apart = fit(chain(*["x"] * 20), chain(*["y"] * 20))
    assert (apart.exact, apart.node_f1, apart.edits) == (False, 0.0, 20)
