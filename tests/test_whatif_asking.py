"""One recorded run asked what a change would have done: looked up, computed again, priced again, or not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from echelon.agents.agent import Agent
from echelon.agents.cascade import Cascade
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.evals.replay.tape import Tape
from echelon.evals.scenario import Expectation, Reference, Scenario
from echelon.evals.scorecard import Coverage, Measured
from echelon.evals.scoring.measure import measure
from echelon.evals.virtual import in_virtual_time
from echelon.evals.whatif.money import priced
from echelon.evals.whatif.targets import distribution, drawn
from echelon.evals.whatif.teams import changed
from echelon.evals.whatif.trying import asked
from echelon.protocols.contracts import Worker
from echelon.protocols.events import EffectFinished, Planned
from echelon.protocols.messages import Approve, Handoff, Json, Message, Usage
from echelon.protocols.prices import Rates
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.policy import ALLOW, Policy, Ruling, deny
from echelon.supervisor.runs import Settings
from echelon.supervisor.supervisor import Supervisor

from .whatif_desk import (
    CAREFUL,
    Answer,
    Question,
    agent,
    arm,
    asked_desk,
    changes,
    desk,
    load,
    measured,
    recorded,
    router,
)

EXACT, UNKNOWN = Coverage(exact=1), Coverage(unevaluable=1)


def chosen(found: Measured) -> list[str]:
    """Who was given what, on which model."""
    return [f"{given.to} on {given.model}" if given.model else given.to for given in found.handoffs]


def test_asked_about_nothing_a_run_is_what_it_was_to_the_cent_and_the_second() -> None:
    """Reports are looked up, and yet the bill names every call, as the recorded one does."""
    scenario = asked_desk(3)
    found = measured(scenario)
    as_it_was = [entry.event for entry in scenario.entries if isinstance(entry.event, EffectFinished)]
    assert found.usage == as_it_was[-1].usage
    assert (found.usage.calls, found.usage.usd > 0) == (1, True)
    assert [one.name for one in found.models] == ["quick-1"]
    assert [one.name for one in found.workers] == ["quick"]
    assert (found.seconds, found.success, found.coverage) == (1.0, "no", EXACT)
    assert found.replayed is not None
    assert found.replayed.divergence is None
    assert found.routed[0].target == {"quick": pytest.approx(0.6), "careful": 0.4}
    assert found.routed[0].propensity == pytest.approx(0.6)


def test_who_was_tried_on_the_very_same_work_is_known_exactly() -> None:
    """Output, cost and time are the arm's, on its model."""
    alone = asked_desk(3)
    scenario = asked_desk(3, arms=[arm(alone, "careful")])
    found = measured(scenario, "route:routed=careful")
    assert (found.success, found.seconds, found.coverage) == ("yes", 4.0, EXACT)
    assert found.usage == arm(alone, "careful").usage
    assert chosen(found) == ["careful on careful-1"]
    assert [one.name for one in found.models] == ["careful-1"]
    assert found.routed[0].target == {}, "its outcome is known, whatever was drawn"


def test_who_was_not_tried_is_not_made_up() -> None:
    """The run says what it would have chosen, and nothing of what would have come of it."""
    found = measured(asked_desk(3), "route:routed=careful")
    assert (found.state, found.success, found.usage, found.coverage) == ("unevaluable", "unscored", Usage(), UNKNOWN)
    assert "expected a report or an arm of 'careful' on careful-1" in found.why
    assert [(one.chosen, one.target) for one in found.routed] == [("careful", {"careful": 1.0})]


@pytest.mark.parametrize("said", ["instructions:quick=Answer kindly.", "team=desk:retold", "model:quick=tiny"])
def test_a_changed_agent_without_arms_is_not_known_and_never_the_old_one(said: str) -> None:
    """Not even as an assumption: the recorded answer is another agent's."""
    found = measured(asked_desk(3), said)
    assert (found.state, found.coverage) == ("unevaluable", UNKNOWN)


def test_a_changed_agent_is_known_from_arms_of_its_new_definition() -> None:
    """An arm that does not say of which definition it is says nothing of a new one."""
    plain = asked_desk(3)
    said = "instructions:quick=Answer kindly."
    new = Tape(asked_desk(3, team=changed(desk(), changes(said), load)).entries)
    known = arm(plain, "quick", definition=new.definition_at("/routed#1"), output={"right": True, "by": "kindly"})
    assert measured(asked_desk(3, arms=[known]), said).success == "yes"
    assert measured(asked_desk(3, arms=[arm(plain, "quick")]), said).state == "unevaluable"
    assert measured(asked_desk(3, arms=[arm(plain, "quick", definition="0" * 64)]), said).state == "unevaluable"


def test_another_model_is_known_from_arms_on_it() -> None:
    """Those that name no definition too, since nothing but the model was changed; and it needs no model."""
    plain = asked_desk(3)
    on_tiny = arm(plain, "quick", model="tiny", output={"right": True, "by": "tiny"})
    scenario = asked_desk(3, arms=[arm(plain, "quick"), on_tiny])
    found = measured(scenario, "model:quick=tiny")
    assert (found.success, chosen(found), found.coverage) == ("yes", ["quick on tiny"], EXACT)
    assert measured(scenario, "model:quick=large").state == "unevaluable"
    both = measured(scenario, "model:quick=tiny", "instructions:quick=Answer kindly.")
    assert both.state == "unevaluable"


def test_a_model_is_lent_to_an_agent_that_inherits_its_own() -> None:
    """Arms on that model have its definition, since a lent model is no part of it."""

    def team() -> Supervisor[Question, Answer]:
        heir: Agent[Question, Answer] = Agent("quick", "Answer.", accepts=Question, returns=Answer, description="quick")
        return desk(router(), [heir, agent("careful")])

    def lent(name: str) -> Scenario:
        model = ScriptedModel(lambda _: Answer(right=name == "large", by=name), name=name, seconds=2.0)
        run = recorded(team(), Question(n=3), settings=Settings(models=[model]))
        return Scenario.from_run(run, team(), name=name, models=[model])

    small = lent("small")
    definition = Tape(lent("large").entries).definition_at("/routed#1")
    known = arm(small, "quick", model="large", definition=definition, output={"right": True, "by": "large"})
    scenario = Scenario(header=small.header, entries=small.entries, arms=(known,))
    found = measured(scenario, "model:quick=large", team=team())
    assert (chosen(found), found.coverage) == (["quick on large"], EXACT)
    assert measured(scenario, team=team()).coverage == EXACT
    assert chosen(measured(scenario, team=team())) == ["quick on small"]


def test_what_stands_on_another_payload_is_marked_as_assumed() -> None:
    scenario = asked_desk(3)
    other = arm(asked_desk(4), "careful")
    found = measured(asked_desk(3, arms=[other]), "route:routed=careful")
    assert (found.coverage, found.state) == (Coverage(assumed=1), "scored")
    assert other.payload != arm(scenario, "careful").payload


def test_a_prompt_inside_a_cascade_is_not_overlooked() -> None:
    """The cascade is defined as before; what is inside it is not."""

    def team() -> Supervisor[Question, Answer]:
        tiers: Cascade[Question, Answer] = Cascade("tiers", tiers=[agent("quick"), agent("careful")])
        return desk(router("tiers"), [tiers])

    scenario = asked_desk(3, team=team())
    assert measured(scenario, team=team()).coverage == EXACT
    assert chosen(measured(scenario, team=team())) == ["tiers"]
    assert [one.name for one in measured(scenario, team=team()).models] == ["quick-1"]
    assert measured(scenario, "instructions:careful=Think twice.", team=team()).state == "unevaluable"
    own = Tape(scenario.entries).definition_at("/routed#1")
    known = arm(scenario, "tiers", model="", definition=own, output={"right": True, "by": "old"})
    with_arm = asked_desk(3, arms=[known], team=team())
    assert measured(with_arm, "model:careful=tiny", team=team()).state == "unevaluable"


def test_a_team_of_another_name_is_not_taken_for_the_recorded_one() -> None:
    """Members are compared with those that were recorded, whatever the root is called now."""
    scenario = asked_desk(3)
    assert measured(scenario, "team=desk:renamed").coverage == EXACT
    assert measured(scenario, "team=desk:renamed", "instructions:quick=Answer kindly.").state == "unevaluable"


class Sum(Message):
    """A sum, and whether it was doubled."""

    total: int
    note: str = ""


def counting(*, effect: bool = False, reads: bool = False) -> tuple[Supervisor[Question, Sum], list[int]]:
    """A model says a number, a function doubles it; and what the function was given."""
    seen: list[int] = []

    @worker(effect=effect, reads=reads)
    def double(given: Sum) -> Sum:
        """Double it."""
        seen.append(given.total)
        return Sum(total=2 * given.total, note="doubled")

    model = ScriptedModel(lambda _: Sum(total=1), name="one", seconds=1.0)
    say: Agent[Question, Sum] = Agent("say", "Say.", accepts=Question, returns=Sum, models=[model], description="says")
    flow: Workflow[Question, Sum] = Workflow(Question, Sum)
    flow.output(flow.step(double, flow.step(say, flow.task)))
    team = Supervisor("desk", accepts=Question, returns=Sum, team=[say, double], planner=flow)
    return team, seen


def summed(team: Worker[Any, Any], **arm_of: Any) -> Scenario:
    """A run of the counting desk that knows what the model `two` would have said."""
    reference = Reference(expect=(Expectation(at="/total", op="eq", value=4),))
    made = Scenario.from_run(recorded(team, Question(n=1)), team, name="sum", reference=reference)
    known = arm(made, "say", step="/say", model="two", output={"total": 2, "note": ""}, seconds=3.0, **arm_of)
    return Scenario(header=made.header, reference=reference, entries=made.entries, arms=(known,))


def test_code_that_was_seen_to_touch_nothing_works_again() -> None:
    """So that a change is followed through the steps after it, exactly."""
    team, seen = counting()
    scenario = summed(team)
    assert measured(scenario, team=team).success == "no"
    assert seen == [1], "what was recorded is looked up, not done again"
    found = measured(scenario, "model:say=two", team=team)
    assert (found.success, found.seconds, found.coverage) == ("yes", 3.0, Coverage(exact=2))
    assert seen == [1, 2]


@pytest.mark.parametrize("duty", [{"effect": True}, {"reads": True}])
def test_what_touches_the_world_does_not_work_again(duty: dict[str, bool]) -> None:
    """What it gave for another payload is all there is, and that is an assumption."""
    team, seen = counting(**duty)
    found = measured(summed(team), "model:say=two", team=team)
    assert found.coverage == Coverage(exact=1, assumed=1)
    assert seen == [1]


def test_a_person_who_had_not_answered_has_not_answered() -> None:
    """And whom nobody asked is not taken to have said anything."""
    expert: Person[Question, Answer] = Person("expert", "Is it so?", accepts=Question, returns=Answer)

    def team() -> Supervisor[Question, Answer]:
        return desk(router("expert"), [agent("quick"), expert])

    waiting = asked_desk(3, team=team())
    found = measured(waiting, team=team())
    assert (found.status, found.coverage) == ("waiting", EXACT)
    assert measured(
        asked_desk(3, team=desk(router(), [agent("quick"), expert])), "route:routed=expert", team=team()
    ).state == ("unevaluable")


def approving(draft: Answer) -> str | None:
    """Find fault with the quick one."""
    return None if draft.by != "quick" else "too quick"


def forbidding(handoff: Handoff[Any], _: object) -> Ruling:
    """Let nobody but the careful one work."""
    return ALLOW if handoff.to == "careful" else deny("too quick")


def test_rules_and_code_that_judges_are_applied_anew() -> None:
    """A policy that denies ends the run otherwise; a reviewer that is not there any more lets it pass."""
    scenario = asked_desk(2, team=desk(reviewer=Reviewer(checks=[lambda draft: approving(draft)])))
    parts: dict[str, object] = {"a:strict": Policy((forbidding,)), "a:kind": Reviewer(checks=[lambda _: Approve()])}

    def ask(said: str) -> Measured:
        team = changed(desk(reviewer=Reviewer(checks=[approving])), changes(said), parts.__getitem__)
        return measured(scenario, team=team)

    assert (ask("policy=a:strict").status, ask("policy=a:strict").coverage) == ("failed", Coverage())
    assert (ask("reviewer=a:kind").success, ask("reviewer=none").success) == ("yes", "yes")


def test_a_dropped_step_is_skipped_and_what_it_left_to_chance_plays_no_part() -> None:
    scenario = asked_desk(2)
    found = measured(scenario, "drop:routed")
    assert (found.status, found.handoffs, found.coverage) == ("failed", (), Coverage())
    assert all(one.target == {} for one in found.routed)


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("planner=desk:careful", {"careful": 1.0}),
        ("planner=desk:above", {"quick": 1.0}),
        ("planner=desk:more", {"quick": 0.1, "careful": 0.9}),
        ("route:routed=quick", {"quick": 1.0}),
        ("team=desk:same", {"quick": 0.6, "careful": 0.4}),
    ],
)
def test_where_a_router_had_drawn_the_changed_team_says_how_likely_it_is_to_choose_whom(
    said: str, target: dict[str, float]
) -> None:
    """And what was drawn stands, as far as the changed team leaves it to chance."""
    found = measured(asked_desk(3, seed=CAREFUL), said)
    (choice,) = [one for one in found.routed if one.target]
    assert choice.target == pytest.approx(target)
    assert (found.state == "scored") == (0 < target.get("careful", 0) < 1 or target == {"careful": 1.0})


def test_what_was_drawn_is_read_from_the_journal() -> None:
    (choice,) = drawn(asked_desk(3, seed=CAREFUL).tape).values()
    assert (choice.step, choice.chosen, choice.propensity) == ("/routed", "careful", 0.4)
    assert drawn(asked_desk(3, team=desk(router())).tape) == {}


@pytest.mark.parametrize(
    "request_",
    [
        None,
        {"first": "a", "candidates": [], "explore": 0.5},
        {"first": "c", "candidates": ["a", "b"], "explore": 0.5},
        {"first": "a", "candidates": ["a", 1], "explore": 0.5},
        {"first": "a", "candidates": ["a", "b"], "explore": 1.5},
        {"first": "a", "candidates": ["a", "b"], "explore": True},
    ],
)
def test_a_draw_that_cannot_be_one_has_no_distribution(request_: Json) -> None:
    assert distribution(request_) is None


def test_a_router_follows_what_was_drawn_in_a_replay() -> None:
    """Though with the same number it would have drawn another one itself."""
    scenario = asked_desk(3, seed=CAREFUL)
    team = changed(desk(), changes("planner=desk:more"), load)
    found = in_virtual_time(lambda: asked(team, scenario, ()))
    (planned,) = [entry.event for entry in found.entries if isinstance(entry.event, Planned)]
    assert planned.plan.steps[0].worker == "careful"


PRICE = Rates(input=10.0, output=40.0)


def priced_again(scenario: Scenario, *said: str) -> Measured:
    """The recorded run, without a team."""
    found = in_virtual_time(lambda: asked(None, scenario, changes(*said)))
    return measure(found.scenario, found.entries).model_copy(update={"coverage": found.coverage, "success": "no"})


@pytest.mark.parametrize("mode", [measured, priced_again])
def test_another_price_costs_what_the_tokens_cost_at_it(mode: Callable[..., Measured]) -> None:
    """Computed by hand from the tokens of each recorded call, whether anything else is changed or not."""
    scenario = asked_desk(3)
    calls = [
        entry.event
        for entry in scenario.entries
        if isinstance(entry.event, EffectFinished)
        if entry.event.kind == "model"
    ]
    usage = calls[0].usage
    by_hand = (usage.input * 10.0 + usage.output * 40.0) / 1_000_000
    found = mode(scenario, "price:quick-1=10,40")
    assert found.usage.usd == found.usd_uncached == pytest.approx(by_hand)
    assert found.usage.usd > usage.usd
    assert (found.success, found.seconds, found.coverage) == ("no", 1.0, EXACT)
    assert mode(scenario, "price:careful-1=10,40").usage.usd == usage.usd


def test_an_arm_is_priced_by_its_tokens() -> None:
    """By the price that is asked about; an arm that was never billed, by what its model cost when it was recorded."""
    plain = asked_desk(3)
    usage = Usage(calls=1, input=1_000, output=100)
    scenario = asked_desk(3, arms=[arm(plain, "careful", usage=usage.model_dump())])
    assert measured(scenario, "route:routed=careful").usage.usd == pytest.approx(0.007)
    assert measured(scenario, "route:routed=careful", "price:careful-1=1,1").usage.usd == pytest.approx(0.0011)


@pytest.mark.parametrize(
    ("more", "unknown"),
    [
        ({"model": "tiny"}, ()),
        ({"model": "tiny", "usage": {"calls": 1, "input": 9, "output": 1}}, ("usd",)),
        ({"model": "tiny", "usage": {}}, ("usd", "usage")),
        ({"model": "", "usage": {}, "provenance": "imported"}, ("usd", "usage")),
        ({"model": "tiny", "seconds": 0.0, "provenance": "imported"}, ("seconds",)),
        ({"model": "tiny", "seconds": 0.0, "provenance": "recorded"}, ()),
    ],
)
def test_what_an_arm_does_not_say_is_unknown_and_not_nothing(more: dict[str, Any], unknown: tuple[str, ...]) -> None:
    """A model without a price, tokens or time that nobody wrote down."""
    plain = asked_desk(3)
    known = arm(plain, "quick", **more)
    found = measured(asked_desk(3, arms=[known]), "model:quick=tiny")
    assert (found.state, found.unknown) == ("scored", unknown)


def test_calls_without_tokens_cannot_be_priced_again() -> None:
    plain = asked_desk(3)
    billed = arm(plain, "careful", usage={"calls": 1, "usd": 0.5})
    found = measured(asked_desk(3, arms=[billed]), "route:routed=careful", "price:careful-1=1,1")
    assert "usd" in found.unknown
    assert measured(asked_desk(3, arms=[billed]), "route:routed=careful").unknown == ()


def test_of_what_was_assumed_to_be_spent_the_same_share_is() -> None:
    usage = Usage(calls=2, input=1_000_000, usd=4.0, usd_assumed=1.0, usd_reported=3.5)
    assert priced(usage, Rates(input=8.0, output=0.0)) == Usage(calls=2, input=1_000_000, usd=8.0, usd_assumed=2.0)


def test_an_agent_that_nobody_leads_is_asked_too() -> None:
    """Its requests are those that were recorded, or nothing is known of it."""
    alone = agent("quick")
    scenario = Scenario.from_run(recorded(alone, Question(n=2)), alone, name="alone")
    same = measured(scenario, team=alone)
    assert (same.status, same.seconds, same.usage.calls) == ("delivered", 1.0, 1)
    for said in ("instructions:quick=Answer kindly.", "model:quick=tiny"):
        assert measured(scenario, said, team=alone).state == "unevaluable"


def test_a_pinned_step_of_a_nested_team_is_named_by_its_path() -> None:
    """The root's step of the same id is not meant."""

    def team() -> Supervisor[Question, Answer]:
        inner = desk(router("quick"), name="inner")
        return desk(router("inner"), [inner, agent("quick")], name="outer")

    plain = asked_desk(3, team=team())
    known = arm(plain, "careful", step="/routed/routed")
    scenario = asked_desk(3, team=team(), arms=[known])
    found = measured(scenario, "route:routed/routed=careful", team=team())
    assert chosen(found) == ["inner", "careful on careful-1"]
    assert (found.success, found.coverage) == ("yes", Coverage(exact=2))
    assert chosen(measured(scenario, "route:routed=quick", team=team())) == []
