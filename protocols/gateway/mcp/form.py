"""A question to a person as a form (MCP: elicitation in form mode), and the form's answer as the person's.

1. A yes or no is a choice without a default: sending the form off says nothing by itself. Declining it is a no.
   Dismissing it is no answer; the question stays open.
2. What was done before a crash is asked about in the same way, with room for its result.
3. A report of flat fields is asked for field by field; any other value as text: JSON, or `field: value` lines.
4. Whoever answers must see all of what is asked: a question that is too long for a form is none for a form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from ...errors import AnswerError
from ...messages import Json, Question
from ...visible import visible
from ..intake import properties_of, required_of, value_in

Schema: TypeAlias = Mapping[str, Json]

ANSWER, NOTE, DONE = "answer", "note", "result"
YES, NO = "yes", "no"
MOST_ASKED = 8_000
"""Characters of a form's message."""
FORMATS = frozenset({"date", "date-time", "email", "uri"})
"""Of texts, that MCP knows."""
KINDS: Mapping[str, Sequence[str]] = {
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "boolean": (),
}
"""Types of a form's fields, each with the limits that MCP knows of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a client shows its user."""

    message: str
    schema: Schema
    """A flat object (MCP 2026-07-28: `PrimitiveSchemaDefinition`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person answered."""

    approved: bool
    value: Json = None
    note: str = ""


def form_of(question: Question, run: str, complaint: str = "") -> Form | None:
    """The form that asks a question; None: it is too long for one.

    Args:
        question: of a run that waits.
        run: its id.
        complaint: why the last answer was not taken; "": there was none.
    """
    fields, hint = _fields(question)
    parts = [
        f"That was not taken: {complaint}." if complaint else "",
        question.prompt if question.of == "user" else f"{question.of} is asked: {question.prompt}",
        _shown(question.subject),
        f"The data carries the labels {', '.join(sorted(question.labels))}." if question.labels else "",
        hint,
        f"(question {question.id} of run {run})",
    ]
    message = visible("\n\n".join(part for part in parts if part))
    schema: Schema = {"type": "object", **fields}
    return Form(message=message, schema=schema) if len(message) <= MOST_ASKED else None


def given(question: Question, reply: Json) -> Given | None:
    """What the answer to a form says; None: it was dismissed.

    Raises:
        AnswerError: it was filled in, but not with an answer.

    Example:
        >>> from ...messages import Question
        >>> asked = Question(id="q", path="", asks="approval", of="eva", prompt="?", subject=None, digest="",
        ...                  answer_schema={})
        >>> given(asked, {"action": "accept", "content": {"answer": "yes"}})
        Given(approved=True, value=None, note='')
        >>> given(asked, {"action": "decline"}).approved, given(asked, {"action": "cancel"})
        (False, None)
    """
    fields = _mapping(reply)
    content = _mapping(fields.get("content"))
    match fields.get("action"):
        case "decline":
            return Given(approved=False)
        case "cancel":
            return None
        case "accept" if question.asks == "report":
            return _reported(question, content)
        case "accept" if content.get(ANSWER) in (YES, NO):
            return _decided(question, content)
        case _:
            raise AnswerError("expected yes or no" if question.asks != "report" else "the form was not filled in")


def _fields(question: Question) -> tuple[Schema, str]:
    """The fields of a question's form, and what must be said beside them."""
    schema = question.answer_schema
    match question.asks:
        case "approval":
            note: Schema = {"type": "string", "title": "Note", "description": "For the record; may be left empty."}
            return _closed({ANSWER: _yes_or_no("Approve?"), NOTE: note}, ANSWER), ""
        case "in_doubt":
            said = "What it gave, if it was done; may be left empty."
            result: Schema = {"type": "string", "title": "Result", "description": said}
            fields = {ANSWER: _yes_or_no("Was it done?"), DONE: result}
            return _closed(fields, ANSWER), _shape(schema) if schema else ""
        case "report":
            flat = {name: _field(field, schema) for name, field in properties_of(schema).items()}
            whole = {name: field for name, field in flat.items() if field is not None}
            if whole and len(whole) == len(flat):
                return _closed(whole, *required_of(schema)), ""
            if not flat and (field := _field(schema, schema)) is not None:
                return _closed({ANSWER: field}, ANSWER), ""
            return _closed({ANSWER: {"type": "string", "title": "Answer"}}, ANSWER), _shape(schema)


def _reported(question: Question, content: Schema) -> Given:
    schema = question.answer_schema
    asked, _ = _fields(question)
    fields = cast("Mapping[str, Schema]", asked["properties"])
    if ANSWER in fields and ANSWER not in properties_of(schema):
        answer = content.get(ANSWER)
        if answer is None:
            raise AnswerError(f"the field {ANSWER!r} is empty")
        is_text = isinstance(answer, str) and _field(schema, schema) is None
        return Given(approved=True, value=value_in(answer, schema) if is_text else _number(answer))
    required = required_of(schema)
    said = {name: _number(content[name]) for name in fields if name in content}
    return Given(approved=True, value={n: v for n, v in said.items() if n in required or v not in ("", None)})


def _decided(question: Question, content: Schema) -> Given:
    approved = content[ANSWER] == YES
    if question.asks == "approval":
        return Given(approved=approved, note=str(content.get(NOTE) or ""))
    result = str(content.get(DONE) or "") if approved else ""
    return Given(approved=approved, value=value_in(result, question.answer_schema) if result else None)


def _field(schema: Schema, root: Schema, depth: int = 0) -> Schema | None:
    """A field of a form for a value; None: no field could take it."""
    plain = _followed(schema, root)
    told = {key: plain[key] for key in ("title", "description") if isinstance(plain.get(key), str)}
    if plain.get("default") is not None:
        told["default"] = plain["default"]
    if (choice := _choice(plain)) is not None:
        return choice | told
    if plain.get("type") == "array":
        items = _choice(_followed(_mapping(plain.get("items")), root), among="anyOf")
        limits = {key: plain[key] for key in ("minItems", "maxItems") if key in plain}
        return None if items is None else {"type": "array", "items": items} | limits | told
    if (ways := [*plain.get("anyOf", ()), *plain.get("oneOf", ())]) and depth < 8:
        fields = [_field(way, root, depth + 1) for way in ways if _mapping(way).get("type") != "null"]
        texts = [field for field in fields if field is not None and field["type"] == "string"]
        chosen = next(iter([*texts, *fields])) if all(fields) and fields else None
        return None if chosen is None else {**chosen, **told}
    kind = str(plain.get("type"))
    if kind not in KINDS:
        return None
    limits = {key: plain[key] for key in KINDS[kind] if key in plain}
    format_ = {"format": plain["format"]} if kind == "string" and plain.get("format") in FORMATS else {}
    return {"type": kind} | limits | format_ | told


def _choice(plain: Schema, among: str = "oneOf") -> dict[str, Json] | None:
    """One of several texts, as MCP writes it; None: it is no such choice."""
    names: Sequence[Json] = plain.get("enum", [plain["const"]] if "const" in plain else [])
    if names and all(isinstance(name, str) for name in names):
        titles = {"enumNames": plain["enumNames"]} if "enumNames" in plain else {}
        return {"type": "string", "enum": names} | titles
    titled = [_mapping(each) for each in plain.get(among, ())]
    if titled and all(isinstance(each.get("const"), str) and "title" in each for each in titled):
        ways = [{"const": each["const"], "title": each["title"]} for each in titled]
        return ({"type": "string"} if among == "oneOf" else {}) | {among: ways}
    return None


def _followed(schema: Schema, root: Schema) -> Schema:
    """Where a reference leads, with what is said beside it."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**_mapping(_mapping(root.get("$defs")).get(name)), **beside} if name else schema


def _yes_or_no(title: str) -> Schema:
    return {"type": "string", "title": title, "enum": [YES, NO]}


def _closed(fields: Schema, *required: str) -> Schema:
    return {"properties": fields, "required": list(required)} if required else {"properties": fields}


def _shape(schema: Schema) -> str:
    return f"As JSON of this shape:\n{json.dumps(schema, ensure_ascii=False)}"


def _shown(subject: Json) -> str:
    """What the question is about: all of it."""
    if subject is None or isinstance(subject, str):
        return subject or ""
    return json.dumps(subject, indent=2, ensure_ascii=False)


def _number(value: Json) -> Json:
    """A whole number as such: forms know no other than JSON's."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _mapping(value: Json) -> Schema:
    return cast("Schema", value) if isinstance(value, Mapping) else {}
