"""A run as spans: who worked, which models and tools they used, what failed, and what it cost.

1. The run, every handoff, plan and review is a span at its place; every model call and tool run is one below its place.
   Teams inside teams are in one journal, so a run is one tree, however deep.
2. A span ends when what it stands for is over. What waits for people is not over, however often the process ends
   meanwhile; so a run that is taken up goes on in the spans that it began.
3. What was under way below something that ended was cut off: it ends with it, as `cancelled`. A place that no handoff
   led to, such as a tier of a cascade, ends with the one above it, at the end of the last thing done there.
4. A run that was called off has ended; if it is taken up all the same, the spans that were cut off are open again, and
   end a second time.
5. Failed tries of a model call, reactions to failures, questions and answers are notes on the span where they belong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import TypeAdapter

from ...protocols.conversation import ChatMessage, Head, Reply
from ...protocols.events import (
    Answered,
    AnswerRefused,
    Asked,
    Attempted,
    Cancelled,
    Claimed,
    Delegated,
    EffectEvent,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Ended,
    Event,
    Expanded,
    Joined,
    Parked,
    PlanFailed,
    Planned,
    PlanRefused,
    PlanRequested,
    Reacted,
    Recovered,
    Reported,
    Reviewed,
    ReviewFailed,
    ReviewRequested,
    Revising,
    RunEnded,
    RunEvent,
    RunStarted,
    StepSkipped,
)
from ...protocols.messages import Done, Failed, Failure, JsonReport, Skipped, Waiting
from ..log import Entry, above, in_doubt
from . import semconv as words
from .bill import fields
from .semconv import Attributes, Capture, Value
from .staff import place_of

_MESSAGES: TypeAdapter[tuple[ChatMessage, ...]] = TypeAdapter(tuple[ChatMessage, ...])
CUT_OFF = Failure(kind="cancelled", message="what it was a part of has ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that happened within a span."""

    name: str
    at: float
    """Seconds since the epoch."""
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One operation."""

    place: str
    """Unique in its run: a path, and of a model call or tool run its kind and number too; "" is the run."""
    above: str | None
    """Place of the span that it is a part of; None: it is the run."""
    name: str
    kind: Literal["internal", "client"] = "internal"
    """`client`: another service did it."""
    attributes: Attributes
    began: float
    """Seconds since the epoch."""
    ended: float | None = None
    """None: it is not over."""
    notes: tuple[Note, ...] = ()
    """In order."""
    error: str = ""
    """Why it failed; of words, only where contents are captured; "": it did not."""
    failed: bool = False


@dataclass(slots=True)
class _Open:
    """A span that is not over."""

    span: Span
    path: str
    is_room: bool = False
    """Whether no event says that it is over."""
    touched: float = 0.0
    notes: list[Note] = field(default_factory=list[Note])
    more: dict[str, Value] = field(default_factory=dict[str, Value])

    def so_far(self) -> Span:
        return replace(self.span, notes=tuple(self.notes), attributes={**self.span.attributes, **self.more})


def spans(entries: Iterable[Entry], capture: Capture = "nothing") -> tuple[Span, ...]:
    """The spans of a run, in the order in which they began, those that are not over among them.

    Example:
        >>> from echelon.protocols.messages import Budget
        >>> begun = RunStarted(run="r", worker="desk", task=1, definitions={}, budget=Budget())
        >>> [(span.name, span.ended) for span in spans([Entry(1, 0.0, begun)])]
        [('invoke_agent desk', None)]
    """
    tracing = Tracing(capture)
    over = {span.place: span for entry in entries for span in tracing.take(entry.event, entry.at)}
    found = over | {span.place: span for span in tracing.under_way}
    return tuple(sorted(found.values(), key=lambda span: (span.began, span.place.count("/"))))


class Tracing:
    """Goes through a run's events in order, and gives each span when it ends."""

    def __init__(self, capture: Capture = "nothing") -> None:
        self._tells = capture == "content"
        self._open: dict[str, _Open] = {}
        self._reviews: dict[tuple[str, int], str] = {}
        self._heads: dict[str, Head] = {}
        self._talks: dict[str, tuple[ChatMessage, ...]] = {}
        self._effects: dict[str, EffectStarted] = {}
        """Model calls and tool runs under way, by place."""
        self._calling: dict[str, str] = {}
        """By path, the place of the model call that was begun there last."""
        self._cut: dict[str, _Open] = {}
        """Open when the run was called off."""

    @property
    def under_way(self) -> Sequence[Span]:
        """Spans that are not over."""
        return [one.so_far() for one in self._open.values()]

    def take(self, event: Event, at: float) -> Sequence[Span]:
        """Go on by one event; the spans that end with it, parts before wholes."""
        match event:
            case Delegated() | PlanRequested() | ReviewRequested():
                return self._hand_over(event, at)
            case Planned() | PlanRefused() | PlanFailed() | Reported() | Reviewed() | ReviewFailed():
                return self._over(event, at)
            case Reacted() | StepSkipped() | Revising() | Ended():
                return self._decided(event, at)
            case EffectStarted() | EffectFinished() | EffectFailed() | Attempted() | Recovered():
                return self._touch(event, at)
            case Expanded() | Joined():
                return ()
            case _:
                return self._stand(event, at)

    # The run

    def _stand(self, event: RunEvent, at: float) -> Sequence[Span]:
        match event:
            case RunStarted():
                told = words.agent(event.worker) | {words.RUN: event.run} | self._said(words.given(event.task))
                if thread := event.tags.get("thread"):
                    told["gen_ai.conversation.id"] = thread
                self._begin("", "", f"invoke_agent {event.worker}", told, at)
            case Claimed():
                self._open |= self._cut
                self._cut = {}
                self._note("", "echelon.claimed", at)
            case Parked():
                self._note("", "echelon.parked", at, {"echelon.questions": len(event.questions)})
            case RunEnded():
                return self._report("", event.report, at)
            case Cancelled():
                cut = {place: one for place, one in self._open.items() if one.path == place}
                over = self._end("", at, Failure(kind="cancelled", message=event.reason))
                self._cut = cut  # what was begun there is begun anew, if ever
                return over
            case _:
                self._converse(event, at)
        return ()

    def _converse(self, event: RunEvent, at: float) -> None:
        match event:
            case Asked():
                told: dict[str, Value] = {"echelon.question": event.question.id, "echelon.asks": event.question.asks}
                self._note(event.path, "echelon.asked", at, told)
            case Answered() | AnswerRefused():
                told = {"echelon.question": event.answer.question, "echelon.approved": event.answer.approved}
                self._note(event.path, f"echelon.{event.type}", at, told)
            case _:
                self._note("", f"echelon.{event.type}", at)

    # Places

    def _hand_over(self, event: Delegated | PlanRequested | ReviewRequested, at: float) -> Sequence[Span]:
        place = place_of(event)
        leader = self._leader(event.path)
        match event:
            case Delegated():
                name = f"invoke_agent {event.worker}"
                told = words.agent(event.worker) | self._said(words.given(event.payload))
                told["echelon.attempt"] = event.attempt
            case PlanRequested():
                name, told = f"plan {leader}", words.agent(leader, "plan")
            case ReviewRequested():
                self._reviews[event.path, event.round] = place
                name, told = f"review {leader}", words.agent(event.by, "")
        self._above(event.path, at)
        self._begin(place, place, name, told, at)
        return ()

    def _leader(self, path: str) -> str:
        """Who leads the team at a place."""
        one = self._open.get(path)
        return "" if one is None else str(one.span.attributes.get(words.AGENT, ""))

    def _over(
        self, event: Planned | PlanRefused | PlanFailed | Reported | Reviewed | ReviewFailed, at: float
    ) -> Sequence[Span]:
        match event:
            case Reported():
                return self._report(f"{event.path}/{event.step}#{event.attempt}", event.report, at)
            case PlanFailed():
                return self._report(f"{event.path}/plan#{event.n}", event.report, at)
            case ReviewFailed():
                return self._report(self._reviews.get((event.path, event.round), ""), event.report, at)
            case Planned():
                place = f"{event.path}/plan#{event.n}"
                self._add(place, {"gen_ai.plan.step.count": len(event.plan.steps)})
                return self._end(place, at)
            case PlanRefused():
                message = "; ".join(f"{fault.step}{fault.field}: {fault.message}" for fault in event.faults)
                return self._end(f"{event.path}/plan#{event.n}", at, Failure(kind="invalid_plan", message=message))
            case Reviewed():
                place = self._reviews.get((event.path, event.round), "")
                self._add(place, {words.VERDICT: event.verdict.type})
                return self._end(place, at)

    def _report(self, place: str, report: JsonReport, at: float) -> Sequence[Span]:
        """End a place with what it came to; what waits is not over."""
        if isinstance(report, Waiting):
            return ()
        self._add(place, words.spent(report.usage))
        match report:
            case Done():
                self._add(place, self._said(words.gave(report.output)))
                return self._end(place, at)
            case Failed():
                return self._end(place, at, report.failure)
            case Skipped():
                self._add(place, {words.ERROR: "skipped"})
                return self._end(place, at, Failure(kind="rejected", message=report.reason))

    def _decided(self, event: Reacted | StepSkipped | Revising | Ended, at: float) -> Sequence[Span]:
        told: dict[str, Value] = {} if isinstance(event, Ended) else self._said({"echelon.reason": event.reason})
        match event:
            case Reacted():
                told |= {words.STEP: f"{event.step}#{event.attempt}", "echelon.reaction": event.reaction}
            case StepSkipped():
                told |= {words.STEP: event.step}
            case Revising():
                told |= {"echelon.steps": event.steps}
            case Ended():
                if event.verdict is not None:
                    self._add(event.path, {words.VERDICT: event.verdict.type})
                return ()
        self._note(event.path, f"echelon.{event.type}", at, told)
        return ()

    # Effects

    def _touch(self, event: EffectEvent, at: float) -> Sequence[Span]:
        match event:
            case EffectStarted():
                self._start(event, at)
            case EffectFinished() | EffectFailed():
                return self._finish(event, at)
            case Attempted():
                told = words.failed(event.failure) | words.spent(event.usage) | {"echelon.attempt": event.attempt}
                self._note(self._calling.get(event.path, event.path), "echelon.attempted", at, told)
            case Recovered():
                told = words.failed(event.failure) | {"echelon.reaction": event.reaction}
                self._note(event.path, "echelon.recovered", at, told)
        return ()

    def _start(self, event: EffectStarted, at: float) -> None:
        """Begin a model call or tool run; other effects are within what their place stands for."""
        place = _place(event)
        told = fields(event.request)
        if event.kind == "model":
            head = self._head(told)
            model = str(told.get("model", ""))
            attributes = words.asked(model, head)
            if self._tells:
                attributes |= words.said(head, self._talk(event.path, told))
            self._calling[event.path] = place
            name = f"chat {model}".rstrip()
        elif event.kind.startswith("tool:"):
            tool = event.kind.removeprefix("tool:")
            attributes = words.tool(tool) | self._said(words.arguments(told.get("arguments")))
            name = f"execute_tool {tool}"
        else:
            return
        self._effects[place] = event
        self._above(event.path, at)
        self._open.pop(place, None)  # a crash cut it off: it begins anew
        self._begin(place, event.path, name, attributes, at)

    def _finish(self, event: EffectFinished | EffectFailed, at: float) -> Sequence[Span]:
        place = _place(event)
        if place not in self._open:
            return ()
        del self._effects[place]
        self._add(place, words.spent(event.usage))
        if isinstance(event, EffectFailed):
            self._add(place, words.tokens(event.usage) if event.kind == "model" else {})
            return self._end(place, at, event.failure)
        if event.kind != "model":
            self._add(place, self._said(words.result(event.result)))
            return self._end(place, at)
        reply = Reply.model_validate(event.result)
        self._add(place, words.replied(reply) | (words.answered(reply) if self._tells else {}))
        return self._end(place, at)

    def _head(self, request: dict[str, object]) -> Head:
        digest = str(request.get("head_digest", ""))
        if "head" in request:
            self._heads[digest] = Head.model_validate(request["head"])
        return self._heads.get(digest, Head(instructions=""))

    def _talk(self, path: str, request: dict[str, object]) -> tuple[ChatMessage, ...]:
        """All messages of a call; its request holds only those that are new."""
        first = request.get("first", 0)
        before = self._talks.get(path, ())[: first if isinstance(first, int) else 0]
        self._talks[path] = before + _MESSAGES.validate_python(request.get("messages", ()))
        return self._talks[path]

    # Spans

    def _said(self, contents: dict[str, Value]) -> dict[str, Value]:
        return contents if self._tells else {}

    def _above(self, path: str, at: float) -> None:
        """See to it that the place has a span: what no handoff led to is a room of the place above."""
        if path and path not in self._open:
            self._above(path.rpartition("/")[0], at)
            self._begin(path, path, path.rpartition("/")[2], {}, at)
            self._open[path].is_room = True

    def _begin(self, place: str, path: str, name: str, attributes: Attributes, at: float) -> None:
        if place in self._open:  # taken up after a wait
            return
        parent, _, last = path.rpartition("/")
        told = {**attributes, words.PATH: path}
        if place == path and place:
            told[words.STEP] = last
        whole = None if not place else parent if place == path else path
        kind: Literal["internal", "client"] = "client" if attributes.get(words.OPERATION) == "chat" else "internal"
        span = Span(place=place, above=whole, name=name.rstrip(), kind=kind, attributes=told, began=at)
        self._open[place] = _Open(span, path, touched=at)

    def _add(self, place: str, attributes: dict[str, Value]) -> None:
        if (one := self._open.get(place)) is not None:
            one.more |= attributes

    def _note(self, place: str, name: str, at: float, attributes: Attributes | None = None) -> None:
        """Note what happened at a place, or at the nearest above it that is not over."""
        while place not in self._open and place:
            place = place.rpartition("/")[0]
        if (one := self._open.get(place)) is not None:
            one.notes.append(Note(name=name, at=at, attributes=attributes or {}))

    def _end(self, place: str, at: float, failure: Failure | None = None) -> list[Span]:
        """End a span, and before it all that is under way below it."""
        one = self._open.get(place)
        if one is None:
            return []
        over: list[Span] = []
        if one.path == place:
            below = [inner for inner, other in self._open.items() if inner != place and _is_within(other.path, place)]
            for inner in reversed(below):
                other = self._open[inner]
                cut = None if other.is_room else CUT_OFF
                over.append(self._close(inner, other.touched if other.is_room else at, cut))
        over.append(self._close(place, at, failure))
        return over

    def _close(self, place: str, at: float, failure: Failure | None) -> Span:
        one = self._open.pop(place)
        for path in above(one.path):
            if path in self._open:
                self._open[path].touched = at
        if (cut := self._effects.pop(place, None)) is not None:
            one.more |= words.spent(in_doubt(cut.reserved))
        span = replace(one.so_far(), ended=at)
        if failure is None:
            return span
        told = {**words.failed(failure), **span.attributes}
        return replace(span, attributes=told, failed=True, error=failure.message if self._tells else "")


def _place(event: EffectStarted | EffectFinished | EffectFailed) -> str:
    """The place of a model call or tool run: no path has a blank."""
    return f"{event.path} {event.kind} {event.n}"


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")
