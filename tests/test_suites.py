"""A suite is scored alike by one process and by many, in any order, and an interrupted job is taken up."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from echelon import Agent, ScriptedModel, Supervisor, Workflow, worker
from echelon.cli.benches import load_bench
from echelon.evals.report.as_json import dumps
from echelon.evals.scenario import Expectation, Header, Reference, Scenario, Source
from echelon.evals.scenarios.suite import Manifest, Suite, write_suite
from echelon.evals.scorecard import Measured, Scorecard
from echelon.evals.scoring.judge import Judge
from echelon.evals.scoring.scorers import Check, Expectations
from echelon.evals.scoring.summary import Scored, scorecard
from echelon.evals.suites.comparing import held_against, rule_of
from echelon.evals.suites.job import Bench, Job
from echelon.evals.suites.judgements import recorded as judgements
from echelon.evals.suites.kept import Kept
from echelon.evals.suites.runner import Load, Means, Progress, work
from echelon.evals.suites.selection import digest, outlines
from echelon.evals.virtual import VirtualClock, VirtualLoop
from echelon.protocols.errors import EchelonError, MissError, MissingExtraError, ScenarioError, UsageError
from echelon.supervisor.runs import Settings, run

from .dependencies import ROOT

DESK = ROOT / "examples" / "invoice_desk" / "scenarios" / "offline"


@worker
async def double(number: int) -> int:
    """Doubles a number."""
    return 2 * number


def doubling(instructions: str = "Say it in words.") -> Supervisor[int, str]:
    """Double a number by code and let a scripted model say it."""
    model = ScriptedModel(lambda request: f"it is {request.messages[0].text}", seconds=1.5)
    say = Agent("say", instructions, accepts=int, returns=str, models=[model])
    flow = Workflow(int, str)
    flow.output(flow.step(say, flow.step(double, flow.task)))
    return Supervisor("desk", accepts=int, returns=str, team=[double, say], planner=flow)


def recorded(number: int, wanted: str = "") -> Scenario:
    """Record one run; `wanted` must stand in its output."""
    loop = VirtualLoop()
    settings = Settings(clock=VirtualClock(loop))
    outcome = loop.run(run(doubling(), number, run_id=f"run-{number}", settings=settings))
    loop.close()
    expect = Expectation(op="contains", value=wanted or str(2 * number))
    return Scenario.from_run(outcome, doubling(), name=f"n-{number:02}", reference=Reference(expect=(expect,)))


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Record nine runs, of which the last should have said something else."""
    scenarios = [recorded(n) for n in range(8)] + [recorded(8, wanted="seventeen")]
    return write_suite(tmp_path_factory.mktemp("suite"), scenarios, Manifest(name="numbers"))


def job(suite: Suite, **more: Any) -> Job:
    return Job.model_validate({"suite": str(suite.folder), "digest": digest(suite), "mode": "strict"} | more)


def bench(job: Job) -> Bench:
    return Bench(worker=doubling(), scorers=[Expectations()])


def alone(job: Job) -> Bench:
    return Bench(worker=None, scorers=[])


def edited(job: Job) -> Bench:
    return Bench(worker=doubling("Say it loudly."), scorers=[Expectations()])


def names(suite: Suite) -> list[str]:
    return [one.id for one in outlines(suite)]


ALONE = Means()


def measured(suite: Suite, load: Any = bench, means: Means = ALONE, **more: Any) -> list[Measured]:
    return anyio.run(work, job(suite, **more), names(suite), load, means)


def card(suite: Suite, found: Sequence[Measured]) -> Scorecard:
    return scorecard(Scored(suite="numbers", variant="v", mode="strict", resamples=200), outlines(suite), found)


def test_a_replayed_suite_is_scored_in_virtual_time(suite: Suite) -> None:
    found = measured(suite)
    assert [one.success for one in found] == ["yes"] * 8 + ["no"]
    assert {one.seconds for one in found} == {1.5}
    assert all(one.replayed and one.replayed.divergence is None and not one.replayed.missed for one in found)


def test_an_edited_prompt_is_unevaluable_in_strict_and_tolerated_in_structural_mode(suite: Suite) -> None:
    strict = measured(suite, edited)
    assert {one.state for one in strict} == {"unevaluable"}
    assert "/say#1 model 0" in strict[0].why
    assert "loudly" in strict[0].why
    structural = measured(suite, edited, mode="structural")
    assert {one.state for one in structural} == {"scored"}
    assert [one.replayed.tolerated for one in structural if one.replayed] == [1] * 9


def test_a_scorecard_says_what_it_stands_on(suite: Suite) -> None:
    found = card(suite, measured(suite, edited))
    rate = next(metric for metric in found.metrics if metric.name == "success_rate")
    assert (rate.value, rate.n) == (None, 0)
    assert found.scripted
    assert found.coverage.unevaluable == 9


def test_the_report_is_the_same_bytes_in_any_order_of_completion(suite: Suite) -> None:
    found = measured(suite)
    assert dumps(card(suite, found)) == dumps(card(suite, found[::-1]))


def test_two_processes_give_the_bytes_of_one(tmp_path: Path) -> None:
    suite = Suite.open(DESK)
    one, two = (
        anyio.run(
            work,
            job(suite, team="examples.invoice_desk.scripted:offline"),
            names(suite),
            load_bench,
            Means(processes=processes),
        )
        for processes in (1, 2)
    )
    assert dumps(card(suite, one)) == dumps(card(suite, two))


@pytest.mark.timeout(120)
def test_the_report_does_not_depend_on_the_hash_seed() -> None:
    command = [sys.executable, "-P", "-m", "echelon.cli", "eval", str(DESK), "--json", "--fresh", "--quiet"]
    said = {
        subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True, timeout=100
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(said) == 1


def test_an_interrupted_job_is_taken_up_and_gives_the_same(suite: Suite, tmp_path: Path) -> None:
    whole = measured(suite)
    kept = Kept(tmp_path, job(suite).key(doubling()))
    kept.add(whole[:4])
    with kept.path.open("ab") as file:
        file.write(b'{"scenario":"n-04","task_ha')  # cut off by the interruption
    told: list[Progress] = []
    again = measured(suite, means=Means(keep=tmp_path, told=told.append))
    assert again == whole
    assert (told[0].done, told[0].taken_up, told[-1].done) == (4, 4, 9)
    assert not kept.path.exists()


def test_results_of_another_team_are_not_taken_up(suite: Suite, tmp_path: Path) -> None:
    Kept(tmp_path, job(suite).key(doubling())).add(measured(suite)[:4])
    told: list[Progress] = []
    measured(suite, edited, means=Means(keep=tmp_path, told=told.append))
    assert told[0].done == 0


def test_repeats_are_runs_of_one_task(suite: Suite) -> None:
    found = measured(suite, mode="live", repeats=2)
    assert [(one.scenario, one.repeat) for one in found[:3]] == [("n-00", 0), ("n-00", 1), ("n-01", 0)]
    figures = {metric.name: metric for metric in card(suite, found).metrics}
    assert figures["success_rate"].n == 9
    assert figures["pass^2"].value == pytest.approx(8 / 9)


def test_a_mode_that_runs_a_team_needs_one(suite: Suite) -> None:
    with pytest.raises(UsageError, match="needs a team"):
        measured(suite, alone)


def test_a_task_without_a_run_can_only_be_run_live(tmp_path: Path) -> None:
    bare = Scenario(header=Header(id="bare", worker="desk", input=3, source=Source(kind="synthetic")))
    suite = write_suite(tmp_path, [bare], Manifest(name="bare"))
    assert [one.state for one in measured(suite)] == ["broken"]
    assert [one.status for one in measured(suite, mode="live")] == ["delivered"]


def test_a_comparison_shows_what_changed_and_the_gate_closes(suite: Suite) -> None:
    def worse(job: Job) -> Bench:
        never = Check(lambda attempt: attempt.scenario.id != "n-03" and attempt.status == "delivered", name="never")
        return Bench(worker=doubling(), scorers=[Expectations(), never])

    before, after = card(suite, measured(suite)), card(suite, measured(suite, worse))
    held = held_against(after, before, [rule_of("success:0.02"), rule_of("seconds:0.5")])
    assert held.comparison is not None
    assert held.comparison.changed == ("n-03",)
    assert held.gate is not None
    assert [ruling.verdict for ruling in held.gate.rulings] == ["fail", "pass"]
    same = held_against(before, before, [rule_of("success:0.02")])
    assert same.gate is not None
    assert same.gate.verdict == "pass"


def test_other_tasks_are_not_compared(suite: Suite) -> None:
    before = card(suite, measured(suite))
    other = before.model_copy(
        update={"measured": tuple(one.model_copy(update={"task_hash": "other"}) for one in before.measured)}
    )
    with pytest.raises(UsageError, match="task hashes"):
        held_against(other, before)


@pytest.mark.parametrize("text", ["", "success", "success:x", "nothing:0.1", "success:0.1:0.9:3", "success:-1"])
def test_a_rule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="gate's rule"):
        rule_of(text)


def test_a_damaged_file_is_named_and_what_was_measured_is_kept(suite: Suite, tmp_path: Path) -> None:
    copy = write_suite(tmp_path / "copy", [replace(one) for one in suite], Manifest(name="copy"))
    path = copy.folder / "n-05.scenario.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ScenarioError, match=r"n-05\.scenario\.jsonl"):
        outlines(Suite.open(copy.folder))


def test_an_error_of_another_process_is_told_as_it_is(suite: Suite) -> None:
    with pytest.raises(UsageError, match="there is no module 'nowhere_at_all'"):
        anyio.run(
            work, job(suite, team="nowhere_at_all:team", trusted=True), names(suite), load_bench, Means(processes=2)
        )


@pytest.mark.parametrize(
    "error", [MissingExtraError("a plot", "evals"), ScenarioError("a:1", "bad"), MissError("/a", "model", 0, "none")]
)
def test_errors_cross_from_process_to_process(error: EchelonError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_an_unknown_scenario_or_tag_is_refused_with_those_there_are(suite: Suite) -> None:
    with pytest.raises(UsageError, match="n-00, n-01"):
        outlines(suite, names=["n-99"])
    with pytest.raises(UsageError, match="tagged large"):
        outlines(suite, tags=["large"])


OPINION = {"reason": "it says the number", "right": True, "score": 1.0}


def judging(models: Sequence[ScriptedModel]) -> Load:
    def load(job: Job) -> Bench:
        judge = Judge("It says the number.", models=models, recorded=judgements(job.suite))
        return Bench(worker=None, scorers=[judge])

    return load


def test_what_a_model_has_judged_is_kept_in_the_suite_and_needs_no_model_again(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, [recorded(n) for n in range(3)], Manifest(name="judged"))
    model = ScriptedModel(lambda request: OPINION)
    asked = measured(suite, judging([model]), mode="recorded")
    assert ([one.success for one in asked], len(model.seen)) == (["yes"] * 3, 3)
    assert len((tmp_path / "judgements.jsonl").read_text().splitlines()) == 3
    assert measured(suite, judging([]), mode="recorded") == asked
    strange = write_suite(tmp_path / "other", [recorded(4)], Manifest(name="other"))
    assert [one.state for one in measured(strange, judging([]), mode="recorded")] == ["unscored"]


def test_a_damaged_judgement_is_named_by_its_line(tmp_path: Path) -> None:
    write_suite(tmp_path, [recorded(1)], Manifest(name="judged"))
    (tmp_path / "judgements.jsonl").write_text('{"key": "' + "0" * 64 + '"}\n')
    with pytest.raises(ScenarioError, match=r"judgements\.jsonl:1: expected a judgement"):
        judgements(str(tmp_path))
