"""The frontier: above every point, concave, and the same whatever order points come in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.frontier import Point, aiq, hull, pareto
from echelon.protocols.errors import UsageError

eighths = st.integers(0, 80).map(lambda units: units / 8)
clouds = st.lists(st.builds(Point, eighths, st.integers(0, 16).map(lambda units: units / 16)), min_size=1, max_size=12)


@given(clouds)
def test_the_hull_lies_on_or_above_every_point(points: list[Point]) -> None:
    line = hull(points)
    for point in points:
        height = line.at(point.cost)
        assert height is not None
        assert height >= point.quality - 1e-12
    assert set(line.vertices) <= set(points)


@given(clouds)
def test_the_hull_rises_ever_less_steeply(points: list[Point]) -> None:
    vertices = hull(points).vertices
    slopes = [(b.quality - a.quality) / (b.cost - a.cost) for a, b in pairwise(vertices)]
    assert all(slope > 0 for slope in slopes)
    assert all(later < earlier + 1e-12 for earlier, later in pairwise(slopes))


@given(clouds)
def test_neither_order_nor_names_move_the_hull(points: list[Point]) -> None:
    corners = [(vertex.cost, vertex.quality) for vertex in hull(points).vertices]
    renamed = [Point(point.cost, point.quality, f"p{i}") for i, point in enumerate(points[::-1])]
    assert [(vertex.cost, vertex.quality) for vertex in hull(renamed).vertices] == corners
    assert hull(hull(points).vertices) == hull(points)


@given(clouds)
def test_the_hull_goes_through_points_that_nothing_beats(points: list[Point]) -> None:
    front = pareto(points)
    assert set(hull(points).vertices) <= set(front)
    for kept in front:
        assert not any(
            other.cost <= kept.cost
            and other.quality >= kept.quality
            and (other.cost, other.quality) != (kept.cost, kept.quality)
            for other in points
        )


@given(clouds, eighths, eighths)
def test_the_mean_height_lies_between_the_ends(points: list[Point], one: float, other: float) -> None:
    line, (low, high) = hull(points), sorted((one, other))
    first, last, mean = line.at(low), line.at(high), line.mean(low, high)
    if first is None or last is None or low == high:
        assert mean is None
    else:
        assert mean is not None
        assert first - 1e-9 <= mean <= last + 1e-9


def test_a_mix_of_two_lies_on_the_line_between_them() -> None:
    """A quarter of the queries to the dear one, three quarters to the cheap one."""
    zero = hull([Point(1, 0.2, "cheap"), Point(5, 1.0, "dear"), Point(3, 0.5, "beaten by mixing")])
    assert zero.at(2) == pytest.approx(0.75 * 0.2 + 0.25 * 1.0)
    assert [vertex.name for vertex in zero.vertices] == ["cheap", "dear"]


def test_money_need_not_be_spent_and_cannot_be_saved() -> None:
    zero = hull([Point(1, 0.5), Point(2, 0.25)])
    assert (zero.at(0.99), zero.at(1), zero.at(100)) == (None, 0.5, 0.5)


def test_no_points_have_no_hull() -> None:
    assert hull([]).at(1) is None
    assert hull([]).mean(0, 1) is None


@given(st.dictionaries(st.sampled_from("abc"), clouds, min_size=1))
def test_aiq_stays_within_the_qualities_and_states_its_interval(curves: dict[str, list[Point]]) -> None:
    found = aiq(curves)
    everything = [point for curve in curves.values() for point in curve]
    for name, one in found.items():
        assert one.low == max(min(point.cost for point in curve) for curve in curves.values())
        assert one.high == max(point.cost for point in everything)
        if one.value is None:
            assert one.low >= one.high
        else:
            best = max(point.quality for point in curves[name])
            assert min(point.quality for point in curves[name]) - 1e-9 <= one.value <= best + 1e-9


def test_a_better_router_has_a_higher_aiq_than_the_single_models() -> None:
    singles = [Point(1, 0.4), Point(3, 0.8)]
    found = aiq({"zero": singles, "router": [*singles, Point(2, 0.8)]})
    assert found["zero"].value == pytest.approx(0.6)
    assert found["router"].value == pytest.approx(0.7)
    assert (found["router"].low, found["router"].high) == (1, 3)


def test_a_curve_without_points_is_named() -> None:
    assert aiq({}) == {}
    with pytest.raises(UsageError, match="'empty'"):
        aiq({"empty": [], "full": [Point(1, 1)]})
