"""Equal scorecards give equal bytes: in whatever order they were put together, and in every process."""

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from echelon.evals.report.as_json import dumps
from echelon.evals.report.html.page import page
from echelon.evals.report.junit import junit
from echelon.evals.report.markdown import markdown
from echelon.evals.report.order import arranged
from echelon.evals.report.summary import cautions, headline, reading, state_of
from echelon.evals.report.terminal import MOST_SCENARIOS, tables
from echelon.evals.scorecard import Confusion, Difference, Measured, Scorecard

from .scorecards import HOSTILE, empty, graphs, hostile, large, rich, undefined

T = TypeVar("T")
ROOT = Path(__file__).parent.parent


def everything(card: Scorecard) -> str:
    """A digest of all reports of a scorecard."""
    texts = (dumps(card), junit(card), markdown(card), repr(tables(card)), page(card, graphs(card)))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def shuffled(card: Scorecard, seed: int) -> Scorecard:
    """The same scorecard with everything turned around whose order says nothing."""
    draw = random.Random(seed)

    def turned(items: Sequence[T]) -> tuple[T, ...]:
        return tuple(draw.sample(items, len(items)))

    def run(one: Measured) -> Measured:
        routed = tuple(
            choice.model_copy(update={"acceptable": turned(choice.acceptable), "forbidden": turned(choice.forbidden)})
            for choice in one.routed
        )
        parts = {"tags": turned(one.tags), "workers": turned(one.workers), "models": turned(one.models)}
        return one.model_copy(update=parts | {"routed": routed})

    assert card.confusion is not None
    assert card.comparison is not None
    places = turned(range(len(card.confusion.labels)))
    confusion = Confusion(
        labels=tuple(card.confusion.labels[i] for i in places),
        counts=tuple(tuple(card.confusion.counts[i][j] for j in places) for i in places),
    )
    return card.model_copy(
        update={
            "measured": turned([run(one) for one in card.measured]),
            "metrics": tuple(sorted(card.metrics, key=lambda metric: metric.family)),
            "points": turned(card.points),
            "reliability": turned(card.reliability),
            "confusion": confusion,
            "comparison": card.comparison.model_copy(update={"changed": turned(card.comparison.changed)}),
        }
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_arrival_leaves_no_trace(seed: int) -> None:
    """Runs end in any order; reports do not tell in which."""
    assert everything(shuffled(rich(), seed)) == everything(rich())


def test_every_process_writes_the_same_bytes() -> None:
    """Whatever the seed of its hashes."""
    program = (
        "import sys; sys.path.append(sys.argv[1]);"
        "from tests import test_report_order as here; print(here.everything(here.rich()))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-P", "-c", program, str(ROOT)], env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True, timeout=30,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert said == {everything(rich())}


def test_arranging_changes_nothing_but_the_order_and_happens_once() -> None:
    """Numbers inside names count as numbers, spending stands the dearest first."""
    card = arranged(shuffled(rich(), 1))
    assert arranged(card) == card
    assert sorted(map(repr, card.metrics)) == sorted(map(repr, rich().metrics))
    names = [one.scenario for one in arranged(empty(measured=tuple(
        Measured(scenario=name, task_hash="", state="broken") for name in ("a-10", "a-9", "a-1")
    ))).measured]  # fmt: skip
    assert names == ["a-1", "a-9", "a-10"]
    costs = [spent.usage.usd for spent in card.measured[0].workers]
    assert costs == sorted(costs, reverse=True)


def test_the_terminal_gets_the_gate_the_figures_the_changes_and_what_asks_for_attention() -> None:
    """Rows of words under headings, the worst first."""
    gate, metrics, comparison, scenarios = tables(rich())
    assert [row[0] for row in gate.rows] == ["fail", "inconclusive", "pass"]
    assert len(metrics.rows) == len(rich().metrics)
    assert ("cost", "cost per caught error", "\N{INFINITY} (infinite)", "", "12", "no error was caught") in metrics.rows
    assert (comparison.title, comparison.rows[1][-1]) == ("against main", "worse")
    assert [row[:3] for row in scenarios.rows[:2]] == [
        ("failed", "invoice-003", "0 of 3"),
        ("failed", "invoice-007", "0 of 3"),
    ]
    assert scenarios.rows[0][-1].startswith("expect: /total: expected 1190.0")
    for table in (gate, metrics, comparison, scenarios):
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_terminal_is_not_flooded_and_empty_tables_are_left_out() -> None:
    """What is left out is counted."""
    (scenarios,) = [table for table in tables(large(1_000)) if table.title == "scenarios"]
    assert (len(scenarios.rows), scenarios.more) == (MOST_SCENARIOS, 333 - MOST_SCENARIOS)
    assert tables(empty()) == ()
    assert [table.title for table in tables(undefined())] == ["metrics", "scenarios"]


@pytest.mark.parametrize("text", HOSTILE)
def test_the_terminal_obeys_no_text(text: str) -> None:
    """One line per cell, without control characters."""
    cells = [cell for table in tables(hostile(text)) for row in table.rows for cell in row]
    assert not [cell for cell in cells if set(cell) & set("\n\x00\x07\x1b\u202e")]


def test_what_nobody_could_tell_is_unscored_and_no_failure() -> None:
    """Also where a scorer ran and could not say."""
    one = Measured(scenario="a", task_hash="", state="scored")
    assert state_of(one) == "unscored"
    assert headline(empty(measured=(one,))) == "No gate: none of 1 run could be scored"
    assert cautions(empty(measured=(one,))) == (
        "1 of 1 run unscored: no scorer could say, and none counts as a failure.",
    )
    assert cautions(empty(notes=("Read this.",))) == ("Read this.",)


@pytest.mark.parametrize(
    ("difference", "low", "high", "better", "said"),
    [
        (0.1, 0.05, 0.2, "higher", "better"), (0.1, 0.05, 0.2, "lower", "worse"), (0.1, 0.05, 0.2, "neither", "other"),
        (-0.1, -0.2, -0.05, "lower", "better"), (0.1, -0.1, 0.3, "higher", "no clear change"),
        (0.1, None, None, "higher", "no clear change"), (None, None, None, "higher", "not comparable"),
    ],
)  # fmt: skip
def test_a_difference_is_clear_where_its_interval_leaves_zero_out(
    difference: float | None, low: float | None, high: float | None, better: str, said: str
) -> None:
    """And then it is better or worse by the direction that the metric names."""
    one = Difference.model_validate(
        {"metric": "m", "baseline": 0.5, "found": 0.6, "difference": difference, "low": low, "high": high, "p": None,
         "test": "", "detectable": None, "n": 9, "better": better}
    )  # fmt: skip
    assert reading(one) == said
