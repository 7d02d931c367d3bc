"""What a run asks of people, and the way in for their answers."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocols.errors import AnswerError, JournalError, UnknownRunError
from ..protocols.events import Answered, AnswerRefused, Asked, Event, RunEnded
from ..protocols.messages import Answer, Json, Question
from ..protocols.storage import Journal, Record, Store
from .clock import SystemClock
from .journal.chain import verified
from .log import Entry


async def history(store: Journal, run_id: str) -> list[Entry]:
    """All events of a run, the chain verified.

    Raises:
        UnknownRunError: there is no such run.
        DamagedError: a line does not fit the chain.
    """
    return verified_entries(run_id, await store.read(run_id))


def verified_entries(run_id: str, records: Sequence[Record]) -> list[Entry]:
    """The records as events, the chain verified.

    Raises:
        UnknownRunError: there are none.
        DamagedError: a line does not fit the chain.
    """
    if not records:
        raise UnknownRunError(run_id)
    events = verified(run_id, records)
    return [Entry(record.seq, record.at, event) for record, event in zip(records, events, strict=True)]


def open_questions(events: Sequence[Event]) -> list[Question]:
    """Questions that were asked and not answered, in the order in which they were asked; none if the run has ended."""
    asked: dict[str, Question] = {}
    for event in events:
        match event:
            case Asked():
                asked[event.question.id] = event.question
            case Answered() | AnswerRefused():
                asked.pop(event.answer.question, None)
            case RunEnded():
                return []
            case _:
                pass
    return list(asked.values())


async def answer(
    store: Store, run_id: str, question_id: str, *, approved: bool, by: str, value: Json = None, note: str = ""
) -> Answer:
    """Leave a person's answer for a run; from any process, once: the first one wins.

    Raises:
        UnknownRunError: there is no such run.
        AnswerError: it does not ask this question (any more), or it has been answered.
    """
    entries = await history(store, run_id)
    questions = {question.id: question for question in open_questions([entry.event for entry in entries])}
    question = questions.get(question_id)
    if question is None:
        known = ", ".join(questions) or "none"
        raise AnswerError(f"run {run_id!r} does not wait for an answer to {question_id!r}; open questions: {known}")
    given = Answer(
        question=question_id,
        digest=question.digest,
        approved=approved,
        value=value,
        by=by,
        note=note,
        at=SystemClock().now(),
    )
    if not await store.put(run_id, question_id, given.model_dump_json().encode()):
        first = next(a for a in await inbox(store, run_id) if a.question == question_id)
        said = "yes" if first.approved else "no"
        raise AnswerError(f"question {question_id!r} of run {run_id!r} was already answered: {first.by} said {said}")
    return given


async def inbox(store: Store, run_id: str) -> list[Answer]:
    """All answers that were left for a run, in the order of their arrival.

    Raises:
        JournalError: the inbox holds something that is no answer.
    """
    try:
        return [Answer.model_validate_json(body) for _, body in await store.take(run_id)]
    except ValueError as error:
        raise JournalError(f"the inbox of run {run_id!r} holds something that is no answer: {error}") from error
