"""Where Echelon's time goes at one work: the top of a cProfile."""

from __future__ import annotations

import asyncio
import cProfile
import pstats

from .server import served
from .works import CROWD, SECONDS_A_CALL, SLOW, Contender, contender

RUNS = 100
LINES = 30


def show(work: str) -> None:
    """Print the functions that took most time themselves, callees not counted."""
    with served() as origin:
        milliseconds = round(SECONDS_A_CALL * 1_000) if work in SLOW else 0
        url = None if work == "w8" else f"{origin}/{milliseconds}/v1"
        profile = asyncio.run(_profiled(work, url))
    pstats.Stats(profile).sort_stats("tottime").print_stats(LINES)


async def _profiled(work: str, url: str | None) -> cProfile.Profile:
    name = "echelon" if work in ("w2", "w4", "w7") else "memory"
    profile = cProfile.Profile()
    async with contender(name, url) as it:
        await _do(it, work)
        with profile:
            await _do(it, work)
    return profile


async def _do(it: Contender, work: str) -> None:
    if work == "w4":
        await asyncio.gather(*(it.team() for _ in range(CROWD)))
        return
    tasks = {"w1": it.single, "w2": it.team, "w3": it.fan, "w7": it.team, "w8": it.six, "w9": it.call(200)}
    for _ in range(RUNS if work not in SLOW else RUNS // 10):
        await tasks[work]()
