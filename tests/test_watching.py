"""Those who watch a run: everything once and in order, whenever they come and however slow they are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import anyio
import pytest

from echelon.agents.agent import Agent
from echelon.agents.models.scripted import ScriptedModel
from echelon.protocols.conversation import Delta
from echelon.protocols.errors import JournalError
from echelon.protocols.events import Cancelled, RunEnded
from echelon.protocols.gateway.runs import Seen
from echelon.protocols.messages import Done
from echelon.protocols.storage import Record, RunStatus
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor
from echelon.supervisor.watching import JOINED, Watcher

from .builders import Number, kinds
from .hosting import EVA, Gate, Place, hosting, opened, order, seen

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place for a store that outlives its hosts."""
    return opened(request.param, tmp_path)


async def test_who_comes_late_sees_everything_once_and_in_order(place: Place) -> None:
    """The journal's events first, then live ones; at any point, and after the end."""
    gate = Gate()
    heard: list[list[int]] = [[], [], []]
    async with hosting(place, gate.worker) as host:
        begun = await host.begin(order("gate"))

        async def watch(which: int, after: int) -> None:
            heard[which] += [one.seq for one in await seen(host, begun, after)]

        async with anyio.create_task_group() as group:
            group.start_soon(watch, 0, 0)
            await gate.begun.wait()
            group.start_soon(watch, 1, 1)
            await anyio.wait_all_tasks_blocked()
            gate.opened.set()
        await watch(2, 2)
        everything = [one.seq for one in await host.events(begun)]
    assert everything == [1, 2, 3]
    assert heard == [[1, 2, 3], [2, 3], [3]]


async def test_text_is_shown_between_the_events_where_it_was_said() -> None:
    """It comes after the start of the call and before its end; the journal has none of it.

    Pieces that come at once are told as one.
    """
    model = ScriptedModel(["one two three"])
    teller = Agent("teller", "Tell.", accepts=str, returns=str, models=[model])
    async with hosting(lambda: nullcontext(MemoryJournal()), teller) as host:
        begun = await host.begin(order("teller", task="go"))
        async with host.watch(begun) as told:
            shown = [said(one) async for one in told]
    call = shown[shown.index("effect_started") : shown.index("effect_finished")]
    assert call == ["effect_started", "one two three"]


async def test_pieces_of_text_are_joined_while_they_wait_and_in_no_other_case() -> None:
    """Those of one place that nothing stands between, up to a length; what has been read is left alone."""
    watcher = Watcher(0)
    watcher.tell(Delta("", "a"))
    assert await anext(watcher) == Delta("", "a")
    ended = Seen(1, 0.0, RunEnded(report=Done(output=None)))
    for told in (Delta("", "b"), Delta("", "c"), Delta("/x#1", "d"), ended, Delta("", "e"), Delta("", "f" * JOINED)):
        watcher.tell(told)
    watcher.end()
    shown = [said(one) async for one in watcher]
    assert shown == ["bc", "d", "run_ended", "e", "f" * JOINED]


async def test_a_watcher_that_does_not_read_is_let_go_and_the_run_goes_on() -> None:
    """The others see everything; pieces of text are left out before events are."""
    watcher = Watcher(0, most=4)
    ended = RunEnded(report=Done(output=None))
    for number in range(1, 4):
        watcher.tell(Delta("", "x"))
        watcher.tell(Seen(number, 0.0, ended))
    watcher.tell(Seen(4, 0.0, ended))
    with pytest.raises(JournalError, match="let go at event 4: it was 4 events behind"):
        await anext(watcher)
    slow = Watcher(0, most=4)
    slow.recall([Seen(number, 0.0, ended) for number in range(1, 100)])
    slow.tell(Seen(100, 0.0, ended))
    slow.end()
    assert [one.seq async for one in slow if isinstance(one, Seen)] == list(range(1, 101))


@pytest.mark.parametrize(("disconnect", "status"), [("cancel", "cancelled"), ("detach", "running")])
async def test_what_becomes_of_a_run_whose_last_watcher_leaves_is_said_by_its_order(
    disconnect: str, status: str
) -> None:
    """With one of two gone, it goes on in either case."""
    gate = Gate()
    async with hosting(lambda: nullcontext(MemoryJournal()), gate.worker) as host:
        begun = await host.begin(order("gate", disconnect=disconnect))
        async with host.watch(begun):
            async with host.watch(begun):
                await gate.begun.wait()
            await anyio.wait_all_tasks_blocked()
            assert (await host.standing(begun)).status == "running"
        await anyio.wait_all_tasks_blocked()
        assert (await host.standing(begun)).status == status
        if disconnect == "cancel":
            last = (await host.events(begun))[-1].event
            assert isinstance(last, Cancelled)
            assert last.reason == "its last client hung up"


def said(shown: Seen | Delta) -> str:
    """What a watcher is shown: the type of an event, or a piece of text."""
    return shown.event.type if isinstance(shown, Seen) else shown.text


class Parking(MemoryJournal):
    """A journal that is slow to park a run."""

    def __init__(self) -> None:
        super().__init__()
        self.parks = anyio.Event()
        self.goes_on = anyio.Event()

    async def append(self, records: Sequence[Record], status: RunStatus) -> None:
        """Write; that a run waits, only when told to."""
        if status == "waiting" and not self.parks.is_set():
            self.parks.set()
            await self.goes_on.wait()
        await super().append(records, status)


async def test_an_answer_that_comes_while_a_run_parks_is_not_lost_on_it() -> None:
    """It is driven once more, and whoever watches sees one story without a gap."""
    flow = Workflow(Number, Number)
    flow.output(flow.step(EVA, flow.task))
    boss = Supervisor("boss", accepts=Number, returns=Number, team=[EVA], planner=flow)
    store = Parking()
    async with hosting(lambda: nullcontext(store), boss) as host:
        begun = await host.begin(order("boss"))
        heard: list[Seen] = []

        async def watch() -> None:
            heard.extend(await seen(host, begun))

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await store.parks.wait()
            asked = [one.event.question for one in await host.events(begun) if one.event.type == "asked"]
            await host.answer(begun, asked[0].id, approved=True, by="ada", value={"n": 7})
            store.goes_on.set()
        assert (await host.standing(begun)).report == Done(output={"n": 7})
        assert heard == await host.events(begun)
    assert [one.seq for one in heard] == list(range(1, len(heard) + 1))
    assert kinds([one.event for one in heard]).count("parked") == 1


async def test_nobody_is_told_an_end_that_is_not_durable() -> None:
    """Until then the run has not ended, whoever asks."""
    store = Parking()
    async with hosting(lambda: nullcontext(store), EVA) as host:
        begun = await host.begin(order("eva"))
        async with host.watch(begun) as told:
            await store.parks.wait()
            shown = [said(await anext(told)) for _ in range(3)]
            assert shown == ["run_started", "claimed", "asked"]
            assert (await host.standing(begun)).status == "running"
            assert len(await host.events(begun)) == 3
            store.goes_on.set()
            assert [said(one) async for one in told] == ["parked"]
