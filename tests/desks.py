"""A desk whose runs are recorded: an agent with a tool, a function that writes, a person; secrets in its task."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from pydantic_core import from_json

from echelon import Agent, Outcome, Person, ScriptedModel, Supervisor, Workflow, resume, run, worker
from echelon.agents.models.scripted import Said, ToolCalls
from echelon.evals.virtual import VirtualClock, VirtualLoop
from echelon.protocols.conversation import Request, UserMessage
from echelon.protocols.messages import Answer, Approval, Message
from echelon.protocols.prices import Rates
from echelon.supervisor.runs import MemoryJournal, Settings

KEY = "sk-" + "proj-a1B2" * 4
"""Looks like the key of a provider, and is none."""


class Login(Message):
    """What the desk is asked: a question, and how to get at the answer."""

    question: str
    password: str
    pin: int | str = 0


class Found(Message):
    """What was found."""

    text: str


class Paid(Message):
    """What is to be paid, and how."""

    text: str
    password: str


LOGIN = Login(question="How many?", password="correct-horse", pin=4711)


async def look_up(place: str) -> str:
    """Looks a place up.

    Args:
        place: where.
    """
    return f"{place}: 42"


def finding(request: Request) -> Said:
    """Use the tool, then say what it gave, and what the task said."""
    if len(request.messages) == 1:
        return ToolCalls(("look_up", {"place": "shelf"}))
    first = request.messages[0]
    task: dict[str, str] = from_json(first.text) if isinstance(first, UserMessage) else {}
    return Found(text=f"{task['question']} 42, with {task['password']}")


@worker(effect=True)
async def pay(paid: Paid) -> str:
    """Pays."""
    return f"paid for {paid.text}"


@worker
async def close(receipt: str, approval: Approval) -> str:
    """Closes the case."""
    return f"{receipt}; {approval.by}"


def desk() -> Supervisor[Login, str]:
    """Hire a desk: an agent with a tool finds, a function pays, a person approves what was paid, a function closes."""
    model = ScriptedModel(finding, price=Rates(input=1.0, output=4.0), seconds=0.25)
    finder = Agent("finder", "Find it.", accepts=Login, returns=Found, tools=[look_up], models=[model])
    boss = Person("boss", "May this be closed?", accepts=Paid, returns=Approval)
    flow = Workflow(Login, str)
    found = flow.step(finder, flow.task)
    paid: Any = {"text": found["text"], "password": flow.task["password"]}
    receipt = flow.step(pay, paid)
    flow.output(flow.step(close, {"receipt": receipt, "approval": flow.step(boss, paid)}))
    return Supervisor("desk", accepts=Login, returns=str, team=[finder, pay, boss, close], planner=flow)


def worked(task: Login = LOGIN, *, run_id: str = "run-1") -> Outcome[str]:
    """Run the desk in virtual time to its end, the person's yes included."""
    with closing(VirtualLoop()) as loop:
        return loop.run(_worked(task, run_id, Settings(clock=VirtualClock(loop))))


async def _worked(task: Login, run_id: str, settings: Settings) -> Outcome[str]:
    team, store = desk(), MemoryJournal()
    outcome = await run(team, task, store=store, run_id=run_id, settings=settings)
    (question,) = outcome.questions
    yes = Answer(question=question.id, digest=question.digest, approved=True, by="ada")
    await store.put(outcome.run, question.id, yes.model_dump_json().encode())
    return await resume(team, outcome.run, store=store, settings=settings)
