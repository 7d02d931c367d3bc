"""Whether work was given away that should have stayed, kept that should have gone, or sent in circles."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.delegation import (
    Delegation,
    Depth,
    Sent,
    has_ping_pong,
    missed_delegation_rate,
    over_depth_rate,
    ping_pong_rate,
    redundant_handoff_rate,
    unnecessary_delegation_rate,
)

delegations = st.lists(st.builds(Delegation, delegated=st.booleans(), should_delegate=st.none() | st.booleans()))
runs = st.lists(st.lists(st.builds(Sent, st.sampled_from("abc"), st.sampled_from("12")), max_size=8), max_size=6)


def path(names: str) -> list[Sent]:
    """Handoffs to workers of one letter, each with another payload."""
    return [Sent(name, str(i)) for i, name in enumerate(names)]


def test_rates_are_those_computed_by_hand() -> None:
    """Two of three that should have stayed went; one of two that should have gone stayed; one nobody has judged."""
    told = [
        *[Delegation(delegated=went, should_delegate=False) for went in (True, True, False)],
        *[Delegation(delegated=went, should_delegate=True) for went in (True, False)],
        Delegation(delegated=True, should_delegate=None),
    ]
    assert unnecessary_delegation_rate(told) == pytest.approx(2 / 3)
    assert missed_delegation_rate(told) == 1 / 2
    assert over_depth_rate([Depth(reached=2, enough=1), Depth(reached=1, enough=1), Depth(reached=0, enough=1)]) == (
        pytest.approx(1 / 3)
    )


def test_without_a_denominator_a_rate_is_undefined() -> None:
    """Nobody has judged, nothing was handed over, there is no run."""
    unjudged = [Delegation(delegated=True, should_delegate=None)]
    assert unnecessary_delegation_rate(unjudged) is None
    assert missed_delegation_rate(unjudged) is None
    assert over_depth_rate([Depth(reached=3, enough=None)]) is None
    assert redundant_handoff_rate([[], []]) is None
    assert ping_pong_rate([]) is None


@given(delegations)
def test_each_rate_is_the_other_one_of_the_opposite(told: list[Delegation]) -> None:
    """Both are shares of the work that somebody has judged, on either side of the same line."""
    opposite = [
        Delegation(
            delegated=not one.delegated,
            should_delegate=None if one.should_delegate is None else not one.should_delegate,
        )
        for one in told
    ]
    assert unnecessary_delegation_rate(told) == missed_delegation_rate(opposite)
    assert missed_delegation_rate(told) == unnecessary_delegation_rate(opposite)


@given(delegations, st.randoms(use_true_random=False))
def test_rates_are_shares_and_order_does_not_matter(told: list[Delegation], chance: random.Random) -> None:
    """Of delegations; of handoffs it does, within a run."""
    other = list(told)
    chance.shuffle(other)
    for rate in (unnecessary_delegation_rate, missed_delegation_rate):
        found = rate(told)
        assert found == rate(other)
        assert found is None or 0 <= found <= 1


def test_the_same_payload_to_the_same_worker_is_redundant_from_the_second_time() -> None:
    """Another payload, another worker or another run is not."""
    assert redundant_handoff_rate([[Sent("a", "1")] * 3]) == pytest.approx(2 / 3)
    assert redundant_handoff_rate([[Sent("a", "1"), Sent("a", "2"), Sent("b", "1")], [Sent("a", "1")]]) == 0


@given(runs, st.permutations("abc"))
def test_redundancy_and_loops_are_shares_blind_to_names(told: list[list[Sent]], names: list[str]) -> None:
    """The last handoff of its kind is never a repeat of itself, so not all can be redundant."""
    renamed = dict(zip("abc", names, strict=True))
    other = [[Sent(renamed[one.to], one.payload) for one in run] for run in told]
    redundant, loops = redundant_handoff_rate(told), ping_pong_rate(told)
    assert (redundant_handoff_rate(other[::-1]), ping_pong_rate(other[::-1])) == (redundant, loops)
    assert redundant is None or 0 <= redundant < 1
    assert loops is None or 0 <= loops <= 1


@pytest.mark.parametrize(
    ("names", "looped"),
    [("", False), ("ab", False), ("aba", True), ("aaa", False), ("abca", False), ("cabab", True), ("aabbaa", False)],
)
def test_a_ping_pong_is_there_and_straight_back(names: str, looped: bool) -> None:  # noqa: FBT001 - what is expected
    """A and B and A; a longer way round is another thing, and so is staying."""
    assert has_ping_pong(path(names)) is looped


def test_the_loop_rate_counts_runs_and_not_loops() -> None:
    """One run of three goes to and fro, several times."""
    assert ping_pong_rate([path("ababab"), path("abc"), []]) == pytest.approx(1 / 3)
