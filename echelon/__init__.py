"""Echelon: hierarchies of agents with typed plans, typed handoffs and one journal."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agents.agent import Agent
    from .agents.cascade import Cascade
    from .agents.function import worker
    from .agents.models.openai import OpenAIModel
    from .agents.models.scripted import ScriptedModel
    from .agents.person import Person
    from .agents.reviewer import Reviewer
    from .agents.tools import tool
    from .protocols.gateway.conversation import Conversation
    from .protocols.messages import Approval, Budget, Done
    from .supervisor.journal.sqlite import SqliteJournal
    from .supervisor.outcome import Outcome
    from .supervisor.planners.model import ModelPlanner
    from .supervisor.planners.router import Router
    from .supervisor.planners.workflow import Workflow
    from .supervisor.runs import answer, resume, run, start
    from .supervisor.supervisor import Supervisor

__all__ = [
    "Agent",
    "Approval",
    "Budget",
    "Cascade",
    "Conversation",
    "Done",
    "ModelPlanner",
    "OpenAIModel",
    "Outcome",
    "Person",
    "Reviewer",
    "Router",
    "ScriptedModel",
    "SqliteJournal",
    "Supervisor",
    "Workflow",
    "answer",
    "resume",
    "run",
    "start",
    "tool",
    "worker",
]

_HOMES = {
    "Agent": "agents.agent",
    "Approval": "protocols.messages",
    "Budget": "protocols.messages",
    "Cascade": "agents.cascade",
    "Conversation": "protocols.gateway.conversation",
    "Done": "protocols.messages",
    "ModelPlanner": "supervisor.planners.model",
    "OpenAIModel": "agents.models.openai",
    "Outcome": "supervisor.outcome",
    "Person": "agents.person",
    "Reviewer": "agents.reviewer",
    "Router": "supervisor.planners.router",
    "ScriptedModel": "agents.models.scripted",
    "SqliteJournal": "supervisor.journal.sqlite",
    "Supervisor": "supervisor.supervisor",
    "Workflow": "supervisor.planners.workflow",
    "answer": "supervisor.runs",
    "resume": "supervisor.runs",
    "run": "supervisor.runs",
    "start": "supervisor.runs",
    "tool": "agents.tools",
    "worker": "agents.function",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562): who needs one pays for one."""
    if name not in _HOMES:
        raise AttributeError(f"module 'echelon' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
