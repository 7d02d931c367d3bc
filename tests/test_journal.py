"""The chain, the stores' contract, and the journal in memory."""

from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.errors import DamagedError, FencedError, JournalError
from echelon.protocols.events import Claimed, RunStarted
from echelon.protocols.storage import Record, Store
from echelon.supervisor.journal.chain import link, read_events, verified, verify
from echelon.supervisor.journal.conformance import CASES, LASTING, ConformanceError, Factory, a_run
from echelon.supervisor.journal.limits import MAX_BODY
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.journal.sqlite import SqliteJournal

moments = st.floats(min_value=0, max_value=4e9)


@st.composite
def chained(draw: st.DrawFn) -> list[Record]:
    """A run of two to six lines with any times and texts."""
    records: list[Record] = []
    for seq, (at, owner) in enumerate(draw(st.lists(st.tuples(moments, st.text()), min_size=2, max_size=6)), 1):
        previous = records[-1].digest if records else "run"
        records.append(link("run", previous, seq, at, Claimed(owner=owner).model_dump_json().encode()))
    return records


@pytest.fixture(params=["memory", "sqlite"])
def factory(request: pytest.FixtureRequest, tmp_path: Path) -> Factory:
    """Makes stores of one place."""
    memory = MemoryJournal()

    def make() -> AbstractAsyncContextManager[Store]:
        return nullcontext(memory) if request.param == "memory" else SqliteJournal(tmp_path / "journal")

    return make


@pytest.mark.anyio
@pytest.mark.parametrize("case", CASES)
async def test_every_journal_keeps_the_contract_of_a_store(case: str, factory: Factory) -> None:
    """The published suite holds for the stores that ship."""
    await CASES[case](factory)


class Forgetful(MemoryJournal):
    """A store that acknowledges and keeps nothing; used wrongly on purpose."""

    async def append(self, records: object, status: object) -> None:
        """Pretend."""

    async def put(self, run: str, key: str, body: bytes) -> bool:
        """Pretend."""
        return True


@pytest.mark.anyio
@pytest.mark.parametrize("case", [name for name in CASES if name != "unknown_run"])
async def test_a_store_that_keeps_nothing_fails_every_case_by_its_name(case: str) -> None:
    """A suite that cannot fail proves nothing."""
    with pytest.raises(ConformanceError, match=case):
        await CASES[case](lambda: nullcontext(Forgetful()))


@pytest.mark.anyio
async def test_a_store_that_forgets_when_closed_fails_the_lasting_cases() -> None:
    """Each call of the factory must give the same place."""
    for case in LASTING.values():
        with pytest.raises(ConformanceError, match="records"):
            await case(lambda: nullcontext(MemoryJournal()))


@given(chained())
def test_an_untouched_run_verifies_and_gives_its_events(records: list[Record]) -> None:
    """Nothing is found where nothing was done."""
    verify("run", records)
    assert [event.type for event in read_events(records)] == ["claimed"] * len(records)


@given(chained(), st.data())
def test_any_changed_bit_of_any_field_is_detected(records: list[Record], data: st.DataObject) -> None:
    """Body, time, number, digest and run of every line are covered."""
    at = data.draw(st.integers(0, len(records) - 1))
    line = records[at]
    bit = data.draw(st.integers(0, 8 * len(line.body) - 1))
    body = bytearray(line.body)
    body[bit // 8] ^= 1 << bit % 8
    digest = line.digest.replace(line.digest[0], "0" if line.digest[0] != "0" else "1")
    changed = data.draw(
        st.sampled_from(
            [
                replace(line, body=bytes(body)),
                replace(line, body=line.body + b" "),
                replace(line, at=math.nextafter(line.at, math.inf)),
                replace(line, seq=line.seq + 1),
                replace(line, digest=digest),
                replace(line, run="other"),
            ]
        )
    )
    with pytest.raises(DamagedError) as caught:
        verify("run", [*records[:at], changed, *records[at + 1 :]])
    assert (caught.value.run, caught.value.seq) == ("run", at + 1)


@given(chained(), st.data())
def test_any_line_swapped_removed_or_repeated_is_detected(records: list[Record], data: st.DataObject) -> None:
    """Only lines missing at the end leave no trace in the chain."""
    one = data.draw(st.integers(0, len(records) - 2))
    other = data.draw(st.integers(one + 1, len(records) - 1))
    swapped = list(records)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    for damaged in (swapped, records[:one] + records[one + 1 :], [*records, records[other]], [records[one], *records]):
        with pytest.raises(DamagedError, match="out of order"):
            verify("run", damaged)


@given(chained())
def test_a_line_renumbered_to_fill_a_gap_is_detected(records: list[Record]) -> None:
    """A line cannot be cut out and the rest moved up."""
    rest = [replace(record, seq=seq) for seq, record in enumerate(records[1:], 1)]
    with pytest.raises(DamagedError, match="digest"):
        verify("run", rest)


@given(chained())
def test_a_run_moved_to_another_id_is_detected(records: list[Record]) -> None:
    """The first line's chain begins with the run's id."""
    with pytest.raises(DamagedError, match="digest"):
        verify("other", [replace(record, run="other") for record in records])
    with pytest.raises(DamagedError, match="found one of run 'run'"):
        verify("other", records)


def test_the_events_of_a_run_can_be_read_and_checked_in_one_pass() -> None:
    """`verified` gives what `read_events` gives."""
    records = a_run("run", 3)
    events = verified("run", records)
    assert events == read_events(records)
    assert isinstance(events[0], RunStarted)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "the body is no event"),
        (b"\xff\xfe", "the body is no event"),
        (b"[" * 100_000, "the body is no event"),
        (b'{"type":"claimed","owner":' + b'{"a":' * 100_000, "the body is no event"),
        (b'{"type":"claimed","owner":"\\ud800"}', "the body is no event"),
        (b'{"type":"imagined"}', "the body is no event"),
        (b'{"type":"claimed","owner":"me","more":1}', "claimed.more"),
        (b'{"type":"run_started","schema_version":2}', "expected schema version 1, found 2"),
        (b'{"type":"imagined","schema_version":"x"}', "expected schema version 1, found another"),
        (b" " * (MAX_BODY + 1), "expected a body of at most 16777216 bytes"),
    ],
    ids=range(10),
)
def test_a_body_that_is_no_event_is_refused_with_run_seq_and_reason(body: bytes, what: str) -> None:
    """A body that fits the chain may still be unreadable; what stands in it is not repeated."""
    record = link("run", "run", 1, 1.0, body)
    with pytest.raises(DamagedError, match=f"run 'run', event 1: .*{what}"):
        verify("run", [record])


@pytest.mark.anyio
async def test_a_copy_of_a_memory_journal_goes_its_own_way() -> None:
    """A crash simulation takes a copy and goes on from it."""
    run = a_run("run", 3)
    journal = MemoryJournal()
    await journal.append(run[:1], "running")
    await journal.put("run", "key", b"early")
    copy = journal.copy()
    await journal.append(run[1:], "done")
    await journal.put("run", "other", b"late")
    assert await copy.read("run") == run[:1]
    assert await copy.take("run") == [("key", b"early")]
    assert [one.status for one in await copy.runs()] == ["running"]
    await copy.append(run[1:2], "waiting")
    assert await journal.read("run") == run
    with pytest.raises(FencedError, match="expected 1 events, found 3"):
        await journal.append(run[1:2], "running")


@pytest.mark.anyio
async def test_a_first_line_that_names_no_worker_is_listed_without_one(factory: Factory) -> None:
    """A store keeps any body; who reads it judges it."""
    bodies = (b"\xff", b"[]", b"1", b'{"worker": 1}', b"[" * 100_000)
    async with factory() as store:
        for number, body in enumerate(bodies):
            await store.append([link(f"run-{number}", f"run-{number}", 1, 1.0, body)], "running")
        assert [one.worker for one in await store.runs()] == [""] * len(bodies)
        assert [(await store.read(f"run-{number}"))[0].body for number in range(len(bodies))] == list(bodies)


@pytest.mark.anyio
async def test_an_append_that_cannot_be_one_is_refused_before_it_is_written(factory: Factory) -> None:
    """Too long, not consecutive, or at no time."""
    run = a_run("run", 3)
    async with factory() as store:
        for records, what in (
            ([run[0], run[2]], "expected event 2"),
            ([replace(run[0], body=bytes(MAX_BODY + 1))], "at most 16777216 bytes"),
            ([replace(run[0], at=math.nan)], "finite time"),
            ([replace(run[0], at=math.inf)], "finite time"),
        ):
            with pytest.raises(JournalError, match=what):
                await store.append(records, "running")
        assert await store.runs() == []
