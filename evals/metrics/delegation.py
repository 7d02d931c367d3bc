"""Whether work was given away that should have stayed, kept that should have gone, or sent round in circles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .means import mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """Whether one piece of work was delegated, beside whether it should have been."""

    delegated: bool
    should_delegate: bool | None
    """None: nobody has judged; it counts nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How deep a run went, beside how deep it should have gone at most; 1 is a worker of the root."""

    reached: int
    enough: int | None
    """None: nobody has judged; it counts nowhere."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One handoff: to whom, and the digest of what."""

    to: str
    payload: str


def unnecessary_delegation_rate(delegations: Iterable[Delegation]) -> float | None:
    """Tell how often work was delegated that should not have been.

    #(delegated and should not) / #(should not), in [0, 1]; None: none should have stayed.

    Source: relevance detection in BFCL (Patil et al. 2025, Berkeley Function Calling Leaderboard, ICML 2025).

    Example:
        >>> stay = [Delegation(delegated=said, should_delegate=False) for said in (True, False)]
        >>> unnecessary_delegation_rate(stay), missed_delegation_rate(stay)
        (0.5, None)
    """
    return mean(one.delegated for one in delegations if one.should_delegate is False)


def missed_delegation_rate(delegations: Iterable[Delegation]) -> float | None:
    """Tell how often work was kept that should have been delegated.

    #(not delegated and should) / #(should), in [0, 1]; None: none should have gone.
    """
    return mean(not one.delegated for one in delegations if one.should_delegate is True)


def over_depth_rate(depths: Iterable[Depth]) -> float | None:
    """Tell how many runs went deeper than was enough: #(reached > enough) / #(judged), in [0, 1]; ours.

    None: nobody has judged any.

    Example:
        >>> over_depth_rate([Depth(reached=3, enough=2), Depth(reached=2, enough=2), Depth(reached=9, enough=None)])
        0.5
    """
    return mean(one.reached > one.enough for one in depths if one.enough is not None)


def redundant_handoff_rate(runs: Iterable[Sequence[Sent]]) -> float | None:
    """Tell how many handoffs gave a worker what it had already been given in the same run.

    #(repeats of (to, payload)) / #(handoffs), over all runs together, in [0, 1); the first of its kind is no repeat.
    A retry is a repeat: who does not mean those leaves out the handoffs that failed. None: there are no handoffs.

    Source: ours; the progress ledger of Magentic-One asks a model for it (Fourney et al. 2024, arXiv:2411.04468).

    Example:
        >>> redundant_handoff_rate([[Sent("a", "1"), Sent("a", "1"), Sent("b", "1"), Sent("a", "2")], [Sent("a", "1")]])
        0.2
    """
    told = list(runs)
    handoffs = sum(map(len, told))
    return (handoffs - sum(len(set(run)) for run in told)) / handoffs if handoffs else None


def has_ping_pong(run: Sequence[Sent]) -> bool:
    """Whether work went from one worker to another and straight back: handoffs to A, B and A in a row.

    Payloads are not compared, since each answer changes the next question: a plan that needs the first worker twice
    has it too.

    Example:
        >>> has_ping_pong([Sent("a", "1"), Sent("b", "2"), Sent("a", "3")]), has_ping_pong([Sent("a", "1")] * 3)
        (True, False)
    """
    return any(one.to == three.to != two.to for one, two, three in zip(run, run[1:], run[2:], strict=False))


def ping_pong_rate(runs: Iterable[Sequence[Sent]]) -> float | None:
    """Tell how many runs have a ping-pong, in [0, 1]; None: there are no runs."""
    return mean(map(has_ping_pong, runs))
