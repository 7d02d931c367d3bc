"""What a user's type checker sees: checked by mypy and pyright, never run."""

from typing import assert_type

import anyio
from pydantic import BaseModel

from echelon import (
    Agent,
    Approval,
    Cascade,
    Done,
    Outcome,
    Person,
    SqliteJournal,
    Supervisor,
    Workflow,
    resume,
    run,
    start,
    worker,
)
from echelon.agents.function import Function
from echelon.protocols.messages import Report
from echelon.supervisor.planners.workflow import Handle


class Topic(BaseModel):
    """A task."""

    name: str


class Brief(BaseModel):
    """An output."""

    text: str


@worker
async def plain(topic: Topic) -> Brief:
    """An async function."""
    return Brief(text=topic.name)


@worker
def blocking(topic: Topic) -> Brief:
    """A sync function."""
    return Brief(text=topic.name)


@worker(effect=True, usd=0.1)
async def paid(topic: Topic) -> Brief:
    """A function with duties."""
    return Brief(text=topic.name)


@worker
async def reporting(topic: Topic) -> Report[Brief]:
    """A function that reports."""
    return Done(output=Brief(text=topic.name), confidence=0.5)


agent = Agent("agent", "Write.", accepts=Topic, returns=Brief)
person = Person("boss", "Fine?", accepts=Brief, returns=Approval)
cascade = Cascade[Topic, Brief]("cascade", tiers=[plain, agent])
flow = Workflow(Topic, Brief)
desk = Supervisor("desk", accepts=Topic, returns=Brief, team=[agent, person], planner=flow)


def generics_reach_the_user() -> None:
    """Workers, handles and outcomes have the types of the user's models."""
    assert_type(plain, Function[Topic, Brief])
    assert_type(blocking, Function[Topic, Brief])
    assert_type(paid, Function[Topic, Brief])
    assert_type(reporting, Function[Topic, Brief])
    assert_type(agent, Agent[Topic, Brief])
    assert_type(person, Person[Brief, Approval])
    assert_type(cascade, Cascade[Topic, Brief])
    assert_type(desk, Supervisor[Topic, Brief])
    assert_type(flow.task, Handle[Topic])
    assert_type(flow.step(agent, flow.task), Handle[Brief])
    assert_type(flow.each(agent, flow.task["topics"]), Handle[list[Brief]])
    assert_type(anyio.run(run, desk, Topic(name="x")), Outcome[Brief])


async def outcomes_are_typed(store: SqliteJournal) -> None:
    """Whatever way a run is driven, its output has the supervisor's return type."""
    outcome = await run(desk, Topic(name="x"), store=store)
    assert_type(outcome.output, Brief)
    assert_type((await resume(desk, outcome.run, store=store)).output, Brief)
    async with start(desk, Topic(name="x")) as under_way:
        assert_type((await under_way.outcome()).output, Brief)
