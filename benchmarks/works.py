"""The works, and how each is measured: every measurement is one contender at one work in a process of its own."""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pydantic_core import from_json

from .script import Json

Figures = dict[str, float]
Task = Callable[[], Awaitable[object]]

SECONDS_A_CALL = 0.05
CROWD = 200
HISTORY = (2, 40, 200)
"""Messages before the call of W9."""


class Contender(Protocol):
    """Whoever does the works."""

    async def single(self) -> Json:
        """W1."""
        ...

    async def team(self) -> Json:
        """W2."""
        ...

    async def fan(self) -> Json:
        """W3."""
        ...

    async def six(self) -> Json:
        """A run of six model calls."""
        ...

    def call(self, history: int) -> Task:
        """One call of W9."""
        ...


def contender(name: str, url: str | None) -> AbstractAsyncContextManager[Contender]:
    """Open a contender; only what it needs itself is loaded.

    Args:
        name: `echelon` (journal in a file), `memory` (Echelon, journal in memory), `sdk`, `httpx2`, or `loop` (over a
            function in this process).
        url: where the models are; None: in this process.
    """
    if name in ("echelon", "memory"):
        from . import framework

        return framework.opened(url, file=name == "echelon")
    from . import floors

    if url is None:
        return floors.over_function()
    return {"sdk": floors.over_sdk, "httpx2": floors.over_httpx2}[name](url)


async def cpu(task: Task, runs: int) -> float:
    """CPU of this process per task, all threads, in milliseconds; a fifth of the runs goes before, to warm up."""
    for _ in range(max(3, runs // 5)):
        await task()
    before = time.process_time()
    for _ in range(runs):
        await task()
    return (time.process_time() - before) / runs * 1_000


async def makespan(task: Task, runs: int) -> float:
    """Median seconds per task."""
    await task()
    seconds: list[float] = []
    for _ in range(runs):
        before = time.perf_counter()
        await task()
        seconds.append(time.perf_counter() - before)
    return statistics.median(seconds)


async def crowd(task: Task, size: int) -> Figures:
    """Many tasks at once, after a tenth of them to warm up: tasks per second, and the peak of the process."""
    alone = await _peak_after(task)
    await asyncio.gather(*(task() for _ in range(size // 10)))
    before = time.perf_counter()
    await asyncio.gather(*(task() for _ in range(size)))
    rate = size / (time.perf_counter() - before)
    peak = _peak()
    return {"runs_per_s": rate, "peak_mb": peak, "kb_per_run": (peak - alone) / size * 1_024}


async def _peak_after(task: Task) -> float:
    await task()
    return _peak()


def _peak() -> float:
    """Most memory that this process has had at once, in MB."""
    unit = 1_024 * 1_024 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _some(usual: int, scale: float) -> int:
    return max(1, round(usual * scale))


async def _w1(it: Contender, scale: float) -> Figures:
    return {"cpu_ms": await cpu(it.single, _some(60, scale))}


async def _w2(it: Contender, scale: float) -> Figures:
    return {"cpu_ms": await cpu(it.team, _some(30, scale))}


async def _w3(it: Contender, scale: float) -> Figures:
    return {"over_ideal": await makespan(it.fan, _some(5, scale)) / (3 * SECONDS_A_CALL)}


async def _w4(it: Contender, scale: float) -> Figures:
    return await crowd(it.team, _some(CROWD, scale))


async def _w6(it: Contender, _: float) -> Figures:
    await it.team()
    return {}


async def _w8(it: Contender, scale: float) -> Figures:
    runs = _some(150, scale)
    return {"cpu_ms": await cpu(it.team, runs), "six_ms": await cpu(it.six, runs)}


async def _w10(it: Contender, scale: float) -> Figures:
    return {"cpu_ms": await cpu(it.six, _some(30, scale))}


async def _w9(it: Contender, scale: float) -> Figures:
    figures = {str(n): await cpu(it.call(n), _some(15, scale)) for n in HISTORY}
    least, most = HISTORY[0], HISTORY[-1]
    return {**figures, "slope_ms": (figures[str(most)] - figures[str(least)]) / (most - least)}


WORKS: dict[str, Callable[[Contender, float], Awaitable[Figures]]] = {
    "w1": _w1,
    "w2": _w2,
    "w3": _w3,
    "w4": _w4,
    "w6": _w6,
    "w8": _w8,
    "w9": _w9,
    "w10": _w10,
}  # fmt: skip
SLOW = frozenset({"w3", "w4"})
"""Works whose calls take `SECONDS_A_CALL`."""

IMPORTS = {
    "echelon": "import echelon",
    "names": "from echelon import Agent, ModelPlanner, OpenAIModel, SqliteJournal, Supervisor, run",
    "model": "from echelon import OpenAIModel; import echelon.agents.models.exchange, echelon.agents.models.clients",
    "sdk": "import openai",
    "httpx2": "import httpx2",
}


def cold_import(name: str) -> Figures:
    """W5: seconds of a first import in a fresh interpreter.

    `names` loads what a team is made of, `model` what a model loads at its first call.
    """
    code = f"import time; t = time.perf_counter(); {IMPORTS[name]}; print(time.perf_counter() - t)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {"import_s": float(said.stdout)}


def measured(name: str, work: str, origin: str, scale: float) -> Figures:
    """The figures of one contender at one work, against the server at `origin`."""
    if work == "w5":
        return cold_import(name)
    if name == "replay":
        from . import replays

        return replays.one(scale) if work == "w10" else replays.many(scale)
    milliseconds = round(SECONDS_A_CALL * 1_000) if work in SLOW else 0
    url = None if work == "w8" else f"{origin}/{milliseconds}/v1"

    async def measure() -> Figures:
        async with contender(name, url) as it:
            return await WORKS[work](it, scale)

    if work != "w6":
        return asyncio.run(measure())
    counts(origin)
    asyncio.run(measure())
    return counts(origin)


def counts(origin: str) -> Figures:
    """Calls and prompt tokens that the server at `origin` has had since it was last asked."""
    with urllib.request.urlopen(f"{origin}/counts") as response:  # nosec - our own loopback server
        found: Figures = from_json(response.read())
    return found
