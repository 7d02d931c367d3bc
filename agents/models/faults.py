"""What can go wrong with a model's server: a closed list, and when it happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Any, Protocol

from ...protocols.conversation import Reply, ToolCall
from ...protocols.messages import NOTHING_USED, FailureKind, Usage


class Fault(Enum):
    """One way in which a server fails, and how it looks on the wire."""

    RATE_LIMITED = "429, retry-after: 1"
    QUOTA = "429 insufficient_quota"
    SERVER_ERROR = "500"
    OVERLOADED = "529"
    UNAUTHORIZED = "401"
    CONTEXT_TOO_LONG = "400 context_length_exceeded"
    CONTENT_FILTER = "400 content_filter"
    NO_JSON_SCHEMA = "400 for a response_format of json_schema"

    DROPPED = "the connection is closed before the headers"
    SHORT_BODY = "the connection is closed in the middle of the body"
    OVERSIZED = "a body that is declared to be too large"
    STALLED = "nothing comes after the headers, or after the first event"
    CUT_STREAM = "a stream that ends in good order, but without its last events"
    STREAM_ERROR = "an error as an event of the stream"
    NO_STREAM = "a whole answer where a stream was asked for"

    HTML = "200 with a page"
    BROKEN_JSON = "200 with half an envelope"
    NO_CHOICES = "200 with an envelope without an answer"
    ODD_CHOICES = "200 with an envelope of another type"
    NO_USAGE = "an answer that does not say its tokens"
    ODD_USAGE = "an answer with negative and absurd tokens"

    INVALID_JSON = "an answer that is no JSON"
    WRONG_SHAPE = "JSON of another shape"
    UNKNOWN_TOOL = "a call of a tool that does not exist"
    REFUSAL = "a refusal"
    EMPTY = "an answer of no words"
    LENGTH = "half an answer, cut at the limit"
    FILTERED = "an answer cut by the content filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """An answer with an error status."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()


ERRORS: dict[Fault, ErrorAnswer] = {
    Fault.RATE_LIMITED: ErrorAnswer(
        status=429, code="rate_limit_exceeded", message="Rate limit reached.", headers=(("retry-after", "1"),)
    ),
    Fault.QUOTA: ErrorAnswer(status=429, code="insufficient_quota", message="You exceeded your current quota."),
    Fault.SERVER_ERROR: ErrorAnswer(status=500, code="server_error", message="The server had an error."),
    Fault.OVERLOADED: ErrorAnswer(status=529, code="overloaded_error", message="Overloaded."),
    Fault.UNAUTHORIZED: ErrorAnswer(status=401, code="invalid_api_key", message="Incorrect API key provided."),
    Fault.CONTEXT_TOO_LONG: ErrorAnswer(
        status=400, code="context_length_exceeded", message="This model's maximum context length is 8192 tokens."
    ),
    Fault.CONTENT_FILTER: ErrorAnswer(status=400, code="content_filter", message="The prompt was filtered."),
    Fault.NO_JSON_SCHEMA: ErrorAnswer(
        status=400, code="invalid_request_error", message="response_format of type json_schema is not supported"
    ),
}

OF_KIND: dict[FailureKind, ErrorAnswer] = {
    "rate_limited": replace(ERRORS[Fault.RATE_LIMITED], headers=()),
    "quota": ERRORS[Fault.QUOTA],
    "overloaded": ERRORS[Fault.OVERLOADED],
    "timeout": ErrorAnswer(status=408, code="timeout", message="The request timed out."),
    "auth": ERRORS[Fault.UNAUTHORIZED],
    "context_too_long": ERRORS[Fault.CONTEXT_TOO_LONG],
    "content_filter": ERRORS[Fault.CONTENT_FILTER],
}
"""How a failure of the script looks on the wire; any other kind is a 400, and a lost connection is one."""


class Schedule(Protocol):
    """Says which request meets which fault."""

    def at(self, number: int) -> Fault | None:
        """The fault of a request; they are counted from 0 in the order of their arrival."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """The first requests meet these faults, the rest none."""

    faults: Sequence[Fault | None] = ()

    def at(self, number: int) -> Fault | None:
        """The fault of a request."""
        return self.faults[number] if number < len(self.faults) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """A share of the requests, chosen by a seed, meets one of these faults, chosen by it too.

    Example:
        >>> schedule = Seeded(seed=1, share=0.5, faults=(Fault.OVERLOADED, Fault.DROPPED))
        >>> [schedule.at(number) for number in range(99)] == [schedule.at(number) for number in range(99)]
        True
    """

    seed: int
    share: float
    """In [0, 1]."""
    faults: Sequence[Fault] = tuple(Fault)

    def at(self, number: int) -> Fault | None:
        """The fault of a request."""
        dice = Random(f"{self.seed}:{number}")
        return dice.choice(self.faults) if dice.random() < self.share else None


def spoilt(reply: Reply, fault: Fault | None) -> Reply:
    """The reply as a fault of its content makes it; other faults leave it as it is."""
    spoiling: dict[Fault, dict[str, Any]] = {
        Fault.INVALID_JSON: {"text": '{"total": 12, oops'},
        Fault.WRONG_SHAPE: {"text": '{"no_such_field": true}'},
        Fault.UNKNOWN_TOOL: {
            "text": "", "finish": "tool_calls",
            "tool_calls": (ToolCall(id="call_lost", name="no_such_tool", arguments="{}"),),
        },
        Fault.REFUSAL: {"text": "", "tool_calls": (), "refusal": "I'm sorry, I can't help with that."},
        Fault.EMPTY: {"text": "", "tool_calls": (), "finish": "stop"},
        Fault.LENGTH: {"text": reply.text[: len(reply.text) // 2], "tool_calls": (), "finish": "length"},
        Fault.FILTERED: {"text": "", "tool_calls": (), "finish": "content_filter"},
        Fault.NO_USAGE: {"usage": NOTHING_USED},
        Fault.ODD_USAGE: {"usage": Usage.model_construct(input=-5, output=10**15)},
    }  # fmt: skip
    return reply if fault is None else reply.model_copy(update=spoiling.get(fault, {}))
