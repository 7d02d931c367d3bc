"""A team as a tool: its name, its schemas, its hints; and the way from a call's arguments to a task.

The arguments and the structured result of a tool are objects. What a team accepts or returns that is none stands in a
field: `task`, or `result`. A team that accepts a conversation is given `task` as what the user said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from pydantic_core import to_json

from ...contracts import Card
from ...conversation import digest_of
from ...errors import ShapeError, UsageError
from ...messages import Json
from ...once import once
from ...visible import visible
from ..conversation import Conversation, Said

Schema: TypeAlias = Mapping[str, Json]

TASK, RESULT = "task", "result"
MOST_NAME = 64
"""Characters of a tool's name: MCP allows 128, the model APIs behind its hosts 64."""
MOST_DESCRIPTION = 2_000
"""Characters; hosts cut longer ones, or refuse them."""
IN_WORDS: Schema = {"type": "string", "description": "What is to be done, in words."}


@dataclass(frozen=True)
class Offer:
    """A served team as a tool."""

    team: str
    card: Card

    @once
    def name(self) -> str:
        """The team's name as far as a tool may be called so.

        Example:
            >>> from ...shapes import Shape
            >>> Offer("tax desk", Card(name="x", description="", accepts=Shape(str), returns=Shape(str))).name
            'tax_desk'
        """
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.team)[:MOST_NAME]

    @once
    def accepts(self) -> Schema:
        """Schema of the arguments."""
        if self._talks:
            return _in_field(TASK, IN_WORDS)
        schema = self.card.accepts.input_schema
        return _object_of(schema) or _in_field(TASK, IN_WORDS if self.card.accepts.is_text else schema)

    @once
    def returns(self) -> Schema:
        """Schema of the structured result."""
        schema = self.card.returns.output_schema
        return _object_of(schema) or _in_field(RESULT, schema)

    @once
    def tool(self) -> Json:
        """The tool as MCP lists it; a team that writes may destroy, and does so again if it is called again."""
        writes = self.card.writes
        return {
            "name": self.name,
            "title": self.card.name,
            "description": visible(self.card.description)[:MOST_DESCRIPTION],
            "inputSchema": self.accepts,
            "outputSchema": self.returns,
            "annotations": {"readOnlyHint": not writes, "destructiveHint": writes, "idempotentHint": not writes},
        }

    @property
    def _talks(self) -> bool:
        return self.card.accepts.of is Conversation

    def task(self, arguments: Mapping[str, Json]) -> Json:
        """The task that a call gives; the host checks it.

        Raises:
            ShapeError: the arguments are none.
        """
        if not self._talks and _object_of(self.card.accepts.input_schema) is not None:
            return dict(arguments)
        if set(arguments) != {TASK}:
            given = ", ".join(sorted(map(repr, arguments)))[:200] or "none"
            raise ShapeError("one argument", (f"/{TASK}: expected this field alone, found {given}",))
        task = arguments[TASK]
        if not self._talks:
            return task
        if not isinstance(task, str):
            raise ShapeError("text", (f"/{TASK}: input should be a valid string",))
        return Conversation(turns=(Said(role="user", text=task),))

    def structured(self, output: Json) -> Json:
        """An output as the structured result."""
        return output if _object_of(self.card.returns.output_schema) is not None else {RESULT: output}

    def thread(self, arguments: Mapping[str, Json]) -> str:
        """What calls of this team with the same arguments have in common."""
        return f"{self.name} {digest_of(to_json(_sorted(arguments)))[:32]}"


def offers_of(teams: Mapping[str, Card]) -> Mapping[str, Offer]:
    """The tools by their names, in the order of the teams.

    Raises:
        UsageError: two teams come to the same name.
    """
    offers: dict[str, Offer] = {}
    for team, card in teams.items():
        offer = Offer(team, card)
        if offer.name in offers:
            raise UsageError(f"teams {offers[offer.name].team!r} and {team!r} would both be the tool {offer.name!r}")
        offers[offer.name] = offer
    return offers


def _object_of(schema: Schema) -> Schema | None:
    """The schema, if it is one of objects and nothing else, with its type said at the root; else None."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    definitions = cast("Mapping[str, Schema]", schema.get("$defs", {}))
    whole = {**definitions[name], "$defs": definitions} if name in definitions else schema
    return whole if whole.get("type") == "object" else None


def _in_field(field: str, schema: Schema) -> Schema:
    """An object whose only field is of this schema; its definitions move to the root, where references look."""
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    outer = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    closed = {"required": [field], "additionalProperties": False}
    return {"type": "object", "properties": {field: inner}, **closed, **outer}


def _sorted(value: Json) -> Json:
    """The same JSON whatever order a client wrote its fields in."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Json]", value)
        return {key: _sorted(fields[key]) for key in sorted(fields)}
    if isinstance(value, list):
        return [_sorted(each) for each in cast("Sequence[Json]", value)]
    return value
