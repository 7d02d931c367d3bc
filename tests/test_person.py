"""A person as a worker: asked once, answered once, from anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.protocols.errors import Pause
from echelon.protocols.events import Asked
from echelon.protocols.messages import Answer, Approval, Done, Revise
from echelon.supervisor.answers import answer
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import resume, run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, of_type

pytestmark = pytest.mark.anyio


async def answered(person: Person[Number, Any], **given: Any) -> Outcome[Any]:
    """Ask, answer, and go on."""
    store = MemoryJournal()
    outcome = await run(person, Number(n=3), store=store)
    (question,) = outcome.questions
    await answer(store, outcome.run, question.id, by="eva", **given)
    return await resume(person, outcome.run, store=store)


def person(returns: type[Any] = Approval) -> Person[Number, Any]:
    """Hire somebody."""
    return Person("cfo", "Is it right?", accepts=Number, returns=returns)


async def test_a_question_shows_the_payload_and_what_an_answer_must_be() -> None:
    """Bound to the digest of exactly that."""
    (question,) = (await run(person(Number), Number(n=3))).questions
    assert (question.of, question.prompt, question.subject, question.asks) == (
        "cfo",
        "Is it right?",
        {"n": 3},
        "report",
    )
    assert question.answer_schema["properties"].keys() == {"n"}
    assert (await run(person(), Number(n=3))).questions[0].asks == "approval"


async def test_a_yes_is_an_approval_with_a_name() -> None:
    """And a note."""
    outcome = await answered(person(), approved=True, note="fine")
    assert outcome.output == Approval(by="eva", note="fine")
    assert isinstance(outcome.report, Done)
    assert outcome.report.confidence == 1.0


async def test_a_no_is_a_denial() -> None:
    """Nothing downstream runs; no other plan gets around it."""
    outcome = await answered(person(), approved=False, note="too much")
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.message) == ("denied", "cfo: eva said no: too much")
    assert (await answered(person(Number), approved=False)).failure is not None


async def test_a_report_is_read_as_its_type() -> None:
    """Like anybody's."""
    assert (await answered(person(Number), approved=True, value={"n": 9})).output == Number(n=9)


async def test_a_yes_and_a_no_may_both_be_values() -> None:
    """For a plan that goes on either way; or a no stands for a value."""
    for approved in (True, False):
        outcome = await answered(person(Answer), approved=approved, note="so be it")
        assert (outcome.output.approved, outcome.output.by, outcome.output.note) == (approved, "eva", "so be it")
    none: Person[Number, Number] = Person(
        "cfo", "Is it right?", accepts=Number, returns=Number, on_no=lambda answer: Number(n=len(answer.note))
    )
    assert (await answered(none, approved=False, note="no")).output == Number(n=2)


async def test_a_person_whose_report_is_sent_back_is_asked_again_with_the_findings() -> None:
    """The answer that was found wanting is no answer to that."""
    asked = person(Number)
    flow = Workflow(Number, Number)
    flow.output(flow.step(asked, flow.task))
    verdicts = {9: Revise(findings=("nine is odd",)), 8: None}
    boss = Supervisor(
        "boss", accepts=Number, returns=Number, team=[asked], planner=flow,
        reviewer=Reviewer(checks=[lambda number: verdicts[number.n]]),
    )  # fmt: skip
    store = MemoryJournal()
    outcome = await run(boss, Number(n=3), store=store)
    for n in (9, 8):
        (question,) = outcome.questions
        await answer(store, outcome.run, question.id, approved=True, by="eva", value={"n": n})
        outcome = await resume(boss, outcome.run, store=store)
    assert outcome.output == Number(n=8)
    first, second = (event.question for event in of_type(outcome.events, Asked))
    assert first.prompt == "Is it right?"
    assert second.prompt == "Is it right?\nnine is odd"
    assert second.subject == {"payload": {"n": 3}, "findings": ["nine is odd"]}


def test_a_person_is_defined_by_what_is_asked() -> None:
    """Another prompt is another question."""
    other = Person("cfo", "Really?", accepts=Number, returns=Approval)
    assert person().definition == person().definition != other.definition
    assert (person().card.description, person().parts, person().card.writes) == ("Is it right?", (), False)


def test_a_pause_says_who_is_waited_for() -> None:
    """It travels up as an exception and is none of anybody's."""
    assert str(Pause(())) == "waiting for "
