"""A plan by a model: one call writes all steps, data then flows by reference: level 3.

Framework text is what the model must know to write a plan, and no more: the grammar once, each worker as one line of
signature. What flows between steps never passes through the planner unless a step is marked `look`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from ...protocols.asking import ask_models
from ...protocols.contracts import Card, Context, Model
from ...protocols.conversation import Head, OutputCard, Prompt, UserMessage
from ...protocols.messages import Json, Report
from ...protocols.plans import Brief, Change, Plan
from ...protocols.shapes import Shape
from ...protocols.signatures import signatures

PLAN, CHANGE = Shape(Plan), Shape(Change)

GRAMMAR = """\
Write a plan: steps for the workers below, as JSON.
In `input` and `output`, {"$from": "<step id>", "at": "/json/pointer"} stands for (part of) that step's output, \
{"$from": "task"} for the task; "at" may be left out. Anything else is literal.
A step runs as soon as what it refers to is there; use as few steps as do the job.
Optional in a step: "after": [ids]; \
"when": {"ref": {"$from": ...}, "op": "eq|ne|lt|le|gt|ge|in|exists", "value": ...}; \
"for_each": {"$from": ...} to run once per element of a list, which is {"$from": "item"} in `input`; \
"on_failure": {"do": "skip"} or {"do": "fallback", "worker": ...}; "look": true if you must see its output to go on.
`output` must fit: """

AMEND = """\
Steps that are done keep their results. Answer with a change as JSON: {"reason": ..., "put": [steps that are new or \
replace failed ones], "drop": [ids of steps not begun], "output": a new template, or null to keep it}."""


@dataclass(frozen=True)
class ModelPlanner:
    """Asks a model for the plan; faults go back to it, and so does what it must see to go on.

    Args:
        instructions: what the planner should know of the trade; goes before the framework's text.
        models: first choice first; empty: inherited.
        max_output_tokens: bound of one proposal.
    """

    instructions: str = ""
    _: KW_ONLY
    models: Sequence[Model] = ()
    max_output_tokens: int = 4_096
    replans: bool = field(default=True, init=False)

    @property
    def definition(self) -> Json:
        """Instructions and models."""
        return {"instructions": self.instructions, "models": [model.name for model in self.models]}

    async def plan(self, brief: Brief, team: Sequence[Card], returns: Shape, context: Context) -> Report[Plan | Change]:
        """Ask for a plan, or for a change to the one under way."""
        prompt = _prompt(self.instructions, tuple(team), returns, self.max_output_tokens)
        opening = [UserMessage(text=to_json(brief.task).decode())]
        if brief.plan is not None:
            opening.append(_so_far(brief))
        if brief.faults:
            opening.append(_faults(brief))
        shape = PLAN if brief.plan is None else CHANGE
        return await ask_models(context, prompt, opening, shape, self.models or context.models)


def _so_far(brief: Brief) -> UserMessage:
    """The plan under way, what has become of it, and what is asked for now."""
    plan = brief.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True) if brief.plan is not None else None
    known = {
        "why": brief.reason,
        "plan": plan,
        "settled": [s.model_dump(mode="json", exclude_defaults=True) for s in brief.settled],
    }
    text = f"Go on from here.\n{AMEND}\n"
    return UserMessage(text=text + to_json(known).decode(), framework=len(text))


def _faults(brief: Brief) -> UserMessage:
    """The proposal that was refused, with all its faults."""
    said = "\n".join(f"- {fault.step}{fault.field}: {fault.message}" for fault in brief.faults)
    text = f"Your last answer cannot be used:\n{said}\nAnswer again, whole and corrected. It was:\n"
    return UserMessage(text=text + to_json(brief.refused).decode(), framework=len(text))


@lru_cache(maxsize=256)
def _prompt(instructions: str, team: tuple[Card[Any, Any], ...], returns: Shape, limit: int) -> Prompt:
    given = [schema for card in team for schema in (card.accepts.input_schema, card.returns.input_schema)]
    (wanted, *lines), types = signatures([returns.input_schema, *given])
    pairs = zip(team, lines[::2], lines[1::2], strict=True)
    workers = [f"- {card.name}: {card.description} {accepts} -> {output}" for card, accepts, output in pairs]
    text = "\n".join([f"{GRAMMAR}{wanted}", *(["Types:", *types] if types else []), "Workers:", *workers])
    whole = f"{instructions}\n\n{text}" if instructions else text
    output = OutputCard(name="plan", output_schema=_schema([card.name for card in team]), strict=False)
    return Prompt.of(Head(instructions=whole, framework=len(text), output=output, max_output_tokens=limit))


def _schema(names: list[str]) -> dict[str, Json]:
    """A short schema for a server that enforces one; the check of the plan is ours."""
    step = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "worker": {"type": "string", "enum": names}, "input": {}},
        "required": ["id", "worker", "input"],
    }
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "steps": {"type": "array", "items": step},
            "put": {"type": "array", "items": step},
            "drop": {"type": "array", "items": {"type": "string"}},
            "output": {},
        },
    }
