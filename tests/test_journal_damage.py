"""The journal in an SQLite file after crashes, with damage, and at its limits."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from echelon.protocols.errors import DamagedError, FencedError, JournalError
from echelon.protocols.events import Claimed
from echelon.protocols.storage import Record
from echelon.supervisor.journal.chain import link, verify
from echelon.supervisor.journal.conformance import a_run
from echelon.supervisor.journal.sqlite import SqliteJournal


async def _written(path: Path, events: int) -> list[Record]:
    run = a_run("run", events)
    async with SqliteJournal(path) as journal:
        for record in run:
            await journal.append([record], "running")
    return run


def test_a_log_torn_at_any_length_leaves_a_valid_prefix(tmp_path: Path) -> None:
    """What a power cut may leave of SQLite's log, from nothing to all of it."""
    path = tmp_path / "journal"

    async def leave() -> None:
        async with SqliteJournal(path) as journal:
            for record in run:
                await journal.append([record], "running")
            shutil.copy(path, tmp_path / "torn")
            shutil.copy(tmp_path / "journal-wal", tmp_path / "log")

    async def reopen(size: int) -> int:
        place = tmp_path / str(size)
        shutil.copy(tmp_path / "torn", place)
        place.with_name(f"{size}-wal").write_bytes(log[:size])
        async with SqliteJournal(place) as journal:
            found = list(await journal.read("run"))
            assert found == run[: len(found)]
            verify("run", found)
            assert [one.events for one in await journal.runs()] == [len(found)] * bool(found)
            await journal.append(run[len(found) :] or a_run("other", 1), "done")
            assert await journal.read("run") == run
        return len(found)

    run = a_run("run", 6)
    anyio.run(leave)
    log = (tmp_path / "log").read_bytes()
    sizes = sorted({0, 1, 31, 32, 33, *range(0, len(log), 1031), len(log) - 1, len(log)})
    found = [anyio.run(reopen, size) for size in sizes]
    assert found == sorted(found)
    assert (found[0], found[-2], found[-1]) == (0, 5, 6)


def _reasons(path: Path) -> list[str]:
    """What appending, reading and listing say about a file that is no journal."""

    async def ask() -> list[str]:
        said: list[str] = []
        async with SqliteJournal(path) as journal:
            with pytest.raises(JournalError) as caught:
                await journal.append(a_run("run", 1), "running")
            said.append(str(caught.value))
            with pytest.raises(JournalError) as caught:
                await journal.read("run")
            said.append(str(caught.value))
            with pytest.raises(JournalError) as caught:
                await journal.runs()
            said.append(str(caught.value))
        return said

    return anyio.run(ask)


def test_a_file_of_random_bytes_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """Its owner may want it back."""
    path = tmp_path / "journal"
    content = random.Random(7).randbytes(10_000)
    path.write_bytes(content)
    for said in _reasons(path):
        assert str(path) in said
        assert "expected an SQLite database, found something else" in said
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """Not even its journal mode is changed."""
    path = tmp_path / "journal"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    content = path.read_bytes()
    assert all("found a database of another program" in said for said in _reasons(path))
    assert path.read_bytes() == content


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    """Better no journal than half of one."""
    path = tmp_path / "journal"
    anyio.run(_written, path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    assert all("expected a journal of version 1, found version 7" in said for said in _reasons(path))


def test_a_path_that_can_hold_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, and a file where a folder is meant."""
    (tmp_path / "file").write_text("")
    assert all(str(tmp_path) in said for said in _reasons(tmp_path))
    with pytest.raises(JournalError, match="cannot be used"):
        anyio.run(_written, tmp_path / "file" / "journal", 1)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    """An archive is read; writing to it is refused in words."""
    run = anyio.run(_written, tmp_path / "journal", 3)
    tmp_path.chmod(0o500)
    try:
        assert anyio.run(SqliteJournal(tmp_path / "journal").read, "run") == run
        (tmp_path / "journal.lock").chmod(0o400)
        with pytest.raises(JournalError, match="Permission denied"):
            anyio.run(_written, tmp_path / "journal", 1)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.anyio
async def test_a_full_file_refuses_with_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    """Everyone who waited is told; what was acknowledged stays; what still fits is written."""
    run: list[Record] = []
    refused: list[str] = []

    async def append(journal: SqliteJournal, record: Record) -> None:
        try:
            await journal.append([record], "running")
        except JournalError as error:
            refused.append(str(error))

    async with SqliteJournal(tmp_path / "journal", max_bytes=200_000) as journal:
        while not refused:
            body = Claimed(owner="x" * 6_000).model_dump_json().encode()
            run.append(link("run", run[-1].digest if run else "run", len(run) + 1, 1.0, body))
            await append(journal, run[-1])
        async with anyio.create_task_group() as group:
            for number in range(3):
                big = link(f"big-{number}", f"big-{number}", 1, 1.0, bytes(300_000))
                group.start_soon(append, journal, big)
        assert len(refused) == 4
        assert all("cannot grow" in said and "SQLITE_FULL" in said for said in refused)
        assert await journal.read("run") == run[:-1]
        assert len(run) > 10
        small = Claimed(owner="").model_dump_json().encode()
        await journal.append([link("run", run[-2].digest, len(run), 1.0, small)], "failed")
        assert [(one.run, one.status, one.events) for one in await journal.runs()] == [("run", "failed", len(run))]


@pytest.mark.anyio
@pytest.mark.parametrize("said", ["was replaced while it was open", "was removed while it was open"])
async def test_a_file_replaced_or_removed_while_open_is_noticed(tmp_path: Path, said: str) -> None:
    """SQLite would go on writing to a file that nobody can find."""
    run = a_run("run", 3)
    path = tmp_path / "journal"
    async with SqliteJournal(path) as journal:
        await journal.append(run[:1], "running")
        path.rename(tmp_path / "away")
        if "replaced" in said:
            path.write_bytes(b"")
        for _ in range(2):
            with pytest.raises(JournalError, match=said):
                await journal.append(run[1:2], "running")
            with pytest.raises(JournalError, match=said):
                await journal.read("run")
        (tmp_path / "away").rename(path)
        await journal.append(run[1:2], "running")
        assert await journal.read("run") == run[:2]


@pytest.mark.anyio
async def test_lines_written_behind_our_back_fence_us_and_nobody_else(tmp_path: Path) -> None:
    """The lock can be deleted; the numbering cannot."""
    run, other = a_run("run", 6), a_run("other", 2)
    async with SqliteJournal(tmp_path / "journal") as journal:
        await journal.append(run[:2], "running")
        await journal.append(other[:1], "running")
        (tmp_path / "journal.lock").unlink()
        async with SqliteJournal(tmp_path / "journal") as rival:
            await rival.append(run[2:3], "running")
        outcomes: list[str] = []

        async def append(records: list[Record]) -> None:
            try:
                await journal.append(records, "done")
                outcomes.append(f"{records[0].run} ok")
            except FencedError as error:
                outcomes.append(str(error))

        async with anyio.create_task_group() as group:
            group.start_soon(append, other[1:])
            group.start_soon(append, run[2:3])
        assert sorted(outcomes) == [
            "other ok",
            "run 'run' is driven by another process: expected 2 events, found 3",
        ]
        await journal.append(run[3:4], "running")
        async with SqliteJournal(tmp_path / "journal") as rival:
            await rival.append(run[4:5], "running")
        await journal.append(run[5:], "done")
        assert await journal.read("run") == run
        assert await journal.read("other") == other


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM event WHERE seq = 3", "expected 3 events"),
        ("DELETE FROM event WHERE seq = 2", "expected 3 events"),
        ("DELETE FROM blob", "event 3: its body is missing"),
    ],
)
def test_lines_that_are_gone_from_the_file_are_missed(tmp_path: Path, damage: str, said: str) -> None:
    """The file counts its lines, so that even a missing end is found."""

    async def write() -> None:
        run = a_run("run", 2)
        run.append(link("run", run[-1].digest, 3, 2e9, bytes(10_000)))
        async with SqliteJournal(tmp_path / "journal") as journal:
            await journal.append(run, "done")

    anyio.run(write)
    with closing(sqlite3.connect(tmp_path / "journal")) as connection, connection:
        connection.execute(damage)
    with pytest.raises(DamagedError, match=said):
        anyio.run(SqliteJournal(tmp_path / "journal").read, "run")


@pytest.mark.anyio
async def test_broken_pages_are_said_to_be_damage(tmp_path: Path) -> None:
    """Never a raw error of SQLite's, never half a run."""
    path = tmp_path / "journal"
    await _written(path, 200)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(JournalError, match="is damaged"):
        await SqliteJournal(path).read("run")


@pytest.mark.anyio
async def test_an_inbox_that_is_none_is_refused(tmp_path: Path) -> None:
    """In words, and left as it is."""
    inbox = tmp_path / "journal.inbox"
    inbox.write_bytes(b"no database" * 1_000)
    async with SqliteJournal(tmp_path / "journal") as journal:
        with pytest.raises(JournalError, match=r"inbox .* expected an SQLite database"):
            await journal.put("run", "key", b"")
        with pytest.raises(JournalError, match=r"inbox .* expected an SQLite database"):
            await journal.take("run")
    assert inbox.read_bytes() == b"no database" * 1_000
