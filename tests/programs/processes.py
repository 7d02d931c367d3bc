"""The test's end of `six_steps.py`: gives orders, reads what came of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio

from echelon.protocols.events import EffectFailed, EffectFinished, EffectStarted, Event
from echelon.supervisor.journal.sqlite import SqliteJournal
from echelon.supervisor.runs import history

from .six_steps import RUN

ROOT = Path(__file__).resolve().parent.parent.parent
Told = dict[str, Any]


@dataclass(frozen=True)
class Processes:
    """Forks a process for every order."""

    server: subprocess.Popen[str]

    def say(self, line: str) -> Told:
        """Give one order and wait for its answer."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(line + "\n")
        self.server.stdin.flush()
        return cast("Told", json.loads(self.server.stdout.readline()))


@contextmanager
def processes() -> Generator[Processes]:
    """Start the server; it ends with its input."""
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    program = str(Path(__file__).with_name("six_steps.py"))
    with subprocess.Popen(
        [sys.executable, "-P", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as server:
        yield Processes(server)
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(10) == 0


@dataclass(frozen=True)
class Desk:
    """One journal with its file of deeds, in a folder of its own."""

    processes: Processes
    folder: Path
    team: str = "six"

    def order(self, do: str, **more: Any) -> Told:
        """Have one process do something."""
        places = {"journal": str(self.folder / "journal"), "deeds": str(self.folder / "deeds")}
        return self.processes.say(json.dumps({"do": do, "team": self.team, **places, **more}))

    @property
    def deeds(self) -> list[tuple[str, str]]:
        """What was really done: names and keys, in order."""
        path = self.folder / "deeds"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(line.split()[0], line.split()[1]) for line in lines]

    def times(self) -> Counter[str]:
        """How often each deed was done."""
        return Counter(name for name, _ in self.deeds)

    def resumed(self) -> Told:
        """Take the run up, in a process each time, and answer what is in doubt by what is true, until it has ended."""
        told: Told = {}
        for _ in range(4):
            told = self.order("resume")
            if told.get("error") == "UnknownRunError":  # nothing was durable: whoever began it begins it again
                told = self.order("run")
            for question in told.get("questions", ()):
                key = question["subject"]["key"]
                is_done = any(key == known for _, known in self.deeds)
                value = "paid 4219" if is_done else None
                self.order("answer", question=question["id"], approved=is_done, value=value)
            if not told.get("questions"):
                return told
        raise AssertionError(told)

    def events(self) -> list[Event]:
        """The journal of the run, its chain verified; empty if there is none."""

        async def read() -> list[Event]:
            async with SqliteJournal(self.folder / "journal") as journal:
                if not await journal.read(RUN):
                    return []
                return [entry.event for entry in await history(journal, RUN)]

        return anyio.run(read)


def ended(events: Sequence[Event]) -> set[tuple[str, str, int]]:
    """Places of effects whose end is recorded."""
    return {(e.path, e.kind, e.n) for e in events if isinstance(e, EffectFinished | EffectFailed)}


def begun(events: Sequence[Event]) -> set[tuple[str, str, int]]:
    """Places of effects whose start is recorded."""
    return {(e.path, e.kind, e.n) for e in events if isinstance(e, EffectStarted)}
