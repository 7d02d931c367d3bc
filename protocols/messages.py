"""What one worker says to another: frozen, closed, strict, versioned where it leaves the process."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Generic, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType, TypeVar

Json = Any
"""A JSON value: None, bool, int, float, str, a list of Json, or a dict from str to Json."""

In = TypeVar("In", default=Any)
Out = TypeVar("Out", default=Any)

SCHEMA_VERSION: Final = 1
"""Version of every message and event that leaves the process; a reader refuses any other."""


class Message(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="constants",
        defer_build=True,  # built at its first use: otherwise a third of the time of `import echelon`
    )


Count = Annotated[int, Field(ge=0)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
"""A name of a worker, step or tool: a letter, then letters, digits, `_` or `-`, at most 64."""


class Usage(Message):
    """What was spent; a monoid under `+` with `Usage()` as its zero.

    Token fields are disjoint, so that their sum is every token that was billed, except `reasoning`, which is
    the part of `output` that the model thought and did not say. USD are kept to nine decimals, so that sums do not
    depend on the order of addition.

    Example:
        >>> (Usage(calls=1, usd=0.1) + Usage(calls=1, usd=0.2)).usd
        0.3
    """

    calls: Count = 0
    """Model calls and paid calls that were sent, retries included."""
    input: Count = 0
    """Input tokens that no cache served."""
    cache_read: Count = 0
    cache_write: Count = 0
    output: Count = 0
    reasoning: Count = 0
    usd: Usd = 0.0
    """Our figure: tokens times the price table."""
    usd_reported: Usd = 0.0
    """The provider's own figure; 0 where it gives none."""
    usd_assumed: Usd = 0.0
    """The part of `usd` that was never confirmed: the worst case of calls cut off by a crash or a lost connection."""

    @property
    def tokens(self) -> int:
        """All billed tokens."""
        return self.input + self.cache_read + self.cache_write + self.output

    def __add__(self, other: Usage) -> Usage:
        """Sum field by field."""
        if other is NOTHING_USED:
            return self
        if self is NOTHING_USED:
            return other
        return Usage(  # faster than `model_construct`
            calls=self.calls + other.calls,
            input=self.input + other.input,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            usd=round(self.usd + other.usd, 9),
            usd_reported=round(self.usd_reported + other.usd_reported, 9),
            usd_assumed=round(self.usd_assumed + other.usd_assumed, 9),
        )


NOTHING_USED = Usage()


class Budget(Message):
    """Limits of a subtree; None: no limit of its own (the parent's still holds).

    A child's budget is carved from its parent's: whatever the child's says, no ancestor's limit is ever passed.
    """

    usd: Usd | None = None
    tokens: Count | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    """Wall time on the run's clock from the moment the work starts."""
    calls: Count | None = 200
    depth: Count = 8
    """How many supervisors may stand above a worker."""
    width: Count = 1_000
    """How many instances of steps one supervisor may run in all, retries not counted."""
    parallel: Annotated[int, Field(ge=1)] = 64
    """How many steps of one supervisor may be under way at once."""
    rounds: Count = 2
    """How often a supervisor may replan, and how often its reviewer may send work back."""


FailureKind = Literal[
    "rate_limited", "overloaded", "timeout", "connection", "auth", "quota", "bad_request", "context_too_long",
    "truncated", "invalid_output", "refused", "content_filter", "empty", "unknown_worker", "unknown_tool",
    "tool_failed", "tool_timeout", "in_doubt", "no_progress", "budget", "denied", "invalid_input", "invalid_plan",
    "not_delegated", "rejected", "upstream", "cancelled", "defect",
]  # fmt: skip
"""Why work failed (closed set; the reactions stand in `supervisor/reactions.py`)."""


class Failure(Message):
    """One failure as a value: what kind, in words, and whether the same work may succeed if tried again."""

    kind: FailureKind
    message: str
    """Who, what, expected, found; never a secret."""
    retryable: bool = False
    retry_after: float | None = None
    """Seconds that the other side asked us to wait; None: it did not say."""


class Question(Message):
    """Something only a person can answer, bound to exactly what was asked.

    `id` is derived from the place in the run, so that a resumed run asks the same question; `digest` is that of the
    subject, so that an answer is void once the subject has changed.
    """

    id: str
    path: str
    asks: Literal["approval", "report", "in_doubt"]
    """`approval`: may this be done? `report`: do this and say what came of it. `in_doubt`: was this done?"""
    of: str
    """Name of the person or role who may answer."""
    prompt: str
    subject: Json
    digest: str
    answer_schema: dict[str, Json]
    labels: frozenset[str] = frozenset()


class Answer(Message):
    """A person's answer to one question; the first one recorded wins."""

    question: str
    digest: str
    """Digest of the subject that was answered; an answer to a changed subject is void."""
    approved: bool
    """For `approval`: yes or no. For `report`: False means "I will not do this". For `in_doubt`: it was done."""
    value: Json = None
    """For `report`, the report itself; otherwise None."""
    by: str
    note: str = ""
    at: float = 0.0
    """Seconds since the epoch."""


class Approval(Message):
    """A person said yes."""

    by: str
    note: str = ""


class Handoff(Message, Generic[In]):
    """Work given to one named worker.

    In the journal the payload is JSON; the worker receives it as an instance of the type that it accepts.
    """

    to: str
    payload: In
    reason: str = ""
    budget: Budget = Budget()
    labels: frozenset[str] = frozenset()
    findings: tuple[str, ...] = ()
    """What a reviewer found wrong with the last attempt, in its words; empty on a first attempt."""
    key: str = ""
    """Idempotency key: the same for every attempt at the same place with the same payload."""
    attempt: Annotated[int, Field(ge=1)] = 1


class Done(Message, Generic[Out]):
    """The work was done."""

    type: Literal["done"] = "done"
    output: Out
    confidence: Share | None = None
    """The worker's own estimate that the output is right; None: it has none."""
    usage: Usage = NOTHING_USED


class Failed(Message):
    """The work was not done; what was spent is kept, and so is what was finished."""

    type: Literal["failed"] = "failed"
    failure: Failure
    partial: Json = None
    """What was finished before it failed; None: nothing."""
    usage: Usage = NOTHING_USED


class Skipped(Message):
    """The work was not begun, for a reason."""

    type: Literal["skipped"] = "skipped"
    reason: str
    usage: Usage = NOTHING_USED


class Waiting(Message):
    """The work cannot go on until somebody answers."""

    type: Literal["waiting"] = "waiting"
    questions: tuple[Question, ...]
    usage: Usage = NOTHING_USED


Report = TypeAliasType("Report", Done[Out] | Failed | Skipped | Waiting, type_params=(Out,))
"""What came back, typed by its output."""

JsonReport = Annotated[Done | Failed | Skipped | Waiting, Field(discriminator="type")]
"""A report as the journal holds it: the output is JSON."""


class Approve(Message):
    """The output may be delivered."""

    type: Literal["approve"] = "approve"
    reason: str = ""


class Revise(Message):
    """The output must change: what is wrong, and whose step is to blame."""

    type: Literal["revise"] = "revise"
    findings: tuple[str, ...] = Field(min_length=1)
    blamed: tuple[str, ...] = ()
    """Ids of the steps to run again, with all that depends on them; empty: every step that feeds the output."""


class Reject(Message):
    """The output must not be delivered, and no revision would mend it."""

    type: Literal["reject"] = "reject"
    reason: str


class Escalate(Message):
    """A person must decide."""

    type: Literal["escalate"] = "escalate"
    reason: str


Verdict = Annotated[Approve | Revise | Reject | Escalate, Field(discriminator="type")]
