"""Rules over handoffs: the first that has something to say decides."""

from __future__ import annotations

from typing import Any

import pytest

from echelon.protocols.contracts import Card
from echelon.protocols.messages import Handoff
from echelon.supervisor.policy import ALLOW, Policy, Rule, Ruling, ask, deny

from .builders import card

HANDOFF: Handoff[int] = Handoff(to="w", payload=7, labels=frozenset({"web"}))


def saying(ruling: Ruling | None) -> Rule:
    """Make a rule that always says the same."""

    def rule(handoff: Handoff[Any], card: Card[Any, Any]) -> Ruling | None:
        return ruling

    return rule


def test_what_no_rule_speaks_of_is_allowed() -> None:
    """A policy says what may not be."""
    assert Policy().rule(HANDOFF, card("w")) is ALLOW
    assert Policy((saying(None), saying(None))).rule(HANDOFF, card("w")) is ALLOW


@pytest.mark.parametrize("first", [ALLOW, deny("too much"), ask("eva", "a lot")])
def test_the_first_that_has_something_to_say_decides(first: Ruling) -> None:
    """The order is the author's."""
    assert Policy((saying(None), saying(first), saying(deny("never asked")))).rule(HANDOFF, card("w")) == first


def test_a_rule_sees_the_handoff_and_the_card() -> None:
    """Labels, payload, and whether the worker writes."""

    def no_web_writes(handoff: Handoff[Any], card: Card[Any, Any]) -> Ruling | None:
        return deny(f"{card.name} writes") if card.writes and "web" in handoff.labels else None

    policy = Policy((no_web_writes,), version="2026-01")
    assert policy.rule(HANDOFF, card("w")) is ALLOW
    assert policy.rule(HANDOFF, card("w", writes=True)) == Ruling("deny", "w writes")
    assert policy.version == "2026-01"


def test_who_is_asked_is_part_of_the_ruling() -> None:
    """By name, with the reason."""
    assert ask("eva", "a lot") == Ruling("ask", "a lot", "eva")
