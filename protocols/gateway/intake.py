"""A task read off a conversation: what needs no model, and no second look.

1. Text: a team that accepts `str` gets the last message of the user. If something was said before it, a transcript of
   that goes in front: its last 20 turns, and of those the last 8,000 characters.
2. JSON: a message, or a text file attached to it, that is JSON of the accepted type is taken as it is; so is text that
   is of the type as it stands (a date, one of several words).
3. `field: value` lines: fields of an object, in any order; a value goes on until the next line that names a field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from pydantic_core import from_json

from ..dialogue import unfenced
from ..errors import ShapeError
from ..messages import In, Json
from ..shapes import Shape
from .conversation import Conversation

MOST_TURNS = 20
MOST_CHARACTERS = 8_000

Schema = Mapping[str, Json]

_LINE = re.compile(r"\s*(?:[-*]\s+)?[*`\"']*([A-Za-z_][\w .-]{0,63}?)[*`\"']*\s*[:=]\s*(.*)")
_CURLED = dict.fromkeys(map(ord, "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"), '"')
_WORDS: Mapping[str, bool] = {"yes": True, "true": True, "no": False, "false": False}


def task_in(conversation: Conversation, accepts: Shape[In]) -> In:
    """The task that a conversation holds as it stands.

    Raises:
        ShapeError: it holds none; a model, or the user, must say what is meant.

    Example:
        >>> chat = Conversation.model_validate({"turns": [{"role": "user", "text": "[1, 2]"}]})
        >>> task_in(chat, Shape(list[int])), task_in(chat, Shape(str))
        ([1, 2], '[1, 2]')
    """
    if accepts.is_text:
        return accepts.read(text_of(conversation))
    request = conversation.request
    for text in (request.text, *(file.text for file in request.attachments)):
        try:
            return accepts.read_json(as_json_text(text))
        except ShapeError:
            continue
    return accepts.read(request.text)


def as_json_text(text: str) -> str:
    r"""The JSON that a message is, out of its fence; the text, if it is none.

    Editors of chats curl quotes as they are typed (Open WebUI does): what is JSON only with straight ones gets them.

    Example:
        >>> as_json_text("{\u201ca\u201d: 1}"), as_json_text('{"a": "\u201c"}') == '{"a": "\u201c"}'
        ('{"a": 1}', True)
    """
    plain = unfenced(text)
    for read in (plain, plain.translate(_CURLED)):
        try:
            from_json(read)
        except ValueError:
            continue
        return read
    return plain


def text_of(conversation: Conversation) -> str:
    r"""The last message of the user, with a transcript of what was said before it.

    Example:
        >>> turns = (("user", "Hello"), ("assistant", "Yes?"), ("user", "Add 1."))
        >>> text_of(Conversation.model_validate({"turns": [{"role": role, "text": text} for role, text in turns]}))
        'Said before:\nuser: Hello\nassistant: Yes?\n\nAdd 1.'
    """
    request = conversation.request.whole
    earlier = conversation.earlier[-MOST_TURNS:]
    if not earlier:
        return request
    transcript = "\n".join(f"{said.role}: {said.whole}" for said in earlier)
    return f"Said before:\n{transcript[-MOST_CHARACTERS:]}\n\n{request}"


def value_in(text: str, schema: Schema) -> Json:
    """What a person's text says, as a value for a schema: JSON, fields by lines, or the text itself; it may not fit.

    Example:
        >>> value_in("12", {"type": "integer"}), value_in("12", {"type": "string"})
        (12, '12')
        >>> value_in("total: 3", {"type": "object", "properties": {"total": {"type": "integer"}}})
        {'total': 3}
    """
    if set(types_of(schema, schema)) == {"string"}:
        return text
    return fields_in(text, schema) or _typed(as_json_text(text), schema, schema)


def fields_in(text: str, schema: Schema) -> dict[str, Json]:
    r"""The fields of an object that lines of a text name; names are compared without regard to case and spaces.

    Example:
        >>> schema = {"properties": {"due_day": {"type": "string"}, "n": {"type": "integer"}}}
        >>> fields_in("Here it is:\n- Due day: Monday\nor Tuesday\n- n = 3", schema)
        {'due_day': 'Monday\nor Tuesday', 'n': 3}
    """
    properties = properties_of(schema)
    names = {_plain(name): name for name in properties}
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        name = names.get(_plain(match[1])) if match is not None else None
        if match is not None and name is not None:
            current = found[name] = [match[2]]
        elif current is not None:
            current.append(line)
    return {name: _typed("\n".join(lines).strip(), properties[name], schema) for name, lines in found.items()}


def properties_of(schema: Schema) -> Mapping[str, Schema]:
    """The fields of an object's schema; empty: it is none, or has none."""
    return cast("Mapping[str, Schema]", _followed(schema, schema).get("properties", {}))


def required_of(schema: Schema) -> Sequence[str]:
    """The fields that must be there, in order."""
    return cast("Sequence[str]", _followed(schema, schema).get("required", ()))


def types_of(schema: Schema, root: Schema, depth: int = 0) -> Iterator[str]:
    """The JSON types that a schema names, its alternatives among them; none: any."""
    plain = _followed(schema, root)
    named = plain.get("type")
    yield from [named] if isinstance(named, str) else cast("Sequence[str]", named or ())
    for key in ("anyOf", "oneOf", "allOf") if depth < 8 else ():
        for one in cast("Sequence[Schema]", plain.get(key, ())):
            yield from types_of(one, root, depth + 1)


def _followed(schema: Schema, root: Schema) -> Schema:
    """Where the schema's reference leads."""
    definitions = cast("Mapping[str, Schema]", root.get("$defs", {}))
    for _ in range(8):
        if "$ref" not in schema:
            break
        schema = definitions.get(str(schema["$ref"]).removeprefix("#/$defs/"), {})
    return schema


def _typed(text: str, schema: Schema, root: Schema) -> Json:
    """A value, from the text that a person wrote for it."""
    types = set(types_of(schema, root))
    if types <= {"string", "null"} and types:
        return None if text == "null" and "null" in types else text
    if "boolean" in types and text.casefold() in _WORDS:
        return _WORDS[text.casefold()]
    try:
        return from_json(text)
    except ValueError:
        return text


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name).casefold()
