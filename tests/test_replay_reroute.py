"""Replays in which nobody works: recorded reports stand for workers, and so do arms where work went to others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.reviewer import Reviewer
from echelon.evals.replay.modes import Decisions
from echelon.evals.replay.reroute import Exchangeable, Reroute
from echelon.evals.scenario import Arm
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import digest_of
from echelon.protocols.errors import MissError
from echelon.protocols.events import Delegated, EffectStarted
from echelon.protocols.messages import Json, Message, Usage
from echelon.supervisor.planners.router import Route, Router
from echelon.supervisor.planners.workflow import Handle, Workflow
from echelon.supervisor.runs import Outcome
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, of_type
from .recordings import ORDER, Shop, recorded, replayed, scenario


class Question(Message):
    """What is asked."""

    topic: str
    text: str = "?"


class Reply(Message):
    """What is answered."""

    text: str


BILL = Question(topic="bill")
APPROVED: Json = {"verdict": "approve", "findings": [], "blamed": [], "reason": "kind"}
MONEY = Usage(calls=1, usd=0.25)


class Desk:
    """A router over two agents, whose models count what they are asked."""

    def __init__(self, *routes: str, otherwise: str = "clerk", words: str = "Answer.", model: str = "small") -> None:
        self.seen: list[str] = []
        made = [
            Route(Handle("task")["topic"].eq(topic), name)
            for topic, name in zip(routes[::2], routes[1::2], strict=True)
        ]
        team = [self.agent("clerk", words, model), self.agent("expert", "Answer well.", "large")]
        router = Router(made, otherwise=otherwise, ask_model=False)
        self.team = Supervisor("desk", accepts=Question, returns=Reply, team=team, planner=router)

    def agent(self, name: str, words: str, model: str) -> Worker[Question, Reply]:
        """Hire an agent with a model of its own."""

        def say(_: object) -> dict[str, str]:
            self.seen.append(name)
            return {"text": f"{name} says so"}

        return Agent(name, words, accepts=Question, returns=Reply, models=[ScriptedModel(say, name=model, seconds=2.0)])


def digest(outcome: Outcome[Any]) -> str:
    """The digest of what was first handed over."""
    return of_type(outcome.events, Delegated)[0].digest


def arm(outcome: Outcome[Any], **more: Any) -> Arm:
    """What the expert would have made of it."""
    whole = {"step": "/routed", "payload": digest(outcome), "agent": "expert", "output": {"text": "by the expert"}}
    return Arm.model_validate(whole | {"usage": MONEY, "seconds": 7.0} | more)


def test_a_replay_of_decisions_executes_nobody() -> None:
    """Planners and reviewers run over their models' recorded replies; reports are the recorded ones."""
    shop = Shop()
    outcome = recorded(shop.team, ORDER)
    again = Shop()
    found = replayed(again.team, scenario(outcome.entries), mode=Decisions()).check()
    assert (again.touched, again.deeds) == ([], [])
    assert found.outcome is not None
    assert found.outcome.output == outcome.output
    assert found.outcome.usage == outcome.usage
    assert found.seconds == pytest.approx(outcome.entries[-1].at - outcome.entries[0].at - 3_600.0)
    asked = {event.path.rpartition("/")[2] for event in of_type([e.event for e in found.entries], EffectStarted)}
    assert asked == {"plan#1", "review#1"}
    assert found.coverage.exact == 12


def test_functions_that_touch_nothing_are_not_executed_either() -> None:
    """Only in a replay of decisions; otherwise they are the code under test."""
    calls: list[int] = []

    @worker
    async def double(number: Number) -> Number:
        """Doubles."""
        calls.append(number.n)
        return Number(n=number.n * 2)

    flow = Workflow(Number, Number)
    flow.output(flow.step(double, flow.step(double, flow.task)))
    team = Supervisor("boss", accepts=Number, returns=Number, team=[double], planner=flow)
    known = scenario(recorded(team, Number(n=1)).entries)
    replayed(team, known, mode=Decisions()).check()
    assert calls == [1, 2]
    replayed(team, known).check()
    assert calls == [1, 2, 1, 2]


def test_another_choice_is_a_miss_of_decisions_and_its_handoff_is_in_the_journal() -> None:
    """So the choice can be scored, though nobody knows what would have come of it."""
    outcome = recorded(Desk().team, BILL)
    desk = Desk("bill", "expert")
    found = replayed(desk.team, scenario(outcome.entries), mode=Decisions())
    assert desk.seen == []
    assert str(found.misses[0]) == (
        '/routed#1 handoff 1: the recorded handoff is another one; /worker: expected "clerk", found "expert"'
    )
    assert [event.worker for event in of_type([e.event for e in found.entries], Delegated)] == ["expert"]
    divergence = found.replayed.divergence
    assert divergence is not None
    assert (divergence.what, divergence.field) == ("plan", "/steps/routed/worker")


def test_work_that_never_ended_is_waited_for_and_then_missed() -> None:
    """The recording broke off while the clerk was at it."""
    outcome = recorded(Desk().team, BILL)
    handed = next(i for i, event in enumerate(outcome.events, 1) if isinstance(event, Delegated))
    found = replayed(Desk().team, scenario(outcome.entries[:handed]), mode=Decisions())
    assert str(found.misses[0]) == "/routed#1 handoff 1: its report was not recorded: the run broke off before"


def test_a_step_that_was_never_handed_over_is_missed() -> None:
    """It is another plan."""
    flow, other = Workflow(Question, Reply), Workflow(Question, Reply)
    clerk = Desk().agent("clerk", "Answer.", "small")
    flow.output(flow.step(clerk, flow.task, id="first"))
    other.output(other.step(clerk, other.task, id="second"))
    before, after = (
        Supervisor("desk", accepts=Question, returns=Reply, team=[clerk], planner=planner) for planner in (flow, other)
    )
    known = scenario(recorded(before, BILL).entries)
    found = replayed(after, known, mode=Decisions())
    assert str(found.misses[0]) == "/second#1 handoff 1: no handoff to step 'second' was recorded, found one to 'clerk'"
    assert replayed(after, known, mode=Reroute()).coverage.unevaluable == 1


def test_work_of_which_an_arm_is_known_can_go_to_another() -> None:
    """Exactly: the same payload and agent; it takes and costs what the arm did."""
    outcome = recorded(Desk().team, BILL)
    desk = Desk("bill", "expert")
    found = replayed(desk.team, scenario(outcome.entries, arms=[arm(outcome)]), mode=Reroute())
    assert (desk.seen, found.misses) == ([], ())
    assert found.outcome is not None
    assert found.outcome.output == Reply(text="by the expert")
    assert found.outcome.usage == MONEY
    assert found.seconds == pytest.approx(7.0)
    assert (found.coverage.exact, found.coverage.assumed, found.coverage.unevaluable) == (1, 0, 0)
    assert found.unused == ()


def test_without_an_arm_a_rerouted_run_cannot_be_evaluated() -> None:
    """It is never a live call, and nothing is made up."""
    outcome = recorded(Desk().team, BILL)
    desk = Desk("bill", "expert")
    found = replayed(desk.team, scenario(outcome.entries), mode=Reroute())
    assert (desk.seen, found.outcome) == ([], None)
    assert (found.coverage.unevaluable, found.replayed.missed) == (1, 1)
    told = r"expected a report or an arm of 'expert' on large on payload \w{12}, found none; known here are clerk"
    with pytest.raises(MissError, match=told):
        found.check()


def test_what_was_not_rerouted_is_as_it_was() -> None:
    """The recorded report on the same work by the same worker comes before any arm."""
    outcome = recorded(Desk().team, BILL)
    own = arm(outcome, agent="clerk", output={"text": "another trial"})
    found = replayed(Desk().team, scenario(outcome.entries, arms=[own]), mode=Reroute()).check()
    assert found.outcome is not None
    assert found.outcome.output == Reply(text="clerk says so")


@pytest.mark.parametrize("desk", [lambda: Desk(words="Answer kindly."), lambda: Desk(model="tiny")])
def test_a_worker_that_has_changed_is_not_the_one_that_was_recorded(desk: Callable[[], Desk]) -> None:
    """Its prompt, its model: the recorded report says nothing exact about it."""
    outcome = recorded(Desk().team, BILL)
    found = replayed(desk().team, scenario(outcome.entries), mode=Reroute())
    assert found.coverage.unevaluable == 1
    own = arm(outcome, agent="clerk")
    assert replayed(desk().team, scenario(outcome.entries, arms=[own]), mode=Reroute()).misses == ()


@pytest.mark.parametrize(
    "more",
    [{"payload": digest_of(b"another")}, {"model": "small"}, {"definition": digest_of(b"old")}, {"output": {"n": 1}}],
    ids=["payload", "model", "definition", "shape"],
)
def test_an_arm_of_something_else_is_no_arm(more: dict[str, Any]) -> None:
    """Another payload, another model, an old definition, or an output that the expert cannot have given."""
    outcome = recorded(Desk().team, BILL)
    known = scenario(outcome.entries, arms=[arm(outcome, **more)])
    assert replayed(Desk("bill", "expert").team, known, mode=Reroute()).coverage.unevaluable == 1


def test_what_is_assumed_is_counted_apart() -> None:
    """An arm of the same step on another payload, where the caller takes tasks to be exchangeable."""
    outcome = recorded(Desk().team, BILL)
    known = scenario(outcome.entries, arms=[arm(outcome, payload=digest_of(b"another"), model="large")])
    found = replayed(Desk("bill", "expert").team, known, mode=Reroute(beyond=Exchangeable()))
    assert (found.coverage.exact, found.coverage.assumed, found.coverage.unevaluable) == (0, 1, 0)
    assert found.outcome is not None
    assert found.outcome.output == Reply(text="by the expert")
    small = scenario(outcome.entries, arms=[arm(outcome, payload=digest_of(b"another"), model="small")])
    assert replayed(Desk("bill", "expert").team, small, mode=Reroute(beyond=Exchangeable())).misses


def test_of_several_trials_one_is_drawn_by_the_seed() -> None:
    """The same seed, the same trial; over many seeds, all of them."""
    outcome = recorded(Desk().team, BILL)
    trials = [arm(outcome, output={"text": f"trial {n}"}) for n in range(3)]

    def drawn(seed: int) -> str:
        known = scenario(outcome.entries, arms=trials, seed=seed)
        found = replayed(Desk("bill", "expert").team, known, mode=Reroute())
        assert found.outcome is not None
        return str(found.outcome.output.text)

    assert [drawn(seed) for seed in range(3)] == [drawn(seed) for seed in range(3)]
    assert {drawn(seed) for seed in range(20)} == {"trial 0", "trial 1", "trial 2"}


@pytest.mark.parametrize(("failure", "kind"), [("timeout", "timeout"), ("odd", "upstream"), ("", "upstream")])
def test_an_arm_that_failed_fails(failure: str, kind: str) -> None:
    """In its own way, if that has a name of ours."""
    outcome = recorded(Desk().team, BILL)
    known = scenario(outcome.entries, arms=[arm(outcome, output=None, success="no", failure=failure)])
    found = replayed(Desk("bill", "expert").team, known, mode=Reroute())
    assert found.outcome is not None
    assert found.outcome.failure is not None
    assert found.outcome.failure.kind == kind


def test_a_planner_whose_request_was_not_recorded_makes_a_run_unevaluable() -> None:
    """Who decides is live code over recorded replies; there is none to this question."""
    team = Desk().team
    reviewed = Supervisor(
        "desk", accepts=Question, returns=Reply, team=team.team, planner=team.planner, reviewer=Reviewer("Be kind."),
        models=[ScriptedModel(lambda _: APPROVED)],
    )  # fmt: skip
    known = scenario(recorded(reviewed, BILL).entries)
    other = replace(reviewed, reviewer=Reviewer("Be strict."))
    for mode in (Reroute(), Decisions()):
        assert replayed(reviewed, known, mode=mode).faithful
        found = replayed(other, known, mode=mode)
        assert (found.misses[0].path, found.coverage.unevaluable) == ("/review#1", 1)


def test_teams_inside_teams_are_led_by_their_own_supervisors() -> None:
    """Only who leads nobody is told; an agent of another team by the same name is another agent."""
    inner = Desk()
    flow = Workflow(Question, Reply)
    flow.output(flow.step(inner.team, flow.task))
    house = Supervisor("house", accepts=Question, returns=Reply, team=[inner.team], planner=flow)
    outcome = recorded(house, BILL)
    assert inner.seen == ["clerk"]
    for mode in (Decisions(), Reroute()):
        found = replayed(house, scenario(outcome.entries), mode=mode).check()
        assert found.coverage.exact == 2
        assert found.outcome is not None
        assert found.outcome.report == outcome.report
    assert inner.seen == ["clerk"]
