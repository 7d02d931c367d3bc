"""Do a job: part by part, in virtual time or live, in this process or in many, and take up what was interrupted.

A part is the same whatever does it, and results are put in order before anything is computed from them: one process
and many give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from ...protocols.errors import EchelonError
from ..scenarios.suite import Suite
from ..scorecard import Measured
from ..scoring.judge import Judge
from ..virtual import VirtualLoop
from .attempt import Tried, attempt, judged
from .job import Bench, Job
from .judgements import record
from .kept import Kept

PART = 16
"""Scenarios of one part: small enough that progress is seen, large enough that handing it over costs nothing."""

Load = Callable[[Job], Bench]
"""Loads the team and the scorers of a job; a function of a module, so that another process finds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is."""

    done: int
    total: int
    """Both in runs: scenarios times repeats."""
    right: int
    wrong: int
    taken_up: int
    """Of `done`, what an interrupted job had left."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a job is done with."""

    processes: int = 1
    parallel: int = 8
    """Live runs of one process that are under way at once."""
    keep: Path | None = None
    """Folder for results so far; None: an interrupted job begins anew."""
    told: Callable[[Progress], None] = lambda _: None


async def work(job: Job, ids: Sequence[str], load: Load, means: Means) -> list[Measured]:
    """Measure every repeat of these scenarios, in order of scenario and repeat.

    Raises:
        UsageError: the team or a scorer cannot be loaded.
        ScenarioError: a file of the suite is damaged; what was measured before is kept.
    """
    kept = Kept(means.keep, job.key(load(job).worker)) if means.keep is not None else None
    wanted = {(name, repeat) for name in ids for repeat in range(job.repeats)}
    found = {key: one for one in (kept.read() if kept else ()) if (key := (one.scenario, one.repeat)) in wanted}
    taken_up = len(found)
    left = [name for name in ids if any((name, repeat) not in found for repeat in range(job.repeats))]
    parts = list(_parts(left, means.processes))
    limiter = anyio.CapacityLimiter(max(1, means.processes))

    def tell() -> None:
        right = sum(one.success == "yes" for one in found.values())
        wrong = sum(one.success == "no" for one in found.values())
        means.told(Progress(done=len(found), total=len(wanted), right=right, wrong=wrong, taken_up=taken_up))

    async def one(part: Sequence[str]) -> None:
        do = partial(do_part, load, job, part, means.parallel)
        measured = await to_thread.run_sync(elsewhere, do, abandon_on_cancel=True, limiter=limiter)
        fresh = [each for each in measured if (each.scenario, each.repeat) not in found]
        if kept is not None:
            await to_thread.run_sync(kept.add, fresh)
        found.update({(each.scenario, each.repeat): each for each in fresh})
        tell()

    tell()
    with _hands(means.processes) as elsewhere:
        await _all(one, parts)
    if kept is not None:
        kept.drop()
    return [found[key] for key in sorted(found)]


Do = Callable[[], list[Measured]]


@contextmanager
def _hands(processes: int) -> Generator[Callable[[Do], list[Measured]]]:
    """What does a part: this very thread, or one of so many processes; whoever leaves early waits for none of them."""
    if processes < 2:
        yield lambda do: do()
        return
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield lambda do: pool.submit(do).result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _all(one: Callable[[Sequence[str]], Coroutine[Any, Any, None]], parts: Sequence[Sequence[str]]) -> None:
    """Do all parts; of several errors the first is raised as it is."""
    try:
        async with anyio.create_task_group() as group:
            for part in parts:
                group.start_soon(one, part)
    except* EchelonError as errors:
        raised: BaseException = errors
        while isinstance(raised, BaseExceptionGroup):
            raised = raised.exceptions[0]
        raise raised from None


def _parts(names: Sequence[str], processes: int) -> Iterator[Sequence[str]]:
    size = max(1, min(PART, -(-len(names) // max(1, processes))))
    return (names[start : start + size] for start in range(0, len(names), size))


def do_part(load: Load, job: Job, ids: Sequence[str], parallel: int) -> list[Measured]:
    """Measure these scenarios; replays in virtual time, so that what was recorded to take a minute takes none."""
    bench, suite = load(job), Suite.open(Path(job.suite))
    try:
        return (
            anyio.run(_live, suite, job, bench, ids, parallel)
            if job.mode == "live"
            else _offline(suite, job, bench, ids)
        )
    finally:
        for scorer in bench.scorers:
            if isinstance(scorer, Judge):
                record(job.suite, scorer.fresh)


def _offline(suite: Suite, job: Job, bench: Bench, ids: Sequence[str]) -> list[Measured]:
    loop = VirtualLoop()
    try:
        tried = loop.run(_replays(suite, job, bench, ids))
    finally:
        loop.close()
    return anyio.run(_judged, tried, bench)


async def _replays(suite: Suite, job: Job, bench: Bench, ids: Sequence[str]) -> list[Tried]:
    scenarios = (suite.scenario(name) for name in ids)
    return [await attempt(one, job, bench, repeat) for one in scenarios for repeat in range(job.repeats)]


async def _judged(tried: Sequence[Tried], bench: Bench) -> list[Measured]:
    return [await judged(one, bench.scorers) for one in tried]


async def _live(suite: Suite, job: Job, bench: Bench, ids: Sequence[str], parallel: int) -> list[Measured]:
    found: list[Measured] = []
    limiter = anyio.CapacityLimiter(parallel)

    async def one(name: str, repeat: int) -> None:
        async with limiter:
            found.append(await judged(await attempt(suite.scenario(name), job, bench, repeat), bench.scorers))

    async with anyio.create_task_group() as group:
        for name in ids:
            for repeat in range(job.repeats):
                group.start_soon(one, name, repeat)
    return found
