"""A run as a scenario: what its header says, what is kept of its journal, and what others can learn from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from echelon import OpenAIModel, Reviewer, ScriptedModel, Supervisor, Workflow
from echelon.evals.scenario import Arm, Ending, Member, Reference, Scenario, StepReference
from echelon.evals.scenarios.arms import arms_of, merge_arms
from echelon.evals.scenarios.lines import dump, load
from echelon.evals.scenarios.recording import is_scripted, models_of, price_table, scenario_from, team_of
from echelon.evals.virtual import EPOCH
from echelon.protocols.contracts import Model
from echelon.protocols.conversation import Reply, Request
from echelon.protocols.errors import UsageError
from echelon.protocols.events import Claimed, Delegated, RunStarted
from echelon.protocols.messages import Usage
from echelon.protocols.prices import Price, Rates
from echelon.supervisor.planners.model import ModelPlanner
from echelon.supervisor.runs import definitions

from .builders import Number, double, failing
from .desks import LOGIN, desk, worked
from .test_scenarios_decisions import led, of
from .test_scenarios_lines import small

RATES = Rates(input=1.0, output=4.0)


class Wrapped:
    """A model that is no scripted one by its name, and says what it is."""

    name = "wrapped"
    price: Price = RATES

    def __init__(self, scripted: object) -> None:
        self.scripted = scripted

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Say nothing."""
        return Reply(text="")


class Unpriced(Wrapped):
    """A model whose price nobody knows."""

    name = "unpriced"

    @property
    def price(self) -> Price:  # type: ignore[override] # it has none
        """Refuse to say."""
        raise UsageError("no price is known")


def test_the_header_says_what_ran_on_what() -> None:
    """The task, the team in its order, prices, limits, the clock."""
    outcome = worked()
    scenario = Scenario.from_run(
        outcome, desk(), name="one", tags=["b", "a"], volatile=["id"], origin="shop:desk", seed=3, redact=None
    )
    header, started = scenario.header, outcome.events[0]
    assert isinstance(started, RunStarted)
    assert (header.id, header.worker, header.input) == ("one", "desk", LOGIN.model_dump())
    assert (header.tags, header.volatile, header.seed) == (("b", "a"), ("id",), 3)
    assert (header.source.kind, header.source.origin, header.source.scripted) == ("recorded", "shop:desk", True)
    assert [member.path for member in header.team] == ["desk", "desk/finder", "desk/pay", "desk/boss", "desk/close"]
    assert {member.path: member.definition for member in header.team} == started.definitions
    assert header.prices is not None
    assert header.prices.models == {"scripted": RATES}
    assert (header.limits, header.clock) == (started.budget, EPOCH)
    assert header.usd == 0.0
    assert outcome.usage.usd > 0


def test_a_member_says_what_it_is_made_of() -> None:
    """Its models and tools by name, and whether it writes; planner's and reviewer's models are its leader's."""
    planner = ModelPlanner(models=[ScriptedModel([], name="plans")])
    reviewer = Reviewer("Be kind.", models=[ScriptedModel([], name="judges")])
    team = Supervisor("boss", accepts=Number, returns=Number, team=[desk(), double], planner=planner, reviewer=reviewer)
    members = {member.path: member for member in team_of(team)}
    assert list(members) == [*definitions(team)]
    assert members["boss"].models == ("plans", "judges")
    assert (members["boss/desk/finder"].models, members["boss/desk/finder"].tools) == (("scripted",), ("look_up",))
    assert [path for path, member in members.items() if member.writes] == ["boss", "boss/desk", "boss/desk/pay"]
    assert isinstance(members["boss/double"], Member)
    assert [model.name for model in models_of(team)] == ["plans", "judges", "scripted"]


def test_only_fixed_prices_stand_in_the_table() -> None:
    """Sorted by name; a model without a price has none there; the version changes with the prices."""
    models: list[Model] = [
        Wrapped(None),
        Unpriced(None),
        OpenAIModel("gpt-5-mini"),
        ScriptedModel([], name="a", price=RATES),
    ]
    table = price_table(models)
    assert table is not None
    assert list(table.models) == ["a", "wrapped"]
    dearer = price_table([*models[:3], ScriptedModel([], name="a", price=Rates(input=2.0, output=4.0))])
    assert dearer is not None
    assert dearer.version != table.version
    assert price_table([Unpriced(None)]) is None


def test_a_model_is_scripted_by_what_it_says_or_by_its_class() -> None:
    """An attribute that is no yes or no says nothing."""

    class Mine(ScriptedModel):
        """One of the user's."""

    assert is_scripted(Mine([]))
    assert is_scripted(Wrapped(scripted=True))
    assert not is_scripted(Wrapped(scripted=False))
    assert not is_scripted(Wrapped("yes"))
    assert not is_scripted(OpenAIModel("gpt-5-mini"))


def test_who_answered_and_what_was_paid_may_be_said_by_the_caller() -> None:
    """The team may be unknown, or have inherited its models."""
    outcome = worked()
    assert not scenario_from(outcome, name="one").header.source.scripted
    assert scenario_from(outcome, name="one").header.usd == outcome.usage.usd
    assert scenario_from(outcome, name="one").header.team == ()
    lent = scenario_from(outcome, name="one", models=[ScriptedModel([])]).header
    assert (lent.source.scripted, lent.usd) == (True, 0.0)
    said = scenario_from(outcome, name="one", scripted=True).header
    assert (said.source.scripted, said.usd, said.prices) == (True, 0.0, None)
    assert not scenario_from(outcome, desk(), name="one", scripted=False).header.source.scripted


def test_a_run_made_again_is_the_same_bytes() -> None:
    """The process that drove it is not kept; one more event is one more line."""
    first, second = (list(dump(Scenario.from_run(worked(), desk(), name="one"))) for _ in range(2))
    assert first == second
    owners = [entry.event.owner for entry in load(first).entries if isinstance(entry.event, Claimed)]
    assert owners == ["drive 1", "drive 2"]
    other = list(dump(Scenario.from_run(worked(LOGIN.model_copy(update={"question": "How?"})), desk(), name="one")))
    assert len(other) == len(first)
    assert [one.split('"event"', 1)[0] for one in other[1:]] == [one.split('"event"', 1)[0] for one in first[1:]]


def test_a_journal_is_as_good_as_an_outcome() -> None:
    """It says the same."""
    outcome = worked()
    assert scenario_from(outcome.entries, desk(), name="one") == scenario_from(outcome, desk(), name="one")


def test_a_clock_that_went_back_stands_still() -> None:
    """Times of a scenario never go back."""
    entries = worked().entries
    jumped = [*entries[:3], replace(entries[3], at=entries[0].at - 60), *entries[4:]]
    scenario = scenario_from(jumped, name="one")
    times = [entry.at for entry in scenario.entries]
    assert times == sorted(times)
    assert load(dump(scenario)) == scenario


@pytest.mark.parametrize("first", [1, 10_000], ids=["without its start", "empty"])
def test_half_a_journal_is_no_scenario(first: int) -> None:
    """Nothing is known of its task."""
    with pytest.raises(UsageError, match="scenario 'one': expected the journal of a whole run"):
        scenario_from(worked().entries[first:], name="one")


def test_every_finished_handoff_that_handed_nothing_on_is_an_arm() -> None:
    """With the model that answered, what it cost and how long it took without the wait for the person."""
    scenario = scenario_from(worked(), desk(), name="one", redact=None)
    given = {entry.event.worker: entry.event for entry in scenario.entries if isinstance(entry.event, Delegated)}
    arms = {arm.agent: arm for arm in arms_of(scenario)}
    assert list(arms) == ["finder", "pay", "boss", "close"]
    finder = arms["finder"]
    assert (finder.step, finder.payload, finder.model) == ("/finder", given["finder"].digest, "scripted")
    assert finder.definition == definitions(desk())["desk/finder"]
    assert finder.output == {"text": "How many? 42, with correct-horse"}
    assert (finder.usage.calls, finder.seconds) == (2, 0.5)
    assert (finder.success, finder.n_success, finder.provenance) == ("unscored", None, "recorded")
    assert (arms["boss"].seconds, arms["pay"].usage) == (0.0, Usage())


@pytest.mark.parametrize(("success", "n"), [("yes", 1), ("no", 0)])
def test_an_arm_has_succeeded_if_its_run_has(success: str, n: int) -> None:
    """What failed has not, whatever the run came to; its kind of failure is kept."""
    weak, flow, above = failing("weak", times=1), Workflow(Number, Number), Workflow(Number, Number)
    flow.output(flow.step(weak, flow.task))
    inner = led([weak], boss="inner", planner=flow)
    above.output(above.step(inner, above.task))
    outcome = of(led([inner], planner=above))
    scenario = replace(scenario_from(outcome, name="one"), ending=Ending.model_validate({"success": success}))
    first, second = arms_of(scenario)
    assert (first.step, first.success, first.n_success, first.failure) == ("/inner/weak", "no", 0, "tool_failed")
    assert (second.output, second.success, second.n_success) == ({"n": 6}, success, n)
    assert first.payload == second.payload


def test_recordings_of_the_same_task_are_arms_of_each_other() -> None:
    """Once each; those of another task, or with another reference, are not."""
    one = scenario_from(worked(), desk(), name="one")
    two = replace(scenario_from(worked(), desk(), name="two"), ending=Ending(success="yes"))
    other = replace(two, reference=Reference(steps=(StepReference(step="/finder", gold="finder"),)))
    mine = Arm(step="/finder", payload="0" * 64, agent="me")
    merged = merge_arms([replace(one, arms=(mine,)), two, other])
    assert [scenario.id for scenario in merged] == ["one", "two", "two"]
    assert list(merged[0].arms) == [mine, *arms_of(two)]
    assert list(merged[1].arms) == list(arms_of(one))
    assert merged[2].arms == ()
    again = merge_arms(merged)
    assert [list(scenario.arms) for scenario in again] == [list(scenario.arms) for scenario in merged]


def test_a_scenario_without_a_run_has_no_arms() -> None:
    """There is nothing to learn from."""
    assert list(arms_of(replace(small(), entries=()))) == []
