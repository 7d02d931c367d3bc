"""Trajectories of tau-bench: 200 published ones, generated ones, and broken ones."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echelon.evals.importers import tau_bench
from echelon.evals.importers.imported import About, Imported
from echelon.evals.importers.work import Work
from echelon.evals.metrics.passk import pass_hat_k
from echelon.evals.scenario import Ending, ExpectedCall, Reference
from echelon.protocols.conversation import UserMessage
from echelon.protocols.errors import ScenarioError
from echelon.protocols.events import EffectFinished, EffectStarted, RunEnded, RunStarted
from echelon.protocols.messages import Done, Failed

from .builders import of_type
from .foreign_runs import again, call, plain, recorded, scenario_of, texts, words

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data" / "tau-bench" / "gpt-4o-airline.json"
ABOUT = About(name="gpt-4o-airline.json", licence="MIT")


def system(text: str) -> dict[str, Any]:
    """What the agent is told first."""
    return {"role": "system", "content": text}


def says(text: str) -> dict[str, Any]:
    """A word of the simulated user."""
    return {"role": "user", "content": text}


def answers(text: str) -> dict[str, Any]:
    """A word of the agent."""
    return {"role": "assistant", "content": text}


def calls(name: str, arguments: str = '{"n":1}', ident: str = "c1") -> dict[str, Any]:
    """The agent's wish to run a tool."""
    function = {"name": name, "arguments": arguments}
    wanted = [{"id": ident, "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": wanted}


def gives(text: str, ident: str = "c1") -> dict[str, Any]:
    """What the tool gave."""
    return {"role": "tool", "tool_call_id": ident, "name": "look", "content": text}


def result(*traj: dict[str, Any], reward: Any = 1.0, task_id: Any = 3, trial: Any = 0, **info: Any) -> dict[str, Any]:
    """One task in one trial."""
    task: dict[str, Any] = {"user_id": "mia", "instruction": "Fly.", "actions": [], "outputs": []}
    told = {"task": task} | info
    return {"task_id": task_id, "trial": trial, "reward": reward, "info": told, "traj": list(traj)}


def read(*results: Any, about: About = ABOUT) -> Imported:
    """Read results as a file."""
    return tau_bench.read(io.BytesIO(json.dumps(results).encode()), about)


@pytest.fixture(scope="module")
def published() -> Imported:
    """The trajectories of gpt-4o on the airline tasks."""
    if not PUBLISHED.is_file():
        pytest.skip("the published trajectories of tau-bench are not beside this checkout")
    with PUBLISHED.open("rb") as file:
        return tau_bench.read(file, ABOUT)


def test_the_published_runs_give_the_published_figures(published: Imported) -> None:
    """50 tasks in four trials each; pass^1 to pass^4 as their README states them."""
    tries: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for scenario in published.scenarios:
        tries[scenario.task_hash][scenario.ending.success] += 1
    tasks = [(each.total(), each["yes"]) for each in tries.values()]
    assert (len(published.scenarios), len(tasks), {n for n, _ in tasks}) == (200, 50, {4})
    found = [pass_hat_k(tasks, k) for k in (1, 2, 3, 4)]
    assert found == pytest.approx([0.42, 0.273333, 0.22, 0.20], abs=1e-6)


def test_the_published_runs_are_told_whole(published: Imported) -> None:
    """Every assistant message is a model call, every answered tool call a run; what the file lacks is a gap."""
    events = [entry.event for scenario in published.scenarios for entry in scenario.entries]
    started = Counter(event.kind for event in of_type(events, EffectStarted))
    assert (started["model"], started.total() - started["model"]) == (2_454, 1_164)
    assert len(of_type(events, EffectFinished)) == 3_618
    found = {one.gap: (one.scenarios, one.events) for one in published.gaps.missing}
    assert found["tools"] == found["usage"] == found["model"] == (200, 2_454)
    assert (found["timings"], found["output"]) == ((200, 3_618), (51, 0))
    assert not {"instructions", "ids", "tool_results", "outcome", "references", "content"} & found.keys()
    first = published.scenarios[0]
    assert (first.id, first.header.tags) == ("airline-0-0", ("tau-bench", "airline", "task-0", "trial-0"))
    assert (first.header.source.importer, first.header.source.licence) == ("tau-bench/1", "MIT")
    assert first.reference.trajectory is not None
    assert [one.name for one in first.reference.trajectory] == ["book_reservation"]


def test_the_published_runs_survive_being_written(published: Imported) -> None:
    """Read, written and read again they are the same, and so is what they lack."""
    twice = again(tau_bench.read, tau_bench.write, published.scenarios, ABOUT)
    assert [plain(one) for one in twice.scenarios] == [plain(one) for one in published.scenarios]
    assert twice.gaps == published.gaps


@st.composite
def results(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a trajectory: turns of the user, each with tool runs before the answer."""
    told = draw(texts)
    traj = [system(told)] if told else []
    for said in draw(st.lists(words, max_size=3)):
        traj.append(says(said))
        for name, gave in draw(st.lists(st.tuples(words, texts), max_size=2)):
            traj += [calls(name), gives(gave)]
        traj += [answers("ok")] if draw(st.booleans()) else []
    info: dict[str, Any] = draw(st.sampled_from([{}, {"task": None}, {"task": {"user_id": "u", "instruction": "i"}}]))
    error = draw(st.just("") | words)
    return result(
        *traj, reward=draw(st.sampled_from([0.0, 0.5, 1.0, None])), **info, **({"error": error} if error else {})
    )


@settings(max_examples=60)
@given(result=results())
def test_any_trajectory_survives_being_written(result: Any) -> None:
    """Whatever it lacks."""
    imported = read(result)
    twice = again(tau_bench.read, tau_bench.write, imported.scenarios, ABOUT)
    assert [plain(one) for one in twice.scenarios] == [plain(one) for one in imported.scenarios]


def test_a_trajectory_becomes_calls_tools_and_a_last_word() -> None:
    """The task is the input, its actions and outputs the reference, the reward the verdict."""
    task = {
        "user_id": "mia", "instruction": "Fly.", "outputs": ["327"],
        "actions": [{"name": "look", "kwargs": {"n": 1}}],
    }  # fmt: skip
    told = result(
        system("Serve."), says("hi"), calls("look"), gives("seven"), answers("It is 327."), says("###STOP###"),
        task_id=9, trial=2, reward_info={"info": {"r_actions": 1.0}}, task=task,
    )  # fmt: skip
    (scenario,) = read(told, about=About(name="retail.json", agent="clerk", model="gpt-4o")).scenarios
    assert scenario.id == "retail-9-2"
    assert scenario.header.input == {"user_id": "mia", "instruction": "Fly."}
    assert scenario.reference == Reference(
        trajectory=(ExpectedCall(name="look", arguments={"n": 1}),), mentions=("327",), origin="tau-bench"
    )
    assert scenario.ending == Ending(
        success="yes", score=1.0, scorer="tau-bench reward", evidence='{"r_actions":1.0}'
    )  # fmt: skip
    events = [entry.event for entry in scenario.entries]
    assert of_type(events, RunStarted)[0].worker == "clerk"
    assert [event.kind for event in of_type(events, EffectStarted)] == ["model", "tool:look", "model"]
    assert of_type(events, EffectStarted)[0].request["model"] == "gpt-4o"
    assert of_type(events, EffectFinished)[1].result == "seven"
    assert of_type(events, RunEnded)[0].report.type == "done"


def test_a_run_that_broke_down_is_a_failure_and_an_unjudged_one_is_unscored() -> None:
    """No reward is no zero, and an error is no output."""
    broken, unjudged = read(
        {"task_id": 1, "trial": 0, "reward": 0.0, "info": {"error": "boom", "traceback": "..."}, "traj": []},
        result(system("x"), says("hi"), calls("look"), reward=None, task_id="late"),
    ).scenarios
    assert broken.header.input is None
    report = of_type([entry.event for entry in broken.entries], RunEnded)[0].report
    assert isinstance(report, Failed)
    assert (report.failure.kind, report.failure.message) == ("upstream", "boom")
    assert (unjudged.id, unjudged.ending) == ("airline-late-0", Ending())
    report = of_type([entry.event for entry in unjudged.entries], RunEnded)[0].report
    assert isinstance(report, Done)
    assert report.output is None


BROKEN: list[tuple[list[Any], str]] = [
    ([{"task_id": 1}], "airline.json /0: expected a result of tau-bench"),
    ([result(), result()], "/1: expected every run once, found a second one of the id 'airline-3-0'"),
    ([result({"role": 7, "content": "x"})], "/0/traj/0/role: expected text, found 7"),
    ([result({"content": "x"})], "/0/traj/0/role: expected text, found nothing"),
    ([result(calls("x") | {"tool_calls": [{"id": "a"}]})], "/0/traj/0/tool_calls/0/function/name: expected text"),
    ([result(task_id=[1])], "/0/task_id: expected a number or a name"),
    ([result(reward="1")], "/0/reward: expected a number, found '1'"),
    ([result() | {"info": {"task": {"actions": [{}]}}}], "/0/info/task/actions/0/name: expected text"),
    ([result() | {"trial": -1}], "/0/trial: expected a number of tokens"),
]


@pytest.mark.parametrize(("results", "complaint"), BROKEN)
def test_what_is_no_trajectory_is_an_error_with_its_place(results: list[Any], complaint: str) -> None:
    """The pointer leads to the field."""
    with pytest.raises(ScenarioError, match=complaint):
        read(*results)


def test_a_trajectory_is_bounded() -> None:
    """Each call has all that was said before it, so that length costs its square."""
    with pytest.raises(ScenarioError, match="/0/traj: expected at most 2000 messages, found 2001"):
        read(result(*[says("x")] * 2_001))


def test_what_is_no_one_conversation_cannot_be_written_as_one() -> None:
    """Handed on, or begun anew: the format has no place for it."""
    with pytest.raises(ScenarioError, match="nested: expected one conversation of one agent"):
        list(tau_bench.write([recorded()]))
    anew = Work(kind="run", worker="w", acts=(call(UserMessage(text="a")), call(UserMessage(text="b"))))
    with pytest.raises(ScenarioError, match="a: expected one conversation, found a model call"):
        list(tau_bench.write([scenario_of(anew)]))


def test_a_scenario_of_another_kind_is_written_as_a_task_of_its_own() -> None:
    """Its id is the task, its input the instruction."""
    work = Work(kind="run", worker="w", payload=[1], acts=(call(UserMessage(text="a")),), report=Done(output="yes"))
    (written,) = json.loads("".join(tau_bench.write([scenario_of(work, "mine")])))
    assert (written["task_id"], written["trial"], written["reward"]) == ("mine", 0, None)
    assert written["info"] == {"task": {"user_id": "", "instruction": "[1]"}}
