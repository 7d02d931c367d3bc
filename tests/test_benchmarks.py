"""The benchmark measures what it says: every contender gives the same answers, in the calls that are counted."""

import asyncio
import doctest
import json
from collections.abc import Iterator

import pytest

from benchmarks import bars, script, server, table, works
from benchmarks.bars import Row, rows
from benchmarks.rounds import LINEUP, Samples, measure
from benchmarks.script import Json

OVER_HTTP = ("echelon", "sdk", "httpx2")
IN_PROCESS = ("echelon", "memory", "loop")
WORKS: dict[str, Json] = {"single": {"units": 120}, "team": script.OFFER, "fan": script.SUMMARY}


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A server of its own process, as in `make bench`."""
    with server.served() as found:
        yield found


def answers(name: str, url: str | None) -> dict[str, Json]:
    """What a contender says to each work."""

    async def ask() -> dict[str, Json]:
        async with works.contender(name, url) as it:
            return {"single": await it.single(), "team": await it.team(), "fan": await it.fan()}

    return asyncio.run(ask())


@pytest.mark.parametrize("name", OVER_HTTP)
def test_every_contender_gives_the_same_answers_over_http(name: str, origin: str) -> None:
    assert answers(name, f"{origin}/0/v1") == WORKS


@pytest.mark.parametrize("name", IN_PROCESS)
def test_every_contender_gives_the_same_answers_in_process(name: str) -> None:
    assert answers(name, None) == WORKS


@pytest.mark.parametrize(("name", "calls"), [("echelon", 4), ("sdk", 6), ("httpx2", 6)])
def test_w2_takes_the_calls_it_is_said_to_take(name: str, calls: int, origin: str) -> None:
    found = works.measured(name, "w6", origin, 1.0)
    assert found["calls"] == calls
    assert found["tokens"] > 100


def test_a_run_of_six_calls_makes_six_calls(origin: str) -> None:
    async def six() -> Json:
        async with works.contender("memory", f"{origin}/0/v1") as it:
            return await it.six()

    works.counts(origin)
    assert asyncio.run(six()) == script.SUMMARY
    assert works.counts(origin)["calls"] == 6


def test_one_measurement_runs_in_a_process_of_its_own(origin: str) -> None:
    found = measure("httpx2", "w9", origin, 0.02)
    assert all(found[str(n)] > 0 for n in works.HISTORY)


@pytest.mark.parametrize("name", works.IMPORTS)
def test_every_import_can_be_measured(name: str) -> None:
    assert works.cold_import(name)["import_s"] > 0


def test_a_delay_in_the_path_delays_the_answer(origin: str) -> None:
    async def seconds() -> float:
        async with works.contender("httpx2", f"{origin}/50/v1") as it:
            return await works.makespan(it.single, 1)

    assert asyncio.run(seconds()) >= works.SECONDS_A_CALL * 0.99


def _samples() -> Samples:
    samples = Samples()
    for work, lineup in LINEUP.items():
        for place, contender in enumerate(lineup, 1):
            figures = (
                "cpu_ms",
                "six_ms",
                "over_ideal",
                "runs_per_s",
                "peak_mb",
                "kb_per_run",
                "import_s",
                "few_mb",
                "many_mb",
            )
            sizes = {name: float(place) for name in (*figures, "calls", "tokens", "slope_ms", *map(str, works.HISTORY))}
            samples.add(contender, work, sizes)
            samples.add(contender, work, sizes)
    return samples


def test_a_row_says_whether_its_bar_is_met() -> None:
    at_most = Row(work="w7", what="", value=2.0, unit="ms", limit=2.0)
    at_least = Row(work="w4", what="", value=1.4, unit="x", limit=1.5, sense="at least")
    assert at_most.met is True
    assert at_least.met is False
    assert Row(work="w1", what="", value=1.0, unit="x").met is None


def test_ratios_are_those_of_the_same_round() -> None:
    samples = Samples()
    for ours, theirs in ((1.0, 2.0), (30.0, 50.0), (4.0, 10.0)):
        samples.add("echelon", "w2", {"cpu_ms": ours})
        samples.add("sdk", "w2", {"cpu_ms": theirs})
    assert [row.value for row in rows(samples) if row.work == "w2"] == [0.5]


def test_every_work_has_a_row_and_the_table_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(_samples())
    assert {row.work for row in found} == {f"w{n}" for n in range(1, 12)}
    table.show(found)
    table.show_plain(found)
    shown = capsys.readouterr().out
    missed = sum(row.met is False for row in found)
    assert missed > 0
    assert shown.count("MISSED") == 2 * missed


def test_rows_and_samples_can_be_kept_as_json() -> None:
    from benchmarks.__main__ import as_json

    kept = json.loads(as_json(rows(_samples()), _samples()))
    assert set(kept) == {"environment", "rows", "samples"}


@pytest.mark.parametrize("module", [bars, script, server, table, works])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type] # it is a module
