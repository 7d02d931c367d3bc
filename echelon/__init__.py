"""Echelon: hierarchies of agents with typed plans, typed handoffs and one journal."""

from .agents.agent import Agent
from .agents.cascade import Cascade
from .agents.function import worker
from .agents.models.openai import OpenAIModel
from .agents.models.scripted import ScriptedModel
from .agents.person import Person
from .agents.reviewer import Reviewer
from .agents.tools import tool
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
