"""A response as OpenAI's Responses API has it, rebuilt from a leg of a run whenever it is asked for.

Its id is `resp_<run>`, and of a later leg `resp_<run>.<leg>`: nothing but the journal has to remember it.
"""

from __future__ import annotations

import re
import secrets
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_core import to_json

from ...messages import NOTHING_USED, Json, Message, Question
from ...visible import visible_json
from ..conversation import Said
from ..legs import Leg
from .endings import Ending, Wants, ending_of, told
from .usage import response_usage

_ID = re.compile(r"resp_([A-Za-z0-9_-]{1,64})(?:\.([1-9][0-9]{0,5}))?")
_REQUEST = "mcpr_"

Item = dict[str, Json]
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

    input: tuple[Said, ...] = ()
    """What was sent, without what came before."""
    instructions: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    previous: str | None = None
    """Id of the response that this one goes on from."""
    conversation: str | None = None
    """Id of the conversation that it belongs to, where the client named one."""
    background: bool = False
    format: dict[str, Json] = Field(default_factory=lambda: {"type": "text"})

    @property
    def head(self) -> tuple[Said, ...]:
        """The instructions as the turn that comes before all others."""
        return (Said(role="system", text=self.instructions),) if self.instructions else ()

    @property
    def wants(self) -> Wants:
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


def response_of(leg: Leg) -> Item:
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
        body |= told(ending)
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


def _frame(leg: Leg, notes: Notes) -> Item:
    """What does not change while the run goes on."""
    model = leg.started.tags.get("team", leg.started.worker)
    return frame(response_id(leg.run, leg.number), model, int(leg.began), notes) | {
        "previous_response_id": previous_of(leg)
    }


def frame(name: str, model: str, created: int, notes: Notes) -> Item:
    """A response without an end; fields that have no meaning here have the API's own defaults."""
    return {
        "id": name, "object": "response", "created_at": created, "model": model,
        "status": "in_progress", "completed_at": None, "error": None, "incomplete_details": None,
        "output": [], "usage": None,
        "instructions": notes.instructions, "metadata": notes.metadata, "previous_response_id": notes.previous,
        "conversation": None if notes.conversation is None else {"id": notes.conversation},
        "background": notes.background, "text": {"format": notes.format}, "store": True,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "truncation": "disabled",
        "reasoning": {"effort": None, "summary": None}, "service_tier": "default", "user": None,
        "temperature": 1.0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "top_logprobs": 0,
        "max_output_tokens": None, "max_tool_calls": None, "safety_identifier": None, "prompt_cache_key": None,
    }  # fmt: skip


def begun_of(leg: Leg) -> Item:
    """The response that a leg is, before anything has happened in it."""
    return _frame(leg, notes_of(leg))


def said_aside(model: str, text: str, created: int, notes: Notes) -> Item:
    """A response that no run stands behind, and that nobody can ask for again."""
    name = f"aside-{secrets.token_hex(12)}"
    body = frame(f"resp_{name}", model, created, notes)
    said = message(name, text, status="completed", kind=_kind(notes))
    return body | {
        "status": "completed", "completed_at": created, "output": [said], "usage": response_usage(NOTHING_USED),
    }  # fmt: skip


def said_instead(leg: Leg, text: str) -> Item:
    """A response whose message says something else: the same question, put otherwise."""
    body = response_of(leg)
    place = str(body["id"]).removeprefix("resp_")
    instead = message(place, text, status="completed", kind=_kind(notes_of(leg)))
    return body | {"output": [instead if item["type"] == "message" else item for item in body["output"]]}


def _kind(notes: Notes) -> Literal["output_text", "refusal"]:
    """What text is that is not the answer."""
    return "output_text" if notes.wants == "text" else "refusal"


def previous_of(leg: Leg) -> str | None:
    """The response that this one goes on from, whether named or the last of its conversation; None: there is none."""
    return notes_of(leg).previous if leg.number == 1 else response_id(leg.run, leg.number - 1)


def output_of(leg: Leg, ending: Ending | None) -> list[Item]:
    """What a leg has given: its progress, what is said at its end, and what is to be approved."""
    place = response_id(leg.run, leg.number).removeprefix("resp_")
    items: list[Item] = []
    if lines := leg.lines:
        items.append(reasoning(place, lines, status="in_progress" if ending is None else "completed"))
    if ending is None or ending.error is not None or ending.outcome == "cancelled":
        return items
    status = "incomplete" if ending.finish in _REASONS else "completed"
    items.append(message(place, ending.text, status=status, kind="refusal" if ending.refused else "output_text"))
    return items + [_approval(one, leg) for one in ending.questions if one.asks != "report"]


def reasoning(place: str, lines: tuple[str, ...], status: str) -> Item:
    """The progress of a run."""
    summary = [{"type": "summary_text", "text": line} for line in lines]
    return {"type": "reasoning", "id": f"rs_{place}", "status": status, "summary": summary}


def message(place: str, text: str, *, status: str, kind: Literal["output_text", "refusal"] = "output_text") -> Item:
    """What is said."""
    part: Item = {"type": kind, "refusal": text}
    if kind == "output_text":
        part = {"type": kind, "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "id": f"msg_{place}", "status": status, "role": "assistant", "content": [part]}


def _approval(question: Question, leg: Leg) -> Item:
    """A question to be answered by yes or no, for clients that have a button for it."""
    asked = {"prompt": question.prompt, "subject": visible_json(question.subject)}
    return {
        "type": "mcp_approval_request",
        "id": approval_id(question),
        "name": question.of,
        "server_label": leg.started.tags.get("team", leg.started.worker),
        "arguments": to_json(asked, inf_nan_mode="null").decode(),
    }


def input_of(leg: Leg) -> list[Item]:
    """What the client said: of the first leg its messages, of a later one its answers; the first one first."""
    place = response_id(leg.run, leg.number).removeprefix("resp_")
    if leg.number == 1:
        return [
            {
                "type": "message",
                "id": f"msg_{place}_in{number}",
                "status": "completed",
                "role": said.role,
                "content": [{"type": "input_text", "text": said.whole}],
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
