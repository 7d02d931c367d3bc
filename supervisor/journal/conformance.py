"""The cases that every `Store` must pass; run each against a fresh, empty place.

    @pytest.mark.parametrize("case", CASES.values(), ids=CASES)
    async def test_my_store_keeps_the_contract(case, tmp_path):
        await case(lambda: MyStore(tmp_path / "journal"))

The factory may be called more than once in a case, never while a store from an earlier call is open; it gives a store
of the same place each time. A store that keeps nothing when it is closed is tried with `LASTING` left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import anyio
from anyio.lowlevel import checkpoint

from ...protocols.errors import EchelonError, FencedError, JournalError
from ...protocols.events import Claimed, RunStarted
from ...protocols.messages import Budget
from ...protocols.storage import Record, RunStatus, Store
from .chain import link, verify

Factory = Callable[[], AbstractAsyncContextManager[Store]]
Case = Callable[[Factory], Awaitable[None]]


class ConformanceError(EchelonError):
    """A store does not keep the contract."""

    def __init__(self, case: str, expected: str, found: object) -> None:
        self.case = case
        super().__init__(f"{case}: expected {expected}, found {found!r:.500}")


def a_run(run: str, events: int, *, owner: str = "", at: float = 1e9) -> list[Record]:
    """The records of a run: its start, then claims; one second apart, beginning at `at`."""
    records: list[Record] = []
    previous = run
    for seq in range(1, events + 1):
        event = (
            RunStarted(run=run, worker=f"worker of {run}", task=None, definitions={}, budget=Budget())
            if seq == 1
            else Claimed(owner=f"{owner}{seq}")
        )
        record = link(run, previous, seq, at + seq - 1, event.model_dump_json().encode())
        previous = record.digest
        records.append(record)
    return records


def _same(case: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ConformanceError(case, f"{what} to be {expected!r:.500}", found)


async def _fenced(case: str, store: Store, records: Sequence[Record], status: RunStatus = "running") -> None:
    try:
        await store.append(records, status)
    except FencedError:
        return
    raise ConformanceError(case, f"FencedError for seq {records[0].seq}", "no error")


async def _refused(case: str, what: str, operation: Awaitable[object]) -> None:
    try:
        await operation
    except JournalError:
        return
    raise ConformanceError(case, f"JournalError for {what}", "no error")


async def append_and_read(make: Factory) -> None:
    """What was appended is read, byte for byte, by seq; several records of one append are there together."""
    case = "append_and_read"
    run = a_run("run-1", 7)
    async with make() as store:
        await store.append(run[:1], "running")
        await store.append(run[1:6], "running")
        await store.append(run[6:], "done")
        found = list(await store.read("run-1"))
    _same(case, "the records", found, run)
    verify("run-1", found)


async def unknown_run(make: Factory) -> None:
    """A run that nobody started has no records and no signals, and asking for it starts none."""
    case = "unknown_run"
    async with make() as store:
        _same(case, "the records", list(await store.read("nobody")), [])
        _same(case, "the signals", list(await store.take("nobody")), [])
        _same(case, "the runs", list(await store.runs()), [])


async def gap_and_duplicate(make: Factory) -> None:
    """A seq that is not the next one is fenced, and nothing of that append is written, nor its status."""
    case = "gap_and_duplicate"
    run = a_run("run-1", 6)
    async with make() as store:
        await _fenced(case, store, run[1:2])
        await store.append(run[:3], "running")
        for wrong in (run[2:3], run[2:5], run[:1], run[4:6]):
            await _fenced(case, store, wrong, "failed")
        _same(case, "the records", list(await store.read("run-1")), run[:3])
        _same(case, "the statuses", [summary.status for summary in await store.runs()], ["running"])
        await store.append(run[3:], "done")
        _same(case, "the records", list(await store.read("run-1")), run)


async def two_writers(make: Factory) -> None:
    """Of many that write the same line at once, one wins; the others are fenced and wrote nothing."""
    case = "two_writers"
    start = a_run("run-1", 1)
    rivals = [a_run("run-1", 3, owner=f"writer {number}, line ") for number in range(8)]
    won: list[list[Record]] = []

    async def write(store: Store, mine: list[Record]) -> None:
        try:
            await store.append(mine[1:], "running")
        except FencedError:
            return
        won.append(mine)

    async with make() as store:
        await store.append(start, "running")
        async with anyio.create_task_group() as group:
            for rival in rivals:
                group.start_soon(write, store, rival)
        _same(case, "the number of winners", len(won), 1)
        _same(case, "the records", list(await store.read("run-1")), won[0])


async def many_runs(make: Factory) -> None:
    """Many runs are written at once, each in its order, and do not disturb each other."""
    case = "many_runs"
    wanted = {f"run-{number}": a_run(f"run-{number}", 5) for number in range(40)}

    async def write(store: Store, run: list[Record]) -> None:
        for seq in range(len(run)):
            await store.append(run[seq : seq + 1], "running")

    async with make() as store:
        async with anyio.create_task_group() as group:
            for run in wanted.values():
                group.start_soon(write, store, run)
        for name, run in wanted.items():
            _same(case, f"the records of {name}", list(await store.read(name)), run)


async def fenced_among_others(make: Factory) -> None:
    """An append that is fenced does not keep others, made at the same moment, from being written."""
    case = "fenced_among_others"
    good = {f"good-{number}": a_run(f"good-{number}", 1) for number in range(10)}

    written: set[str] = set()

    async def write(store: Store, records: list[Record]) -> None:
        try:
            await store.append(records, "running")
        except FencedError:
            return
        written.add(records[0].run)

    async with make() as store:
        async with anyio.create_task_group() as group:
            for number, run in enumerate(good.values()):
                group.start_soon(write, store, run)
                group.start_soon(write, store, a_run(f"bad-{number}", 2)[1:])
        _same(case, "the appends that succeeded", written, set(good))
        _same(case, "the runs", {summary.run for summary in await store.runs()}, set(good))


async def lists_runs(make: Factory) -> None:
    """The list of runs: the most recently updated first, ties by id, with status, worker, times and count."""
    case = "lists_runs"
    statuses: dict[str, RunStatus] = {
        "b": "running", "a": "waiting", "c": "done", "d": "failed", "e": "cancelled"
    }  # fmt: skip
    async with make() as store:
        for number, (run, status) in enumerate(statuses.items()):
            await store.append(a_run(run, 2, at=1e9 + 10 * (number // 2)), "running")
            await store.append(a_run(run, 3, at=1e9 + 10 * (number // 2))[2:], status)
        found = [(one.run, one.status, one.worker, one.started, one.updated, one.events) for one in await store.runs()]
    times = {"e": 20, "c": 10, "d": 10, "a": 0, "b": 0}
    wanted = [(run, statuses[run], f"worker of {run}", 1e9 + at, 1e9 + at + 2, 3) for run, at in times.items()]
    _same(case, "the runs", found, wanted)


async def strange_bodies(make: Factory) -> None:
    """Bodies of every size, text of every script and times of every fraction come back as they were."""
    case = "strange_bodies"
    texts = ["", 'é\u0000\u2028😀\n"\\', "漢" * 5_000, "x" * 8_000, "y" * 9_000, "y" * 9_000, "z" * 3_000_000]
    records = a_run("run-1", 1, at=0.1)
    for text in texts:
        body = Claimed(owner=text).model_dump_json().encode()
        at = records[-1].at + 0.1
        records.append(link("run-1", records[-1].digest, len(records) + 1, at, body))
    async with make() as store:
        await store.append(records[:3], "running")
        await store.append(records[3:], "running")
        found = list(await store.read("run-1"))
    _same(case, "the records", found, records)
    verify("run-1", found)


async def cancelled_caller(make: Factory) -> None:
    """A cancelled append is wholly there or not at all, and the run can be gone on with."""
    case = "cancelled_caller"
    run = a_run("run-1", 8)

    async def append(store: Store, scope: anyio.CancelScope, records: list[Record]) -> None:
        with scope:
            await store.append(records, "running")

    async with make() as store:
        before, during = anyio.CancelScope(), anyio.CancelScope()
        before.cancel()
        await append(store, before, run[:3])
        held = len(await store.read("run-1"))
        _same(case, "all or none of 3 records", held in {0, 3}, True)
        async with anyio.create_task_group() as group:
            group.start_soon(append, store, during, run[held : held + 3])
            await checkpoint()
            during.cancel()
        more = len(await store.read("run-1"))
        _same(case, "all or none of 3 more records", more - held in {0, 3}, True)
        await store.append(run[more:], "done")
        _same(case, "the records", list(await store.read("run-1")), run)


async def refuses_ids(make: Factory) -> None:
    """What is no id of a run is refused, wherever it enters, so that no store can be led elsewhere by it."""
    case = "refuses_ids"
    async with make() as store:
        for bad in ("", "../../etc/passwd", "/etc/passwd", "a\0b", "a\n", "é", "a b", "x" * 300):
            await _refused(case, f"run {bad!r}", store.append(a_run(bad, 1), "running"))
            await _refused(case, f"run {bad!r}", store.read(bad))
            await _refused(case, f"run {bad!r}", store.put(bad, "key", b""))
            await _refused(case, f"run {bad!r}", store.take(bad))
        mixed = [*a_run("run-1", 1), *a_run("run-2", 2)[1:]]
        await _refused(case, "records of two runs in one append", store.append(mixed, "running"))
        await _refused(case, "an append of nothing", store.append([], "running"))
        _same(case, "the runs", list(await store.runs()), [])


async def first_signal_wins(make: Factory) -> None:
    """The first signal under a key stays; later ones say so and change nothing; other runs have their own keys."""
    case = "first_signal_wins"
    async with make() as store:
        answers = [await store.put("run-1", "yes?", body) for body in (b"yes", b"no", b"yes")]
        _same(case, "the answers", answers, [True, False, False])
        _same(case, "another run's answer", await store.put("run-2", "yes?", b"no"), True)
        _same(case, "the signals", list(await store.take("run-1")), [("yes?", b"yes")])
        _same(case, "the signals", list(await store.take("run-2")), [("yes?", b"no")])


async def racing_signals(make: Factory) -> None:
    """Of many signals under one key at once, one wins, and it is the one that stays."""
    case = "racing_signals"
    won: list[bytes] = []

    async def put(store: Store, body: bytes) -> None:
        if await store.put("run-1", "key", body):
            won.append(body)

    async with make() as store:
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(put, store, b"%d" % number)
        _same(case, "the signals", list(await store.take("run-1")), [("key", body) for body in won])
        _same(case, "the number of winners", len(won), 1)


async def order_of_signals(make: Factory) -> None:
    """Signals come in the order of their arrival, whatever their keys, and stay when they are taken."""
    case = "order_of_signals"
    sent = [("z", b"1"), ("a", b"\x00\xff"), ("m: é/😀", b""), ("b", b"4" * 100_000)]
    async with make() as store:
        for key, body in sent:
            await store.put("run-1", key, body)
        for _ in range(2):
            _same(case, "the signals", list(await store.take("run-1")), sent)
        await _refused(case, "a key of nothing", store.put("run-1", "", b""))
        await _refused(case, "a signal of 20 MB", store.put("run-1", "big", bytes(20_000_000)))


async def reopening(make: Factory) -> None:
    """Records, statuses and signals are there when the store is opened again, and the run goes on from them."""
    case = "reopening"
    run = a_run("run-1", 4)
    async with make() as store:
        await store.append(run[:3], "waiting")
        await store.put("run-1", "key", b"first")
        listed = list(await store.runs())
    async with make() as store:
        _same(case, "the records", list(await store.read("run-1")), run[:3])
        _same(case, "the runs", list(await store.runs()), listed)
        _same(case, "a taken key", await store.put("run-1", "key", b"second"), False)
        _same(case, "the signals", list(await store.take("run-1")), [("key", b"first")])
        await _fenced(case, store, run[2:3])
        await store.append(run[3:], "done")
    async with make() as store:
        _same(case, "the records", list(await store.read("run-1")), run)


LASTING: Mapping[str, Case] = {case.__name__: case for case in (reopening,)}
"""Cases for stores that keep what they hold when they are closed."""

CASES: Mapping[str, Case] = {
    case.__name__: case
    for case in (
        append_and_read, unknown_run, gap_and_duplicate, two_writers, many_runs, fenced_among_others, lists_runs,
        strange_bodies, cancelled_caller, refuses_ids, first_signal_wins, racing_signals, order_of_signals, reopening,
    )
}  # fmt: skip
"""All cases by name."""
