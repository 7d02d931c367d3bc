"""What a client's message says: a task for a team, or an answer to what a task asks.

1. A message that is one data part is JSON for what the team accepts. Any other is what a user says in a conversation:
   its texts; a text file or a further data part is an attachment.
2. An answer as data names its question and says yes or no: `{"question": ID, "approved": true, "value": ...}`. Where
   one report is asked for, the data is the report itself. An answer as text is read as in a chat (see `turns`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import cast

from ...a2a import JSON, Wire, whole
from ...errors import AnswerError, ShapeError
from ...messages import Json, Question
from ..conversation import Attachment, Conversation, Said, as_text
from ..runs import Standing
from ..threads import Thread
from ..turns import Aside, Reply, turn_of

ANSWER = frozenset({"question", "approved", "value", "note"})
"""Fields of an answer as data."""


class UntakenError(ShapeError):
    """A part is of a kind that no team takes."""


def task_in(message: Wire, earlier: Sequence[Said] = ()) -> Json:
    """The task that a message gives: JSON, or a conversation.

    Args:
        message: in the protocol's JSON.
        earlier: what was said before it in its context.

    Raises:
        ShapeError: it says nothing.
        UntakenError: it has a part that is not taken.

    Example:
        >>> task_in({"parts": [{"data": {"n": 2.0}}]})
        {'n': 2}
        >>> task_in({"parts": [{"text": "Hi"}]}).request.text
        'Hi'
    """
    parts = _parts(message)
    if len(parts) == 1 and "data" in parts[0]:
        return whole(parts[0]["data"])
    return Conversation(turns=(*earlier, said_in(message)))


def said_in(message: Wire) -> Said:
    """A message as what a user said.

    Raises:
        ShapeError: it says nothing.
        UntakenError: it has a part that is not taken.
    """
    texts: list[str] = []
    files: list[Attachment] = []
    for i, part in enumerate(_parts(message)):
        if isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif "data" in part:
            files.append(Attachment(name=_name(part, "data.json"), text=as_text(whole(part["data"]))))
        else:
            files.append(_file(i, part))
    if not any(texts) and not files:
        raise ShapeError("a message", ("nothing was said",))
    return Said(role="user", text="\n".join(texts), attachments=tuple(files))


def answer_in(message: Wire, stands: Standing) -> Reply | Aside:
    """The answer that a message gives to a run that waits; an aside where it must be asked again.

    Raises:
        AnswerError: it answers nothing that the run asks.
        ShapeError: it says nothing.
    """
    data = [whole(part["data"]) for part in _parts(message) if "data" in part]
    if data:
        return _answered(data[0], stands)
    conversation = Conversation(turns=(said_in(message),))
    turn = turn_of(conversation, [stands], stands.principal, Thread(stands.thread, sure=True))
    if isinstance(turn, Reply | Aside):
        return turn
    raise AnswerError("the task waits for an answer; a message without its id begins another one")


def named_in(message: Wire) -> tuple[str, bool] | None:
    """The question that an answer as data names, and whether it says yes; None: it names none."""
    for part in _parts(message):
        fields = _object(part.get("data"))
        if isinstance(fields.get("question"), str) and set(fields) <= ANSWER:
            return fields["question"], fields.get("approved", True) is True
    return None


def _answered(data: Json, stands: Standing) -> Reply:
    fields, asked = _object(data), {one.id: one for one in stands.questions}
    is_answer = bool(fields) and set(fields) <= ANSWER and ("question" in fields or "approved" in fields)
    known = ", ".join(asked)
    if not is_answer:
        only = _only(stands)
        if only.asks != "report":
            raise AnswerError(f"question {only.id} is answered by yes or no: expected `approved`")
        return Reply(run=stands.run, question=only, approved=True, value=data)
    question = asked.get(str(fields["question"])) if "question" in fields else _only(stands)
    if question is None:
        raise AnswerError(f"nobody waits for an answer to {str(fields['question'])[:80]!r}; open questions: {known}")
    approved = fields.get("approved", question.asks == "report")
    if not isinstance(approved, bool):
        raise AnswerError("/approved: expected true or false")
    note = str(fields.get("note") or "")
    return Reply(run=stands.run, question=question, approved=approved, value=fields.get("value"), note=note)


def _only(stands: Standing) -> Question:
    if len(stands.questions) != 1:
        known = ", ".join(one.id for one in stands.questions)
        raise AnswerError(f"several questions are open, expected `question` to name one of {known}")
    return stands.questions[0]


def _file(i: int, part: Wire) -> Attachment:
    kind = str(part.get("mediaType", ""))
    if not isinstance(part.get("raw"), str) or not (kind.startswith("text/") or kind == JSON):
        said = f"/parts/{i}: only text, data, and text files that lie in the message are taken"
        raise UntakenError("a message", (said,))
    try:
        return Attachment(name=_name(part, "attachment"), text=base64.b64decode(part["raw"], validate=True).decode())
    except (binascii.Error, ValueError) as error:
        raise UntakenError("a message", (f"/parts/{i}: the file is no text in UTF-8",)) from error


def _name(part: Wire, default: str) -> str:
    return str(part.get("filename") or default)[:200]


def _parts(message: Wire) -> Sequence[Wire]:
    return [_object(part) for part in cast("Sequence[Json]", message.get("parts") or ())]


def _object(value: Json) -> Wire:
    return cast("Wire", value) if isinstance(value, Mapping) else {}
