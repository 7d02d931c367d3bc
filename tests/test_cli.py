"""The command: what it does, what it prints and what it returns."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from echelon.supervisor.journal.lock import FileLock

from .commands import DESK, Say, question, refused, started, typing_in
from .dependencies import ROOT


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Type commands in a fresh folder with a few files."""
    yield from typing_in(tmp_path, monkeypatch, capsys)


def test_a_run_prints_its_output_and_returns_zero(say: Say) -> None:
    """The result on standard output, the progress on standard error."""
    said = say("run", "desk.py:desk", "hello")
    assert said.code == 0
    assert '"text": "HELLO"' in said.out
    assert "shout#1  shout  done" in said.err
    assert "\x1b" not in said.out + said.err


def test_a_run_as_json_is_one_document_and_nothing_else(say: Say) -> None:
    """For programs."""
    said = say("run", "desk.py:desk", '{"text": "hello"}', "--json")
    assert said.err == ""
    assert said.document["status"] == "delivered"
    assert said.document["output"] == {"text": "HELLO"}


def test_a_run_that_fails_returns_one_and_says_why(say: Say) -> None:
    """The failure is a result, not an error of the command."""
    said = say("run", "desk.py:desk", "fail", "--quiet")
    assert (said.code, said.err) == (1, "")
    assert "it cannot be said" in said.out


def test_a_run_that_waits_returns_three_and_says_what_to_type(say: Say) -> None:
    """The exact command, with the question's id."""
    said = say("run", "desk.py:careful", "hello", "--run-id", "r1", "--quiet")
    assert said.code == 3
    assert f"echelon approve r1 {question(say)}" in said.out
    assert "bill: $" in said.out
    assert "pen" in said.out


def test_an_approved_run_goes_on_where_it_stopped(say: Say) -> None:
    """The journal knows the team; an id may be cut short; no call is made twice."""
    run = started(say)
    said = say("approve", run[:7], question(say)[:4], "--by", "me", "--note", "fine")
    assert (said.code, said.err) == (0, "")
    assert f"next: echelon resume {run}" in said.out
    said = say("resume", run.removeprefix("run-")[:5], "--json")
    assert said.code == 0
    assert said.document["output"] == {"text": "WRITTEN"}
    assert said.document["bill"]["total"]["calls"] == 1
    assert say("inbox").out == "nobody is asked anything\n"


def test_an_approval_can_go_on_at_once(say: Say) -> None:
    """One command instead of two."""
    said = say("approve", started(say), question(say), "--resume", "--json")
    assert (said.code, said.document["status"]) == (0, "delivered")


def test_a_rejected_run_fails_and_says_who_said_no(say: Say) -> None:
    """With the note."""
    said = say("reject", started(say), question(say), "--by", "boss", "--note", "too loud", "--resume", "--quiet")
    assert said.code == 1
    assert "boss said no: too loud" in said.out


def test_an_answer_counts_once(say: Say) -> None:
    """The second one is told who was first."""
    run, asked = started(say), question(say)
    say("approve", run, asked, "--by", "me")
    assert "me said yes; the run has not taken it yet" in say("inbox").out
    refused(say("reject", run, asked), 2, "me said yes")


def test_a_person_can_report_a_value(say: Say) -> None:
    """JSON on the command line."""
    run, asked = started(say, "desk.py:counter"), question(say)
    refused(say("approve", run, asked), 2, "--value")
    refused(say("approve", run, asked, "--value", "{"), 2, "not JSON")
    said = say("approve", run, asked, "--value", '{"years": 3}', "--resume", "--json")
    assert said.document["output"] == {"years": 3}


def test_an_answer_of_the_wrong_shape_is_asked_for_again(say: Say) -> None:
    """And the reader is told why."""
    run, asked = started(say, "desk.py:counter"), question(say)
    said = say("approve", run, asked, "--value", '{"years": "x"}', "--by", "me", "--resume", "--quiet")
    assert said.code == 3
    assert "an answer was not taken: me" in said.out
    assert question(say) != asked


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("plain words", "PLAIN WORDS"),
        ('{"text": "json"}', "JSON"),
        ("good.json", "FROM A FILE"),
        ("@good.json", "FROM A FILE"),
        ("@words.txt", "FROM A TEXT"),
    ],
)
def test_a_task_is_text_json_or_a_file(say: Say, task: str, text: str) -> None:
    """Whatever is at hand."""
    assert say("run", "desk.py:desk", task, "--json").document["output"] == {"text": text}


def test_a_task_comes_from_standard_input(say: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pipe."""
    with (tmp_path / "good.json").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert say("run", "desk.py:desk", "-", "--json").document["output"] == {"text": "FROM A FILE"}


def test_a_folder_is_a_task_where_the_worker_accepts_one(say: Say, tmp_path: Path) -> None:
    """As is a file."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "look.py").write_text(
        "from pathlib import Path\nfrom pydantic import BaseModel\nfrom echelon import worker\n"
        "class Inbox(BaseModel):\n    folder: Path\n    most: int = 3\n"
        "@worker\nasync def look(inbox: Inbox) -> str:\n    '''Look.'''\n    return inbox.folder.name\n"
    )
    assert say("run", "look.py", "inbox", "--json").document["output"] == "inbox"
    refused(say("run", "look.py", "nowhere"), 2, "a file or folder")


def test_a_team_may_be_a_module(say: Say, tmp_path: Path) -> None:
    """In the current folder or installed."""
    package = tmp_path / "house_of_teams"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("from ._desk import desk\n")
    (package / "_desk.py").write_text(DESK)
    assert say("run", "house_of_teams.inner:desk", "x", "--json").code == 0
    assert say("run", "house_of_teams/inner.py", "x", "--json").code == 0
    refused(say("run", "house_of_teams.nix:desk", "x"), 2, "no module 'house_of_teams.nix'")


def test_the_one_who_leads_is_meant_where_nobody_is_named(say: Say, tmp_path: Path) -> None:
    """A team inside a team is not the team."""
    team = "team=[shout, desk, careful, counter, free]"
    top = f"top = Supervisor('top', accepts=Task, returns=Note, {team}, planner=plain)"
    (tmp_path / "nested.py").write_text(f"{DESK}\n{top}\n")
    assert say("run", "nested.py", "x", "--json").document["worker"] == "top"


def test_runs_are_listed_the_latest_first(say: Say) -> None:
    """And by status."""
    assert say("runs").out == f"no runs in {Path('.echelon') / 'runs.db'}\n"
    first, second = started(say, "desk.py:desk"), started(say)
    assert [run["run"] for run in say("runs", "--json").document] == [second, first]
    assert [run["run"] for run in say("runs", "--json", "--status", "done").document] == [first]
    assert "careful" in say("runs").out


def test_show_tells_the_route_and_the_bill(say: Say) -> None:
    """As text and as JSON."""
    run = started(say)
    text = say("show", run).out
    for words in ("route", "scribe#1", "boss#1", "bill: $", "framework text", "echelon approve"):
        assert words in text
    document = say("show", run, "--json").document
    assert {leg["path"]: leg["status"] for leg in document["route"]} == {
        "/plan#1": "done",
        "/scribe#1": "done",
        "/boss#1": "waiting",
    }
    assert document["framework_text"]["worker_calls"] == 1


def test_explain_says_where_the_input_came_from(say: Say) -> None:
    """And what a person said."""
    run = started(say)
    say("approve", run, question(say), "--by", "me", "--resume")
    text = say("explain", run, "shout").out
    assert "scribe (by scribe)" in text
    assert "came back: done" in text
    assert "me said yes" in say("explain", run, "boss").out
    document = say("explain", run, "shout", "--json").document
    assert document["tries"][0]["origins"][0]["source"] == "scribe"


MANY = '''
from pydantic import BaseModel
from echelon import Supervisor, Workflow, worker
from echelon.supervisor.planners.workflow import ITEM

calls = []


@worker
async def double(number: int) -> int:
    """Double a number; the network fails once."""
    calls.append(number)
    if len(calls) == 2:
        raise ConnectionError("lost")
    return 2 * number


@worker
async def total(numbers: list[int]) -> int:
    """Add up."""
    return sum(numbers)


class Sums(BaseModel):
    total: int
    never: int | None


flow = Workflow(list[int], Sums)
doubles = flow.each(double, flow.task, ITEM)
sums = flow.step(total, doubles)
never = flow.step(total, [1], id="never", when=sums.lt(0), after=[doubles])
flow.output({"total": sums, "never": never})
many = Supervisor("many", accepts=list[int], returns=Sums, team=[double, total], planner=flow)
'''


def test_explain_tells_of_lists_conditions_retries_and_skips(say: Say, tmp_path: Path) -> None:
    """Everything that was decided, each with its reason."""
    (tmp_path / "many.py").write_text(MANY)
    run = say("run", "many.py", "[1, 2, 3]", "--json").document
    assert run["output"] == {"total": 12, "never": None}
    text = say("explain", run["run"], "double").out
    assert "once for each of task: 3 of them" in text
    assert "item of task" in text
    assert "failed, " in text
    assert "then: retry: " in text
    assert "double[1]#2" in say("explain", run["run"], "double[1]").out
    text = say("explain", run["run"], "never").out
    for words in ("only when total lt 0", "after double", "skipped: "):
        assert words in text
    assert "the plan" in say("explain", run["run"], "total").out


def test_graph_draws_runs_and_teams(say: Say, tmp_path: Path) -> None:
    """As Mermaid, as SVG, with what ran."""
    run = started(say)
    assert say("graph", run).out.startswith("flowchart LR\n")
    assert "waiting" in say("graph", run).out
    assert say("graph", run, "--output", "plan.svg").out == "wrote plan.svg\n"
    assert (tmp_path / "plan.svg").read_text().startswith("<svg")
    assert say("graph", "desk.py:careful", "--format", "svg").out.startswith("<svg")
    assert "planned" in say("graph", "desk.py:careful", "--plan").out
    assert "sent to work 1" in say("graph", run, "--team", "desk.py:careful").out


def test_audit_finds_the_chain_whole(say: Say) -> None:
    """Of one run, and of all."""
    run = started(say)
    started(say, "desk.py:desk")
    assert say("audit", run).code == 0
    assert [one["ok"] for one in say("audit", "--json").document] == [True, True]


def test_a_changed_line_is_found(say: Say) -> None:
    """By audit, by show, and by whoever wants to go on."""
    run = started(say)
    with sqlite3.connect(Path(".echelon") / "runs.db") as journal:
        journal.execute("UPDATE event SET at = at + 1 WHERE seq = 3")
    journal.close()
    said = say("audit")
    assert (said.code, said.err.count("\n")) == (4, 1)
    assert "damaged" in said.out
    assert say("audit", "--json").document[0]["ok"] is False
    for words in (("show", run), ("resume", run), ("explain", run, "shout"), ("graph", run), ("inbox",)):
        refused(say(*words), 4, "event 3")


def test_doctor_says_whether_there_is_a_key_and_never_which(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a character of it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecret")
    said = say("doctor")
    assert said.code == 0
    assert "OPENAI_API_KEY is set" in said.out
    assert "verysecret" not in said.out + say("doctor", "--json").out
    monkeypatch.delenv("OPENAI_API_KEY")
    found = {one["what"]: one["state"] for one in say("doctor", "--json").document}
    assert (found["key"], found["journal"], found["prices"]) == ("missing", "ok", "ok")


def test_doctor_finds_a_journal_that_is_none(say: Say) -> None:
    """And says so before a run does."""
    said = say("doctor", "--journal", "words.txt")
    assert said.code == 1
    assert "bad" in said.out


def test_a_journal_in_use_is_left_alone(say: Say) -> None:
    """Reading goes on; writing says who is in the way."""
    run = started(say)
    lock = FileLock(Path(".echelon") / "runs.db")
    lock.acquire()
    try:
        refused(say("run", "desk.py:desk", "x", "--quiet"), 1, f"in use by pid {os.getpid()}")
        assert say("show", run).code == 0
        assert "in use by pid" in say("doctor").out
    finally:
        lock.release()


def test_another_journal_is_named_in_what_to_type_next(say: Say) -> None:
    """A command that is copied works."""
    said = say("run", "desk.py:careful", "x", "--journal", "my runs.db", "--quiet")
    assert "--journal 'my runs.db'" in said.out
    assert say("runs").out.startswith("no runs")


def test_limits_hold(say: Say) -> None:
    """In US dollars, for the whole run."""
    said = say("run", "desk.py:careful", "x", "--usd", "0.000001", "--json")
    assert said.code == 1
    assert said.document["failure"]["kind"] == "budget"
    assert said.document["bill"]["total"]["usd"] == 0


def process(folder: Path, *argv: str) -> "subprocess.Popen[str]":
    """Start the command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "ascii"}
    return subprocess.Popen(
        [sys.executable, "-m", "echelon.cli", *argv], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_the_command_works_as_a_process(say: Say, tmp_path: Path) -> None:
    """With nothing but ASCII to write in, too."""
    running = process(tmp_path, "run", "desk.py:careful", "größe", "--quiet")
    out, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (3, "")
    assert "waits for boss" in out
    assert say("inbox").code == 0
    bad = process(tmp_path, "run", "nofile.py", "x")
    out, err = bad.communicate(timeout=30)
    assert (bad.returncode, out, err) == (2, "", "echelon: there is no file 'nofile.py'\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_run_says_how_to_go_on(say: Say, tmp_path: Path) -> None:
    """Exit code 130; the journal says that it was called off, and it can be resumed."""
    (tmp_path / "nap.py").write_text(
        "import anyio\nfrom pathlib import Path\nfrom echelon import worker\n"
        "@worker\nasync def nap(text: str) -> str:\n    '''Sleep.'''\n"
        "    Path('asleep').touch()\n    await anyio.sleep(0 if Path('awake').exists() else 60)\n    return text\n"
    )
    running = process(tmp_path, "run", "nap.py", "x", "--run-id", "r1", "--quiet")
    for _ in range(600):
        if (tmp_path / "asleep").exists():
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (130, "echelon: interrupted; go on with: echelon resume r1\n")
    assert say("show", "r1", "--json").document["status"] == "cancelled"
    (tmp_path / "awake").touch()
    assert say("resume", "r1", "--json").document["output"] == "x"


def test_a_reader_that_has_seen_enough_is_no_error(say: Say, tmp_path: Path) -> None:
    """As in `echelon show r1 | head -1`."""
    started(say)
    running = process(tmp_path, "runs")
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    assert running.stderr.read() == ""
    running.stderr.close()
    assert running.wait(timeout=30) == 1


def test_help_and_version_are_no_errors(say: Say) -> None:
    """Exit code 0, on standard output."""
    for words in (("--help",), ("run", "--help"), ("--version",)):
        said = say(*words)
        assert (said.code, said.err) == (0, "")
        assert "echelon" in said.out
