"""Where Echelon's time goes at one work: the top of a cProfile, or of its imports."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import subprocess
import sys

from .server import served
from .works import CROWD, SECONDS_A_CALL, SLOW, Contender, contender

RUNS = 100
LINES = 30
WORKS = ("w1", "w2", "w3", "w4", "w5", "w7", "w8", "w9")


def show(work: str) -> None:
    """Print what took most time itself, callees not counted."""
    if work == "w5":
        _imports()
        return
    with served() as origin:
        milliseconds = round(SECONDS_A_CALL * 1_000) if work in SLOW else 0
        url = None if work == "w8" else f"{origin}/{milliseconds}/v1"
        profile = asyncio.run(_profiled(work, url))
    pstats.Stats(profile).sort_stats("tottime").print_stats(LINES)


def _imports() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import echelon"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    own = sorted(said[1:], key=lambda line: int(line.partition(":")[2].split("|")[0]), reverse=True)
    print("\n".join([said[0], *own[:LINES]]))


async def _profiled(work: str, url: str | None) -> cProfile.Profile:
    profile = cProfile.Profile()
    async with contender("memory" if work in ("w8", "w9") else "echelon", url) as it:
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
