"""A journal heard as work: what other formats can be told of a run, ours or imported.

Calls of models and tools, handoffs and their reports. Rounds of waiting for people are joined: the first beginning and
the last report of a place hold. What has no report, or waits, is not over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from pydantic import TypeAdapter

from ...protocols.conversation import ChatMessage, Head, Reply
from ...protocols.errors import ScenarioError
from ...protocols.events import Delegated, EffectFailed, EffectFinished, EffectStarted, Reported, RunEnded, RunStarted
from ...protocols.messages import NOTHING_USED, Failure, Json, JsonReport, Usage, Waiting
from ...supervisor.runs import Entry
from ..scenario import Scenario
from .messages import as_text
from .work import Act, ModelCall, ToolRun, Work

_MESSAGES: TypeAdapter[tuple[ChatMessage, ...]] = TypeAdapter(tuple[ChatMessage, ...])
_NUMBERED = re.compile(r"(?P<step>.+)#(?P<attempt>[1-9][0-9]{0,8})")
DEEPEST = 100
"""Places above another."""
_Place: TypeAlias = tuple[str, str, int]


def hear(scenario: Scenario) -> Work:
    """The work that a scenario's journal tells of; without entries, only what was asked.

    Raises:
        ScenarioError: a model call's request is not as our journal writes it.
    """
    ear = _Ear()
    for entry in scenario.entries:
        try:
            ear.take(entry)
        except (ValueError, LookupError, TypeError) as error:
            raise ScenarioError(
                f"{scenario.id}, event {entry.seq}", f"expected what our journal writes, found {str(error)[:200]}"
            ) from None
    header = scenario.header
    root = Work(kind="run", worker=header.worker, payload=header.input, began=header.clock or None)
    return ear.work(root, "")


@dataclass(slots=True)
class _Room:
    """What was heard of one place."""

    handoff: Delegated | None = None
    began: float | None = None
    ended: float | None = None
    report: JsonReport | None = None
    acts: list[_Place | str] = field(default_factory=list[_Place | str])
    """Effects and, by their paths, places below; in the order in which they began."""
    talk: tuple[ChatMessage, ...] = ()


class _Ear:
    def __init__(self) -> None:
        self._rooms: dict[str, _Room] = {"": _Room()}
        self._effects: dict[_Place, ModelCall | ToolRun] = {}
        self._heads: dict[str, Head] = {}

    def take(self, entry: Entry) -> None:
        """Go on by one event."""
        match entry.event:
            case RunStarted():
                self._rooms[""].began = entry.at
            case RunEnded():
                self._report("", entry.event.report, entry.at)
            case Delegated():
                room = self._room(f"{entry.event.path}/{entry.event.step}#{entry.event.attempt}")
                if room.handoff is None:
                    room.handoff, room.began = entry.event, entry.at
            case Reported():
                place = f"{entry.event.path}/{entry.event.step}#{entry.event.attempt}"
                if place in self._rooms:  # else its input could not be made: nobody was given it
                    self._report(place, entry.event.report, entry.at)
            case EffectStarted():
                self._start(entry.event, entry.at)
            case EffectFinished() | EffectFailed():
                self._end(entry.event, entry.at)
            case _:
                pass

    def work(self, work: Work, path: str) -> Work:
        """The work with all that was heard of its place and below."""
        room = self._rooms[path]
        acts: list[Act] = [self._effects[act] if isinstance(act, tuple) else self._below(act) for act in room.acts]
        began = work.began if room.began is None else room.began
        return replace(work, report=room.report, acts=tuple(acts), began=began, ended=room.ended)

    def _below(self, path: str) -> Work:
        name = path.rpartition("/")[2]
        numbered = _NUMBERED.fullmatch(name)
        step, number = (numbered["step"], int(numbered["attempt"])) if numbered else (name, 1)
        handoff = self._rooms[path].handoff
        if handoff is None:
            room = self.work(Work(kind="room", worker="", step=step, attempt=number), path)
            begun = [act.began for act in room.acts if act.began is not None]
            over = [act.ended for act in room.acts if act.ended is not None]
            return replace(room, began=min(begun, default=None), ended=max(over, default=None))
        work = Work(
            kind="handoff", worker=handoff.worker, step=handoff.step, attempt=number, payload=handoff.payload
        )  # fmt: skip
        return self.work(work, path)

    def _room(self, path: str) -> _Room:
        """The place; one heard of for the first time is an act of the place above."""
        if path.count("/") > DEEPEST:
            raise ValueError(f"a place below {DEEPEST} others")
        if path not in self._rooms:
            self._rooms[path] = _Room()
            self._room(path.rpartition("/")[0]).acts.append(path)
        return self._rooms[path]

    def _report(self, path: str, report: JsonReport, at: float) -> None:
        room = self._room(path)
        over = None if isinstance(report, Waiting) else report.model_copy(update={"usage": NOTHING_USED})
        room.report, room.ended = over, None if over is None else at

    def _start(self, event: EffectStarted, at: float) -> None:
        place = (event.path, event.kind, event.n)
        if place in self._effects:  # begun again after a crash
            return
        if event.kind == "model":
            heard: ModelCall | ToolRun = self._call(event, at)
        elif event.kind.startswith("tool:"):
            arguments = event.request["arguments"]
            heard = ToolRun(name=event.kind.removeprefix("tool:"), arguments=arguments, answer=None, began=at)
        else:
            return
        self._effects[place] = heard
        self._room(event.path).acts.append(place)

    def _call(self, event: EffectStarted, at: float) -> ModelCall:
        request = cast("dict[str, Json]", event.request)
        digest = str(request["head_digest"])
        if "head" in request:
            self._heads[digest] = Head.model_validate(request["head"])
        room = self._room(event.path)
        known = room.talk[: int(request["first"])]
        room.talk = known + _MESSAGES.validate_python(request["messages"])
        return ModelCall(
            model=str(request["model"]), head=self._heads[digest], messages=room.talk, answer=None, began=at
        )

    def _end(self, event: EffectFinished | EffectFailed, at: float) -> None:
        heard = self._effects.get((event.path, event.kind, event.n))
        if heard is None:
            return
        place = (event.path, event.kind, event.n)
        if isinstance(heard, ToolRun):
            gave = event.failure if isinstance(event, EffectFailed) else as_text(event.result)
            self._effects[place] = replace(heard, answer=gave, ended=at)
            return
        said: Reply | Failure
        if isinstance(event, EffectFailed):
            said, usage = event.failure, event.usage
        else:
            reply = Reply.model_validate(event.result)
            usage = reply.usage + Usage(calls=0 if reply.usage.calls else 1)
            said = reply.model_copy(update={"usage": usage})
        self._effects[place] = replace(heard, answer=said, usage=usage, ended=at)
