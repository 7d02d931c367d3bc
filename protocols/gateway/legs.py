"""A run as those see it who talk with it: in legs, each from a request to where the run ends or waits for an answer.

The first leg begins with the run. One that was parked goes on in a new leg, with the answer that took it up. All that a
client is told of a request is read off its leg, so that a restart changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from ...supervisor.views.bill import bill
from ..errors import JournalError
from ..events import Answered, AnswerRefused, Asked, Cancelled, Claimed, Ended, Parked, RunEnded, RunStarted
from ..messages import Answer, JsonReport, Question, Usage, Verdict
from .progress import line_of
from .runs import Seen

Progress = Literal["running", "waiting", "over", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One leg of a run, so far."""

    run: str
    number: int
    """From 1."""
    before: tuple[Seen, ...]
    """The legs before it."""
    seen: tuple[Seen, ...]
    """Its own events; empty only of a later leg that is about to begin."""

    @property
    def after(self) -> int:
        """Seq of the last event before it; 0: there is none."""
        return self.before[-1].seq if self.before else 0

    @property
    def started(self) -> RunStarted:
        """The first event of the run.

        Raises:
            JournalError: it is another.
        """
        first = (self.before or self.seen)[0].event
        if not isinstance(first, RunStarted):
            raise JournalError(f"run {self.run!r} does not begin with run_started but with {first.type}")
        return first

    @property
    def began(self) -> float:
        """Seconds since the epoch."""
        return (*self.seen[:1], *self.before[-1:])[0].at

    @property
    def updated(self) -> float:
        """Seconds since the epoch."""
        return (*self.before[-1:], *self.seen[-1:])[-1].at

    @property
    def progress(self) -> Progress:
        """Where it stands; one that was called off may be taken up again."""
        for one in reversed(self.seen):
            match one.event:
                case Claimed():
                    return "running"
                case Cancelled():
                    return "cancelled"
                case RunEnded():
                    return "over"
                case Parked():
                    return "waiting"
                case _:
                    pass
        return "running"

    @property
    def report(self) -> JsonReport | None:
        """What the run came to; None: it is not over."""
        ends = [one.event.report for one in self.seen[-1:] if isinstance(one.event, RunEnded)]
        return ends[-1] if ends else None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the last supervisor to end, who led all the others; None: it has no reviewer."""
        found = [one.event.verdict for one in self.seen if isinstance(one.event, Ended)]
        return found[-1] if found else None

    @property
    def questions(self) -> tuple[Question, ...]:
        """What was asked up to here and not answered, in the order in which it was asked."""
        asked: dict[str, Question] = {}
        for one in chain(self.before, self.seen):
            match one.event:
                case Asked():
                    asked[one.event.question.id] = one.event.question
                case Answered() | AnswerRefused():
                    asked.pop(one.event.answer.question, None)
                case _:
                    pass
        return tuple(asked.values())

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers that it was taken up with, or that came in its course."""
        return tuple(one.event.answer for one in self.seen if isinstance(one.event, Answered))

    @property
    def lines(self) -> tuple[str, ...]:
        """What happened, for whoever waits."""
        return tuple(line for one in self.seen if (line := line_of(one.event)))

    @property
    def usage(self) -> Usage:
        """What was spent in this leg, by whomever."""
        return bill(one.event for one in self.seen).total


def legs_of(run: str, seen: Sequence[Seen]) -> tuple[Leg, ...]:
    """The legs of a run, in order; at least one."""
    cuts = [0]
    for place in range(1, len(seen)):
        parked = isinstance(seen[place - 1].event, Parked)
        if parked and not isinstance(seen[place].event, Cancelled | RunEnded):
            cuts.append(place)
    return tuple(
        Leg(run=run, number=number, before=tuple(seen[:begin]), seen=tuple(seen[begin:end]))
        for number, (begin, end) in enumerate(zip(cuts, [*cuts[1:], len(seen)], strict=True), start=1)
    )
