"""The people of a replay answer as they did: then, and to the questions that stand in the place of theirs."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import anyio
import pytest

from echelon.agents.function import worker
from echelon.agents.person import Person
from echelon.agents.tools import Key
from echelon.evals.replay.canonical import same
from echelon.evals.replay.modes import Decisions, Strict, Structural
from echelon.evals.virtual import VirtualClock, VirtualLoop
from echelon.protocols.contracts import Worker
from echelon.protocols.errors import AnswerError
from echelon.protocols.events import AnswerRefused, Asked
from echelon.protocols.messages import Answer, Approval
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.policy import Policy, ask
from echelon.supervisor.runs import MemoryJournal, Outcome, Settings, answer, history, resume, run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, of_type
from .recordings import RUN, recorded, replayed, scenario


def two_people(*, prompt: str = "May we?", factor: int = 1) -> Worker[Number, str]:
    """Ask ada and bob at once; after each of them something is done, and a slow check goes on meanwhile."""
    ada = Person("ada", prompt, accepts=Number, returns=Approval)
    bob = Person("bob", "And you?", accepts=Number, returns=Approval)

    @worker
    async def scale(number: Number) -> Number:
        """Scales."""
        return Number(n=number.n * factor)

    @worker(reads=True)
    async def check(number: Number) -> Number:
        """Takes its time."""
        await anyio.sleep(100.0)
        return number

    @worker(effect=True)
    async def book(who: str, key: Key) -> str:
        """Books."""
        return who

    @worker
    async def join(first: str, second: str, checked: Number) -> str:
        """Joins."""
        return f"{first} and {second}: {checked.n}"

    flow = Workflow(Number, str)
    scaled = flow.step(scale, flow.task)
    checked = flow.step(check, scaled)
    first = flow.step(book, flow.step(ada, scaled)["by"], id="book-ada")
    second = flow.step(book, flow.step(bob, scaled)["by"], id="book-bob")
    flow.output(flow.step(join, {"first": first, "second": second, "checked": checked}))
    return Supervisor("desk", accepts=Number, returns=str, team=[scale, check, ada, bob, book, join], planner=flow)


def answered_on_the_way(*after: tuple[float, str]) -> Outcome[str]:
    """Run the two people's team; each answers so many seconds after its start, whether the run has parked or not."""
    store, team = MemoryJournal(), two_people()

    async def answers() -> None:
        for seconds, who in after:
            await anyio.sleep(seconds)
            left = {key for key, _ in await store.take(RUN)}
            asked = [entry for entry in await questions(store) if entry.of == who and entry.id not in left]
            await answer(store, RUN, asked[0].id, approved=True, by=who)

    async def drive() -> Outcome[str]:
        settings = Settings(clock=VirtualClock(loop))
        outcomes: list[Outcome[str]] = []
        async with anyio.create_task_group() as group:
            group.start_soon(answers)
            outcomes.append(await run(team, Number(n=1), store=store, run_id=RUN, settings=settings))
            while outcomes[-1].questions:
                await anyio.sleep(1_000.0)
                outcomes.append(await resume(team, RUN, store=store, settings=settings))
        return outcomes[-1]

    with closing(VirtualLoop()) as loop:
        return loop.run(drive())


async def questions(store: MemoryJournal) -> list[Any]:
    """What was asked so far."""
    return [asked.question for asked in of_type([entry.event for entry in await history(store, RUN)], Asked)]


@pytest.mark.parametrize(
    "after",
    [
        ((10.0, "ada"), (20.0, "bob")),  # both while the check goes on: the run never parks
        ((10.0, "ada"), (500.0, "bob")),  # one on the way, one after it has parked
        ((200.0, "bob"), (1.0, "ada")),  # both after it has parked, together
        ((200.0, "bob"), (2_000.0, "ada")),  # it parks twice
    ],
)
def test_answers_come_when_they_came(after: tuple[tuple[float, str], ...]) -> None:
    """Whether the run had parked for them or not, together or one by one."""
    outcome = answered_on_the_way(*after)
    assert outcome.status == "delivered"
    found = replayed(two_people(), scenario(outcome.entries)).check()
    assert same(found.entries, outcome.entries)


def test_a_run_that_still_waits_waits_again() -> None:
    """For the same people."""
    outcome = recorded(two_people(), Number(n=1))
    parked = next(i for i, event in enumerate(outcome.events, 1) if event.type == "parked")
    found = replayed(two_people(), scenario(outcome.entries[:parked])).check()
    assert found.outcome is not None
    assert [question.of for question in found.outcome.questions] == ["ada", "bob"]


def test_a_no_is_a_no_again() -> None:
    """And nothing is booked after it."""
    outcome = recorded(two_people(), Number(n=1), people=lambda question: question.of == "ada")
    assert outcome.failure is not None
    found = replayed(two_people(), scenario(outcome.entries)).check()
    assert found.outcome is not None
    assert found.outcome.failure == outcome.failure


def test_an_answer_to_another_subject_is_no_answer() -> None:
    """The people were asked about 1, not about 2: the replay waits, and says where it left the recording."""
    outcome = recorded(two_people(), Number(n=1))
    found = replayed(two_people(factor=2), scenario(outcome.entries))
    assert [miss.path for miss in found.misses] == ["/check#1"]
    person = alone(factor=2)
    found = replayed(person, scenario(recorded(alone(), Number(n=1)).entries))
    assert found.outcome is not None
    assert found.outcome.status == "waiting"
    divergence = found.replayed.divergence
    assert divergence is not None
    assert (divergence.what, divergence.step, divergence.field) == ("report", "/scale#1", "/output/n")


def alone(*, prompt: str = "May we?", factor: int = 1) -> Worker[Number, Approval]:
    """Scale, then ask ada."""
    ada = Person("ada", prompt, accepts=Number, returns=Approval)

    @worker
    async def scale(number: Number) -> Number:
        """Scales."""
        return Number(n=number.n * factor)

    flow = Workflow(Number, Approval)
    flow.output(flow.step(ada, flow.step(scale, flow.task)))
    return Supervisor("desk", accepts=Number, returns=Approval, team=[scale, ada], planner=flow)


def test_structural_replay_takes_the_answer_to_the_question_in_its_place() -> None:
    """Worded otherwise, about another subject: the answer is given, and counted as tolerated."""
    known = scenario(recorded(alone(), Number(n=1)).entries)
    found = replayed(alone(factor=2), known, mode=Structural())
    assert found.outcome is not None
    assert found.outcome.output == Approval(by="eva")
    assert [(one.step, one.field) for one in found.tolerated] == [("/ada#1", "/subject/n")]


def test_a_volatile_field_of_the_subject_makes_no_other_question() -> None:
    """Its id is another one, and the answer is given all the same; nothing had to be tolerated."""
    known = scenario(recorded(alone(), Number(n=1)).entries, volatile=("n",))
    found = replayed(alone(factor=2), known)
    assert found.outcome is not None
    assert found.outcome.output == Approval(by="eva")
    assert (found.replayed.tolerated, found.faithful) == (0, True)


def test_another_wording_of_the_question_alone_changes_no_id() -> None:
    """The question is the same; that it reads otherwise is a divergence."""
    known = scenario(recorded(alone(), Number(n=1)).entries)
    found = replayed(alone(prompt="Do we dare?"), known)
    assert found.outcome is not None
    assert found.outcome.status == "delivered"
    divergence = found.replayed.divergence
    assert divergence is not None
    assert (divergence.what, divergence.field, divergence.found) == ("request", "/prompt", '"Do we dare?"')


def test_a_root_that_is_a_person_is_answered() -> None:
    """There is no supervisor whose work could be kept first."""
    person = Person("ada", "May we?", accepts=Number, returns=Approval)
    outcome = recorded(person, Number(n=1))
    assert same(replayed(person, scenario(outcome.entries)).check().entries, outcome.entries)


def test_an_answer_that_was_void_is_void_again() -> None:
    """It is refused, the question is asked anew, and the next answer holds."""
    person, store = alone(), MemoryJournal()

    async def drive() -> Outcome[Approval]:
        outcome = await run(person, Number(n=1), store=store, run_id=RUN)
        void = Answer(question=outcome.questions[0].id, digest="of something else", approved=True, by="eva")
        assert await store.put(RUN, void.question, void.model_dump_json().encode())
        stray = Answer(question="never-asked", digest="d", approved=True, by="bob")
        assert await store.put(RUN, stray.question, stray.model_dump_json().encode())
        outcome = await resume(person, RUN, store=store)
        await answer(store, RUN, outcome.questions[0].id, approved=True, by="eva")
        with pytest.raises(AnswerError):
            await answer(store, RUN, void.question, approved=True, by="eva")
        return await resume(person, RUN, store=store)

    outcome = anyio.run(drive)
    assert len(of_type(outcome.events, AnswerRefused)) == 2
    found = replayed(person, scenario(outcome.entries)).check()
    assert same(found.entries, outcome.entries)


def test_approvals_by_policy_are_asked_and_given_again_whoever_works() -> None:
    """In a replay of decisions too: a policy decides."""

    @worker(effect=True)
    async def pay(number: Number) -> Number:
        """Pays."""
        return number

    flow = Workflow(Number, Number)
    flow.output(flow.step(pay, flow.task))
    policy = Policy(rules=(lambda handoff, card: ask("cfo", "it is money"),))
    team = Supervisor("desk", accepts=Number, returns=Number, team=[pay], planner=flow, policy=policy)
    outcome = recorded(team, Number(n=1))
    assert len(of_type(outcome.events, Asked)) == 1
    for mode in (Strict(), Decisions()):
        found = replayed(team, scenario(outcome.entries), mode=mode).check()
        assert found.outcome is not None
        assert found.outcome.report == outcome.report
