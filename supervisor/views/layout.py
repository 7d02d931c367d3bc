"""Where boxes and edges of a drawing go: layers by longest path, few crossings, straight lines where there is room.

1. A box stands one layer behind the last box it needs (longest path; networkx's generations).
2. An edge over several layers passes a free lane in each of them, so that it runs around boxes and not through them.
3. Within a layer, order by the mean position of the neighbours, forth and back (Sugiyama et al. 1981,
   doi:10.1109/TSMC.1981.4308636).
4. Each box goes as near to the mean of its neighbours as the others let it: least squares under an order, solved by
   pooling adjacent violators (Barlow et al. 1972).

Layers go from left to right; where that gets too wide, from top to bottom.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

LAYER_GAP, DOWN_GAP = 72.0, 44.0
BOX_GAP = 22.0
LANE = 6.0
WIDE = 1_500.0
"""Pixels; a picture that is wider does not fit on a screen at reading size."""
PAGE = 1.8
"""Width of a page by its height."""
SWEEPS = 8

Point = tuple[float, float]
Size = tuple[float, float]
Node = str | tuple[str, str, int]
"""A box by its key, or the lane of an edge in a layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Top left corners of boxes, points of edges, and the size of the whole, in pixels."""

    width: float
    height: float
    corners: Mapping[str, Point]
    lines: Mapping[tuple[str, str], tuple[Point, ...]]
    """Curved from the first point to the second, straight to the third, curved to the fourth, and so on."""
    down: bool
    """Whether layers go from top to bottom."""


def lay_out(sizes: Mapping[str, Size], edges: Sequence[tuple[str, str]], wide: float = WIDE) -> Layout:
    """Lay boxes of these sizes out; without edges, in a block of rows.

    Example:
        >>> lay_out({"a": (100, 40), "b": (100, 40)}, [("a", "b")]).corners
        {'a': (0.0, 0.0), 'b': (172.0, 0.0)}
    """
    if not edges:
        return _block(sizes, wide)
    across = _layered(sizes, edges, down=False)
    if across.width <= wide:
        return across
    down = _layered(sizes, edges, down=True)
    return down if down.width < across.width else across


def _block(sizes: Mapping[str, Size], wide: float) -> Layout:
    """Rows of boxes, as long as makes the block fit best on a page."""
    limits = {sum(width + BOX_GAP for width, _ in list(sizes.values())[:n]) for n in range(1, len(sizes) + 1)}
    blocks = [_rows(sizes, min(limit, wide)) for limit in sorted(limits)]
    return min(blocks, key=lambda block: max(block.width / PAGE, block.height))


def _rows(sizes: Mapping[str, Size], limit: float) -> Layout:
    corners: dict[str, Point] = {}
    x = y = row = right = 0.0
    for key, (width, height) in sizes.items():
        if x and x + width > limit:
            x, y, row = 0.0, y + row + BOX_GAP, 0.0
        corners[key] = (x, y)
        right, row, x = max(right, x + width), max(row, height), x + width + BOX_GAP
    return Layout(width=right, height=y + row, corners=corners, lines={}, down=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """Boxes and lanes in layers, each in its order, and the chain of nodes that each edge runs through."""

    layers: list[list[Node]]
    chains: dict[tuple[str, str], list[Node]]

    def neighbours(self) -> dict[Node, list[Node]]:
        """Nodes one layer before or behind that an edge leads to or from."""
        found: dict[Node, list[Node]] = {node: [] for layer in self.layers for node in layer}
        for chain in self.chains.values():
            for one, other in pairwise(chain):
                found[one].append(other)
                found[other].append(one)
        return found


def _layered(sizes: Mapping[str, Size], edges: Sequence[tuple[str, str]], *, down: bool) -> Layout:
    """In layers; `down` is the same with the axes exchanged."""
    turned = {key: (size[1], size[0]) if down else size for key, size in sizes.items()}
    grid = _grid(list(sizes), edges)
    _order(grid)
    breadth: dict[Node, float] = {
        node: turned[node][1] if isinstance(node, str) else LANE for layer in grid.layers for node in layer
    }
    middle = _align(grid, breadth)
    spans: dict[Node, Point] = {}
    gap = DOWN_GAP if down else LAYER_GAP
    x = -gap
    for layer in grid.layers:
        x += gap
        depth = max(turned[node][0] for node in layer if isinstance(node, str))
        for node in layer:
            slack = depth - turned[node][0] if isinstance(node, str) else 0.0
            spans[node] = (x + slack / 2, x + depth - slack / 2)
        x += depth
    low = min(middle[node] - breadth[node] / 2 for node in middle)
    high = max(middle[node] + breadth[node] / 2 for node in middle)

    def placed(along: float, across: float) -> Point:
        return (across - low, along) if down else (along, across - low)

    lines: dict[tuple[str, str], tuple[Point, ...]] = {}
    for edge, chain in grid.chains.items():
        points = [placed(spot, middle[node]) for node in chain for spot in spans[node]]
        lines[edge] = tuple(points[1:-1])
    return Layout(
        width=high - low if down else x,
        height=x if down else high - low,
        corners={key: placed(spans[key][0], middle[key] - breadth[key] / 2) for key in sizes},
        lines=lines,
        down=down,
    )


def _grid(keys: Sequence[str], edges: Sequence[tuple[str, str]]) -> _Grid:
    import networkx  # only whoever draws needs it

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(keys)
    graph.add_edges_from(edges)
    if not networkx.is_directed_acyclic_graph(graph):  # no plan that was checked has a cycle; a forged one may
        place = {key: i for i, key in enumerate(keys)}
        graph.remove_edges_from([(source, target) for source, target in edges if place[source] >= place[target]])
    level = {key: i for i, layer in enumerate(networkx.topological_generations(graph)) for key in layer}
    layers: list[list[Node]] = [[] for _ in range(max(level.values()) + 1)]
    for key in keys:
        layers[level[key]].append(key)
    chains: dict[tuple[str, str], list[Node]] = {}
    for source, target in graph.edges:
        lanes: list[Node] = [(source, target, i) for i in range(level[source] + 1, level[target])]
        for i, lane in enumerate(lanes, level[source] + 1):
            layers[i].append(lane)
        chains[source, target] = [source, *lanes, target]
    return _Grid(layers=layers, chains=chains)


def _order(grid: _Grid) -> None:
    """Sort each layer by the mean position of its neighbours in the layer before, then behind; keep the best."""
    neighbours = grid.neighbours()
    level = {node: i for i, layer in enumerate(grid.layers) for node in layer}
    best, fewest = [list(layer) for layer in grid.layers], _crossings(grid)
    for sweep in range(SWEEPS):
        step = 1 if sweep % 2 == 0 else -1
        spot = {node: i for layer in grid.layers for i, node in enumerate(layer)}
        for i in range(len(grid.layers))[::step]:
            means: dict[Node, float] = {}
            for node in grid.layers[i]:
                near = [spot[other] for other in neighbours[node] if level[other] == i - step]
                means[node] = sum(near) / len(near) if near else float(spot[node])
            grid.layers[i].sort(key=means.__getitem__)
            spot.update({node: place for place, node in enumerate(grid.layers[i])})
        if (crossings := _crossings(grid)) < fewest:
            best, fewest = [list(layer) for layer in grid.layers], crossings
    grid.layers[:] = best


def _crossings(grid: _Grid) -> int:
    spot = {node: (i, j) for i, layer in enumerate(grid.layers) for j, node in enumerate(layer)}
    links: dict[int, list[tuple[int, int]]] = {}
    for chain in grid.chains.values():
        for one, other in pairwise(chain):
            links.setdefault(spot[one][0], []).append((spot[one][1], spot[other][1]))
    crossings = 0
    for between in links.values():
        ends: list[int] = []
        for _, end in sorted(between):
            crossings += len(ends) - bisect_right(ends, end)
            insort(ends, end)
    return crossings


def _align(grid: _Grid, breadth: Mapping[Node, float]) -> dict[Node, float]:
    """The middle of each node across the layers."""
    neighbours = grid.neighbours()
    middle: dict[Node, float] = {}
    for layer in grid.layers:
        middle.update(_spread(layer, dict.fromkeys(layer, 0.0), breadth))
    for sweep in range(SWEEPS):
        for layer in grid.layers if sweep % 2 == 0 else reversed(grid.layers):
            wanted: dict[Node, float] = {}
            for node in layer:
                near = neighbours[node]
                wanted[node] = sum(middle[other] for other in near) / len(near) if near else middle[node]
            middle.update(_spread(layer, wanted, breadth))
    return middle


def _spread(layer: Sequence[Node], wanted: Mapping[Node, float], breadth: Mapping[Node, float]) -> dict[Node, float]:
    """The positions nearest to the wanted ones at which nodes keep their order and do not touch."""
    offsets: dict[Node, float] = {}
    at = 0.0
    for i, node in enumerate(layer):
        at += (breadth[layer[i - 1]] + breadth[node]) / 2 + BOX_GAP if i else 0.0
        offsets[node] = at
    pools: list[list[float]] = []  # [sum, count], means rising
    for node in layer:
        pools.append([wanted[node] - offsets[node], 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = [pools[-1][0] + total, pools[-1][1] + count]
    means = [total / count for total, count in pools for _ in range(int(count))]
    return {node: mean + offsets[node] for node, mean in zip(layer, means, strict=True)}
