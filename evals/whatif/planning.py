"""A planner whose plans are followed but for some steps: others do these, or nobody does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final

from ...protocols.contracts import Card, Context, Planner
from ...protocols.messages import Done, Json, Report
from ...protocols.plans import Brief, Change, Condition, Plan, Ref, Step
from ...protocols.shapes import Shape
from ..scoring.places import stable

NEVER: Final = Condition(ref=Ref.model_validate({"$from": "task"}), op="in", value=[])


@dataclass(frozen=True)
class Pinned:
    """Changes plans as they are made, before they are checked."""

    planner: Planner
    _: KW_ONLY
    pins: Mapping[str, str]
    """Worker by path of the step."""
    drops: Collection[str]
    """Paths of steps whose condition never holds."""

    @property
    def definition(self) -> Json:
        """The planner's, and what is changed."""
        return {"planner": self.planner.definition, "pins": {**self.pins}, "drops": sorted(self.drops)}

    @property
    def replans(self) -> bool:
        """As the planner."""
        return self.planner.replans

    async def plan(self, brief: Brief, team: Sequence[Card], returns: Shape, context: Context) -> Report[Plan | Change]:
        """The planner's plan, with these steps changed."""
        report = await self.planner.plan(brief, team, returns, context)
        if not isinstance(report, Done):
            return report
        place = stable(context.path.rpartition("/")[0])
        made = report.output
        if isinstance(made, Plan):
            return Done(output=made.model_copy(update={"steps": self._changed(made.steps, place)}), usage=report.usage)
        return Done(output=made.model_copy(update={"put": self._changed(made.put, place)}), usage=report.usage)

    def _changed(self, steps: Sequence[Step], place: str) -> tuple[Step, ...]:
        return tuple(self._step(step, f"{place}/{step.id}") for step in steps)

    def _step(self, step: Step, path: str) -> Step:
        step = step.model_copy(update={"worker": self.pins.get(path, step.worker)})
        return step.model_copy(update={"when": NEVER}) if path in self.drops else step
