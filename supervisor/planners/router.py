"""A plan of one step: pick the one worker for the task, by rules or by a model: level 2.

A router that explores gives now and then another worker the task, at random, and journals how likely its choice was:
from such runs it can be estimated what other ways of choosing would have come to (Horvitz and Thompson 1952).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pydantic import create_model
from pydantic_core import to_json

from ...protocols.asking import ask_models
from ...protocols.contracts import Card, Context, Effect, Model, Performed
from ...protocols.conversation import Head, OutputCard, Prompt, UserMessage, digest_of
from ...protocols.errors import UsageError
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
    explore: float = 0.0
    """Share of tasks, in [0, 1], that go to any worker of the same types, each as likely, the first choice included."""
    replans: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.explore <= 1:
            raise UsageError(f"router: expected `explore` in [0, 1], found {self.explore}")

    @property
    def definition(self) -> Json:
        """Routes, default, models and how much it explores."""
        return {
            "routes": [[route.when.model_dump(mode="json", by_alias=True), route.worker] for route in self.routes],
            "otherwise": self.otherwise,
            "ask_model": self.ask_model,
            "models": [model.name for model in self.models],
            **({"explore": self.explore} if self.explore else {}),
        }

    async def plan(self, brief: Brief, team: Sequence[Card], returns: Shape, context: Context) -> Report[Plan | Change]:
        """A plan of one step."""
        found = await self._choose(brief, team, context)
        if isinstance(found, Failed):
            return found
        return Done(output=await self._explored(found, team, context) if self.explore else found)

    async def _explored(self, plan: Plan, team: Sequence[Card], context: Context) -> Plan:
        """The same plan, or another worker's, and in the journal how likely it was."""
        first = plan.steps[0].worker
        types = {card.name: (card.accepts, card.returns) for card in team}
        alike = [name for name in types if types[name] == types.get(first)]
        if len(alike) < 2:
            return plan
        draw = await context.random()
        chosen = alike[min(int(draw / self.explore * len(alike)), len(alike) - 1)] if draw < self.explore else first
        likely = self.explore / len(alike) + (1 - self.explore) * (chosen == first)

        async def do(_: str) -> Performed[Json]:
            return Performed(value={"worker": chosen, "propensity": likely})

        request: Json = {"first": first, "candidates": alike, "explore": self.explore, "draw": draw}
        effect = Effect(kind="route", request=request, digest=digest_of(to_json(request)), do=do)
        journalled = await context.perform(effect)  # a replay holds to what was drawn when the run was recorded
        drawn: str = journalled["worker"]
        return _to(drawn, plan.reason if drawn == first else f"explored instead of {first}: {plan.reason}")

    async def _choose(self, brief: Brief, team: Sequence[Card], context: Context) -> Plan | Failed:
        for i, route in enumerate(self.routes):
            if holds(route.when, {"task": brief.task}):
                return _to(route.worker, f"route {i + 1} holds")
        models = self.models or context.models
        if self.ask_model and models:
            found = await self._ask(brief, tuple(team), models, context)
            if isinstance(found, Failed) and self.otherwise:
                return _to(self.otherwise, f"no choice by a model: {found.failure.message}")
            return found
        if self.otherwise:
            return _to(self.otherwise, f"none of {len(self.routes)} routes holds")
        message = f"none of {len(self.routes)} routes holds, and there is no model to ask and no `otherwise`"
        return Failed(failure=Failure(kind="not_delegated", message=message))

    async def _ask(
        self, brief: Brief, team: tuple[Card, ...], models: Sequence[Model], context: Context
    ) -> Plan | Failed:
        task = UserMessage(text=to_json(brief.task).decode())
        report = await ask_models(context, _prompt(team), [task], _choice(team), models)
        if isinstance(report, Done):
            return _to(report.output.worker, report.output.reason)
        return report if isinstance(report, Failed) else Failed(failure=_NOBODY)


_NOBODY = Failure(kind="not_delegated", message="the model chose nobody")


def _to(worker: str, reason: str) -> Plan:
    step = Step(id="routed", worker=worker, input={"$from": "task"})
    return Plan(steps=(step,), output={"$from": "routed"}, reason=reason)


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
