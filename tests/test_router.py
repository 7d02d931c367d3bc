"""One worker for the whole task: by rules, by a model, or by default."""

from __future__ import annotations

from typing import Any

import pytest

from echelon.agents.function import Function, worker
from echelon.agents.models.scripted import Said, ScriptedModel
from echelon.protocols.events import Planned, Recovered
from echelon.protocols.messages import Failure
from echelon.supervisor.drive import Settings
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.planners.router import Route, Router
from echelon.supervisor.planners.workflow import Handle
from echelon.supervisor.runs import run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, Text, of_type

pytestmark = pytest.mark.anyio
TASK: Handle[Number] = Handle("task")
BIG = Route(TASK["n"].gt(100), "big")


def named(name: str) -> Function[Number, Text]:
    """Hire somebody who says their name."""

    @worker(name=name)
    async def work(number: Number) -> Text:
        """Say who works."""
        return Text(text=f"{name} did {number.n}")

    return work


async def routed(router: Router, n: int = 1, **rules: Any) -> Outcome[Text]:
    """Give a number to a team of two."""
    boss = Supervisor("boss", accepts=Number, returns=Text, team=[named("small"), named("big")], planner=router)
    return await run(boss, Number(n=n), settings=Settings(**rules))


def choosing(*said: Said) -> ScriptedModel:
    """Have a model choose."""
    return ScriptedModel(list(said))


def why(outcome: Outcome[Any]) -> str:
    """Why this worker was chosen."""
    return of_type(outcome.events, Planned)[0].reason


async def test_the_first_route_that_holds_decides() -> None:
    """No model is asked."""
    outcome = await routed(Router([BIG, Route(TASK.exists(), "small")]), 101, models=[choosing()])
    assert outcome.output.text == "big did 101"
    assert why(outcome) == "route 1 holds"
    assert why(await routed(Router([BIG, Route(TASK.exists(), "small")]), 1)) == "route 2 holds"


async def test_a_model_chooses_where_no_route_holds() -> None:
    """Of the names there are, with a reason; it is told what each does."""
    model = choosing({"worker": "small", "reason": "it is little"})
    outcome = await routed(Router([BIG], models=[model]))
    assert (outcome.output.text, why(outcome)) == ("small did 1", "it is little")
    head = model.seen[0].prompt.head
    assert "- big: Say who works." in head.instructions
    assert head.output is not None
    assert head.output.output_schema["properties"]["worker"]["enum"] == ["small", "big"]
    assert head.framework == len(head.instructions)


async def test_a_name_that_is_nobodys_goes_back_with_the_right_ones() -> None:
    """Like any field that does not fit; then the default."""
    wrong = {"worker": "smal", "reason": "typo"}
    mended = await routed(Router(models=[choosing(wrong, {"worker": "small", "reason": "right"})]))
    assert mended.output.text == "small did 1"
    met = of_type(mended.events, Recovered)[0]
    assert "/worker: input should be 'small' or 'big', found 'smal'" in met.failure.message
    outcome = await routed(Router(models=[choosing(wrong, wrong)], otherwise="big"))
    assert outcome.output.text == "big did 1"
    assert why(outcome).startswith("no choice by a model: expected Choice")


async def test_models_are_inherited_unless_none_shall_be_asked() -> None:
    """`ask_model=False` keeps the choice to the routes."""
    model = choosing({"worker": "small", "reason": "it is little"})
    assert (await routed(Router(), models=[model])).output.text == "small did 1"
    outcome = await routed(Router(ask_model=False, otherwise="big"), models=[model])
    assert (outcome.output.text, why(outcome)) == ("big did 1", "none of 0 routes holds")
    assert len(model.seen) == 1


@pytest.mark.parametrize(
    ("router", "kind"),
    [
        (Router([BIG]), "not_delegated"),
        (Router(models=[ScriptedModel(lambda _: Failure(kind="auth", message="no key"))]), "auth"),
        (Router([Route(TASK.exists(), "nobody")]), "invalid_plan"),
    ],
)
async def test_where_nobody_is_chosen_the_task_fails(router: Router, kind: str) -> None:
    """Typed, and nothing runs."""
    outcome = await routed(router)
    assert outcome.failure is not None
    assert outcome.failure.kind == kind


def test_a_router_is_defined_by_its_routes_and_default() -> None:
    """A resumed run compares them."""
    assert Router([BIG]).definition == Router([BIG]).definition
    others = [Router(), Router([BIG], otherwise="small"), Router([BIG], ask_model=False)]
    assert all(other.definition != Router([BIG]).definition for other in others)
    assert not Router().replans
