"""The function worker: what a signature says, and what becomes of what it raises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any

import anyio
import pytest
import trio
import trio.testing
from pydantic import Field

from echelon.agents.function import Function, worker
from echelon.agents.tools import Key
from echelon.protocols.contracts import Context, OnUnknown
from echelon.protocols.errors import UsageError
from echelon.protocols.events import EffectFailed, EffectStarted
from echelon.protocols.messages import Done, Failed, Failure, Report, Skipped, Usage
from echelon.protocols.shapes import Shape
from echelon.supervisor.answers import answer
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.runs import resume, run

from .builders import Number, of_type

pytestmark = pytest.mark.anyio


@worker
async def add(left: int, right: int = 1) -> Number:
    """Add two numbers.

    Args:
        left: the one
        right: the other

    Returns:
        The sum.
    """
    return Number(n=left + right)


async def test_several_parameters_are_fields_of_the_payload() -> None:
    """With their defaults and descriptions; a field too many is an error."""
    assert add.card.description == "Add two numbers."
    schema = add.card.accepts.input_schema
    assert schema["required"] == ["left"]
    assert schema["properties"]["left"]["description"] == "the one"
    task: Any = {"left": 2}
    assert (await run(add, task)).output == Number(n=3)


async def test_one_parameter_is_the_whole_payload() -> None:
    """Constraints of its annotation hold."""

    @worker
    async def half(number: Annotated[int, Field(multiple_of=2)]) -> int:
        """Halve an even number."""
        return number // 2

    assert (await run(half, 8)).output == 4
    with pytest.raises(Exception, match="multiple of 2"):
        await run(half, 7)


async def test_a_function_may_take_nothing() -> None:
    """Its payload is an empty object."""

    @worker
    async def seven() -> int:
        """Give seven."""
        return 7

    task: Any = {}
    assert (await run(seven, task)).output == 7


async def test_the_context_and_the_key_are_injected_and_no_part_of_the_payload() -> None:
    """Beside one parameter, or several, or none."""
    seen: list[tuple[str, str]] = []

    @worker
    async def one(number: int, context: Context, key: Key) -> int:
        """Take one."""
        seen.append((context.path, key.value))
        return number

    @worker
    async def two(left: int, right: int, context: Context, key: Key) -> int:
        """Take two."""
        seen.append((context.path, key.value))
        return left + right

    assert (await run(one, 1)).output == 1
    task: Any = {"left": 1, "right": 2}
    assert (await run(two, task)).output == 3
    assert two.card.accepts.input_schema["properties"].keys() == {"left", "right"}
    assert [path for path, _ in seen] == ["", ""]
    assert seen[0][1] != seen[1][1] != ""


async def test_a_sync_function_works_in_a_thread() -> None:
    """The loop goes on beside it."""

    @worker
    def where(number: int) -> bool:
        """Say whether this is the loop's thread."""
        return threading.get_ident() == number

    assert (await run(where, threading.get_ident())).output is False


async def test_a_function_may_report_more_than_its_output() -> None:
    """Its confidence, that it skips, or that it failed, and how."""

    @worker
    async def unsure(number: int) -> Done[int]:
        """Guess."""
        return Done(output=number, confidence=0.4)

    @worker
    async def picky(number: int) -> Report[int]:
        """Take only even ones."""
        return Done(output=number) if number % 2 == 0 else Skipped(reason="it is odd")

    assert unsure.card.returns == picky.card.returns == Shape(int)
    report = (await run(unsure, 3)).report
    assert isinstance(report, Done)
    assert report.confidence == 0.4
    assert (await run(picky, 4)).output == 4
    assert (await run(picky, 3)).report == Skipped(reason="it is odd")


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Done, object),
        (Report, object),
        (Done[int] | Failed | Skipped, int),
        (Done[int] | int, int),
        (int | None, int | None),
    ],
)
def test_the_output_is_read_off_the_annotation(annotation: object, kind: Any) -> None:
    """Reports in it are the framework's; without a type they say nothing of the output."""

    async def give(number: int) -> Any:
        return number

    give.__annotations__["return"] = annotation
    assert worker(give).card.returns == Shape(kind)


@pytest.mark.parametrize(
    ("error", "rules", "kind", "passing"),
    [
        (ValueError("no"), {}, "tool_failed", False),
        (ConnectionError("reset"), {}, "tool_failed", True),
        (ConnectionError("reset"), {"effect": True}, "tool_failed", False),
        (LookupError("later"), {"retry_on": (LookupError,)}, "tool_failed", True),
        (TimeoutError("slow"), {}, "tool_timeout", True),
        (TimeoutError("slow"), {"retry_on": ()}, "tool_timeout", False),
        (TimeoutError("slow"), {"effect": True}, "in_doubt", False),
    ],
)
async def test_what_a_function_raises_is_a_failure(
    error: Exception, rules: dict[str, Any], kind: str, *, passing: bool
) -> None:
    """Which exceptions may pass is the author's to say; a write is never tried again by itself."""

    @worker(**rules)
    async def breaks(number: int) -> int:
        """Break."""
        raise error

    failure = (await run(breaks, 1)).failure
    assert failure is not None
    assert (failure.kind, failure.retryable) == (kind, passing)
    assert str(error) in failure.message


@pytest.mark.parametrize(
    ("effect", "kind", "said"),
    [
        (False, "tool_timeout", "slow did not end in 2 s"),
        (True, "in_doubt", "slow did not end in 2 s; nobody knows whether it was done"),
    ],
)
def test_a_function_has_so_much_time(effect: bool, kind: str, said: str) -> None:  # noqa: FBT001 - a parameter of the table
    """A write that took too long may have been done."""

    @worker(effect=effect, seconds=2.0)
    async def slow(number: int) -> int:
        """Never end."""
        await anyio.sleep_forever()
        return number

    outcome = trio.run(run, slow, 1, clock=trio.testing.MockClock(autojump_threshold=0))
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.message) == (kind, said)


class Bank:
    """Somewhere to pay, that counts."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def payer(self, on_unknown: OnUnknown = "ask", **rules: Any) -> Function[Any, Any]:
        """Hire somebody who pays."""

        @worker(name="pay", effect=True, on_unknown=on_unknown, **rules)
        async def pay(cents: int, key: Key) -> Done[str] | Failed | Skipped:
            """Pay."""
            self.keys.append(key.value)
            if cents == 0:
                return Skipped(reason="nothing to pay")
            if cents < 0:
                return Failed(failure=Failure(kind="denied", message="not to us"))
            return Done(output=f"paid {cents}", confidence=0.9)

        made: Function[Any, Any] = pay
        return Function(made.function, duty=made.duty, name="pay")


async def cut(store: MemoryJournal, outcome: Outcome[Any], lost: int) -> MemoryJournal:
    """Lose the last lines of a journal, as a crash may."""
    records = list(await store.read(outcome.run))
    other = MemoryJournal()
    await other.append(records[: len(records) - lost], "running")
    return other


@pytest.mark.parametrize("cents", [5, 0])
async def test_a_write_is_done_once_whatever_it_reported(cents: int) -> None:
    """A resumed run reads the report from the journal, confidence and all."""
    bank, store = Bank(), MemoryJournal()
    pay = bank.payer()
    outcome = await run(pay, cents, store=store)
    again = await resume(pay, outcome.run, store=await cut(store, outcome, 1))
    assert again.report == outcome.report
    assert len(bank.keys) == 1
    assert pay.card.writes


async def test_a_write_that_failed_is_not_done_again_by_a_resume() -> None:
    """Its failure is in the journal."""
    bank, store = Bank(), MemoryJournal()
    outcome = await run(bank.payer(usd=0.1), -1, store=store)
    assert outcome.usage == Usage(calls=1, usd=0.1)
    assert of_type(outcome.events, EffectFailed)[0].failure.message == "not to us"
    again = await resume(bank.payer(usd=0.1), outcome.run, store=await cut(store, outcome, 1))
    assert again.failure == outcome.failure
    assert len(bank.keys) == 1


async def test_a_write_in_doubt_is_asked_about_and_the_answer_is_its_output() -> None:
    """As a person gives it: the bare output."""
    bank, store = Bank(), MemoryJournal()
    pay = bank.payer()
    outcome = await run(pay, 5, store=store)
    crashed = await cut(store, outcome, 2)
    waiting = await resume(pay, outcome.run, store=crashed)
    assert waiting.questions[0].prompt == "pay(5) was started before a crash. Was it done?"
    await answer(crashed, outcome.run, waiting.questions[0].id, approved=True, by="eva", value="paid by hand")
    assert (await resume(pay, outcome.run, store=crashed)).output == "paid by hand"
    assert len(bank.keys) == 1


async def test_a_write_that_honours_its_key_is_done_again_with_the_same_one() -> None:
    """The other side can tell a repeat from a second."""
    bank, store = Bank(), MemoryJournal()
    pay = bank.payer("retry")
    outcome = await run(pay, 5, store=store)
    assert (await resume(pay, outcome.run, store=await cut(store, outcome, 2))).output == "paid 5"
    assert bank.keys[0] == bank.keys[1] == of_type(outcome.events, EffectStarted)[0].key


async def test_a_price_is_reserved_and_booked() -> None:
    """A paid function is an effect, though it writes nothing."""

    @worker(usd=0.5)
    async def look(number: int) -> int:
        """Look."""
        return number

    outcome = await run(look, 1)
    assert outcome.usage == outcome.bill.total == Usage(calls=1, usd=0.5)
    assert of_type(outcome.events, EffectStarted)[0].reserved == Usage(calls=1, usd=0.5)
    assert look.card.usd == 0.5


def annotated(**annotations: object) -> Callable[..., Any]:
    """Make a function of two parameters with these annotations alone."""

    def half(left: Any, right: Any) -> Any:
        return left + right

    half.__annotations__ = annotations
    return half


def test_a_missing_annotation_is_an_error_where_the_function_is_written() -> None:
    """Not where it first works."""
    with pytest.raises(UsageError, match="what it returns needs an annotation"):
        worker(lambda number: number)

    with pytest.raises(UsageError, match="parameter 'right' needs an annotation"):
        worker(annotated(left=int, **{"return": int}))

    with pytest.raises(UsageError, match="its annotations cannot be read: name 'Nowhere' is not defined"):
        worker(annotated(left="Nowhere", **{"return": int}))


def test_a_definition_is_how_a_function_works_and_not_its_body() -> None:
    """Bodies change with every deployment."""
    bank = Bank()
    assert bank.payer().definition == Bank().payer().definition != bank.payer("retry").definition
    assert bank.payer().parts == ()
