"""A team that has everything: a team inside, a fan-out, an agent with a writing tool, a person, a strict reviewer."""

from __future__ import annotations

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import Said, ScriptedModel, ToolCalls
from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.agents.tools import Key, Tool
from echelon.evals.world import World
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Request
from echelon.protocols.messages import Approval, Revise
from echelon.protocols.prices import Rates
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor

RATES = Rates(input=1.0, output=4.0)


def researchers(world: World) -> Worker[list[str], list[str]]:
    """A team of its own: one paid look per topic."""

    @worker(usd=0.1)
    async def look(topic: str) -> str:
        """Looks something up, for money."""
        return await world.do("look", usd=0.1, writes=False, result=f"all about {topic}")

    flow = Workflow(list[str], list[str])
    flow.output(flow.each(look, flow.task))
    return Supervisor("researchers", accepts=list[str], returns=list[str], team=[look], planner=flow)


def writer(world: World) -> Worker[list[str], str]:
    """An agent that saves what it writes, and mends it when told to."""

    async def save(text: str, key: Key) -> str:
        """Save a text."""
        return await world.do("save", key=key.value, result="saved")

    def script(request: Request) -> Said:
        if not any(message.role == "tool" for message in request.messages):
            return ToolCalls(("save", {"text": "text"}), ("save", {"text": "copy"}))
        mended = any("Mend this" in message.text for message in request.messages if message.role == "user")
        return "final text" if mended else "draft"

    model = world.watched(ScriptedModel(script, price=RATES))
    return Agent("writer", "Write.", accepts=list[str], returns=str, tools=[Tool(save, effect=True)], models=[model])


def orchestra(world: World) -> Worker[list[str], str]:
    """Research, write, have it approved, post it, review all of it."""

    @worker(effect=True, usd=0.05)
    async def post(text: str, by: str, key: Key) -> str:
        """Posts."""
        return await world.do("post", key=key.value, usd=0.05, result=f"{text}, by {by}")

    def finished(text: str) -> Revise | None:
        return None if "final" in text else Revise(findings=("it is a draft",), blamed=("writer",))

    found, text, chief = researchers(world), writer(world), Person("chief", "Fine?", accepts=str, returns=Approval)
    flow = Workflow(list[str], str)
    written = flow.step(text, flow.step(found, flow.task))
    approved = flow.step(chief, written)
    flow.output(flow.step(post, {"text": written, "by": approved["by"]}))
    return Supervisor(
        "orchestra",
        accepts=list[str],
        returns=str,
        team=[found, text, chief, post],
        planner=flow,
        reviewer=Reviewer(checks=[finished]),
    )
