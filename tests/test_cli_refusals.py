"""What the command refuses, each in one line with an exit code, and what no run can make it do."""

import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from echelon.cli.progress import Progress
from echelon.cli.rendering import Screen, clean
from echelon.cli.teams import is_here
from echelon.protocols.conversation import Delta
from echelon.protocols.events import Delegated, EffectFinished
from echelon.protocols.messages import Usage

from .commands import DESK, FILES, Say, question, refused, started, typing_in


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Type commands in a fresh folder with a few files."""
    yield from typing_in(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "COMMAND"),
        ("fly", "fly"),
        ("run", "team, task"),
        ("run desk.py:desk", "task"),
        ("run desk.py:desk x y", "y"),
        ("run nofile.py x", "no file 'nofile.py'"),
        ("run no_such_module:team x", "no module 'no_such_module'"),
        ("run no_such_module x", "no module 'no_such_module'"),
        ("run os.path.nix:team x", "no module 'os.path.nix'"),
        ("run desk.py:nix x", "workers there: shout"),
        ("run desk.py:Task x", "expected a worker"),
        ("run desk.py:price x", "expected a worker"),
        ("run desk.py x", "desk, careful, counter, free"),
        ("run empty.py x", "has no worker"),
        ("run broken.py x", "broken.py:1"),
        ("run raising.py x", "ZeroDivisionError"),
        ("run importing.py x", "no_such_module_at_all"),
        ("run : x", "module:attr"),
        ("run a-b:c x", "module:attr"),
        ("run desk.py: x", "module:attr"),
        ("run ./desk.py:desk @nofile", "no file 'nofile'"),
        ("run desk.py:desk {", "not JSON"),
        ("run desk.py:desk bad.json", "bad.json is not JSON"),
        ("run desk.py:desk wrong.json", "/text"),
        ('run desk.py:desk {"text":"x","more":1}', "more"),
        ("run desk.py:desk []", "does not accept"),
        ("run desk.py:desk x --usd -1", "limits: /usd"),
        ("run desk.py:desk x --usd nan", "limits: /usd"),
        ("run desk.py:desk x --usd much", "--usd"),
        ("run desk.py:desk x --calls 1.5", "--calls"),
        ("run desk.py:desk x --flag", "--flag"),
        ("runs --status asleep", "asleep"),
        ("show nix", "no journal"),
        ("resume nix", "no journal"),
        ("audit", "no journal"),
        ("approve nix nix", "no journal"),
        ("graph nix", "no journal"),
        ("graph desk.py:free --plan", "no fixed plan"),
        ("graph desk.py:desk --output x.png", "x.png"),
        ("graph desk.py:desk --output no/such/x.svg", "cannot be written"),
        ("graph desk.py:desk --format png", "png"),
    ],
)
def test_bad_usage_is_answered_in_one_line(say: Say, line: str, words: str) -> None:
    """With exit code 2, and no traceback."""
    refused(say(*line.split()), 2, words)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("show", "nix"), "no run 'nix'"),
        (("show", ""), "no run"),
        (("resume", "nix"), "no run 'nix'"),
        (("explain", "r", "nix"), "the steps are: scribe, boss, shout"),
        (("explain", "r", "boss#7"), "there is: boss#1"),
        (("approve", "r", "nix"), "open questions: "),
        (("approve", "r", ""), "open questions: "),
        (("approve", "r", "QUESTION", "--value", "1"), "leave --value out"),
        (("resume", "r", "--team", "nofile.py"), "no file"),
        (("resume", "r", "--pin", "--migrate"), "--migrate"),
        (("run", "desk.py:desk", "x", "--run-id", "r1"), "already a run 'r1'"),
    ],
)
def test_a_wrong_name_is_answered_with_what_is_there(say: Say, words: tuple[str, ...], why: str) -> None:
    """In one line."""
    say("run", "desk.py:careful", "x", "--run-id", "r1", "--quiet")
    asked = question(say)
    refused(say(*(asked if word == "QUESTION" else word for word in words)), 2, why)


def test_an_id_that_several_runs_begin_with_is_refused(say: Say) -> None:
    """Nobody guesses."""
    for run in ("ab1", "ab2"):
        say("run", "desk.py:desk", "x", "--run-id", run, "--quiet")
    refused(say("show", "ab"), 2, "2 runs begin with 'ab': ab1, ab2")
    assert say("show", "ab1").code == 0


@pytest.mark.parametrize("run", ["a/b", "../x", "x" * 65, " "])
def test_a_run_id_is_a_plain_word(say: Say, run: str) -> None:
    """It is a name in files and addresses."""
    refused(say("run", "desk.py:desk", "x", "--run-id", run), 2, "run id")


@pytest.mark.parametrize("line", ["runs", "show x", "inbox", "audit", "run desk.py:desk x --quiet"])
def test_a_file_that_is_no_journal_is_not_touched(say: Say, tmp_path: Path, line: str) -> None:
    """One line, exit code 4."""
    refused(say(*line.split(), "--journal", "words.txt"), 4, "words.txt")
    assert (tmp_path / "words.txt").read_text() == FILES["words.txt"]


def test_a_task_that_is_no_text_is_refused(say: Say, tmp_path: Path) -> None:
    """Bytes are not guessed at."""
    (tmp_path / "latin.json").write_bytes(b'{"text": "gr\xf6sse"}')
    refused(say("run", "desk.py:desk", "latin.json"), 2, "not text in UTF-8")


def test_a_task_may_not_be_nested_without_end(say: Say, tmp_path: Path) -> None:
    """A bomb is refused."""
    (tmp_path / "deep.json").write_text("[" * 200_000)
    refused(say("run", "desk.py:desk", "deep.json"), 2, "deep.json")


def test_changed_definitions_are_refused_until_somebody_decides(say: Say, tmp_path: Path) -> None:
    """The message names what changed."""
    run, asked = started(say), question(say)
    (tmp_path / "desk.py").write_text(DESK.replace("May this go out?", "Shall this go out?"))
    refused(say("approve", run, asked, "--resume"), 2, "careful/boss (changed)")
    assert say("resume", run, "--migrate", "--quiet").code in (0, 3)


def test_a_journal_cannot_make_us_load_code_from_elsewhere(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorded team is only loaded from the current folder; else the user must name it."""
    run = started(say)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(".echelon", elsewhere / ".echelon")
    monkeypatch.chdir(elsewhere)
    refused(say("resume", run), 2, "--team desk.py:careful")
    assert say("resume", run, "--team", "../desk.py:careful", "--quiet").code == 3


@pytest.mark.parametrize("origin", ["os:system", "/etc/passwd.py:x", "../desk.py:desk", "json.tool:main", "x", ":"])
def test_a_recorded_team_outside_of_the_folder_is_not_here(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the standard library nor what is installed nor any path that leads out."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "inner").mkdir()
    (tmp_path / "desk.py").write_text("")
    monkeypatch.chdir(tmp_path / "inner")
    assert not is_here(origin)


def test_what_a_run_says_cannot_take_over_the_terminal(say: Say) -> None:
    """No escape sequence, no bell, no turned text."""
    evil = "\x1b[2J\x1b]0;title\x07x\u202ey\x9b31m"
    said = say("run", "desk.py:desk", json.dumps({"text": evil}), "--run-id", "r1")
    shown = said.out + said.err + say("show", "r1").out + say("explain", "r1", "shout").out
    shown += say("run", "desk.py:desk", json.dumps({"text": evil}), "--json").out + say("show", evil).err
    assert not set(shown) & set("\x1b\x07\u202e\x9b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x1b[38;5;1mb\x1b(Bc", "abc"),
        ("a\x1b", "a"),
        ("tab\tline\nend\r\n", "tab\tline\nend\n"),
        ("\rover", "over"),
        ("größe \N{CHECK MARK}", "größe \N{CHECK MARK}"),
    ],
)
def test_control_characters_are_taken_out(text: str, shown: str) -> None:
    """And nothing else."""
    assert clean(text) == shown


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_a_run_is_watched_live_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who works, what a model says, and what it has cost so far; nothing of it stays."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    with Progress(terminal, quiet=False) as progress:
        progress.hear(Delegated(step="a", worker="evil\x1b[5m", attempt=1, payload=1, digest="d", reason="ready"))
        progress.hear(Delta("/a#1", "so far \x1b[5m"))
        progress.hear(Delta("/a#1", "so good"))
        progress.hear(EffectFinished(path="/a#1", kind="model", n=0, digest="d", usage=Usage(calls=1, usd=0.5)))
    shown = terminal.getvalue()
    for words in ("a#1", "evil", "running", "so far so good", "0 of 1 done, $0.5000"):
        assert words in shown
    assert "\x1b[5m" not in shown


def test_nothing_is_watched_where_nobody_wants_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even on a terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    with Progress(terminal, quiet=True) as progress:
        progress.hear(Delegated(step="a", worker="x", attempt=1, payload=1, digest="d", reason="ready"))
    assert terminal.getvalue() == ""


def written(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """What a table and a line look like on a terminal."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    screen = Screen(out=terminal)
    screen.say("[bold]no markup[/bold] \x1b[5m:smile:", style="bold")
    screen.table(("run", "status"), [("r1", "done"), ("r2", "\x1b[31mfailed")])
    return terminal.getvalue()


def test_a_terminal_is_shown_colours_unless_it_is_asked_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR and TERM=dumb are honoured; what runs say is no markup."""
    assert "\x1b[32mdone" in written(monkeypatch)
    assert "\x1b[31m" in written(monkeypatch)
    assert "\x1b[3" not in written(monkeypatch, NO_COLOR="1")
    assert "\x1b" not in written(monkeypatch, TERM="dumb")
    assert "[bold]no markup[/bold] :smile:" in written(monkeypatch)
    assert "\x1b[5m" not in written(monkeypatch)
