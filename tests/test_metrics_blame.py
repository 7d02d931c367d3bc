"""Whose decision an outcome hangs on, and how often that is who people blame."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.blame import (
    Alternative,
    Attribution,
    Blame,
    Decision,
    agent_accuracy,
    blame,
    step_accuracy,
)

alternatives = st.builds(Alternative, chosen=st.sampled_from("xyz"), success=st.none() | st.booleans())
decisions = st.builds(Decision, agent=st.sampled_from("ab"), alternatives=st.lists(alternatives, max_size=3).map(tuple))
runs = st.lists(decisions, max_size=6)
blames = st.builds(Blame, step=st.integers(0, 3), agent=st.sampled_from("ab"), instead=st.just("x"), untried=st.just(0))
attributions = st.lists(
    st.builds(Attribution, found=st.none() | blames, agent=st.sampled_from("ab"), step=st.integers(0, 3))
)


def decision(agent: str, **ended: bool | None) -> Decision:
    """A decision with its alternatives, by name, and how each ended."""
    return Decision(agent=agent, alternatives=tuple(Alternative(chosen=n, success=s) for n, s in ended.items()))


RUN = [
    decision("planner"), decision("desk", finder=False), decision("desk", finder=None),
    decision("writer", late=True, early=True, never=False), decision("desk", finder=True),
]  # fmt: skip


def test_the_first_decision_that_would_have_saved_the_run_is_to_blame() -> None:
    """Not the later one that would have too; two before it nobody tried to replace, or nobody judged."""
    assert blame(RUN, success=False) == Blame(step=3, agent="writer", instead="early", untried=2)


def test_of_a_run_that_succeeded_the_decision_that_saved_it_is_found() -> None:
    """Made otherwise, it would have failed."""
    assert blame(RUN, success=True) == Blame(step=1, agent="desk", instead="finder", untried=1)


def test_nobody_is_to_blame_where_no_recorded_alternative_flips_the_outcome() -> None:
    """Nothing recorded, nothing scored, nothing better."""
    assert blame([], success=False) is None
    assert blame([decision("a"), decision("b", x=None), decision("c", x=False)], success=False) is None


@given(runs, st.booleans(), st.randoms(use_true_random=False))
def test_blame_falls_on_the_first_and_the_order_of_alternatives_does_not_matter(
    told: list[Decision],
    success: bool,  # noqa: FBT001 - drawn
    chance: random.Random,
) -> None:
    """What stands before it could not flip the outcome, as far as anybody tried."""
    found = blame(told, success=success)
    flips = [any(one.success is (not success) for one in each.alternatives) for each in told]
    assert (found is None) is (not any(flips))
    if found is not None:
        assert found.step == flips.index(True)
        assert found.agent == told[found.step].agent
        before = told[: found.step]
        assert found.untried == sum(all(one.success is None for one in each.alternatives) for each in before)
    other = [
        Decision(agent=each.agent, alternatives=tuple(chance.sample(each.alternatives, len(each.alternatives))))
        for each in told
    ]
    assert blame(other, success=success) == found


@given(runs, st.booleans())
def test_blame_is_blind_to_the_names_of_agents(told: list[Decision], success: bool) -> None:  # noqa: FBT001 - drawn
    """They are only carried along."""
    renamed = {"a": "b", "b": "a"}
    found = blame(told, success=success)
    other = blame([Decision(agent=renamed[one.agent], alternatives=one.alternatives) for one in told], success=success)
    assert (found and (found.step, renamed[found.agent])) == (other and (other.step, other.agent))


def test_accuracies_are_those_computed_by_hand() -> None:
    """Of four labels the agent is right in two, the step in one; to blame nobody is wrong."""
    right = Blame(step=2, agent="a", instead="x", untried=0)
    told = [
        Attribution(found=right, agent="a", step=2), Attribution(found=right, agent="a", step=1),
        Attribution(found=right, agent="b", step=0), Attribution(found=None, agent="a", step=0),
    ]  # fmt: skip
    assert (agent_accuracy(told), step_accuracy(told)) == (0.5, 0.25)


def test_without_labels_accuracy_is_undefined() -> None:
    """Nobody has said who was to blame."""
    assert (agent_accuracy([]), step_accuracy([])) == (None, None)


@given(attributions, st.randoms(use_true_random=False))
def test_accuracies_are_shares_and_order_does_not_matter(told: list[Attribution], chance: random.Random) -> None:
    """Of the same attributions, the same figures."""
    other = list(told)
    chance.shuffle(other)
    for metric in (agent_accuracy, step_accuracy):
        found = metric(told)
        assert found == (None if not told else pytest.approx(metric(other)))
        assert found is None or 0 <= found <= 1
