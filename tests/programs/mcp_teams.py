"""Teams that do what the MCP conformance suite asks of a server's tools, as far as teams do such things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from echelon.agents.function import worker
from echelon.agents.person import Person
from echelon.protocols.contracts import Card, Context, Worker
from echelon.protocols.messages import Approval, Done, Handoff, Json, Message, Report
from echelon.protocols.once import once
from echelon.protocols.shapes import Shape
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor


class Nothing(Message):
    """No arguments."""


class Wish(Message):
    """What is wished for."""

    message: str


class Contact(Message):
    """A person."""

    username: Annotated[str, Field(description="User's response")]
    email: Annotated[str, Field(description="User's email address")]


class Profile(Message):
    """SEP-1034: a default of every kind."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


def _among(choices: Any) -> Any:
    return Field(json_schema_extra=choices)


FIRST = [{"const": f"value{n}", "title": f"{word} Option"} for n, word in enumerate(("First", "Second", "Third"), 1)]


class Choices(Message):
    """SEP-1330: a choice of every kind."""

    untitledSingle: Literal["option1", "option2", "option3"]  # noqa: N815 - the scenario's names
    titledSingle: Annotated[str, _among({"oneOf": FIRST})]  # noqa: N815 - the same
    legacyEnum: Annotated[str, _among({"enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]})]  # noqa: N815 - the same
    untitledMulti: list[Literal["option1", "option2", "option3"]]  # noqa: N815 - the same
    titledMulti: Annotated[list[str], _among({"items": {"anyOf": FIRST}})]  # noqa: N815 - the same


SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


class Whole(Message):
    """What that schema stands for."""

    name: str = ""


class WholeShape(Shape[Whole]):
    """SEP-1613: everything that JSON Schema 2020-12 can say."""

    @once
    def input_schema(self) -> dict[str, Json]:
        """The scenario's."""
        return SCHEMA_2020_12


class Knowing:
    """A worker with such a schema."""

    card: Card[Whole, Whole] = Card(
        name="json_schema_2020_12_tool", description="Takes much.", accepts=WholeShape(Whole), returns=Shape(Whole)
    )
    definition: Json = None
    parts: Sequence[Worker] = ()

    async def work(self, handoff: Handoff[Whole], context: Context) -> Report[Whole]:
        """Give it back."""
        return Done(output=handoff.payload)


class Region(Message):
    """SEP-2243: an argument that is sent as a header too."""

    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]


class Confirmed(Message):
    """A confirmation."""

    ok: bool


class Named(Message):
    """A name."""

    name: str


class Coloured(Message):
    """A colour."""

    color: str


@worker(name="test_simple_text")
async def simple_text(nothing: Nothing) -> str:
    """Says something."""
    return "This is a simple text response for testing."


@worker(name="test_error_handling")
async def error_handling(nothing: Nothing) -> str:
    """Fails."""
    raise ValueError("This tool intentionally returns an error for testing")


@worker(name="test_x_mcp_header")
async def by_header(region: Region) -> str:
    """Is told a region in a header."""
    return region.region


@worker
async def half(nothing: Nothing) -> Nothing:
    """Does half of it."""
    return nothing


@worker
async def greeted(name: Named, color: Coloured) -> str:
    """Greets."""
    return f"Hello, {name.name}, who likes {color.color}!"


def asking(tool: str, prompt: str, returns: type[Any], accepts: type[Any] = Nothing) -> Person[Any, Any]:
    """Have a person answer."""
    return Person(tool, prompt, accepts=accepts, returns=returns)


def in_steps() -> Worker[Any, Any]:
    """Something that takes more than one step."""
    flow = Workflow(Nothing, Nothing)
    flow.output(flow.step(half, flow.step(half, flow.task)))
    return Supervisor("test_tool_with_progress", accepts=Nothing, returns=Nothing, team=[half], planner=flow)


def in_rounds() -> Worker[Any, Any]:
    """Somebody is asked twice, the second time after the first."""
    flow = Workflow(Nothing, str)
    name, color = asking("step1", "What is your name?", Named), asking("step2", "What color?", Coloured)
    first = flow.step(name, flow.task)
    second = flow.step(color, flow.task, after=[first])
    flow.output(flow.step(greeted, {"name": first, "color": second}))
    team: Sequence[Worker[Any, Any]] = [name, color, greeted]
    return Supervisor("test_input_required_result_multi_round", accepts=Nothing, returns=str, team=team, planner=flow)


TEAMS: Sequence[Worker[Any, Any]] = [
    simple_text,
    error_handling,
    Knowing(),
    by_header,
    in_steps(),
    in_rounds(),
    asking("test_elicitation", "Please provide your information", Contact, Wish),
    asking("test_elicitation_sep1034_defaults", "Who are you?", Profile),
    asking("test_elicitation_sep1330_enums", "Which?", Choices),
    asking("test_input_required_result_elicitation", "What is your name?", Named),
    asking("test_input_required_result_request_state", "Please confirm", Confirmed),
    asking("test_input_required_result_tampered_state", "Please confirm", Confirmed),
    asking("test_input_required_result_capabilities", "Please confirm", Confirmed),
    asking("test_streaming_elicitation", "Please confirm", Approval),
]
