"""A plan of one step: pick the one worker for the task, by rules or by a model: level 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pydantic import create_model
from pydantic_core import to_json

from ...protocols.asking import ask_models
from ...protocols.contracts import Card, Context, Model
from ...protocols.conversation import Head, OutputCard, Prompt, UserMessage
from ...protocols.messages import Done, Failed, Failure, Json, Message, Report
from ...protocols.plans import Brief, Change, Condition, Plan, Step
from ...protocols.shapes import Shape
from ..plans.references import holds


@dataclass(frozen=True, slots=True)
class Route:
    """If the condition holds of the task, this worker does it."""

    when: Condition
    worker: str


@dataclass(frozen=True)
class Router:
    """Gives the whole task to one worker: the first route that holds, else a model's choice, else `otherwise`.

    The chosen worker must accept the supervisor's task and return its output. A model is asked only if no route
    holds and there is one, here or inherited.

    Example:
        >>> from echelon.supervisor.planners.workflow import Handle
        >>> Router([Route(Handle("task")["topic"].eq("bill"), "billing")], otherwise="desk").otherwise
        'desk'
    """

    routes: Sequence[Route] = ()
    _: KW_ONLY
    otherwise: str = ""
    """Name of a worker; "": the task fails if nobody is chosen."""
    ask_model: bool = True
    models: Sequence[Model] = ()
    """Empty: inherited."""
    replans: bool = field(default=False, init=False)

    @property
    def definition(self) -> Json:
        """Routes, default and models."""
        return {
            "routes": [[route.when.model_dump(mode="json", by_alias=True), route.worker] for route in self.routes],
            "otherwise": self.otherwise,
            "ask_model": self.ask_model,
            "models": [model.name for model in self.models],
        }

    async def plan(self, brief: Brief, team: Sequence[Card], returns: Shape, context: Context) -> Report[Plan | Change]:
        """A plan of one step."""
        for i, route in enumerate(self.routes):
            if holds(route.when, {"task": brief.task}):
                return _to(route.worker, f"route {i + 1} holds")
        models = self.models or context.models
        if self.ask_model and models:
            report = await self._ask(brief, tuple(team), models, context)
            if isinstance(report, Failed) and self.otherwise:
                return _to(self.otherwise, f"no choice by a model: {report.failure.message}")
            return report
        if self.otherwise:
            return _to(self.otherwise, f"none of {len(self.routes)} routes holds")
        message = f"none of {len(self.routes)} routes holds, and there is no model to ask and no `otherwise`"
        return Failed(failure=Failure(kind="not_delegated", message=message))

    async def _ask(
        self, brief: Brief, team: tuple[Card, ...], models: Sequence[Model], context: Context
    ) -> Report[Plan | Change]:
        task = UserMessage(text=to_json(brief.task).decode())
        report = await ask_models(context, _prompt(team), [task], _choice(team), models)
        return _to(report.output.worker, report.output.reason) if isinstance(report, Done) else report


def _to(worker: str, reason: str) -> Done[Plan | Change]:
    step = Step(id="routed", worker=worker, input={"$from": "task"})
    return Done(output=Plan(steps=(step,), output={"$from": "routed"}, reason=reason))


@lru_cache(maxsize=256)
def _choice(team: tuple[Card[Any, Any], ...]) -> Shape:
    """What a model answers: one of these names, and why; any other name goes back to it like any wrong field."""
    names: Any = Literal[tuple(card.name for card in team)]  # a type that is known only now
    return Shape(create_model("Choice", __base__=Message, worker=(names, ...), reason=(str, ...)))


@lru_cache(maxsize=256)
def _prompt(team: tuple[Card[Any, Any], ...]) -> Prompt:
    workers = "\n".join(f"- {card.name}: {card.description}" for card in team)
    text = f"Choose the one worker for the task, and say why in a few words.\n{workers}"
    output = OutputCard(name="choice", output_schema=_choice(team).input_schema)
    return Prompt.of(Head(instructions=text, framework=len(text), output=output, max_output_tokens=256))
