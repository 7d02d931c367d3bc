"""Whether a reviewer lets pass what should pass; who gives no verdict is counted apart."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.reviewer import (
    VERDICTS,
    Review,
    Verdict,
    accept_rate,
    cost_per_caught_error,
    false_accept_rate,
    false_reject_rate,
    kappa,
    tally,
)

reviews = st.lists(
    st.builds(
        Review,
        verdict=st.sampled_from(VERDICTS),
        should_accept=st.none() | st.booleans(),
        usd=st.integers(0, 9).map(float),
    ),
    max_size=30,
)


def review(verdict: Verdict, *, should: bool | None, usd: float = 1.0) -> Review:
    """One review for a dollar."""
    return Review(verdict=verdict, should_accept=should, usd=usd)


HAND = [
    *[review("accept", should=True)] * 4, review("revise", should=True), review("escalate", should=True),
    review("accept", should=False), review("revise", should=False), review("reject", should=False),
    review("abstain", should=False), review("unparseable", should=True), review("accept", should=None),
]  # fmt: skip


def test_rates_are_those_computed_by_hand() -> None:
    """Six verdicts on good drafts, four of them accept; three on bad ones, one accept; one on a draft not judged."""
    assert accept_rate(HAND) == 6 / 10
    assert false_accept_rate(HAND) == pytest.approx(1 / 3)
    assert false_reject_rate(HAND) == pytest.approx(2 / 6)
    agreed, chance = 6 / 9, 5 / 9 * 6 / 9 + 4 / 9 * 3 / 9
    assert kappa(HAND) == pytest.approx((agreed - chance) / (1 - chance))
    assert cost_per_caught_error(HAND) == 11 / 2  # eleven reviews of labelled drafts were paid for, two errors caught


def test_all_six_verdicts_are_counted() -> None:
    """Those that are none on the draft too."""
    assert tally(HAND) == {"accept": 6, "revise": 2, "reject": 1, "escalate": 1, "abstain": 1, "unparseable": 1}
    assert tally([]) == dict.fromkeys(VERDICTS, 0)


def test_who_gives_no_verdict_is_in_no_rate_and_is_paid() -> None:
    """To abstain on a bad draft neither lets it pass nor catches it."""
    silent = [review("abstain", should=False), review("unparseable", should=True)]
    assert [rate(silent) for rate in (accept_rate, false_accept_rate, false_reject_rate, kappa)] == [None] * 4
    assert cost_per_caught_error(silent) == math.inf
    assert cost_per_caught_error([*silent, review("reject", should=False)]) == 3.0


def test_without_a_denominator_a_rate_is_undefined() -> None:
    """No bad drafts, no good drafts, no verdicts, and agreement where there is nothing to disagree about."""
    good, bad = [review("accept", should=True)], [review("revise", should=False)]
    assert (false_accept_rate(good), cost_per_caught_error(good), kappa(good)) == (None, None, None)
    assert (false_reject_rate(bad), kappa(bad)) == (None, None)
    assert (accept_rate([]), kappa([]), cost_per_caught_error([])) == (None, None, None)


def test_who_accepts_everything_agrees_no_more_than_chance() -> None:
    """Though it is right in nine of ten."""
    assert kappa([*[review("accept", should=True)] * 9, review("accept", should=False)]) == 0


@given(reviews, st.randoms(use_true_random=False))
def test_figures_are_bounded_and_order_does_not_matter(told: list[Review], chance: random.Random) -> None:
    """Shares in [0, 1], kappa in [-1, 1], money not negative."""
    other = list(told)
    chance.shuffle(other)
    assert tally(other) == tally(told)
    for rate, least, most in (
        (accept_rate, 0, 1), (false_accept_rate, 0, 1), (false_reject_rate, 0, 1), (kappa, -1, 1),
        (cost_per_caught_error, 0, math.inf),
    ):  # fmt: skip
        found = rate(told)
        assert found == rate(other)
        assert found is None or least <= found <= most


@given(reviews)
def test_kappa_agrees_with_its_definition(told: list[Review]) -> None:
    """Observed agreement, beyond that expected from the shares of either side."""
    pairs = [
        (one.verdict == "accept", one.should_accept)
        for one in told
        if one.should_accept is not None and one.verdict not in ("abstain", "unparseable")
    ]
    if not pairs:
        assert kappa(told) is None
        return
    agreed = sum(said == label for said, label in pairs) / len(pairs)
    yes, should = (sum(bool(pair[side]) for pair in pairs) / len(pairs) for side in (0, 1))
    chance = yes * should + (1 - yes) * (1 - should)
    assert kappa(told) == (None if chance == 1 else pytest.approx((agreed - chance) / (1 - chance)))


@given(reviews)
def test_one_kind_of_refusal_is_as_good_as_another(told: list[Review]) -> None:
    """A revision, a rejection and an escalation all keep the draft from being delivered as it is."""
    renamed: dict[Verdict, Verdict] = {"revise": "reject", "reject": "escalate", "escalate": "revise"}
    other = [
        Review(verdict=renamed.get(one.verdict, one.verdict), should_accept=one.should_accept, usd=one.usd)
        for one in told
    ]
    for rate in (accept_rate, false_accept_rate, false_reject_rate, kappa, cost_per_caught_error):
        assert rate(other) == rate(told)
