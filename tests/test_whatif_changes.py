"""Changes: a closed set, the same from a command line and from JSON, each made without touching the team."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from echelon.agents.cascade import Cascade
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.evals.whatif.changes import (
    USAGE,
    InstructionsChange,
    PartChange,
    PriceChange,
    as_json,
    change_of,
    is_about_money_only,
    parsed,
    prices_of,
    told,
)
from echelon.evals.whatif.teams import Lent, changed, place_in, rebuilt, remodelled
from echelon.protocols.contracts import Context, Worker
from echelon.protocols.errors import ShapeError, UsageError
from echelon.protocols.messages import Handoff, Json, Report
from echelon.protocols.prices import Rates
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.policy import Policy
from echelon.supervisor.runs import definitions, members
from echelon.supervisor.supervisor import Supervisor

from .whatif_desk import Answer, Question, agent, desk, router

SAID = (
    "team=desk:same",
    "instructions:quick=Answer kindly.",
    "model:quick=tiny",
    "model:quick=ollama:tiny",
    "route:routed=careful",
    "route:research/search=finder",
    "drop:routed",
    "planner=desk:careful",
    "planner:research=desk:careful",
    "policy=desk:strict",
    "reviewer=none",
    "price:quick-1=1.5,6",
    "price:ollama:tiny=0,0,0.5,0.25",
)


@pytest.mark.parametrize("said", SAID)
def test_a_change_is_the_same_from_a_command_line_and_from_json(said: str) -> None:
    change = parsed(said)
    assert told(change) == said
    assert change_of(as_json([change])) == (change,)


def test_every_form_that_is_told_can_be_said() -> None:
    """The list that users are shown is the list that is understood."""
    kinds = [form.partition("=")[0].partition(":")[0].partition("[")[0] for form in USAGE]
    assert sorted(set(kinds)) == sorted({said.partition("=")[0].partition(":")[0] for said in SAID})


def test_instructions_may_stand_in_a_file_and_are_read_at_once(tmp_path: Path) -> None:
    """So that other processes need not find the file."""
    (tmp_path / "new.txt").write_text("Answer\nkindly = yes.\n")
    change = parsed(f"instructions:quick=@{tmp_path / 'new.txt'}")
    assert change == InstructionsChange(agent="quick", text="Answer\nkindly = yes.\n")
    assert told(parsed("instructions:quick=" + "long " * 40)).endswith("...")
    with pytest.raises(UsageError, match="cannot be read"):
        parsed(f"instructions:quick=@{tmp_path / 'none.txt'}")
    (tmp_path / "raw").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="no text in UTF-8"):
        parsed(f"instructions:quick=@{tmp_path / 'raw'}")
    (tmp_path / "long").write_bytes(b"x" * 1_000_001)
    with pytest.raises(UsageError, match="more than 1,000,000 bytes"):
        parsed(f"instructions:quick=@{tmp_path / 'long'}")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("colour:quick=red", "there is no change 'colour': expected one of team, instructions, model, "),
        ("", "there is no change ''"),
        ("model:quick=", "expected model:AGENT=NAME, found 'model:quick='"),
        ("model=tiny", "expected model:AGENT=NAME"),
        ("team=nowhere", "expected team=MODULE:ATTR"),
        ("team:desk=desk:same", "expected team=MODULE:ATTR"),
        ("route:=careful", "expected route:STEP=WORKER"),
        ("drop:routed=careful", "expected drop:STEP"),
        ("planner=none", "expected planner"),
        ("price:quick-1=1", "expected price:MODEL=INPUT,OUTPUT"),
        ("price:quick-1=1,-2", "expected price:MODEL=INPUT,OUTPUT"),
        ("price:quick-1=1,nan", "expected price:MODEL=INPUT,OUTPUT"),
        ("price:quick-1=1,2,3,4,5", "expected price:MODEL=INPUT,OUTPUT"),
    ],
)
def test_what_is_no_change_is_refused_with_the_form_it_should_have(said: str, error: str) -> None:
    with pytest.raises(UsageError) as found:
        parsed(said)
    assert error in str(found.value)


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "drop", "step": "/a"},
        [{"kind": "eval", "code": "1"}],
        [{"kind": "drop", "step": "a b"}],
        [{"kind": "planner", "part": None}],
        [{"kind": "price", "model": "m", "rates": {"input": -1, "output": 1}}],
    ],
)
def test_json_that_is_no_list_of_changes_is_refused(value: Json) -> None:
    with pytest.raises(ShapeError, match="expected a list of changes"):
        change_of(value)


def test_prices_change_nobody() -> None:
    both = (parsed("price:quick-1=1,2"), parsed("price:quick-1=3,4"))
    assert prices_of(both) == {"quick-1": Rates(input=3, output=4)}
    assert is_about_money_only(both)
    assert not is_about_money_only([*both, parsed("reviewer=none")])
    team = desk()
    assert changed(team, both, nothing) is team


def nothing(name: str) -> object:
    """Load nothing."""
    raise UsageError(f"nobody asked for {name}")


def nested() -> Supervisor[Question, Answer]:
    """A desk in a desk, with a cascade in it, a function, and a person."""

    @worker
    def code(question: Question) -> Answer:
        """Compute."""
        return Answer(right=True, by="code")

    tiers: Cascade[Question, Answer] = Cascade("tiers", tiers=[agent("quick"), agent("careful")])
    person: Person[Question, Answer] = Person("expert", accepts=Question, returns=Answer, prompt="Say.")
    inner = desk(router("tiers"), [tiers, code, person], name="inner")
    return desk(router("inner"), [inner, agent("quick")], name="outer")


def differing(one: Worker[Any, Any], other: Worker[Any, Any]) -> list[str]:
    """Paths of the members whose definitions differ."""
    before, after = definitions(one), definitions(other)
    return [path for path in before if before[path] != after.get(path)]


@pytest.mark.parametrize(
    ("said", "paths"),
    [
        ("instructions:tiers/quick=Answer kindly.", ["outer/inner/tiers/quick"]),
        ("instructions:outer/quick=Answer kindly.", ["outer/quick"]),
        ("model:careful=tiny", ["outer/inner/tiers/careful"]),
        ("reviewer:inner=desk:kind", ["outer/inner"]),
        ("planner=desk:careful", ["outer"]),
        ("policy=desk:strict", ["outer"]),
        ("route:routed=quick", ["outer", "outer/inner"]),
        ("drop:routed/routed", ["outer", "outer/inner"]),
    ],
)
def test_a_change_is_made_where_it_is_said_and_the_team_stays_as_it_is(said: str, paths: list[str]) -> None:
    parts = {"kind": Reviewer("Be kind."), "careful": router("careful"), "strict": Policy(version="2")}
    team = nested()
    whole = definitions(team)
    other = changed(team, [parsed(said)], lambda name: parts[name.removeprefix("desk:")])
    assert definitions(team) == whole
    assert differing(team, other) == paths
    before, after = dict(members(team)), dict(members(other))
    untouched = [path for path in before if not any(one == path or one.startswith(f"{path}/") for one in paths)]
    assert all(before[path] is after[path] for path in untouched)


def test_of_several_changes_each_is_made() -> None:
    team = changed(
        nested(), [parsed("model:careful=a"), parsed("instructions:careful=Hm."), parsed("model:careful=b")], nothing
    )
    found: Any = dict(members(team))["outer/inner/tiers/careful"]
    assert (found.instructions, [model.name for model in found.models]) == ("Hm.", ["b"])
    assert found.name == "careful"
    assert remodelled(
        team, [parsed("model:careful=a"), parsed("model:outer/quick=a"), parsed("instructions:careful=Hm.")]
    ) == {"outer/quick"}


def test_to_an_agent_that_inherits_its_model_another_is_lent() -> None:
    """Its definition is the same, as it would be if the run had lent that model."""
    lone = agent("quick")
    heir = type(lone)(lone.name, lone.instructions, accepts=Question, returns=Answer)
    team = desk(router(), [heir, agent("careful")], models=[ScriptedModel([], name="large")])
    other = changed(team, [parsed("model:quick=tiny")], nothing)
    found = dict(members(other))["desk/quick"]
    assert isinstance(found, Lent)
    assert [model.name for model in found.models] == ["tiny"]
    assert differing(team, other) == []
    assert found.card is heir.card
    assert found.parts == ()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("instructions:nobody=x", "there is no member 'nobody' in team 'outer'; there are outer, outer/inner, "),
        (
            "instructions:quick=x",
            "several members are named 'quick': say which one of outer/inner/tiers/quick, outer/quick",
        ),
        (
            "instructions:code=x",
            "'outer/inner/code' has no instructions; outer/inner/tiers/quick, outer/inner/tiers/careful",
        ),
        ("model:expert=x", "'outer/inner/expert' has no models; outer, outer/inner, "),
        ("planner:careful=desk:careful", "'outer/inner/tiers/careful' has no planner; outer, outer/inner has"),
        ("planner=desk:nobody", "planner=desk:nobody: expected something that can plan, found str"),
        ("policy=desk:nobody", "expected something that can rule, found str"),
        ("reviewer=desk:nobody", "expected something that can review, found str"),
        ("team=desk:nobody", "team=desk:nobody: expected a worker, found str"),
        (
            "route:routed=nobody",
            "route:routed: there is no worker 'nobody'; there are inner, quick, tiers, code, expert",
        ),
    ],
)
def test_a_change_about_somebody_who_is_not_there_names_those_who_are(said: str, error: str) -> None:
    with pytest.raises(UsageError) as found:
        changed(nested(), [parsed(said)], lambda name: router() if name == "desk:careful" else "nobody")
    assert error in str(found.value)


class Pair:
    """A worker that holds another, and is no dataclass."""

    def __init__(self, one: Worker[Any, Any]) -> None:
        self.one = one
        self.card = agent("careful").card

    @property
    def definition(self) -> Json:
        """Nothing."""
        return None

    @property
    def parts(self) -> list[Worker[Any, Any]]:
        """The other."""
        return [self.one]

    async def work(self, handoff: Handoff[Any], context: Context) -> Report[Any]:
        """Have it work."""
        return await self.one.work(handoff, context)


def test_who_cannot_be_built_anew_is_left_alone_or_refused() -> None:
    """A change beside it is made; one inside it is an error, not a change that is silently none."""
    pair = Pair(agent("quick"))
    team = desk(router("careful"), [pair])
    assert changed(team, [parsed("planner=desk:careful")], lambda _: router()).parts[0] is pair
    with pytest.raises(UsageError, match="'careful' holds other workers and is no dataclass"):
        changed(team, [parsed("instructions:quick=x")], nothing)


def test_a_member_is_named_by_the_end_of_its_path() -> None:
    team = nested()
    assert place_in(team, "outer") == "outer"
    assert place_in(team, "tiers/quick") == place_in(team, "outer/inner/tiers/quick") == "outer/inner/tiers/quick"
    assert rebuilt(team, lambda _, member: member) is team


def test_a_workflow_goes_on_with_changed_workers() -> None:
    """Plans name workers, so that whoever bears the name does the step."""
    flow: Workflow[Question, Answer] = Workflow(Question, Answer)
    quick = agent("quick")
    flow.output(flow.step(quick, flow.task))
    team = desk(flow, [quick])
    other: Any = changed(team, [parsed("instructions:quick=Answer kindly.")], nothing)
    assert other.planner is flow
    assert other.team[0].instructions == "Answer kindly."


def test_only_a_reviewer_can_be_done_without() -> None:
    assert parsed("reviewer=none") == PartChange(kind="reviewer", part=None)
    team = desk(reviewer=Reviewer("Be kind."))
    assert changed(team, [parsed("reviewer=none")], nothing).definition["reviewer"] is None
    assert isinstance(parsed("price:m=1,2"), PriceChange)
