"""Messages as plain JSON that is the same every time, so that files of it compare line by line; and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import TypeIs

from ...protocols.jsonl import MAX_DEPTH, UnfitError
from ...protocols.messages import Json, Message

M = TypeVar("M", bound=Message)


def plain(value: object, depth: int = 0) -> Json:
    """The value as JSON: fields in the order of their class, those with their default left out, sets sorted.

    What tells the classes of a union apart, and the version, is always there. Objects of the user's keep all their
    fields, in their order: digests are made over it.

    Raises:
        UnfitError: there is something that JSON does not have, or that would not be read again.

    Example:
        >>> from echelon.protocols.events import Parked
        >>> plain(Parked(questions=("q1",)))
        {'type': 'parked', 'questions': ['q1']}
    """
    if depth > MAX_DEPTH:
        raise UnfitError(f"at most {MAX_DEPTH} levels", "more")
    match value:
        case None | bool() | int():
            return value
        case str():
            return _text(value)
        case float():
            if not math.isfinite(value):
                raise UnfitError("numbers that JSON has", str(value))
            return value
        case BaseModel():
            return {name: plain(found, depth + 1) for name, found in _told(value)}
        case Mapping():
            pairs = cast("Mapping[Any, object]", value).items()
            return {_name(name): plain(found, depth + 1) for name, found in pairs}
        case Set():
            return sorted(_name(one) for one in cast("Set[object]", value))
        case list() | tuple():
            return [plain(one, depth + 1) for one in cast("list[object]", value)]
        case _:
            raise UnfitError("a JSON value", type(value).__name__)


def valid(kind: type[M], value: Json, *, version: int | None = None) -> M:
    """The message that a JSON object is.

    Args:
        kind: its class.
        value: what should be one; unknown fields are refused.
        version: what its `schema_version` must be; None: it has none.

    Raises:
        UnfitError: it is another version, or no such message; says the first fault and where, and quotes nothing.
    """
    found = value.get("schema_version") if is_object(value) else None
    if version is not None and found != version:
        told = f"{found}"[:20] + ", written by another version of Echelon" if isinstance(found, int) else "none"
        raise UnfitError(f"schema version {version}", told)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "".join(f"/{part}" for part in problem["loc"]) or "the whole"
        unknown = problem["type"] == "union_tag_invalid"  # its message quotes what was found, and all that is known
        said = "a type that is not known" if unknown else problem["msg"][:120]
        raise UnfitError(f"a valid {kind.__name__.lower()}", f"at {place[:80]}: {said}") from error


def is_object(value: Json) -> TypeIs[dict[str, Json]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: Json) -> TypeIs[list[Json]]:
    """Whether a JSON value is a list."""
    return isinstance(value, list)


def text_of(value: Json) -> str:
    """The shortest JSON text, in Unicode as it is.

    Raises:
        UnfitError: it has more digits than Python writes.

    Example:
        >>> text_of({"name": "Zoë", "n": [1, 2.0]})
        '{"name":"Zoë","n":[1,2.0]}'
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise UnfitError("numbers that can be written", "one that is too long") from error


def _text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UnfitError("text in Unicode", "half a surrogate pair") from error
    return text


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise UnfitError("names that are text", f"a {type(name).__name__}")
    return _text(name)


def _told(message: BaseModel) -> list[tuple[str, object]]:
    values = [(alias, getattr(message, name), default) for name, alias, default in _fields(type(message))]
    return [(alias, value) for alias, value, default in values if not _same(value, default)]


def _same(value: object, default: object) -> bool:
    return type(value) is type(default) and value == default


@lru_cache(maxsize=512)
def _fields(kind: type[BaseModel]) -> tuple[tuple[str, str, object], ...]:
    """Of each field its name, its name in JSON, and the value at which it is left out."""
    return tuple((name, info.alias or name, _default(info)) for name, info in kind.model_fields.items())


def _default(info: FieldInfo) -> object:
    tag = get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1
    return _NEVER if tag else info.get_default(call_default_factory=True, validated_data={})


_NEVER = object()
"""Is the same as no value."""
