"""Every failure of the table (design, section 8) over a real socket: the reaction, and a journal that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.faults import Fault
from echelon.agents.models.loopback import LoopbackServer
from echelon.agents.models.openai import OpenAIModel
from echelon.agents.models.scripted import Said, ToolCalls
from echelon.protocols.contracts import Calls
from echelon.protocols.conversation import Delta, Request, ToolMessage
from echelon.protocols.events import Attempted, Reacted, Recovered
from echelon.protocols.messages import Failure, FailureKind
from echelon.protocols.plans import Fallback
from echelon.protocols.prices import Rates
from echelon.supervisor.drive import Settings
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, of_type

pytestmark = pytest.mark.anyio
PATIENT = Settings(calls=Calls(tries=3, backoff=0.005, deadline=20.0, patience=10.0))
PRICE = Rates(input=1.0, output=1.0)


@worker
async def by_hand(number: Number) -> Number:
    """Do it without a model."""
    return Number(n=-number.n)


def look(table: str) -> str:
    """Look into a table."""
    return f"{table} has 7"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One failure, once or for ever, and what is to come of it."""

    fault: Fault
    times: int = 1
    models: int = 1
    tried: tuple[FailureKind, ...] = ()
    """Failed tries, as the journal has them."""
    met: tuple[str, ...] = ()
    """What the worker did about it."""
    reacted: tuple[str, ...] = ()
    """What the supervisor did about it."""
    n: int | None = 7
    """The output; None: the run failed with `kind`."""
    kind: FailureKind | None = None
    heard: bool = False
    """Whether somebody listens, so that the answer is streamed."""

    def __str__(self) -> str:
        return f"{self.fault.name.lower()}x{self.times}-{self.models}-models"


def team(server: LoopbackServer, models: int, **rules: Any) -> Supervisor[Number, Number]:
    """Have an agent asked, over the wire."""
    asked = [OpenAIModel(f"m{i}", base_url=server.base_url, api_key="any", price=PRICE) for i in range(1, models + 1)]
    finder = Agent("finder", "Find it.", accepts=Number, returns=Number, tools=[look], models=asked)
    flow = Workflow(Number, Number)
    flow.output(flow.step(finder, flow.task, **rules))
    return Supervisor("desk", accepts=Number, returns=Number, team=[finder, by_hand], planner=flow)


async def met(case: Case, **rules: Any) -> Outcome[Number]:
    """Run into the failure."""
    heard: list[object] = []

    def always(_: Request) -> Said:
        return {"n": 7}

    async with LoopbackServer(always, faults=[case.fault] * case.times) as server:
        boss = team(server, case.models, **rules)
        outcome = await run(boss, Number(n=1), listen=heard.append if case.heard else None, settings=PATIENT)
    assert bool(of_type(heard, Delta)) == (case.heard and case.n == 7)
    return outcome


EVER = 99
CASES = [
    # what passes is tried again by the call layer; nobody else hears of it
    Case(fault=Fault.SERVER_ERROR, tried=("overloaded",)),
    Case(fault=Fault.OVERLOADED, times=2, tried=("overloaded", "overloaded")),
    Case(fault=Fault.DROPPED, tried=("connection",)),
    Case(fault=Fault.SHORT_BODY, tried=("connection",)),
    Case(fault=Fault.CUT_STREAM, tried=("connection",), heard=True),
    Case(fault=Fault.STREAM_ERROR, tried=("overloaded",), heard=True),
    Case(fault=Fault.HTML, tried=("connection",)),
    Case(fault=Fault.BROKEN_JSON, tried=("connection",)),
    Case(fault=Fault.NO_CHOICES, tried=("connection",)),
    # then the next model, from before the failure
    Case(fault=Fault.SERVER_ERROR, times=3, models=2, tried=("overloaded",) * 3, met=("stronger_model",)),
    Case(fault=Fault.UNAUTHORIZED, models=2, tried=("auth",), met=("stronger_model",)),
    Case(fault=Fault.QUOTA, models=2, tried=("quota",), met=("stronger_model",)),
    Case(fault=Fault.CONTEXT_TOO_LONG, models=2, tried=("context_too_long",), met=("stronger_model",)),
    # then the step once more, since a server that is down may come back
    Case(fault=Fault.SERVER_ERROR, times=3, tried=("overloaded",) * 3, reacted=("retry",)),
    Case(fault=Fault.SERVER_ERROR, times=EVER, tried=("overloaded",) * 6, reacted=("retry", "fail"), n=None,
         kind="overloaded"),
    # what does not pass is asked once
    Case(fault=Fault.UNAUTHORIZED, times=EVER, tried=("auth",), reacted=("fail",), n=None, kind="auth"),
    Case(fault=Fault.QUOTA, times=EVER, tried=("quota",), reacted=("fail",), n=None, kind="quota"),
    Case(fault=Fault.CONTEXT_TOO_LONG, times=EVER, tried=("context_too_long",), reacted=("fail",), n=None,
         kind="context_too_long"),
    # an answer that is none is repaired once, then a stronger model is asked, then the step fails
    Case(fault=Fault.INVALID_JSON, met=("repair",)),
    Case(fault=Fault.WRONG_SHAPE, met=("repair",)),
    Case(fault=Fault.EMPTY, met=("repair",)),
    Case(fault=Fault.LENGTH, met=("repair",)),
    Case(fault=Fault.WRONG_SHAPE, times=2, models=2, met=("repair", "stronger_model")),
    Case(fault=Fault.WRONG_SHAPE, times=EVER, met=("repair",), reacted=("fail",), n=None, kind="invalid_output"),
    Case(fault=Fault.LENGTH, times=EVER, met=("repair",), reacted=("fail",), n=None, kind="truncated"),
    # a tool that does not exist is answered with those that do
    Case(fault=Fault.UNKNOWN_TOOL, met=("tell_model",)),
    Case(fault=Fault.UNKNOWN_TOOL, times=EVER, met=("tell_model", "tell_model"), reacted=("fail",), n=None,
         kind="no_progress"),
    # a no is a no
    Case(fault=Fault.REFUSAL, times=EVER, models=2, reacted=("fail",), n=None, kind="refused"),
    Case(fault=Fault.FILTERED, times=EVER, models=2, reacted=("fail",), n=None, kind="content_filter"),
    Case(fault=Fault.CONTENT_FILTER, times=EVER, models=2, tried=("content_filter",), reacted=("fail",), n=None,
         kind="content_filter"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_failure_meets_its_reaction_and_the_journal_shows_it(case: Case) -> None:
    """Tries by the call layer, repairs by the worker, the rest by the supervisor: each with its reason."""
    outcome = await met(case)
    tried = of_type(outcome.events, Attempted)
    assert tuple(event.failure.kind for event in tried) == case.tried
    assert tuple(event.reaction for event in of_type(outcome.events, Recovered)) == case.met
    assert tuple(event.reaction for event in of_type(outcome.events, Reacted)) == case.reacted
    assert all(event.reason for event in tried)
    if case.n is None:
        assert outcome.failure is not None
        assert outcome.failure.kind == case.kind
    else:
        assert outcome.output == Number(n=case.n)


async def test_a_provider_that_says_when_is_asked_again_then() -> None:
    """What its 429 asks for is waited for, and is in the journal."""
    script: list[Said] = [Failure(kind="rate_limited", message="slowly", retry_after=0.02), {"n": 7}]
    async with LoopbackServer(script) as server:
        outcome = await run(team(server, 1), Number(n=1), settings=PATIENT)
    (tried,) = of_type(outcome.events, Attempted)
    assert (tried.failure.kind, tried.wait, tried.reason) == ("rate_limited", 0.02, "the provider said when")
    assert outcome.output == Number(n=7)


async def test_a_lost_answer_may_have_been_billed_and_is_on_the_bill_as_assumed() -> None:
    """Marked, so that it can be told apart from what is known."""
    lost = await met(Case(fault=Fault.DROPPED))
    assert lost.usage.calls == 2
    assert 0 < lost.usage.usd_assumed < lost.usage.usd
    assert lost.usage == lost.bill.total
    busy = await met(Case(fault=Fault.OVERLOADED))
    assert busy.usage.usd_assumed == 0


async def test_a_refusal_goes_to_another_worker_where_the_plan_has_one() -> None:
    """And to nobody else."""
    outcome = await met(Case(fault=Fault.REFUSAL, times=EVER, n=-1), on_failure=Fallback(worker="by_hand"))
    assert outcome.output == Number(n=-1)
    (reacted,) = of_type(outcome.events, Reacted)
    assert (reacted.reaction, reacted.worker) == ("fallback", "by_hand")
    assert reacted.reason.startswith("finder failed: refused: ")


async def test_a_conversation_with_tools_survives_what_happens_between_its_calls() -> None:
    """The tool is not run again."""
    runs: list[str] = []

    def peek(table: str) -> str:
        """Look into a table."""
        runs.append(table)
        return f"{table} has 7"

    def script(request: Request) -> Said:
        told = [message for message in request.messages if isinstance(message, ToolMessage)]
        return {"n": 7} if told else ToolCalls(("peek", {"table": "a"}))

    faults = [Fault.DROPPED, Fault.SERVER_ERROR, None, Fault.OVERLOADED, Fault.WRONG_SHAPE]
    async with LoopbackServer(script, faults=faults) as server:
        model = OpenAIModel("m1", base_url=server.base_url, api_key="any", price=PRICE)
        finder = Agent("finder", "Find it.", accepts=Number, returns=Number, tools=[peek], models=[model])
        outcome = await run(finder, Number(n=1), settings=PATIENT)
    assert outcome.output == Number(n=7)
    assert runs == ["a"]
    assert [event.failure.kind for event in of_type(outcome.events, Attempted)] == [
        "connection", "overloaded", "overloaded",
    ]  # fmt: skip
    assert [event.reaction for event in of_type(outcome.events, Recovered)] == ["repair"]
