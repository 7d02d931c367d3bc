"""A plan by a model: what it is told, in how few words, and what becomes of its faults."""

from __future__ import annotations

import json
from typing import Any

import pytest

from echelon.agents.function import worker
from echelon.agents.models.scripted import Said, ScriptedModel
from echelon.protocols.conversation import UserMessage
from echelon.protocols.events import Delegated, Planned, PlanRefused, PlanRequested
from echelon.protocols.messages import Budget, Failure
from echelon.supervisor.planners.model import ModelPlanner
from echelon.supervisor.runs import run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, Text, add, double, of_type, out_of, say

pytestmark = pytest.mark.anyio
FRAMEWORK_LIMIT = 1_600
"""Characters that the framework may spend on a planner's prompt for two workers."""

SAYS = {"id": "b", "worker": "say", "input": out_of("a")}
DOUBLES = {"id": "a", "worker": "double", "input": out_of("task")}
GOOD = {"steps": [DOUBLES, SAYS], "output": out_of("b"), "reason": "simple"}


def boss(*said: Said, **rules: Any) -> Supervisor[Number, Any]:
    """Lead two with a scripted model."""
    model = ScriptedModel(list(said), name="planner")
    whole: dict[str, Any] = {"accepts": Number, "returns": Text, "team": [double, say], "models": [model]} | rules
    return Supervisor("boss", **whole)


def asked(team: Supervisor[Any, Any], call: int = -1) -> list[UserMessage]:
    """What the model was told in a call."""
    (model,) = team.models
    assert isinstance(model, ScriptedModel)
    return [message for message in model.seen[call].messages if isinstance(message, UserMessage)]


def head_of(team: Supervisor[Any, Any]) -> Any:
    """What stays the same from call to call."""
    (model,) = team.models
    assert isinstance(model, ScriptedModel)
    assert len({request.prompt.digest for request in model.seen}) == 1
    return model.seen[0].prompt.head


async def test_one_call_writes_all_steps_and_data_flows_past_the_planner() -> None:
    """It is told the task, the workers and the grammar; no output of a step."""
    team = boss(GOOD)
    outcome = await run(team, Number(n=20))
    assert outcome.output == Text(text="it is 40")
    assert of_type(outcome.events, Planned)[0].reason == "simple"
    assert [message.text for message in asked(team)] == ['{"n":20}']
    assert "- double: Double a number. {n: integer} -> {n: integer}" in head_of(team).instructions
    assert outcome.usage.calls == 1


async def test_the_framework_text_is_short_and_counted() -> None:
    """A hierarchy that talks too much is dear; the user's own instructions are not the framework's."""
    team = boss(GOOD, planner=ModelPlanner("You lead a bureau of numbers."))
    await run(team, Number(n=20))
    head = head_of(team)
    assert head.instructions.startswith("You lead a bureau of numbers.\n\nWrite a plan")
    assert head.framework == len(head.instructions) - len("You lead a bureau of numbers.\n\n")
    assert head.framework < FRAMEWORK_LIMIT


async def test_all_faults_go_back_at_once_with_what_was_refused() -> None:
    """The correction is a whole plan; the reasons are the check's own sentences."""
    bad = {"steps": [{**DOUBLES, "worker": "dubble"}, {**SAYS, "input": out_of("c")}], "output": out_of("b")}
    team = boss(bad, GOOD)
    outcome = await run(team, Number(n=1))
    assert outcome.output == Text(text="it is 2")
    (refused,) = of_type(outcome.events, PlanRefused)
    task, complaint = asked(team)
    assert task.text == '{"n":1}'
    assert len(refused.faults) >= 2
    assert all(f"- {fault.step}{fault.field}: {fault.message}" in complaint.text for fault in refused.faults)
    assert json.loads(complaint.text[complaint.framework :])["steps"][0]["worker"] == "dubble"
    assert of_type(outcome.events, PlanRequested)[1].faults == refused.faults


async def test_three_bad_plans_are_the_last() -> None:
    """Nothing of them ran."""
    bad = {"steps": [{**DOUBLES, "worker": "nobody"}], "output": out_of("a")}
    outcome = await run(boss(bad, bad, bad), Number(n=1))
    assert outcome.failure is not None
    assert outcome.failure.kind == "invalid_plan"
    assert of_type(outcome.events, Delegated) == []


async def test_an_answer_without_delegation_is_nudged_once() -> None:
    """Where the team must do it, unless it need not."""
    answer: dict[str, Any] = {"steps": [], "output": {"text": "it is 2, I think"}}
    outcome = await run(boss(answer, GOOD), Number(n=1))
    assert outcome.output == Text(text="it is 2")
    stubborn = await run(boss(answer, answer), Number(n=1))
    assert stubborn.failure is not None
    assert stubborn.failure.kind == "not_delegated"
    assert (await run(boss(answer, must_delegate=False), Number(n=1))).output == Text(text="it is 2, I think")


async def test_text_that_is_no_plan_is_repaired_in_the_conversation() -> None:
    """Before the plan is checked at all."""
    team = boss("First I would double it.", GOOD)
    outcome = await run(team, Number(n=1))
    assert outcome.output == Text(text="it is 2")
    assert len(of_type(outcome.events, PlanRequested)) == 1


async def test_a_planner_whose_model_fails_fails_typed() -> None:
    """As does one that has none."""
    outcome = await run(boss(Failure(kind="auth", message="no key")), Number(n=1))
    assert outcome.failure is not None
    assert outcome.failure.kind == "auth"
    alone = await run(boss(models=[]), Number(n=1))
    assert alone.failure is not None
    assert alone.failure.message == "/plan#1 has no model: give `models=[...]` to it, to its supervisor, or to the run"


async def test_a_planner_that_wants_to_look_is_shown_that_output_and_answers_with_a_change() -> None:
    """And is shown no other."""
    first = {"steps": [{**DOUBLES, "look": True}, {"id": "other", "worker": "double", "input": {"n": 77}}],
             "output": [out_of("a"), out_of("other")]}  # fmt: skip
    change = {"put": [SAYS], "output": [out_of("b"), out_of("other")], "reason": "small enough"}
    team = boss(first, change, returns=list[object])
    outcome = await run(team, Number(n=3))
    assert outcome.output == [{"text": "it is 6"}, {"n": 154}]
    _, so_far = asked(team)
    known = json.loads(so_far.text[so_far.framework :])
    assert known["why"] == "step 'a' was marked to be looked at"
    assert known["plan"]["steps"][0]["look"] is True
    told = {settled["step"]: settled for settled in known["settled"]}
    assert told["a"] == {"step": "a", "worker": "double", "status": "done", "detail": {"n": 6}}
    assert "154" not in so_far.text


async def test_a_step_that_failed_is_told_with_its_reason_and_replaced() -> None:
    """Finished steps keep their results."""
    calls: list[int] = []

    @worker
    async def counted(number: Number) -> Number:
        """Count."""
        calls.append(number.n)
        return number

    @worker
    async def breaks(number: Number) -> Number:
        """Break."""
        raise ValueError(f"{number.n} is too much")

    first = {"id": "a", "worker": "counted", "input": out_of("task")}
    second = {"id": "b", "worker": "breaks", "input": out_of("a")}
    team = boss(
        {"steps": [first, second], "output": out_of("b")}, {"put": [{**second, "worker": "double"}]},
        team=[counted, breaks, double], returns=Number,
    )  # fmt: skip
    outcome = await run(team, Number(n=3))
    assert outcome.output == Number(n=6)
    assert calls == [3]
    so_far = asked(team)[1]
    known = json.loads(so_far.text[so_far.framework :])
    assert known["why"] == "step 'b' failed for good: tool_failed: breaks raised ValueError: 3 is too much"
    assert known["settled"][1] == {"step": "b", "worker": "breaks", "status": "failed", "detail": known["why"]}


async def test_rounds_are_bounded() -> None:
    """A planner cannot go on for ever."""
    looking = {"steps": [{**DOUBLES, "look": True}], "output": out_of("a")}
    more = [{"put": [{**DOUBLES, "id": f"a{i}", "look": True}], "output": out_of(f"a{i}")} for i in range(5)]
    outcome = await run(boss(looking, *more, returns=Number, budget=Budget(rounds=2)), Number(n=1))
    assert len(of_type(outcome.events, Planned)) == 3


def test_a_planner_is_defined_by_its_instructions_and_models() -> None:
    """A resumed run compares them."""
    assert ModelPlanner("a").definition == {"instructions": "a", "models": []}
    assert ModelPlanner(models=[ScriptedModel([], name="m")]).definition == {"instructions": "", "models": ["m"]}
    assert ModelPlanner().replans
    assert add.card.name == "add"
