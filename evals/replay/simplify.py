"""What two requests are compared without: volatile fields, secrets; and the JSON that stands inside texts."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pydantic_core import from_json

from ...protocols.messages import Json
from ..scenarios.plain import is_list, is_object

Simplify = Callable[[Json], Json]
"""Takes from a JSON value what is not to be compared."""


def simplifier(volatile: Collection[str] = (), redact: Simplify | None = None) -> Simplify | None:
    """Leaves out the fields of these names at any depth, in JSON inside texts too, after redaction; None: nothing.

    Example:
        >>> simplify = simplifier(["id"])
        >>> simplify({"text": '{"id": 7, "n": 1}', "id": 8})
        {'text': {'n': 1}}
    """
    names = frozenset(volatile)
    if not names:
        return redact
    if redact is None:
        return lambda value: without(value, names)
    return lambda value: without(redact(value), names)


def without(value: Json, names: Collection[str]) -> Json:
    """The value without the fields of these names, at any depth, in JSON inside texts too."""
    value = opened(value)
    if is_object(value):
        return {key: without(inner, names) for key, inner in value.items() if key not in names}
    return [without(inner, names) for inner in value] if is_list(value) else value


def opened(value: Json) -> Json:
    """The object or list that a text is the JSON of; anything else as it is."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return from_json(value)
    except ValueError:
        return value


def named(value: Json, name: str) -> list[Json]:
    """What stands under this name, at any depth, in order.

    Example:
        >>> named({"a": [{"id": 1}, {"text": '{"id": 2}'}]}, "id")
        [1, 2]
    """
    value = opened(value)
    if is_list(value):
        return [one for inner in value for one in named(inner, name)]
    pairs = value.items() if is_object(value) else ()
    return [one for key, inner in pairs for one in ([inner] if key == name else named(inner, name))]
