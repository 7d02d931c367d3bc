"""Whether a reviewer lets pass what should pass and stops what should not, and what a caught error costs.

A review accepts, or it does not: to ask for a revision, to reject and to escalate all keep the draft from being
delivered as it is. A reviewer that abstains, or whose answer cannot be read, has given no verdict: such reviews are
counted (`tally`) and paid for, and stand in no rate. Of a rate against labels, drafts that nobody has judged are no
part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from .foreign import cohen_kappa
from .means import mean

Verdict = Literal["accept", "revise", "reject", "escalate", "abstain", "unparseable"]
"""What a reviewer said; a closed set, of which the last two are no verdict on the draft."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One look at one draft, beside whether it should have passed."""

    verdict: Verdict
    should_accept: bool | None
    """None: nobody has judged."""
    usd: float = 0.0
    """What the look cost, >= 0."""

    @property
    def decided(self) -> bool:
        """Whether there is a verdict on the draft."""
        return self.verdict not in ("abstain", "unparseable")

    @property
    def accepted(self) -> bool:
        """Whether the draft passes."""
        return self.verdict == "accept"


def tally(reviews: Iterable[Review]) -> dict[Verdict, int]:
    """How often each verdict was given; all six are there, in the order of `VERDICTS`.

    Example:
        >>> tally([Review(verdict="abstain", should_accept=True)])["abstain"]
        1
    """
    said = [review.verdict for review in reviews]
    return {verdict: said.count(verdict) for verdict in VERDICTS}


def accept_rate(reviews: Iterable[Review]) -> float | None:
    """Tell how many drafts pass: #(accept) / #(verdicts), in [0, 1], labelled or not; None: there are no verdicts."""
    return mean(review.accepted for review in reviews if review.decided)


def false_accept_rate(reviews: Iterable[Review]) -> float | None:
    """Tell how many bad drafts pass: #(accept and should not) / #(verdicts where it should not).

    In [0, 1]; None: there are no verdicts on bad drafts.

    Example:
        >>> bad = [Review(verdict=said, should_accept=False) for said in ("accept", "revise", "abstain")]
        >>> false_accept_rate(bad), false_reject_rate(bad)
        (0.5, None)
    """
    return mean(review.accepted for review in _labelled(reviews) if not review.should_accept)


def false_reject_rate(reviews: Iterable[Review]) -> float | None:
    """Tell how many good drafts do not pass: #(not accept and should) / #(verdicts where it should).

    In [0, 1]; None: there are no verdicts on good drafts.
    """
    return mean(not review.accepted for review in _labelled(reviews) if review.should_accept)


def kappa(reviews: Iterable[Review]) -> float | None:
    """Agreement of verdicts and labels beyond what their shares would give by chance: Cohen's kappa.

    (p_o - p_e) / (1 - p_e), in [-1, 1]; 1 is agreement, 0 chance. None: undefined, since there are no labelled
    verdicts, or verdicts and labels are one and the same for all of them.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Source: Cohen 1960, A coefficient of agreement for nominal scales, doi:10.1177/001316446002000104.

    Example:
        >>> kappa([Review(verdict="accept", should_accept=True), Review(verdict="reject", should_accept=False)])
        1.0
    """
    told = list(_labelled(reviews))
    return cohen_kappa([review.accepted for review in told], [review.should_accept is True for review in told])


def cost_per_caught_error(reviews: Sequence[Review]) -> float | None:
    """What it costs to keep one bad draft from passing, in USD.

    The cost of all reviews of labelled drafts, those without a verdict too, by #(not accept and should not).
    Infinity: there were bad drafts and none was caught. None: no labelled draft was bad, so there was nothing to catch.

    Source: ours.

    Example:
        >>> good, bad = Review(verdict="accept", should_accept=True, usd=1.0), Review(
        ...     verdict="reject", should_accept=False, usd=2.0
        ... )
        >>> cost_per_caught_error([good, bad]), cost_per_caught_error([good])
        (3.0, None)
    """
    paid = [review for review in reviews if review.should_accept is not None]
    bad = [review for review in paid if not review.should_accept]
    caught = sum(review.decided and not review.accepted for review in bad)
    if not bad:
        return None
    return math.fsum(review.usd for review in paid) / caught if caught else math.inf


def _labelled(reviews: Iterable[Review]) -> Iterator[Review]:
    """The verdicts on drafts that somebody has judged."""
    return (review for review in reviews if review.decided and review.should_accept is not None)
