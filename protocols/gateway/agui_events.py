"""A run as the events of AG-UI 1.0, in the order that its clients insist on.

1. RUN_STARTED, then a snapshot of the state: how the run stands, its plan, what it asks. Deltas (RFC 6902) follow.
2. Each handoff is a step, each tool call a tool call without its insides: payloads are not for the client.
3. Text is the output, in pieces where it is sure, or the question to a person.
4. What was opened is closed; the last event is RUN_FINISHED or RUN_ERROR. A run that waits for people has finished
   with an interrupt for each question; whoever answers them begins the next AG-UI run of the same run of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ..contracts import Card
from ..conversation import Delta
from ..events import (
    Delegated,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    Planned,
    Reported,
)
from ..messages import Done, Failed, Json, Question, Usage
from ..visible import visible, visible_json
from .board import Board
from .legs import Leg
from .rendering import FAILED, failure_text, question_text, said
from .runs import Seen
from .speech import Speech

Wire: TypeAlias = dict[str, Json]

VERSION = "1.0"
"""Of the protocol."""
DECISION: Mapping[str, Json] = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}, "note": {"type": "string"}},
    "required": ["approved"],
}
"""Schema of an answer to what may be done."""


class Telling:
    """Tells one AG-UI run.

    Args:
        card: of the team.
        thread: the client's id of the conversation.
        run: its id of this run.
        of: our run.
    """

    def __init__(self, card: Card, thread: str, run: str, of: str) -> None:
        self._ids = {"threadId": thread, "runId": run}
        self._speech = Speech(card)
        self._of = of
        self._message = f"{of}-{run}"
        self._spoken = False
        self._steps: dict[str, None] = {}
        self._tools: dict[str, None] = {}
        self._board = Board()

    def recall(self, past: Sequence[Seen]) -> None:
        """Learn what had happened before this run began."""
        for one in past:
            self._board.see(one.event)

    def begin(self) -> list[Wire]:
        """What comes first."""
        snapshot = {"run": self._of, "status": "running", "plan": self._plan, "questions": []}
        return [
            {"type": "RUN_STARTED", **self._ids, "protocolVersion": VERSION},
            {"type": "STATE_SNAPSHOT", "snapshot": snapshot},
        ]

    def take(self, seen: Seen | Delta) -> list[Wire]:
        """What an event, or a piece of text, makes of itself."""
        told = self._text(self._speech.hear(seen))
        if isinstance(seen, Seen):
            changes = self._changes(seen.event)
            told += [{"type": "STATE_DELTA", "delta": changes}] if changes else []
            told += self._step(seen.event) + self._tool(seen.event)
        return told

    def end(self, leg: Leg) -> list[Wire]:
        """What comes last."""
        match leg.progress:
            case "waiting":
                return self._interrupted(leg.questions, leg.usage)
            case "cancelled":
                return self._finished({"type": "cancelled"}, leg.usage)
            case "running":
                return self.broken("The run goes on when the server is back.", "unavailable")
            case "over":
                pass
        match leg.report:
            case Done(output=output):
                rest = self._text(self._speech.rest(said(output)))
                return [*rest, *self._finished({"type": "success"}, leg.usage, output)]
            case Failed(failure=failure) if failure.kind == "cancelled":
                return self._finished({"type": "cancelled"}, leg.usage)
            case Failed(failure=failure):
                return self.broken(failure_text(failure.kind, leg.run, leg.verdict), failure.kind)
            case _:
                return self.broken(f"{FAILED}. (run {leg.run})", "failed")

    def broken(self, message: str, code: str) -> list[Wire]:
        """What comes last if it failed."""
        return [*self._closed(), {"type": "RUN_ERROR", "message": message, "code": code}]

    def _interrupted(self, questions: Sequence[Question], usage: Usage) -> list[Wire]:
        asked = [{"id": one.id, "asks": one.asks, "of": one.of, "prompt": visible(one.prompt)} for one in questions]
        delta = [
            {"op": "replace", "path": "/status", "value": "waiting"},
            {"op": "replace", "path": "/questions", "value": asked},
        ]
        text = self._text(question_text(tuple(questions), self._of))
        outcome = {"type": "interrupt", "interrupts": [interrupt_of(one) for one in questions]}
        return [*text, {"type": "STATE_DELTA", "delta": delta}, *self._finished(outcome, usage)]

    def _finished(self, outcome: Json, usage: Usage, result: Json = None) -> list[Wire]:
        kind = outcome["type"]
        status = {"success": "done", "cancelled": "cancelled"}.get(kind)
        delta: list[Wire] = [{"op": "replace", "path": "/status", "value": status}] if status else []
        told: list[Wire] = [{"type": "STATE_DELTA", "delta": delta}] if delta else []
        last = {"type": "RUN_FINISHED", **self._ids, "outcome": outcome, "usage": [usage_of(usage)]}
        return [*told, *self._closed(), last | ({"result": result} if kind == "success" else {})]

    def _closed(self) -> list[Wire]:
        """Close what is open: the text, tool calls, steps."""
        told: list[Wire] = []
        if self._spoken:
            told.append({"type": "TEXT_MESSAGE_END", "messageId": self._message})
        told += [_result(tool, "not known") for tool in self._tools]
        told += [{"type": "STEP_FINISHED", "stepName": step} for step in self._steps]
        self._spoken = False
        self._tools, self._steps = {}, {}
        return told

    def _text(self, piece: str) -> list[Wire]:
        if not piece:
            return []
        told: list[Wire] = []
        if not self._spoken:
            self._spoken = True
            told.append({"type": "TEXT_MESSAGE_START", "messageId": self._message, "role": "assistant"})
        return [*told, {"type": "TEXT_MESSAGE_CONTENT", "messageId": self._message, "delta": piece}]

    def _step(self, event: Event) -> list[Wire]:
        if isinstance(event, Delegated):
            name = _name(event)
            if name in self._steps:
                return []
            self._steps[name] = None
            return [{"type": "STEP_STARTED", "stepName": name}]
        if isinstance(event, Reported) and (name := _name(event)) in self._steps:
            del self._steps[name]
            return [{"type": "STEP_FINISHED", "stepName": name}]
        return []

    def _tool(self, event: Event) -> list[Wire]:
        if not isinstance(event, EffectStarted | EffectFinished | EffectFailed) or not event.kind.startswith("tool:"):
            return []
        call = f"{self._message}:{event.path}:{event.kind}:{event.n}"
        if isinstance(event, EffectStarted):
            self._tools[call] = None
            return [
                {"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": event.kind.removeprefix("tool:")},
                {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": "{}"},
                {"type": "TOOL_CALL_END", "toolCallId": call},
            ]
        if call not in self._tools:
            return []
        del self._tools[call]
        return [_result(call, f"failed ({event.failure.kind})" if isinstance(event, EffectFailed) else "done")]

    def _changes(self, event: Event) -> list[Wire]:
        """What an event changes in the plan, as a patch."""
        changed = self._board.see(event)
        if isinstance(event, Planned) and changed:
            return [{"op": "replace", "path": "/plan", "value": self._plan}]
        lines = self._board.lines
        return [{"op": "replace", "path": f"/plan/{i}/status", "value": lines[i].status} for i in changed]

    @property
    def _plan(self) -> list[Wire]:
        return [{"step": line.step, "worker": line.worker, "status": line.status} for line in self._board.lines]


def interrupt_of(question: Question) -> Wire:
    """A question as an interrupt; of a report, the answer is the report itself."""
    schema = question.answer_schema if question.asks == "report" else DECISION
    whose = {"of": question.of, "subject": visible_json(question.subject), "labels": sorted(question.labels)}
    return {
        "id": question.id,
        "reason": question.asks,
        "message": visible(question.prompt),
        "responseSchema": dict(schema),
        "metadata": {"echelon": whose},
    }


def usage_of(usage: Usage) -> Wire:
    """What was spent, in the protocol's accounting: the parts are in the totals."""
    given = usage.input + usage.cache_read + usage.cache_write
    return {
        "inputTokens": given,
        "outputTokens": usage.output,
        "totalTokens": given + usage.output,
        "reasoningTokens": usage.reasoning,
        "cachedInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write,
    }


def _name(event: Delegated | Reported) -> str:
    """The name of a step, never twice in a run."""
    return f"{event.path}/{event.step}#{event.attempt}".removeprefix("/")


def _result(call: str, content: str) -> Wire:
    return {"type": "TOOL_CALL_RESULT", "messageId": f"{call}:result", "toolCallId": call, "content": content}
