"""A supervisor as a worker: nesting, people, policy, labels, limits, revision."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import trio
import trio.testing

from echelon.agents.function import worker
from echelon.agents.person import Person
from echelon.agents.reviewer import Reviewer
from echelon.protocols.contracts import Card, Worker
from echelon.protocols.errors import UsageError
from echelon.protocols.events import Asked, Delegated, Ended
from echelon.protocols.messages import Approval, Budget, Escalate, Failed, Handoff, Revise
from echelon.supervisor.drive import Settings
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.policy import Policy, Ruling, ask, deny
from echelon.supervisor.runs import answer, resume, run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, Telling, Text, double, kinds, of_type, say

pytestmark = pytest.mark.anyio
PERSON: Person[Number, Number] = Person("eva", "What is it really?", accepts=Number, returns=Number)
APPROVER: Person[Number, Approval] = Person("max", "May it be?", accepts=Number, returns=Approval)


def leads(name: str, member: Worker[Number, Number], **rules: Any) -> Supervisor[Number, Number]:
    """Lead one worker, who does the whole task."""
    flow = Workflow(Number, Number)
    flow.output(flow.step(member, flow.task))
    return Supervisor(name, accepts=Number, returns=Number, team=[member], planner=flow, **rules)


async def test_teams_nest_and_a_person_stands_at_the_bottom() -> None:
    """Three levels down somebody is asked; the answer, given to another process, comes out at the top."""
    top = leads("top", leads("middle", leads("low", PERSON)))
    store = MemoryJournal()
    outcome = await run(top, Number(n=1), store=store)
    assert outcome.status == "waiting"
    (question,) = outcome.questions
    assert (question.path, question.of, question.subject) == ("/middle#1/low#1/eva#1", "eva", {"n": 1})
    assert (await resume(top, outcome.run, store=store)).questions == (question,)
    await answer(store, outcome.run, question.id, approved=True, by="eva", value={"n": 42})
    ended = await resume(top, outcome.run, store=store)
    assert ended.output == Number(n=42)
    assert len(of_type(ended.events, Asked)) == 1


async def test_what_runs_beside_a_question_is_finished_before_the_run_parks() -> None:
    """And it is not done again when the answer has come."""
    calls: list[int] = []

    @worker
    async def counted(number: Number) -> Number:
        """Count its calls."""
        calls.append(number.n)
        return number

    flow = Workflow(Number, list[Number])
    asked, done = flow.step(PERSON, flow.task), flow.step(counted, flow.task)
    flow.output([asked, done])  # type: ignore[arg-type] # a list of handles is a list of numbers
    boss = Supervisor("boss", accepts=Number, returns=list[Number], team=[PERSON, counted], planner=flow)
    store = MemoryJournal()
    outcome = await run(boss, Number(n=1), store=store)
    assert kinds(outcome.events)[-1] == "parked"
    await answer(store, outcome.run, outcome.questions[0].id, approved=True, by="eva", value={"n": 2})
    assert (await resume(boss, outcome.run, store=store)).output == [Number(n=2), Number(n=1)]
    assert calls == [1]


async def test_a_team_deeper_than_the_budget_allows_is_not_begun() -> None:
    """The plan says so before anything runs; a supervisor of its own says so when it is asked."""
    deep = leads("top", leads("middle", leads("low", double)), budget=Budget(depth=2))
    outcome = await run(deep, Number(n=1))
    assert outcome.failure is not None
    assert "'middle' leads 2 levels of supervisors; 1 are left" in outcome.failure.message
    alone = await run(leads("top", double), Number(n=1), budget=Budget(depth=0))
    assert alone.failure is not None
    assert alone.failure.message == "top would stand deeper than the budget's depth allows"


@pytest.mark.parametrize("ruling", [deny("too much"), ask("eva", "it is a lot"), None])
async def test_a_policy_allows_denies_or_asks(ruling: Ruling | None) -> None:
    """Before the handoff is made; a denial is typed and has its reason."""
    boss = leads("boss", double, policy=Policy((lambda handoff, _: ruling if handoff.payload.n > 5 else None,)))
    assert (await run(boss, Number(n=5))).output == Number(n=10)
    store = MemoryJournal()
    outcome = await run(boss, Number(n=6), store=store)
    if ruling is None:
        assert outcome.output == Number(n=12)
    elif ruling.verdict == "deny":
        assert outcome.failure is not None
        assert (outcome.failure.kind, outcome.failure.message) == ("denied", "double: too much")
    else:
        (question,) = outcome.questions
        assert question.subject == {"worker": "double", "payload": {"n": 6}}
        await answer(store, outcome.run, question.id, approved=True, by="eva")
        assert (await resume(boss, outcome.run, store=store)).output == Number(n=12)


async def test_a_person_may_say_no_to_a_handoff() -> None:
    """That is a denial with the person's name and note, which no other plan gets around."""

    def asks(handoff: Handoff[Any], card: Card[Any, Any]) -> Ruling | None:
        return ask("eva", f"{card.name} is given a lot") if handoff.payload.n > 5 else None

    boss = leads("boss", double, policy=Policy((asks,)))
    store = MemoryJournal()
    outcome = await run(boss, Number(n=6), store=store)
    await answer(store, outcome.run, outcome.questions[0].id, approved=False, by="eva", note="not today")
    ended = await resume(boss, outcome.run, store=store)
    assert ended.failure is not None
    assert ended.failure.message == "double: eva said no: not today"


async def test_a_policy_that_breaks_is_a_defect_and_nothing_is_handed_over() -> None:
    """It fails closed."""

    def broken(handoff: Handoff[Any], card: Card[Any, Any]) -> Ruling | None:
        raise LookupError(f"{card.name} {handoff.to}")

    outcome = await run(leads("boss", double, policy=Policy((broken,))), Number(n=1))
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.message) == ("defect", "LookupError: double double")


async def test_labels_travel_down_and_are_joined_and_clearance_is_kept_three_levels_down() -> None:
    """The task's, and those that a worker's output carries."""

    @worker(labels=frozenset({"web"}))
    async def fetch(number: Number) -> Number:
        """Fetch."""
        return number

    @worker(clearance=frozenset({"secret"}))
    async def publish(number: Number) -> Number:
        """Publish."""
        return number

    inner = leads("inner", publish)
    flow = Workflow(Number, Number)
    flow.output(flow.step(inner, flow.step(fetch, flow.task)))
    boss = Supervisor("boss", accepts=Number, returns=Number, team=[fetch, inner], planner=flow)
    outcome = await run(boss, Number(n=1), settings=Settings(labels=frozenset({"secret"})))
    assert outcome.failure is not None
    assert outcome.failure.kind == "invalid_plan", "the inner plan is refused before anything of it runs"
    assert "publish" in outcome.failure.message
    assert "web" in outcome.failure.message
    assert of_type(outcome.events, Delegated)[1].labels == {"secret", "web"}


def slow_boss(**rules: Any) -> Supervisor[Number, Number]:
    """Lead somebody quick, and then somebody who takes a minute."""

    @worker
    async def slow(number: Number) -> Number:
        """Take a minute."""
        await anyio.sleep(60.0)
        return number

    flow = Workflow(Number, Number)
    flow.output(flow.step(slow, flow.step(double, flow.task)))
    return Supervisor("boss", accepts=Number, returns=Number, team=[double, slow], planner=flow, **rules)


@pytest.mark.parametrize("whose", ["its own", "the run's", "of the one above"])
def test_time_that_is_up_ends_the_work_and_keeps_what_is_finished(whose: str) -> None:
    """Whoever set the limit; the failure is typed, and the journal has the supervisor's end."""
    limit = Budget(seconds=5.0)
    boss = slow_boss(budget=limit if whose == "its own" else Budget())
    if whose == "of the one above":
        boss = leads("above", boss, budget=limit)

    async def work() -> tuple[Outcome[Number], float]:
        begun = trio.current_time()
        outcome = await run(boss, Number(n=1), budget=limit if whose == "the run's" else None)
        return outcome, trio.current_time() - begun

    outcome, seconds = trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))
    assert seconds == pytest.approx(5.0)
    assert outcome.failure is not None
    assert outcome.failure.message == f"{'above' if whose == 'of the one above' else 'boss'} was not done in 5 s"
    assert outcome.failure.kind == "timeout"
    assert outcome.partial == (None if whose == "of the one above" else {"double": {"n": 2}})
    assert of_type(outcome.events, Ended)[-1].report == outcome.report


async def test_only_blamed_steps_and_what_depends_on_them_are_done_again() -> None:
    """Their workers are told what is wrong; the others' results are kept."""
    told: list[tuple[str, tuple[str, ...]]] = []

    first, second, third = (Telling(name, told) for name in ("first", "second", "third"))
    flow = Workflow(Number, Number)
    flow.output(flow.step(third, flow.step(second, flow.step(first, flow.task))))
    verdicts = iter([Revise(findings=("too small",), blamed=("second",)), None])
    boss = Supervisor(
        "boss", accepts=Number, returns=Number, team=[first, second, third], planner=flow,
        reviewer=Reviewer(checks=[lambda _: next(verdicts)]),
    )  # fmt: skip
    outcome = await run(boss, Number(n=0))
    assert outcome.output == Number(n=4)
    assert told == [("first", ()), ("second", ()), ("third", ()), ("second", ("too small",)), ("third", ())]
    attempts = [(event.step, event.attempt) for event in of_type(outcome.events, Delegated)]
    assert attempts == [("first", 1), ("second", 1), ("third", 1), ("second", 2), ("third", 2)]


@pytest.mark.parametrize("approved", [True, False])
async def test_a_person_decides_where_the_reviewer_does_not(*, approved: bool) -> None:
    """About exactly this draft, once, in another process."""
    boss = leads("boss", double, reviewer=Reviewer(checks=[lambda _: Escalate(reason="a lot")]), escalate=APPROVER)
    store = MemoryJournal()
    outcome = await run(boss, Number(n=6), store=store)
    (question,) = outcome.questions
    assert question.of == "max"
    assert question.subject == {"task": {"n": 6}, "output": {"n": 12}, "reason": "a lot"}
    await answer(store, outcome.run, question.id, approved=approved, by="max", note="as agreed")
    ended = await resume(boss, outcome.run, store=store)
    assert len(of_type(ended.events, Asked)) == 1
    if approved:
        assert ended.output == Number(n=12)
        assert ended.events[-1].type == "run_ended"
    else:
        assert isinstance(ended.report, Failed)
        assert ended.report.failure.message == "the reviewer of boss did not approve: refused by max: as agreed"
        assert ended.partial == {"n": 12}


async def test_two_runs_of_one_team_share_nothing() -> None:
    """Fifty at once give what fifty one after the other give, event by event."""
    flow = Workflow(Number, Text)
    flow.output(flow.step(say, flow.step(double, flow.task)))
    boss = Supervisor(
        "boss", accepts=Number, returns=Text, team=[double, say], planner=flow,
        reviewer=Reviewer(checks=[lambda text: None if "1" not in text.text else "a one"]),
    )  # fmt: skip

    def told(outcome: Outcome[Text]) -> list[tuple[str, Any]]:
        return [(event.type, getattr(event, "report", None)) for event in outcome.events]

    alone = [await run(boss, Number(n=n)) for n in range(50)]
    together: dict[int, Outcome[Text]] = {}

    async def one(n: int) -> None:
        together[n] = await run(boss, Number(n=n))

    async with anyio.create_task_group() as group:
        for n in range(50):
            group.start_soon(one, n)
    assert [told(together[n]) for n in range(50)] == [told(outcome) for outcome in alone]


def test_a_supervisor_says_who_it_is() -> None:
    """Its card follows from its team."""
    writes: Worker[Number, Number] = worker(name="writes", effect=True, labels=frozenset({"web"}))(_same)
    inner = leads("inner", writes)
    assert (inner.card.writes, inner.card.depth) == (True, 1)
    assert inner.card.labels == {"web"}
    assert leads("outer", inner).card.depth == 2
    assert inner.card.description == "leads writes"
    assert leads("said", double, description="Doubles.").card.description == "Doubles."


async def _same(number: Number) -> Number:
    """Give it back."""
    return number


@pytest.mark.parametrize(
    ("name", "team", "said"),
    [
        ("boss", [], "supervisor 'boss': the team is empty"),
        ("boss", [double, double], "supervisor 'boss': more than one worker is named 'double'"),
        ("the boss", [double], "supervisor 'the boss': 'the boss' is not a name for a worker"),
        ("boss", [worker(name="task")(_same)], "supervisor 'boss': 'task' is not a name for a worker"),
    ],
)
def test_a_team_that_could_not_work_is_refused_where_it_is_put_together(
    name: str, team: list[Worker[Any, Any]], said: str
) -> None:
    """Names are part of plans and of places."""
    with pytest.raises(UsageError, match=said):
        Supervisor(name, accepts=Number, returns=Number, team=team)


def test_rivals_accept_and_return_the_same() -> None:
    """They are named beside every choice as what was not chosen."""
    same = worker(name="same")(_same)
    boss = Supervisor("boss", accepts=Number, returns=Number, team=[double, same, say])
    assert boss.charter.rivals == {"double": ("same",), "same": ("double",), "say": ()}


def test_a_definition_changes_with_what_a_supervisor_is_made_of() -> None:
    """Everything that decides what it does, and nothing else."""
    plain = leads("boss", double)
    changed = [
        leads("boss", double, reviewer=Reviewer("good?")),
        leads("boss", double, escalate=APPROVER),
        leads("boss", double, policy=Policy(version="2")),
        leads("boss", double, budget=Budget(usd=1.0)),
        leads("boss", double, must_delegate=False),
    ]
    assert all(one.definition != plain.definition for one in changed)
    assert leads("boss", double).definition == plain.definition
