"""Runs that are taken up again: after answers that do not fit, a cancellation, a new definition, or by two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint
from pydantic import BaseModel

from echelon.agents.function import worker
from echelon.agents.person import Person
from echelon.agents.tools import Key
from echelon.protocols.contracts import Worker
from echelon.protocols.errors import AnswerError, DefinitionError, FencedError
from echelon.protocols.events import AnswerRefused, Cancelled, EffectStarted, Migrated
from echelon.protocols.messages import Answer, Approval
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import answer, history, resume, run, start
from echelon.supervisor.supervisor import Supervisor

pytestmark = pytest.mark.anyio


class Sum(BaseModel):
    """Money."""

    cents: int


class Bank:
    """Pays; lets its caller wait until it is told to go on."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.reached = anyio.Event()
        self.open = anyio.Event()

    def desk(self, *, prompt: str = "Fine?", last: Callable[[], Awaitable[None]] = checkpoint) -> Worker[Sum, str]:
        """Check, ask the chief, pay, file."""

        @worker
        async def check(money: Sum) -> Sum:
            """Checks a sum."""
            return money

        @worker
        async def keep(receipt: str) -> str:
            """Keeps the receipt."""
            await last()
            return receipt

        @worker(effect=True)
        async def pay(cents: int, by: str, key: Key) -> str:
            """Pays."""
            self.reached.set()
            await self.open.wait()
            self.keys.append(key.value)
            return f"{cents} by {by}"

        chief = Person("chief", prompt, accepts=Sum, returns=Approval)
        flow = Workflow(Sum, str)
        checked = flow.step(check, flow.task)
        approved = flow.step(chief, checked)
        flow.output(flow.step(keep, flow.step(pay, {"cents": checked["cents"], "by": approved["by"]})))
        return Supervisor("desk", accepts=Sum, returns=str, team=[check, chief, pay, keep], planner=flow)


async def waiting(bank: Bank, store: MemoryJournal) -> str:
    """A run that waits for the chief; the id of its question."""
    outcome = await run(bank.desk(), Sum(cents=7), store=store, run_id="r")
    assert outcome.status == "waiting"
    return outcome.questions[0].id


async def test_an_answer_to_a_changed_subject_is_void() -> None:
    """It is refused with the reason, and the question is asked anew, under another id."""
    bank, store = Bank(), MemoryJournal()
    bank.open.set()
    question = await waiting(bank, store)
    void = Answer(question=question, digest="of something else", approved=True, by="eva")
    assert await store.put("r", question, void.model_dump_json().encode())
    outcome = await resume(bank.desk(), "r", store=store)
    refused = [event for event in outcome.events if isinstance(event, AnswerRefused)]
    assert [event.reason for event in refused] == ["it answers another subject than the one asked about"]
    assert (outcome.status, bank.keys) == ("waiting", [])
    assert outcome.questions[0].id != question
    await answer(store, "r", outcome.questions[0].id, approved=True, by="eva")
    outcome = await resume(bank.desk(), "r", store=store)
    assert (outcome.output, len(bank.keys)) == ("7 by eva", 1)


async def test_a_second_answer_and_an_answer_after_the_end_are_refused() -> None:
    """The first one wins, and says who gave it."""
    bank, store = Bank(), MemoryJournal()
    bank.open.set()
    question = await waiting(bank, store)
    await answer(store, "r", question, approved=True, by="eva")
    with pytest.raises(AnswerError, match="already answered: eva said yes"):
        await answer(store, "r", question, approved=False, by="bob")
    outcome = await resume(bank.desk(), "r", store=store)
    assert outcome.output == "7 by eva"
    with pytest.raises(AnswerError, match="open questions: none"):
        await answer(store, "r", question, approved=False, by="bob")


async def test_a_resumed_run_that_still_waits_writes_nothing() -> None:
    """Without an answer there is nothing to drive: the same question, no new event."""
    bank, store = Bank(), MemoryJournal()
    question = await waiting(bank, store)
    before = await history(store, "r")
    outcome = await resume(bank.desk(), "r", store=store)
    assert [asked.id for asked in outcome.questions] == [question]
    assert await history(store, "r") == before


async def test_a_driver_that_was_overtaken_is_refused_and_repeats_nothing() -> None:
    """It stood still in the middle of its work; another took the run up; thawed, it can write nothing any more."""
    bank, store = Bank(), MemoryJournal()
    await answer(store, "r", await waiting(bank, store), approved=True, by="eva")
    errors: list[Exception] = []

    async def zombie() -> None:
        try:
            await resume(bank.desk(), "r", store=store)
        except FencedError as error:
            errors.append(error)

    other, taken = Bank(), store
    async with anyio.create_task_group() as group:
        group.start_soon(zombie)
        await bank.reached.wait()
        outcome = await resume(other.desk(), "r", store=store)
        doubt = outcome.questions[0]
        assert doubt.asks == "in_doubt"
        await answer(store, "r", doubt.id, approved=True, by="eva", value="7 by eva")
        assert (await resume(other.desk(), "r", store=store)).output == "7 by eva"
        taken = store.copy()
        bank.open.set()
    assert len(errors) == 1
    assert await store.read("r") == await taken.read("r")
    assert (len(bank.keys), other.keys) == (1, [])


async def test_a_cancelled_run_leaves_no_task_says_so_and_can_be_taken_up() -> None:
    """A read under way ends at once; the journal's last event is `cancelled`; what was done is not done again."""
    begun, store, tasks = anyio.Event(), MemoryJournal(), len(anyio.get_running_tasks())
    calls: list[str] = []

    def desk(wait: Callable[[], float]) -> Worker[Sum, str]:
        @worker(effect=True)
        async def pay(money: Sum) -> str:
            """Pays."""
            calls.append("pay")
            return "paid"

        @worker
        async def ship(receipt: str) -> str:
            """Ships, in its own time."""
            begun.set()
            await anyio.sleep(wait())
            return f"{receipt}, shipped"

        flow = Workflow(Sum, str)
        flow.output(flow.step(ship, flow.step(pay, flow.task)))
        return Supervisor("desk", accepts=Sum, returns=str, team=[pay, ship], planner=flow)

    async with start(desk(lambda: 1_000.0), Sum(cents=7), store=store, run_id="r") as under_way:
        await begun.wait()
        under_way.cancel()
        outcome = await under_way.outcome()
    assert outcome.status == "cancelled"
    assert isinstance((await history(store, "r"))[-1].event, Cancelled)
    assert len(anyio.get_running_tasks()) == tasks
    outcome = await resume(desk(lambda: 0.0), "r", store=store)
    assert (outcome.output, calls) == ("paid, shipped", ["pay"])


async def test_a_write_under_way_is_brought_to_its_end_before_a_cancellation_takes_effect() -> None:
    """Half a payment is no payment: it is finished and recorded; then nothing that waits is begun."""
    bank, store = Bank(), MemoryJournal()
    await answer(store, "r", await waiting(bank, store), approved=True, by="eva")
    slow = anyio.Event()
    async with anyio.create_task_group() as group:

        async def drive() -> None:
            await resume(bank.desk(last=slow.wait), "r", store=store)

        group.start_soon(drive)
        await bank.reached.wait()
        group.cancel_scope.cancel()
        bank.open.set()
    assert isinstance((await history(store, "r"))[-1].event, Cancelled)
    slow.set()
    outcome = await resume(bank.desk(last=slow.wait), "r", store=store)
    assert (outcome.output, len(bank.keys)) == ("7 by eva", 1)
    assert len([event for event in outcome.events if isinstance(event, EffectStarted)]) == 1


async def test_changed_definitions_are_refused_by_name_and_may_be_pinned_or_migrated() -> None:
    """Pinned, the run goes on just this once; migrated, it is of the new definitions from now on."""
    bank, store = Bank(), MemoryJournal()
    bank.open.set()
    question = await waiting(bank, store)
    changed = bank.desk(prompt="Really?")
    pinned, migrated = store.copy(), store.copy()
    with pytest.raises(DefinitionError, match=r"desk/chief \(changed\)"):
        await resume(changed, "r", store=store)
    await answer(pinned, "r", question, approved=True, by="eva")
    outcome = await resume(changed, "r", store=pinned, on_change="pin")
    assert outcome.output == "7 by eva"
    assert not [event for event in outcome.events if isinstance(event, Migrated)]
    await answer(migrated, "r", question, approved=True, by="eva")
    outcome = await resume(changed, "r", store=migrated, on_change="migrate")
    assert outcome.output == "7 by eva"
    assert [event.changed for event in outcome.events if isinstance(event, Migrated)] == [("desk/chief (changed)",)]


async def test_a_natively_cancelled_run_says_so_too(anyio_backend_name: str) -> None:
    """Who cancels its task by asyncio's own means, e.g. `asyncio.wait_for`, gets the same journal."""
    if anyio_backend_name != "asyncio":
        pytest.skip("trio has no other way")
    bank, store = Bank(), MemoryJournal()
    await answer(store, "r", await waiting(bank, store), approved=True, by="eva")
    task = asyncio.create_task(resume(bank.desk(), "r", store=store))
    await bank.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance((await history(store, "r"))[-1].event, Cancelled)
    outcome = await resume(bank.desk(), "r", store=store)
    assert [question.asks for question in outcome.questions] == ["in_doubt"]
