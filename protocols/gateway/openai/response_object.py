"""A response as OpenAI's Responses API has it, rebuilt from a leg of a run whenever it is asked for.

Its id is `resp_<run>`, and of a later leg `resp_<run>.<leg>`: nothing but the journal has to remember it.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_core import to_json

from ...messages import Json, Message, Question
from .endings import Ending, ending_of
from .legs import Leg
from .usage import response_usage

_ID = re.compile(r"resp_([A-Za-z0-9_-]{1,64})(?:\.([1-9][0-9]{0,5}))?")
_REQUEST = "mcpr_"

Status = Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]


def response_id(run: str, number: int = 1) -> str:
    """The id of the response that a leg is."""
    return f"resp_{run}" if number == 1 else f"resp_{run}.{number}"


def place_in(given: str) -> tuple[str, int] | None:
    """The run and the leg that an id names; None: it is no id of ours.

    Example:
        >>> place_in(response_id("run-7")), place_in(response_id("run-7", 2)), place_in("resp_../x")
        (('run-7', 1), ('run-7', 2), None)
    """
    found = _ID.fullmatch(given)
    return None if found is None else (found[1], int(found[2] or 1))


class Notes(Message):
    """What a response says of its request, kept with the run since nothing else has it."""

    input: tuple[dict[str, Json], ...] = ()
    """Messages as sent, each with its role and text."""
    instructions: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    previous: str | None = None
    background: bool = False
    format: dict[str, Json] = Field(default_factory=lambda: {"type": "text"})

    @property
    def wants(self) -> Literal["text", "json"]:
        """What the client wants its answer in."""
        return "text" if self.format.get("type") == "text" else "json"


def notes_of(leg: Leg) -> Notes:
    """What was noted when the run began; nothing, of a run that this surface did not begin."""
    try:
        return Notes.model_validate_json(leg.started.tags.get("notes", ""))
    except ValidationError:
        return Notes()


def approval_id(question: Question) -> str:
    """The id of the request that a question is."""
    return _REQUEST + question.id


def asked_by(approval_request_id: str) -> str:
    """The question that a request's id names."""
    return approval_request_id.removeprefix(_REQUEST)


def response_of(leg: Leg) -> dict[str, Json]:
    """The response that a leg is, as it stands."""
    notes = notes_of(leg)
    ending = ending_of(leg, wants=notes.wants)
    status = _status(ending)
    over = ending is not None and status != "cancelled"
    body = _frame(leg, notes) | {
        "status": status,
        "completed_at": int(leg.updated) if status == "completed" else None,
        "output": output_of(leg, ending),
        "usage": response_usage(leg.usage) if over else None,
    }
    if ending is not None:
        body["echelon"] = {"run": leg.run, "outcome": ending.outcome, "why": ending.why or None}
        if ending.error is not None:
            code = "rate_limit_exceeded" if ending.why in ("rate_limited", "quota") else "server_error"
            body["error"] = {"code": code, "message": ending.error.message}
        if status == "incomplete":
            body["incomplete_details"] = {"reason": _REASONS.get(ending.finish)}
    return body


_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def _status(ending: Ending | None) -> Status:
    if ending is None:
        return "in_progress"
    if ending.outcome == "cancelled":
        return "cancelled"
    if ending.error is not None:
        return "failed"
    return "incomplete" if ending.finish in _REASONS else "completed"


def _frame(leg: Leg, notes: Notes) -> dict[str, Json]:
    """What does not change while the run goes on; fields without a meaning here have the API's own defaults."""
    previous = notes.previous if leg.number == 1 else response_id(leg.run, leg.number - 1)
    return {
        "id": response_id(leg.run, leg.number), "object": "response", "created_at": int(leg.began),
        "model": leg.started.tags.get("team", leg.started.worker), "error": None, "incomplete_details": None,
        "instructions": notes.instructions, "metadata": notes.metadata, "previous_response_id": previous,
        "background": notes.background, "text": {"format": notes.format}, "store": True,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "truncation": "disabled",
        "reasoning": {"effort": None, "summary": None}, "service_tier": "default", "user": None,
        "temperature": 1.0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "top_logprobs": 0,
        "max_output_tokens": None, "max_tool_calls": None, "safety_identifier": None, "prompt_cache_key": None,
    }  # fmt: skip


def output_of(leg: Leg, ending: Ending | None) -> list[dict[str, Json]]:
    """What a leg has given: its progress, what is said at its end, and what is to be approved."""
    place = response_id(leg.run, leg.number).removeprefix("resp_")
    items: list[dict[str, Json]] = []
    if lines := leg.lines:
        items.append(reasoning(place, lines, status="in_progress" if ending is None else "completed"))
    if ending is None or ending.error is not None or ending.outcome == "cancelled":
        return items
    items.append(message(place, ending))
    return items + [_approval(one, leg) for one in ending.questions if one.asks != "report"]


def reasoning(place: str, lines: tuple[str, ...], status: str) -> dict[str, Json]:
    """The progress of a run."""
    summary = [{"type": "summary_text", "text": line} for line in lines]
    return {"type": "reasoning", "id": f"rs_{place}", "status": status, "summary": summary}


def message(place: str, ending: Ending) -> dict[str, Json]:
    """What is said."""
    part: dict[str, Json] = {"type": "output_text", "text": ending.text, "annotations": [], "logprobs": []}
    if ending.refused:
        part = {"type": "refusal", "refusal": ending.text}
    status = "incomplete" if ending.finish in _REASONS else "completed"
    return {"type": "message", "id": f"msg_{place}", "status": status, "role": "assistant", "content": [part]}


def _approval(question: Question, leg: Leg) -> dict[str, Json]:
    """A question to be answered by yes or no, for clients that have a button for it."""
    asked = {"prompt": question.prompt, "subject": question.subject}
    return {
        "type": "mcp_approval_request",
        "id": approval_id(question),
        "name": question.of,
        "server_label": leg.started.tags.get("team", leg.started.worker),
        "arguments": to_json(asked, inf_nan_mode="null").decode(),
    }


def input_of(leg: Leg) -> list[dict[str, Json]]:
    """What the client said: of the first leg its messages, of a later one its answers; the first one first."""
    place = response_id(leg.run, leg.number).removeprefix("resp_")
    if leg.number == 1:
        return [
            {
                "type": "message",
                "id": f"msg_{place}_in{number}",
                "status": "completed",
                "role": said["role"],
                "content": [{"type": "input_text", "text": said["text"]}],
            }
            for number, said in enumerate(notes_of(leg).input)
        ]
    return [
        {
            "type": "mcp_approval_response",
            "id": f"mcpa_{answer.question}",
            "approval_request_id": _REQUEST + answer.question,
            "approve": answer.approved,
            "reason": answer.note or None,
        }
        for answer in leg.answers
    ]
