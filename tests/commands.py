"""A folder to type commands in: a few teams and tasks, and what a command returned and wrote."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from echelon.cli import main

DESK = '''
from pydantic import BaseModel
from echelon import Agent, Approval, Person, ScriptedModel, Supervisor, Workflow, worker
from echelon.protocols.prices import Rates


class Task(BaseModel):
    text: str
    loud: bool = False


class Note(BaseModel):
    text: str


class Age(BaseModel):
    years: int


@worker
async def shout(note: Note) -> Note:
    """Say it louder."""
    if note.text == "fail":
        raise ValueError("it cannot be said")
    return Note(text=note.text.upper())


price = Rates(input=100.0, output=100.0)
scribe = Agent(
    "scribe", instructions="Write.", accepts=Note, returns=str,
    models=[ScriptedModel(lambda request: "written", name="pen", price=price)],
)
boss = Person("boss", "May this go out?", accepts=Note, returns=Approval)
clerk = Person("clerk", "How old is it?", accepts=Note, returns=Age)

plain = Workflow(Task, Note)
plain.output(plain.step(shout, {"text": plain.task["text"]}))
desk = Supervisor("desk", accepts=Task, returns=Note, team=[shout], planner=plain)

asking = Workflow(Task, Note)
told = asking.step(scribe, {"text": asking.task["text"]})
yes = asking.step(boss, {"text": told})
asking.output(asking.step(shout, {"text": told}, after=[yes]))
careful = Supervisor("careful", accepts=Task, returns=Note, team=[shout, scribe, boss], planner=asking)

counting = Workflow(Task, Age)
counting.output(counting.step(clerk, {"text": counting.task["text"]}))
counter = Supervisor("counter", accepts=Task, returns=Age, team=[clerk], planner=counting)

free = Supervisor("free", accepts=Task, returns=Note, team=[shout])
'''

TEAMS = ("desk", "nested", "many", "look", "nap", "house_of_teams")
"""Modules that tests write and load."""

FILES = {
    "desk.py": DESK,
    "broken.py": "def (:\n",
    "raising.py": "x = 1 / 0\n",
    "importing.py": "import no_such_module_at_all\n",
    "empty.py": "x = 1\n",
    "bad.json": '{"text": ',
    "good.json": '{"text": "from a file"}',
    "words.txt": "from a text",
    "wrong.json": '{"text": 3}',
}


@dataclass(frozen=True)
class Said:
    """What a command returned and wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


class Say(Protocol):
    """Types a command."""

    def __call__(self, *argv: str) -> Said: ...


def typing_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Lay the files out in a folder, go there, and give what types commands; forget the loaded teams afterwards."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)

    def typed(*argv: str) -> Said:
        capsys.readouterr()
        code = main(argv)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    yield typed
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in TEAMS or name.startswith("echelon_team_"):
            del sys.modules[name]


def started(say: Say, team: str = "desk.py:careful", task: str = "hello") -> str:
    """Begin a run and return its id."""
    run: str = say("run", team, task, "--json").document["run"]
    return run


def question(say: Say) -> str:
    """Id of the only open question."""
    (found,) = say("inbox", "--json").document
    asked: str = found["question"]["id"]
    return asked


def refused(said: Said, code: int, words: str = "") -> None:
    """One clear line on standard error, and an exit code."""
    assert said.code == code, said
    assert said.err.startswith("echelon: "), said
    assert said.err.count("\n") == 1, said.err
    assert words in said.err, said.err
    assert "Traceback" not in said.out + said.err
