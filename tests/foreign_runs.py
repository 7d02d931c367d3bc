"""Runs for the tests of importers: generated ones, a really recorded one of nested teams, and short ways to compare."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import anyio
from hypothesis import strategies as st

from echelon.agents.agent import Agent
from echelon.agents.models.scripted import Said, ScriptedModel, ToolCalls
from echelon.agents.tools import tool
from echelon.evals.importers.imported import NOTHING_KNOWN, About, Imported
from echelon.evals.importers.telling import tell
from echelon.evals.importers.work import Act, ModelCall, ToolRun, Work
from echelon.evals.scenario import Ending, Header, Scenario, Source
from echelon.protocols.contracts import Calls
from echelon.protocols.conversation import (
    AssistantMessage,
    ChatMessage,
    Head,
    OutputCard,
    Reply,
    ToolCall,
    ToolCard,
    ToolMessage,
    UserMessage,
)
from echelon.protocols.events import EffectFailed, EffectFinished, EffectStarted
from echelon.protocols.messages import NOTHING_USED, Done, Failed, Failure, Json, Skipped, Usage
from echelon.protocols.prices import Rates
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import Entry, Outcome, Settings, run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, Text

BEGAN = 1_760_000_000.0
"""When the generated runs begin."""
UNSCORED = Ending()
HEAD = Head(instructions="Be brief.")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
names = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
objects = st.dictionaries(texts, st.integers(-99, 99) | texts | st.booleans() | st.none() | st.lists(texts), max_size=3)
values: st.SearchStrategy[Json] = st.none() | texts | st.integers() | st.lists(objects, max_size=2) | objects
failures = st.builds(Failure, kind=st.sampled_from(["timeout", "tool_failed", "upstream", "quota"]), message=words)
tool_calls = st.lists(st.builds(ToolCall, id=words, name=names, arguments=st.just('{"n": 1}') | words), max_size=2)
messages: st.SearchStrategy[ChatMessage] = (
    st.builds(UserMessage, text=texts)
    | st.builds(AssistantMessage, text=texts, tool_calls=tool_calls.map(tuple))
    | st.builds(ToolMessage, call_id=words, text=texts)
)
cards = st.builds(ToolCard, name=names, description=texts, parameters=objects)
outputs = st.builds(OutputCard, name=names, output_schema=objects, strict=st.booleans())
usages = st.builds(
    Usage, calls=st.just(1), input=st.integers(0, 9), cache_read=st.integers(0, 9), cache_write=st.integers(0, 9),
    output=st.integers(5, 9), reasoning=st.integers(0, 5),
)  # fmt: skip


@st.composite
def heads(draw: st.DrawFn) -> Head:
    """Draw instructions with their tools and parameters, without a response schema."""
    head = Head(
        instructions=draw(texts),
        tools=tuple(draw(st.lists(cards, max_size=2))),
        max_output_tokens=draw(st.sampled_from([100, 4_096])),
        temperature=draw(st.none() | st.sampled_from([0.0, 0.5])),
    )
    return head.model_copy(update={"effort": draw(st.none() | st.sampled_from(["low", "high"]))})


class Ticking:
    """A clock that a test draws: it never goes back, and often stands still."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._at = 0

    def __call__(self) -> float:
        """Read it, in seconds since the epoch."""
        self._at += self._draw(st.integers(0, 3))
        return BEGAN + self._at / 1_000


@st.composite
def acts(draw: st.DrawFn, clock: Ticking, depth: int) -> tuple[Act, ...]:
    """Draw what one worker did."""
    done: list[Act] = []
    said: tuple[ChatMessage, ...] = ()
    head = draw(heads())
    for number in range(draw(st.integers(0, 3))):
        match draw(st.sampled_from(["call", "call", "tool", "work", "room"] if depth else ["call", "tool"])):
            case "call":
                if draw(st.integers(0, 3)) == 0:
                    head, said = draw(heads()), ()
                said = (*said, *draw(st.lists(messages, max_size=2)))
                done.append(draw(calls(clock, head, said)))
            case "tool":
                began, answer = clock(), draw(texts | failures | st.none())
                arguments = draw(objects | st.just("seven"))
                ended = None if answer is None else clock()
                done.append(ToolRun(name=draw(names), arguments=arguments, answer=answer, began=began, ended=ended))
            case "work":
                done.append(draw(works(clock, depth - 1, f"{draw(names)}-{number}")))
            case _:
                inner = draw(acts(clock, 0))
                if inner:
                    done.append(Work(kind="room", worker="", step=f"plan{number}", acts=inner))
    return tuple(done)


@st.composite
def calls(draw: st.DrawFn, clock: Ticking, head: Head, said: tuple[ChatMessage, ...]) -> ModelCall:
    """Draw a model call that says this."""
    began, kind = clock(), draw(st.sampled_from(["reply", "reply", "failure", "none"]))
    usage = NOTHING_USED if kind == "none" else draw(usages)
    answer: Reply | Failure | None = draw(failures) if kind == "failure" else None
    if kind == "reply":
        wanted = tuple(draw(tool_calls))
        answer = Reply(
            text=draw(texts), tool_calls=wanted, refusal=draw(st.none() | words), model=draw(texts), usage=usage,
            finish="tool_calls" if wanted else draw(st.sampled_from(["stop", "length"])),
        )  # fmt: skip
    ended = None if kind == "none" else clock()
    return ModelCall(
        model=draw(names), head=head, messages=said, answer=answer, usage=usage, began=began, ended=ended
    )  # fmt: skip


@st.composite
def works(draw: st.DrawFn, clock: Ticking | None = None, depth: int = 2, step: str = "") -> Work:
    """Draw a run, or with a step a handoff."""
    now = clock or Ticking(draw)
    began, payload = now(), draw(values)
    done = draw(acts(now, depth))
    report = draw(
        values.map(lambda output: Done(output=output))
        | failures.map(lambda failure: Failed(failure=failure))
        | words.map(lambda reason: Skipped(reason=reason))
        | st.none()
    )
    return Work(
        kind="handoff" if step else "run",
        worker=draw(names),
        step=step,
        attempt=draw(st.integers(1, 2)) if step else 1,
        payload=payload,
        report=report,
        acts=done,
        began=began,
        ended=None if report is None else now(),
    )


@st.composite
def scenarios(draw: st.DrawFn, tags: tuple[str, ...] = ()) -> Scenario:
    """Draw a scenario as an import makes it."""
    work = draw(works())
    ending = draw(
        st.just(Ending())
        | st.builds(
            Ending, success=st.sampled_from(["yes", "no"]), score=st.none() | st.sampled_from([0.0, 0.5]),
            scorer=words, evidence=texts,
        )
    )  # fmt: skip
    return scenario_of(work, draw(names), tags, ending)


def call(*said: ChatMessage, gets: Reply | None = None, head: Head = HEAD) -> ModelCall:
    """Ask a model and get an answer for three tokens."""
    usage = Usage(calls=1, input=2, output=1)
    reply = (gets or Reply(text="yes")).model_copy(update={"usage": usage})
    return ModelCall(model="m", head=head, messages=said, answer=reply, usage=usage)


def scenario_of(work: Work, name: str = "a", tags: tuple[str, ...] = (), ending: Ending = UNSCORED) -> Scenario:
    """Make a scenario of work."""
    entries = tell(work, name)
    header = Header(
        id=name, worker=work.worker, input=work.payload, tags=tags, source=Source(kind="imported"),
        clock=entries[0].at,
    )  # fmt: skip
    return Scenario(header=header, entries=entries, ending=ending)


def again(
    read: Callable[[BinaryIO, About], Imported],
    write: Callable[[Iterable[Scenario]], Iterator[str]],
    scenarios: Iterable[Scenario],
    about: About = NOTHING_KNOWN,
) -> Imported:
    """Write scenarios and read what was written."""
    return read(io.BytesIO("".join(write(scenarios)).encode()), about)


def plain(scenario: Scenario) -> Scenario:
    """The scenario without what only the file that it came from says."""
    return replace(scenario, header=scenario.header.model_copy(update={"source": Source(kind="imported")}))


@tool
def look_up(n: int) -> str:
    """Look a number up."""
    if n > 100:
        raise ValueError(f"there is no {n}")
    return f"found {n}"


def agent(name: str, *said: Said, **rules: Any) -> Agent[Any, Any]:
    """Hire an agent that says this, one answer after the other, for a price."""
    model = ScriptedModel(list(said), name=f"model-of-{name}", price=Rates(input=2.0, output=8.0))
    whole: dict[str, Any] = {"accepts": Number, "returns": Text, "models": [model]} | rules
    return Agent(name, f"You are {name}.", **whole)


def nested_teams() -> Supervisor[Any, Any]:
    """Lead a team with a team in it: tools that work and fail, a retry, parallel work, one of each."""
    inner = Workflow(Number, Text)
    finder = agent(
        "finder", ToolCalls(("look_up", {"n": 7}), ("look_up", {"n": 700})), ToolCalls(("look_up", {"n": 8})),
        {"text": "seven"}, tools=[look_up],
    )  # fmt: skip
    broken = Failure(kind="overloaded", message="too many want it", retryable=True)
    writer = agent("writer", {"text": "well written"}, accepts=Text)
    inner.output(inner.step(writer, inner.step(finder, inner.task)))
    desk = Supervisor("desk", accepts=Number, returns=Text, team=[finder, writer], planner=inner)
    outer = Workflow(Number, str)
    judge = agent("judge", broken, "fine", returns=str)
    teller = agent("teller", "told", accepts=Text, returns=str)
    fine = outer.step(judge, outer.task)
    written = outer.step(desk, outer.task)
    outer.output(outer.step(teller, written, after=[fine]))
    return Supervisor("boss", accepts=Number, returns=str, team=[judge, desk, teller], planner=outer)


def recorded() -> Scenario:
    """Run the nested teams, and keep the journal."""

    async def go() -> Outcome[Any]:
        return await run(nested_teams(), Number(n=7), run_id="nested", settings=Settings(calls=Calls(tries=1)))

    outcome = anyio.run(go)
    header = Header(
        id="nested", worker="boss", input={"n": 7}, source=Source(kind="recorded", scripted=True),
        clock=outcome.entries[0].at,
    )  # fmt: skip
    return Scenario(header=header, entries=outcome.entries)


def touches(entries: Sequence[Entry]) -> list[EffectStarted | EffectFinished | EffectFailed]:
    """What happened to models and tools, in canonical order."""
    events = [one.event for one in entries]
    found = [one for one in events if isinstance(one, EffectStarted | EffectFinished | EffectFailed) and _told(one)]
    return sorted(found, key=lambda event: (event.path, event.kind, event.n))


def _told(event: EffectStarted | EffectFinished | EffectFailed) -> bool:
    return event.kind == "model" or event.kind.startswith("tool:")
