"""What came of a replay: how it met its recording, and where it left it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from ...protocols.errors import EchelonError, MissError
from ...protocols.once import once
from ...supervisor.runs import Entry, Outcome
from ..scenario import Scenario
from ..scorecard import Coverage, Divergence, Replayed
from .difference import difference
from .divergence import divergence
from .modes import Mode
from .tape import Place, Tape, is_within
from .world import RecordedWorld

MOST_NAMED = 5
"""Unused recordings that a message names."""


class ReplayError(EchelonError):
    """A replay is not what was recorded; the message shows the first divergence."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What came of a replay; that it missed, or left its recording, is a state and no error."""

    scenario: Scenario
    mode: Mode
    outcome: Outcome | None
    """None: it broke off; `misses` or `error` says why."""
    entries: Sequence[Entry] = field(repr=False)
    """The journal of the replay, in order."""
    misses: tuple[MissError, ...] = ()
    """What was asked for and not recorded; the first one ends the replay, unless a worker hides it."""
    seconds: float = 0.0
    """Of virtual time, waits for people left out."""
    error: str = ""
    """Why it could not be replayed at all; "": it could."""
    world: RecordedWorld = field(repr=False)
    """What was taken from the recording."""

    @once
    def divergence(self) -> Divergence | None:
        """Where it first left its recording; tolerated requests are none."""
        forgiven = [(one.path, one.kind, one.n) for one in self.world.tolerated]
        found = Tape(self.entries)
        return divergence(
            self.scenario.tape, found, forgiven=forgiven, covered=self.world.covered, simplify=self.world.stage.simplify
        )

    @property
    def unused(self) -> tuple[Place, ...]:
        """Path, kind and n of what was recorded and never asked for, in recorded order."""
        return tuple(self.world.unused)

    @once
    def tolerated(self) -> tuple[Divergence, ...]:
        """Requests that were answered though they were not the recorded ones, and how they differ."""
        return tuple(self._tolerated())

    def _tolerated(self) -> Iterator[Divergence]:
        for one in self.world.tolerated:
            first = difference(one.recorded, one.asked)
            if first is not None:
                expected, found = first.shown()
                yield Divergence(
                    step=one.path, what="request", field=first.at, expected=expected, found=found, diff=first.diff
                )

    @once
    def replayed(self) -> Replayed:
        """How it met its recording, as scorecards hold it."""
        return Replayed(
            matched=self.world.matched,
            tolerated=len(self.world.tolerated),
            missed=len(self.misses),
            unused=len(self.unused),
            divergence=self.divergence,
        )

    @once
    def coverage(self) -> Coverage:
        """On what its handoffs stand: assumed are those in or above whose work a request was only tolerated."""
        loose = {one.path for one in self.world.tolerated}
        assumed = sum(how == "assumed" or _is_loose(place, loose) for place, how in self.world.handoffs.items())
        return Coverage(
            exact=len(self.world.handoffs) - assumed, assumed=assumed, unevaluable=int(bool(self.misses or self.error))
        )

    @property
    def faithful(self) -> bool:
        """Whether it is what was recorded, tolerated requests aside."""
        return not (self.misses or self.error or self.divergence is not None or self.unused)

    def check(self) -> Self:
        """Itself, if it is what was recorded; tolerated requests aside.

        Raises:
            MissError: it asked for something that was not recorded.
            ReplayError: it left its recording, or could not be replayed; shows where.
        """
        if self.misses:
            raise self.misses[0].with_traceback(None) from None
        if not self.faithful:
            raise ReplayError(self.told)
        return self

    @property
    def told(self) -> str:
        """What there is to say of it, in a few lines."""
        counts = self.replayed
        lines = [
            f"scenario {self.scenario.id!r}, {self.mode.name}: {counts.matched} matched, {counts.tolerated} tolerated, "
            f"{counts.missed} missed, {counts.unused} unused"
        ]
        lines += [self.error] if self.error else []
        told = self.divergence.step if self.divergence is not None and self.divergence.what == "request" else None
        lines += [str(miss) for miss in self.misses if miss.path != told]
        if self.divergence is not None:
            lines += _shown(self.divergence)
        if self.unused:
            names = [f"{path or '/'} {kind} {n}" for path, kind, n in self.unused]
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            lines.append(f"recorded and never asked for: {', '.join(names[:MOST_NAMED])}{more}")
        return "\n".join(lines)


def _is_loose(place: str, loose: Iterable[str]) -> bool:
    """Whether one of these requests was made in the work at a place, or by a planner above it."""
    for path in loose:
        above, _, last = path.rpartition("/")
        if is_within(path, place) or (last.startswith("plan#") and is_within(place, above)):
            return True
    return False


def _shown(found: Divergence) -> Iterator[str]:
    yield f"first divergence: {found.what} at {found.step or '/'}{f', {found.field}' if found.field else ''}"
    yield f"  expected  {found.expected or 'nothing'}"
    yield f"  found     {found.found or 'nothing'}"
    yield from (f"  {line}" for line in found.diff.splitlines())
