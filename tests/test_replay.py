"""A replay is the recorded run again: the same journal, nothing touched, and where it differs, it says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.faults import Fault
from echelon.agents.models.loopback import LoopbackServer
from echelon.agents.models.openai import OpenAIModel
from echelon.agents.models.scripted import ScriptedModel, ToolCalls
from echelon.agents.tools import Tool, tool
from echelon.evals.replay.canonical import canonical, same
from echelon.evals.replay.modes import Structural
from echelon.evals.replay.replay import replay
from echelon.evals.replay.result import ReplayError
from echelon.evals.scenarios.recording import scenario_from
from echelon.evals.scenarios.redaction import Redactor
from echelon.evals.virtual import in_virtual_time
from echelon.protocols.contracts import Context, Worker
from echelon.protocols.conversation import Head, Prompt, Request, UserMessage
from echelon.protocols.errors import MissError
from echelon.protocols.events import EffectStarted
from echelon.protocols.messages import Budget, Failed, Failure, Json, Message
from echelon.protocols.prices import Rates
from echelon.supervisor.planners.workflow import Handle, Workflow
from echelon.supervisor.runs import Entry, Settings, run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, Text, of_type
from .recordings import ORDER, SCREEN, Shop, recorded, replayed, scenario

SHOP = recorded(Shop().team, ORDER)
"""23 calls of models, tools and functions, one of them tried twice; and a person."""
EDITED = SCREEN.replace("rating", "reviews")


def alone(one: Worker[Any, Any]) -> Worker[Any, Any]:
    """Put somebody in charge of one worker."""
    kinds: tuple[Any, Any] = (one.card.accepts.of, one.card.returns.of)
    flow: Workflow[Any, Any] = Workflow(*kinds)
    flow.output(flow.step(one, flow.task, id="only"))
    return Supervisor("boss", accepts=kinds[0], returns=kinds[1], team=[one], planner=flow)


@pytest.mark.usefixtures("socket_disabled")
def test_a_replay_is_the_same_run_and_touches_nothing() -> None:
    """No model, no tool, no function that reads, and above all no payment; the journal is the same."""
    shop = Shop()
    found = replayed(shop.team, scenario(SHOP.entries)).check()
    assert (shop.deeds, shop.touched) == ([], [])
    assert canonical(found.entries) == canonical(SHOP.entries)
    assert found.outcome is not None
    assert found.outcome.report == SHOP.report
    assert found.replayed.matched == 23
    assert len(of_type(SHOP.events, EffectStarted)) == 26, "and what was done inside of three functions"


def test_recorded_durations_pass_and_people_are_not_waited_for() -> None:
    """So that what is done at the same time overlaps as it did; the boss took an hour."""
    found = replayed(Shop().team, scenario(SHOP.entries))
    begun, ended = SHOP.entries[0].at, SHOP.entries[-1].at
    assert found.seconds == pytest.approx(ended - begun - 3_600.0)
    assert moments(found.entries) == moments(SHOP.entries)
    assert len(moments(SHOP.entries)) == 91, "all up to the boss"


def moments(entries: Sequence[Entry]) -> list[tuple[float, str, str]]:
    """When what happened where until the run parked."""
    parked = next(i for i, entry in enumerate(entries) if entry.event.type == "parked")
    first = entries[: parked + 1]
    return sorted((round(one.at - first[0].at, 3), one.event.path, one.event.type) for one in first)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_arrival_does_not_matter(seed: int) -> None:
    """Whatever is ready at the same time may go first, in the recording and in the replay."""
    shuffled = recorded(Shop().team, ORDER, seed=seed)
    assert same(shuffled.entries, SHOP.entries)
    found = replayed(Shop().team, scenario(shuffled.entries), seed=seed + 1).check()
    assert same(found.entries, SHOP.entries)
    assert found.replayed == replayed(Shop().team, scenario(SHOP.entries)).replayed


def test_an_edited_prompt_is_a_miss_that_names_the_step_and_shows_the_difference() -> None:
    """It is a state of the replay; only `check` raises it."""
    shop = Shop(words=EDITED)
    found = replayed(shop.team, scenario(SHOP.entries))
    assert (found.outcome, found.error, shop.deeds) == (None, "", [])
    assert (found.replayed.missed, found.coverage.unevaluable) == (1, 1)
    divergence = found.replayed.divergence
    assert divergence is not None
    assert (divergence.what, divergence.step, divergence.field) == ("request", "/screen#1", "/instructions")
    assert "-Look up stock and rating.\n+Look up stock and reviews." in divergence.diff
    with pytest.raises(MissError, match=r"^/screen#1 model 0: the recorded request is another one; /instructions: "):
        found.check()
    assert "first divergence: request at /screen#1, /instructions" in found.told


def test_structural_replay_tolerates_other_words_and_lists_them() -> None:
    """The handoff below which that happened is assumed, not exact."""
    found = replayed(Shop(words=EDITED).team, scenario(SHOP.entries), mode=Structural()).check()
    assert found.outcome is not None
    assert found.outcome.report.output == SHOP.report.output  # type: ignore[union-attr] # it was delivered
    assert (found.replayed.tolerated, found.replayed.missed, found.replayed.unused) == (3, 0, 0)
    assert {(one.step, one.field) for one in found.tolerated} == {("/screen#1", "/instructions")}
    assert (found.coverage.exact, found.coverage.assumed) == (11, 1)


class Ask(Message):
    """Something to be answered."""

    text: str
    customer: str = "c1"


def answering(
    *, words: str = "Answer.", tools: Any = (), returns: type[Any] = Text, model: str = "m", said: Json = None
) -> Worker[Any, Any]:
    """Hire an agent that answers."""
    script = ScriptedModel(lambda _: said or {"text": "42"}, name=model)
    return alone(Agent("answer", words, accepts=Ask, returns=returns, tools=tools, models=[script]))


@tool
async def look(text: str) -> str:
    """Look it up."""
    return text


def test_structural_replay_keeps_to_models_tools_and_shapes() -> None:
    """Another model, a new tool and another shape of the answer are more than other words."""
    known = scenario(recorded(answering(), Ask(text="?")).entries)
    assert replayed(answering(words="Answer!"), known, mode=Structural()).check().replayed.tolerated == 1
    for field, team in (
        ("/model", answering(model="other")),
        ("/tools", answering(tools=[look])),
        ("/output/name", answering(returns=Number, said={"n": 1})),
    ):
        found = replayed(team, known, mode=Structural())
        assert found.replayed.divergence is not None
        assert (found.replayed.missed, found.replayed.divergence.field) == (1, field)


def test_structural_replay_keeps_the_fields_that_are_named() -> None:
    """Wherever they stand, in the JSON of a message too."""
    before = answering(words="Answer.")

    def known(customer: str) -> Any:
        outcome = recorded(before, Ask(text="?", customer=customer))
        first = outcome.entries[0]
        task = {"text": "?", "customer": "c1"}
        changed = type(first)(first.seq, first.at, first.event.model_copy(update={"task": task}))
        return scenario([changed, *outcome.entries[1:]])

    mode = Structural(fields=("customer",))
    assert replayed(before, known("c1"), mode=mode).check().replayed.tolerated == 0
    assert replayed(before, known("c2"), mode=Structural()).replayed.missed == 0
    found = replayed(before, known("c2"), mode=mode)
    assert found.replayed.missed == 1
    assert "/messages/0/text" in str(found.misses[0])


def chain(*steps: str, deeds: list[str] | None = None) -> Worker[Number, Number]:
    """Lead workers that each look at the world, one after the other."""
    deeds = [] if deeds is None else deeds

    def made(name: str) -> Worker[Number, Number]:
        @worker(name=name, reads=True)
        async def work(number: Number) -> Number:
            """Adds one."""
            deeds.append(name)
            return Number(n=number.n + 1)

        return work

    team = [made(name) for name in steps]
    flow = Workflow(Number, Number)
    last: Any = flow.task
    for one in team:
        last = flow.step(one, last)
    flow.output(last)
    return Supervisor("chain", accepts=Number, returns=Number, team=team, planner=flow)


def test_a_dropped_step_is_a_divergence_and_its_recording_is_unused() -> None:
    """A run that stops early also differs."""
    known = scenario(recorded(chain("a", "b", "c"), Number(n=0)).entries)
    found = replayed(chain("a", "b"), known)
    assert found.misses == ()
    assert found.unused == (("/c#1", "call", 0),)
    divergence = found.replayed.divergence
    assert divergence is not None
    assert (divergence.what, divergence.field, divergence.found) == ("plan", "/steps/c", "")
    with pytest.raises(ReplayError, match="recorded and never asked for: /c#1 call 0"):
        found.check()


def test_an_added_step_is_a_miss_and_never_a_live_call() -> None:
    """Nothing was recorded of it."""
    deeds: list[str] = []
    known = scenario(recorded(chain("a"), Number(n=0)).entries)
    found = replayed(chain("a", "b", deeds=deeds), known)
    assert deeds == []
    assert str(found.misses[0]) == "/b#1 call 0: the recording holds nothing here"


def test_code_that_gives_another_result_is_a_divergence() -> None:
    """Functions that touch nothing run as they are now."""

    def doubling(times: int) -> Worker[Number, Number]:
        @worker
        async def double(number: Number) -> Number:
            """Multiplies."""
            return Number(n=number.n * times)

        return alone(double)

    known = scenario(recorded(doubling(2), Number(n=3)).entries)
    found = replayed(doubling(3), known)
    divergence = found.replayed.divergence
    assert divergence is not None
    assert (divergence.what, divergence.step, divergence.field) == ("report", "/only#1", "/output/n")
    assert (divergence.expected, divergence.found) == ("6", "9")
    with pytest.raises(ReplayError, match="expected  6\n  found     9"):
        found.check()


def test_what_a_function_did_inside_is_in_the_journal_and_on_the_bill() -> None:
    """It reads the world and asks a model; a replay does neither, and its cost is the same."""
    model = ScriptedModel(["Fine."], price=Rates(input=100.0, output=400.0))

    @worker(reads=True)
    async def weigh(number: Number, context: Context) -> Number:
        """Weighs."""
        request = Request.begin(Prompt.of(Head(instructions="Weigh.")), UserMessage(text=f"{number.n}"))
        await context.reply(model, request)
        return number

    outcome = recorded(alone(weigh), Number(n=3))
    found = replayed(alone(weigh), scenario(outcome.entries)).check()
    assert same(found.entries, outcome.entries)
    assert found.outcome is not None
    assert found.outcome.usage == outcome.usage
    assert outcome.usage.usd > 0
    assert len(model.seen) == 1


def test_models_that_the_run_lent_need_not_be_given() -> None:
    """They are known by their names, and by their prices where the scenario has them."""
    model = ScriptedModel(lambda _: {"text": "42"}, name="lent", price=Rates(input=1.0, output=2.0))
    team = alone(Agent("answer", "Answer.", accepts=Ask, returns=Text))
    outcome = recorded(team, Ask(text="?"), models=[model])
    known = scenario_from(outcome, team, name="lent", models=[model])
    found = replayed(team, known).check()
    assert same(found.entries, outcome.entries)
    assert replayed(team, known, settings=Settings(models=[model])).faithful
    assert len(model.seen) == 1


def test_a_call_that_the_budget_did_not_allow_is_refused_again() -> None:
    """It was never begun, so there is nothing of it in the recording."""

    async def dear(n: int) -> int:
        """Costs a lot."""
        await anyio.sleep(1.0)
        return n

    script = [ToolCalls(("dear", {"n": 1}), ("dear", {"n": 2})), ToolCalls(("dear", {"n": 3}))]
    agent = Agent(
        "spend", "Spend.", accepts=Number, returns=Number, tools=[Tool(dear, usd=0.4)], models=[ScriptedModel(script)]
    )
    outcome = recorded(alone(agent), Number(n=1), budget=Budget(usd=1.0))
    assert outcome.failure is not None
    assert outcome.failure.kind == "budget"
    found = replayed(alone(agent), scenario(outcome.entries)).check()
    assert same(found.entries, outcome.entries)


def test_work_that_ran_out_of_time_runs_out_of_it_again() -> None:
    """Its start was recorded and its end was not: the replay waits until somebody calls it off."""

    @worker(reads=True)
    async def slow(number: Number) -> Number:
        """Takes its time."""
        await anyio.sleep(100.0)
        return number

    flow = Workflow(Number, Number)
    flow.output(flow.step(slow, flow.task))
    team = Supervisor("boss", accepts=Number, returns=Number, team=[slow], planner=flow, budget=Budget(seconds=5.0))
    outcome = recorded(team, Number(n=1))
    assert outcome.failure is not None
    assert outcome.failure.kind == "timeout"
    found = replayed(team, scenario(outcome.entries)).check()
    assert same(found.entries, outcome.entries)
    assert found.seconds == pytest.approx(5.0)


def test_a_recording_that_broke_off_can_be_replayed_up_to_there() -> None:
    """Nobody knows what would have come."""
    outcome = recorded(chain("a", "b"), Number(n=0))
    starts = [i for i, event in enumerate(outcome.events) if isinstance(event, EffectStarted)]
    found = replayed(chain("a", "b"), scenario(outcome.entries[: starts[1] + 1]))
    assert [str(miss) for miss in found.misses] == ["/b#1 call 0: its end was not recorded: the run broke off there"]


def test_a_miss_says_what_is_nearest() -> None:
    """Another kind at the place, other attempts at the step, or all that there was."""

    def one(way: str) -> Worker[Number, Number]:
        asked: list[int] = []

        @worker(name="look")
        async def look_on(number: Number, context: Context) -> Number | Failed:
            """Looks at the clock or casts a die, at once or at the second attempt."""
            asked.append(1)
            if way == "late" and len(asked) == 1:
                return Failed(failure=Failure(kind="upstream", message="not yet", retryable=True))
            for _ in range(2 if way == "twice" else 1):
                await (context.random() if way == "die" else context.now())
            return number

        return alone(look_on)

    known = scenario(recorded(one("clock"), Number(n=1)).entries)
    told = {way: str(replayed(one(way), known).misses[0]) for way in ("die", "late", "twice")}
    assert told == {
        "die": "/only#1 random 0: the recording holds no such request here, only time",
        "late": "/only#2 time 0: the recording holds nothing here, only at /only#1",
        "twice": "/only#1 time 1: the recording holds 1 of these here, and all were asked for",
    }


@pytest.mark.parametrize("entries", [(), SHOP.entries[1:]])
def test_without_a_recorded_run_there_is_nothing_to_replay(entries: Any) -> None:
    """That is said, not raised."""
    found = replayed(Shop().team, scenario(entries))
    assert found.error == "scenario 'one' holds no recorded run: it does not begin with run_started"
    assert found.coverage.unevaluable == 1
    with pytest.raises(ReplayError, match="holds no recorded run"):
        found.check()


def test_a_team_that_takes_other_tasks_cannot_be_tried() -> None:
    """That is said, not raised."""
    found = replayed(answering(), scenario(SHOP.entries))
    assert found.error.startswith("scenario 'one' cannot be replayed: ShapeError: expected Ask: ")
    assert found.entries == ()


@pytest.mark.parametrize("seed", range(4))
def test_calls_at_one_place_are_told_apart_by_what_they_ask(seed: int) -> None:
    """A worker that asks several models at once and numbers nothing: each gets its own answer back, in any order."""

    @worker
    async def poll(text: Text, context: Context) -> Text:
        """Polls."""
        found: dict[str, str] = {}

        async def one(name: str) -> None:
            request = Request.begin(Prompt.of(Head(instructions=f"You are {name}.")), UserMessage(text=text.text))
            found[name] = (await context.reply(model, request)).text

        async with anyio.create_task_group() as group:
            for name in "abcde":
                group.start_soon(one, name)
        return Text(text=",".join(found[name] for name in "abcde"))

    model = ScriptedModel(lambda request: request.prompt.head.instructions[-2], seconds=1.0)
    outcome = recorded(alone(poll), Text(text="?"), seed=seed)
    found = replayed(alone(poll), scenario(outcome.entries), seed=seed + 1).check()
    assert found.outcome is not None
    assert found.outcome.output == Text(text="a,b,c,d,e")
    assert found.replayed.matched == 5
    assert len(model.seen) == 5


@dataclass
class Ticket:
    """Numbers that are never the same."""

    n: int = 0

    def team(self) -> Worker[Any, Any]:
        """Number the question, then answer."""

        @worker
        async def number(text: str) -> Ask:
            """Numbers."""
            self.n += 1
            return Ask(text=text, customer=f"ticket {self.n}")

        model = ScriptedModel(lambda _: {"text": "42"})
        agent = Agent("answer", "Answer.", accepts=Ask, returns=Text, models=[model])
        flow = Workflow(Text, Text)
        text: Handle[str] = flow.task["text"]
        numbered: Handle[Ask] = flow.step(number, text)
        flow.output(flow.step(agent, numbered))
        return Supervisor("desk", accepts=Text, returns=Text, team=[number, agent], planner=flow)


def test_volatile_fields_are_not_compared() -> None:
    """A number that the recording cannot know, in the JSON of a message."""
    tickets = Ticket()
    outcome = recorded(tickets.team(), Text(text="?"))
    found = replayed(tickets.team(), scenario(outcome.entries))
    assert found.replayed.divergence is not None
    assert (found.replayed.missed, found.replayed.divergence.step) == (1, "/number#1")
    known = scenario(outcome.entries, volatile=("customer",))
    assert replayed(tickets.team(), known).check().replayed.tolerated == 0


def test_a_redacted_scenario_replays_where_the_secret_comes_up_again() -> None:
    """The code makes the secret anew; what is asked for is redacted before it is compared."""

    def team() -> Worker[Any, Any]:
        @worker
        async def sign(text: str) -> Ask:
            """Signs."""
            return Ask(text=text, customer="sk-proj-abcdefghijklmnopqrstuvwxyz0123456789")

        model = ScriptedModel(lambda _: {"text": "42"})
        agent = Agent("answer", "Answer.", accepts=Ask, returns=Text, models=[model])
        flow = Workflow(Text, Text)
        text: Handle[str] = flow.task["text"]
        signed: Handle[Ask] = flow.step(sign, text)
        flow.output(flow.step(agent, signed))
        return Supervisor("desk", accepts=Text, returns=Text, team=[sign, agent], planner=flow)

    known = scenario_from(recorded(team(), Text(text="?")), team(), name="secret")
    assert known.header.redactions
    assert replayed(team(), known).check().replayed.matched == 1
    assert replayed(team(), known, redact=Redactor().apply).faithful
    assert replayed(team(), known, redact=as_it_is).replayed.missed == 1


def as_it_is(value: Json) -> Json:
    """Redact nothing."""
    return value


def test_a_run_over_a_faulty_server_is_replayed_without_it() -> None:
    """The tries that failed are in the journal again, and nobody listens any more."""

    async def over_loopback() -> tuple[Any, Any]:
        faults = [Fault.OVERLOADED, None]
        async with LoopbackServer(lambda _: {"text": "42"}, faults=faults) as server:
            model = OpenAIModel("m", base_url=server.base_url, api_key="any", price=Rates(input=1.0, output=1.0))
            team = alone(Agent("answer", "Answer.", accepts=Ask, returns=Text, models=[model]))
            outcome = await run(team, Ask(text="?"))
            await model.aclose()
            return team, outcome

    team, outcome = anyio.run(over_loopback)
    assert [event.type for event in outcome.events].count("attempted") == 1
    found = replayed(team, scenario(outcome.entries)).check()
    assert same(found.entries, outcome.entries)
    assert found.seconds == pytest.approx(outcome.entries[-1].at - outcome.entries[0].at, abs=0.5)


def test_many_replays_go_on_at_once() -> None:
    """They share a loop and a scenario, and nothing else."""
    known = scenario(SHOP.entries)
    found: list[Any] = []

    async def one(words: str) -> None:
        found.append(await replay(Shop(words=words).team, known))

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for words in (SCREEN, EDITED, SCREEN):
                group.start_soon(one, words)

    in_virtual_time(all_of_them)
    assert sorted(one.faithful for one in found) == [False, True, True]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_replay_outside_of_virtual_time_takes_its_time(backend: str) -> None:
    """On either event loop."""
    known = scenario(recorded(chain("a", "b"), Number(n=0)).entries)

    async def take() -> None:
        (await replay(chain("a", "b"), known)).check()

    anyio.run(take, backend=backend)
