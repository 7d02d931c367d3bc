"""What the spans of a convention mean, and how a trace becomes a run and a run a trace, whatever the convention.

1. The root is the run. An agent's span below another agent is a handoff at `/name#1`, the next one to the same agent
   `/name@2#1`; an agent's model and tool spans are its calls and runs, in the order in which they began.
2. Spans of any other kind only hold what is below them; a model span below a model span is the same call once more.
3. A trace without tool spans has its tool runs from the messages, as far as they tell of them.
4. Two attributes are our own, since no convention has them: `echelon.scenario`, the scenario's id, at the root, and
   `echelon.step`, the last part of a place's path, at agents and at the rooms in which they plan and are reviewed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from ...protocols.errors import ScenarioError
from ...protocols.messages import NOTHING_USED, Done, Failed, Failure, FailureKind, Json, JsonReport, Skipped
from ..scenario import Ending, Scenario
from .chat import failure_kind
from .gaps import Gap, Lacking, note
from .hearing import hear
from .imported import About, Found, lacking
from .reading import Spot
from .spans import Happening, Node, Span
from .work import Act, ModelCall, ToolRun, Work, in_order, last_word, named, opening_of, with_tools

SCENARIO: Final = "echelon.scenario"
STEP: Final = "echelon.step"
_SEGMENT = re.compile(r"(?P<step>[A-Za-z][A-Za-z0-9_-]{0,63}(\[\d{1,9}\]|@\d{1,9})*)#(?P<attempt>[1-9]\d{0,8})")

Kind = Literal["model", "tool", "agent", "other"]
Attributes = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What an agent's span says of it."""

    name: str
    """"": it does not say."""
    payload: Json
    output: Json
    known: tuple[bool, bool] = (True, True)
    """Whether it says what the agent was asked, and what it came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One evaluation of a run as a convention has it."""

    name: str
    label: str
    score: float | None
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """How one convention says things, and how it is said in it: a span's name and attributes."""

    never: frozenset[Gap]
    """What its spans cannot hold, beside what no format holds."""
    kind: Callable[[Span], Kind]
    call: Callable[[Span, Lacking], ModelCall]
    """Without its times; its answer is what the span says it was, whether or not the span failed or is over."""
    tool: Callable[[Span, Lacking], ToolRun]
    agent: Callable[[Span], Agent]
    judgements: Callable[[Span], Iterable[Judgement]]
    tags: Callable[[Span], tuple[str, ...]]
    write_call: Callable[[ModelCall], tuple[str, Attributes]]
    write_tool: Callable[[ToolRun], tuple[str, Attributes]]
    write_agent: Callable[[Work], tuple[str, Attributes]]
    write_root: Callable[[Scenario], tuple[Attributes, tuple[Happening, ...]]]


def run_of(node: Node, words: Vocabulary, about: About) -> Found:
    """The run that a trace tells of.

    Raises:
        ScenarioError: a span says something in another type than the convention's.
    """
    span, lacks = node.span, lacking(*words.never)
    ours = span.attributes[SCENARIO].text("")
    kinds = {words.kind(one) for one in _all(node)}
    if "agent" not in kinds:
        lacks["handoffs"] += 0
    reader = _Reader(words, lacks, derive=not ours and "tool" not in kinds)
    work = reader.root(node, about)
    ending = _ending(list(words.judgements(span)))
    if ending.success == "unscored":
        lacks["outcome"] += 0
    return Found(
        id=ours or span.trace, place=span.place, work=work, lacks=lacks, tags=words.tags(span), ending=ending
    )  # fmt: skip


def _all(node: Node) -> Iterator[Span]:
    yield node.span
    for below in node.below:
        yield from _all(below)


def _ending(judgements: list[Judgement]) -> Ending:
    """The one judgement that says pass or fail; of several, nobody says which is meant."""
    verdicts = [one for one in judgements if one.label in ("pass", "fail")]
    if len(verdicts) != 1:
        return Ending()
    one = verdicts[0]
    score = one.score if one.score is not None and 0 <= one.score <= 1 else None
    return Ending(
        success="yes" if one.label == "pass" else "no", score=score, scorer=one.name, evidence=one.explanation
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the spans of one trace into work."""

    words: Vocabulary
    lacks: Lacking
    derive: bool
    """Whether the runs of tools are read from the messages."""

    def root(self, node: Node, about: About) -> Work:
        """The run."""
        span = node.span
        if self.words.kind(span) not in ("model", "tool"):
            found = self._agent(node, self.words.agent(span))
            return replace(found, kind="run", worker=found.worker or span.name or about.agent)
        acts = self._acts(Node(replace(span, id="", parent=""), (node,)))
        calls = [act for act in acts if isinstance(act, ModelCall)]
        if not calls:
            self.lacks["input"] += 0
        return Work(
            kind="run",
            worker=about.agent,
            payload=opening_of(calls[0]) if calls else None,
            report=last_word(calls[-1], self.lacks) if calls else None,
            acts=acts,
            began=span.began,
            ended=span.ended,
        )

    def _agent(self, node: Node, agent: Agent) -> Work:
        span = node.span
        note(self.lacks, "input", not agent.known[0])
        report: JsonReport | None = None
        if span.failed:
            failure = failure_of(span, "upstream")
            skipped = span.attributes["error.type"].value == "skipped"
            report = Skipped(reason=failure.message) if skipped else Failed(failure=failure)
        elif not span.under_way:
            note(self.lacks, "output", not agent.known[1])
            report = Done(output=agent.output)
        self._timed(span)
        return Work(
            kind="handoff",
            worker=agent.name,
            payload=agent.payload,
            report=report,
            acts=self._acts(node),
            began=span.began,
            ended=span.ended,
        )

    def _acts(self, node: Node) -> tuple[Act, ...]:
        """What was done right at this place, in order."""
        acts = in_order(list(self._below(node)))
        if self.derive:
            acts = with_tools(acts, (), self.lacks)
        steps = [act.segment for act in acts if isinstance(act, Work) and act.step]
        if len(set(steps)) < len(steps):
            raise ScenarioError(node.span.place, f"expected every {STEP} once below one span, found one twice")
        return named(acts)

    def _below(self, node: Node) -> Iterator[Act]:
        for below in node.below:
            span = below.span
            match self.words.kind(span):
                case "model":
                    yield self._call(span)
                    yield from (act for act in self._below(below) if not isinstance(act, ModelCall))
                case "tool":
                    yield self._tool(span)
                    yield from self._below(below)
                case "agent":
                    agent = self.words.agent(span)
                    work = self._agent(below, replace(agent, name=agent.name or span.name))
                    yield _placed(work, span)
                case "other":
                    yield from self._other(below)

    def _other(self, node: Node) -> Iterator[Act]:
        span = node.span
        if _SEGMENT.fullmatch(span.attributes[STEP].text("")) is None:
            yield from self._below(node)
            return
        room = Work(kind="room", worker="", acts=self._acts(node), began=span.began, ended=span.ended)
        yield _placed(room, span)

    def _call(self, span: Span) -> ModelCall:
        call = self.words.call(span, self.lacks)
        note(self.lacks, "model", not call.model)
        self._timed(span)
        if span.failed:
            call = replace(call, answer=failure_of(span, "upstream"))
        elif span.under_way:
            call = replace(call, answer=None, usage=NOTHING_USED)
        return replace(call, began=span.began, ended=span.ended)

    def _tool(self, span: Span) -> ToolRun:
        run = self.words.tool(span, self.lacks)
        self._timed(span)
        if span.failed:
            run = replace(run, answer=failure_of(span, "tool_failed"))
        elif span.under_way:
            run = replace(run, answer=None)
        return replace(run, began=span.began, ended=span.ended)

    def _timed(self, span: Span) -> None:
        note(self.lacks, "timings", not span.began or span.ended == 0)


def _placed(work: Work, span: Span) -> Work:
    """The work with the step that its span names, if it names one of ours."""
    found = _SEGMENT.fullmatch(span.attributes[STEP].text(""))
    return work if found is None else replace(work, step=found["step"], attempt=int(found["attempt"]))


def failure_of(span: Span, otherwise: FailureKind) -> Failure:
    """Why an operation failed, by `error.type`, or by the exception that the span tells of."""
    raised = next((event.attributes for event in span.events if event.name == "exception"), Spot({}, ""))
    code = span.attributes["error.type"].value or raised["exception.type"].value or ""
    message = span.message or raised["exception.message"].text("") or str(code) or "the source does not say why"
    return Failure(kind=failure_kind(str(code), otherwise), message=message)


def spans_of(scenario: Scenario, words: Vocabulary) -> list[Span]:
    """A scenario's run as a trace, its spans in the order in which they began within their parents.

    Raises:
        ScenarioError: its journal is not as ours are.
    """
    writer = _Writer(words, scenario.id)
    work = hear(scenario)
    attributes, events = words.write_root(scenario)
    writer.work(work, "", {SCENARIO: scenario.id, **attributes}, events)
    return writer.spans


@dataclass(slots=True)
class _Writer:
    words: Vocabulary
    scenario: str
    spans: list[Span] = field(default_factory=list[Span])

    def work(self, work: Work, parent: str, more: Attributes, events: tuple[Happening, ...] = ()) -> None:
        """Write a piece of work and all below it."""
        name, attributes = self.words.write_agent(work)
        if work.kind != "run":
            more = {STEP: work.segment, **more}
        failure: Failure | None = None
        match work.report:
            case Failed():
                failure = work.report.failure
            case Skipped():
                failure = Failure(kind="rejected", message=work.report.reason)
                more = {**more, "error.type": "skipped"}
            case _:
                pass
        ended = work.ended if work.report is not None or work.kind == "room" else None
        ident = self._span(name, parent, (work.began, ended), {**attributes, **more}, failure, events)
        for act in work.acts:
            match act:
                case Work():
                    self.work(act, ident, {})
                case ModelCall():
                    self._act(self.words.write_call(act), ident, act)
                case ToolRun():
                    self._act(self.words.write_tool(act), ident, act)

    def _act(self, said: tuple[str, Attributes], parent: str, act: ModelCall | ToolRun) -> None:
        failure = act.answer if isinstance(act.answer, Failure) else None
        ended = None if act.answer is None else act.ended
        self._span(said[0], parent, (act.began, ended), said[1], failure)

    def _span(
        self,
        name: str,
        parent: str,
        times: tuple[float | None, float | None],
        attributes: Attributes,
        failure: Failure | None,
        events: tuple[Happening, ...] = (),
    ) -> str:
        ident = hashlib.sha256(f"{self.scenario} {len(self.spans)}".encode()).hexdigest()[:16]
        told = dict(attributes)
        if failure is not None:
            told.setdefault("error.type", failure.kind)
        span = Span(
            trace=hashlib.sha256(self.scenario.encode()).hexdigest()[:32],
            id=ident,
            parent=parent,
            name=name,
            attributes=Spot(told, ""),
            place="",
            began=times[0],
            ended=times[1],
            failed=failure is not None,
            message="" if failure is None else failure.message,
            events=events,
        )
        self.spans.append(span)
        return ident
