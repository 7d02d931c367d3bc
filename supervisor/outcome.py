"""What a run has come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from ..protocols.contracts import Card
from ..protocols.errors import OutcomeError
from ..protocols.events import Ended, Event
from ..protocols.messages import Done, Failed, Failure, Json, JsonReport, Out, Question, Usage, Verdict, Waiting
from .log import Entry
from .views.bill import Bill, bill

Status = Literal["delivered", "waiting", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[Out]):
    """A run that has ended, or waits for a person."""

    run: str
    report: JsonReport
    card: Card[Any, Out]
    entries: Sequence[Entry] = field(repr=False)
    """The whole journal of the run, in order."""

    @property
    def status(self) -> Status:
        """`delivered`: there is an output and every gate let it pass."""
        match self.report:
            case Done():
                return "delivered"
            case Waiting():
                return "waiting"
            case Failed():
                return "cancelled" if self.report.failure.kind == "cancelled" else "failed"
            case _:
                return "failed"

    @property
    def output(self) -> Out:
        """What the worker returned, as its own type.

        Raises:
            OutcomeError: nothing was delivered; says why.
        """
        if isinstance(self.report, Done):
            return self.card.returns.read(self.report.output)
        if isinstance(self.report, Waiting):
            asked = ", ".join(f"{q.of} ({q.id})" for q in self.report.questions)
            raise OutcomeError(f"run {self.run!r} has no output yet: it waits for {asked}")
        why = f"{self.failure.kind}: {self.failure.message}" if self.failure else "it was skipped"
        raise OutcomeError(f"run {self.run!r} has no output: {why}")

    @property
    def failure(self) -> Failure | None:
        """Why nothing was delivered; None: it was, or it still may be."""
        return self.report.failure if isinstance(self.report, Failed) else None

    @property
    def partial(self) -> Json:
        """What was finished before a failure, by step, or the best draft that was not approved; None: nothing."""
        return self.report.partial if isinstance(self.report, Failed) else None

    @property
    def questions(self) -> tuple[Question, ...]:
        """What people must answer before the run can go on."""
        return self.report.questions if isinstance(self.report, Waiting) else ()

    @property
    def verdict(self) -> Verdict | None:
        """The last verdict of the root's reviewer; None: it has none, or was not asked."""
        ends = [entry.event for entry in self.entries if isinstance(entry.event, Ended) and entry.event.path == ""]
        return ends[-1].verdict if ends else None

    @property
    def usage(self) -> Usage:
        """What the run has cost, failures included."""
        return self.report.usage

    @property
    def bill(self) -> Bill:
        """What it cost, by worker and by model."""
        return bill(self.events)

    @property
    def events(self) -> list[Event]:
        """Everything that happened, in order."""
        return [entry.event for entry in self.entries]
