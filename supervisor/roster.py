"""Who does what a server is asked to do: the served teams, and the intake of each for those who chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..protocols.contracts import Card, Worker
from ..protocols.errors import AnswerError, ShapeError, UsageError
from ..protocols.events import Event, Migrated, RunStarted
from ..protocols.gateway.conversation import Conversation
from ..protocols.gateway.intake import task_in
from ..protocols.messages import Json, Question
from .answers import open_questions
from .hierarchy import changed, definitions, members
from .intake import intake_of
from .plans.assignable import literal_misfit
from .plans.parts import Part
from .standing import Origin


class Roster:
    """The served teams by name, in the order in which they were named."""

    def __init__(self, teams: Mapping[str, Worker]) -> None:
        self._teams = dict(teams)
        self._intakes = {name: intake_of(team) for name, team in self._teams.items()}
        self.cards: Mapping[str, Card] = {name: team.card for name, team in self._teams.items()}

    def assign(self, team: str, task: Json) -> tuple[Worker, Any]:
        """Who works on a task, and the task as what that worker accepts.

        A conversation goes to a team that accepts one. For any other team, the task is read off what the user said;
        where it cannot be, the team's intake gets the conversation, fills the task in, and asks for what is missing.

        Raises:
            UsageError: there is no such team.
            ShapeError: the task is not what the team accepts.
        """
        if team not in self._teams:
            raise UsageError(f"there is no team {team[:80]!r}; served are {', '.join(self._teams)}")
        worker = self._teams[team]
        accepts = worker.card.accepts
        if not isinstance(task, Conversation):
            return worker, accepts.read(task)
        if accepts.of is Conversation:
            return worker, task
        try:
            return worker, task_in(task, accepts)
        except ShapeError:
            return self._intakes[team], task

    def worker(self, origin: Origin) -> Worker:
        """Who works on a run: the team, or its intake."""
        intake = self._intakes[origin.team]
        return intake if origin.worker == intake.card.name else self._teams[origin.team]

    def check_answer(
        self, origin: Origin, events: Sequence[Event], question_id: str, *, approved: bool, value: Json
    ) -> None:
        """Refuse an answer that the run could not take, before it is taken and counts.

        Raises:
            AnswerError: nobody asked, the value is not of the asked shape, or the team has changed since the run began.
        """
        asked = {question.id: question for question in open_questions(events)}
        if (question := asked.get(question_id)) is None:
            known = ", ".join(asked) or "none"
            raise AnswerError(f"nobody waits for an answer to {question_id[:80]!r}; open questions: {known}")
        worker = self.worker(origin)
        if fault := _fault(question, value, approved=approved, worker=worker):
            raise AnswerError(f"question {question_id} of {question.of}: {fault}")
        before = [event.definitions for event in events if isinstance(event, RunStarted | Migrated)]
        if changes := changed(before[-1], definitions(worker)):
            raise AnswerError(f"the run was started under other definitions of {', '.join(changes)}")


def _fault(question: Question, value: Json, *, approved: bool, worker: Worker) -> str | None:
    """Why a value is no answer; None: it is one.

    It is read as the type that asks, where a worker of the run returns such a type; else it is compared with the
    question's schema, which leaves patterns to the run.
    """
    if question.asks == "approval" or not approved:
        return None if value is None else "a yes or a no takes no value"
    shapes = [member.card.returns for _, member in members(worker)]
    shape = next((shape for shape in shapes if shape.input_schema == question.answer_schema), None)
    if shape is None:
        misfit = literal_misfit(value, Part.of(question.answer_schema))
        return None if misfit is None else str(misfit)
    try:
        shape.read(value)
    except ShapeError as error:
        return str(error)
    return None
