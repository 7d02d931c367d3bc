"""Numbers that others published, from the data that they published them for."""

import json
from pathlib import Path
from typing import Any

import pytest

from echelon.evals.metrics.passk import pass_hat_k
from echelon.evals.metrics.routers import Arm, Table, baselines
from echelon.evals.statistics.comparison import Repeats, compare
from echelon.evals.statistics.intervals import Bootstrap

from .dependencies import ROOT

DATA = ROOT.parent / "shared" / "data"
HAIKU, FLASH = "claude-3-haiku-20240307", "gemini-2.0-flash-001"


def published(*parts: str) -> Path:
    """Find a file of published data, or skip."""
    path = DATA.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"published data is not here: {'/'.join(parts)}")
    return path


def test_tau_bench_airline_pass_hat_k_is_what_its_readme_says() -> None:
    """gpt-4o, 50 airline tasks, 4 tries each."""
    runs: list[dict[str, Any]] = json.loads(published("tau-bench", "gpt-4o-airline.json").read_text(encoding="utf-8"))
    tasks: dict[str, tuple[int, int]] = {}
    for run in runs:
        n, c = tasks.get(str(run["task_id"]), (0, 0))
        tasks[str(run["task_id"])] = (n + 1, c + (run["reward"] == 1))
    assert (len(runs), len(tasks)) == (200, 50)
    figures = [pass_hat_k(tasks, k) for k in (1, 2, 3, 4)]
    assert [figure and round(figure, 6) for figure in figures] == [0.42, 0.273333, 0.22, 0.2]
    assert pass_hat_k(tasks, 5) is None


@pytest.fixture(scope="module")
def arena() -> Table:
    """Read RouterArena's 809 queries on two models."""
    rows: dict[str, dict[str, Arm]] = {}
    for model in (HAIKU, FLASH):
        for line in published("routerarena", f"{model}.jsonl").read_text(encoding="utf-8").splitlines():
            told: dict[str, Any] = json.loads(line)
            result = told["evaluation_result"]
            rows.setdefault(told["global_index"], {})[model] = Arm(result["score"], result["inference_cost"])
    return Table(rows)


def test_router_arena_models_and_oracle(arena: Table) -> None:
    """The cheaper model is the better one, and yet the oracle is better than both."""
    assert len(arena.arms) == 809
    beside = baselines(arena, None)
    told = {
        one.name: (round(one.quality, 6), round(1_000 * (one.cost or 0), 6)) for one in (*beside.singles, beside.oracle)
    }
    assert told == {HAIKU: (0.523356, 0.175992), FLASH: (0.690119, 0.047491), "oracle": (0.740773, 0.056783)}
    assert beside.best_single == beside.cheapest == arena.single(FLASH)


def test_router_arena_baselines_at_the_cost_of_the_oracle(arena: Table) -> None:
    """Money buys nothing where the cheaper model is the better one: the hull is flat, and chance falls."""
    at = baselines(arena, None).oracle.cost
    beside = baselines(arena, at)
    assert beside.hull is not None
    assert beside.random is not None
    assert beside.hull.quality == beside.best_single.quality
    assert beside.random.quality < beside.best_single.quality < beside.oracle.quality


def test_router_arena_mcnemar_on_fully_correct_answers(arena: Table) -> None:
    """Haiku alone is right on 40, Flash alone on 166."""

    def variant(model: str) -> dict[str, Repeats]:
        return {
            query: Repeats(task_hash=query, values={"correct": [row[model].quality == 1]})
            for query, row in arena.arms.items()
        }

    (found,) = compare(variant(HAIKU), variant(FLASH), Bootstrap(seed=1, resamples=999)).contrasts
    assert found.test == "McNemar, exact"
    assert found.p is not None
    assert f"{found.p:.2e}" == "1.94e-19"
    assert found.difference.value == pytest.approx((166 - 40) / 809)


@pytest.mark.parametrize(
    ("split", "queries", "best", "ideal"), [("train", 5_608, 0.621323, 0.801722), ("test", 500, 0.562572, 0.743364)]
)
def test_llmrouter_best_single_model_and_oracle(split: str, queries: int, best: float, ideal: float) -> None:
    """Nine models, without costs."""
    told: list[dict[str, Any]] = json.loads(published("llmrouter", f"{split}.json").read_text(encoding="utf-8"))
    beside = baselines(
        Table({row["question"]: {model: Arm(score) for model, score in row["scores"].items()} for row in told}), None
    )
    assert (len(told), len(beside.singles)) == (queries, 9)
    assert beside.best_single.name == "llama-3.1-nemotron-51b-instruct"
    assert round(beside.best_single.quality, 6) == best
    assert round(beside.oracle.quality, 6) == ideal
    assert beside.cheapest is None
