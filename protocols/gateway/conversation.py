"""A chat as a task: what was said so far, as text; a team that accepts a `Conversation` is given all of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, cast
from urllib.parse import unquote_to_bytes

from pydantic import Field, ValidationError
from pydantic_core import to_json

from ..errors import ShapeError
from ..events import Event, RunEnded, RunStarted
from ..messages import Done, Json, Message

Role = Literal["system", "user", "assistant"]

ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
"""Roles as chat APIs name them."""
TEXTS = frozenset({"text", "input_text", "output_text"})
FILES = frozenset({"file", "input_file"})


class Attachment(Message):
    """A text file that came with what was said."""

    name: str
    text: str


class Said(Message):
    """One turn of a conversation."""

    role: Role
    text: str
    attachments: tuple[Attachment, ...] = ()

    @property
    def whole(self) -> str:
        """The text with its attachments behind it, each between lines that name it."""
        return "\n\n".join(
            [self.text, *(f"--- {a.name} ---\n{a.text}\n--- end of {a.name} ---" for a in self.attachments)]
        )


class Conversation(Message):
    """What was said, the oldest turn first; the last turn of the user is what is to be done.

    Example:
        >>> chat = Conversation.model_validate({"turns": [{"role": "user", "text": "Hello"}]})
        >>> chat.request.text
        'Hello'
    """

    turns: Annotated[tuple[Said, ...], Field(min_length=1)]

    @property
    def request(self) -> Said:
        """The last turn of the user; where the user said nothing, an empty one."""
        return next((said for said in reversed(self.turns) if said.role == "user"), Said(role="user", text=""))

    @property
    def earlier(self) -> tuple[Said, ...]:
        """What was said before the last turn of the user, by user and assistant."""
        users = [i for i, said in enumerate(self.turns) if said.role == "user"]
        return tuple(said for said in self.turns[: users[-1] if users else 0] if said.role != "system")


def conversation_of(messages: Sequence[Json]) -> Conversation:
    """The messages of a chat API as a conversation.

    A message is an object with a `role` and a `content`: text, or a list of parts. Text parts are joined; a file whose
    data is text becomes an attachment. Messages without any text (an assistant's tool calls, say) are left out.

    Raises:
        ShapeError: nothing was said, a role is unknown, or a part is no text: images and sounds are not taken.

    Example:
        >>> conversation_of([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]).turns[0].text
        'Hi'
    """
    turns: list[Said] = []
    for i, message in enumerate(messages):
        fields = _object(message)
        role = ROLES.get(str(fields.get("role")))
        if role is None:
            raise _refused(i, f"expected a role of {', '.join(ROLES)}, found {str(fields.get('role'))[:40]!r}")
        said = _said(i, role, fields.get("content"))
        if said.text or said.attachments:
            turns.append(said)
    if not turns:
        raise ShapeError("a conversation", ("nothing was said",))
    return Conversation(turns=tuple(turns))


def recalled(events: Sequence[Event]) -> tuple[Said, ...]:
    """What was said in a run: its task and, if it delivered, its output; for a run that follows up on it.

    A task that is a conversation gives all its turns; any other task is what the user said.
    """
    turns: list[Said] = []
    for event in events:
        if isinstance(event, RunStarted):
            turns += _asked(event.task)
        elif isinstance(event, RunEnded) and isinstance(event.report, Done):
            turns.append(Said(role="assistant", text=as_text(event.report.output)))
    return tuple(turns)


def as_text(output: Json) -> str:
    r"""An output as it is said in a chat: text as it is, anything else as JSON, indented.

    Example:
        >>> as_text("done"), as_text({"n": 1})
        ('done', '{\n  "n": 1\n}')
    """
    if isinstance(output, str):
        return output
    return to_json(output, indent=2).decode()


def _asked(task: Json) -> list[Said]:
    try:
        return list(Conversation.model_validate(task).turns)
    except ValidationError:
        return [Said(role="user", text=as_text(task))]


def _said(i: int, role: Role, content: Json) -> Said:
    if content is None or isinstance(content, str):
        return Said(role=role, text=content or "")
    if not isinstance(content, list):
        raise _refused(i, "expected a content of text or a list of parts")
    texts: list[str] = []
    attachments: list[Attachment] = []
    for part in cast("list[object]", content):
        fields = _object(part)
        kind = str(fields.get("type"))
        if kind in TEXTS and isinstance(fields.get("text"), str):
            texts.append(fields["text"])
        elif kind in FILES:
            attachments.append(_attachment(i, fields))
        else:
            raise _refused(i, f"only text is taken, not a part of type {kind[:40]!r}: no images, no sounds")
    return Said(role=role, text="\n".join(texts), attachments=tuple(attachments))


def _attachment(i: int, part: Mapping[str, Json]) -> Attachment:
    """The text of a file that lies in the message as a data URL (RFC 2397)."""
    file = _object(part.get("file")) or part
    name = str(file.get("filename") or "attachment")[:200]
    data = file.get("file_data")
    head, comma, body = data.partition(",") if isinstance(data, str) else ("", "", "")
    kind = head.removeprefix("data:").partition(";")[0]
    if not comma or not (kind.startswith("text/") or kind == "application/json"):
        raise _refused(i, f"file {name!r}: only text files that lie in the message (data:text/...) are taken")
    try:
        raw = base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote_to_bytes(body)
        return Attachment(name=name, text=raw.decode())
    except (binascii.Error, ValueError) as error:
        raise _refused(i, f"file {name!r} is no text in UTF-8") from error


def _object(value: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", value) if isinstance(value, dict) else {}


def _refused(i: int, why: str) -> ShapeError:
    return ShapeError("a conversation", (f"/messages/{i}: {why}",))
