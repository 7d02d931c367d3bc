"""Where boxes go: never over each other, always after what they need."""

import random
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from echelon.supervisor.views.layout import WIDE, Layout, Size, lay_out


def overlap(layout: Layout, sizes: dict[str, Size]) -> list[tuple[str, str]]:
    """Pairs of boxes that touch."""
    found: list[tuple[str, str]] = []
    for one, other in combinations(sizes, 2):
        (x, y), (u, v) = layout.corners[one], layout.corners[other]
        (w, h), (a, b) = sizes[one], sizes[other]
        if x < u + a and u < x + w and y < v + b and v < y + h:
            found.append((one, other))
    return found


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, Size], list[tuple[str, str]]]:
    """Boxes of any size, edges from earlier to later ones."""
    count = draw(st.integers(1, 24))
    sides = st.floats(40, 300)
    sizes = {f"s{i}": (draw(sides), draw(sides)) for i in range(count)}
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = [(f"s{min(pair)}", f"s{max(pair)}") for pair in draw(st.lists(pairs, max_size=40)) if pair[0] != pair[1]]
    return sizes, edges


@given(graph=graphs(), wide=st.sampled_from([10.0, WIDE]))
def test_boxes_never_touch_and_stand_after_what_they_need(
    graph: tuple[dict[str, Size], list[tuple[str, str]]], wide: float
) -> None:
    """Across or down; and nothing sticks out of the picture."""
    sizes, edges = graph
    layout = lay_out(sizes, edges, wide)
    assert overlap(layout, sizes) == []
    along = 1 if layout.down else 0
    for source, target in edges:
        assert layout.corners[source][along] + sizes[source][along] <= layout.corners[target][along]
    for key, (x, y) in layout.corners.items():
        assert x >= -1e-6
        assert y >= -1e-6
        assert x + sizes[key][0] <= layout.width + 1e-6
        assert y + sizes[key][1] <= layout.height + 1e-6


@given(graph=graphs())
def test_the_same_graph_is_always_laid_out_the_same(graph: tuple[dict[str, Size], list[tuple[str, str]]]) -> None:
    """No picture changes by itself."""
    assert lay_out(*graph) == lay_out(*graph)


def test_a_long_chain_goes_down_the_page() -> None:
    """Twenty steps side by side fit on no screen."""
    sizes = {f"s{i}": (160.0, 70.0) for i in range(20)}
    layout = lay_out(sizes, [(f"s{i}", f"s{i + 1}") for i in range(19)])
    assert layout.down
    assert layout.width == 160.0


def test_an_edge_over_several_layers_runs_around_the_boxes_between() -> None:
    """Not through them."""
    sizes = dict.fromkeys("abc", (100.0, 50.0))
    layout = lay_out(sizes, [("a", "b"), ("b", "c"), ("a", "c")])
    (left, top), lane = layout.corners["b"], layout.lines["a", "c"]
    assert len(lane) == 4
    assert all(not top <= y <= top + 50.0 for x, y in lane[1:3] if left <= x <= left + 100.0)


def test_boxes_without_edges_stand_in_rows() -> None:
    """A team is a block, not a line."""
    layout = lay_out({f"w{i}": (150.0, 80.0) for i in range(9)}, [])
    assert len({y for _, y in layout.corners.values()}) > 1
    assert layout.lines == {}


def test_a_forged_cycle_is_drawn_all_the_same() -> None:
    """A plan that was checked has none; a picture must not hang on one that was not."""
    sizes = dict.fromkeys("abc", (100.0, 50.0))
    layout = lay_out(sizes, [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")])
    assert set(layout.lines) == {("a", "b"), ("b", "c")}


def test_a_large_plan_is_laid_out_quickly_enough_to_wait_for() -> None:
    """Three hundred steps."""
    dice = random.Random(7)
    sizes = {f"s{i}": (160.0, 70.0) for i in range(300)}
    edges = [(f"s{dice.randrange(max(0, i - 30), i)}", f"s{i}") for i in range(1, 300) for _ in range(2)]
    assert overlap(lay_out(sizes, edges), sizes) == []
