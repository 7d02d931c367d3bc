"""Whose decision a failure hangs on: the first one that, made otherwise, would have saved the run.

Only what was recorded counts: an alternative that nobody tried says nothing. So blame can fall too late, on a decision
after the one that nobody tried to replace, and it says how many of those stand before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .means import mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What else could have been chosen, and how the run ended where it was."""

    chosen: str
    success: bool | None
    """None: unscored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision of a run, with the alternatives to it that were recorded."""

    agent: str
    """Who is to blame if it was wrong."""
    alternatives: tuple[Alternative, ...] = ()
    """In any order; without what was chosen in the run itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """The decision that an outcome hangs on."""

    step: int
    """Index of the decision, from 0."""
    agent: str
    instead: str
    """What would have flipped the outcome; of several the first by name."""
    untried: int
    """Decisions before it without any scored alternative; 0: it is certainly the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """A blame beside what somebody found by reading the run."""

    found: Blame | None
    """None: no decision was blamed, which is wrong wherever there is a label."""
    agent: str
    step: int


def blame(decisions: Sequence[Decision], *, success: bool) -> Blame | None:
    """The first decision whose replacement by a recorded alternative flips the outcome; None: there is none.

    Args:
        decisions: of the run, in the order in which they were made.
        success: how the run ended; of one that succeeded, the decision that saved it is found.

    Source: the decisive error of Zhang et al. 2025, Which Agent Causes Task Failures and When?, arXiv:2505.00212,
    with recorded alternatives in place of imagined corrections.

    Example:
        >>> good = Alternative(chosen="finder", success=True)
        >>> blame([Decision(agent="desk"), Decision(agent="desk", alternatives=(good,))], success=False)
        Blame(step=1, agent='desk', instead='finder', untried=1)
    """
    untried = 0
    for step, decision in enumerate(decisions):
        scored = [one for one in decision.alternatives if one.success is not None]
        if flips := sorted(one.chosen for one in scored if one.success is not success):
            return Blame(step=step, agent=decision.agent, instead=flips[0], untried=untried)
        untried += not scored
    return None


def agent_accuracy(attributions: Iterable[Attribution]) -> float | None:
    """Tell how often the right agent was blamed, at whatever step, in [0, 1]; None: there are no labels.

    Source: Zhang et al. 2025, section 4; their best method reaches 0.535 on Who&When.

    Example:
        >>> right = Blame(step=3, agent="a", instead="b", untried=0)
        >>> told = [Attribution(found=right, agent="a", step=2), Attribution(found=None, agent="a", step=2)]
        >>> agent_accuracy(told), step_accuracy(told)
        (0.5, 0.0)
    """
    return mean(one.found is not None and one.found.agent == one.agent for one in attributions)


def step_accuracy(attributions: Iterable[Attribution]) -> float | None:
    """Tell how often exactly the right decision was blamed, in [0, 1]; None: there are no labels.

    Source: Zhang et al. 2025, section 4; their best method reaches 0.142 on Who&When.
    """
    return mean(one.found is not None and one.found.step == one.step for one in attributions)
