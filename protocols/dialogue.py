"""A conversation with models that must end in a typed value: pure, a generator of turns.

1. Ask the first model. A call that failed for good goes to the next model, if there is one.
2. Tool calls are run and their results given back; an unknown tool is answered with the list of the known ones.
3. A refusal or a content filter ends the conversation: asking again would be asking for something else.
4. A cut, empty or ill-formed answer is sent back once with what is wrong; then the next model starts from before it.
5. The same tool call three times, or too many turns, is no progress.

`asking.hold` performs the turns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .conversation import AssistantMessage, ChatMessage, Prompt, Reply, Request, ToolCall, ToolMessage, UserMessage
from .errors import ShapeError
from .messages import Done, Failed, Failure
from .shapes import Shape

MOST_REPEATS = 3
MOST_UNKNOWN_TOOLS = 2


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask model number `level` (0 is first choice); answered with a Reply or a Failure."""

    level: int
    request: Request


@dataclass(frozen=True, slots=True)
class RunTools:
    """Run these calls, all at once; answered with their messages, in the order of the calls."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Write down how a failure was met; answered with None."""

    failure: Failure
    reaction: Literal["repair", "stronger_model", "tell_model"]
    reason: str


Turn = Ask | RunTools | Note
Answered = Reply | Failure | Sequence[ToolMessage] | None
Dialogue = Generator[Turn, Any, Done | Failed]
"""Yields turns, is sent what came of each, returns the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a conversation is held to."""

    shape: Shape
    models: int
    tools: frozenset[str] = frozenset()
    turns: int = 16
    """Model calls at most."""


def converse(prompt: Prompt, opening: Sequence[ChatMessage], terms: Terms) -> Dialogue:
    """Hold the conversation; every turn is yielded before it is done."""
    request, level, repaired = Request.begin(prompt, *opening), 0, False
    repeats: Counter[tuple[str, str]] = Counter()
    unknown = 0
    base = request
    for _ in range(terms.turns):
        answer = yield Ask(level, request)
        if isinstance(answer, Reply) and answer.tool_calls and _whole(answer):
            repeats.update((call.name, call.arguments) for call in answer.tool_calls)
            if stuck := _stuck(repeats):
                return Failed(failure=stuck)
            strangers = [call.name for call in answer.tool_calls if call.name not in terms.tools]
            unknown += bool(strangers)
            if unknown > MOST_UNKNOWN_TOOLS:
                return Failed(failure=_unknown_tools(strangers, terms.tools))
            if strangers:
                fault = _unknown_tools(strangers, terms.tools)
                yield Note(fault, "tell_model", "the model is told which tools there are")
            results = yield from _run(answer, terms.tools)
            base = request = request.then(AssistantMessage(text=answer.text, tool_calls=answer.tool_calls), *results)
            continue
        outcome = answer if isinstance(answer, Failure) else judge(answer, terms.shape)
        if isinstance(outcome, Done):
            return outcome
        if isinstance(answer, Reply) and outcome.kind in REPAIRABLE and not repaired:
            repaired = True
            yield Note(outcome, "repair", "the answer goes back once with what is wrong")
            request = base.then(*_repair(answer, outcome))
        elif level + 1 < terms.models and outcome.kind not in FINAL:
            level, repaired, request = level + 1, False, base
            yield Note(outcome, "stronger_model", f"model {level + 1} of {terms.models} starts from before the failure")
        else:
            return Failed(failure=outcome)
    return Failed(failure=Failure(kind="no_progress", message=f"no answer after {terms.turns} model calls"))


def _whole(reply: Reply) -> bool:
    """Whether its tool calls are what the model meant to say."""
    return reply.finish not in ("length", "content_filter") and not reply.refusal


REPAIRABLE = frozenset({"truncated", "invalid_output", "empty"})
FINAL = frozenset({"refused", "content_filter", "budget", "cancelled", "no_progress"})
"""Failures that no other model is asked to mend."""


def judge(reply: Reply, shape: Shape) -> Done | Failure:
    """The typed value of a reply without tool calls, or what is wrong with it."""
    if reply.refusal:
        return Failure(kind="refused", message=f"the model refused: {reply.refusal[:300]}")
    if reply.finish == "content_filter":
        return Failure(kind="content_filter", message="the provider's content filter stopped the answer")
    if reply.finish == "length":
        return Failure(kind="truncated", message=f"the answer was cut after {reply.usage.output} output tokens")
    if not reply.text.strip():
        return Failure(kind="empty", message="the answer was empty")
    if shape.is_text:
        return Done(output=reply.text)
    try:
        return Done(output=shape.read_json(unfenced(reply.text)))
    except ShapeError as error:
        return Failure(kind="invalid_output", message=str(error))


def unfenced(text: str) -> str:
    r"""JSON text without the Markdown fence that some models put around it.

    Example:
        >>> unfenced('```json\n{"a": 1}\n```')
        '{"a": 1}'
    """
    plain = text.strip()
    if plain.startswith("```") and plain.endswith("```"):
        return plain.removeprefix("```json").strip("`").strip()
    return plain


def _run(reply: Reply, known: frozenset[str]) -> Generator[Turn, Any, list[ToolMessage]]:
    """Run the known calls; answer the others with an error; keep the order."""
    calls = tuple(call for call in reply.tool_calls if call.name in known)
    done: dict[str, ToolMessage] = {}
    if calls:
        results = yield RunTools(calls)
        done = {result.call_id: result for result in results}
    return [
        done.get(call.id)
        or ToolMessage(call_id=call.id, text=f"error: there is no tool {call.name!r}; the tools are {sorted(known)}")
        for call in reply.tool_calls
    ]


def _stuck(repeats: Counter[tuple[str, str]]) -> Failure | None:
    (name, arguments), times = repeats.most_common(1)[0]
    if times < MOST_REPEATS:
        return None
    message = f"tool {name!r} was called {times} times with the same arguments {arguments[:120]}"
    return Failure(kind="no_progress", message=message)


def _unknown_tools(names: Sequence[str], known: frozenset[str]) -> Failure:
    return Failure(kind="unknown_tool", message=f"no tool {', '.join(map(repr, names))}; the tools are {sorted(known)}")


def _repair(reply: Reply, failure: Failure) -> list[ChatMessage]:
    if failure.kind == "truncated":
        text = "Your answer was cut off. Give the whole answer again, shorter."
    elif failure.kind == "empty":
        text = "Your answer was empty. Answer now."
    else:
        text = f"Your answer does not fit: {failure.message}. Give the whole answer again, corrected."
    complaint = UserMessage(text=text, framework=len(text))
    return [AssistantMessage(text=reply.text), complaint] if reply.text else [complaint]
