"""The agent: a model, its tools, and a typed output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from echelon.agents.agent import Agent
from echelon.agents.models.scripted import Said, ScriptedModel, ToolCalls
from echelon.agents.tools import Key, Tool
from echelon.protocols.conversation import Request, ToolMessage, UserMessage
from echelon.protocols.errors import UsageError
from echelon.protocols.events import EffectStarted, Recovered
from echelon.protocols.messages import Budget, Failure, Handoff
from echelon.protocols.prices import Rates
from echelon.supervisor.answers import answer
from echelon.supervisor.drive import Settings
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.runs import resume, run

from .builders import Number, of_type

pytestmark = pytest.mark.anyio


def agent(*said: Said, tools: Sequence[Any] = (), returns: type[Any] = Number, **rules: Any) -> Agent[Number, Any]:
    """Hire an agent with a scripted model."""
    models = [ScriptedModel(list(said))] if said else ()
    whole: dict[str, Any] = {"accepts": Number, "returns": returns, "tools": tools, "models": models} | rules
    return Agent("finder", "Find it.", **whole)


def seen(worker: Agent[Any, Any], model: int = 0) -> list[Request]:
    """What one of its models was asked."""
    scripted = worker.models[model]
    assert isinstance(scripted, ScriptedModel)
    return scripted.seen


def told(worker: Agent[Any, Any]) -> list[str]:
    """What the tools gave, as the model was told in the last request."""
    return [message.text for message in seen(worker)[-1].messages if isinstance(message, ToolMessage)]


async def test_a_payload_goes_in_as_json_and_an_output_comes_out_typed() -> None:
    """Text goes in and comes out as it is."""
    typed = agent({"n": 7})
    assert (await run(typed, Number(n=1))).output == Number(n=7)
    assert seen(typed)[0].messages == (UserMessage(text='{"n":1}'),)
    plain = Agent("teller", "Tell.", accepts=str, returns=str, models=[ScriptedModel(["seven"])])
    assert (await run(plain, "how many?")).output == "seven"
    assert seen(plain)[0].messages == (UserMessage(text="how many?"),)
    assert plain.prompt.head.output is None


async def test_findings_are_told_after_the_payload() -> None:
    """What a reviewer wants mended; the framework's own words are counted."""
    typed = agent()
    handoff = Handoff(to="finder", payload=Number(n=1), findings=("too small", "no sign"))
    _, said = typed._opening(handoff)  # pyright: ignore[reportPrivateUsage] # as `work` opens
    assert isinstance(said, UserMessage)
    assert said.text == "Your last attempt was sent back. Mend this:\n- too small\n- no sign"
    assert said.framework == len("Your last attempt was sent back. Mend this:\n")


async def test_tools_called_together_run_together() -> None:
    """Each waits for the other to have begun; results come in the order of the calls."""
    begun = [anyio.Event(), anyio.Event()]

    async def meet(me: int) -> str:
        begun[me].set()
        await begun[1 - me].wait()
        return f"{me} was there"

    typed = agent(ToolCalls(("meet", {"me": 0}), ("meet", {"me": 1})), {"n": 7}, tools=[meet])
    assert (await run(typed, Number(n=1))).output == Number(n=7)
    assert told(typed) == ["0 was there", "1 was there"]


async def test_what_a_tool_raises_is_told_to_the_model_and_its_sibling_goes_on() -> None:
    """And the journal says how the failure was met."""

    def look(table: str) -> str:
        if table == "b":
            raise LookupError("no table b")
        return f"{table} is fine"

    typed = agent(ToolCalls(("look", {"table": "b"}), ("look", {"table": "a"}), ("look", {})), {"n": 7}, tools=[look])
    outcome = await run(typed, Number(n=1))
    assert outcome.output == Number(n=7)
    assert told(typed) == [
        "error: tool 'look' raised LookupError: no table b",
        "a is fine",
        "error: tool 'look': expected look: /table: field required",
    ]
    met = of_type(outcome.events, Recovered)
    assert {(event.reaction, event.failure.kind) for event in met} == {
        ("tell_model", "tool_failed"), ("tell_model", "invalid_input"),
    }  # fmt: skip


async def test_a_tool_that_writes_is_done_once_and_gets_its_key() -> None:
    """A resumed run finds its result; the model is not asked again either."""
    keys: list[str] = []

    async def pay(cents: int, key: Key) -> str:
        keys.append(key.value)
        return f"paid {cents}"

    store = MemoryJournal()
    typed = agent(ToolCalls(("pay", {"cents": 5})), {"n": 7}, tools=[Tool(pay, effect=True)])
    assert typed.card.writes
    outcome = await run(typed, Number(n=1), store=store)
    (started,) = [event for event in of_type(outcome.events, EffectStarted) if event.writes]
    assert keys == [started.key]
    lost = MemoryJournal()
    records = list(await store.read(outcome.run))
    await lost.append(records[:-1], "running")
    assert (await resume(typed, outcome.run, store=lost)).output == Number(n=7)
    assert (len(keys), len(seen(typed))) == (1, 2)


async def cut_off(typed: Agent[Number, Any], before: str) -> tuple[Outcome[Any], MemoryJournal]:
    """Run, lose everything from the end of one tool on, resume."""
    store = MemoryJournal()
    outcome = await run(typed, Number(n=1), store=store)
    lost = MemoryJournal()
    records = list(await store.read(outcome.run))
    ends = [i for i, r in enumerate(records) if b'"effect_finished"' in r.body and before.encode() in r.body]
    await lost.append(records[: ends[0]], "running")
    return await resume(typed, outcome.run, store=lost), lost


async def test_one_of_two_tools_may_wait_for_a_person_while_the_other_is_done() -> None:
    """The answer lets the conversation go on where it was; the other is not done again."""
    calls: list[str] = []

    async def pay(cents: int) -> str:
        calls.append("pay")
        return f"paid {cents}"

    async def look() -> str:
        await anyio.lowlevel.checkpoint()
        calls.append("look")
        return "looked"

    def script(request: Request) -> Said:
        return {"n": 7} if len(request.messages) > 1 else ToolCalls(("pay", {"cents": 5}), ("look", {}))

    typed = agent(models=[ScriptedModel(script)], tools=[Tool(pay, effect=True), look])
    waiting, store = await cut_off(typed, "tool:pay")
    assert waiting.status == "waiting"
    assert waiting.questions[0].prompt == 'pay({"cents":5}) was started before a crash. Was it done?'
    looked = calls.count("look")
    await answer(store, waiting.run, waiting.questions[0].id, approved=True, by="eva", value="paid 5")
    assert (await resume(typed, waiting.run, store=store)).output == Number(n=7)
    assert (calls.count("pay"), calls.count("look")) == (1, looked)
    assert told(typed) == ["paid 5", "looked"]


async def test_a_write_in_doubt_fails_the_agent_and_is_not_told_to_the_model() -> None:
    """A model would do it again."""

    async def pay(cents: int) -> str:
        return f"paid {cents}"

    typed = agent(ToolCalls(("pay", {"cents": 5})), {"n": 7}, tools=[Tool(pay, effect=True, on_unknown="fail")])
    outcome, _ = await cut_off(typed, "tool:pay")
    assert outcome.failure is not None
    assert outcome.failure.kind == "in_doubt"
    assert len(seen(typed)) == 2


async def test_a_tool_that_no_budget_allows_ends_the_agent() -> None:
    """No model can mend that; its sibling has been done."""
    done: list[int] = []

    async def look(n: int) -> int:
        done.append(n)
        return n

    dear = Tool(look, usd=1.0)
    typed = agent(ToolCalls(("look", {"n": 1}), ("look", {"n": 2})), {"n": 7}, tools=[dear])
    outcome = await run(typed, Number(n=1), budget=Budget(usd=1.5))
    assert outcome.failure is not None
    assert outcome.failure.kind == "budget"
    assert len(done) == 1
    assert outcome.usage.usd == 1.0


async def test_models_are_inherited() -> None:
    """From the run, unless the agent has its own; without any it fails and says what to do."""
    model = ScriptedModel([{"n": 7}])
    assert (await run(agent(), Number(n=1), settings=Settings(models=[model]))).output == Number(n=7)
    outcome = await run(agent(), Number(n=1))
    assert outcome.failure is not None
    assert outcome.failure.message == (
        "agent 'finder' has no model: give `models=[...]` to it, to its supervisor, or to the run"
    )


async def test_the_next_model_is_asked_where_one_fails_for_good() -> None:
    """What both cost is on the bill."""
    price = Rates(input=1.0, output=1.0)
    weak = ScriptedModel([Failure(kind="context_too_long", message="too long")], name="weak", price=price)
    strong = ScriptedModel([{"n": 7}], name="strong", price=price)
    outcome = await run(agent(models=[weak, strong]), Number(n=1))
    assert outcome.output == Number(n=7)
    assert [event.reaction for event in of_type(outcome.events, Recovered)] == ["stronger_model"]
    assert {line.name for line in outcome.bill.models} == {"weak", "strong"}


async def test_a_conversation_is_bounded() -> None:
    """By the agent's turns."""

    def look(n: int) -> int:
        return n

    typed = agent(*(ToolCalls(("look", {"n": n})) for n in range(9)), tools=[look], turns=3)
    outcome = await run(typed, Number(n=1))
    assert outcome.failure is not None
    assert outcome.failure.message == "no answer after 3 model calls"


async def test_a_defect_of_a_model_is_a_defect_of_the_agent() -> None:
    """A script that is too short, say."""
    outcome = await run(agent("no json"), Number(n=1))
    assert outcome.failure is not None
    assert outcome.failure.kind == "defect"
    assert "the script has 1 answers, and this is call 2" in outcome.failure.message


def test_two_tools_of_one_name_are_refused() -> None:
    """A model could not tell them apart."""

    def look() -> None:
        """Look."""

    with pytest.raises(UsageError, match=r"agent 'finder': two of its tools have the same name: \['look', 'look'\]"):
        _ = agent(tools=[look, Tool(look)]).card


def test_an_agent_is_described_to_planners_by_its_instructions_or_better() -> None:
    """A definition is what it is made of."""
    plain, said = agent(), agent(description="Finds.")
    assert (plain.card.description, said.card.description) == ("Find it.", "Finds.")
    assert plain.definition == said.definition != agent(turns=2).definition
    assert plain.parts == ()
    assert plain.prompt.head.output is not None
