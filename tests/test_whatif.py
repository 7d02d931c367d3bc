"""A suite asked what a change would have come to, on a desk where the truth is known: figures, gate, files, errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from echelon.evals.scenario import Ending, Scenario
from echelon.evals.scenarios.suite import Manifest, Suite, write_suite
from echelon.evals.scorecard import Coverage, Measured
from echelon.evals.scoring.scorers import AsRecorded, Expectations
from echelon.evals.suites.comparing import rule_of
from echelon.evals.suites.job import Bench, Job
from echelon.evals.suites.runner import Load, Means, do_part, work
from echelon.evals.suites.selection import digest, outlines
from echelon.evals.whatif.changes import change_of, parsed
from echelon.evals.whatif.evaluate import ALL, Answer, Inquiry, evaluate
from echelon.evals.whatif.inquire import inquire
from echelon.evals.whatif.result import WhatIf
from echelon.evals.whatif.tables import headline, tables
from echelon.evals.whatif.teams import changed
from echelon.protocols.errors import UsageError
from echelon.protocols.events import EffectFinished

from .commands import Said, Say, refused, typing_in
from .whatif_desk import HERE, Question, arm, asked_desk, desk, is_right, load, recorded, router

COUNT = 60
SCORED = Manifest(name="desk", team=f"{HERE}:TEAM", scorers=("expectations",))


def seeded(n: int) -> int:
    """A seed for each question; two of five go to the careful one."""
    return n * 17 + 2


PLAIN = [asked_desk(n, seed=seeded(n)) for n in range(COUNT)]
"""Runs of a router that explores, of which nothing else is known."""


def with_arms(scenario: Scenario, who: str = "careful", **more: Any) -> Scenario:
    """The same run, and what somebody else would have come to."""
    return replace(scenario, arms=(arm(scenario, who, **more),))


def suite_of(folder: Path, scenarios: Sequence[Scenario]) -> Suite:
    """A suite of these."""
    return write_suite(folder, scenarios, SCORED)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Runs without arms."""
    return suite_of(tmp_path_factory.mktemp("plain"), PLAIN)


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """The same runs, with what the careful one would have come to."""
    return suite_of(tmp_path_factory.mktemp("armed"), [with_arms(one) for one in PLAIN])


def bench(job: Job) -> Bench:
    """The desk, changed as a job says."""
    if job.mode == "recorded":
        return Bench(worker=None, scorers=[Expectations()])
    worker = desk() if job.change is None else changed(desk(), change_of(job.change), load)
    return Bench(worker=worker, scorers=[Expectations()])


def fixed(job: Job) -> Bench:
    """A desk whose router does not explore, changed as a job says."""
    return Bench(worker=changed(desk(router()), change_of(job.change), load), scorers=[Expectations()])


def ask(suite: Suite, *said: str, by: Load = bench, processes: int = 1, **more: Any) -> Answer:
    """Ask a suite."""
    inquiry = Inquiry(suite="desk", changes=[parsed(one) for one in said], resamples=400, **more)
    job = Job(suite=str(suite.folder), digest=digest(suite))
    return anyio.run(inquire, inquiry, job, outlines(suite), by, Means(processes=processes))


@pytest.fixture(scope="module")
def exact(armed: Suite) -> Answer:
    """What comes of giving everything to the careful one, where arms know it."""
    return ask(armed, "planner=desk:careful")


@pytest.fixture(scope="module")
def weighed(plain: Suite) -> Answer:
    """The same where only chance knows it."""
    return ask(plain, "planner=desk:careful", rules=[rule_of("success:0.02")])


def truth(suite: Suite, after: Callable[[int], str]) -> float:
    """What the change really makes of the share of right answers."""
    tasks = [one.header.input["n"] for one in suite]
    was = [next(_given(one)) for one in suite]
    gains = [is_right(after(n), n) - is_right(who, n) for n, who in zip(tasks, was, strict=True)]
    return math.fsum(gains) / len(gains)


def carefully(_: int) -> str:
    """Everything goes to the careful one."""
    return "careful"


def parted(n: int) -> str:
    """What is above 30 does."""
    return "careful" if n > 30 else "quick"


def _given(scenario: Scenario) -> Iterator[str]:
    yield from (entry.event.worker for entry in scenario.entries if entry.event.type == "delegated")


def found(answer: Answer, metric: str) -> Any:
    """One difference."""
    return next(one for one in answer.whatif.differences if one.metric == metric)


def test_where_arms_were_recorded_the_answer_is_exact(armed: Suite, exact: Answer) -> None:
    """To the last run, as it is known to be; every run that changes is named, with what became of it."""
    answer, told = exact, exact.whatif
    assert told.runs == Coverage(exact=COUNT)
    assert told.decisions == Coverage(exact=COUNT)
    assert found(answer, "success").difference == pytest.approx(truth(armed, carefully))
    assert found(answer, "seconds").found == 4.0
    assert found(answer, "success").p is not None
    assert (told.weighed, told.unevaluable, told.with_assumed) == (None, (), ())
    moved = {run.scenario: run for run in told.changed}
    assert sorted(moved) == sorted(one.id for one in armed if next(_given(one)) == "quick")
    run = next(run for run in told.changed if run.before.success == "no" and run.scenario not in ("q-005", "q-015"))
    assert [(one.step, one.before, one.after) for one in run.moves] == [
        ("/routed", "quick on quick-1", "careful on careful-1")
    ]
    assert run.after is not None
    assert (run.before.success, run.after.success, run.before.seconds, run.after.seconds) == ("no", "yes", 1.0, 4.0)
    assert run.divergence is not None


@pytest.mark.parametrize(
    ("said", "after"),
    [
        ("planner=desk:careful", carefully),
        ("route:routed=careful", carefully),
        ("planner=desk:above", parted),
    ],
)
def test_without_arms_an_interval_holds_what_is_true(plain: Suite, said: str, after: Callable[[int], str]) -> None:
    """From what was drawn at random, with its chances; cost and time too."""
    answer = ask(plain, said)
    told, success = answer.whatif, found(answer, "success")
    assert told.runs.off_policy == told.decisions.off_policy == COUNT
    assert success.low <= truth(plain, after) <= success.high
    assert success.low < success.difference < success.high
    assert (success.p, success.test, success.detectable) == (None, "", None)
    assert told.weighed is not None
    assert (told.weighed.runs, told.weighed.unsupported) == (COUNT, 0.0)
    assert told.weighed.ess == told.runs.ess is not None
    assert [one.metric for one in told.weighed.estimates] == ["success", "usd", "seconds"]
    (estimate, *_) = told.weighed.estimates
    assert estimate.dr.value == pytest.approx(success.found)
    assert estimate.recorded == pytest.approx(success.baseline)
    assert all(run.after is None and run.way == "off_policy" for run in told.changed)
    assert any("say something together, and nothing one by one" in note for note in told.notes)


def test_where_nothing_differs_nothing_differs(plain: Suite) -> None:
    """The same team is exact, and no run changes; an unchanged router leaves nothing to be weighed."""
    answer = ask(plain, "team=desk:same")
    assert answer.whatif.runs == Coverage(exact=COUNT)
    assert {one.difference for one in answer.whatif.differences} == {0.0}
    assert answer.whatif.changed == ()


def test_a_changed_prompt_is_not_known_where_its_agent_worked(plain: Suite) -> None:
    """These runs are counted and named, and in no figure; the others are as they were."""
    answer = ask(plain, "instructions:quick=Answer kindly.", rules=[rule_of("success:0.5")])
    told = answer.whatif
    quick = sorted(one.id for one in plain if next(_given(one)) == "quick")
    assert [gap.scenario for gap in told.unevaluable] == quick
    assert told.runs == Coverage(exact=COUNT - len(quick), unevaluable=len(quick))
    assert (found(answer, "success").difference, found(answer, "success").n) == (0.0, COUNT - len(quick))
    assert told.gate is not None
    assert told.gate.verdict == "fail"
    assert "scenarios could be evaluated, expected a share of at least 1" in told.gate.rulings[0].sentence
    states = {one.scenario: one.state for one in answer.measured}
    assert [name for name, state in states.items() if state == "unevaluable"] == quick


def test_what_no_scorer_can_judge_is_told_and_is_no_failure(armed: Suite) -> None:
    """What was said of the recorded run holds of no other output."""

    def by(job: Job) -> Bench:
        return Bench(worker=bench(job).worker, scorers=[AsRecorded()])

    said = [replace(one, ending=Ending(success="yes")) for one in armed]
    answer = ask(write_suite(armed.folder.parent / "said", said, SCORED), "planner=desk:careful", by=by)
    quick = sum(next(_given(one)) == "quick" for one in armed)
    assert answer.whatif.runs == Coverage(exact=COUNT)
    assert found(answer, "success").n == COUNT - quick
    assert f"Of {quick} runs no scorer can say whether they would have succeeded" in " ".join(answer.whatif.notes)
    assert headline(answer.whatif).endswith(f"on {COUNT - quick} of {COUNT} runs")


def test_what_is_assumed_is_shown_apart_and_kept_out_of_the_gate(tmp_path: Path) -> None:
    """Arms of the careful one, on another question each; the router of these runs did not explore."""
    other = arm(PLAIN[COUNT - 1], "careful")
    suite = suite_of(tmp_path, [replace(asked_desk(n, team=desk(router())), arms=(other,)) for n in range(12)])
    rules = [rule_of("success:0.9")]
    answer = ask(suite, "planner=desk:careful", by=fixed, rules=rules)
    assert answer.whatif.runs == answer.whatif.decisions == Coverage(assumed=12)
    assert answer.whatif.differences == ()
    assert {one.metric: one.n for one in answer.whatif.with_assumed}["success"] == 12
    assert answer.whatif.gate is not None
    assert answer.whatif.gate.verdict == "fail"
    told = ask(suite, "planner=desk:careful", by=fixed, rules=rules, taken=ALL).whatif
    assert told.includes_assumed
    assert told.gate is not None
    assert told.gate.verdict == "pass"
    assert (len(told.differences) > 0, told.with_assumed) == (True, ())
    assert {run.way for run in told.changed} == {"assumed"}


def test_the_gate_lets_pass_what_is_no_worse_and_stops_what_is(armed: Suite) -> None:
    """More right answers, and dearer ones."""
    told = ask(armed, "planner=desk:careful", rules=[rule_of("success:0.1"), rule_of("usd:0.000001")]).whatif
    assert told.gate is not None
    assert [ruling.verdict for ruling in told.gate.rulings] == ["pass", "fail"]
    assert told.gate.verdict == "fail"


def test_a_price_is_computed_from_every_recorded_call(plain: Suite) -> None:
    """By hand, and without a team; nobody's work is another."""
    calls = [
        (entry.event.usage, entry.event.result["model"])
        for one in plain
        for entry in one.entries
        if isinstance(entry.event, EffectFinished) and entry.event.kind == "model"
    ]
    by_hand = sum(
        (one.input * 3.0 + one.output * 9.0) / 1_000_000 if model == "quick-1" else one.usd for one, model in calls
    )
    answer = ask(plain, "price:quick-1=3,9")
    assert found(answer, "usd").found == pytest.approx(by_hand / COUNT)
    assert found(answer, "usd").baseline == pytest.approx(sum(one.usd for one, _ in calls) / COUNT)
    assert answer.whatif.runs == answer.whatif.decisions == Coverage(exact=COUNT)
    assert {one.difference for one in answer.whatif.differences if "usd" not in one.metric} == {0.0}
    assert any("limits in USD were not held against them" in note for note in answer.whatif.notes)


def test_one_process_and_two_give_the_same_answer(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, [with_arms(one) for one in PLAIN[:6]])
    one, two = (ask(suite, "planner=desk:careful", processes=n).whatif.model_dump_json() for n in (1, 2))
    assert one == two


def test_the_answer_does_not_depend_on_the_order_of_runs(armed: Suite, exact: Answer) -> None:
    """And is read back as it was written."""
    whole = exact.whatif
    assert WhatIf.model_validate_json(whole.model_dump_json()) == whole
    inquiry = Inquiry(suite="desk", changes=[parsed("planner=desk:careful")], resamples=400)
    before, after = both(armed, "planner=desk:careful")
    scenarios = outlines(armed)
    told = evaluate(inquiry, scenarios[::-1], before[::-1], after[::-1]).whatif
    assert told.model_dump_json() == whole.model_dump_json()


def both(suite: Suite, *said: str) -> tuple[list[Measured], list[Measured]]:
    """The two measurements that an answer is made of."""
    job = Job(suite=str(suite.folder), digest=digest(suite), mode="reroute", change=[])
    changes = [parsed(one).model_dump(mode="json") for one in said]
    ids = [one.id for one in outlines(suite)]
    return do_part(bench, job, ids, 1), do_part(bench, job.model_copy(update={"change": changes}), ids, 1)


def test_runs_of_one_task_are_drawn_again_together(tmp_path: Path) -> None:
    """Ten times the same four tasks say little more than four tasks."""
    four = [with_arms(asked_desk(n, team=desk())) for n in (1, 2, 3, 5)]
    copies = [
        replace(one, header=one.header.model_copy(update={"id": f"{one.id}-{i}"})) for one in four for i in range(10)
    ]
    few = found(ask(suite_of(tmp_path / "few", four), "planner=desk:careful"), "success")
    many = found(ask(suite_of(tmp_path / "many", copies), "planner=desk:careful"), "success")
    assert (few.n, many.n) == (4, 40)
    assert (few.low, few.high, few.difference) == (many.low, many.high, many.difference)


def test_what_is_rerouted_costs_what_was_reported(armed: Suite) -> None:
    """In a plain evaluation too: work that is told and not done is in the bill."""
    job = Job(suite=str(armed.folder), digest=digest(armed), mode="reroute")
    recorded_ = anyio.run(work, job.model_copy(update={"mode": "recorded"}), ["q-001"], bench, Means())
    rerouted = anyio.run(work, job, ["q-001"], bench, Means())
    assert rerouted[0].usage == recorded_[0].usage
    assert rerouted[0].models == recorded_[0].models


def test_the_scorecard_of_an_answer_says_the_same(plain: Suite, weighed: Answer) -> None:
    """Held against the team as it is; what is only known together has no end in it."""
    answer = weighed
    card = answer.card(outlines(plain))
    assert card.comparison is not None
    assert card.comparison.differences == answer.whatif.differences
    assert (card.gate, card.coverage, card.notes) == (answer.whatif.gate, answer.whatif.decisions, answer.whatif.notes)
    assert {one.state for one in card.measured} == {"unevaluable"}
    assert card.variant == "planner=desk:careful"


def test_what_is_shown_names_what_changes_and_what_is_not_known(
    plain: Suite, armed: Suite, exact: Answer, weighed: Answer
) -> None:
    known = {table.title: table for table in tables(exact.whatif)}
    assert list(known) == ["coverage", "what the change comes to", "runs that change"]
    assert len(known["runs that change"].rows) == sum(next(_given(one)) == "quick" for one in armed)
    first = known["runs that change"].rows[0]
    assert first[2:4] == ("/routed: quick on quick-1 → careful on careful-1", "yes → no")
    shown = {table.title.partition(":")[0]: table for table in tables(weighed.whatif)}
    assert [row[0] for row in shown["off-policy"].rows] == ["success", "usd", "seconds"]
    assert shown["runs that change"].rows[0][3] in ("yes → ?", "no → ?")
    unknown = ask(plain, "model:quick=tiny", "model:careful=tiny").whatif
    assert "runs that cannot be evaluated" in [table.title for table in tables(unknown)]
    assert headline(unknown) == f"no difference in success is known, on 0 of {COUNT} runs"
    assert unknown.notes[0] == "Nothing could be evaluated: no figure says anything about the change."


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("route:paid=careful", "no run has a step '/paid'; there are /routed"),
        ("drop:routed/paid", "no run has a step '/routed/paid'; there are /routed"),
        ("price:large=1,2", "no run has asked a model 'large'; there are careful-1, quick-1"),
        ("instructions:clerk=x", "there is no member 'clerk' in team 'desk'; there are desk, desk/quick, desk/careful"),
    ],
)
def test_a_change_about_nothing_is_an_error_that_names_what_there_is(plain: Suite, said: str, error: str) -> None:
    with pytest.raises(UsageError) as raised:
        ask(plain, said)
    assert error in str(raised.value)


def test_a_suite_without_runs_cannot_be_asked(tmp_path: Path) -> None:
    task = Scenario(header=PLAIN[0].header, reference=PLAIN[0].reference)
    with pytest.raises(UsageError, match="asks recorded runs, and this suite has none: nothing was recorded"):
        ask(suite_of(tmp_path, [task]), "planner=desk:careful")


def test_a_run_that_the_team_no_longer_replays_is_not_held_against_the_change(tmp_path: Path) -> None:
    """Recorded with another prompt: nobody could say what the change did."""
    old = Scenario.from_run(recorded(load("desk:retold"), Question(n=2)), name="old")  # type: ignore[arg-type] # a team
    answer = ask(suite_of(tmp_path, [old, PLAIN[0]]), "team=desk:same")
    (gap,) = answer.whatif.unevaluable
    assert gap.scenario == "old"
    assert gap.why.startswith("the team as it is does not replay it: /routed#1 handoff 1: expected a report or an arm")


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Type commands in a fresh folder."""
    yield from typing_in(tmp_path, monkeypatch, capsys)


def typed(say: Say, suite: Suite, *argv: str) -> Said:
    """Ask by command, naming the team oneself."""
    return say("whatif", str(suite.folder), "--team", f"{HERE}:TEAM", "--quiet", *argv)


def test_the_command_tells_figures_runs_and_coverage(say: Say, armed: Suite) -> None:
    said = typed(say, armed, "--change", f"planner={HERE}:ALWAYS")
    assert (said.code, said.err) == (0, "")
    assert f"desk, {COUNT} runs: what if planner={HERE}:ALWAYS" in said.out
    assert "Scripted: answers came from a script and say nothing about a real model." in said.out
    assert f"exact        {COUNT}    {COUNT}" in said.out
    assert "/routed: quick on quick-1 → careful on careful-1" in said.out


def test_the_command_writes_its_answer_and_a_page(say: Say, plain: Suite) -> None:
    said = typed(
        say, plain, "--change", f"planner={HERE}:ABOVE", "--json", "--output", "out/a.json", "--html", "out/a.html"
    )
    told = WhatIf.model_validate(said.document)
    assert told == WhatIf.model_validate_json(Path("out/a.json").read_bytes())
    assert told.runs.off_policy == COUNT
    assert f"planner={HERE}:ABOVE" in Path("out/a.html").read_text()


def test_the_gate_of_the_command_is_its_exit_code(say: Say, armed: Suite, plain: Suite) -> None:
    change = ("--change", f"planner={HERE}:ALWAYS", "--gate")
    assert typed(say, armed, *change, "success:0.1").code == 0
    closed = typed(say, plain, "--change", f"team={HERE}:RETOLD", "--gate", "success:0.5")
    assert closed.code == 1
    assert "Gate: fail; " in closed.out


def test_prices_need_no_team(say: Say, plain: Suite) -> None:
    said = say("whatif", str(plain.folder), "--change", "price:quick-1=3,9", "--json", "--scenario", "q-000")
    assert (said.code, said.document["runs"]["exact"]) == (0, 1)


def test_the_command_refuses_what_it_cannot_do(say: Say, plain: Suite, tmp_path: Path) -> None:
    refused(typed(say, plain), 2, "say what is changed with --change, one of team=MODULE:ATTR")
    refused(typed(say, plain, "--change", "colour=red"), 2, "there is no change 'colour'")
    refused(typed(say, plain, "--change", "model:clerk=tiny"), 2, "there is no member 'clerk'")
    refused(typed(say, plain, "--change", f"planner={HERE}:NOBODY"), 2, f"{HERE} has no 'NOBODY'")
    refused(typed(say, plain, "--change", "reviewer=none", "--gate", "taste:1"), 2, "a gate's rule")
    refused(say("whatif", "nowhere", "--change", "reviewer=none"), 2, "suite.json")
    teamless = write_suite(tmp_path / "teamless", PLAIN[:1], Manifest(name="teamless"))
    refused(say("whatif", str(teamless.folder), "--change", "reviewer=none"), 2, "name it with --team")
