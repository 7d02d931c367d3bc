"""The host of runs: begun, watched, answered, called off, taken up; limits, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import pytest

from echelon.agents.agent import Agent
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.protocols.contracts import Worker
from echelon.protocols.errors import (
    AnswerError,
    BusyError,
    CrowdedError,
    JournalError,
    ShapeError,
    UnknownRunError,
    UsageError,
)
from echelon.protocols.events import Cancelled, RunStarted
from echelon.protocols.gateway.runs import Standing
from echelon.protocols.messages import Budget, Done, Failed
from echelon.protocols.prices import Rates
from echelon.protocols.storage import Record, RunStatus
from echelon.supervisor.answers import answer
from echelon.supervisor.drive import Settings
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.journal.sqlite import SqliteJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import history, run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, double, kinds
from .hosting import EVA, MAX, SECONDS, Gate, Place, hosting, opened, order, rested, seen

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place for a store that outlives its hosts."""
    return opened(request.param, tmp_path)


async def test_a_run_is_durable_before_it_has_an_id(place: Place) -> None:
    """Whoever orders it, and in which thread, stands in its first event; it goes on in the background."""
    gate = Gate()
    async with hosting(place, gate.worker) as host:
        begun = await host.begin(order("gate", thread="t", key="k", trace="00-1-2-01"))
        (first, *_) = await host.events(begun)
        assert isinstance(first.event, RunStarted)
        assert first.event.tags == {
            "team": "gate", "principal": "ada", "surface": "chat", "thread": "t", "key": "k", "trace": "00-1-2-01",
            "disconnect": "detach",
        }  # fmt: skip
        await gate.begun.wait()
        assert (await host.standing(begun)).status == "running"
        gate.opened.set()
        stands = await rested(host, begun)
    assert (stands.status, stands.thread, stands.report) == ("done", "t", Done(output={"n": 3}))


async def test_a_task_that_does_not_fit_begins_nothing(place: Place) -> None:
    """Nor does one for a team that is not served; numbers are not taken for text."""
    async with hosting(place, double) as host:
        with pytest.raises(ShapeError, match="expected Number: /n: input should be a valid integer, found '2'"):
            await host.begin(order("double", task={"n": "2"}))
        with pytest.raises(UsageError, match="there is no team 'treble'; served are double"):
            await host.begin(order("treble"))
        assert list(await host.find()) == []
        assert (host.tally.active, dict(host.teams)) == (0, {"double": double.card})


async def test_the_same_key_is_the_same_run_however_often_and_at_once(place: Place) -> None:
    """Of the same principal and team; others have runs of their own, and it holds after a restart."""
    async with hosting(place, double, EVA) as host:
        ids: list[str] = []

        async def ordered(**more: Any) -> None:
            ids.append(await host.begin(order("double", key="k", **more)))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ordered)
        assert len(set(ids)) == 1
        others = {
            await host.begin(order("double", key="k", principal="bob")),
            await host.begin(order("eva", key="k")),
            await host.begin(order("double", key="other")),
            await host.begin(order("double")),
        }
        assert len(others - set(ids)) == 4
        for one in {*ids, *others}:
            await rested(host, one)
    async with hosting(place, double, EVA) as host:
        assert await host.begin(order("double", n=7, key="k")) == ids[0]
        assert len(await host.find()) == 5


async def test_a_run_waits_for_a_person_and_goes_on_after_the_answer(place: Place) -> None:
    """Its watch ends where it waits; it costs no task meanwhile; the answer is taken once."""
    async with hosting(place, EVA) as host:
        begun = await host.begin(order("eva"))
        stands = await rested(host, begun)
        assert (stands.status, host.tally.active) == ("waiting", 0)
        (question,) = stands.questions
        given = await host.answer(begun, question.id, approved=True, by="ada", value={"n": 7})
        assert (given.by, given.digest) == ("ada", question.digest)
        assert (await host.standing(begun)).questions == ()
        with pytest.raises(AnswerError):
            await host.answer(begun, question.id, approved=False, by="bob")
        ended = await rested(host, begun)
    assert (ended.status, ended.report) == ("done", Done(output={"n": 7}, confidence=1.0))


@pytest.mark.parametrize(
    ("team", "value", "said"),
    [
        ("eva", {"n": "7"}, "input should be a valid integer"),
        ("eva", {"n": 7, "m": 1}, "/m"),
        ("eva", None, "expected Number"),
        ("max", {"n": 7}, "a yes or a no takes no value"),
    ],
)
async def test_a_wrong_value_is_no_answer_and_the_question_stays_open(team: str, value: Any, said: str) -> None:
    """It does not count as the one answer; the next one does."""
    async with hosting(lambda: nullcontext(MemoryJournal()), EVA, MAX) as host:
        begun = await host.begin(order(team))
        (question,) = (await rested(host, begun)).questions
        with pytest.raises(AnswerError, match=said):
            await host.answer(begun, question.id, approved=True, by="ada", value=value)
        with pytest.raises(AnswerError, match="open questions: " + question.id):
            await host.answer(begun, "nonsense", approved=True, by="ada")
        assert (await host.standing(begun)).questions == (question,)
        await host.answer(begun, question.id, approved=False, by="ada")
        ended = await rested(host, begun)
    assert isinstance(ended.report, Failed)
    assert ended.report.failure.kind == "denied"


async def test_answers_left_by_other_processes_wake_their_runs(place: Place) -> None:
    """Before the host began, and while it runs."""
    async with hosting(place, EVA) as host:
        one, other = await host.begin(order("eva")), await host.begin(order("eva"))
        asked = {run_id: (await rested(host, run_id)).questions[0].id for run_id in (one, other)}
    async with place() as store:
        await answer(store, one, asked[one], approved=True, by="cli", value={"n": 1})
    async with place() as store:
        host = Host({"eva": EVA}, store, limits=Limits(drain=0.0, listen=0.01))
        async with host:
            with anyio.fail_after(SECONDS):
                while (await host.standing(one)).status != "done":
                    await rested(host, one)
                assert (await host.standing(other)).status == "waiting"
                await answer(store, other, asked[other], approved=True, by="cli", value={"n": 2})
                while (await host.standing(other)).status != "done":
                    await anyio.lowlevel.checkpoint()
                    await rested(host, other)


async def test_a_run_is_called_off_with_a_reason(place: Place) -> None:
    """Under way or waiting; one that is over, or was called off before, stays as it is."""
    gate = Gate()
    async with hosting(place, gate.worker, EVA, double) as host:
        ids = [await host.begin(order(team)) for team in ("gate", "eva", "double")]
        await gate.begun.wait()
        await rested(host, ids[1])
        await rested(host, ids[2])
        for one in (*ids, ids[0]):
            await host.cancel(one, reason="enough")
        stands = [await host.standing(one) for one in ids]
        assert [one.status for one in stands] == ["cancelled", "cancelled", "done"]
        assert stands[1].questions == ()
        lasts = [(await host.events(one))[-1].event for one in ids[:2]]
        assert [last.reason for last in lasts if isinstance(last, Cancelled)] == ["enough", "enough"]
        assert len(await host.events(ids[0])) == 3
        with pytest.raises(AnswerError, match="was called off: enough"):
            await host.answer(ids[1], "q", approved=True, by="ada")


async def test_a_client_that_hangs_up_while_its_run_begins_leaves_a_run_that_is_whole(place: Place) -> None:
    """It was written, so it is driven."""
    async with hosting(place, double) as host:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await host.begin(order("double"))
        (stands,) = await host.find()
        assert (await rested(host, stands.run)).status == "done"


async def test_as_many_runs_as_are_allowed_and_no_more() -> None:
    """The one beyond is refused, waits for nothing, and writes nothing; answered runs are never refused."""
    gate = Gate()
    async with hosting(lambda: nullcontext(MemoryJournal()), gate.worker, EVA, runs=1) as host:
        parked = await host.begin(order("eva"))
        (question,) = (await rested(host, parked)).questions
        first = await host.begin(order("gate", key="k"))
        with pytest.raises(CrowdedError, match="1 runs are under way, as many as are allowed at once"):
            await host.begin(order("gate"))
        assert await host.begin(order("gate", key="k")) == first
        await host.answer(parked, question.id, approved=True, by="ada", value={"n": 1})
        await anyio.wait_all_tasks_blocked()
        assert (await host.standing(parked)).status == "running"
        assert (host.tally.active, host.tally.limit) == (2, 1)
        gate.opened.set()
        assert [(await rested(host, one)).status for one in (first, parked)] == ["done", "done"]
        assert (await rested(host, await host.begin(order("gate")))).status == "done"
        assert len(await host.find()) == 3


async def test_a_run_is_held_to_the_time_of_the_host() -> None:
    """As a budget of the run, which stands in its journal."""
    gate = Gate()
    budget = Budget(seconds=0.01)
    async with hosting(lambda: nullcontext(MemoryJournal()), gate.worker, budget=budget) as host:
        stands = await rested(host, await host.begin(order("gate")))
    assert isinstance(stands.report, Failed)
    assert stands.report.failure.message == "gate was not done in 0.01 s"


async def test_what_is_under_way_at_the_end_is_left_for_the_next_host(place: Place) -> None:
    """Nothing says that it was called off, whoever hangs up meanwhile; the next host does what a crash cut off."""
    first, second = Gate(), Gate()
    async with hosting(place, first.worker, EVA) as host:
        left = await host.begin(order("gate", disconnect="cancel"))
        parked = await host.begin(order("eva"))
        await rested(host, parked)
        async with host.watch(left) as told:
            await first.begun.wait()
            await host.drain(0.0)
            with pytest.raises(JournalError, match="the server is shutting down; the run goes on when it is back"):
                [one async for one in told]
        with pytest.raises(CrowdedError, match="the server is shutting down"):
            await host.begin(order("eva"))
        assert host.tally.limit == 0
    async with hosting(place, second.worker, EVA) as host:
        await second.begun.wait()
        second.opened.set()
        assert (await rested(host, left)).status == "done"
        (question,) = (await host.standing(parked)).questions
        await host.answer(parked, question.id, approved=True, by="ada", value={"n": 9})
        assert (await rested(host, parked)).status == "done"
        assert "cancelled" not in kinds([one.event for one in await host.events(left)])


async def test_what_ends_in_time_is_waited_for(place: Place) -> None:
    """Orders are refused from the first moment."""
    gate = Gate()
    async with hosting(place, gate.worker) as host:
        begun = await host.begin(order("gate"))
        await gate.begun.wait()
        async with anyio.create_task_group() as group:
            group.start_soon(host.drain, SECONDS)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(CrowdedError):
                await host.begin(order("gate"))
            gate.opened.set()
        assert (await host.standing(begun)).status == "done"


async def test_only_runs_of_its_own_teams_are_a_hosts(place: Place) -> None:
    """Neither those of other teams nor those that no server began."""
    async with hosting(place, double, EVA) as host:
        foreign = await host.begin(order("eva"))
        await rested(host, foreign)
    async with place() as store:
        alone = await run(double, Number(n=1), store=store, settings=Settings(tags={"team": "double"}))
    async with hosting(place, double) as host:
        assert list(await host.find()) == []
        for unknown in (foreign, alone.run, "run-0"):
            with pytest.raises(UnknownRunError):
                await host.standing(unknown)
            with pytest.raises(UnknownRunError):
                await host.watch(unknown).__aenter__()
            with pytest.raises(UnknownRunError):
                await host.events(unknown)
            with pytest.raises(UnknownRunError):
                await host.answer(unknown, "q", approved=True, by="ada")
            with pytest.raises(UnknownRunError):
                await host.cancel(unknown, reason="no")


async def test_runs_are_found_by_thread_principal_and_status(place: Place) -> None:
    """The latest first."""
    async with hosting(place, double, EVA) as host:
        ids: list[str] = []
        for team, principal, thread in (("double", "ada", "x"), ("eva", "ada", "y"), ("eva", "bob", "x")):
            ids.append(await host.begin(order(team, principal=principal, thread=thread)))
            await rested(host, ids[-1])

        async def found(**by: Any) -> list[int]:
            return [ids.index(one.run) for one in await host.find(**by)]

        assert await found() == [2, 1, 0]
        assert await found(thread="x") == [2, 0]
        assert await found(principal="ada") == [1, 0]
        assert await found(thread="x", principal="ada") == [0]
        assert await found(status="waiting") == [2, 1]
        assert await found(thread="z") == []


async def test_a_run_under_changed_definitions_takes_no_answer(place: Place) -> None:
    """It says what has changed; with the team as it was, the same answer is taken."""
    other: Person[Number, Number] = Person("eva", "How many eggs?", accepts=Number, returns=Number)
    async with hosting(place, EVA) as host:
        begun = await host.begin(order("eva"))
        (question,) = (await rested(host, begun)).questions
    async with hosting(place, other) as host:
        with pytest.raises(AnswerError, match=r"under other definitions of eva \(changed\)"):
            await host.answer(begun, question.id, approved=True, by="ada", value={"n": 1})
        assert (await host.standing(begun)).status == "waiting"
        await host.cancel(begun, reason="the team is another")
        assert (await host.standing(begun)).status == "cancelled"


async def test_a_run_that_breaks_off_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever watches it is told, the log says why, and the others go on."""
    first, second = Gate(), Gate("gate")
    store = MemoryJournal()
    async with hosting(lambda: nullcontext(store), first.worker) as host:
        left = await host.begin(order("gate"))
        await first.begun.wait()
    changed: Worker[Number, Number] = Person("gate", "Changed?", accepts=Number, returns=Number)
    async with hosting(lambda: nullcontext(store), changed, double) as host:
        with pytest.raises(JournalError, match="broke off; the server's log says why"):
            await seen(host, left)
        assert (await rested(host, await host.begin(order("double")))).status == "done"
        assert (await host.standing(left)).status == "running"
    assert "DefinitionError" in caplog.text
    assert second.times == 0


async def test_a_tally_counts_what_passed() -> None:
    """Runs by what became of them, and what their calls cost."""
    model = ScriptedModel(["fine"], price=Rates(input=1.0, output=1.0))
    teller = Agent("teller", "Tell.", accepts=str, returns=str, models=[model])
    async with hosting(lambda: nullcontext(MemoryJournal()), teller, EVA) as host:
        told = await rested(host, await host.begin(order("teller", task="go")))
        await rested(host, await host.begin(order("eva")))
        tally = host.tally
    assert tally.turned == {"running": 2, "done": 1, "waiting": 1}
    assert told.report is not None
    assert tally.usage == told.report.usage
    assert tally.usage.calls == 1


async def test_nobody_else_may_write_to_a_hosts_store(tmp_path: Path) -> None:
    """From its first moment, not from its first run."""
    path = tmp_path / "runs.db"
    async with hosting(lambda: SqliteJournal(path), double), SqliteJournal(path) as other:
        with pytest.raises(BusyError):
            await run(double, Number(n=1), store=other)


async def test_an_error_in_its_block_leaves_runs_as_a_crash_would(place: Place) -> None:
    """And comes out as it is, without waiting for anything."""
    gate = Gate()
    begun = ""

    async def broken() -> None:
        nonlocal begun
        async with hosting(place, gate.worker, drain=60.0) as host:
            begun = await host.begin(order("gate"))
            await gate.begun.wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    async with place() as store:
        assert "cancelled" not in kinds([entry.event for entry in await history(store, begun)])
        assert (await store.runs())[0].status == "running"


async def test_a_host_that_is_cancelled_leaves_runs_as_a_crash_would(place: Place) -> None:
    """As an interrupt does."""
    gate = Gate()
    begun = ""
    with anyio.CancelScope() as scope:
        async with hosting(place, gate.worker, drain=60.0) as host:
            begun = await host.begin(order("gate"))
            await gate.begun.wait()
            scope.cancel()
            await anyio.sleep_forever()
    async with place() as store:
        assert kinds([entry.event for entry in await history(store, begun)]) == ["run_started", "claimed"]


class Remembering(MemoryJournal):
    """A journal that keeps what a crash would leave at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.left: list[MemoryJournal] = []

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write, and keep a copy."""
        await super().append(records, status)
        self.left.append(self.copy())

    async def put(self, run: str, key: str, body: bytes) -> bool:
        """Leave a signal, and keep a copy."""
        is_first = await super().put(run, key, body)
        self.left.append(self.copy())
        return is_first


async def test_a_host_that_dies_at_any_moment_loses_no_run_and_no_answer() -> None:
    """The next one takes up whatever is left: what ran, what waited, and what was answered and not yet taken."""
    flow = Workflow(Number, Number)
    flow.output(flow.step(double, flow.step(EVA, flow.step(double, flow.task))))
    boss = Supervisor("boss", accepts=Number, returns=Number, team=[double, EVA], planner=flow)
    store = Remembering()

    async def lived(left: MemoryJournal) -> Standing:
        async with hosting(lambda: nullcontext(left), boss) as host:
            begun = await host.begin(order("boss", key="k"))
            await anyio.wait_all_tasks_blocked()
            stands = await rested(host, begun)
            if stands.status == "waiting":
                await host.answer(begun, stands.questions[0].id, approved=True, by="ada", value={"n": 7})
            return await rested(host, begun)

    first = await lived(store)
    assert first.report == Done(output={"n": 14})
    assert len(store.left) >= 6
    for left in store.left:
        stands = await lived(left)
        assert (stands.run, stands.report) == (first.run, first.report)
        assert [summary.status for summary in await left.runs()] == ["done"]


async def test_an_archive_says_how_runs_began_and_what_got_signals(place: Place) -> None:
    """By run id; signals are counted, and told once."""
    async with place() as store:
        assert (list(await store.firsts()), await store.signalled(0)) == ([], (0, []))
        for name in ("run-b", "run-a"):
            await run(double, Number(n=1), store=store, run_id=name)
        assert [(first.run, first.seq) for first in await store.firsts()] == [("run-a", 1), ("run-b", 1)]
        for name, key in (("run-b", "x"), ("run-b", "x"), ("run-a", "x"), ("run-b", "y")):
            await store.put(name, key, b"{}")
        assert await store.signalled(0) == (3, ["run-a", "run-b"])
        assert await store.signalled(2) == (3, ["run-b"])
        assert await store.signalled(3) == (3, [])


async def test_standings_are_remembered_and_forgotten_when_a_run_goes_on(place: Place) -> None:
    """A standing that is asked for twice is the same, until something happens."""
    async with hosting(place, EVA) as host:
        begun = await host.begin(order("eva"))
        first = await rested(host, begun)
        assert await host.standing(begun) is await host.standing(begun)
        await host.answer(begun, first.questions[0].id, approved=True, by="ada", value={"n": 1})
        assert (await rested(host, begun)).status == "done"


async def test_how_a_run_came_to_rest_is_known_without_reading_its_journal() -> None:
    """The next turn of its thread asks for that; a run that was called off is read, since its end was written apart."""

    class Read(MemoryJournal):
        """Knows which runs were read."""

        def __init__(self) -> None:
            super().__init__()
            self.looked_at: list[str] = []

        async def read(self, run: str) -> Sequence[Record]:
            """Read."""
            self.looked_at.append(run)
            return await super().read(run)

    store, gate = Read(), Gate()
    async with hosting(lambda: nullcontext(store), double, EVA, gate.worker) as host:
        done, waiting = [await host.begin(order(team, thread="t")) for team in ("double", "eva")]
        await anyio.wait_all_tasks_blocked()
        found = {stands.run: stands for stands in await host.find(thread="t")}
        assert (found[done].status, found[waiting].status) == ("done", "waiting")
        assert (found[done].report, len(found[waiting].questions)) == (Done(output={"n": 4}), 1)
        assert store.looked_at == []
        begun = await host.begin(order("gate", thread="t"))
        await gate.begun.wait()
        await host.cancel(begun, reason="enough")
        assert [stands.status for stands in await host.find(thread="t", status="cancelled")] == ["cancelled"]
        assert store.looked_at == [begun, begun]
