"""Versioned rules over handoffs, before they are made: allow, deny, or ask a person; each with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..protocols.contracts import Card
from ..protocols.messages import Handoff


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule says about one handoff."""

    verdict: Literal["allow", "deny", "ask"]
    reason: str = ""
    of: str = ""
    """Who is asked, for `ask`."""


ALLOW = Ruling("allow")


def deny(reason: str) -> Ruling:
    """The handoff is not made."""
    return Ruling("deny", reason)


def ask(of: str, reason: str) -> Ruling:
    """The handoff is made once this person has approved exactly its payload."""
    return Ruling("ask", reason, of)


Rule = Callable[[Handoff, Card], Ruling | None]
"""Looks at a handoff and the card of the worker it is for; None: has nothing to say. It must be pure."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in order; the first that has something to say decides; where none has, the handoff is allowed."""

    rules: tuple[Rule, ...] = ()
    version: str = "1"

    def rule(self, handoff: Handoff, card: Card) -> Ruling:
        """The ruling on one handoff.

        Example:
            >>> Policy().rule(Handoff(to="poster", payload=None), card=None).verdict
            'allow'
        """
        for rule in self.rules:
            if (ruling := rule(handoff, card)) is not None:
                return ruling
        return ALLOW
