"""A plan written in Python: handles, conditions, rules; and nothing that changes behind one's back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from echelon.agents.function import worker
from echelon.protocols.errors import ShapeError, UsageError
from echelon.protocols.messages import Done
from echelon.protocols.plans import Brief, Condition, Fallback, Plan, Ref, Repeat
from echelon.supervisor.planners.workflow import ITEM, PREVIOUS, Handle, Workflow, fixed
from echelon.supervisor.plans.references import holds
from echelon.supervisor.runs import run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, Text, add, double, out_of, plan_of, say, step

pytestmark = pytest.mark.anyio
TASK: Handle[Any] = Handle("task")


def test_a_handle_is_a_reference_to_a_part_of_an_output() -> None:
    """Keys are escaped as in a JSON Pointer."""
    assert TASK["a/b"]["c~d"][0].ref == Ref.model_validate({"$from": "task", "at": "/a~1b/c~0d/0"})
    assert TASK.ref.at == ""
    assert (ITEM.source, PREVIOUS.source) == ("item", "previous")


@pytest.mark.parametrize(
    ("condition", "true", "false"),
    [
        (TASK.eq(3), 3, 4),
        (TASK.ne(3), 4, 3),
        (TASK.lt(3), 2, 3),
        (TASK.le(3), 3, 4),
        (TASK.gt(3), 4, 3),
        (TASK.ge(3), 3, 2),
        (TASK.one_of(["a", "b"]), "b", "c"),
        (TASK.exists(), 0, None),
    ],
)
def test_comparisons_of_a_handle_are_conditions(condition: Condition, true: object, false: object) -> None:
    """Of the closed set, each of them."""
    assert holds(condition, {"task": true})
    assert not holds(condition, {"task": false})


def test_handles_anywhere_in_a_mapping_become_references_and_all_else_json() -> None:
    """The plan is data."""
    flow = Workflow(Number, Text)
    flow.step(add, {"left": flow.task["n"], "right": 1})
    flow.output({"text": [Handle("add")["n"], (1, date(2026, 1, 2))], "more": Number(n=1)})
    assert flow.compiled.steps[0].input == {"left": out_of("task", "/n"), "right": 1}
    assert flow.compiled.output == {"text": [out_of("add", "/n"), [1, "2026-01-02"]], "more": {"n": 1}}
    assert Plan.model_validate_json(flow.compiled.model_dump_json(by_alias=True)) == flow.compiled


def test_a_value_given_to_a_step_is_checked_where_it_is_written() -> None:
    """Not when the plan runs."""
    flow = Workflow(Number, Number)
    flow.step(double, Number(n=4))
    assert flow.compiled.steps[0].input == {"n": 4}
    wrong: Any = "four"
    with pytest.raises(ShapeError, match="expected Number"):
        Workflow(Number, Number).step(double, wrong)


def test_every_rule_of_a_step_can_be_said() -> None:
    """And has the step's own default."""
    flow = Workflow(Number, list[Number])
    first = flow.step(double, flow.task)
    until = Repeat(until=PREVIOUS["n"].gt(9), most=3)
    flow.each(
        double, flow.task["list"], {"n": ITEM["n"]}, id="each", after=[first], when=first["n"].gt(1), repeat=until,
        on_failure=Fallback(worker="other"), retries=0, confidence=0.5, review="look",
    )  # fmt: skip
    plain, ruled = flow.compiled.steps
    assert plain == step("double", worker="double", input=out_of("task"))
    assert ruled == step(
        "each", worker="double", input={"n": out_of("item", "/n")}, for_each=out_of("task", "/list"), after=("double",),
        when=first["n"].gt(1), repeat=until, on_failure=Fallback(worker="other"), retries=0, confidence=0.5,
        review="look",
    )  # fmt: skip


def test_steps_are_named_after_their_workers() -> None:
    """With a number from the second on, or where a supervisor has a place of that name; twice is refused."""

    @worker
    async def review(number: Number) -> Number:
        """Review."""
        return number

    flow = Workflow(Number, Number)
    names = [flow.step(one, flow.task).source for one in (double, double, review)]
    assert names == ["double", "double-2", "review-3"]
    with pytest.raises(UsageError, match="there is already a step 'double-2'"):
        flow.step(say, flow.task, id="double-2")


def test_a_plan_knows_its_steps_by_their_ids() -> None:
    """An id that is nobody's is an error."""
    assert plan_of(step("a"), step("b")).step("b") == step("b")
    with pytest.raises(KeyError):
        plan_of(step("a")).step("b")


def test_a_plan_that_has_been_used_is_fixed() -> None:
    """What is added later would silently not be there."""
    flow = Workflow(Number, Number)
    flow.output(flow.step(double, flow.task))
    _ = flow.compiled
    with pytest.raises(UsageError, match="its plan has been used and is fixed; no step can be added"):
        flow.step(double, flow.task)
    with pytest.raises(UsageError, match="no output can be added"):
        flow.output(flow.task)


async def test_each_element_is_given_to_a_worker() -> None:
    """`ITEM` alone is the whole element."""
    flow = Workflow(list[Number], list[Number])
    flow.output(flow.each(double, flow.task))
    boss = Supervisor("boss", accepts=list[Number], returns=list[Number], team=[double], planner=flow)
    assert (await run(boss, [Number(n=1), Number(n=2)])).output == [Number(n=2), Number(n=4)]


async def test_a_step_may_feed_itself_until_it_is_good_enough() -> None:
    """`PREVIOUS` is null at first."""

    @worker
    async def grow(previous: Number | None, start: int) -> Number:
        """Double what there is."""
        return Number(n=start if previous is None else previous.n * 2)

    flow = Workflow(Number, Number)
    given = {"previous": PREVIOUS, "start": flow.task["n"]}
    flow.output(flow.step(grow, given, repeat=Repeat(until=PREVIOUS["n"].gt(9))))
    boss = Supervisor("boss", accepts=Number, returns=Number, team=[grow], planner=flow)
    assert (await run(boss, Number(n=3))).output == Number(n=12)


async def test_a_plan_from_json_is_a_workflow_too() -> None:
    """It is its own definition, and always the same."""
    plan = plan_of(step("a", worker="double", input=out_of("task")))
    flow = fixed(Plan.model_validate_json(plan.model_dump_json(by_alias=True)))
    assert flow.definition == plan.model_dump(mode="json", by_alias=True)
    assert not flow.replans
    boss = Supervisor("boss", accepts=Number, returns=Number, team=[double], planner=flow)
    assert (await run(boss, Number(n=3))).output == Number(n=6)
    proposal = await flow.plan(Brief(task=None), [], double.card.returns, None)  # type: ignore[arg-type] # needs no context
    assert proposal == Done(output=plan)
