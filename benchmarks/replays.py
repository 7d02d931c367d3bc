"""Recorded runs: what it costs to replay and score one, and how much memory ten thousand take."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from echelon.evals.replay.replay import replay
from echelon.evals.scenario import Expectation, Reference, Scenario
from echelon.evals.scenarios.suite import Manifest, Suite, write_suite
from echelon.evals.scoring.measure import measure
from echelon.evals.scoring.scorers import Attempt, Expectations
from echelon.evals.virtual import VirtualLoop
from echelon.supervisor.runs import Settings, run

from .framework import SIX, Product, in_process
from .script import PRODUCT

Figures = dict[str, float]
MANY = 10_000
FEW = 5_000
SETTINGS = Settings(models=(in_process(),))
SCORER = Expectations()


async def _recorded() -> Scenario:
    """The run of six model calls, with a checker."""
    outcome = await run(SIX, Product(product=PRODUCT), settings=SETTINGS)
    reference = Reference(status="delivered", expect=(Expectation(at="/text", op="exists"),))
    return Scenario.from_run(outcome, SIX, name="six", reference=reference, scripted=True)


async def _scored(scenario: Scenario) -> None:
    found = (await replay(SIX, scenario, settings=SETTINGS)).check()
    seen = Attempt(scenario=scenario, events=[entry.event for entry in found.entries])
    measured = measure(scenario, found.entries, [await SCORER.score(seen)])
    assert measured.success == "yes"  # noqa: S101 - a benchmark of something that fails measures nothing


def one(scale: float) -> Figures:
    """W10: CPU of replaying and scoring a run of six calls in virtual time, in milliseconds."""
    runs = max(5, round(200 * scale))
    with closing(VirtualLoop()) as loop:
        scenario = loop.run(_recorded())
        loop.run(_scored(scenario))
        before = time.process_time()
        for _ in range(runs):
            loop.run(_scored(replace(scenario)))  # a scenario of its own each time: nothing is worked out before
        return {"cpu_ms": (time.process_time() - before) / runs * 1_000}


def many(scale: float) -> Figures:
    """W11: most memory that Python had at once while so many scenarios were read one by one, in MB."""
    with closing(VirtualLoop()) as loop, TemporaryDirectory(prefix="echelon-bench-") as folder:
        scenario = loop.run(_recorded())
        write_suite(Path(folder), _copies(scenario, round(MANY * scale)), Manifest(name="many"))
        suite = Suite.open(folder)
        few = replace(
            suite,
            manifest=suite.manifest.model_copy(update={"scenarios": suite.manifest.scenarios[: round(FEW * scale)]}),
        )
        return {"few_mb": _peak(few), "many_mb": _peak(suite)}


def _copies(scenario: Scenario, count: int) -> Iterator[Scenario]:
    for number in range(count):
        yield replace(scenario, header=scenario.header.model_copy(update={"id": f"six-{number:05}"}))


def _peak(suite: Suite) -> float:
    tracemalloc.start()
    try:
        for number, scenario in enumerate(suite):
            assert scenario.entries  # noqa: S101 - it was read
            if number % 100 == 0:
                gc.collect()  # how long garbage in circles may lie about depends on all else that lives
        return tracemalloc.get_traced_memory()[1] / 1_024 / 1_024
    finally:
        tracemalloc.stop()
