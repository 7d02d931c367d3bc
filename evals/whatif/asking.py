"""How a recorded run is asked: a replay in which reports are looked up, code works again, and what was drawn stands.

1. What was recorded, or tried as an arm, of the very same work by the worker as it is now is exact.
2. Otherwise a worker that was seen in this run to touch nothing, no model, no tool, no person, works again: it is code.
   So does one that was given the very same and was still waiting when the recording ended: it will wait again.
3. Otherwise a report or an arm of the same step, worker and model on another payload stands for it, and is marked as
   assumed.
4. Otherwise the run cannot be evaluated.
5. A router that explores is told what was drawn when the run was recorded, whatever it would draw now: how likely it
   would have been is for the statistics (`targets.py`).
"""

from __future__ import annotations

from typing import ClassVar

from ...protocols.errors import MissError
from ...protocols.events import Delegated
from ...protocols.messages import Json, Waiting
from ...supervisor.views.staff import place_of
from .. import scorecard
from ..replay.reroute import Exchangeable, Reroute
from ..replay.stage import Post, Stage, Told
from ..replay.tape import is_within


class Asking:
    """A mode of replays; one for each, since it takes note of what it was asked."""

    name: ClassVar[scorecard.Mode] = "reroute"

    def __init__(self, remodelled: frozenset[str] = frozenset()) -> None:
        """Begin.

        Args:
            remodelled: members, by path of names, of which nothing but the model is changed.
        """
        self._exact = Reroute(remodelled=remodelled)
        self._assumed = Reroute(beyond=Exchangeable(), remodelled=remodelled)
        self.tried: set[str] = set()
        """Places whose work is known from an arm, whatever was drawn in this run."""

    def tolerates(self, kind: str, recorded: Json, asked: Json) -> bool:
        """Only that a router would draw otherwise."""
        return kind == "route"

    def told(self, stage: Stage, path: str, handoff: Delegated) -> Told | None:
        """What came, or would have come, of this work.

        Raises:
            MissError: nothing is known of it.
        """
        post = stage.enter(path, handoff)
        if post is None:
            return None
        if next(self._exact.arms(stage, path, handoff, post), None) is not None:
            self.tried.add(path)
        try:
            return self._exact.told(stage, path, handoff)
        except MissError:
            if _is_waiting(stage, path, handoff, post) or _is_code(stage, handoff, post):
                return None
            return self._assumed.told(stage, path, handoff)


def _is_waiting(stage: Stage, path: str, handoff: Delegated, post: Post) -> bool:
    """Whether this very work had not come to its end when the recording did."""
    return any(
        isinstance(one.report, Waiting) and stage.is_same_work(one, handoff) and stage.is_same_worker(one, post)
        for one in stage.recorded_at(path)
    )


def _is_code(stage: Stage, handoff: Delegated, post: Post) -> bool:
    """Whether this worker, as it is now, worked in this run, and touched nothing."""
    if post.worker.card.writes:
        return False
    tape = stage.tape
    same = [one for one in tape.handoffs.values() if one.handoff.worker == handoff.worker]
    worked = [place_of(one.handoff) for one in same if one.report is not None and stage.is_same_worker(one, post)]
    touched = [path for path, _, _ in tape.effects] + [question.path for question in tape.questions.values()]
    return bool(worked) and not any(is_within(path, place) for place in worked for path in touched)
