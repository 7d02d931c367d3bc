"""The plan as a graph: orders, circles and descendants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.errors import UsageError
from echelon.supervisor.plans.graph import cycles, descendants, order

from .teams import (
    TEXT,
    plan_of,
    ref,
    step,
)


def test_a_plan_that_goes_round_in_circles_cannot_be_ordered() -> None:
    """It was never checked."""
    with pytest.raises(UsageError, match="circles"):
        order(plan_of([step("a", "echo", ref("a"))]))


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdefx"))))
def test_a_named_cycle_is_one(needs: dict[str, set[str]]) -> None:
    """Each step of it is needed by the next, no step is in two, and there is none only where all can be ordered."""
    inner = {name: sorted(sources & needs.keys()) for name, sources in needs.items()}
    rings = cycles(inner)
    for ring in rings:
        assert all(one in inner[other] for one, other in zip(ring, (*ring[1:], ring[0]), strict=True))
    assert len({name for ring in rings for name in ring}) == sum(map(len, rings))
    plan = plan_of([step(name, "echo", {}, after=sources) for name, sources in inner.items()])
    if not rings:
        assert len(order(plan)) == len(inner)
    else:
        with pytest.raises(UsageError):
            order(plan)


def test_descendants_are_those_who_wait_by_whatever_way() -> None:
    """By data, `after`, `when` and `for_each`; oneself only if one depends on another of those asked for."""
    plan = plan_of(
        [
            step("a", "count", TEXT),
            step("b", "echo", {"x": [ref("a")]}),
            step("c", "echo", {}, after=["b"]),
            step("d", "echo", {}, when={"ref": ref("c"), "op": "exists"}),
            step("e", "echo", ref("item"), for_each=ref("d")),
            step("f", "echo", TEXT),
        ]
    )
    assert descendants(plan, ["a"]) == {"b", "c", "d", "e"}
    assert descendants(plan, ["c", "d"]) == {"d", "e"}
    assert descendants(plan, ["f", "nobody"]) == frozenset()
    assert order(plan) == ("a", "b", "c", "d", "e", "f")
