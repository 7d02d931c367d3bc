"""What a user typed as a task, as the JSON value that the worker accepts.

1. `@file`, or `-` for standard input: its contents, as JSON if the worker accepts anything but text.
2. What begins with `{` or `[`, or names a `.json` file: JSON.
3. What names a file or folder, if the worker accepts an object with a field `folder`, `path` or `file`: that field.
4. Text, if the worker accepts text, or an object that one text makes whole.
5. Any other JSON: a number, a quoted text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from ..protocols.contracts import Card
from ..protocols.errors import ShapeError, UsageError
from ..protocols.messages import Json
from ..protocols.shapes import Shape
from .rendering import one_line

MOST = 16 * 1024 * 1024
"""Bytes of a task: the journal takes no longer event."""
PATH_FIELDS = ("folder", "directory", "path", "file")


def read_task(given: str, card: Card) -> Json:
    """The task as JSON that the worker accepts.

    Raises:
        UsageError: it cannot be read, or is not what the worker accepts; says what is.
    """
    value = _value(given, card.accepts)
    try:
        return card.accepts.dump(card.accepts.read(value))
    except ShapeError as error:
        raise UsageError(f"{card.name} does not accept this task: {error}") from error


def _value(given: str, shape: Shape) -> Json:
    if given == "-" or given.startswith("@"):
        return _contents(given, shape)
    if shape.is_text:
        return given
    if given.lstrip().startswith(("{", "[")):
        return _json(given, "the task")
    path = _existing(given)
    if path is not None and path.suffix == ".json" and path.is_file():
        return _json(_read(path), str(path))
    fields = _fields(shape)
    if path is not None and (field := _path_field(fields)):
        return {field: given}
    if field := _text_field(fields):
        return {field: given}
    try:
        return json.loads(given)
    except ValueError:
        where = f"the file {given!r} is no .json file" if path is not None else f"found {one_line(given, 60)!r}"
        raise UsageError(f"expected a task as {describe(shape)}, {where}") from None


def describe(shape: Shape) -> str:
    """What may be typed as a task.

    Example:
        >>> describe(Shape(str)), describe(Shape(int))
        ('text', 'JSON of int, or a .json file')
    """
    if shape.is_text:
        return "text"
    fields = _fields(shape)
    ways = [f"JSON of {shape.name}"]
    if fields:
        required = ", ".join(name for name, (needed, _) in fields.items() if needed) or "none required"
        ways = [f"JSON of {shape.name} (fields: {required})"]
    ways.append("a .json file")
    if _path_field(fields):
        ways.append("a file or folder")
    if _text_field(fields):
        ways.append("text")
    return ", ".join(ways[:-1]) + f", or {ways[-1]}"


def _contents(given: str, shape: Shape) -> Json:
    where = given[1:] or "-"
    if given == "-" or where == "-":
        text = sys.stdin.read(MOST + 1)
        name = "standard input"
    else:
        path = Path(where)
        if not path.is_file():
            raise UsageError(f"there is no file {where!r}")
        text, name = _read(path), where
    if len(text) > MOST:
        raise UsageError(f"{name}: expected at most {MOST} bytes, found more")
    field = None if shape.is_text else _text_field(_fields(shape))
    if shape.is_text:
        return text
    if field and not name.endswith(".json") and not text.lstrip().startswith(("{", "[")):
        return {field: text}
    return _json(text, name)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MOST:
            raise UsageError(f"{path}: expected at most {MOST} bytes, found {path.stat().st_size}")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 (byte {error.start})") from error


def _json(text: str, name: str) -> Json:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{name} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise UsageError(f"{name} is nested too deep") from error


def _existing(given: str) -> Path | None:
    try:
        path = Path(given).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError):  # too long for a name, or a null character: it is no path
        return None


Fields = Mapping[str, tuple[bool, Mapping[str, Json]]]
"""Fields of an object by name: whether it is required, and its schema."""


def _fields(shape: Shape) -> Fields:
    schema = shape.input_schema
    if "$ref" in schema:
        schema = schema.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
    required = set(schema.get("required", ()))
    properties = cast("dict[str, dict[str, Json]]", schema.get("properties", {}))
    return {name: (name in required, field) for name, field in properties.items()}


def _is_text(schema: Mapping[str, Json]) -> bool:
    return schema.get("type") == "string" and "enum" not in schema and "const" not in schema


def _path_field(fields: Fields) -> str | None:
    """The field that a path alone fills, where it makes the object whole."""
    others = {name for name, (required, _) in fields.items() if required}
    texts = [name for name, (_, schema) in fields.items() if _is_text(schema) and others <= {name}]
    of_type = [name for name in texts if str(fields[name][1].get("format", "")).endswith("path")]
    named = [name for name in PATH_FIELDS if name in texts]
    return next(iter([*of_type, *named]), None)


def _text_field(fields: Fields) -> str | None:
    """The field that a text alone fills: the only required one, or the only one."""
    required = [name for name, (needed, _) in fields.items() if needed]
    names = required or list(fields)
    if len(names) != 1 or not _is_text(fields[names[0]][1]):
        return None
    schema = fields[names[0]][1]
    is_path = names[0] in PATH_FIELDS or str(schema.get("format", "")).endswith("path")
    return None if is_path or "format" in schema else names[0]
