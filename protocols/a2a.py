"""What both ends of Agent2Agent (A2A 1.0) share: names of states, numbers, and what two of ours add to the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar, cast

from .messages import Json

P = TypeVar("P")

Wire: TypeAlias = Mapping[str, Json]
"""A message of the protocol, in its JSON."""

TEXT, JSON = "text/plain", "application/json"
QUESTIONS: Final = "application/vnd.echelon.questions+json"
"""Media type of the data part that asks people something: a list of questions, each with the schema of its answer."""
USAGE: Final = "echelon/usage"
"""Key of an ended task's metadata under which stands what it has cost."""

SUBMITTED, WORKING, INPUT = "TASK_STATE_SUBMITTED", "TASK_STATE_WORKING", "TASK_STATE_INPUT_REQUIRED"
AUTH: Final = "TASK_STATE_AUTH_REQUIRED"
COMPLETED, FAILED = "TASK_STATE_COMPLETED", "TASK_STATE_FAILED"
CANCELED, REJECTED = "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"
OVER: Final = frozenset({COMPLETED, FAILED, CANCELED, REJECTED})
"""States that no message changes any more."""

EXACT = 2**53
"""Up to which a whole number is the same as a binary64 one (RFC 8259, 6)."""


def whole(value: Json) -> Json:
    """The same JSON with whole numbers as such: data parts know no others than binary64.

    Example:
        >>> whole([1.0, 1.5, {"n": -0.0}])
        [1, 1.5, {'n': 0}]
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return int(value)
    if isinstance(value, Mapping):
        return {key: whole(each) for key, each in cast("Mapping[str, Json]", value).items()}
    if isinstance(value, list):
        return [whole(each) for each in cast("Sequence[Json]", value)]
    return value


def text_part(text: str) -> Wire:
    """Text."""
    return {"text": text, "mediaType": TEXT}


def data_part(value: Json, kind: str = JSON) -> Wire:
    """JSON."""
    return {"data": value, "mediaType": kind}


def parsed(value: Wire, kind: Callable[[], P]) -> P:
    """A message's JSON as one of the SDK's messages."""
    from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped] # protobuf has no types

    made: Any = ParseDict(dict(value), cast("Any", kind()))
    return cast("P", made)


def wire_of(message: Any) -> Mapping[str, Json]:
    """One of the SDK's messages as JSON, with whole numbers as such."""
    from google.protobuf.json_format import MessageToDict

    return cast("Mapping[str, Json]", whole(MessageToDict(message)))
