"""What was said before a response: the chain of responses that it goes on from, read off the journal."""

from __future__ import annotations

from ...messages import Answer
from ..conversation import Said, as_text, recalled
from ..legs import Leg
from ..runs import Runs
from .endings import ending_of
from .following import Place, leg_of
from .response_object import notes_of, place_in, previous_of

MOST_RESPONSES = 50
"""That are gone back; what was said earlier is left out."""


async def said_before(runs: Runs, leg: Leg | None) -> tuple[Said, ...]:
    """What was said up to the end of a leg, the oldest turn first; None: nothing."""
    turns: list[Said] = []
    for _ in range(MOST_RESPONSES):
        if leg is None:
            break
        turns[:0] = said_in(leg)
        leg = await leg_before(runs, leg)
    return tuple(turns)


async def leg_before(runs: Runs, leg: Leg) -> Leg | None:
    """The leg that a leg goes on from; None: it is the first."""
    place = place_in(previous_of(leg) or "")
    return None if place is None else await leg_of(runs, Place(run=place[0], number=place[1]))


def said_in(leg: Leg) -> list[Said]:
    """What the client said, and what it was told."""
    if leg.number > 1:
        asked = [Said(role="user", text=_answer(answer)) for answer in leg.answers]
    else:
        asked = list(notes_of(leg).input or recalled([leg.started]))
    ending = ending_of(leg)
    told = ending is not None and ending.error is None and ending.outcome != "cancelled"
    return [*asked, Said(role="assistant", text=ending.text)] if ending is not None and told else asked


def _answer(answer: Answer) -> str:
    """An answer in words."""
    if answer.value is not None:
        return as_text(answer.value)
    said = "yes" if answer.approved else "no"
    return f"{said}: {answer.note}" if answer.note else said
