"""Suites: folders of scenarios, written whole and always the same, read one by one and without trust."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from echelon.evals.scenario import Scenario
from echelon.evals.scenarios.suite import MANIFEST, Manifest, Suite, seal, write_suite
from echelon.evals.statistics.gate import Rule
from echelon.protocols.errors import ScenarioError
from echelon.protocols.messages import Json

from .test_scenarios_blobs import LONG
from .test_scenarios_lines import small

DESK = Manifest(
    name="desk",
    description="what the desk is asked",
    licence="MIT",
    team="examples.desk:team",
    mode="strict",
    repeats=3,
    scorers=("exact",),
    tags=("nightly",),
    gate=(Rule(metric="success", margin=0.05, direction="higher", required=frozenset("ba")),),
)


def named(name: str, value: Json = 7) -> Scenario:
    """Make a scenario of that id."""
    scenario = small(value)
    return replace(scenario, header=scenario.header.model_copy(update={"id": name}))


def contents(folder: Path) -> dict[str, bytes]:
    """Read everything in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written_is_opened_unchanged(tmp_path: Path) -> None:
    """The manifest, and the scenarios in the order given."""
    scenarios = [named("b", LONG), named("a", {"$blob": LONG}), named("c")]
    suite = write_suite(tmp_path / "new" / "desk", scenarios, DESK)
    again = Suite.open(tmp_path / "new" / "desk")
    assert again == suite
    assert list(again) == scenarios
    assert (len(again), again.scenario("a")) == (3, scenarios[1])
    assert again.manifest.model_copy(update={"scenarios": ()}) == DESK


def test_the_same_suite_is_the_same_bytes(tmp_path: Path) -> None:
    """Written twice, or over itself."""
    scenarios = [named("b", LONG), named("a")]
    write_suite(tmp_path / "one", scenarios, DESK)
    write_suite(tmp_path / "two", iter(scenarios), DESK)
    before = contents(tmp_path / "one")
    assert contents(tmp_path / "two") == before
    write_suite(tmp_path / "one", Suite.open(tmp_path / "one"), DESK)
    assert contents(tmp_path / "one") == before


def test_what_is_no_longer_in_a_suite_goes_and_nothing_else(tmp_path: Path) -> None:
    """A file of somebody else's stays."""
    write_suite(tmp_path, [named("a", LONG), named("b", LONG + "2")], DESK)
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "mine.scenario.jsonl").write_text("mine")
    (tmp_path / "blobs" / "notes.json").write_text("mine")
    write_suite(tmp_path, [named("b", LONG + "2")], DESK)
    files = sorted(contents(tmp_path))
    assert [name for name in files if not name.startswith("blobs/")] == [
        "README.md", "b.scenario.jsonl", "mine.scenario.jsonl", MANIFEST,
    ]  # fmt: skip
    assert len([name for name in files if name.startswith("blobs/")]) == 2
    assert list(Suite.open(tmp_path)) == [named("b", LONG + "2")]


def test_a_suite_that_breaks_off_while_it_is_written_leaves_the_old_one(tmp_path: Path) -> None:
    """Nothing of it, and no half of the new one."""
    write_suite(tmp_path, [named("a"), named("b")], DESK)
    before = contents(tmp_path)

    def breaking() -> Iterator[Scenario]:
        yield named("a", "changed")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_suite(tmp_path, breaking(), DESK)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("scenarios", "what"),
    [
        ([named("a"), named("a")], "each id once, found 'a' again"),
        ([named("a"), named("A")], "each id once, found 'A' again"),
        ([named("con")], "the name of a file, found 'con.scenario.jsonl'"),
        ([named("Lpt1.x")], "the name of a file"),
        ([named("a", float("nan"))], r"a\.scenario\.jsonl:1: expected numbers that JSON has"),
    ],
    ids=range(5),
)
def test_what_could_not_be_opened_is_not_written(scenarios: list[Scenario], what: str, tmp_path: Path) -> None:
    """Ids that are one file somewhere, names that are devices, values that JSON has not."""
    with pytest.raises(ScenarioError, match=what):
        write_suite(tmp_path, scenarios, DESK)
    assert contents(tmp_path) == {}


def test_a_link_in_the_place_of_a_file_is_not_written_through(tmp_path: Path) -> None:
    """What lies outside stays as it is."""
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "a.scenario.jsonl").symlink_to("../outside")
    with pytest.raises(ScenarioError, match="symbolic link"):
        write_suite(tmp_path / "suite", [named("a")], DESK)
    assert (tmp_path / "outside").read_text() == "mine"


def spoiled(folder: Path, change: Callable[[dict[str, Json]], object]) -> None:
    """Change the manifest."""
    path = folder / MANIFEST
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"schema_version": 2}, "schema version 1, found 2, written by another version"),
        ({"more": 1}, "at /more: Extra inputs"),
        ({"name": ""}, "at /name"),
        ({"team": "os; import sys:x"}, "at /team"),
        ({"repeats": 0}, "at /repeats"),
        ({"mode": "yolo"}, "at /mode"),
        ({"gate": [{"metric": "success"}]}, "at /gate/0/margin"),
        ({"scenarios": [{"id": "a"}]}, "at /scenarios/0/file"),
        ({"scenarios": [{"id": "a", "file": "../a.scenario.jsonl", "sha256": "0" * 64}]}, "the name of a file"),
        ({"scenarios": [{"id": "a", "file": "/etc/passwd", "sha256": "0" * 64}]}, "the name of a file"),
        ({"scenarios": [{"id": "a", "file": "x/a.scenario.jsonl", "sha256": "0" * 64}]}, "the name of a file"),
        ({"scenarios": [{"id": "a", "file": "a\0.scenario.jsonl", "sha256": "0" * 64}]}, "the name of a file"),
        ({"scenarios": [{"id": "a", "file": "a" * 300, "sha256": "0" * 64}]}, "the name of a file"),
        ({"scenarios": [{"id": "a", "file": "NUL.scenario.jsonl", "sha256": "0" * 64}]}, "the name of a file"),
        ({"scenarios": [{"id": "a", "file": "notes.txt", "sha256": "0" * 64}]}, "names end in .scenario.jsonl"),
        ({"scenarios": [{"id": "a", "file": "a.scenario.jsonl", "sha256": "0"}]}, "at /scenarios/0/sha256"),
        ({"scenarios": [{"id": f"{x}", "file": "a.scenario.jsonl", "sha256": "0" * 64} for x in "ab"]}, "once"),
    ],
    ids=range(17),
)
def test_a_manifest_of_another_shape_is_refused(change: dict[str, Json], what: str, tmp_path: Path) -> None:
    """Before any other file is opened."""
    write_suite(tmp_path, [named("a")], DESK)
    spoiled(tmp_path, lambda value: value.update(change))
    with pytest.raises(ScenarioError) as caught:
        Suite.open(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / MANIFEST}: expected ")
    assert what in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[" * 100_000, '{"name":"a","name":"b"}', '{"repeats":NaN}', "\ufeff{}"]
)
def test_a_manifest_that_is_no_json_is_refused(text: str, tmp_path: Path) -> None:
    """Damaged, deep, with a field twice."""
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ScenarioError, match=r"suite\.json: expected "):
        Suite.open(tmp_path)


def test_a_folder_without_a_manifest_of_its_own_is_no_suite(tmp_path: Path) -> None:
    """A link to another one is none."""
    with pytest.raises(ScenarioError, match="found no such file or directory"):
        Suite.open(tmp_path)
    write_suite(tmp_path / "suite", [named("a")], DESK)
    (tmp_path / MANIFEST).symlink_to(f"suite/{MANIFEST}")
    with pytest.raises(ScenarioError, match="symbolic link"):
        Suite.open(tmp_path)


def test_a_file_that_the_manifest_does_not_list_so_is_refused(tmp_path: Path) -> None:
    """Changed, missing, a link, of another id; the others can be read all the same."""
    write_suite(tmp_path, [named("a"), named("b")], DESK)
    suite, file = Suite.open(tmp_path), tmp_path / "a.scenario.jsonl"
    content = file.read_text()
    file.write_text(content.replace('"score":0.5', '"score":0.6'))
    with pytest.raises(ScenarioError, match=rf"^{file}:8: expected SHA-256 [0-9a-f]{{12}}, as suite.json says, found"):
        next(iter(suite))
    file.write_text("\n".join(content.split("\n")[:4]))
    with pytest.raises(ScenarioError, match=rf"^{file}:5: expected an ending"):
        next(iter(suite))
    file.write_text((tmp_path / "b.scenario.jsonl").read_text())
    with pytest.raises(ScenarioError, match=rf"^{file}:1: expected scenario 'a', found 'b'"):
        next(iter(suite))
    file.unlink()
    with pytest.raises(ScenarioError, match=rf"^{file}: expected a file that can be read, found no such file"):
        next(iter(suite))
    file.symlink_to("b.scenario.jsonl")
    with pytest.raises(ScenarioError, match=rf"^{file}: .*symbolic link"):
        next(iter(suite))
    assert suite.scenario("b") == named("b")
    with pytest.raises(ScenarioError, match="expected a scenario 'z', found none"):
        suite.scenario("z")


def test_an_edited_suite_is_sealed_again(tmp_path: Path) -> None:
    """References are written by hand; what is no scenario is not sealed."""
    write_suite(tmp_path, [named("a", LONG), named("b")], DESK)
    file = tmp_path / "a.scenario.jsonl"
    file.write_text(file.read_text().replace('"score":0.5', '"score":0.75'))
    suite = seal(tmp_path)
    assert [one.ending.score for one in Suite.open(tmp_path)] == [0.75, 0.5]
    assert suite.manifest.gate == DESK.gate
    file.write_text(file.read_text().replace('"score":0.75', '"score":7'))
    with pytest.raises(ScenarioError, match=rf"^{file}:8: expected a valid ending"):
        seal(tmp_path)


def test_a_huge_file_without_a_newline_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Nor is a manifest that is one."""
    write_suite(tmp_path, [named("a")], DESK)
    suite, file = Suite.open(tmp_path), tmp_path / "a.scenario.jsonl"
    with file.open("wb") as empty:
        empty.truncate(10**12)
    tracemalloc.start()
    with pytest.raises(ScenarioError, match=r"a\.scenario\.jsonl:1: expected at most \d+ bytes"):
        next(iter(suite))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000
    file.rename(tmp_path / MANIFEST)
    with pytest.raises(ScenarioError, match=r"suite\.json: expected at most \d+ bytes"):
        Suite.open(tmp_path)


def peak_of(suite: Suite) -> int:
    """Measure how many bytes reading a suite takes at most, beyond its manifest."""
    tracemalloc.start()
    assert sum(len(scenario.entries) for scenario in suite) == 4 * len(suite)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_ten_times_as_many_scenarios_take_no_more_memory(tmp_path: Path) -> None:
    """They are read one by one, and forgotten."""
    few = write_suite(tmp_path / "few", (named(f"s{i}") for i in range(100)), DESK)
    many = write_suite(tmp_path / "many", (named(f"s{i}") for i in range(1_000)), DESK)
    assert list(few)[:2] == [named("s0"), named("s1")]  # whatever is made at its first use has been made
    assert peak_of(many) < 1.5 * peak_of(few)
