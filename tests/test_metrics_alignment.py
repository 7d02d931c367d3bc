"""Laying one graph over another: exact where it says so, a bound where it does not."""

import random
from importlib import import_module
from itertools import permutations
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echelon.evals.metrics.alignment import (
    EXACT_NODES,
    Gains,
    Graph,
    _assigned,  # pyright: ignore[reportPrivateUsage] - to hold the bound against the optimum, where both can be had
    highest_gain,
)
from echelon.protocols.errors import UsageError

edit_distance: Any = import_module("networkx").graph_edit_distance  # its stubs do not say what it returns

UNIT = Gains(same=2, other=1, edge=2)
EQUAL_ONLY = Gains(same=9, other=0, edge=1)


@st.composite
def graphs(draw: st.DrawFn, most: int = 5) -> Graph:
    """Draw any small directed acyclic graph with few labels."""
    size = draw(st.integers(0, most))
    labels = {str(i): draw(st.sampled_from("xyz")) for i in range(size)}
    pairs = [(str(i), str(j)) for i in range(size) for j in range(i + 1, size)]
    return Graph(labels, frozenset(pair for pair in pairs if draw(st.booleans())))


def shuffled(graph: Graph, chance: random.Random) -> Graph:
    """The same graph under other ids and in another order."""
    ids = [f"n{i}" for i in range(len(graph.labels))]
    chance.shuffle(ids)
    renamed = dict(zip(graph.labels, ids, strict=True))
    labels = {renamed[name]: label for name, label in sorted(graph.labels.items(), reverse=True)}
    return Graph(labels, frozenset((renamed[u], renamed[v]) for u, v in graph.edges))


def drawn(graph: Graph) -> Any:
    """The graph as networkx has it."""
    found: networkx.DiGraph[str] = networkx.DiGraph()
    for name, label in graph.labels.items():
        found.add_node(name, label=label)
    found.add_edges_from(graph.edges)
    return found


def alike(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether networkx may take one node for another at no cost."""
    return one["label"] == other["label"]


def tried(one: Graph, other: Graph, gains: Gains) -> int:
    """The highest gain, by trying all ways to pair."""
    fewer, more = sorted((one, other), key=lambda graph: len(graph.labels))
    spare = [None] * len(fewer.labels)
    best = 0
    for chosen in permutations([*more.labels, *spare], len(fewer.labels)):
        pairs = {
            u: v
            for u, v in zip(fewer.labels, chosen, strict=True)
            if v is not None and (gains.other or fewer.labels[u] == more.labels[v])
        }
        nodes = sum(gains.same if fewer.labels[u] == more.labels[v] else gains.other for u, v in pairs.items())
        kept = sum(u in pairs and v in pairs and (pairs[u], pairs[v]) in more.edges for u, v in fewer.edges)
        best = max(best, nodes + gains.edge * kept)
    return best


@settings(max_examples=60)
@given(graphs(4), graphs(4), st.sampled_from([UNIT, EQUAL_ONLY, Gains(same=1, other=0, edge=0)]))
def test_the_gain_is_the_highest_of_all_ways_to_pair(one: Graph, other: Graph, gains: Gains) -> None:
    """All of them tried, with nodes left alone too."""
    assert highest_gain(one, other, gains) == (tried(one, other, gains), True)


@settings(max_examples=40)
@given(graphs(), graphs())
def test_the_edit_distance_is_that_of_networkx(one: Graph, other: Graph) -> None:
    """What is not gained must be edited."""
    gain, exact = highest_gain(one, other, UNIT)
    expected = edit_distance(drawn(one), drawn(other), node_match=alike)
    assert (one.size + other.size - gain, exact) == (expected, True)


@settings(max_examples=60)
@given(graphs(), graphs(), st.randoms(use_true_random=False))
def test_a_gain_is_symmetric_and_blind_to_ids_and_order(one: Graph, other: Graph, chance: random.Random) -> None:
    """Ids say only which node is which."""
    assert highest_gain(one, other, UNIT) == highest_gain(shuffled(other, chance), shuffled(one, chance), UNIT)


@settings(max_examples=60)
@given(graphs(), graphs())
def test_nothing_is_to_edit_just_where_networkx_finds_an_isomorphism(one: Graph, other: Graph) -> None:
    """By label."""
    gain, _ = highest_gain(one, other, UNIT)
    isomorphic = networkx.is_isomorphic(drawn(one), drawn(other), node_match=alike)
    assert (one.size + other.size == gain) is isomorphic


@settings(max_examples=80)
@given(graphs(6), graphs(6), st.sampled_from([UNIT, EQUAL_ONLY]))
def test_the_assignment_for_large_graphs_never_promises_too_much(one: Graph, other: Graph, gains: Gains) -> None:
    """Held against the optimum on small ones; of equal labels it pairs as many."""
    pairs = {
        (u, v): gain
        for u, label in one.labels.items()
        for v, found in other.labels.items()
        if (gain := gains.same if label == found else gains.other)
    }
    bound = _assigned(one, other, gains, pairs)
    highest, _ = highest_gain(one, other, gains)
    assert bound <= highest
    if gains is EQUAL_ONLY:
        assert bound // 9 == highest // 9


def random_graph(size: int, seed: int, labels: str) -> Graph:
    """A random sparse graph without cycles."""
    chance = random.Random(seed)
    pairs = [(f"n{i}", f"n{j}") for i in range(size) for j in range(i + 1, size)]
    edges = frozenset(pair for pair in pairs if chance.random() < 0.2)
    return Graph({f"n{i}": chance.choice(labels) for i in range(size)}, edges)


@pytest.mark.parametrize("size", [EXACT_NODES, EXACT_NODES + 1, 40])
def test_a_graph_lies_on_itself_whatever_its_size(size: int) -> None:
    """With one label for all nodes only the ids can tell them apart."""
    for labels in ("x", "xyz"):
        graph = random_graph(size, 7, labels)
        assert highest_gain(graph, graph, UNIT) == (2 * graph.size, size <= EXACT_NODES)


def test_one_node_too_many_on_either_side_makes_it_a_bound() -> None:
    """Twelve are exact."""
    small, large = random_graph(2, 1, "xy"), random_graph(EXACT_NODES + 1, 1, "xy")
    assert not highest_gain(small, large, UNIT)[1]
    assert not highest_gain(large, small, UNIT)[1]


def test_two_plans_of_twelve_steps_are_compared_in_seconds() -> None:
    """In networkx they run for minutes."""
    assert highest_gain(random_graph(12, 3, "xyz"), random_graph(12, 4, "xyz"), UNIT)[1]


def test_an_edge_to_nowhere_is_refused() -> None:
    """It would be counted and could never be kept."""
    with pytest.raises(UsageError, match=r"found \['b'\], which are none"):
        Graph({"a": "x"}, frozenset({("a", "b")}))
