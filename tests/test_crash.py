"""Processes that are really killed, frozen and thawed: what they leave, and what the next process makes of it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from echelon.protocols.events import EffectFinished, EffectStarted, RunEnded

from .programs.processes import Desk, Processes, Told, begun, ended, processes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked and killed with POSIX signals")

OUTPUT = "paid 4219; told paid 4219; True"
KILLED = {"killed": signal.SIGKILL.value if hasattr(signal, "SIGKILL") else 9}
DEEDS = {"advise": 1, "pay": 1, "notify": 1}


@pytest.fixture(scope="module")
def forks() -> Iterator[Processes]:
    """One server for all: it has imported everything."""
    with processes() as server:
        yield server


@pytest.fixture
def desk(forks: Processes, tmp_path: Path) -> Desk:
    """A desk of six steps."""
    return Desk(forks, tmp_path)


def desks(forks: Processes, folder: Path, team: str = "six") -> Iterator[Desk]:
    """Fresh desks, one after the other."""
    for number in range(1_000):
        fresh = folder / str(number)
        fresh.mkdir()
        yield Desk(forks, fresh, team)


def assert_taken_up(desk: Desk, moment: str) -> None:
    """What was killed is taken up to the same end, with nothing done twice that is on record."""
    before = desk.events()
    calls = desk.times()["advise"]
    told = desk.resumed()
    after = desk.events()[len(before) :]
    assert told["output"] == OUTPUT, (moment, told)
    assert not begun(after) & ended(before), moment
    assert (desk.times()["pay"], desk.times()["notify"]) == (1, 1), (moment, desk.deeds)
    answered = any(kind == "model" for _, kind, _ in ended(before))
    assert desk.times()["advise"] == (calls if answered else calls + 1), (moment, desk.deeds)
    spent = 0.05 + 0.000139 * desk.times()["advise"]
    assert told["billed"] >= round(spent, 9), moment
    assert told["usd"] == told["billed"], moment


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_at_any_event_is_taken_up_by_the_next(when: str, forks: Processes, tmp_path: Path) -> None:
    """Just before an event is durable, and just after it is, before anybody knows: each event of the run."""
    positions = 0
    for desk in desks(forks, tmp_path):
        moment = f"{when} {positions + 1}"
        told = desk.order("run", die=moment)
        if told != KILLED:
            assert told["output"] == OUTPUT
            break
        positions += 1
        assert_taken_up(desk, moment)
    assert positions >= 20


@pytest.mark.parametrize("name", ["advise", "pay", "notify"])
@pytest.mark.parametrize("when", ["in", "over"])
def test_a_process_killed_in_the_middle_of_a_deed_does_it_once(when: str, name: str, desk: Desk) -> None:
    """Nobody knows whether it was done: a person says, or the same key goes out again; a model is asked again."""
    assert desk.order("run", die=f"{when} {name}") == KILLED
    assert_taken_up(desk, f"{when} {name}")


def test_a_write_in_doubt_waits_for_a_person_and_is_not_done_meanwhile(desk: Desk) -> None:
    """Resumed as often as you like, the run waits; the answer comes from another process; then it is delivered."""
    assert desk.order("run", die="over pay") == KILLED
    told: Told = {}
    for _ in range(2):
        told = desk.order("resume")
        assert [question["asks"] for question in told["questions"]] == ["in_doubt"]
    assert desk.times() == {"advise": 1, "pay": 1}
    question: Told = told["questions"][0]
    assert question["subject"]["key"] == desk.deeds[-1][1]
    desk.order("answer", question=question["id"], approved=True, value="paid 4219")
    assert desk.order("resume")["output"] == OUTPUT
    assert desk.times() == DEEDS


def test_a_write_that_was_not_done_and_crashed_again_is_in_doubt_again(desk: Desk) -> None:
    """That it was not done was said of one start; of the next one nobody has said anything."""
    assert desk.order("run", die="in pay") == KILLED
    first = desk.order("resume")["questions"][0]
    desk.order("answer", question=first["id"], approved=False)
    assert desk.order("resume", die="over pay") == KILLED
    second = desk.order("resume")["questions"][0]
    assert second["id"] != first["id"]
    assert desk.resumed()["output"] == OUTPUT
    assert desk.times() == DEEDS


def torn(desk: Desk, folder: Path, length: int) -> Desk:
    """A copy of the desk whose -wal ends after so many bytes."""
    shutil.copytree(desk.folder, folder)
    (folder / "journal-shm").unlink(missing_ok=True)
    os.truncate(folder / "journal-wal", length)
    return Desk(desk.processes, folder, desk.team)


def test_a_torn_last_write_is_no_write(forks: Processes, tmp_path: Path) -> None:
    """Of a commit that reached the disk in part, nothing counts: the run goes on from before it."""
    fresh = desks(forks, tmp_path)
    plain = next(fresh)
    assert plain.order("run")["output"] == OUTPUT
    positions = [i for i, event in enumerate(plain.events(), 1) if isinstance(event, EffectStarted | EffectFinished)]
    for position in positions:
        desk = next(fresh)
        assert desk.order("run", die=f"after {position}") == KILLED
        whole = (desk.folder / "journal-wal").stat().st_size
        begins = int((desk.folder / "length").read_text(encoding="utf-8"))
        assert begins < whole
        for part in range(3):
            copy = torn(desk, tmp_path / f"torn-{position}-{part}", begins + part * (whole - begins - 1) // 2)
            assert len(copy.events()) == position - 1
            told = copy.resumed()
            assert told["output"] == OUTPUT
            assert copy.times()["pay"] == 1


def test_a_run_that_has_ended_executes_nothing_when_resumed(desk: Desk) -> None:
    """It says again what it came to; no event, no deed."""
    told = desk.order("run")
    events = desk.events()
    assert isinstance(events[-1], RunEnded)
    assert desk.order("resume") == told
    assert desk.events() == events
    assert desk.times() == DEEDS


def test_two_approvals_are_answered_in_any_order_by_other_processes(forks: Processes, tmp_path: Path) -> None:
    """Both branches wait, all processes are gone; the second question is answered first; a third answer is refused."""
    desk = Desk(forks, tmp_path, team="two")
    told = desk.order("run")
    ada, bob = told["questions"]
    assert (told["status"], ada["of"], bob["of"]) == ("waiting", "ada", "bob")
    assert desk.order("answer", question=bob["id"])["by"] == "eva"
    assert desk.order("answer", question=ada["id"])["by"] == "eva"
    third = desk.order("answer", question=bob["id"], approved=False)
    assert third["error"] == "AnswerError"
    assert "already answered" in third["message"]
    assert desk.order("resume")["output"] == "eva and eva"
    assert desk.times() == {"book-eva": 2}
    assert len(set(desk.deeds)) == 2


def test_a_branch_goes_on_while_the_other_waits(forks: Processes, tmp_path: Path) -> None:
    """One answer is enough for its own branch."""
    desk = Desk(forks, tmp_path, team="two")
    ada, bob = desk.order("run")["questions"]
    desk.order("answer", question=bob["id"])
    told = desk.order("resume")
    assert [question["id"] for question in told["questions"]] == [ada["id"]]
    assert desk.times() == {"book-eva": 1}


def test_while_a_process_is_frozen_no_other_takes_its_run(desk: Desk) -> None:
    """It holds the journal; thawed, it goes on from where it stood, and everything is done once."""
    frozen: Told = desk.order("run", die="stop pay")
    refused = desk.order("resume")
    assert refused["error"] == "BusyError"
    assert str(frozen["frozen"]) in refused["message"]
    os.kill(frozen["frozen"], signal.SIGCONT)
    assert desk.processes.say("wait")["output"] == OUTPUT
    assert desk.times() == DEEDS
