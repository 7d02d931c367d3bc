"""OpenInference spans (Arize Phoenix and others) as scenarios and back: one trace is one scenario.

LLM spans are model calls, TOOL spans tool runs, AGENT spans agents; CHAIN and all other kinds only hold what is below
them, and the root is the run whatever its kind. Attributes are read flattened (`llm.input_messages.0.message.role`) or
nested. Written are spans one a line, as Phoenix exports them, with `llm.finish_reason`, `evaluations` and `tag.tags`.
A refusal is a `message_content` of the type `refusal`; a response schema and effort are invocation parameters.
Source: github.com/Arize-ai/openinference, `spec/semantic_conventions.md`, `spec/llm_spans.md`, `spec/tool_calling.md`
and `spec/annotations.md`, as of openinference-semantic-conventions 0.1.46.

`llm.token_count.prompt` counts all input tokens, cached ones among them; `llm.cost.total` is what the application that
wrote the spans reckoned, and is taken for the price.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, cast

from pydantic_core import to_json

from ...protocols.conversation import Reply, ToolCall, ToolCard
from ...protocols.messages import Done, Json
from ..scenario import Scenario
from . import chat
from .gaps import Lacking, note
from .imported import NOTHING_KNOWN, About, Imported, imported
from .messages import Said, Tokens, answer_of, as_text, call_of, conversation, reply_of, spoken
from .reading import ForeignFile, Spot, array_of, json_or_text, object_of
from .spans import Happening, Span, trees_of
from .traces import printed, spans_from
from .vocabulary import Agent, Attributes, Judgement, Kind, Vocabulary, run_of, spans_of
from .work import ModelCall, ToolRun, Work, arguments_of

NAME: Final = "openinference"
VERSION: Final = "1"
KIND: Final = "openinference.span.kind"
KINDS: Final[dict[str, Kind]] = {"LLM": "model", "TOOL": "tool", "AGENT": "agent"}
LABELS: Final = {"yes": "pass", "no": "fail"}
AS_IT_IS: Final = frozenset({"value", "json_schema", "parameters", "invocation_parameters", "arguments"})
"""Last parts of names whose values are somebody's own JSON."""


def read(file: BinaryIO, about: About = NOTHING_KNOWN) -> Imported:
    """Read spans: OTLP's JSON, or printed spans, in an array, under `data`, or one after the other.

    Raises:
        ScenarioError: something is no span, a trace is no tree, or the file breaks a rule of `reading`.
    """
    source = ForeignFile(file, about.name, about.limits)
    found = (run_of(tree, WORDS, about) for tree in trees_of(spans_from(source)))
    return imported(f"{NAME}/{VERSION}", about, source, found)


def write(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """The scenarios as spans, one a line."""
    for scenario in scenarios:
        for span in spans_of(scenario, WORDS):
            yield chat.line_of(printed(span))


def nested(attributes: Spot) -> Spot:
    """Attributes with dots in their names as objects within objects, lists as objects by their indices.

    Example:
        >>> nested(Spot({"a.0.b": 1, "a.1": {"b.c": 2}}, "")).value
        {'a': {'0': {'b': 1}, '1': {'b': {'c': 2}}}}
    """
    tree: dict[str, Any] = {}
    for key, value in attributes.fields().items():
        *above, last = key.split(".")
        place = tree
        for part in above:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):  # a value stands where others have fields: it stays, and they are left out
                break
            place = cast("dict[str, Any]", inner)
        else:
            _put(place, last, value if last in AS_IT_IS else _nested(value))
    return Spot(tree, attributes.file, attributes.pointer)


def _nested(value: Json) -> Json:
    if any(isinstance(one, dict) for one in array_of(value)):
        return {str(i): _nested(one) for i, one in enumerate(array_of(value))}
    if isinstance(value, dict):
        return nested(Spot(value, "")).value
    return value


def _put(place: dict[str, Any], name: str, value: Any) -> None:
    known = place.get(name)
    if isinstance(known, dict) and isinstance(value, dict):
        cast("dict[str, Any]", value).update(cast("dict[str, Any]", known))
    place[name] = value


def listed(spot: Spot) -> list[Spot]:
    """The elements of what was a list before it was flattened, by their indices."""
    fields = spot.fields()
    indices = sorted((key for key in fields if key.isdecimal() and key.isascii()), key=lambda key: (len(key), key))
    return [spot[key] for key in indices]


def _kind(span: Span) -> Kind:
    return KINDS.get(span.attributes[KIND].text("").upper(), "other")


def _call(span: Span, lacks: Lacking) -> ModelCall:
    words = nested(span.attributes)
    llm = words["llm"]
    said = [_said(one["message"], lacks) for one in listed(llm["input_messages"])]
    instructions, messages = conversation(said, lacks)
    note(lacks, "messages", not messages)
    note(lacks, "instructions", not instructions)
    tools = [_tool_card(one["tool"], lacks) for one in listed(llm["tools"])]
    note(lacks, "tools", not tools)
    offered = tuple(card for card in tools if card is not None)
    head = chat.head_of(instructions, offered, _object(llm["invocation_parameters"]), lacks)
    answer = _answer(words, lacks if not span.failed else Lacking())
    finish = llm["finish_reason"].text("")
    answer = Said(role="assistant", text=answer.text, calls=answer.calls, refusal=answer.refusal, finish=finish)
    request, response = llm["request"]["model_name"].text(""), llm["response"]["model_name"].text("")
    count = llm["token_count"]
    before, after = count["prompt_details"], count["completion_details"]
    tokens = Tokens(
        prompt=count["prompt"].count(),
        output=count["completion"].count(),
        read=before["cache_read"].count(),
        written=before["cache_write"].count(),
        reasoning=after["reasoning"].count(),
    )
    usage = tokens.usage(llm["cost"]["total"].number(), Lacking() if span.failed else lacks)
    return ModelCall(
        model=request or llm["model_name"].text(""),
        head=head,
        messages=messages,
        answer=reply_of(answer, response, usage),
        usage=usage,
    )


def _answer(words: Spot, lacks: Lacking) -> Said:
    """The first output message; where there is none, an output that is plain text."""
    answers, output = listed(words["llm"]["output_messages"]), words["output"]
    note(lacks, "content", max(0, len(answers) - 1))
    if answers:
        return _said(answers[0]["message"], lacks)
    plain = output["mime_type"].text("text/plain") == "text/plain" and isinstance(output["value"].value, str)
    note(lacks, "replies", not plain)
    return Said(role="assistant", text=output["value"].text("") if plain else "")


def _said(message: Spot, lacks: Lacking) -> Said:
    whole, texts, refusal = message["content"].text(""), list[str](), ""
    for part in listed(message["contents"]):
        content = part["message_content"]
        match content["type"].text("text"):
            case "text":
                texts.append(content["text"].text(""))
            case "refusal":
                refusal += content["text"].text("")
            case _:
                note(lacks, "content")
    calls: list[ToolCall] = []
    for one in listed(message["tool_calls"]):
        call = one["tool_call"]
        calls.append(call_of(call["function"]["name"], call["function"]["arguments"], call["id"], lacks))
    return Said(
        role=message["role"].text("user"),
        text=whole or "".join(texts),
        calls=tuple(calls),
        call_id=message["tool_call_id"].text(""),
        refusal=refusal or None,
    )


def _object(spot: Spot) -> Spot:
    """A JSON object, itself or as text; of anything else, an empty one."""
    value = json_or_text(spot.value) if isinstance(spot.value, str) else spot.value
    return Spot(object_of(value), spot.file, spot.pointer)


def _tool_card(tool: Spot, lacks: Lacking) -> ToolCard | None:
    """A tool that was offered: its schema in OpenAI's form, or a schema of its arguments beside its name."""
    schema = _object(tool["json_schema"])
    if schema.has("function") or schema.has("name", "parameters"):
        return chat.tool_of(schema, lacks)
    plain = {"name": tool["name"].value, "description": tool["description"].value, "parameters": schema.value}
    return chat.tool_of(Spot(plain, tool.file, tool.pointer), lacks)


def _tool(span: Span, lacks: Lacking) -> ToolRun:
    words = nested(span.attributes)
    given, gave = words["input"]["value"], words["output"]["value"]
    note(lacks, "tool_results", given.value is None or (gave.value is None and not span.failed))
    arguments = arguments_of("" if given.value is None else as_text(given.value))
    answer = "" if gave.value is None else as_text(gave.value)
    return ToolRun(name=words["tool"]["name"].text(span.name), arguments=arguments, answer=answer)


def _agent(span: Span) -> Agent:
    words = nested(span.attributes)
    given, gave = words["input"], words["output"]
    return Agent(
        name=words["agent"]["name"].text(""),
        payload=_value(given),
        output=_value(gave),
        known=(given["value"].value is not None, gave["value"].value is not None),
    )


def _value(spot: Spot) -> Json:
    """An input or output by its MIME type; what calls itself JSON and is none is text."""
    value = spot["value"].value
    if isinstance(value, str) and spot["mime_type"].text("text/plain") == "application/json":
        return json_or_text(value)
    return value


def _judgements(span: Span) -> Iterator[Judgement]:
    words = nested(span.attributes)
    for many, single in (("evaluations", "evaluation"), ("annotations", "annotation")):
        for one in listed(words[many]):
            said = one[single]
            yield Judgement(
                name=said["name"].text(""),
                label=said["label"].text(""),
                score=said["score"].number(),
                explanation=said["explanation"].text(""),
            )


def _tags(span: Span) -> tuple[str, ...]:
    tags = nested(span.attributes)["tag"]["tags"]
    return tuple(tag.text() for tag in tags.items())


def _write_call(call: ModelCall) -> tuple[str, Attributes]:
    head = call.head
    written: dict[str, Json] = {KIND: "LLM", "llm.request.model_name": call.model, "llm.model_name": call.model}
    parameters = chat.parameters_json(head)
    if parameters:
        written["llm.invocation_parameters"] = to_json(parameters).decode()
    for i, said in enumerate(spoken(head.instructions, call.messages)):
        written |= _message(f"llm.input_messages.{i}.message", said)
    for i, card in enumerate(head.tools):
        written[f"llm.tools.{i}.tool.json_schema"] = to_json(chat.tool_json(card)).decode()
    if isinstance(call.answer, Reply):
        written |= _message("llm.output_messages.0.message", answer_of(call.answer))
        written["llm.finish_reason"] = call.answer.finish
        written["llm.response.model_name"] = call.answer.model or None
    if call.usage.tokens:
        tokens = Tokens.of(call.usage)
        written |= {
            "llm.token_count.prompt": tokens.prompt,
            "llm.token_count.completion": tokens.output,
            "llm.token_count.total": call.usage.tokens,
            "llm.token_count.prompt_details.cache_read": tokens.read,
            "llm.token_count.prompt_details.cache_write": tokens.written,
            "llm.token_count.completion_details.reasoning": tokens.reasoning,
        }
    if call.usage.usd:
        written["llm.cost.total"] = call.usage.usd
    return f"llm {call.model}".rstrip(), written


def _message(at: str, said: Said) -> Mapping[str, Json]:
    written: dict[str, Json] = {f"{at}.role": said.role, f"{at}.content": said.text}
    for i, call in enumerate(said.calls):
        written |= {
            f"{at}.tool_calls.{i}.tool_call.id": call.id,
            f"{at}.tool_calls.{i}.tool_call.function.name": call.name,
            f"{at}.tool_calls.{i}.tool_call.function.arguments": call.arguments,
        }
    if said.role == "tool":
        written[f"{at}.tool_call_id"] = said.call_id
    if said.refusal:
        written[f"{at}.contents.0.message_content.type"] = "refusal"
        written[f"{at}.contents.0.message_content.text"] = said.refusal
    return written


def _write_tool(run: ToolRun) -> tuple[str, Attributes]:
    written: dict[str, Json] = {KIND: "TOOL", "tool.name": run.name, **_put_value("input", run.arguments)}
    if isinstance(run.answer, str):
        written |= {"output.value": run.answer, "output.mime_type": "text/plain"}
    return run.name, written


def _write_agent(work: Work) -> tuple[str, Attributes]:
    if work.kind == "room":
        return work.step, {KIND: "CHAIN"}
    written: dict[str, Json] = {KIND: "AGENT", "agent.name": work.worker, **_put_value("input", work.payload)}
    if isinstance(work.report, Done):
        written |= _put_value("output", work.report.output)
    return work.worker, written


def _put_value(name: str, value: Json) -> Mapping[str, Json]:
    if value is None:
        return {}
    if isinstance(value, str):
        return {f"{name}.value": value, f"{name}.mime_type": "text/plain"}
    return {f"{name}.value": to_json(value).decode(), f"{name}.mime_type": "application/json"}


def _write_root(scenario: Scenario) -> tuple[Attributes, tuple[Happening, ...]]:
    ending = scenario.ending
    written: dict[str, Json] = {"tag.tags": list(scenario.header.tags)} if scenario.header.tags else {}
    if ending.success != "unscored":
        written |= {
            "evaluations.0.evaluation.name": ending.scorer or "success",
            "evaluations.0.evaluation.label": LABELS[ending.success],
            "evaluations.0.evaluation.score": ending.score,
            "evaluations.0.evaluation.explanation": ending.evidence or None,
        }
    return written, ()


WORDS: Final = Vocabulary(
    never=frozenset({"references"}),
    kind=_kind,
    call=_call,
    tool=_tool,
    agent=_agent,
    judgements=_judgements,
    tags=_tags,
    write_call=_write_call,
    write_tool=_write_tool,
    write_agent=_write_agent,
    write_root=_write_root,
)
