"""The decisions of a run: who was given the work, out of whom, how likely that was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from pydantic_core import to_json

from echelon import ScriptedModel, Supervisor, Workflow, run
from echelon.agents.models.scripted import Said
from echelon.evals.scenarios.decisions import Decision, decisions
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Request, digest_of
from echelon.protocols.events import Delegated, EffectFinished, EffectStarted, Event, Migrated, Planned
from echelon.protocols.messages import Json
from echelon.protocols.plans import Fallback, Plan
from echelon.supervisor.planners.router import Route, Router
from echelon.supervisor.planners.workflow import Handle
from echelon.supervisor.runs import Outcome

from .builders import Number, Text, double, failing, plan_of, say, step
from .desks import worked


def led(team: Sequence[Worker], task: Json = 3, *, boss: str = "boss", **rules: Any) -> Supervisor[Number, Number]:
    """Lead a team that works on numbers."""
    return Supervisor(boss, accepts=Number, returns=Number, team=team, **rules)


def of(team: Worker, task: object = None) -> Outcome[Any]:
    """Run a team on a number."""

    async def work() -> Outcome[Any]:
        return await run(team, task or Number(n=3), run_id="run-1")

    return anyio.run(work)


def made(outcome: Outcome[Any]) -> list[Decision]:
    """List the decisions of a run."""
    return list(decisions(outcome.events))


OTHER = failing("other", times=0)


def test_a_handoff_by_rule_is_certain_and_names_who_else_could_have_done_it() -> None:
    """The candidates are those of the same types, in team order; what was decided on is the task."""
    planner = Router([Route(Handle("task")["n"].gt(2), "double")], otherwise="other", ask_model=False)
    outcome = of(led([OTHER, say, double], planner=planner))
    (decision,) = made(outcome)
    assert (decision.id, decision.path, decision.step, decision.attempt) == ("/routed#1", "", "/routed", 1)
    assert (decision.candidates, decision.chosen, decision.propensity) == (("other", "double"), "double", 1.0)
    assert decision.context == decision.payload == digest_of(to_json({"n": 3}), b"[]")
    assert decision.policy == outcome.events[0].definitions["boss"]  # type: ignore[union-attr] # a run starts with them
    assert isinstance(outcome.entries[decision.seq - 1].event, Delegated)
    assert outcome.entries[decision.seq - 1].seq == decision.seq
    assert decision.rejected == ("other: the plan names double",)


@pytest.mark.parametrize("likely", [0.0, 0.5, 1.0])
def test_a_drawn_handoff_is_as_likely_as_its_router_says(likely: float) -> None:
    """Each draw has its own propensity."""
    planner = Router(otherwise="double", ask_model=False, explore=likely)
    found = [made(of(led([double, OTHER], planner=planner)))[0] for _ in range(20)]
    expected = {"double": 1 - likely / 2, "other": likely / 2}
    assert {one.candidates for one in found} == {("double", "other")}
    assert all(one.propensity == expected[one.chosen] for one in found)


def choosing(_: Request) -> Said:
    """Choose a worker."""
    return {"worker": "double", "reason": "it fits"}


def test_nobody_knows_how_likely_a_model_chooses() -> None:
    """What it decided on is the request."""
    outcome = of(led([double, OTHER], planner=Router(models=[ScriptedModel(choosing)])))
    (decision,) = made(outcome)
    asked = next(e for e in outcome.events if isinstance(e, EffectStarted))
    assert (decision.chosen, decision.propensity, decision.context) == ("double", None, asked.digest)


def test_attempts_after_the_first_follow_by_rule() -> None:
    """A retry, and the fallback after it."""
    flow = Workflow(Number, Number)
    flow.output(flow.step(failing("weak"), flow.task, on_failure=Fallback(worker="double"), retries=1))
    found = made(of(led([failing("weak"), double], planner=flow)))
    told = [(one.id, one.step, one.attempt, one.chosen, one.propensity) for one in found]
    assert told == [
        ("/weak#1", "/weak", 1, "weak", 1.0),
        ("/weak#2", "/weak", 2, "weak", 1.0),
        ("/weak#3", "/weak", 3, "double", 1.0),
    ]


def test_a_step_that_a_new_plan_gives_to_another_is_a_choice_of_that_plan() -> None:
    """One that it leaves as it was is not."""
    asked = EffectStarted(path="/plan#2", kind="model", n=0, digest="asked", request={"model": "m", "head_digest": "h"})
    first, second = plan_of(step("a"), step("b")), plan_of(step("a"), step("b", worker="x"))

    def given(name: str, worker: str, attempt: int) -> Delegated:
        return Delegated(step=name, worker=worker, attempt=attempt, payload=1, digest="d", reason="")

    events: list[Event] = [
        Planned(n=1, plan=first), given("a", "w", 1), given("b", "w", 1),
        asked, Planned(n=2, plan=second), given("a", "w", 2), given("b", "x", 2), given("b", "x", 3),
    ]  # fmt: skip
    assert [(one.id, one.propensity) for one in decisions(events)] == [
        ("/a#1", 1.0), ("/b#1", 1.0), ("/a#2", 1.0), ("/b#2", None), ("/b#3", 1.0),
    ]  # fmt: skip


def test_work_that_is_taken_up_again_is_the_same_decision() -> None:
    """After a wait for a person there are as many decisions as places."""
    found = list(decisions(worked().events))
    assert [one.id for one in found] == ["/finder#1", "/pay#1", "/boss#1", "/close#1"]


def test_a_supervisor_that_delivers_without_a_handoff_has_decided_for_itself() -> None:
    """Itself and nobody are candidates beside the whole team."""
    plan: Json = {"steps": [], "output": {"n": 7}}
    team = led([double, say], must_delegate=False, models=[ScriptedModel([plan])])
    (decision,) = made(of(team))
    assert (decision.id, decision.step, decision.chosen) == ("/", "", "self")
    assert decision.candidates == ("double", "say", "self", "none")
    assert decision.propensity is None


def test_a_supervisor_that_fails_without_a_handoff_has_decided_for_nobody() -> None:
    """By rule, that is certain."""
    (decision,) = made(of(led([double], planner=Router(ask_model=False))))
    assert (decision.chosen, decision.propensity, decision.candidates) == ("none", 1.0, ("double", "self", "none"))


def test_a_team_in_a_team_decides_for_itself() -> None:
    """With its own policy and team; steps of a for_each are decided one by one."""
    inner = Workflow(Number, Number)
    inner.output(inner.step(double, inner.task))
    team = led([double, OTHER], boss="team", planner=inner)
    outer = Workflow(Number, Number)
    outer.output(outer.step(team, outer.task))
    outcome = of(led([team, say], planner=outer))
    first, second = made(outcome)
    definitions = outcome.events[0].definitions  # type: ignore[union-attr] # a run starts with them
    assert (first.id, first.candidates, first.policy) == ("/team#1", ("team",), definitions["boss"])
    assert (second.id, second.path, second.step) == ("/team#1/double#1", "/team#1", "/team/double")
    assert (second.candidates, second.policy) == (("double", "other"), definitions["boss/team"])
    assert second.context == first.payload


def test_a_plan_of_a_model_over_a_list_is_a_decision_per_element() -> None:
    """Each with its own step."""
    plan = Plan.model_validate(
        {
            "steps": [{"id": "all", "worker": "say", "input": {"$from": "item"}, "for_each": {"$from": "task"}}],
            "output": {"$from": "all"},
        }
    )
    team = Supervisor("boss", accepts=list[Number], returns=list[Text], team=[say], models=[ScriptedModel([plan])])
    found = made(of(team, [Number(n=1), Number(n=2)]))
    assert [(one.step, one.propensity) for one in found] == [("/all[0]", None), ("/all[1]", None)]


def test_after_a_migration_decisions_are_made_under_the_new_definitions() -> None:
    """The policy is that of the supervisor as it then was."""
    outcome = of(led([double], planner=Router(otherwise="double", ask_model=False)))
    changed = Migrated(changed=("boss (changed)",), definitions={"boss": "new", "boss/double": "d"})
    (decision,) = decisions([*outcome.events[:2], changed, *outcome.events[2:]])
    assert decision.policy == "new"


def test_what_a_foreign_journal_says_of_a_draw_is_not_trusted() -> None:
    """A propensity that is none is unknown; candidates that are no names are left out."""

    def drawn(likely: Json, candidates: Json) -> Decision:
        events: list[Event] = [
            EffectStarted(path="/plan#1", kind="route", n=0, digest="d", request={"candidates": candidates}),
            EffectFinished(path="/plan#1", kind="route", n=0, digest="d", result={"propensity": likely}),
            Planned(n=1, plan=plan_of(step("a"))),
            Delegated(step="a", worker="w", attempt=1, payload=1, digest="d", reason="", rejected=("v: no",)),
        ]
        (decision,) = decisions(events)
        return decision

    assert [drawn(likely, ["w"]).propensity for likely in (0, -1, 2, "1", None, [1])] == [None] * 6
    odd: list[Json] = [{"a": 1}, [{}, 3], "xyz", None]
    assert [drawn(1, names).candidates for names in odd] == [("v", "w")] * 4
    assert drawn(0.5, ["w", {}, "u"]).candidates == ("u", "w")
