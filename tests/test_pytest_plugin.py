"""Scenarios as tests: collected, replayed by their team, and readable where they fail."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from echelon.evals.scenarios.lines import dump, load
from echelon.evals.scenarios.recording import scenario_from
from echelon.evals.scenarios.suite import Manifest, write_suite

from .recordings import recorded

pytest_plugins = ["pytester"]

TEAM = '''
"""A team."""

from echelon import Agent, ScriptedModel, Supervisor, Workflow

answer = Agent(
    "answer", "WORDS", accepts=str, returns=str, models=[ScriptedModel(lambda request: "42", seconds=30.0)]
)
flow = Workflow(str, str)
flow.output(flow.step(answer, flow.task))
team = Supervisor("desk", accepts=str, returns=str, team=[answer], planner=flow)
'''


def team(words: str = "Answer.\\nBe brief.") -> str:
    """The source of a team."""
    return TEAM.replace("WORDS", words)


@pytest.fixture
def house(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with a team and a scenario of it; the plugin is on, however Echelon was installed."""
    names = {point.name for point in importlib.metadata.entry_points(group="pytest11")}
    registered = [] if "echelon" in names else ["-p", "echelon.evals.pytest_plugin"]
    pytester.makepyfile(shop=team())
    found: dict[str, Any] = {}
    exec(team(), found)
    outcome = recorded(found["team"], "What is six times seven?")
    known = scenario_from(outcome, found["team"], name="late", origin="shop:team")
    (pytester.path / "late.scenario.jsonl").write_text("".join(dump(known)), encoding="utf-8")
    arguments = " ".join(["-p no:randomly -p no:cacheprovider", *registered])
    pytester.makeini(f"[pytest]\naddopts = {arguments}\nechelon_team = shop:team\n")
    return pytester


def run(house: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in this process, where all of Echelon is loaded already."""
    return house.runpytest_inprocess(*arguments)


def test_a_scenario_is_a_test(house: pytest.Pytester) -> None:
    """Collected by its name, replayed without a wait."""
    result = house.runpytest_subprocess("-v", timeout=60)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["late.scenario.jsonl::late PASSED*"])


def test_a_scenario_that_fails_shows_where_it_differs_and_nothing_of_ours(house: pytest.Pytester) -> None:
    """One line says what, the next ones how; no traceback. With other words allowed it passes."""
    house.makepyfile(shop=team("Answer.\\nBe kind."))
    result = run(house)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*scenario late*",
            "scenario 'late', strict: 0 matched, 0 tolerated, 1 missed, 1 unused",
            "first divergence: request at /answer#1, /instructions",
            "*-Be brief.",
            "*+Be kind.",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "evals/replay" not in result.stdout.str().replace("\\", "/")
    run(house, "--echelon-mode", "structural").assert_outcomes(passed=1)


def test_a_suite_names_its_team_and_its_mode(house: pytest.Pytester) -> None:
    """An edited file is found out; a team outside of the folder must be named by the user."""
    known = scenario_of(house)
    folder = house.path / "suite"
    write_suite(folder, [known], Manifest(name="s", team="shop:team", mode="structural"))
    (house.path / "late.scenario.jsonl").unlink()
    house.makepyfile(shop=team("Answer otherwise."))
    unnamed = ("-o", "echelon_team=")
    run(house, *unnamed).assert_outcomes(passed=1)
    write_suite(folder, [known], Manifest(name="s", team="json.tool:main"))
    result = run(house, *unnamed)
    result.stdout.fnmatch_lines(["*the team of its suite is 'json.tool:main', which is not in this folder*"])
    write_suite(folder, [known], Manifest(name="s"))
    result = run(house, *unnamed)
    result.stdout.fnmatch_lines(["*no team replays it: set echelon_team = module:attr*"])
    file = folder / "late.scenario.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace("seven", "eight"), encoding="utf-8")
    result = run(house)
    result.stdout.fnmatch_lines(["*expected SHA-256 *"])


def scenario_of(house: pytest.Pytester) -> Any:
    """Read the project's scenario."""
    return load((house.path / "late.scenario.jsonl").read_text(encoding="utf-8").splitlines())


def test_the_fixture_replays_and_checks(house: pytest.Pytester) -> None:
    """What comes back is what was recorded; what is not raises, and the way there is hidden."""
    house.makepyfile(
        test_shop=dedent(
            """
            import shop
            from echelon import Agent, ScriptedModel
            from echelon.evals.replay.modes import Decisions

            def test_it(replay):
                found = replay(shop.team, "late.scenario.jsonl")
                assert found.outcome.output == "42"
                assert found.seconds == 30.0

            def test_its_decisions(replay):
                assert replay(shop.team, "late.scenario.jsonl", mode=Decisions()).coverage.exact == 1

            def test_another(replay):
                replay(Agent("other", "?", accepts=str, returns=str, models=[ScriptedModel([])]), "late.scenario.jsonl")
            """
        )
    )
    result = run(house, "test_shop.py")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E * / model 0: the recording holds nothing here"])
    assert "pytest_plugin.py" not in result.stdout.str()


def test_a_file_that_is_no_scenario_is_a_failure_that_says_so(house: pytest.Pytester) -> None:
    """With the line."""
    (house.path / "late.scenario.jsonl").write_text("{}\n", encoding="utf-8")
    result = run(house)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*late.scenario.jsonl:1: *"])


def test_other_projects_pay_nothing_for_the_plugin(tmp_path: Path) -> None:
    """It is loaded wherever Echelon is installed: no pydantic, no part of Echelon but itself."""
    program = (
        "import sys, pytest, json; before = set(sys.modules); import echelon.evals.pytest_plugin; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    told = subprocess.run([sys.executable, "-P", "-c", program], check=True, capture_output=True, text=True, timeout=60)
    loaded = json.loads(told.stdout)
    assert [name for name in loaded if name.startswith("echelon")] == [
        "echelon",
        "echelon.evals",
        "echelon.evals.pytest_plugin",
    ]
    assert not {"pydantic", "pydantic_core", "anyio", "asyncio"} & set(loaded)
