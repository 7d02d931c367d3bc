"""Traces by OpenTelemetry's semantic conventions for generative AI as scenarios and back: one trace is one scenario.

`chat`, `generate_content` and `text_completion` are model calls, `execute_tool` a tool run, `invoke_agent` an agent;
`invoke_workflow`, `plan` and all other spans only hold what is below them, and the root is the run whatever it is.
Contents are read from the span's attributes, structured or as JSON text, from its events, and from log records of the
same span (`gen_ai.client.inference.operation.details`). Written is OTLP's JSON, one trace a line.

Source: github.com/open-telemetry/semantic-conventions-genai (status: development; beside semantic-conventions v1.44),
`docs/gen-ai` at commit 024a4f9 and the schemas of messages under `model/gen-ai` at commit 2b902ce. Of the names before
it was split off (semantic-conventions v1.41), `gen_ai.usage.cache_creation.input_tokens` and results of tools as
`result` are read too; those of v1.36 and before (`gen_ai.prompt`, `gen_ai.user.message`) are not.

`gen_ai.usage.input_tokens` counts all input tokens, cached ones among them. What no part of a message can hold is a
part of the type `data` (a task or output that is no text) or `refusal`, as the conventions allow. They have no place
for a response schema, prices, tags; the run's success is the event `gen_ai.evaluation.result` of the root.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, Final, cast, get_args

from pydantic_core import to_json, to_jsonable_python

from ...protocols.conversation import Head, Reply, ToolCall, ToolCard
from ...protocols.messages import Done, Failure, Json
from ..scenario import Scenario
from . import chat
from .gaps import Lacking, note
from .imported import NOTHING_KNOWN, About, Imported, imported
from .messages import (
    DEFAULT,
    Said,
    Tokens,
    answer_of,
    as_text,
    call_of,
    conversation,
    reply_of,
    spoken,
)
from .otlp import export_of
from .reading import ForeignFile, Spot, json_or_text, object_of
from .spans import Happening, Span, trees_of
from .traces import spans_from
from .vocabulary import Agent, Attributes, Judgement, Kind, Vocabulary, run_of, spans_of
from .work import ModelCall, ToolRun, Work, arguments_of

NAME: Final = "otel-genai"
VERSION: Final = "1"
OPERATION: Final = "gen_ai.operation.name"
KINDS: Final[dict[str, Kind]] = {
    "chat": "model", "generate_content": "model", "text_completion": "model", "execute_tool": "tool",
    "invoke_agent": "agent",
}  # fmt: skip
EVALUATION: Final = "gen_ai.evaluation.result"
INPUT, OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
INSTRUCTIONS: Final = "gen_ai.system_instructions"
FINISHED: Final = "gen_ai.response.finish_reasons"
WRITTEN: Final = "gen_ai.usage.cache_write.input_tokens"
LABELS: Final = {"yes": "pass", "no": "fail"}
BROKE_OFF: Final = Failure(kind="upstream", message="the generation ended in an error")


def read(file: BinaryIO, about: About = NOTHING_KNOWN) -> Imported:
    """Read spans: OTLP's JSON, or printed spans, in an array, under `data`, or one after the other.

    Raises:
        ScenarioError: something is no span, a trace is no tree, or the file breaks a rule of `reading`.
    """
    source = ForeignFile(file, about.name, about.limits)
    found = (run_of(tree, WORDS, about) for tree in trees_of(spans_from(source)))
    return imported(f"{NAME}/{VERSION}", about, source, found)


def write(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """The scenarios as OTLP's JSON, one trace a line."""
    for scenario in scenarios:
        yield chat.line_of(export_of(spans_of(scenario, WORDS)))


def _kind(span: Span) -> Kind:
    return KINDS.get(span.attributes[OPERATION].text(""), "other")


def _attribute(span: Span, name: str) -> Spot:
    """An attribute of the span, of one of its events or log records, structured even where it is JSON text."""
    holders = (span.attributes, *(event.attributes for event in span.events))
    found = next((holder[name] for holder in holders if holder[name].value is not None), span.attributes[name])
    if isinstance(found.value, str):
        return Spot(json_or_text(found.value), found.file, found.pointer)
    return found


def _call(span: Span, lacks: Lacking) -> ModelCall:
    at = span.attributes
    spoken_first = [Said(role="system", text=_text(part, lacks)) for part in _attribute(span, INSTRUCTIONS).items()]
    said = [one for message in _attribute(span, INPUT).items() for one in _said(message, lacks)]
    system, messages = conversation(said, lacks)
    instructions = "\n\n".join(text for text in (*(one.text for one in spoken_first), system) if text)
    note(lacks, "messages", not messages)
    note(lacks, "instructions", not instructions)
    answers = _attribute(span, OUTPUT).items()
    note(lacks, "replies", not answers and not span.failed)
    note(lacks, "content", max(0, len(answers) - 1))
    answer = _said(answers[0], lacks)[0] if answers else Said(role="assistant")
    finish = next((reason.text("") for reason in at[FINISHED].items()), answer.finish)
    answer = Said(role="assistant", text=answer.text, calls=answer.calls, refusal=answer.refusal, finish=finish)
    tokens = Tokens(
        prompt=at["gen_ai.usage.input_tokens"].count(),
        output=at["gen_ai.usage.output_tokens"].count(),
        read=at["gen_ai.usage.cache_read.input_tokens"].count(),
        written=_either(at, WRITTEN, "gen_ai.usage.cache_creation.input_tokens").count(),
        reasoning=at["gen_ai.usage.reasoning.output_tokens"].count(),
    )
    usage = tokens.usage(None, Lacking() if span.failed else lacks)
    reply = reply_of(answer, at["gen_ai.response.model"].text(""), usage)
    return ModelCall(
        model=at["gen_ai.request.model"].text(""),
        head=_head(span, instructions, lacks),
        messages=messages,
        answer=BROKE_OFF if finish == "error" else reply,
        usage=usage,
    )


def _either(holder: Spot, name: str, before: str) -> Spot:
    """An attribute by its name, else by the name that it had before."""
    return holder[name] if holder[name].value is not None else holder[before]


def _head(span: Span, instructions: str, lacks: Lacking) -> Head:
    at = span.attributes
    cards = [chat.tool_of(tool, lacks) for tool in _attribute(span, "gen_ai.tool.definitions").items()]
    limit, effort = at["gen_ai.request.max_tokens"].count(), at["gen_ai.request.reasoning.level"].text("")
    known = effort in get_args(chat.Effort)
    note(lacks, "tools", not cards)
    note(lacks, "parameters", not limit or (bool(effort) and not known))
    note(lacks, "output_schema", at["gen_ai.output.type"].text("") == "json")
    return Head(
        instructions=instructions,
        tools=tuple(card for card in cards if card is not None),
        max_output_tokens=limit or DEFAULT.max_output_tokens,
        temperature=at["gen_ai.request.temperature"].number(),
        effort=cast("chat.Effort", effort) if known else None,
    )


def _said(message: Spot, lacks: Lacking) -> list[Said]:
    """One message; of a tool, one for each of its results."""
    texts, refusal, calls, results = list[str](), "", list[ToolCall](), list[Said]()
    role = message["role"].text()
    for part in message["parts"].items():
        match part["type"].text():
            case "text":
                texts.append(part["content"].text(""))
            case "tool_call":
                calls.append(call_of(part["name"], part["arguments"], part["id"], lacks))
            case "tool_call_response":
                gave = _plain(_either(part, "response", "result"))
                results.append(Said(role="tool", text=gave, call_id=part["id"].text("")))
            case "refusal":
                refusal += part["content"].text("")
            case _:
                note(lacks, "content")
    finish = message["finish_reason"].text("")
    if results and not texts:
        return results
    said = Said(role=role, text="".join(texts), calls=tuple(calls), refusal=refusal or None, finish=finish)
    return [said, *results]


def _plain(spot: Spot) -> str:
    return "" if spot.value is None else as_text(spot.value)


def _text(part: Spot, lacks: Lacking) -> str:
    if part["type"].text("text") != "text":
        note(lacks, "content")
        return ""
    return part["content"].text("")


def _tool(span: Span, lacks: Lacking) -> ToolRun:
    given, gave = span.attributes["gen_ai.tool.call.arguments"], span.attributes["gen_ai.tool.call.result"]
    note(lacks, "tool_results", given.value is None or (gave.value is None and not span.failed))
    return ToolRun(
        name=span.attributes["gen_ai.tool.name"].text(span.name),
        arguments=arguments_of(_plain(given)),
        answer=_plain(gave),
    )


def _agent(span: Span) -> Agent:
    given, gave = _attribute(span, INPUT), _attribute(span, OUTPUT)
    return Agent(
        name=span.attributes["gen_ai.agent.name"].text("") or span.attributes["gen_ai.workflow.name"].text(""),
        payload=_value(given),
        output=_value(gave),
        known=(given.value is not None, gave.value is not None),
    )


def _value(messages: Spot) -> Json:
    """What messages say: one of only text or data is that; others are messages as ours are."""
    listed = messages.items()
    if len(listed) == 1:
        parts = listed[0]["parts"].items()
        kinds = [part["type"].text() for part in parts]
        if kinds == ["data"]:
            return parts[0]["content"].value
        if kinds and set(kinds) == {"text"}:
            return "".join(part["content"].text("") for part in parts)
    if not listed:
        return None
    unheard = Lacking()
    _, heard = conversation([one for message in listed for one in _said(message, unheard)], unheard)
    return to_jsonable_python(heard)


def _judgements(span: Span) -> Iterator[Judgement]:
    for event in span.events:
        if event.name == EVALUATION:
            at = event.attributes
            yield Judgement(
                name=at["gen_ai.evaluation.name"].text(""),
                label=at["gen_ai.evaluation.score.label"].text(""),
                score=at["gen_ai.evaluation.score.value"].number(),
                explanation=at["gen_ai.evaluation.explanation"].text(""),
            )


def _no_tags(_: Span) -> tuple[str, ...]:
    return ()


def _write_call(call: ModelCall) -> tuple[str, Attributes]:
    head = call.head
    written: dict[str, Json] = {
        OPERATION: "chat",
        "gen_ai.request.model": call.model or None,
        "gen_ai.output.type": None if head.output is None else "json",
        "gen_ai.request.temperature": head.temperature,
        "gen_ai.request.reasoning.level": head.effort,
        INPUT: _messages(spoken("", call.messages)),
    }
    if head.max_output_tokens != DEFAULT.max_output_tokens:
        written["gen_ai.request.max_tokens"] = head.max_output_tokens
    if head.instructions:
        written[INSTRUCTIONS] = _json([{"type": "text", "content": head.instructions}])
    if head.tools:
        written["gen_ai.tool.definitions"] = _json([_definition(card) for card in head.tools])
    if isinstance(call.answer, Reply):
        written[OUTPUT] = _messages([answer_of(call.answer)])
        written[FINISHED] = [call.answer.finish]
        written["gen_ai.response.model"] = call.answer.model or None
    if call.usage.tokens:
        tokens = Tokens.of(call.usage)
        written |= {
            "gen_ai.usage.input_tokens": tokens.prompt,
            "gen_ai.usage.cache_read.input_tokens": tokens.read,
            WRITTEN: tokens.written,
            "gen_ai.usage.output_tokens": tokens.output,
            "gen_ai.usage.reasoning.output_tokens": tokens.reasoning,
        }
    return f"chat {call.model}".rstrip(), written


def _definition(card: ToolCard) -> Json:
    return {
        "type": "function",
        "name": card.name,
        "description": card.description,
        "parameters": card.parameters,
    }


def _messages(said: Iterable[Said]) -> str:
    return _json([{"role": one.role, "parts": _parts(one)} for one in said])


def _parts(said: Said) -> list[Json]:
    if said.role == "tool":
        return [{"type": "tool_call_response", "id": said.call_id, "response": said.text}]
    parts: list[Json] = [{"type": "text", "content": said.text}] if said.text or not said.calls else []
    parts += [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": _arguments(call.arguments)}
        for call in said.calls
    ]
    if said.refusal:
        parts.append({"type": "refusal", "content": said.refusal})
    return parts


def _arguments(text: str) -> Json:
    """Arguments as an object if that loses nothing of how the model wrote them; else the text."""
    value = object_of(json_or_text(text))
    return value if to_json(value).decode() == text else text


def _write_tool(run: ToolRun) -> tuple[str, Attributes]:
    written: dict[str, Json] = {
        OPERATION: "execute_tool",
        "gen_ai.tool.name": run.name,
        "gen_ai.tool.call.arguments": as_text(run.arguments),
    }
    if isinstance(run.answer, str):
        written["gen_ai.tool.call.result"] = run.answer
    return f"execute_tool {run.name}", written


def _write_agent(work: Work) -> tuple[str, Attributes]:
    if work.kind == "room":
        operation = "plan" if work.step == "plan" else None
        return work.step, {OPERATION: operation}
    written: dict[str, Json] = {OPERATION: "invoke_agent", "gen_ai.agent.name": work.worker}
    if work.payload is not None:
        written[INPUT] = _contents("user", work.payload)
    if isinstance(work.report, Done) and work.report.output is not None:
        written[OUTPUT] = _contents("assistant", work.report.output)
    return f"invoke_agent {work.worker}", written


def _contents(role: str, value: Json) -> str:
    kind = "text" if isinstance(value, str) else "data"
    return _json([{"role": role, "parts": [{"type": kind, "content": value}]}])


def _write_root(scenario: Scenario) -> tuple[Attributes, tuple[Happening, ...]]:
    ending = scenario.ending
    if ending.success == "unscored":
        return {}, ()
    said: Mapping[str, Json] = {
        "gen_ai.evaluation.name": ending.scorer or "success",
        "gen_ai.evaluation.score.label": LABELS[ending.success],
        "gen_ai.evaluation.score.value": ending.score,
        "gen_ai.evaluation.explanation": ending.evidence or None,
    }
    return {}, (Happening(name=EVALUATION, attributes=Spot(dict(said), "")),)


def _json(value: Json) -> str:
    """Content as JSON text: backends without structured attributes can read it too."""
    return to_json(value).decode()


WORDS: Final = Vocabulary(
    never=frozenset({"references", "tags"}),
    kind=_kind,
    call=_call,
    tool=_tool,
    agent=_agent,
    judgements=_judgements,
    tags=_no_tags,
    write_call=_write_call,
    write_tool=_write_tool,
    write_agent=_write_agent,
    write_root=_write_root,
)
