"""What clients of OpenAI's APIs are sent, as models: for the OpenAPI document, and to check every answer against.

The answers themselves are built as JSON where they are made, since half of their fields never change; these models say
what that JSON is, and refuse a field that they do not know. Where OpenAI's API has more, a team has no use for it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...messages import Count, Json, Message
from .endings import Finish, Outcome


class ModelObject(Message):
    """A team as a model."""

    id: str
    """The team's name."""
    object: Literal["model"]
    created: Count
    """When it was first served, in seconds since the epoch."""
    owned_by: Literal["echelon"]


class ModelList(Message):
    """The teams, in the order in which they were named."""

    object: Literal["list"]
    data: tuple[ModelObject, ...]


class Problem(Message):
    """What is wrong."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None
    """The field that is to blame, as `messages[0].content`."""
    code: str | None
    """For programs."""


class Refusal(Message):
    """An error, whatever its status."""

    error: Problem


class RunNote(Message):
    """Echelon's own field: which run it was, and what came of it."""

    run: str
    outcome: Outcome
    why: str | None
    """The kind of a failure."""


class InputDetails(Message):
    """How much of the input a cache served."""

    cached_tokens: Count
    cache_write_tokens: Count


class OutputDetails(Message):
    """How much of the output was thought and not said."""

    reasoning_tokens: Count


class ChatUsage(Message):
    """Totals over all model calls of a run's leg, whoever made them."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: InputDetails
    completion_tokens_details: OutputDetails


class ChatAnswer(Message):
    """What the assistant says."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    """What stands in the place of the JSON that was asked for."""
    reasoning_content: str = ""
    """What the team did: plans, handoffs, reviews."""


class ChatChoice(Message):
    """The only choice."""

    index: Literal[0]
    message: ChatAnswer
    logprobs: None
    finish_reason: Finish


class Completion(Message):
    """A whole answer in a chat."""

    id: str
    object: Literal["chat.completion"]
    created: Count
    model: str
    choices: tuple[ChatChoice]
    usage: ChatUsage
    echelon: RunNote | None = None


class ChatDelta(Message):
    """A piece of an answer."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None


class ChunkChoice(Message):
    """The only choice, a piece of it."""

    index: Literal[0]
    delta: ChatDelta
    logprobs: None
    finish_reason: Finish | None


class Chunk(Message):
    """An event of a streamed answer; the one with the usage has no choice."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: Count
    model: str
    choices: Annotated[tuple[ChunkChoice, ...], Field(max_length=1)]
    usage: ChatUsage | None = None
    echelon: RunNote | None = None


ItemStatus = Literal["in_progress", "completed", "incomplete"]


class SummaryText(Message):
    """A line of progress."""

    type: Literal["summary_text"]
    text: str


class Reasoning(Message):
    """What the team did."""

    type: Literal["reasoning"]
    id: str
    status: ItemStatus
    summary: tuple[SummaryText, ...]


class OutputText(Message):
    """Text of an answer."""

    type: Literal["output_text"]
    text: str
    annotations: Annotated[tuple[Json, ...], Field(max_length=0)]
    logprobs: Annotated[tuple[Json, ...], Field(max_length=0)]


class OutputRefusal(Message):
    """Text in the place of the JSON that was asked for."""

    type: Literal["refusal"]
    refusal: str


Part = Annotated[OutputText | OutputRefusal, Field(discriminator="type")]


class OutputMessage(Message):
    """What is said."""

    type: Literal["message"]
    id: str
    status: ItemStatus
    role: Literal["assistant"]
    content: tuple[Part, ...]


class ApprovalRequest(Message):
    """A question to a person that is answered with an `mcp_approval_response`."""

    type: Literal["mcp_approval_request"]
    id: str
    name: str
    """Who is asked."""
    server_label: str
    """The team."""
    arguments: str
    """JSON of what is asked, and about what."""


Item = Annotated[Reasoning | OutputMessage | ApprovalRequest, Field(discriminator="type")]


class ResponseUsage(Message):
    """Totals over all model calls of a run's leg, whoever made them."""

    input_tokens: Count
    input_tokens_details: InputDetails
    output_tokens: Count
    output_tokens_details: OutputDetails
    total_tokens: Count


class ResponseProblem(Message):
    """Why a response failed."""

    code: Literal["server_error", "rate_limit_exceeded"]
    message: str


class Incomplete(Message):
    """Why a response is not whole."""

    reason: Literal["max_output_tokens", "content_filter"]


class ConversationName(Message):
    """The conversation of a response."""

    id: str


class TextShape(Message):
    """What the text was wanted in."""

    format: dict[str, Json]


class NoReasoning(Message):
    """Options of a model, which are the team's."""

    effort: None
    summary: None


class Response(Message):
    """A leg of a run; fields that have no meaning here have the API's own defaults."""

    id: str
    object: Literal["response"]
    created_at: Count
    model: str
    status: Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]
    completed_at: Count | None
    error: ResponseProblem | None
    incomplete_details: Incomplete | None
    output: tuple[Item, ...]
    usage: ResponseUsage | None
    instructions: str | None
    metadata: dict[str, str]
    previous_response_id: str | None
    conversation: ConversationName | None
    background: bool
    text: TextShape
    store: Literal[True]
    parallel_tool_calls: Literal[True]
    tool_choice: Literal["auto"]
    tools: Annotated[tuple[Json, ...], Field(max_length=0)]
    truncation: Literal["disabled"]
    reasoning: NoReasoning
    service_tier: Literal["default"]
    user: None
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    top_logprobs: Literal[0]
    max_output_tokens: None
    max_tool_calls: None
    safety_identifier: None
    prompt_cache_key: None
    echelon: RunNote | None = None


class InputText(Message):
    """Text of what was said."""

    type: Literal["input_text"]
    text: str


class InputMessage(Message):
    """What the client said."""

    type: Literal["message"]
    id: str
    status: Literal["completed"]
    role: Literal["system", "user", "assistant"]
    content: tuple[InputText]


class ApprovalGiven(Message):
    """An answer that the client gave."""

    type: Literal["mcp_approval_response"]
    id: str
    approval_request_id: str
    approve: bool
    reason: str | None


class ItemList(Message):
    """A page of what the client said."""

    object: Literal["list"]
    data: tuple[Annotated[InputMessage | ApprovalGiven, Field(discriminator="type")], ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Numbered(Message):
    """An event of a streamed response."""

    sequence_number: Count


class ResponseEvent(Numbered):
    """The response as it stands."""

    type: Literal[
        "response.created", "response.in_progress", "response.completed", "response.failed", "response.incomplete"
    ]
    response: Response


class ItemEvent(Numbered):
    """An item begins or is whole."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: Count
    item: Item


class OfItem(Numbered):
    """Something within an item."""

    item_id: str
    output_index: Count


class PartEvent(OfItem):
    """A part of a message begins or is whole."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    content_index: Count
    part: Part


class SummaryPartEvent(OfItem):
    """A line of progress begins or is whole."""

    type: Literal["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]
    summary_index: Count
    part: SummaryText


class DeltaEvent(OfItem):
    """A piece of text, or of a refusal."""

    type: Literal["response.output_text.delta", "response.refusal.delta"]
    content_index: Count
    delta: str
    logprobs: Annotated[tuple[Json, ...], Field(max_length=0)] = ()


class TextEvent(OfItem):
    """A text that is whole."""

    type: Literal["response.output_text.done"]
    content_index: Count
    text: str
    logprobs: Annotated[tuple[Json, ...], Field(max_length=0)]


class RefusalEvent(OfItem):
    """A refusal that is whole."""

    type: Literal["response.refusal.done"]
    content_index: Count
    refusal: str


class LineEvent(OfItem):
    """A line of progress, in one piece."""

    type: Literal["response.reasoning_summary_text.delta"]
    summary_index: Count
    delta: str


class LineDoneEvent(OfItem):
    """A line of progress that is whole."""

    type: Literal["response.reasoning_summary_text.done"]
    summary_index: Count
    text: str


class ErrorEvent(Numbered):
    """An error, now that the status is sent."""

    type: Literal["error"]
    code: str | None
    message: str
    param: str | None


Event = Annotated[
    ResponseEvent | ItemEvent | PartEvent | SummaryPartEvent | DeltaEvent | TextEvent | RefusalEvent | LineEvent
    | LineDoneEvent | ErrorEvent,
    Field(discriminator="type"),
]  # fmt: skip
"""An event of a streamed response."""
