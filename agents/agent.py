"""The agent: a worker that has a model do the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Generic, Literal

import anyio
from pydantic_core import to_json

from ..protocols.asking import hold, no_model
from ..protocols.contracts import Card, Context, Effect, Model, Worker
from ..protocols.conversation import ChatMessage, Head, OutputCard, Prompt, ToolCall, ToolMessage, UserMessage
from ..protocols.dialogue import FINAL, Terms, converse
from ..protocols.errors import EffectError, Pause, ShapeError, UsageError
from ..protocols.events import Recovered
from ..protocols.messages import Failed, Failure, Handoff, In, Json, Out, Question, Report
from ..protocols.once import once
from ..protocols.shapes import Shape
from .tools import ModelTool, Tool


@dataclass(frozen=True)
class Agent(Generic[In, Out]):
    """Gives its instructions and the payload to a model, runs the tools it asks for, returns a typed output.

    Args:
        name: a letter, then letters, digits, `_` or `-`, at most 64.
        instructions: what the model is told before the payload.
        accepts: type of the payload; `str` is said as it is, anything else as JSON.
        returns: type of the output; `str` is taken as it is said, anything else must be JSON of that shape.
        tools: `Tool`s, tools of servers, or typed functions, which become tools that write nothing.
        models: first choice first; the next is asked where one fails for good; empty: inherited.
        description: for planners; "": the instructions.
        turns: model calls in one piece of work, at most.
        max_output_tokens: of one model call, reasoning included; with it, no budget can be passed.
        temperature: None: the provider's default.
        effort: how hard a reasoning model thinks; None: the provider's default.
        clearance: labels of data it may be given; None: any.
        labels: labels its output carries beside those of its input and of its tools.
    """

    name: str
    instructions: str
    _: KW_ONLY
    accepts: type[In]
    returns: type[Out]
    tools: Sequence[ModelTool | Any] = ()
    models: Sequence[Model] = ()
    description: str = ""
    turns: int = 16
    max_output_tokens: int = 4_096
    temperature: float | None = None
    effort: Literal["minimal", "low", "medium", "high"] | None = None
    clearance: frozenset[str] | None = None
    labels: frozenset[str] = frozenset()

    @once
    def toolbox(self) -> dict[str, ModelTool]:
        """Its tools by name.

        Raises:
            UsageError: two tools have the same name.
        """
        tools: list[ModelTool] = [Tool(one) if callable(one) else one for one in self.tools]
        box = {tool.name: tool for tool in tools}
        if len(box) < len(tools):
            raise UsageError(f"agent {self.name!r}: two of its tools have the same name: {[t.name for t in tools]}")
        return box

    @once
    def card(self) -> Card[In, Out]:
        """Name, description, types; it writes if one of its tools does."""
        return Card(
            name=self.name,
            description=self.description or self.instructions,
            accepts=Shape(self.accepts),
            returns=Shape(self.returns),
            writes=any(tool.effect for tool in self.toolbox.values()),
            clearance=self.clearance,
            labels=self.labels.union(*(tool.labels for tool in self.toolbox.values())),
        )

    @once
    def prompt(self) -> Prompt:
        """Instructions, tools and output shape, compiled once."""
        shape = self.card.returns
        output = None if shape.is_text else OutputCard(name=shape.name, output_schema=shape.input_schema)
        return Prompt.of(
            Head(
                instructions=self.instructions,
                tools=tuple(tool.card for tool in self.toolbox.values()),
                output=output,
                max_output_tokens=self.max_output_tokens,
                temperature=self.temperature,
                effort=self.effort,
            )
        )

    @once
    def definition(self) -> Json:
        """Instructions, tools, models."""
        return {
            "prompt": self.prompt.digest,
            "tools": [tool.definition for tool in self.toolbox.values()],
            "models": [model.name for model in self.models],
            "turns": self.turns,
        }

    @property
    def parts(self) -> Sequence[Worker]:
        """Nobody works inside it."""
        return ()

    async def work(self, handoff: Handoff[In], context: Context) -> Report[Out]:
        """Hold the conversation; on resume, what the journal holds of it is not asked again."""
        models = self.models or context.models
        if not models:
            return Failed(failure=no_model(f"agent {self.name!r}"))
        terms = Terms(shape=self.card.returns, models=len(models), tools=frozenset(self.toolbox), turns=self.turns)
        tools = _Tools(self.toolbox, context)
        return await hold(converse(self.prompt, self._opening(handoff), terms), models, context, tools.run)

    def _opening(self, handoff: Handoff[In]) -> list[ChatMessage]:
        shape = self.card.accepts
        said = handoff.payload if isinstance(handoff.payload, str) else to_json(shape.dump(handoff.payload)).decode()
        opening: list[ChatMessage] = [UserMessage(text=said)]
        if handoff.findings:
            lead = "Your last attempt was sent back. Mend this:\n"
            text = lead + "\n".join(f"- {finding}" for finding in handoff.findings)
            opening.append(UserMessage(text=text, framework=len(lead)))
        return opening


class _Tools:
    """Runs the tool calls of one conversation."""

    def __init__(self, toolbox: dict[str, ModelTool], context: Context) -> None:
        self._toolbox = toolbox
        self._context = context
        self._counts: Counter[str] = Counter()

    async def run(self, calls: Sequence[ToolCall]) -> list[ToolMessage]:
        """All calls at once; one that fails does not stop the others.

        Raises:
            Pause: some of them wait for a person; the others have been done.
            EffectError: one failed in a way that the model cannot mend.
        """
        effects = [self._effect(call) for call in calls]
        results: list[ToolMessage | Exception | None] = [None] * len(calls)

        async def one(i: int) -> None:
            results[i] = await self._result(calls[i], effects[i])

        if len(calls) == 1:
            await one(0)
        else:
            async with anyio.create_task_group() as group:
                for i in range(len(calls)):
                    group.start_soon(one, i)
        return _all_done(results)

    def _effect(self, call: ToolCall) -> Effect[str] | Failure:
        """The call as an effect, numbered by its order in the conversation, whatever order they finish in."""
        try:
            effect = self._toolbox[call.name].called(call.arguments)
        except ShapeError as error:
            return Failure(kind="invalid_input", message=f"tool {call.name!r}: {error}")
        self._counts[call.name] += 1
        return replace(effect, n=self._counts[call.name] - 1)

    async def _result(self, call: ToolCall, effect: Effect[str] | Failure) -> ToolMessage | Exception:
        """What the model is told, or what it cannot mend."""
        if isinstance(effect, Failure):
            return self._told(call, effect)
        try:
            return ToolMessage(call_id=call.id, text=await self._context.perform(effect))
        except EffectError as error:
            hopeless = error.failure.kind in FINAL or error.failure.kind == "in_doubt"
            return error if hopeless else self._told(call, error.failure)
        except Exception as error:
            return error

    def _told(self, call: ToolCall, failure: Failure) -> ToolMessage:
        reason = f"the model is told that {call.name!r} failed"
        path = self._context.path
        self._context.emit(Recovered(path=path, failure=failure, reaction="tell_model", reason=reason))
        return ToolMessage(call_id=call.id, text=f"error: {failure.message}")


def _all_done(results: Sequence[ToolMessage | Exception | None]) -> list[ToolMessage]:
    """The messages, or the gravest of what was raised; questions are put together."""
    raised = [result for result in results if isinstance(result, Exception)]
    questions: list[Question] = [q for error in raised if isinstance(error, Pause) for q in error.questions]
    for error in raised:
        if not isinstance(error, Pause):
            raise error
    if questions:
        raise Pause(questions)
    return [result for result in results if isinstance(result, ToolMessage)]
