"""`echelon serve` as a real process on loopback: what it says, how it ends, and what a kill leaves."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from echelon.cli.teams import load
from echelon.protocols.gateway.conversation import Conversation
from echelon.protocols.gateway.runs import Order
from echelon.protocols.storage import RunSummary
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.lock import FileLock
from echelon.supervisor.journal.sqlite import SqliteJournal

from .commands import Say, question, refused, typing_in

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 20.0
"""Seconds that anything is waited for at most; it takes a fraction of that."""

TEAM = '''
import os

import anyio
from pydantic import BaseModel

from echelon import Approval, Person, Supervisor, Workflow, worker


class Payment(BaseModel):
    iban: str
    cents: int


@worker
async def slow(text: str) -> str:
    """Waits until somebody at the other end of a connection lets it go."""
    async with await anyio.connect_tcp("127.0.0.1", int(os.environ["GATE"])) as gate:
        return (await gate.receive()).decode()


@worker(effect=True)
async def pay(payment: Payment, approval: Approval) -> str:
    """Pays."""
    return f"paid {payment.cents} to {payment.iban}"


cfo = Person("cfo", "May this be paid?", accepts=Payment, returns=Approval)
flow = Workflow(Payment, str)
flow.output(flow.step(pay, {"payment": flow.task, "approval": flow.step(cfo, flow.task)}))
desk = Supervisor("desk", accepts=Payment, returns=str, team=[cfo, pay], planner=flow)
'''


@dataclass(frozen=True)
class Server:
    """A process that serves, and a client of it."""

    process: subprocess.Popen[str]
    said: list[str]
    """What it said until it was ready."""
    key: str

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.said[0].split()[-1]

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Send a request with the key, and read the JSON that comes back."""
        headers = {"authorization": f"Bearer {self.key}"} | more.pop("headers", {})
        reply = httpx2.request(method, self.url + path, headers=headers, timeout=PATIENCE, **more)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def chat(self, *texts: str) -> str:
        """Say something in a chat with the desk; what it answers."""
        roles = ("user", "assistant")
        messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
        body = {"model": "desk", "messages": messages}
        told = self.ask("POST", "/v1/chat/completions", json=body, headers={"x-echelon-thread": "t"})
        return str(told["choices"][0]["message"]["content"])

    def begin(self) -> str:
        """Begin something slow in the background; its id."""
        return str(self.ask("POST", "/v1/responses", json={"model": "slow", "input": "go", "background": True})["id"])

    def ended(self, response: str) -> str:
        """What became of it."""
        told: Any = None
        for _ in range(2_000):
            told = self.ask("GET", f"/v1/responses/{response}")
            if told["status"] not in ("queued", "in_progress"):
                return str(told["output"][-1]["content"][0]["text"])
        raise AssertionError(told)

    def draining(self, how: signal.Signals) -> None:
        """Send a signal, and wait until it says that it is shutting down."""
        self.process.send_signal(how)
        while httpx2.get(f"{self.url}/readyz").status_code == 200:
            assert self.process.poll() is None

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@dataclass(frozen=True)
class Desk:
    """A folder to serve from, and the gate at which slow work waits."""

    folder: Path
    gate: socket.socket
    open: ExitStack

    @property
    def log(self) -> Path:
        """What servers said on standard error."""
        return self.folder / "log"

    @contextmanager
    def serving(self, *options: str) -> Generator[Server]:
        """Serve on a free port until the block ends; killed if it has not ended by then."""
        command = [sys.executable, "-P", "-m", "echelon.cli", "serve", "team.py:desk", "team.py:slow", "--port", "0"]
        path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
        environment = {**os.environ, "PYTHONPATH": path, "GATE": str(self.gate.getsockname()[1])}
        with (
            self.log.open("a", encoding="utf-8") as log,
            subprocess.Popen(
                [*command, *options], cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            ) as process,
        ):
            try:
                assert process.stdout is not None
                said: list[str] = []
                while not said or not said[-1].startswith("try: "):
                    line = process.stdout.readline()
                    assert line, self.log.read_text(encoding="utf-8")
                    said.append(line.rstrip())
                lines = (self.folder / ".echelon" / "keys").read_text(encoding="ascii").splitlines()
                yield Server(process, said, lines[-1].partition(":")[2])
            finally:
                process.kill()

    def met(self) -> socket.socket:
        """Slow work that has begun; what is sent to it is what it returns."""
        return self.open.enter_context(self.gate.accept()[0])

    def runs(self) -> dict[str, RunSummary]:
        """The runs in the journal, by worker."""

        async def read() -> dict[str, RunSummary]:
            async with SqliteJournal(self.folder / ".echelon" / "runs.db") as journal:
                return {summary.worker: summary for summary in await journal.runs()}

        return anyio.run(read)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A folder with a team."""
    (tmp_path / "team.py").write_text(TEAM, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as gate, ExitStack() as stack:
        gate.settimeout(PATIENCE)
        yield Desk(tmp_path, gate, stack)


def test_a_killed_server_loses_neither_what_waits_nor_what_runs(desk: Desk) -> None:
    """The next one takes up what ran, and the answer to what waited comes to it; the key is shown by the first."""
    with desk.serving() as server:
        asked = server.chat('{"iban": "DE02", "cents": 5}')
        assert "May this be paid?" in asked
        response = server.begin()
        desk.met()
        assert f"shown this once: {server.key}" in "\n".join(server.said)
        server.end(signal.SIGKILL)
    assert {name: run.status for name, run in desk.runs().items()} == {"desk": "waiting", "slow": "running"}
    log = desk.log.read_text(encoding="utf-8")
    with desk.serving("--quiet") as server:
        assert server.key not in "\n".join(server.said)
        desk.met().send(b"done after all")
        assert server.ended(response) == "done after all"
        assert server.chat('{"iban": "DE02", "cents": 5}', asked, "yes") == "paid 5 to DE02"
        assert server.end() == 0
    assert {name: run.status for name, run in desk.runs().items()} == {"desk": "done", "slow": "done"}
    assert desk.log.read_text(encoding="utf-8") == log


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_when_what_is_under_way_is_done(how: signal.Signals, desk: Desk) -> None:
    """Meanwhile it takes nothing new, and still answers; then it ends well."""
    with desk.serving("--drain-seconds", "60") as server:
        server.begin()
        connection = desk.met()
        server.draining(how)
        connection.send(b"in time")
        assert server.process.wait(PATIENCE) == 0
    assert desk.runs()["slow"].status == "done"


def test_a_second_signal_waits_for_nothing_and_calls_nothing_off(desk: Desk) -> None:
    """The journal says no more than after a kill; meanwhile the server was what it said it would be."""
    with desk.serving("--drain-seconds", "60", "--run-seconds", "9") as server:
        assert server.said[0] == f"serving desk, slow on {server.url}"
        assert f"OPENAI_BASE_URL={server.url}/v1 OPENAI_API_KEY={server.key}" in "\n".join(server.said)
        models = server.ask("GET", "/v1/models")
        assert {"desk", "slow"} <= {model["id"] for model in models["data"]}
        assert httpx2.get(f"{server.url}/v1/models").status_code == 401
        assert httpx2.get(f"{server.url}/login", params={"key": server.key}).status_code == 303
        server.begin()
        desk.met()
        server.draining(signal.SIGTERM)
        assert server.end() == 0
    assert desk.runs()["slow"].status == "running"
    assert stat.S_IMODE((desk.folder / ".echelon" / "keys").stat().st_mode) == 0o600
    log = desk.log.read_text(encoding="utf-8")
    assert '"route": "/login", "status": 303' in log
    assert server.key not in log


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Type commands in a folder of teams."""
    yield from typing_in(tmp_path, monkeypatch, capsys)


REFUSALS: list[tuple[tuple[str, ...], str]] = [
    (("desk.py:desk", "desk.py:desk"), "another team is named 'desk' too"),
    (("desk.py:nobody",), "has no 'nobody'"),
    (("desk.py:desk", "--host", "0.0.0.0"), "name the host it goes by with --public-host"),
    (("desk.py:desk", "--host", "192.0.2.1", "--public-host", "x"), "serve once on 127.0.0.1"),
    (("desk.py:desk", "--max-runs", "0"), "--max-runs: expected at least 1, found 0"),
    (("desk.py:desk", "--run-seconds", "0"), "--run-seconds: /seconds: input should be greater than 0"),
    (("desk.py:desk", "--drain-seconds", "-1"), "--drain-seconds: expected 0 or more, found -1"),
    (("desk.py:desk", "--port", "99999"), "--port: expected 0 to 65535, found 99999"),
    (("desk.py:desk", "--disconnect", "maybe"), "invalid choice: 'maybe'"),
    ((), "the following arguments are required: team"),
]


@pytest.mark.parametrize(("argv", "words"), REFUSALS)
def test_bad_usage_is_one_line(argv: tuple[str, ...], words: str, say: Say) -> None:
    """Nothing is served, and no key is made."""
    refused(say("serve", *argv), 2, words)
    assert not Path(".echelon/keys").exists()


def test_a_port_in_use_is_said(say: Say) -> None:
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused(say("serve", "desk.py:desk", "--port", str(port)), 2, f"port {port} of 127.0.0.1 is in use")


def test_a_journal_in_use_is_said(say: Say) -> None:
    """By whom."""
    lock = FileLock(Path("runs.db"))
    lock.acquire()
    try:
        refused(say("serve", "desk.py:desk", "--port", "0", "--journal", "runs.db"), 1, f"in use by pid {os.getpid()}")
    finally:
        lock.release()


def test_a_key_file_that_is_none_is_said(say: Say) -> None:
    """Before anything is served."""
    Path(".echelon").mkdir()
    Path(".echelon/keys").write_text("nonsense\n", encoding="ascii")
    Path(".echelon/keys").chmod(0o600)
    refused(say("serve", "desk.py:desk", "--port", "0"), 2, "line 1: expected name:key")


def test_a_run_that_a_chat_began_goes_on_by_command(say: Say) -> None:
    """While nobody serves: the journal says that the team's intake was first, and the command finds it again."""
    chat = Conversation.model_validate({"turns": [{"role": "user", "text": "hello"}]})

    async def begin() -> str:
        team = load("desk.py:counter")
        limits, teams = Limits(drain=0.0, listen=None), {"counter": team.worker}
        path = Path(".echelon/runs.db")
        async with (
            SqliteJournal(path) as store,
            Host(teams, store, limits=limits, origins={"counter": team.origin}) as host,
        ):
            begun = await host.begin(Order(team="counter", task=chat, principal="ada", surface="chat"))
            async with host.watch(begun) as told:
                assert [one async for one in told]
        return begun

    run = anyio.run(begin)
    asked = question(say)
    said = say("approve", run, asked, "--by", "ada", "--value", '{"years": 7}', "--resume", "--json")
    assert said.code == 0, said
    assert said.document["output"] == {"years": 7}
