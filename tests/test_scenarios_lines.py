"""Scenarios as lines: what is written is read unchanged and always the same, and nothing else is read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.scenario import Arm, Ending, Expectation, Header, Reference, Scenario, Source, StepReference
from echelon.evals.scenarios.lines import SUFFIX, Limits, dump, load
from echelon.protocols.errors import ScenarioError
from echelon.protocols.events import Claimed, Delegated, Event, Joined, RunStarted
from echelon.protocols.messages import Budget, Json
from echelon.protocols.plans import Plan, Step
from echelon.supervisor.runs import Entry

from .desks import desk, worked
from .test_jsonl import VALUES

DIGEST = "0123456789abcdef" * 4
SOURCE = Source(kind="synthetic")
KEYS = st.sampled_from(["$blob", "$$blob", "$$$blob", "$from", "line", "bytes", "a"])
USER: st.SearchStrategy[Json] = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def started(task: Json = None) -> RunStarted:
    """Begin a run."""
    return RunStarted(run="run-1", worker="desk", task=task, definitions={"desk": DIGEST}, budget=Budget())


def small(task: Json = 7, *, clock: float = 0.0) -> Scenario:
    """Make a scenario of few events, with everything else in it."""
    given = Delegated(
        step="a", worker="w", attempt=1, payload=task, digest=DIGEST, labels=frozenset("xyz"), reason="it is ready"
    )
    events: list[Event] = [started(task), Claimed(owner="drive 1"), given, Joined(round=0, output=task)]
    return Scenario(
        header=Header(id="one", worker="desk", input=task, tags=("b", "a"), source=SOURCE, clock=clock),
        reference=Reference(
            steps=(StepReference(step="/a", acceptable=("w",), should_delegate=True),),
            plans=(Plan(steps=(Step(id="a", worker="w", input={"x": {"$from": "task"}}),), output={"$from": "a"}),),
            expect=(Expectation(at="/n", op="eq", value=task),),
        ),
        entries=tuple(Entry(seq, clock + seq / 8, event) for seq, event in enumerate(events, 1)),
        arms=(Arm(step="/a", payload=DIGEST, agent="w", output=task, success="no"),),
        ending=Ending(success="yes", score=0.5),
    )


@given(USER)
def test_what_is_dumped_is_loaded_unchanged(value: Json) -> None:
    """Whatever the user's data: text in any script, big numbers, objects that look like ours."""
    scenario = small(value)
    lines = list(dump(scenario))
    assert load(lines) == scenario
    assert load(line.encode() for line in lines) == scenario
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
    assert list(dump(load(lines))) == lines


@given(st.lists(st.integers(0, 10**12), max_size=6), st.floats(0, 4e9))
def test_times_are_kept_to_the_microsecond(moments: list[int], clock: float) -> None:
    """Once written they do not move again."""
    entries = [Entry(seq, clock + at / 1e6, Claimed(owner="o")) for seq, at in enumerate(sorted(moments), 1)]
    once = load(dump(replace(small(), header=small().header.model_copy(update={"clock": clock}), entries=entries)))
    assert [entry.at for entry in once.entries] == pytest.approx([entry.at for entry in entries], abs=1e-6)
    assert load(dump(once)) == once


def test_a_recorded_run_comes_back_from_its_lines() -> None:
    """Model calls, tools, a write, a person's answer, two drives."""
    scenario = Scenario.from_run(worked(), desk(), name="one")
    assert load(dump(scenario)) == scenario
    assert len(scenario.entries) > 20


def test_lines_hold_what_differs_from_the_default_and_no_more() -> None:
    """So a change is a small difference."""
    header, reference, *events, arm, ending = (json.loads(line) for line in dump(small()))
    assert header == {
        "line": "scenario", "schema_version": 1, "id": "one", "worker": "desk", "input": 7, "tags": ["b", "a"],
        "source": {"kind": "synthetic"},
    }  # fmt: skip
    assert reference["steps"] == [{"step": "/a", "acceptable": ["w"], "should_delegate": True}]
    assert events[1] == {"line": "event", "t": 0.25, "event": {"type": "claimed", "owner": "drive 1"}}
    assert events[2]["event"]["labels"] == ["x", "y", "z"]
    assert arm == {"line": "arm", "step": "/a", "payload": DIGEST, "agent": "w", "output": 7, "success": "no"}
    assert ending == {"line": "ending", "success": "yes", "score": 0.5}
    bare = Scenario(header=Header(id="bare", worker="w", input=None, source=SOURCE))
    assert [json.loads(line)["line"] for line in dump(bare)] == ["scenario", "ending"]


def test_a_number_stands_only_where_one_is_missing() -> None:
    """So an event more does not change every line after it."""
    entries = [Entry(seq, 0.0, Claimed(owner="o")) for seq in (1, 2, 5, 6)]
    scenario = replace(small(), entries=tuple(entries))
    assert [json.loads(line).get("seq") for line in dump(scenario) if '"event"' in line] == [None, None, 5, None]
    assert load(dump(scenario)) == scenario


def test_the_same_scenario_is_the_same_bytes_whatever_the_hash_seed() -> None:
    """Sets have no order of their own."""
    program = "from tests.test_scenarios_lines import small, dump; print(*dump(small()), sep='', end='')"
    command = [sys.executable, "-c", f"import sys; sys.path.append('.'); {program}"]
    seeds = ({"PYTHONHASHSEED": seed, "PYTHONSAFEPATH": "1"} for seed in ("1", "2"))
    outputs = [subprocess.run(command, env=seed, capture_output=True, check=True, timeout=60).stdout for seed in seeds]
    assert outputs[0] == outputs[1] == "".join(dump(small())).encode()


def refused(lines: list[str], *, limits: Limits | None = None) -> str:
    """Say why lines are refused."""
    with pytest.raises(ScenarioError) as caught:
        load(lines, file=f"one{SUFFIX}", limits=limits or Limits())
    assert len(str(caught.value)) < 400
    return str(caught.value).removeprefix(f"one{SUFFIX}:")


def edited(number: int, change: Callable[[dict[str, Json]], object]) -> list[str]:
    """Change one line, the first being 1."""
    lines = list(dump(small()))
    value = json.loads(lines[number - 1])
    change(value)
    lines[number - 1] = json.dumps(value)
    return lines


def test_a_file_that_was_cut_off_is_refused() -> None:
    """In the middle of a line, between two, or before the first."""
    lines = list(dump(small()))
    assert refused([*lines[:-1], lines[-1][:-6]]).startswith("8: expected one JSON value")
    assert refused(lines[:4]) == "5: expected an ending, found the end of the file"
    assert refused([]) == "1: expected an ending, found the end of the file"


@pytest.mark.parametrize(
    "line", ["{", "[" * 100_000, '{"line":"event","line":"event"}', '{"line":"event","t":NaN}', "\ufeff{}", "x", "\n"]
)
def test_a_line_that_is_no_json_is_refused_with_its_number(line: str) -> None:
    """Damaged, deep, with a field twice, with no number, with a mark."""
    lines = list(dump(small()))
    assert refused([*lines[:3], line, *lines[3:]]).startswith("4: expected ")


def test_a_scenario_of_another_version_is_refused() -> None:
    """Before anything else in it is looked at."""
    said = refused(edited(1, lambda line: line.update(schema_version=2, novelty=1)))
    assert said == "1: expected schema version 1, found 2, written by another version of Echelon"
    assert refused(edited(1, lambda line: line.pop("schema_version"))) == "1: expected schema version 1, found none"
    assert "/schema_version" in refused(edited(3, lambda line: line["event"].update(schema_version=9)))


@pytest.mark.parametrize(
    ("number", "change", "what"),
    [
        (1, {"id": "../../etc/passwd"}, "a valid header, found at /id"),
        (1, {"more": 1}, "a valid header, found at /more: Extra inputs"),
        (1, {"source": {"kind": "stolen"}}, "a valid header, found at /source/kind"),
        (2, {"steps": 3}, "a valid reference, found at /steps"),
        (3, {"event": {"type": "os_system"}}, "a valid moment, found at /event: a type that is not known"),
        (3, {"event": {}}, "a valid moment, found at /event"),
        (3, {"event": "run_started"}, "a valid moment, found at /event"),
        (3, {"t": -1}, "a valid moment, found at /t"),
        (3, {"t": "soon"}, "a valid moment, found at /t"),
        (3, {"t": 1e300}, "a valid moment, found at /t"),
        (3, {"seq": 0}, "a valid moment, found at /seq"),
        (3, {"more": 1}, "a valid moment, found at /more: Extra inputs"),
        (4, {"t": 0.01}, "an event at 0.125 s or later, found one at 0.01 s"),
        (4, {"seq": 1}, "an event after event 1, found event 1"),
        (7, {"payload": "x"}, "a valid arm, found at /payload"),
        (8, {"score": 2}, "a valid ending, found at /score"),
        (4, {"line": "import"}, "a line 'event' or a line 'arm' or a line 'ending', found a line 'import'"),
        (4, {"line": ["event"]}, "found another object"),
        (4, {"line": "scenario"}, "found a line 'scenario'"),
        (7, {"line": "reference"}, "a line 'event' or a line 'arm' or a line 'ending', found a line 'reference'"),
        (8, {"line": "event"}, "a line 'arm' or a line 'ending', found a line 'event'"),
        (1, {"line": "ending"}, "a line 'scenario', found a line 'ending'"),
        (3, {"event": {"$blob": DIGEST, "bytes": 9000}}, "everything in line, found a reference to a blob"),
        (3, {"event": {"$blob": 1}}, "a reference to a blob"),
    ],
    ids=range(24),
)
def test_a_line_of_another_shape_or_order_is_refused(number: int, change: dict[str, Json], what: str) -> None:
    """With the first fault and its place, and nothing of what was found."""
    said = refused(edited(number, lambda line: line.update(change)))
    assert said.startswith(f"{number}: expected ")
    assert what in said


def test_nothing_follows_the_ending() -> None:
    """Not even another ending."""
    lines = list(dump(small()))
    assert refused([*lines, lines[-1]]) == "9: expected the end of the file, found a line 'ending'"


def test_a_line_that_is_too_long_and_a_file_of_too_many_are_refused() -> None:
    """By limits that the caller may set."""
    lines = list(dump(small()))
    assert refused(lines, limits=Limits(line=100)).startswith("1: expected at most 100 characters")
    assert refused(lines, limits=Limits(lines=4)) == "5: expected at most 4 lines, found more"
    assert refused(lines, limits=Limits(total=300)).startswith("2: expected a scenario of at most 300 bytes")


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), "\ud800", {"a": "\udfff"}, 10**5_000, {1: 2}, {3, "x"}, b""],
    ids=range(8),
)
def test_what_could_not_be_read_again_is_not_written(value: Json) -> None:
    """The error names the scenario and the line."""
    scenario = replace(small(), arms=(Arm(step="/a", payload=DIGEST, agent="w", output=value),))
    with pytest.raises(ScenarioError, match=rf"^one{SUFFIX}:7: expected "):
        list(dump(scenario))


def test_what_is_nested_too_deeply_is_not_written() -> None:
    """It could not be read again."""
    deep: Json = 0
    for _ in range(300):
        deep = [deep]
    with pytest.raises(ScenarioError, match="levels"):
        list(dump(small(deep)))


def test_events_out_of_order_are_not_written() -> None:
    """By number, by time, or before the clock."""
    first, second, *_ = small().entries
    for entries in ((second, first), (first, replace(second, at=0.0)), (replace(first, at=-1.0),)):
        with pytest.raises(ScenarioError, match="expected events in order"):
            list(dump(replace(small(), entries=entries)))


def test_a_line_that_is_too_long_is_not_written() -> None:
    """Without a place for blobs, everything stands in line."""
    with pytest.raises(ScenarioError, match=r":1: expected lines of at most \d+ bytes"):
        list(dump(small("x" * 5_000_000)))
