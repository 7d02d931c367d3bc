"""Hold a dialogue at a place: the one loop that performs the turns of `dialogue.converse`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from .contracts import Context, Model
from .conversation import ChatMessage, Prompt, ToolCall, ToolMessage
from .dialogue import Ask, Dialogue, Note, RunTools, Terms, converse
from .errors import EffectError
from .events import Recovered
from .messages import Failed, Failure, JsonReport
from .shapes import Shape

ToolRunner = Callable[[Sequence[ToolCall]], Awaitable[Sequence[ToolMessage]]]
"""Runs tool calls at once; gives their messages in the order of the calls."""


async def hold(dialogue: Dialogue, models: Sequence[Model], context: Context, run: ToolRunner) -> JsonReport:
    """Perform the turns until the dialogue has its report.

    Raises:
        Pause: a tool waits for a person.
    """
    answer: object = None
    while True:
        try:
            turn = dialogue.send(answer)
        except StopIteration as end:
            report: JsonReport = end.value
            return report
        match turn:
            case Ask(level, request):
                try:
                    answer = await context.reply(models[level], request)
                except EffectError as error:
                    answer = error.failure
            case RunTools(calls):
                answer = await run(calls)
            case Note(failure, reaction, reason):
                context.emit(Recovered(path=context.path, failure=failure, reaction=reaction, reason=reason))
                answer = None


async def ask_models(
    context: Context, prompt: Prompt, opening: Sequence[ChatMessage], shape: Shape, models: Sequence[Model]
) -> JsonReport:
    """A typed value from models that have no tools, or the failure that no repair and no stronger model mended."""
    if not models:
        return Failed(failure=no_model(context.path))
    return await hold(converse(prompt, opening, Terms(shape=shape, models=len(models))), models, context, _no_tools)


def no_model(path: str) -> Failure:
    """Nobody was given a model."""
    message = f"{path or '/'} has no model: give `models=[...]` to it, to its supervisor, or to the run"
    return Failure(kind="bad_request", message=message)


async def _no_tools(calls: Sequence[ToolCall]) -> Sequence[ToolMessage]:
    return [ToolMessage(call_id=call.id, text="error: there are no tools") for call in calls]
