"""Runs: begun, watched, called off, answered, taken up; and what they have come to."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio
import trio.testing

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.protocols.contracts import Worker
from echelon.protocols.conversation import Delta
from echelon.protocols.errors import (
    AnswerError,
    DefinitionError,
    FencedError,
    JournalError,
    OutcomeError,
    ShapeError,
    UnknownRunError,
)
from echelon.protocols.events import Answered, AnswerRefused, Cancelled, Claimed, Migrated, Parked, RunStarted
from echelon.protocols.messages import Answer, Budget, Done, Failed, Skipped, Usage
from echelon.protocols.prices import Rates
from echelon.supervisor.drive import Settings
from echelon.supervisor.journal.chain import link
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import answer, history, open_questions, resume, run, start
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, add, double, kinds, of_type

pytestmark = pytest.mark.anyio
PERSON: Person[Number, Number] = Person("eva", "How many?", accepts=Number, returns=Number)
CHEAP = Rates(input=1.0, output=1.0)


def told(text: str = "one two", **rules: Any) -> Agent[str, str]:
    """Hire an agent that always says the same."""
    return Agent("teller", "Tell.", accepts=str, returns=str, models=[ScriptedModel(lambda _: text, **rules)])


async def test_any_worker_can_be_run() -> None:
    """A function alone is a run with a beginning, a claim and an end."""
    heard: list[object] = []
    settings = Settings(origin="team:double")
    outcome = await run(double, Number(n=2), run_id="mine", listen=heard.append, settings=settings)
    assert heard == outcome.events
    assert of_type(heard, RunStarted)[0].origin == "team:double"
    assert (outcome.run, outcome.status, outcome.output) == ("mine", "delivered", Number(n=4))
    assert kinds(outcome.events) == ["run_started", "claimed", "run_ended"]
    assert (outcome.verdict, outcome.failure, outcome.partial, outcome.questions) == (None, None, None, ())


async def test_a_task_may_be_json_and_is_refused_if_it_does_not_fit() -> None:
    """Before anything is written."""
    task: Any = {"n": 3}
    wrong: Any = {"n": 3, "m": 1}
    assert (await run(double, task)).output == Number(n=6)
    store = MemoryJournal()
    with pytest.raises(ShapeError, match="expected Number: /m: extra inputs"):
        await run(double, wrong, store=store)
    assert await store.runs() == []


async def test_a_run_has_its_id_alone() -> None:
    """A second one of that id is fenced off, and the first stays as it is."""
    store = MemoryJournal()
    await run(double, Number(n=1), store=store, run_id="mine")
    with pytest.raises(FencedError):
        await run(double, Number(n=2), store=store, run_id="mine")
    assert (await resume(double, "mine", store=store)).output == Number(n=2)


async def test_an_ended_run_is_read_and_not_driven() -> None:
    """Resuming it gives its outcome again, failed or not, and the journal stays as it is."""
    store = MemoryJournal()
    teller = told(price=CHEAP)
    first = await run(teller, "hi", store=store)
    again = await resume(told("something else", price=CHEAP), first.run, store=store)
    assert (again.output, again.usage, again.events) == ("one two", first.usage, first.events)


async def test_a_run_without_a_budget_has_only_the_limits_of_its_workers() -> None:
    """Neither calls nor rounds nor depth are cut to defaults; a budget of the run is kept to."""
    flow = Workflow(Number, Number)
    flow.output(flow.step(double, flow.task))
    boss = Supervisor(
        "boss", accepts=Number, returns=Number, team=[double], planner=flow, budget=Budget(calls=500, rounds=9)
    )
    free, bound = await run(boss, Number(n=1)), await run(boss, Number(n=1), budget=Budget(rounds=1))
    assert [of_type(one.events, RunStarted)[0].budget.rounds > 9 for one in (free, bound)] == [True, False]
    dear = told(price=Rates(input=10_000.0, output=10_000.0))
    outcome = await run(dear, "hi", budget=Budget(usd=0.01))
    assert outcome.failure is not None
    assert outcome.failure.kind == "budget"


def test_a_worker_that_leads_nobody_is_held_to_the_time_of_the_run() -> None:
    """Supervisors mind theirs themselves."""

    @worker
    async def slow(number: Number) -> Number:
        """Take a minute."""
        await anyio.sleep(60.0)
        return number

    async def work() -> Any:
        return await run(slow, Number(n=1), budget=Budget(seconds=2.0))

    outcome = trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))
    assert outcome.failure.message == "slow was not done in 2 s"


async def test_an_output_of_the_wrong_shape_is_no_output() -> None:
    """Of a run's only worker as of any other."""

    @worker
    async def wrong(number: Number) -> int:
        """Give text."""
        return "seven"  # type: ignore[return-value] # the point

    outcome = await run(wrong, Number(n=1))
    assert outcome.failure is not None
    assert outcome.failure.message.startswith("wrong must return expected int")


@pytest.mark.parametrize(
    ("report", "status", "said"),
    [
        (Skipped(reason="a holiday"), "failed", "has no output: it was skipped"),
        (None, "failed", "has no output: tool_failed: gives raised LookupError: no"),
    ],
)
async def test_reading_an_output_that_is_not_there_says_why(report: Any, status: str, said: str) -> None:
    """In the failure's own words."""

    @worker
    async def gives(number: Number) -> Done[Number] | Failed | Skipped:
        """Give the report."""
        if report is None:
            raise LookupError("no")
        result: Skipped = report
        return result

    outcome = await run(gives, Number(n=1))
    assert outcome.status == status
    with pytest.raises(OutcomeError, match=said):
        _ = outcome.output


async def test_reading_an_output_that_is_waited_for_says_who_is_asked() -> None:
    """By name and question."""
    outcome = await run(PERSON, Number(n=1))
    with pytest.raises(OutcomeError, match=r"has no output yet: it waits for eva \([0-9a-f]{12}\)"):
        _ = outcome.output


async def test_a_run_can_be_watched() -> None:
    """Events and pieces of text, in order; then the outcome."""
    async with start(told(), "hi", run_id="mine") as under_way:
        seen = [one async for one in under_way]
        outcome = await under_way.outcome()
    assert under_way.id == "mine"
    assert [one.text for one in of_type(seen, Delta)] == ["one ", "two"]
    assert [one for one in seen if not isinstance(one, Delta)] == outcome.events
    assert outcome.output == "one two"


async def test_nobody_has_to_watch_to_the_end() -> None:
    """Who looks away is told the outcome all the same."""
    async with start(told(), "hi") as under_way:
        async for _ in under_way:
            break
        assert (await under_way.outcome()).output == "one two"


async def test_leaving_the_block_calls_the_run_off() -> None:
    """The journal says so; nothing is left under way."""
    store = MemoryJournal()
    async with start(told(seconds=60.0), "hi", store=store, run_id="mine") as under_way:
        async for one in under_way:
            if getattr(one, "type", "") == "effect_started":
                break
    with pytest.raises(JournalError, match="broke off: the block that started it was left"):
        await under_way.outcome()
    assert kinds([entry.event for entry in await history(store, "mine")])[-1] == "cancelled"
    assert (await store.runs())[0].status == "cancelled"


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    """Not wrapped in a group, and the run is called off."""
    store = MemoryJournal()

    async def watch() -> None:
        async with start(told(seconds=60.0), "hi", store=store, run_id="mine"):
            await anyio.lowlevel.checkpoint()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await watch()
    assert (await store.runs())[0].status == "cancelled"


async def test_an_error_of_the_store_is_raised_to_whoever_asks_for_the_outcome() -> None:
    """As it is."""
    store = MemoryJournal()
    await run(double, Number(n=1), store=store, run_id="mine")
    async with start(double, Number(n=2), store=store, run_id="mine") as under_way:
        with pytest.raises(FencedError):
            await under_way.outcome()


async def test_a_run_can_be_called_off_and_taken_up_again() -> None:
    """What it cost until then is on the bill, at most as it could have been; what was finished is not done again."""
    store = MemoryJournal()
    model = ScriptedModel(["slow", "quick"], price=CHEAP, seconds=0.0)
    goes_on = anyio.Event()

    @worker
    async def wait(number: Number) -> Number:
        """Wait for something."""
        await goes_on.wait()
        return number

    flow = Workflow(Number, Number)
    first = Agent("first", "Say it.", accepts=Number, returns=str, models=[model])
    flow.output(flow.step(wait, flow.task, after=[flow.step(first, flow.task)]))
    boss = Supervisor("boss", accepts=Number, returns=Number, team=[first, wait], planner=flow)
    async with start(boss, Number(n=1), store=store) as under_way:
        async for one in under_way:
            if getattr(one, "worker", "") == "wait":
                under_way.cancel()
        outcome = await under_way.outcome()
    assert outcome.status == "cancelled"
    assert outcome.usage == outcome.bill.total
    assert outcome.usage.calls == 1
    assert of_type(outcome.events, Cancelled)[0].reason == "cancelled from outside"
    goes_on.set()
    again = await resume(boss, under_way.id, store=store)
    assert again.output == Number(n=1)
    assert len(model.seen) == 1
    assert again.usage == outcome.usage


async def test_a_listener_that_raises_is_told_no_more_and_the_run_goes_on() -> None:
    """Whoever watches a run cannot break it; it is warned of, once."""
    heard: list[object] = []

    def listen(seen: object) -> None:
        heard.append(seen)
        raise ZeroDivisionError("a bad console")

    with pytest.warns(UserWarning, match="goes on without its listener, which raised ZeroDivisionError"):
        outcome = await run(double, Number(n=1), listen=listen)
    assert outcome.output == Number(n=2)
    assert len(heard) == 1


async def test_an_answer_is_taken_once_and_the_first_wins() -> None:
    """From anybody, before the run is driven again."""
    store = MemoryJournal()
    outcome = await run(PERSON, Number(n=1), store=store)
    (question,) = outcome.questions
    given = await answer(store, outcome.run, question.id, approved=True, by="eva", value={"n": 7})
    assert given.at > 0
    with pytest.raises(AnswerError, match="was already answered: eva said yes"):
        await answer(store, outcome.run, question.id, approved=False, by="max")
    ended = await resume(PERSON, outcome.run, store=store)
    assert ended.output == Number(n=7)
    assert of_type(ended.events, Answered)[0].answer == given
    with pytest.raises(AnswerError, match=r"does not wait for an answer to .*; open questions: none"):
        await answer(store, outcome.run, question.id, approved=False, by="max")


async def test_an_answer_to_nothing_is_refused() -> None:
    """Naming what is asked."""
    store = MemoryJournal()
    outcome = await run(PERSON, Number(n=1), store=store)
    with pytest.raises(AnswerError, match=f"open questions: {outcome.questions[0].id}"):
        await answer(store, outcome.run, "nonsense", approved=True, by="eva")
    with pytest.raises(UnknownRunError, match="no run 'other'"):
        await answer(store, "other", "nonsense", approved=True, by="eva")


async def test_an_answer_of_the_wrong_shape_is_recorded_refused_and_asked_for_again() -> None:
    """The new question can be answered."""
    store = MemoryJournal()
    outcome = await run(PERSON, Number(n=1), store=store)
    await answer(store, outcome.run, outcome.questions[0].id, approved=True, by="eva", value={"n": "seven"})
    again = await resume(PERSON, outcome.run, store=store)
    assert len(of_type(again.events, AnswerRefused)) == 1
    assert open_questions(again.events) == list(again.questions)
    await answer(store, outcome.run, again.questions[0].id, approved=True, by="eva", value={"n": 7})
    ended = await resume(PERSON, outcome.run, store=store)
    assert ended.output == Number(n=7)
    assert open_questions(ended.events) == []


async def test_an_answer_left_while_the_run_is_driven_is_taken_in_the_same_drive() -> None:
    """And what was spent before it counts on."""
    store = MemoryJournal()
    teller = told(price=CHEAP)

    @worker
    async def answers(number: Number) -> Number:
        """Answer for the person beside it, as soon as they are asked."""
        while not (questions := open_questions([entry.event for entry in await history(store, "mine")])):
            await anyio.lowlevel.checkpoint()
        await answer(store, "mine", questions[0].id, approved=True, by="eva", value={"n": 7})
        return number

    flow = Workflow(Number, Number)
    said = flow.step(teller, "hi")
    asked = flow.step(PERSON, flow.task)
    done = flow.step(answers, flow.task, after=[said])
    flow.output(flow.step(add, {"left": asked["n"], "right": done["n"]}))
    team: list[Worker[Any, Any]] = [teller, PERSON, answers, add]
    boss = Supervisor("boss", accepts=Number, returns=Number, team=team, planner=flow)
    outcome = await run(boss, Number(n=1), store=store, run_id="mine")
    assert outcome.output == Number(n=8)
    assert of_type(outcome.events, Parked) == []
    assert outcome.usage == outcome.bill.total != Usage()


async def test_an_answer_to_a_question_that_was_never_asked_is_refused_by_the_run() -> None:
    """Anybody may write to an inbox."""
    store = MemoryJournal()
    outcome = await run(PERSON, Number(n=1), store=store)
    forged = Answer(question="forged", digest="d", approved=True, by="mallory").model_dump_json()
    await store.put(outcome.run, "forged", forged.encode())
    again = await resume(PERSON, outcome.run, store=store)
    assert of_type(again.events, AnswerRefused)[0].reason == "this run has not asked that question"


async def test_an_inbox_that_holds_no_answers_is_an_error_of_the_journal() -> None:
    """It says whose."""
    store = MemoryJournal()
    outcome = await run(PERSON, Number(n=1), store=store)
    await store.put(outcome.run, "noise", b"noise")
    with pytest.raises(JournalError, match=f"the inbox of run '{outcome.run}' holds something that is no answer"):
        await resume(PERSON, outcome.run, store=store)


async def test_a_parked_run_without_answers_is_not_driven() -> None:
    """Looking at it changes nothing."""
    store = MemoryJournal()
    outcome = await run(PERSON, Number(n=1), store=store)
    again = await resume(PERSON, outcome.run, store=store)
    assert (again.questions, len(again.events)) == (outcome.questions, len(outcome.events))


async def test_changed_definitions_are_refused_unless_pinned_or_migrated() -> None:
    """The error names what changed; a migration is recorded, and counts from then on."""
    store = MemoryJournal()
    outcome = await run(PERSON, Number(n=1), store=store)
    await answer(store, outcome.run, outcome.questions[0].id, approved=True, by="eva", value={"n": 7})
    other: Person[Number, Number] = Person("eva", "How many eggs?", accepts=Number, returns=Number)
    with pytest.raises(DefinitionError, match=r"other definitions of eva \(changed\)"):
        await resume(other, outcome.run, store=store)
    for choice, migrated in (("pin", 0), ("migrate", 1)):
        copy = store.copy()
        ended = await resume(other, outcome.run, store=copy, on_change=choice)  # type: ignore[arg-type] # one of two
        assert ended.output == Number(n=7)
        assert len(of_type(ended.events, Migrated)) == migrated


async def test_there_is_nothing_to_resume_of_an_unknown_run() -> None:
    """The message says where to look."""
    with pytest.raises(UnknownRunError, match="`echelon runs` lists them"):
        await resume(double, "other", store=MemoryJournal())


async def test_a_journal_that_does_not_begin_with_a_task_is_no_run() -> None:
    """Whatever else wrote it."""
    store = MemoryJournal()
    await store.append([link("odd", "odd", 1, 0.0, Claimed(owner="me").model_dump_json().encode())], "running")
    with pytest.raises(JournalError, match="does not begin with run_started but with claimed"):
        await resume(double, "odd", store=store)


async def test_a_task_that_does_not_fit_begins_nothing_to_watch() -> None:
    """The block is not entered."""
    wrong: Any = {"m": 1}
    with pytest.raises(ShapeError):
        await start(double, wrong).__aenter__()


async def test_there_is_nothing_to_see_after_the_block() -> None:
    """Nor is looking an error."""
    async with start(double, Number(n=1)) as under_way:
        await under_way.outcome()
    assert [one async for one in under_way] == []
