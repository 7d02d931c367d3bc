"""The demo of the invoice desk, as a user types it: every command that it prints works."""

import os
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.invoice_desk.ledger import Ledger

from .test_invoice_desk_domain import INBOX, PLAIN, ROOT


def typed(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Type a command in a folder, without the keys of whoever runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "INVOICE_DESK_"))}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=own | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the demo in a folder."""
    return typed(shlex.join([sys.executable, "-m", "examples.invoice_desk", *arguments]), folder)


def commands(printed: str) -> list[str]:
    """The commands under `next`."""
    return [line.strip() for line in printed.partition("\nnext\n")[2].splitlines()]


def test_the_demo_leads_from_the_first_command_to_the_reviewed_summary(tmp_path: Path) -> None:
    shown = demo(tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    for part in (
        "kestrel-steel-0914.pdf",
        "10 posted, 5 held, 4 wait for the controller, 2 wait for the bookkeeper, 1 ignored, 1 not read",
        "bill: $0, 0 calls",
        "controller   person        4\N{MULTIPLICATION SIGN}, 4 waiting",
    ):
        assert part in shown.stdout
    assert (tmp_path / ".echelon" / "team.svg").read_text().startswith("<svg")
    ledger = Ledger(tmp_path / ".echelon" / "ledger.db")
    again = demo(tmp_path)
    assert (again.returncode, len(ledger.entries())) == (0, 10)
    assert again.stdout.split("\nfile ")[1] == shown.stdout.split("\nfile ")[1]
    for waiting in (6, 1):  # what the bookkeeper types in of a supplier without a VAT id is for the controller
        answers = [line.strip() for line in shown.stdout.splitlines() if " approve " in line]
        assert answers[:-1].count(answers[-1]) == 1, "the next command is one of those that are listed"
        done = typed(" && ".join(answers[:-1]), tmp_path)
        assert (done.returncode, len(answers) - 1) == (0, waiting), done.stderr
        shown = typed(commands(shown.stdout)[-1], tmp_path)
    assert "16 posted, 5 held, 1 ignored, 1 not read" in shown.stdout
    assert "# Invoice desk" in (tmp_path / ".echelon" / "summary.md").read_text()
    assert typed(commands(shown.stdout)[-1], tmp_path).returncode == 0
    assert demo(tmp_path).returncode == 0
    assert len(ledger.entries()) == 16


def test_the_demo_takes_any_folder_and_a_changed_one_posts_only_what_is_new(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    plain = PLAIN.replace("2026-11-03", f"{datetime.now(UTC):%Y-%m-%d}")
    (mine / "one.txt").write_text(plain)
    arguments = ("mine", "--data", "my data")
    first = demo(tmp_path, *arguments).stdout
    assert "posted as entry 1" in first
    assert "this inbox is done" in first
    shutil.copy(INBOX / "quickfix-facility-3316.pdf", mine)
    (mine / "two.txt").write_text(plain.replace("no. 17", "no. 18").replace("Date:", "Day:"))
    shown = demo(tmp_path, *arguments).stdout
    assert "ignored: already posted as entry 1" in shown
    assert "held: the text gives instructions" in shown
    assert "--value \"$(cat 'my data/forms/two.txt.json')\"" in shown


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [("nowhere", "there is no folder 'nowhere'"), ("file.txt", "is a file"), ("empty", "'empty' is empty")],
)
def test_the_demo_says_in_one_line_what_is_wrong_with_a_folder(tmp_path: Path, argument: str, complaint: str) -> None:
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "empty").mkdir()
    shown = demo(tmp_path, argument)
    assert (shown.returncode, shown.stdout, len(shown.stderr.splitlines())) == (2, "", 1)
    assert complaint in shown.stderr
    assert not (tmp_path / ".echelon").exists()


def test_loading_the_team_touches_no_disk(tmp_path: Path) -> None:
    program = "from examples.invoice_desk.team import team; print(team.card.name)"
    shown = typed(f"{sys.executable} -c '{program}'", tmp_path)
    assert (shown.stdout, list(tmp_path.iterdir())) == ("desk\n", [])
