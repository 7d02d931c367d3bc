"""Tools of servers as somebody has read and approved them: a server that says something else is not used.

What a server says of its tools becomes part of a model's instructions. A server may say one thing while it is looked
at, and another later ("rug pull"): so name, description and parameters are pinned, and compared in every session.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from pydantic import ValidationError

from ..protocols.conversation import digest_of
from ..protocols.errors import PinError, UsageError
from ..protocols.messages import Json, Message
from ..protocols.once import once
from ..protocols.shapes import faults_of
from ..protocols.visible import visible

MOST_FILE = 4 * 1024 * 1024
"""Bytes of a file of pins."""
MOST_DESCRIPTION = 8_000
"""Characters; a longer one is no description but a prompt."""
MOST_PARAMETERS = 64 * 1024
"""Bytes of the schema of a tool's parameters."""
MOST_DEPTH = 32


class Pin(Message):
    """A tool as its server describes it, word for word."""

    name: str
    description: str
    parameters: dict[str, Json]
    """JSON Schema of the arguments."""

    @once
    def digest(self) -> str:
        """Of all that is pinned.

        Example:
            >>> a = Pin(name="a", description="", parameters={"type": "object", "required": []})
            >>> a.digest == Pin(name="a", description="", parameters={"required": [], "type": "object"}).digest
            True
        """
        schema = json.dumps(self.parameters, sort_keys=True, separators=(",", ":"))
        return digest_of(self.name.encode(), self.description.encode(errors="surrogatepass"), schema.encode())


class Pins(Message):
    """A file of pins."""

    schema_version: Literal[1] = 1
    server: str
    tools: tuple[Pin, ...]


def read_pins(path: Path, server: str) -> Sequence[Pin]:
    """The pins in a file; none if there is no such file.

    Raises:
        UsageError: it cannot be read, is not one of pins, or is one of another server.
    """
    try:
        if not path.exists():
            return ()
        if path.stat().st_size > MOST_FILE:
            raise UsageError(f"{path}: expected at most {MOST_FILE} bytes")
        pins = Pins.model_validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"{path} is no file of pins: {'; '.join(faults_of(error)[:3])}") from error
    if pins.server != server:
        raise UsageError(f"{path}: expected the pins of {server!r}, found those of {pins.server!r}")
    return pins.tools


def write_pins(path: Path, server: str, tools: Sequence[Pin]) -> None:
    """Write a file of pins, all or nothing.

    Raises:
        UsageError: it cannot be written.
    """
    text = Pins(server=server, tools=tuple(tools)).model_dump_json(indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def compare(server: str, pinned: Sequence[Pin], found: Sequence[Pin]) -> None:
    """Compare what a server says of the pinned tools with the pins; what else it has does not matter.

    Raises:
        PinError: a tool is gone, is there twice, or is not described as it was.
    """
    changes = [change for pin in pinned for change in _changes(pin, [one for one in found if one.name == pin.name])]
    if changes:
        raise PinError(server, changes)


def check_pin(server: str, pin: Pin) -> Pin:
    """The same tool, if a model may be told of it.

    Raises:
        UsageError: its description or its parameters are too long, too deep, or lead elsewhere.
    """
    where = f"server {server!r}, tool {visible(pin.name[:80])!r}"
    if len(pin.description) > MOST_DESCRIPTION:
        raise UsageError(f"{where}: expected at most {MOST_DESCRIPTION} characters, found {len(pin.description)}")
    if not _is_flat(pin.parameters):
        raise UsageError(f"{where}: expected parameters of at most {MOST_DEPTH} levels")
    size = len(json.dumps(pin.parameters))
    if size > MOST_PARAMETERS or pin.parameters.get("type") != "object":
        raise UsageError(f"{where}: expected parameters of type object and at most {MOST_PARAMETERS} bytes")
    if foreign := [ref for ref in _references(pin.parameters) if not ref.startswith("#")]:
        raise UsageError(f"{where}: its parameters refer to {visible(foreign[0][:80])!r}, outside of themselves")
    return pin


def _changes(pin: Pin, found: Sequence[Pin]) -> Iterator[str]:
    if len(found) != 1:
        yield f"tool {pin.name!r} is {'gone' if not found else 'there more than once'}"
    elif found[0].digest != pin.digest:
        now = found[0]
        if now.description != pin.description:
            yield f"tool {pin.name!r} has another description"
        if now.parameters != pin.parameters:
            yield f"tool {pin.name!r} has other parameters{_named(pin.parameters, now.parameters)}"


def _named(before: Mapping[str, Json], now: Mapping[str, Json]) -> str:
    """Which of the parameters were added, taken away or changed, in words."""
    old, new = (cast("Mapping[str, Json]", one.get("properties") or {}) for one in (before, now))
    told = {
        "new": [name for name in new if name not in old],
        "gone": [name for name in old if name not in new],
        "changed": [name for name in old if name in new and old[name] != new[name]],
    }
    said = [f"{what}: {', '.join(visible(name[:40]) for name in names[:8])}" for what, names in told.items() if names]
    return f" ({'; '.join(said)})" if said else ""


def _is_flat(schema: Json, level: int = 0) -> bool:
    """Whether a value is not deeper than allowed."""
    if level > MOST_DEPTH:
        return False
    return all(_is_flat(each, level + 1) for each in _inside(schema))


def _references(schema: Json) -> Iterator[str]:
    """All references in a schema that is not too deep."""
    if isinstance(schema, dict):
        fields = cast("Mapping[str, Json]", schema)
        yield from (ref for key in ("$ref", "$dynamicRef") if isinstance(ref := fields.get(key), str))
    for each in _inside(schema):
        yield from _references(each)


def _inside(value: Json) -> Sequence[Json]:
    """The values right inside a value."""
    if isinstance(value, dict):
        return list(cast("Mapping[str, Json]", value).values())
    return cast("Sequence[Json]", value) if isinstance(value, list) else ()
