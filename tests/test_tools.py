"""Typed functions as tools: what a model is shown, and what becomes of its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal

import anyio
import pytest
import trio
import trio.testing
from pydantic import BaseModel, Field

from echelon.agents.tools import (
    MOST_RESULT_BYTES,
    Key,
    Tool,
    as_text,
    described_parameters,
    keyed_parameter,
    summary_of,
    tool,
)
from echelon.protocols.errors import EffectError, ShapeError, UsageError
from echelon.protocols.messages import NOTHING_USED, Usage


def look_up(number: str, *, deep: bool = False, kind: Literal["goods", "work"] = "goods") -> dict[str, str]:
    """Look an invoice up.

    By its number,
    in the archive.

    Args:
        number: as printed,
            without spaces
        deep: in the cellar too
        kind (str): what was bought

    Returns:
        The invoice.
    """
    return {"number": number, "deep": str(deep), "kind": kind}


async def pay(cents: Annotated[int, Field(gt=0)], key: Key) -> str:
    """Pay."""
    return f"paid {cents} under {key.value}"


def test_a_model_is_shown_the_docstring_and_the_annotations() -> None:
    """The summary without its sections; each parameter with its type, default and description."""
    card = Tool(look_up).card
    assert (card.name, card.description) == ("look_up", "Look an invoice up. By its number, in the archive.")
    assert card.parameters["required"] == ["number"]
    assert card.parameters["properties"]["number"]["description"] == "as printed, without spaces"
    assert card.parameters["properties"]["kind"]["description"] == "what was bought"
    assert card.parameters["properties"]["deep"]["default"] is False
    assert card.parameters["additionalProperties"] is False


def test_a_function_without_a_docstring_says_nothing() -> None:
    """There is no section to read either."""

    def bare(n: int) -> int:
        return n

    assert (summary_of(bare), described_parameters(bare)) == ("", {})
    assert "description" not in Tool(bare).card.parameters["properties"]["n"]


def test_a_key_is_hidden_from_the_model_and_given_to_the_function() -> None:
    """It is the same at every attempt at the same call."""
    made = tool(effect=True)(pay)
    assert made.card.parameters["properties"].keys() == {"cents"}
    assert keyed_parameter(pay) == "key"
    effect = made.called('{"cents": 5}')
    assert effect.writes
    assert anyio.run(effect.do, "k1").value == "paid 5 under k1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"number": 7}', "/number: input should be a valid string, found 7"),
        ("{}", "/number: field required"),
        ("", "/number: field required"),
        ('{"number": "7", "loud": true}', "/loud: extra inputs are not permitted"),
        ('{"number": ', "invalid JSON"),
        ('{"number": "7", "kind": "air"}', "/kind: input should be 'goods' or 'work'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_called(arguments: str, said: str) -> None:
    """In words that the model can act upon."""
    with pytest.raises(ShapeError, match=said):
        Tool(look_up).called(arguments)


def test_a_constraint_of_a_parameter_holds() -> None:
    """Annotations are more than types."""
    with pytest.raises(ShapeError, match="greater than 0"):
        Tool(pay).called('{"cents": 0}')


def test_the_same_call_is_the_same_request_whatever_its_json_looks_like() -> None:
    """Defaults are filled in, keys are ordered; other arguments are another request."""
    one, two = Tool(look_up).called('{"number": "7"}'), Tool(look_up).called('{"deep":false, "number":"7"}')
    assert one.digest == two.digest != Tool(look_up).called('{"number": "8"}').digest
    assert one.request == {"name": "look_up", "arguments": {"number": "7", "deep": False, "kind": "goods"}}
    assert one.describe == 'look_up({"number":"7","deep":false,"kind":"goods"})'


def done(made: Tool, arguments: str = "{}") -> Any:
    """Call a tool on a clock that jumps; what it performed, or its error."""

    async def work() -> Any:
        try:
            return await made.called(arguments).do("key")
        except EffectError as error:
            return error

    return trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


async def never() -> None:
    """Never end."""
    await anyio.sleep_forever()


async def breaks() -> None:
    """Break."""
    raise ValueError("no such table")


@pytest.mark.parametrize(
    ("function", "rules", "kind", "said", "passing"),
    [
        (breaks, {}, "tool_failed", "tool 'breaks' raised ValueError: no such table", False),
        (never, {"seconds": 3.0}, "tool_timeout", "tool 'never' did not answer in 3 s", True),
        (
            never,
            {"effect": True},
            "in_doubt",
            "tool 'never' did not answer in 60 s; nobody knows whether it was",
            False,
        ),
    ],
)
def test_a_tool_that_fails_fails_with_a_type(
    function: Callable[..., Any], rules: dict[str, Any], kind: str, said: str, *, passing: bool
) -> None:
    """A write that took too long may have been done."""
    error = done(Tool(function, **rules))
    assert (error.failure.kind, error.failure.retryable) == (kind, passing)
    assert error.failure.message.startswith(said)
    assert error.usage is NOTHING_USED


def test_a_paid_call_costs_its_price_whether_it_succeeds_or_not() -> None:
    """The other side bills it either way."""
    price = Usage(calls=1, usd=0.25)
    paid = Tool(look_up, usd=0.25)
    assert paid.called('{"number": "7"}').worst == price
    assert done(paid, '{"number": "7"}').usage == price
    assert done(Tool(breaks, usd=0.25)).usage == price


def test_a_sync_function_runs_beside_the_loop() -> None:
    """Two that wait for each other meet."""
    both = threading.Barrier(2)

    def meets() -> int:
        return both.wait(timeout=10.0)

    async def call() -> None:
        await Tool(meets).called("{}").do("key")

    async def work() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            group.start_soon(call)

    anyio.run(work)


class Row(BaseModel):
    """A row."""

    n: int


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("plain", "plain"),
        (None, "null"),
        ({"a": [1]}, '{"a":[1]}'),
        (Row(n=1), '{"n":1}'),
        (object, "<class 'object'>"),
    ],
)
def test_a_result_is_text_or_json(result: object, text: str) -> None:
    """Whatever a function gives, a model can read."""
    assert as_text(result).strip('"') == text


def test_a_long_result_is_cut_and_says_so() -> None:
    """A model is not drowned, and knows that there is more."""
    text = as_text("x" * (MOST_RESULT_BYTES + 7))
    assert text.endswith("[cut: 7 more characters]")
    assert len(text) < MOST_RESULT_BYTES + 50


def untyped(n: int) -> int:
    """Take something."""
    return n


def many(*n: int) -> int:
    """Take many."""
    return len(n)


def named(**n: int) -> int:
    """Take many by name."""
    return len(n)


@pytest.mark.parametrize("function", [untyped, many, named])
def test_a_parameter_without_a_single_type_is_refused(function: Callable[..., Any]) -> None:
    """A model would have to guess."""
    if function is untyped:
        function.__annotations__.clear()
    with pytest.raises(UsageError, match="needs an annotation and must be a single value"):
        _ = Tool(function).parameters


def test_a_definition_is_what_the_model_is_shown_and_how_it_writes() -> None:
    """A resumed run compares it."""
    assert Tool(look_up).definition == tool(look_up).definition
    assert Tool(look_up).definition != Tool(look_up, effect=True).definition
    assert Tool(look_up, effect=True).definition != Tool(look_up, effect=True, on_unknown="retry").definition
