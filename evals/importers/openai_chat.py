"""Logs of OpenAI chat completions, one call a line.

A line is one of `{"request": {...}, "response": {...}}`; `{"messages": [...], "response": {...}}` with other fields of
the request beside the messages; or a stored completion, `{"object": "chat.completion", ...}`, with its messages as
`messages` or `input`. Beside them may stand `started` and `ended`, in seconds since the epoch; a response has at least
the whole second in which it was `created`.

Calls are one run, in the order of the file, if they have the same conversation: the first of `conversation_id`,
`thread_id` and `session_id` in the line, in the request's `metadata` or in the response's; a name of the agent may
stand there as `agent`. Without one, a call goes on from another if its messages are that call's, the reply, and more,
or from one that failed if they are the same. Tools ran for the calls that a later message answers.
Source: https://platform.openai.com/docs/api-reference/chat (the completion object, stored completions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from pydantic_core import to_json

from ...protocols.conversation import AssistantMessage, ChatMessage, Reply, digest_of
from ...protocols.errors import ScenarioError
from ...protocols.messages import Json, Usage
from ..scenario import Scenario
from . import chat
from .gaps import Lacking, note
from .hearing import hear
from .imported import NOTHING_KNOWN, About, Found, Imported, imported, lacking
from .messages import conversation, spoken
from .reading import ForeignFile, Spot
from .work import ModelCall, Work, last_word, opening_of, with_tools

NAME: Final = "openai-chat"
VERSION: Final = "1"
CONVERSATION: Final = ("conversation_id", "thread_id", "session_id")


def read(file: BinaryIO, about: About = NOTHING_KNOWN) -> Imported:
    """Read a log.

    Raises:
        ScenarioError: a line is none of the three forms, or the file breaks a rule of `reading`.
    """
    source = ForeignFile(file, about.name, about.limits)
    talks = _Talks(about)

    def found() -> Iterator[Found]:
        for line in source.values():
            talks.take(line)
        yield from (talk.found(number) for number, talk in enumerate(talks.all, 1))

    return imported(f"{NAME}/{VERSION}", about, source, found())


@dataclass(slots=True)
class _Talk:
    """One conversation so far."""

    key: str
    place: str
    agent: str
    response: str = ""
    """Id of its first response."""
    calls: list[ModelCall] = field(default_factory=list[ModelCall])
    lacks: Lacking = field(default_factory=Lacking)

    def found(self, number: int) -> Found:
        """The run that it is."""
        first, last = self.calls[0], self.calls[-1]
        work = Work(
            kind="run",
            worker=self.agent,
            payload=opening_of(first),
            report=last_word(last, self.lacks),
            acts=with_tools(self.calls, (), self.lacks),
            began=first.began,
            ended=last.ended,
        )
        return Found(
            id=self.key or self.response or f"chat-{number}", place=self.place, work=work, lacks=self.lacks
        )  # fmt: skip


class _Talks:
    """All conversations so far: by their ids, and by what a call that goes on from them begins with."""

    def __init__(self, about: About) -> None:
        self.all: list[_Talk] = []
        self._about = about
        self._named: dict[str, _Talk] = {}
        self._open: dict[str, list[_Talk]] = {}

    def take(self, line: Spot) -> None:
        """Put a call to its conversation."""
        lacks = Lacking()
        request, response, whole = _parts(line)
        call = _call(line, request, response, lacks)
        if not call.model:
            call = replace(call, model=self._about.model)
        note(lacks, "model", not call.model)
        if not whole:
            note(lacks, "tools", not request.has("tools"))
        holders = (line, request["metadata"], response["metadata"])
        key = next((text for name in CONVERSATION for one in holders if (text := _name(one[name]))), "")
        talk = self._named.get(key) if key else self._going_on(call.messages)
        if talk is None:
            agent = next((text for one in holders if (text := _name(one["agent"]))), self._about.agent)
            handoffs = lacking("handoffs", "outcome", "references", "tags")
            talk = _Talk(key, line.place, agent, _name(response["id"]), lacks=handoffs)
            self.all.append(talk)
            if key:
                self._named[key] = talk
        talk.calls.append(call)
        talk.lacks.update(lacks)
        if not key and (heard := _heard(call)):
            *_, last = _digests(heard)
            self._open.setdefault(last, []).append(talk)

    def _going_on(self, messages: tuple[ChatMessage, ...]) -> _Talk | None:
        """The conversation whose last words these messages go on from, the latest words first."""
        for digest in reversed(list(_digests(messages))):
            if talks := self._open.get(digest):
                return talks.pop(0)
        return None


def _name(spot: Spot) -> str:
    """A name, as text or number; "": it is something else."""
    return str(spot.value) if isinstance(spot.value, str | int) else ""


def _heard(call: ModelCall) -> tuple[ChatMessage, ...]:
    """What the next call of its conversation begins with."""
    if not isinstance(call.answer, Reply):
        return call.messages
    return (*call.messages, AssistantMessage(text=call.answer.text, tool_calls=call.answer.tool_calls))


def _digests(messages: Iterable[ChatMessage]) -> Iterator[str]:
    """Digest of the messages up to and with each of them."""
    digest = ""
    for message in messages:
        digest = digest_of(digest.encode(), to_json(message))
        yield digest


def _parts(line: Spot) -> tuple[Spot, Spot, bool]:
    """The request, the response, and whether the request is as it was sent.

    Raises:
        ScenarioError: it is none of the forms of a line.
    """
    if line.has("request", "response"):
        return line["request"], line["response"], True
    if line.has("messages", "response"):
        return line, line["response"], False
    if line.has("choices"):
        return line, line, False
    raise ScenarioError(line.place, "expected a request and a response, messages and a response, or a completion")


def _call(line: Spot, request: Spot, response: Spot, lacks: Lacking) -> ModelCall:
    listed = request["messages"] if request.has("messages") else request["input"]
    note(lacks, "messages", listed.value is None)
    instructions, messages = conversation([chat.said_of(one, lacks) for one in listed.items()], lacks)
    tools = tuple(card for tool in request["tools"].items() if (card := chat.tool_of(tool, lacks)) is not None)
    answer = None if response.value is None else chat.answer_of(response, lacks)
    note(lacks, "replies", answer is None)
    made = response["created"].moment()
    began, ended = line["started"].moment(), line["ended"].moment()
    note(lacks, "timings", not began or not ended)
    model = request["model"].text("") or response["model"].text("")
    return ModelCall(
        model=model,
        head=chat.head_of(instructions, tools, request, lacks),
        messages=messages,
        answer=answer,
        usage=answer.usage if isinstance(answer, Reply) else Usage(calls=int(answer is not None)),
        began=made if began is None else began,
        ended=made if ended is None else ended,
    )


def write(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """The model calls of the scenarios as such a log, in the order in which they began.

    Handoffs and the runs of tools have no lines of their own: calls of all agents of a run are one conversation.
    """
    for scenario in scenarios:
        work = hear(scenario)
        metadata = {"conversation_id": scenario.id, "agent": work.worker}
        for call in sorted(_calls(work), key=lambda call: call.began or 0.0):
            yield chat.line_of(_line(call, metadata))


def _calls(work: Work) -> Iterator[ModelCall]:
    for act in work.acts:
        if isinstance(act, Work):
            yield from _calls(act)
        elif isinstance(act, ModelCall):
            yield act


def _line(call: ModelCall, metadata: dict[str, str]) -> Json:
    request: dict[str, Json] = {
        "model": call.model,
        "messages": [chat.said_json(said) for said in spoken(call.head.instructions, call.messages)],
        **chat.parameters_json(call.head),
        "metadata": metadata,
    }
    if call.head.tools:
        request["tools"] = [chat.tool_json(card) for card in call.head.tools]
    made = int(call.ended or call.began or 0)
    response = None if call.answer is None else chat.answer_json(call.answer, made)
    times = {"started": call.began, "ended": call.ended}
    return {"request": request, "response": response, **{k: at for k, at in times.items() if at is not None}}
