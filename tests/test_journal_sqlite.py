"""The journal in an SQLite file: many callers, several loops, several processes."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import anyio
import pytest
from anyio.lowlevel import checkpoint

import echelon
from echelon.protocols.errors import BusyError, FencedError, JournalError
from echelon.supervisor.journal.chain import link, verify
from echelon.supervisor.journal.conformance import a_run
from echelon.supervisor.journal.sqlite import SqliteJournal
from echelon.supervisor.journal.ticket import Ticket, ring_all

ROOT = Path(str(echelon.__file__)).parent.parent

WRITE = """
import sys, anyio
from echelon.supervisor.journal.conformance import a_run
from echelon.supervisor.journal.sqlite import SqliteJournal

async def main(path, events):
    async with SqliteJournal(path) as journal:
        for record in a_run("run", int(events)):
            await journal.append([record], "running")
            print(record.seq, flush=True)
        sys.stdin.read()

anyio.run(main, *sys.argv[1:])
"""

FORK = """
import os, sys, anyio
from echelon.protocols.errors import JournalError
from echelon.supervisor.journal.conformance import a_run
from echelon.supervisor.journal.sqlite import SqliteJournal

journal = SqliteJournal(sys.argv[1])
run = a_run("run", 2)
anyio.run(journal.append, run[:1], "running")
child = os.fork()
if child == 0:
    try:
        anyio.run(journal.append, run[1:], "running")
    except JournalError as error:
        print(error, flush=True)
    anyio.run(journal.aclose)
    os._exit(0)
os.waitpid(child, 0)
anyio.run(journal.append, run[1:], "done")
anyio.run(journal.aclose)
"""


def _python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def test_whatever_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    """The promise: nothing is acknowledged before it is durable; the dead process holds no lock."""
    with _python(WRITE, str(tmp_path / "journal"), "100000") as process:
        seen = [int(_pipe(process.stdout).readline()) for _ in range(150)]
        process.kill()
        seen += [int(line) for line in _pipe(process.stdout).readlines() if line.endswith("\n")]

    async def check() -> None:
        async with SqliteJournal(tmp_path / "journal") as journal:
            records = await journal.read("run")
            verify("run", records)
            assert len(records) >= seen[-1] >= 150
            rest = a_run("run", len(records) + 1)
            assert list(records) == rest[:-1]
            await journal.append(rest[-1:], "done")
            assert [one.events for one in await journal.runs()] == [len(rest)]

    anyio.run(check)


def test_a_second_process_is_told_who_writes_and_may_still_read_and_signal(tmp_path: Path) -> None:
    """One process writes; when it ends, the next may."""
    path = tmp_path / "journal"

    async def check() -> None:
        async with SqliteJournal(path) as journal:
            for line in (run[1:], a_run("other", 1)):
                with pytest.raises(BusyError, match=f"in use by pid {process.pid}") as caught:
                    await journal.append(line, "running")
                assert (caught.value.place, caught.value.pid) == (str(path), process.pid)
            assert await journal.read("run") == run[:1]
            assert [one.run for one in await journal.runs()] == ["run"]
            assert await journal.put("run", "key", b"answer")
            assert await journal.take("run") == [("key", b"answer")]
            process.communicate("")
            await journal.append(run[1:], "done")
            assert await journal.read("run") == run

    run = a_run("run", 2)
    with _python(WRITE, str(path), "1") as process:
        assert _pipe(process.stdout).readline() == "1\n"
        anyio.run(check)


@pytest.mark.anyio
async def test_a_second_journal_object_in_the_same_process_is_busy_too(tmp_path: Path) -> None:
    """Two writing connections to one file are never right; the lock goes with the close, or with the object."""
    run = a_run("run", 3)
    first = SqliteJournal(tmp_path / "journal")
    await first.append(run[:1], "running")
    async with SqliteJournal(tmp_path / "journal") as second:
        with pytest.raises(BusyError, match=f"pid {os.getpid()}"):
            await second.append(run[1:2], "running")
        await first.aclose()
        await second.append(run[1:2], "running")
    forgotten = SqliteJournal(tmp_path / "journal")
    await forgotten.append(run[2:], "done")
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "journal journal"]
    del forgotten
    gc.collect()
    thread.join()
    async with SqliteJournal(tmp_path / "journal") as third:
        await third.append(a_run("other", 1), "running")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_cannot_write_through_its_parents_journal(tmp_path: Path) -> None:
    """It would wait for a thread that it does not have."""
    with _python(FORK, str(tmp_path / "journal")) as process:
        said, _ = process.communicate()
    assert "was opened before this process was forked" in said
    assert len(anyio.run(SqliteJournal(tmp_path / "journal").read, "run")) == 2


@pytest.mark.anyio
async def test_reading_what_is_not_there_creates_nothing(tmp_path: Path) -> None:
    """A list of runs leaves no trace, and neither does a journal that is never used."""
    async with SqliteJournal(tmp_path / "folder" / "journal") as journal:
        assert await journal.read("run") == []
        assert await journal.runs() == []
        assert await journal.take("run") == []
    assert _modes(tmp_path) == {}
    (tmp_path / "empty").write_bytes(b"")
    assert await SqliteJournal(tmp_path / "empty").runs() == []


@pytest.mark.anyio
@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
async def test_all_files_of_a_journal_are_for_their_owner_only(tmp_path: Path) -> None:
    """A journal holds what customers wrote."""
    async with SqliteJournal(tmp_path / "folder" / "journal") as journal:
        await journal.append(a_run("run", 1), "running")
        await journal.put("run", "key", b"")
        files = _modes(tmp_path / "folder")
    assert set(files) == {"journal" + end for end in ("", "-wal", "-shm", ".lock", ".inbox")}
    assert set(files.values()) == {0o600}


@pytest.mark.anyio
async def test_large_bodies_are_kept_once_by_their_digest(tmp_path: Path) -> None:
    """The same document in ten runs takes the room of one."""
    async with SqliteJournal(tmp_path / "journal") as journal:
        for number in range(10):
            await journal.append([link(f"r{number}", f"r{number}", 1, 1.0, bytes(500_000))], "done")
    assert (tmp_path / "journal").stat().st_size < 700_000


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancellation_of_asyncios_own_is_delivered_when_the_write_is_through(tmp_path: Path) -> None:
    """Also when it is said twice, and when what comes back is an error."""
    run = a_run("run", 3)
    async with SqliteJournal(tmp_path / "journal") as journal:
        for records, cause in ((run[:1], None), (run[1:], None), (run[1:], FencedError)):
            task = asyncio.create_task(journal.append(records, "running"))
            await checkpoint()
            task.cancel()
            await checkpoint()
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert cause is None or isinstance(caught.value.__cause__, cause)
            assert await journal.read("run") == run[: records[-1].seq]


@pytest.mark.anyio
async def test_a_cancelled_append_is_written_and_then_the_cancellation_is_delivered(tmp_path: Path) -> None:
    """The same on asyncio and on trio."""
    run = a_run("run", 1)
    async with SqliteJournal(tmp_path / "journal") as journal:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await journal.append(run, "running")
            pytest.fail("the cancellation was not delivered")
        assert scope.cancelled_caught
        assert await journal.read("run") == run


@pytest.mark.anyio
async def test_closing_writes_what_waits_and_refuses_what_comes_later(tmp_path: Path) -> None:
    """Nothing that was taken is dropped; reading goes on."""
    journal = SqliteJournal(tmp_path / "journal")
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(journal.append, a_run(f"run-{number}", 2), "done")
        await checkpoint()
        await checkpoint()
        await journal.aclose()
    assert len(await journal.runs()) == 50
    with pytest.raises(JournalError, match="is closed"):
        await journal.append(a_run("late", 1), "running")
    await journal.aclose()


def test_loops_in_several_threads_may_share_a_journal(tmp_path: Path) -> None:
    """Each caller is woken in its own loop, asyncio's or trio's."""
    journal = SqliteJournal(tmp_path / "journal")

    async def write(name: str) -> None:
        for record in a_run(name, 20):
            await journal.append([record], "running")

    loops = [(f"{backend}-{number}", backend) for backend in ("asyncio", "trio") for number in range(2)]
    threads = [
        threading.Thread(target=anyio.run, args=(write, name), kwargs={"backend": backend}) for name, backend in loops
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.run: one.events for one in anyio.run(journal.runs)} == {name: 20 for name, _ in loops}
    anyio.run(journal.aclose)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_that_has_ended_is_not_missed_by_the_writer(backend: str) -> None:
    """Nobody is left to be told, and the thread goes on for the others."""

    async def leave() -> Ticket:
        return Ticket(a_run("run", 1), "running")

    ring_all([anyio.run(leave, backend=backend)])
