"""A run as a task of A2A 1.0, in its JSON: state, messages and artifacts are read off the events, and nowhere kept.

1. A run that has only begun is submitted; one that goes on is working, and its status says what happened last.
2. One that waits for people needs input: its status asks, as text and as data.
3. An output is an artifact: as text for people, and as data.
4. What a person, a reviewer or a model said no to was rejected; any other failure has failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic_core import to_jsonable_python

from ...a2a import (
    CANCELED,
    COMPLETED,
    FAILED,
    INPUT,
    QUESTIONS,
    REJECTED,
    SUBMITTED,
    USAGE,
    WORKING,
    Wire,
    data_part,
    text_part,
)
from ...events import Answered, Asked, Claimed, Event, RunEnded, RunStarted
from ...messages import Done, Failed, FailureKind, Json, JsonReport, Question
from ...visible import visible_json
from ..conversation import Said, recalled
from ..legs import legs_of
from ..progress import line_of
from ..rendering import FAILED as NOT_DONE
from ..rendering import failure_text, question_text, said
from ..runs import Seen, Standing

SURFACE = "a2a"
RESULT = "result"
"""Id of the one artifact."""

_BY_FAILURE: Final[Mapping[FailureKind, str]] = {
    "denied": REJECTED,
    "rejected": REJECTED,
    "refused": REJECTED,
    "cancelled": CANCELED,
}


def task_of(stands: Standing, seen: Sequence[Seen], history: int | None = None) -> Wire:
    """A run as a task.

    Args:
        stands: how it stands.
        seen: all of its events.
        history: of the messages so far, at most the last so many; None: all.
    """
    messages = _history(stands, seen)
    task = {
        "id": stands.run,
        "contextId": context_of(stands),
        "status": status_of(stands, seen),
        "artifacts": artifacts_of(stands.report),
        "history": messages if history is None else messages[len(messages) - min(history, len(messages)) :],
    }
    if stands.report is not None:
        task["metadata"] = {USAGE: stands.report.usage.model_dump(mode="json")}
    return task


def context_of(stands: Standing) -> str:
    """The context that a run was begun in, as its client calls it."""
    return stands.thread.removeprefix(f"{SURFACE}:")


def status_of(stands: Standing, seen: Sequence[Seen]) -> Wire:
    """The status of a run."""
    state = state_of(stands, [one.event for one in seen])
    status = {"state": state, "timestamp": time_of(stands.updated)}
    if state == INPUT:
        message = asked(stands, stands.questions)
    elif text := _said_of(stands, seen, state):
        message = message_of(stands, seen[-1].seq, text)
    else:
        return status
    return status | {"message": message}


def state_of(stands: Standing, events: Sequence[Event]) -> str:
    """The state of a task."""
    match stands.status, stands.report:
        case "cancelled", _:
            return CANCELED
        case "waiting", _:
            return INPUT
        case "running", _:
            is_new = all(isinstance(event, RunStarted | Claimed) for event in events)
            return SUBMITTED if is_new else WORKING
        case _, Done():
            return COMPLETED
        case _, Failed(failure=failure):
            return _BY_FAILURE.get(failure.kind, FAILED)
        case _:
            return FAILED


def _said_of(stands: Standing, seen: Sequence[Seen], state: str) -> str:
    """What a status says in words; "": nothing, the artifact says it."""
    if state == WORKING:
        return next((line for one in reversed(seen) if (line := line_of(one.event))), "")
    if state == CANCELED:
        return failure_text("cancelled", stands.run)
    if isinstance(stands.report, Failed):
        return failure_text(stands.report.failure.kind, stands.run, legs_of(stands.run, seen)[-1].verdict)
    return f"{NOT_DONE}. (run {stands.run})" if state == FAILED else ""


def artifacts_of(report: JsonReport | None) -> Sequence[Wire]:
    """What a run has delivered: its output, if it has one."""
    return [artifact_of(*parts_of(report.output))] if isinstance(report, Done) else []


def parts_of(output: Json) -> Sequence[Wire]:
    """An output as parts: text as it is; anything else as text for people, and as data."""
    if isinstance(output, str):
        return [text_part(output)]
    return [text_part(said(output)), data_part(output)]


def artifact_of(*parts: Wire) -> Wire:
    """The artifact, or a piece of it."""
    return {"artifactId": RESULT, "name": RESULT, "parts": list(parts)}


def message_of(stands: Standing, seq: int, *texts: str, role: str = "ROLE_AGENT") -> Wire:
    """Something that was said in a task, when its event of this number was written."""
    return _message(stands, f"{stands.run}-{seq}", [text_part(text) for text in texts], role)


def asked(stands: Standing, questions: Sequence[Question], complaint: str = "") -> Wire:
    """The message that asks people, with a complaint about their last answer in front."""
    text = "\n\n".join(part for part in (complaint, question_text(tuple(questions), stands.run)) if part)
    told = [
        {
            "question": one.id,
            "asks": one.asks,
            "of": one.of,
            "prompt": one.prompt,
            "subject": visible_json(one.subject),
            "schema": one.answer_schema,
        }
        for one in questions
    ]
    ids = "-".join(one.id for one in questions)
    return _message(stands, f"{stands.run}-{ids}", [text_part(text), data_part(told, QUESTIONS)], "ROLE_AGENT")


def _message(stands: Standing, message_id: str, parts: Sequence[Wire], role: str) -> Wire:
    whose = {"taskId": stands.run, "contextId": context_of(stands)}
    return {"messageId": message_id, "role": role, "parts": list(parts), **whose}


def _history(stands: Standing, seen: Sequence[Seen]) -> Sequence[Wire]:
    """What was said so far: the task, the questions, their answers."""
    messages: list[Wire] = []
    for one in seen:
        match one.event:
            case RunStarted():
                last: Sequence[Said] = recalled([one.event])[-1:]
                messages += [message_of(stands, one.seq, turn.whole, role="ROLE_USER") for turn in last]
            case Asked(question=question):
                messages.append(asked(stands, [question]))
            case Answered(answer=answer):
                given: Json = to_jsonable_python(answer.model_dump(include={"question", "approved", "value", "note"}))
                messages.append(_message(stands, f"{stands.run}-{one.seq}", [data_part(given)], "ROLE_USER"))
            case RunEnded(report=Done(output=output)):
                messages.append(message_of(stands, one.seq, said(output)))
            case _:
                pass
    return messages


def time_of(seconds: float) -> str:
    """Seconds since the epoch as a timestamp (RFC 3339).

    Example:
        >>> time_of(0.5)
        '1970-01-01T00:00:00.500Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
