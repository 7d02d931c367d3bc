"""The org chart: who leads whom, and whether somebody has changed."""

from __future__ import annotations

from echelon.agents.cascade import Cascade
from echelon.agents.person import Person
from echelon.supervisor.hierarchy import changed, chart, definitions, members
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.policy import Policy
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, double

EVA: Person[Number, Number] = Person("eva", "How many?", accepts=Number, returns=Number)


def desk(prompt: str = "How many?", version: str = "1") -> Supervisor[Number, Number]:
    """Lead a cascade of a function and a person."""
    flow = Workflow(Number, Number)
    both = Cascade("both", tiers=[double, Person("eva", prompt, accepts=Number, returns=Number)])
    flow.output(flow.step(both, flow.task))
    return Supervisor("desk", accepts=Number, returns=Number, team=[both], planner=flow, policy=Policy(version=version))


def test_members_are_listed_depth_first_with_their_path_of_names() -> None:
    """In the order of their team."""
    assert [path for path, _ in members(desk())] == ["desk", "desk/both", "desk/both/double", "desk/both/eva"]


def test_a_chart_leads_from_each_to_those_below() -> None:
    """As a graph, with the cards at its nodes."""
    graph = chart(desk())
    assert list(graph.edges) == [
        ("desk", "desk/both"),
        ("desk/both", "desk/both/double"),
        ("desk/both", "desk/both/eva"),
    ]
    assert graph.nodes["desk/both/eva"]["card"].name == "eva"


def test_a_definition_changes_alone() -> None:
    """Who is above or beside stays as they were."""
    before = definitions(desk())
    assert changed(before, definitions(desk())) == ()
    assert changed(before, definitions(desk(prompt="Really?"))) == ("desk/both/eva (changed)",)
    assert changed(before, definitions(desk(version="2"))) == ("desk (changed)",)


def test_who_came_and_who_went_is_said() -> None:
    """Sorted by path."""
    assert changed({"a": "1", "b": "1"}, {"b": "1", "c": "1"}) == ("a (gone)", "c (new)")


def test_clearance_and_types_are_part_of_a_definition() -> None:
    """A resumed run must not carry data past a gate that has been moved."""
    cleared = Person("eva", "How many?", accepts=Number, returns=Number, clearance=frozenset({"web"}))
    other: Person[int, Number] = Person("eva", "How many?", accepts=int, returns=Number)
    assert len({definitions(one)["eva"] for one in (EVA, cleared, other)}) == 3
