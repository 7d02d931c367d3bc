"""Agents with tools of an MCP server, for the tests: what they call, and what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from echelon.agents.agent import Agent
from echelon.agents.mcp import MCPTool, MCPTools, Pin
from echelon.agents.mcp_session import Server
from echelon.agents.models.scripted import ScriptedModel, ToolCalls
from echelon.protocols.conversation import Request, ToolMessage
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.runs import run

LOOK, PUT = ("look_up", {"place": "left"}), ("put", {"thing": "a cup"})


def tools(server: Server, **more: Any) -> MCPTools:
    """Allow looking and putting, of which looking only reads."""
    whole: dict[str, Any] = {"allow": ["look_up", "put"], "reads": ["look_up"]} | more
    return MCPTools("shelf", server, **whole)


def agent(hand: Sequence[MCPTool], *calls: tuple[str, Any]) -> tuple[Agent[str, str], ScriptedModel]:
    """Have an agent make these calls, one after the other, and then say that it is done."""
    model = ScriptedModel([*(ToolCalls(call) for call in calls), "done"])
    return Agent("clerk", "Work.", accepts=str, returns=str, tools=hand, models=[model]), model


async def worked(server: Server, *calls: tuple[str, Any], **more: Any) -> tuple[Outcome[Any], list[str]]:
    """What comes of some calls, and what the model is told of each."""
    async with tools(server, **more) as shelf:
        clerk, model = agent(shelf.tools, *calls)
        outcome = await run(clerk, "go")
    return outcome, told(model.seen)


def told(requests: Sequence[Request]) -> list[str]:
    """What a model was told of its calls."""
    return [message.text for message in requests[-1].messages if isinstance(message, ToolMessage)]


def result(said: str) -> str:
    """The result in what a model is told."""
    return str(from_json(said)["result"])


def pin(**more: Any) -> Pin:
    """A tool, described."""
    whole: dict[str, Any] = {
        "name": "look_up",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    }
    return Pin.model_validate(whole | more)
