"""The commands of evals: record, replay, eval, import; what they print, write and return."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from .commands import DESK, Say, question, typing_in
from .dependencies import ROOT

EXAMPLE = ROOT / "examples" / "invoice_desk" / "scenarios"


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Type commands in a fresh folder with a few files."""
    yield from typing_in(tmp_path, monkeypatch, capsys)


def recorded(say: Say, *more: str) -> None:
    """Run the desk once and record it."""
    assert say("run", "desk.py:desk", "hello", "--run-id", "first").code == 0
    assert say("record", "first", "suite", *more).code == 0


def reference(**fields: object) -> str:
    """Write how the run should have gone."""
    Path("reference.json").write_text(json.dumps(fields))
    return "reference.json"


def test_a_run_becomes_a_scenario_and_replays_as_recorded(say: Say) -> None:
    """Nothing but the journal is needed."""
    say("run", "desk.py:desk", "hello", "--run-id", "first")
    said = say("record", "first", "suite", "--tag", "short")
    assert (said.code, said.out) == (0, "first: 9 events in suite\n")
    replayed = say("replay", "suite", "--team", "desk.py:desk")
    assert replayed.code == 0
    assert "first     as recorded" in replayed.out


def test_recording_the_same_run_again_changes_nothing(say: Say) -> None:
    """A diff shows what really changed."""
    recorded(say)
    before = {path: path.read_bytes() for path in Path("suite").rglob("*") if path.is_file()}
    say("record", "first", "suite")
    assert {path: path.read_bytes() for path in Path("suite").rglob("*") if path.is_file()} == before


def test_a_second_run_joins_the_suite(say: Say) -> None:
    """One suite, one manifest."""
    recorded(say)
    say("run", "desk.py:desk", "goodbye", "--run-id", "second")
    say("record", "second", "suite")
    assert [one["id"] for one in json.loads(Path("suite/suite.json").read_text())["scenarios"]] == ["first", "second"]


def test_a_waiting_run_is_a_scenario_too(say: Say) -> None:
    """What people were asked is in it."""
    say("run", "desk.py:careful", "hello", "--run-id", "waits")
    assert say("record", "waits", "suite", "--scripted").code == 0
    said = say("replay", "suite", "--team", "desk.py:careful", "--json")
    assert [one["status"] for one in said.document] == ["waiting"]
    say("approve", "waits", question(say), "--resume")
    say("record", "waits", "suite", "--scripted")
    said = say("replay", "suite", "--team", "desk.py:careful", "--json")
    assert [(one["status"], one["replayed"]["missed"]) for one in said.document] == [("delivered", 0)]


def test_a_changed_team_fails_a_strict_replay_with_step_and_diff(say: Say) -> None:
    """One edit of a prompt is enough."""
    say("run", "desk.py:careful", "hello", "--run-id", "waits")
    say("record", "waits", "suite")
    Path("other.py").write_text(DESK.replace('instructions="Write."', 'instructions="Write it down."'))
    said = say("replay", "suite", "--team", "other.py:careful")
    assert said.code == 1
    assert "/scribe#1 model 0: the recorded request is another one" in said.out
    assert "Write it down." in said.out
    assert say("replay", "suite", "--team", "other.py:careful", "--mode", "structural").code == 0


def test_secrets_do_not_reach_the_suite(say: Say) -> None:
    """Neither what looks like one, nor a field that the user names."""
    say("run", "desk.py:desk", '{"text": "key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"}', "--run-id", "first")
    said = say("record", "first", "suite")
    assert "redacted" in said.out
    assert b"abcdefghijklmnop" not in b"".join(path.read_bytes() for path in Path("suite").rglob("*") if path.is_file())


def test_a_suite_is_scored_and_compared_and_gated(say: Say) -> None:
    """Exit code 1 is a closed gate, 5 one that cannot say."""
    recorded(say, "--reference", reference(status="delivered", expect=[{"at": "/text", "op": "eq", "value": "HELLO"}]))
    said = say("eval", "suite", "--output", "base.json")
    assert said.code == 0
    assert "No gate: 1 of 1 scored run succeeded" in said.out
    assert (
        say("eval", "suite", "--baseline", "base.json", "--gate", "success:0.1").code == 5
    )  # one scenario: no interval
    assert json.loads(Path("base.json").read_text())["metrics"][0]["name"] == "success_rate"


def test_the_example_passes_its_gate_against_itself(say: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And writes every report."""
    monkeypatch.chdir(ROOT)
    base, page, xml, text = (str(tmp_path / name) for name in ("base.json", "page.html", "junit.xml", "summary.md"))
    assert say("eval", str(EXAMPLE / "offline"), "--output", base, "--fresh").code == 0
    reports = ("--html", page, "--junit", xml, "--markdown", text)
    said = say("eval", str(EXAMPLE / "offline"), "--baseline", base, "--gate", "success:0.1", "--fresh", *reports)
    assert (said.code, said.out.splitlines()[-1]) == (0, "Gate: pass (1 rule: 1 passed); 7 of 7 scored runs succeeded")
    assert Path(page).read_text().startswith("<!DOCTYPE html>")
    assert ElementTree.fromstring(Path(xml).read_text()).get("tests") == "8"
    assert "Gate" in Path(text).read_text()


def test_a_foreign_log_becomes_a_suite_and_says_what_it_lacks(say: Say) -> None:
    """Nothing is made up."""
    message = {"role": "user", "content": "What is 2 + 2?"}
    answer = {"role": "assistant", "content": "4"}
    usage = {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13}
    response = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-5-mini",
        "choices": [{"index": 0, "finish_reason": "stop", "message": answer}], "usage": usage,
    }  # fmt: skip
    line = {"request": {"model": "gpt-5-mini", "messages": [message]}, "response": response}
    Path("log.jsonl").write_text(json.dumps(line) + "\n")
    said = say("import", "log.jsonl", "foreign", "--licence", "MIT")
    assert said.code == 0
    assert "1 scenario in foreign, by openai-chat/1" in said.out
    assert "whether the run succeeded" in said.out
    scored = say("eval", "foreign", "--json")
    assert scored.document["measured"][0]["usage"]["input"] == 12
    assert say("import", "log.jsonl", "foreign").code == 2  # there is one already


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("eval", "nowhere"), "suite.json"),
        (("replay", "nowhere"), "suite.json"),
        (("eval", "suite", "--mode", "strict", "--team", "desk.py:nobody"), "has no 'nobody'"),
        (("eval", "suite", "--scenario", "other"), "has no scenario other; there are first"),
        (("eval", "suite", "--tag", "x"), "no scenario tagged x"),
        (("eval", "suite", "--scorer", "beauty"), "there is no scorer 'beauty'"),
        (("eval", "suite", "--scorer", "desk.py:nothing"), "has no 'nothing'"),
        (("eval", "suite", "--gate", "success:0.1"), "name what with --baseline"),
        (("eval", "suite", "--baseline", "none.json"), "cannot be read"),
        (("record", "first", "suite", "--reference", "none.json"), "cannot be read"),
        (("record", "nobody", "suite"), "no run 'nobody'"),
        (("import", "none.json", "other"), "cannot be read"),
        (("import", "desk.py", "other"), "expected a recording of one of"),
        (("import", "desk.py", "other", "--format", "excel"), "expected an importer"),
    ],
)
def test_bad_input_is_one_line_and_loses_nothing(say: Say, words: tuple[str, ...], said: str) -> None:
    """Who, what, expected, found."""
    recorded(say)
    before = {path: path.read_bytes() for path in Path("suite").rglob("*") if path.is_file()}
    refused = say(*words)
    assert refused.code in (2, 4)
    assert said in refused.err
    assert refused.err.count("\n") == 1
    assert {path: path.read_bytes() for path in Path("suite").rglob("*") if path.is_file()} == before


def test_a_suite_does_not_run_code_from_elsewhere(say: Say) -> None:
    """A suite's own word leads to code in this folder only."""
    recorded(say)
    manifest = json.loads(Path("suite/suite.json").read_text())
    manifest |= {"team": "os:path", "mode": "strict"}
    Path("suite/suite.json").write_text(json.dumps(manifest))
    said = say("eval", "suite")
    assert said.code == 2
    assert "not in this folder" in said.err


def test_a_scorer_of_ones_own_is_a_function(say: Say) -> None:
    """Named on the command line."""
    recorded(say)
    Path("mine.py").write_text("def short(attempt):\n    return len(attempt.output['text']) < 10\n")
    said = say("eval", "suite", "--scorer", "mine.py:short", "--json")
    assert said.document["measured"][0]["scores"] == [
        {"scorer": "short", "success": "yes", "value": None, "evidence": ""}
    ]
