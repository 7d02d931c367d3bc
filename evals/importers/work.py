"""A piece of work as any system records it: what an agent was asked, what it did for that, what it came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from pydantic_core import to_jsonable_python

from ...protocols.conversation import ChatMessage, Head, Reply, ToolCall, ToolMessage, UserMessage
from ...protocols.messages import NOTHING_USED, Done, Failed, Failure, Json, JsonReport, Usage
from .gaps import Lacking, note
from .reading import json_or_text, object_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One call of a model, with the whole conversation as it was sent."""

    model: str
    """"": unknown."""
    head: Head
    messages: tuple[ChatMessage, ...]
    answer: Reply | Failure | None
    """None: it was under way when the recording ended, or the source does not have it."""
    usage: Usage = NOTHING_USED
    """Of a reply, the same as its own."""
    began: float | None = None
    """Seconds since the epoch, as everywhere in this module; None: the source does not say."""
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """One run of a tool."""

    name: str
    arguments: Json
    """An object; text where the source has something that is no JSON object."""
    answer: str | Failure | None
    """None: it was under way when the recording ended."""
    began: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one worker did at one place: the run itself, a handoff within it, or a room of a worker for itself."""

    kind: Literal["run", "handoff", "room"]
    """`room`: a place below a worker that nobody was sent to: where it plans, where its work is reviewed."""
    worker: str
    """"": of a room."""
    step: str = ""
    """Instance of a step, as in `Delegated.step`; of a room, its name; of a run, ""."""
    attempt: int = 1
    payload: Json = None
    report: JsonReport | None = None
    """Without its usage; None: it is not over, or it is a room."""
    acts: tuple[Act, ...] = ()
    """In the order in which they began."""
    began: float | None = None
    ended: float | None = None

    @property
    def segment(self) -> str:
        """Of its path."""
        return f"{self.step}#{self.attempt}"


Act: TypeAlias = ModelCall | ToolRun | Work


def with_tools(acts: Sequence[Act], tail: Sequence[ChatMessage], lacks: Lacking) -> tuple[Act, ...]:
    """The acts of one agent with the tool runs between its model calls, as far as the messages tell of them.

    A tool ran for a call that a reply asked for and that a later message answers. When it ran, nobody says.

    Args:
        acts: in order.
        tail: messages after the last reply.
        lacks: is told of tool calls that no message answers, and of the unknown times.
    """
    told: list[Act] = []
    asked: list[ToolCall] = []
    before: tuple[ChatMessage, ...] = ()
    for act in acts:
        if isinstance(act, ModelCall):
            goes_on = act.messages[: len(before)] == before
            told += _ran(asked, act.messages[len(before) :] if goes_on else act.messages)
            before = act.messages
            if isinstance(act.answer, Reply):
                asked += act.answer.tool_calls
        told.append(act)
    told += _ran(asked, tail)
    note(lacks, "tool_results", len(asked))
    note(lacks, "timings", len(told) - len(acts))
    return tuple(told)


def _ran(asked: list[ToolCall], messages: Sequence[ChatMessage]) -> list[ToolRun]:
    """The runs that these messages tell of, in the order of the calls; they are open no more."""
    answers = [message for message in messages if isinstance(message, ToolMessage)]
    runs: list[ToolRun] = []
    for call in list(asked) if answers else ():
        answer = next((one for one in answers if one.call_id == call.id), None)
        if answer is not None:
            answers.remove(answer)
            asked.remove(call)
            runs.append(ToolRun(name=call.name, arguments=arguments_of(call.arguments), answer=answer.text))
    return runs


def opening_of(call: ModelCall) -> Json:
    """What an agent was asked, by its first model call: one message's text, or all messages; None: there are none."""
    match call.messages:
        case ():
            return None
        case (UserMessage(text=text),):
            return text
        case messages:
            return to_jsonable_python(messages)


def last_word(call: ModelCall, lacks: Lacking) -> JsonReport | None:
    """What an agent came to, by its last model call; None, and a gap: the call is not its last word."""
    match call.answer:
        case Reply(tool_calls=(), text=text):
            return Done(output=text)
        case Failure():
            return Failed(failure=call.answer)
        case _:
            lacks["output"] += 0
            return None


def arguments_of(text: str) -> Json:
    """The arguments of a tool call as the journal has them; what is no JSON object stays text.

    Example:
        >>> arguments_of('{"id": 7}'), arguments_of(""), arguments_of("seven")
        ({'id': 7}, {}, 'seven')
    """
    value: Json = json_or_text(text) if text else {}
    return object_of(value) if isinstance(value, dict) else text


def in_order(acts: Sequence[Act]) -> tuple[Act, ...]:
    """By when they began; what has no time stays behind what stands before it."""
    last = float("-inf")
    keyed: list[tuple[float, Act]] = []
    for act in acts:
        last = act.began if act.began is not None else last
        keyed.append((last, act))
    return tuple(act for _, act in sorted(keyed, key=lambda pair: pair[0]))


def named(acts: Sequence[Act]) -> tuple[Act, ...]:
    """The acts with a step for each handoff that has none: the worker's name, and how often it was called upon.

    Example:
        >>> asked = [Work(kind="handoff", worker="Web search") for _ in range(2)]
        >>> [work.step for work in named(asked)]
        ['Web-search', 'Web-search@2']
    """
    taken = {act.segment for act in acts if isinstance(act, Work) and act.step}
    numbers: Counter[str] = Counter()
    told: list[Act] = []
    for act in acts:
        if isinstance(act, Work) and not act.step:
            name, step = plain(act.worker), ""
            while not step or f"{step}#1" in taken:
                numbers[name] += 1
                step = name if numbers[name] == 1 else f"{name}@{numbers[name]}"
            told.append(replace(act, step=step))
        else:
            told.append(act)
    return tuple(told)


def plain(name: str) -> str:
    """A name that may stand in a path: a letter, then at most 63 letters, digits, `_` or `-`.

    Example:
        >>> plain("Web search/2"), plain("7up"), plain("")
        ('Web-search-2', 'w-7up', 'worker')
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in name).strip("-_")
    if not kept:
        return "worker"
    return (kept if kept[0].isalpha() else f"w-{kept}")[:64]
