"""What clients of OpenAI's APIs send: lenient about fields we do not use, strict about those we do.

A field that would change what an answer means is refused by name where we cannot honour it: several choices, logprobs,
audio, a demand to call the client's own tools. One that only tunes a model (`temperature`, `seed`, `stop`) is ignored:
the models are the team's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from ...errors import ShapeError
from ...messages import Json
from ..conversation import Conversation, conversation_of
from .errors import invalid


class Foreign(BaseModel):
    """A frozen value that ignores fields it does not know."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore", defer_build=True)


TOOL_ROLES = frozenset({"tool", "function"})
"""Who speaks in what a client's own tools have said to other models; a team has no use for it."""


def heard(messages: Sequence[dict[str, Json]], param: str) -> Conversation:
    """Messages as a conversation; what a client's own tools said is left out.

    Raises:
        RefusedError: nothing was said, or something that is no text; `param` is the field that the messages stand in.
    """
    silent: dict[str, Json] = {"role": "assistant", "content": None}
    try:
        return conversation_of([silent if str(one.get("role")) in TOOL_ROLES else one for one in messages])
    except ShapeError as error:
        place, colon, what = error.faults[0].partition(": ")
        index = place.removeprefix("/messages/")
        where = f"{param}[{index}]" if index.isdecimal() else param
        raise invalid(f"{where}: {what if colon else place}.", where) from error


class Schema(Foreign):
    """The shape that a client wants its answer in."""

    wanted: dict[str, Json] = Field(alias="schema", default_factory=dict)


class ChatFormat(Foreign):
    """How a chat wants its answer."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: Schema | None = None


class StreamOptions(Foreign):
    """What a stream holds beside the answer."""

    include_usage: bool | None = None


def demanded(choice: Json) -> Json:
    """Refuse a choice of tools that demands one of the client's own.

    Raises:
        ValueError: it does.
    """
    if choice in (None, "auto", "none"):
        return None
    raise ValueError("this server runs the team's own tools and cannot be made to call the client's")


class ChatRequest(Foreign):
    """A request to Chat Completions."""

    model: str
    messages: tuple[dict[str, Json], ...] = Field(min_length=1)
    """Read by `conversation_of`."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ChatFormat | None = None
    metadata: dict[str, Json] | None = None
    n: int | None = None
    tool_choice: Json = None
    function_call: Json = None
    modalities: tuple[str, ...] | None = None
    audio: Json = None
    logprobs: bool | None = None
    top_logprobs: int | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to say what it cost."""
        return bool(self.stream_options and self.stream_options.include_usage)

    _demanded = field_validator("tool_choice", "function_call")(demanded)

    @field_validator("n")
    @classmethod
    def _one(cls, value: int | None) -> int | None:
        if value not in (None, 1):
            raise ValueError("a team gives one answer; only n=1 is accepted")
        return value

    @field_validator("modalities", "audio")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if value not in (None, ("text",)):
            raise ValueError("anything but text is not accepted")
        return value

    @field_validator("logprobs", "top_logprobs")
    @classmethod
    def _unknown(cls, value: Any) -> Any:
        return no_logprobs(value)


def no_logprobs(value: Any) -> Any:
    """Refuse to give log probabilities.

    Raises:
        ValueError: they are asked for.
    """
    if value:
        raise ValueError("the answer of a team has no log probabilities")
    return value


class Approval(Foreign):
    """An answer to a request for approval."""

    approval_request_id: str
    approve: bool
    reason: str | None = None


class Item(Foreign):
    """An item of a response's input: a message, an approval, or something of the past that we have no use for."""

    said: dict[str, Json] | None = None
    """Read by `conversation_of`."""
    approval: Approval | None = None


def items_of(given: object) -> object:
    """The input of a response as items; text is one message of the user.

    Raises:
        ValueError: it is neither text nor a list of objects.
    """
    if isinstance(given, str):
        return ({"said": {"role": "user", "content": given}},)
    if not isinstance(given, list):
        raise ValueError("expected text or a list of items")  # noqa: TRY004 - pydantic reports a ValueError by field
    return tuple(_item(item) for item in cast("list[object]", given))


def _item(item: object) -> object:
    fields = cast("dict[str, object]", item) if isinstance(item, dict) else {}
    kind = fields.get("type", "message" if "role" in fields else None)
    if kind == "message":
        return {"said": fields}
    return {"approval": fields} if kind == "mcp_approval_response" else {}


class TextFormat(Foreign):
    """How a response wants its text."""

    model_config = ConfigDict(extra="allow")  # the response says what was asked for

    type: Literal["text", "json_object", "json_schema"] = "text"
    wanted: dict[str, Json] = Field(alias="schema", default_factory=dict)


class TextOptions(Foreign):
    """What a response's text is like."""

    format: TextFormat | None = None


class Named(Foreign):
    """A conversation by its id."""

    id: str


def _named(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


class ResponseRequest(Foreign):
    """A request to Responses."""

    model: str
    input: Annotated[tuple[Item, ...], BeforeValidator(items_of)] = Field(min_length=1)
    instructions: str | None = None
    stream: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Annotated[Named | None, BeforeValidator(_named)] = None
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    text: TextOptions | None = None
    tool_choice: Json = None
    prompt: Json = None
    top_logprobs: int | None = None
    include: tuple[str, ...] | None = None

    @property
    def messages(self) -> list[dict[str, Json]]:
        """The input's messages; an item that is none says nothing, so that places stay what they are."""
        return [item.said or {"role": "assistant", "content": None} for item in self.input]

    @property
    def approvals(self) -> list[Approval]:
        """The input's answers to requests for approval."""
        return [item.approval for item in self.input if item.approval is not None]

    @property
    def format(self) -> TextFormat:
        """How the text is wanted."""
        return (self.text.format if self.text is not None else None) or TextFormat()

    _demanded = field_validator("tool_choice")(demanded)
    _unknown = field_validator("top_logprobs")(no_logprobs)

    @field_validator("prompt")
    @classmethod
    def _no_template(cls, value: Json) -> Json:
        if value is not None:
            raise ValueError("this server keeps no prompts; send the input itself")
        return value

    @field_validator("include")
    @classmethod
    def _no_logprobs(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        no_logprobs([one for one in value or () if "logprobs" in one])
        return value
