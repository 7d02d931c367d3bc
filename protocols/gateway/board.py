"""The plan of a run's topmost supervisor as a list of steps with how each stands, for those who show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..events import Delegated, Event, Planned, Reported, StepSkipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A step."""

    step: str
    worker: str
    status: str = "pending"
    """`pending`, `running`, or as its last report says: `done`, `failed`, `skipped`, `waiting`."""


class Board:
    """Shows the plan; empty for a run that has none."""

    def __init__(self) -> None:
        self.lines: tuple[Line, ...] = ()

    def see(self, event: Event) -> Sequence[int]:
        """Learn of an event; gives the indices of the lines that it has changed, all of them for another plan.

        Example:
            >>> from ..plans import Plan, Step
            >>> board = Board()
            >>> plan = Plan(steps=(Step(id="read", worker="reader", input={}),), output=None)
            >>> board.see(Planned(n=1, plan=plan)), board.lines[0].status
            ([0], 'pending')
        """
        if event.path:
            return []
        match event:
            case Planned(plan=plan):
                known = {line.step: line for line in self.lines}
                self.lines = tuple(
                    replace(known.get(step.id, Line(step=step.id, worker="")), worker=step.worker)
                    for step in plan.steps
                )
                return list(range(len(self.lines)))
            case Delegated(step=step):
                return self._mark(step, "running")
            case Reported(step=step, report=report):
                return self._mark(step, report.type)
            case StepSkipped(step=step):
                return self._mark(step, "skipped")
            case _:
                return []

    def _mark(self, instance: str, status: str) -> Sequence[int]:
        """Mark the step of an instance, `lines[3]` or `polish@2`."""
        step = instance.partition("[")[0].partition("@")[0]
        found = [i for i, line in enumerate(self.lines) if line.step == step and line.status != status]
        self.lines = tuple(replace(line, status=status) if i in found else line for i, line in enumerate(self.lines))
        return found
