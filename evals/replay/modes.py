"""How near a replay must stay to its recording: values, one for each answer to "may this stand for that?"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from ...protocols.events import Delegated
from ...protocols.messages import Json
from ...supervisor.views.bill import fields
from .. import scorecard
from .request import tools_of
from .simplify import named
from .stage import Stage, Told


class Mode(Protocol):
    """What a replay may take from its recording."""

    name: ClassVar[scorecard.Mode]
    """As scorecards call it."""

    def tolerates(self, kind: str, recorded: Json, asked: Json) -> bool:
        """Whether the answer to one whole request may be given to another of the same kind at the same place."""
        ...

    def told(self, stage: Stage, path: str, handoff: Delegated) -> Told | None:
        """What came of this handoff, where the mode knows; None: the worker is to work.

        Raises:
            MissError: the worker must not work, and nothing that may stand for this handoff was recorded.
        """
        ...


@dataclass(frozen=True, slots=True)
class Strict:
    """Every request must be the recorded one, volatile fields and redactions left aside."""

    name: ClassVar[scorecard.Mode] = "strict"

    def tolerates(self, kind: str, recorded: Json, asked: Json) -> bool:
        """Never."""
        return False

    def told(self, stage: Stage, path: str, handoff: Delegated) -> None:
        """Everybody works."""


@dataclass(frozen=True, slots=True)
class Structural:
    """Requests may be worded otherwise: same place, worker, model, tools and shape of the output.

    Args:
        fields: names of fields that must be equal wherever they stand in a request, in JSON inside texts too.
    """

    fields: tuple[str, ...] = ()
    name: ClassVar[scorecard.Mode] = "structural"

    def tolerates(self, kind: str, recorded: Json, asked: Json) -> bool:
        """Whether only the words differ."""
        before, after = fields(recorded), fields(asked)
        fixed = ("model", "output") if kind == "model" else ("worker", "name")
        return (
            all(before.get(key) == after.get(key) for key in fixed)
            and tools_of(before) == tools_of(after)
            and all(named(recorded, name) == named(asked, name) for name in self.fields)
        )

    def told(self, stage: Stage, path: str, handoff: Delegated) -> None:
        """Everybody works."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Nobody below a supervisor works: their reports are the recorded ones; who decides decides anew.

    Planners, routers, policies and reviewers run, over the recorded replies of their models.
    """

    name: ClassVar[scorecard.Mode] = "decisions"

    def tolerates(self, kind: str, recorded: Json, asked: Json) -> bool:
        """Never."""
        return False

    def told(self, stage: Stage, path: str, handoff: Delegated) -> Told | None:
        """The recorded report on this very piece of work.

        Raises:
            MissError: another worker had it, or it was another piece of work.
        """
        post = stage.enter(path, handoff)
        if post is None:
            return None
        recorded = next((one for one in stage.recorded_at(path) if stage.is_same_work(one, handoff)), None)
        if recorded is None:
            raise stage.miss(path, handoff)
        return stage.as_recorded(recorded)
