"""What the framework adds to a run: text in prompts, and model calls of planners and reviewers.

Whoever writes a prompt says how many of its characters the framework wrote (`Head.framework`,
`UserMessage.framework`). Every call sends its head and its conversation so far again, and is counted so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...protocols.events import EffectStarted, Event
from ...protocols.messages import Json
from .bill import fields
from .staff import post_at, posts

CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for English text, in which a character is a byte; the provider's own count is not known per part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Text that the framework wrote into prompts, against all that was sent, and who called models."""

    calls: int = 0
    """Model calls, each with all its tries counted once."""
    characters: int = 0
    """Characters of instructions and messages that the framework wrote, as often as they were sent."""
    sent: int = 0
    """Characters of instructions and messages that were sent in all."""
    planner_calls: int = 0
    reviewer_calls: int = 0
    worker_calls: int = 0

    @property
    def tokens(self) -> int:
        """Roughly how many tokens `characters` are: a fourth, rounded up.

        Example:
            >>> Overhead(characters=9).tokens
            3
        """
        return -(-self.characters // CHARACTERS_PER_TOKEN)

    @property
    def share(self) -> float:
        """The framework's share of all characters sent, in [0, 1]; 0 if nothing was sent."""
        return self.characters / self.sent if self.sent else 0.0


def framework_text(events: Iterable[Event]) -> Overhead:
    """Count the framework's text and the model calls of a run; a call done again after a crash counts again."""
    told = list(events)
    whose = posts(told)
    heads: dict[str, tuple[int, int]] = {}
    talks: dict[str, list[tuple[int, int]]] = {}
    ours = sent = 0
    calls = {"planner": 0, "reviewer": 0, "worker": 0}
    for event in told:
        if not isinstance(event, EffectStarted) or event.kind != "model":
            continue
        request = fields(event.request)
        calls[post_at(whose, event.path).role] += 1
        digest = str(request.get("head_digest", ""))
        if "head" in request:
            heads[digest] = _measured(request["head"], "instructions")
        talk = talks.get(event.path, [])[: request.get("first", 0)]
        talks[event.path] = talk = [*talk, *(_measured(message, "text") for message in request.get("messages", ()))]
        for wrote, length in (heads.get(digest, (0, 0)), *talk):
            ours, sent = ours + wrote, sent + length
    return Overhead(
        calls=sum(calls.values()), characters=ours, sent=sent,
        planner_calls=calls["planner"], reviewer_calls=calls["reviewer"], worker_calls=calls["worker"],
    )  # fmt: skip


def _measured(part: Json, field: str) -> tuple[int, int]:
    """Characters that the framework wrote, and all, of a head or a message."""
    length = len(part.get(field, ""))
    return min(int(part.get("framework", 0)), length), length
